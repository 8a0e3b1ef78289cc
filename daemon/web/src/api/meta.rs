//! The box itself, the contract, and the watchdog's question.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use catalog::AlarmCounts;
use hyper::header;
use line::{PortState, Severity};
use serde_json::{Value, json};

use super::{Answer, json_answer, scope_of};
use crate::app::App;
use crate::problem::{Code, Problem};
use crate::query::Query;
use crate::session::Caller;

/// The contract, as it stands in this folder.
pub const OPENAPI: &str = include_str!("../../openapi.json");

pub async fn get_openapi() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], OPENAPI).into_response()
}

pub async fn get_health(State(app): State<App>) -> Answer {
    let health = app.station.health();
    if health.is_well() {
        return Ok(json_answer(&json!({ "status": "ok" })));
    }
    let parts = [
        ("capturing", health.capturing),
        ("recording", health.recording),
        ("catalog_following", health.catalog_following),
    ];
    let wrong: Vec<&str> = parts.iter().filter(|(_, well)| !well).map(|(part, _)| *part).collect();
    let title = format!("The box is not well: {}. See the alarms.", wrong.join(", "));
    Err(Problem::new(Code::NotWell, title).with("parts", wrong))
}

pub async fn get_box(State(app): State<App>, caller: Caller, query: Query) -> Answer {
    query.finish()?;
    let (disk, counts) = app
        .blocking(move |app| {
            let disk = app
                .station
                .data_dir()
                .free_space()
                .map_err(|error| Problem::storage("ask for free space", error))?;
            Ok((disk, app.catalog().alarm_counts(&scope_of(&caller))?))
        })
        .await?;
    let info = app.station.info();
    let ports = app.station.live().ports();
    let used = ports.iter().filter(|port| port.state != PortState::Unused).count();
    let recording = ports.iter().filter(|port| port.recording_since.is_some()).count();
    Ok(json_answer(&json!({
        "serial": info.serial,
        "name": info.name,
        "role": "station",
        "version": info.version,
        "time": app.station.now(),
        "time_zone": app.zone().name(),
        "clock_quality": app.station.clock_quality(),
        "started_at": info.started,
        "disk": { "total_bytes": disk.total_bytes, "free_bytes": disk.free_bytes },
        "ports": { "total": used, "recording": recording },
        "alarms": alarm_counts_json(counts),
    })))
}

pub fn alarm_counts_json(counts: AlarmCounts) -> Value {
    json!({
        Severity::Notice.name(): counts.notice,
        Severity::Minor.name(): counts.minor,
        Severity::Critical.name(): counts.critical,
    })
}
