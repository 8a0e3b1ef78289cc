//! Ports: their live state, instant recall, recording by hand, calibration.

use axum::extract::{Path, State};
use serde_json::{Value, json};
use station::{CalibrationStep, ManualRecord, Meter, PortLive};

use super::recordings::record_json;
use super::{Answer, json_answer};
use crate::app::App;
use crate::fields::Fields;
use crate::names::Names;
use crate::problem::Problem;
use crate::query::{Query, whole_of};
use crate::scope::scope_of;
use crate::session::Caller;
use crate::trail::Trail;
use crate::view::View;

/// The port an address names.
///
/// # Errors
/// `not_found`, also for what is no number.
pub fn port_of(app: &App, text: &str) -> Result<PortLive, Problem> {
    let station = app.station()?;
    whole_of(text)
        .and_then(|number| u16::try_from(number).ok())
        .and_then(|number| station.live().port(number))
        .ok_or_else(|| Problem::not_found("port", text))
}

pub async fn list_ports(State(app): State<App>, query: Query) -> Answer {
    query.finish()?;
    let live = app.station()?.live();
    let ports = live.ports();
    let meters: Vec<Value> = live.meters().iter().map(meter_json).collect();
    let names = Names::of_ports(&app, &ports).await?;
    let items: Vec<Value> = ports.iter().map(|port| port_json(port, &names)).collect();
    Ok(json_answer(&json!({ "time": app.served.now(), "items": items, "meters": meters })))
}

pub fn port_json(port: &PortLive, names: &Names) -> Value {
    json!({
        "port": port.port,
        "name": port.name,
        "port_contact": names.user_of(port.port),
        "line_number": port.line_number,
        "two_track": port.two_track,
        "state": port.state,
        "since": port.since,
        "peer_number": port.peer_number,
        "peer_name": port.peer_name,
        "peer_contact": names.name_of(port.peer_number.as_deref()),
        "call_type": port.call_type,
        "call_id": port.call_id,
        "recording_since": port.recording_since,
    })
}

/// Near and far level, voltage, ring voltage, smallest and largest voltage; tenths are enough for the eye.
pub fn meter_json(meter: &Meter) -> Value {
    let tenths = |value: f32| (f64::from(value) * 10.0).round() / 10.0;
    let optional = |value: Option<f32>| value.map(tenths);
    json!([
        tenths(meter.near_dbm0),
        optional(meter.far_dbm0),
        optional(meter.volts),
        optional(meter.ring_volts),
        optional(meter.min_volts),
        optional(meter.max_volts),
    ])
}

pub async fn recall(
    State(app): State<App>,
    caller: Caller,
    Path(port): Path<String>,
    mut query: Query,
) -> Answer {
    let count = query.whole("limit", 1..=50)?.unwrap_or(10) as u32;
    query.finish()?;
    let port = port_of(&app, &port)?.port;
    app.blocking(move |app| {
        let rows = app.catalog().recent(&scope_of(app, &caller)?, port, count)?;
        let view = View::of(app, &caller)?;
        let items: Vec<Value> = rows.iter().map(|row| record_json(row, &view)).collect();
        Ok(json_answer(&json!({
            "total": items.len(), "items": items, "next": null, "total_is_least": rows.len() == count as usize,
        })))
    })
    .await
}

pub async fn record(
    State(app): State<App>,
    caller: Caller,
    Path(port): Path<String>,
    mut fields: Fields,
) -> Answer {
    let (action, name) =
        fields.required("action", "one of start, stop", |value| match value.as_str()? {
            "start" => Some((ManualRecord::Start, "record_start")),
            "stop" => Some((ManualRecord::Stop, "record_stop")),
            _ => None,
        })?;
    fields.finish()?;
    let port = port_of(&app, &port)?.port;
    app.blocking(move |app| {
        let done = app.station()?.record(port, action).map_err(Problem::from);
        Trail::of(&caller, "channel", name).port(port).ended(app.catalog(), done)
    })
    .await?;
    let live = app.station()?.live().port(port).ok_or_else(|| Problem::not_found("port", port))?;
    let names = Names::of_ports(&app, std::slice::from_ref(&live)).await?;
    Ok(json_answer(&port_json(&live, &names)))
}

pub async fn calibrate(State(app): State<App>, Path(port): Path<String>, mut fields: Fields) -> Answer {
    let expected = "one of start, on_hook, off_hook, unplugged, cancel";
    let step =
        fields.required("step", expected, |value| serde_json::from_value::<CalibrationStep>(value).ok())?;
    fields.finish()?;
    let port = port_of(&app, &port)?.port;
    // It watches the line for a second, and so takes no turn from those who wait for the disk.
    let turn = app.turns.watching().await?;
    let calibration = app.apart(turn, move |app| Ok(app.station()?.calibrate(port, step)?)).await?;
    let mut answer = json!(calibration);
    answer["port"] = port.into();
    Ok(json_answer(&answer))
}
