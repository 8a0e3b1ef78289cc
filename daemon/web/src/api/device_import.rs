//! Stations from a CSV file: every line is judged by itself, and the report says what became of it.

use std::collections::{BTreeSet, HashSet};

use axum::extract::{Request, State};
use axum::response::Response;
use catalog::{Device, Scope};
use serde_json::{Value, json};

use super::device_fields::{Asked, SERIAL, fingerprint_of, new_device, serial_of, trail_json};
use super::{Answer, json_answer};
use crate::app::App;
use crate::csv_file::{self, CsvFile, CsvLine};
use crate::fields::is_text;
use crate::problem::Problem;
use crate::query::Query;
use crate::scope::scope_of;
use crate::session::Caller;
use crate::trail::Trail;

const COLUMNS: [&str; 5] = ["serial", "name", "department", "fingerprint", "note"];
/// Stations that are written into the journal together.
const AT_ONCE: usize = 500;

pub async fn import_template(query: Query) -> Answer {
    query.finish()?;
    Ok(csv_file::template("devices.csv", COLUMNS))
}

/// A line of the file that can be read as one.
struct Line {
    /// Of the file.
    number: u64,
    serial: String,
    /// What it says, or why it cannot be a station.
    device: Result<Device, Problem>,
}

pub async fn import_devices(
    State(app): State<App>,
    caller: Caller,
    mut query: Query,
    request: Request,
) -> Answer {
    let check = query.one("check", "true or false", |text| text.parse::<bool>().ok())?.unwrap_or(false);
    query.finish()?;
    let bytes = csv_file::whole(request).await?;
    app.blocking(move |app| import(app, &caller, &bytes, check)).await
}

/// Blocks.
fn import(app: &App, caller: &Caller, bytes: &[u8], check: bool) -> Result<Response, Problem> {
    let _one_at_a_time = app.one_at_a_time();
    let platform = app.platform()?;
    let scope = scope_of(app, caller)?;
    let mut lines = lines_of(app, caller, &scope, bytes)?;
    let departments: BTreeSet<String> =
        app.catalog().departments()?.into_iter().map(|department| department.name).collect();
    let mut seen = HashSet::new();
    for line in &mut lines {
        let judged = line.device.as_ref().ok().map(|device| {
            platform::check_device(device, &departments)?;
            if platform.device(&device.serial).is_some() || !seen.insert(device.serial.clone()) {
                return Err(platform::PlatformError::DeviceExists(device.serial.clone()));
            }
            Ok(())
        });
        if let Some(Err(error)) = judged {
            line.device = Err(error.into());
        }
    }
    if !check {
        add(app, caller, &mut lines)?;
    }
    let rows: Vec<Value> = lines.iter().map(|line| row_json(line, check)).collect();
    let good = lines.iter().filter(|line| line.device.is_ok()).count();
    Ok(json_answer(&json!({
        "check": check,
        "added": if check { 0 } else { good },
        "refused": lines.len() - good,
        "rows": rows,
    })))
}

/// Registers the good ones, some at a time; each stands in the audit trail.
fn add(app: &App, caller: &Caller, lines: &mut [Line]) -> Result<(), Problem> {
    let platform = app.platform()?;
    for some in lines.chunks_mut(AT_ONCE) {
        let devices: Vec<Device> =
            some.iter().filter_map(|line| line.device.as_ref().ok()).cloned().collect();
        if devices.is_empty() {
            continue;
        }
        let trail = |device: &Device| {
            let trail = Trail::of(caller, "device", "create").with("serial", device.serial.as_str());
            trail.with("import", true).with("after", trail_json(device)).entry()
        };
        let entries = devices.iter().map(trail).collect();
        if let Err(error) = platform.add_devices(devices, entries) {
            // All of these or none: a full list, or a disk that refuses.
            let problem = Problem::from(error);
            for line in some.iter_mut().filter(|line| line.device.is_ok()) {
                line.device = Err(problem.clone());
            }
        }
    }
    app.tree_changed();
    Ok(())
}

fn row_json(line: &Line, check: bool) -> Value {
    let problem = line.device.as_ref().err();
    let result = match (problem, check) {
        (Some(_), _) => "refused",
        (None, true) => "accepted",
        (None, false) => "added",
    };
    json!({
        "line": line.number,
        "serial": line.serial,
        "result": result,
        "code": problem.map(|problem| problem.code.name()),
        "field": problem.and_then(|problem| problem.params.get("field").and_then(Value::as_str)),
        "title": problem.map(|problem| problem.title.as_str()),
    })
}

fn lines_of(app: &App, caller: &Caller, scope: &Scope, bytes: &[u8]) -> Result<Vec<Line>, Problem> {
    let column = |heading: &str| COLUMNS.into_iter().find(|name| *name == heading);
    let file = CsvFile::read(bytes, column, "serial")?;
    let line = |line: &CsvLine| {
        let value = |column: &str| file.value(line, column).filter(|value| !value.is_empty());
        let serial = value("serial").unwrap_or_default().chars().take(64).collect();
        let device = file.check_length(line).and_then(|()| device_of(app, caller, scope, value));
        Line { number: line.number, serial, device }
    };
    Ok(file.lines().iter().map(line).collect())
}

fn device_of<'a>(
    app: &App,
    caller: &Caller,
    scope: &Scope,
    value: impl Fn(&str) -> Option<&'a str>,
) -> Result<Device, Problem> {
    let text = |column: &str, most: usize| match value(column) {
        Some(text) if is_text(text, &(1..=most)) => Ok(Some(text.to_owned())),
        Some(_) => Err(Problem::field_invalid(column, &format!("text of 1 to {most} characters"))),
        None => Ok(None),
    };
    let serial = value("serial").ok_or_else(|| Problem::field_missing("serial"))?;
    let serial = serial_of(serial).ok_or_else(|| Problem::field_invalid("serial", SERIAL))?;
    let fingerprint = match value("fingerprint") {
        None => None,
        Some(text) => Some(
            fingerprint_of(text)
                .ok_or_else(|| Problem::field_invalid("fingerprint", "64 hexadecimal digits"))?,
        ),
    };
    let asked = Asked {
        name: text("name", 64)?,
        department: text("department", 64)?.map(Some),
        fingerprint,
        note: text("note", 500)?,
        ..Asked::default()
    };
    new_device(app, caller, scope, &serial, asked)
}
