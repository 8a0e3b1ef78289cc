//! Ports of a station as its platform sees them, and to which department each belongs.

use std::collections::HashMap;

use axum::extract::{Path, State};
use catalog::Scope;
use line::{CallType, PortState};
use platform::{DeviceNow, PortNow};
use serde_json::{Value, json};

use super::device_spans::{belong, check_past, since_of};
use super::{Answer, json_answer};
use crate::app::App;
use crate::fields::{Fields, Given};
use crate::fleet::{device_of, managed};
use crate::problem::Problem;
use crate::query::{Query, whole_of};
use crate::scope::{check_department, scope_of};
use crate::session::Caller;
use crate::time;
use crate::trail::Trail;
use crate::view::View;

/// Ports that one request may name.
const MOST_PORTS: usize = 1000;

/// The ports that the caller sees, as the contract writes them. Blocks.
pub fn ports_json(view: &View, scope: &Scope, now: &DeviceNow, now_us: i64) -> Vec<Value> {
    let serial = &now.device.serial;
    let users = view.users_of(serial);
    let mut names = HashMap::new();
    let mut name_of = |number: &str| -> Option<String> {
        let find = || view.contact_of(number);
        names.entry(number.to_owned()).or_insert_with(find).clone()
    };
    now.ports
        .values()
        .filter(|port| scope.port_now(serial, port.port, now_us))
        .map(|port| {
            let recording = port.recording.as_ref().filter(|_| now.online);
            let peer = recording.and_then(|recording| recording.peer_number.as_deref());
            let call_type = recording.and_then(|recording| CallType::from_name(&recording.call_type));
            json!({
                "port": port.port,
                "name": port.name,
                "port_contact": users.get(&port.port),
                "department": now.device.department_at(Some(port.port), now_us),
                "own_department": now.device.ports.contains_key(&port.port),
                "line_number": port.line_number,
                "state": state_of(port).filter(|_| now.online),
                "recording_since": recording.map(|recording| time::in_zone(recording.start_us, view.zone)),
                "call_id": recording.map(|recording| &recording.call_id),
                "call_type": call_type.map(CallType::name),
                "peer_number": peer,
                "peer_contact": peer.and_then(&mut name_of),
            })
        })
        .collect()
}

/// One of a newer release is not known.
fn state_of(port: &PortNow) -> Option<PortState> {
    serde_json::from_value(Value::String(port.state.clone())).ok()
}

pub async fn list_device_ports(
    State(app): State<App>,
    caller: Caller,
    Path(serial): Path<String>,
    query: Query,
) -> Answer {
    query.finish()?;
    app.blocking(move |app| ports_answer(app, &caller, &serial)).await
}

/// Blocks.
fn ports_answer(app: &App, caller: &Caller, serial: &str) -> Answer {
    let platform = app.platform()?;
    let scope = scope_of(app, caller)?;
    let now = device_of(platform, &scope, serial)?;
    let view = View::within(app, scope.clone());
    Ok(json_answer(&json!({
        "time": app.served.now(),
        "online": now.online,
        "items": ports_json(&view, &scope, &now, platform.now_us()),
    })))
}

pub async fn change_device_ports(
    State(app): State<App>,
    caller: Caller,
    Path(serial): Path<String>,
    mut fields: Fields,
) -> Answer {
    let ports = fields.list("ports", "port numbers", MOST_PORTS, |value| {
        u16::try_from(value.as_u64()?).ok().filter(|port| *port > 0)
    })?;
    let department = match fields.nullable_text("department", 1..=64)? {
        Given::Absent => return Err(Problem::field_missing("department")),
        Given::Null => None,
        Given::Value(name) => Some(name),
    };
    let since_us = since_of(&mut fields)?;
    fields.finish()?;
    app.blocking(move |app| {
        let _one_at_a_time = app.one_at_a_time();
        let platform = app.platform()?;
        let scope = scope_of(app, &caller)?;
        let now = managed(platform, &scope, &serial)?;
        if let Some(absent) = ports.iter().find(|port| !now.ports.contains_key(port)) {
            return Err(Problem::not_found("port", absent));
        }
        if department.is_some() {
            check_department(app, &scope, department.as_deref())?;
        }
        let since_us = since_us.unwrap_or_else(time::now_us);
        for port in &ports {
            let spans = now.device.ports.get(port).unwrap_or(&now.device.departments);
            check_past(&scope, spans, since_us)?;
        }
        let trail = Trail::of(&caller, "device", "change_ports").with("serial", serial.as_str());
        let trail = trail.with("ports", ports.clone()).with("department", department.clone());
        let entry = trail.clone().entry();
        let change = |device: &mut catalog::Device| {
            for port in ports {
                // What it had before with its station stays as it was; `null` goes back to where the station is now.
                let spans = device.ports.entry(port).or_insert_with(|| device.departments.clone());
                let own = department
                    .clone()
                    .or_else(|| device.departments.last().and_then(|span| span.department.clone()));
                belong(spans, since_us, own);
                if department.is_none() && *spans == device.departments {
                    device.ports.remove(&port);
                }
            }
        };
        if let Err(error) = platform.change_device(&serial, change, |_, _| vec![entry]) {
            return trail.ended(app.catalog(), Err(error.into()));
        }
        app.tree_changed();
        ports_answer(app, &caller, &serial)
    })
    .await
}

/// The port an address names, if the caller sees it now.
///
/// # Errors
/// `not_found`.
pub fn port_of(scope: &Scope, now: &DeviceNow, now_us: i64, text: &str) -> Result<u16, Problem> {
    whole_of(text)
        .and_then(|number| u16::try_from(number).ok())
        .filter(|port| now.ports.contains_key(port))
        .filter(|port| scope.port_now(&now.device.serial, *port, now_us))
        .ok_or_else(|| Problem::not_found("port", text))
}
