//! The box itself, the contract, and the watchdog's question.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use catalog::{AlarmCounts, Scope};
use hyper::header;
use line::{PortState, Severity};
use serde_json::{Value, json};

use super::device_list::waiting_for;
use super::{Answer, json_answer};
use crate::app::App;
use crate::fleet::Fleet;
use crate::problem::{Code, Problem};
use crate::query::Query;
use crate::role::Served;
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
    let (disk, counts, sums) = app
        .blocking(move |app| {
            let disk = app
                .served
                .data_dir()
                .free_space()
                .map_err(|error| Problem::storage("ask for free space", error))?;
            let scope = scope_of(app, &caller)?;
            let counts = app.catalog().alarm_counts(&scope)?;
            Ok((disk, counts, sums(app, &caller, scope)?))
        })
        .await?;
    let info = app.served.info();
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
        "ports": { "total": sums.ports, "recording": sums.recording },
        "alarms": alarm_counts_json(counts),
        "fingerprint": sums.fingerprint,
        "devices": sums.devices.map(|(online, total)| json!({ "online": online, "total": total })),
        "waiting": sums.waiting,
    })))
}

/// What the box has, as far as the caller sees it.
struct Sums {
    ports: usize,
    recording: usize,
    /// Of the key by which the other side of the uplink knows this box.
    fingerprint: Option<String>,
    /// Online, all.
    devices: Option<(usize, usize)>,
    waiting: Option<usize>,
}

/// Blocks.
fn sums(app: &App, caller: &Caller, scope: Scope) -> Result<Sums, Problem> {
    match &app.served {
        Served::Station(station) => {
            let ports = station.live().ports();
            Ok(Sums {
                ports: ports.iter().filter(|port| port.state != PortState::Unused).count(),
                recording: ports.iter().filter(|port| port.recording_since.is_some()).count(),
                fingerprint: None,
                devices: None,
                waiting: None,
            })
        }
        Served::Platform(platform) => {
            let fleet = Fleet::look(app, platform, scope)?;
            let devices = fleet.devices(platform);
            let ports = devices.iter().map(|now| fleet.ports_of(now));
            let (ports, recording) = ports.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
            Ok(Sums {
                ports,
                recording,
                fingerprint: Some(platform.fingerprint().to_string()),
                devices: Some((devices.iter().filter(|now| now.online).count(), devices.len())),
                waiting: waiting_for(app, caller)?.map(|waiting| waiting.len()),
            })
        }
    }
}

pub fn alarm_counts_json(counts: AlarmCounts) -> Value {
    json!({
        Severity::Notice.name(): counts.notice,
        Severity::Minor.name(): counts.minor,
        Severity::Critical.name(): counts.critical,
    })
}
