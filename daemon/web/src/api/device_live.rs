//! `/live` of a platform: the state of all stations by push. A client gets what is true now; what it was too slow for is
//! skipped.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use axum::extract::ws::{Message, WebSocket};
use catalog::Right;
use serde_json::{Value, json};
use tokio::time::{MissedTickBehavior, interval};

use super::device_list::waiting_for;
use super::device_ports::ports_json;
use super::meta::alarm_counts_json;
use crate::app::App;
use crate::fleet::{Fleet, device_of};
use crate::problem::Problem;
use crate::push::{Needs, Push};
use crate::scope::scope_of;
use crate::session::Caller;
use crate::view::View;

/// Five messages a second are as many as an eye can use.
const EVERY: Duration = Duration::from_millis(200);
/// With very many stations something changes all the time: once a second is enough then.
const EVERY_OF_MANY: Duration = Duration::from_secs(1);
const MANY: usize = 500;
/// Without a change a message comes all the same, so that the pages know that the box is there; alarms are counted anew
/// as often.
const AT_LEAST_EVERY: Duration = Duration::from_secs(1);

/// What was told of the stations, as it was told.
#[derive(Default)]
struct Told {
    devices: BTreeMap<String, Value>,
    ports: Option<Vec<Value>>,
    alarms: Value,
    waiting: Option<usize>,
}

/// Pushes until the client has gone or its session is over. `device`: whose ports are pushed as well.
pub async fn push(
    app: &App,
    caller: &Caller,
    device: Option<String>,
    socket: WebSocket,
) -> Result<(), Problem> {
    let mut push = Push::new(socket, app);
    let needs = Needs::right(Right::Live);
    let mut changes = app.platform()?.changes();
    let mut told = look(app, caller, device.as_deref()).await?;
    let mut message = all(app, &told);
    let mut tick = interval(EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        if push.send(Message::Text(message.to_string().into())).await.is_err() || push.ask().await.is_err() {
            return Ok(());
        }
        let sent = Instant::now();
        // One state under way at a time: a slow client sees fewer, but never old ones.
        loop {
            if push.next_tick(&mut tick, app, caller, &needs).await.is_err() {
                return Ok(());
            }
            let soon = told.devices.len() <= MANY || sent.elapsed() >= EVERY_OF_MANY;
            let changed = changes.has_changed().unwrap_or(false) && soon;
            if push.behind().is_zero() && (changed || sent.elapsed() >= AT_LEAST_EVERY) {
                break;
            }
        }
        changes.mark_unchanged();
        let now = look(app, caller, device.as_deref()).await?;
        message = change(app, &told, &now);
        told = now;
    }
}

async fn look(app: &App, caller: &Caller, device: Option<&str>) -> Result<Told, Problem> {
    let (caller, device) = (caller.clone(), device.map(str::to_owned));
    app.blocking(move |app| {
        let platform = app.platform()?;
        let scope = scope_of(app, &caller)?;
        let alarms = alarm_counts_json(app.catalog().alarm_counts(&scope)?);
        // A station that is not there any more, or not the caller's, has no ports.
        let ports = device.map(|serial| match device_of(platform, &scope, &serial) {
            Ok(now) => ports_json(&View::within(app, scope.clone()), &scope, &now, platform.now_us()),
            Err(_) => Vec::new(),
        });
        let fleet = Fleet::look(app, platform, scope)?;
        let devices = fleet.devices(platform);
        let devices =
            devices.iter().map(|device| (device.device.serial.clone(), fleet.json(device))).collect();
        let waiting = waiting_for(app, &caller)?.map(|waiting| waiting.len());
        Ok(Told { devices, ports, alarms, waiting })
    })
    .await
}

fn all(app: &App, told: &Told) -> Value {
    json!({
        "type": "all",
        "time": app.served.now(),
        "devices": told.devices.values().collect::<Vec<_>>(),
        "ports": told.ports,
        "alarms": told.alarms,
        "waiting": told.waiting,
        "records": app.catalog().health().journal_sequence,
    })
}

fn change(app: &App, before: &Told, now: &Told) -> Value {
    let changed: Vec<&Value> = now
        .devices
        .iter()
        .filter(|(serial, device)| before.devices.get(*serial) != Some(*device))
        .map(|(_, device)| device)
        .collect();
    let removed: Vec<&String> =
        before.devices.keys().filter(|serial| !now.devices.contains_key(*serial)).collect();
    json!({
        "type": "change",
        "time": app.served.now(),
        "devices": changed,
        "removed": removed,
        "ports": now.ports.as_ref().filter(|_| now.ports != before.ports),
        "alarms": now.alarms,
        "waiting": now.waiting,
        "records": app.catalog().health().journal_sequence,
    })
}
