//! The box itself, the contract, and the watchdog's question.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use catalog::AlarmCounts;
use hyper::header;
use line::{PortState, Severity};
use serde_json::{Value, json};

use super::{Answer, json_answer};
use crate::app::App;
use crate::problem::{Code, Problem};
use crate::query::Query;
use crate::scope::scope_of;
use crate::session::Caller;

/// The contract, as it stands in this folder.
pub const OPENAPI: &str = include_str!("../../openapi.json");

pub async fn get_openapi() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], OPENAPI).into_response()
}

pub async fn get_health(State(app): State<App>) -> Answer {
    let wrong = app.served.not_well();
    if wrong.is_empty() {
        return Ok(json_answer(&json!({ "status": "ok" })));
    }
    let title = format!("The box is not well: {}. See the alarms.", wrong.join(", "));
    Err(Problem::new(Code::NotWell, title).with("parts", wrong))
}

pub async fn get_box(State(app): State<App>, caller: Caller, query: Query) -> Answer {
    query.finish()?;
    let (disk, counts) = app
        .blocking(move |app| {
            let disk = app
                .served
                .data_dir()
                .free_space()
                .map_err(|error| Problem::storage("ask for free space", error))?;
            Ok((disk, app.catalog().alarm_counts(&scope_of(app, &caller)?)?))
        })
        .await?;
    let info = app.served.info();
    let ports = app.station()?.live().ports();
    let used = ports.iter().filter(|port| port.state != PortState::Unused).count();
    let recording = ports.iter().filter(|port| port.recording_since.is_some()).count();
    Ok(json_answer(&json!({
        "serial": info.serial,
        "name": info.name,
        "role": app.served.role().name(),
        "version": info.version,
        "time": app.served.now(),
        "time_zone": app.zone().name(),
        "clock_quality": app.served.clock_quality(),
        "started_at": info.started,
        "disk": { "total_bytes": disk.total_bytes, "free_bytes": disk.free_bytes },
        "ports": { "total": used, "recording": recording },
        "alarms": alarm_counts_json(counts),
        "fingerprint": null,
        "devices": null,
        "waiting": null,
    })))
}

pub fn alarm_counts_json(counts: AlarmCounts) -> Value {
    json!({
        Severity::Notice.name(): counts.notice,
        Severity::Minor.name(): counts.minor,
        Severity::Critical.name(): counts.critical,
    })
}
