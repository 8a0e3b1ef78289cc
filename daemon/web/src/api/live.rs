//! `/live` of a station: the state of all ports by push. A client gets what is true now; what it was too slow for is skipped.

use std::time::{Duration, Instant};

use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use catalog::Right;
use hyper::HeaderMap;
use serde_json::{Value, json};
use station::{PortLive, Station};
use tokio::time::{MissedTickBehavior, interval};

use super::meta::alarm_counts_json;
use super::ports::{meter_json, port_json};
use super::{Answer, device_live};
use crate::app::App;
use crate::fleet::device_of;
use crate::names::Names;
use crate::problem::Problem;
use crate::push::{Needs, Push, own_upgrade};
use crate::query::Query;
use crate::role::{Role, Served};
use crate::scope::scope_of;
use crate::session::Caller;

/// Five messages a second are as many as an eye can use.
const EVERY: Duration = Duration::from_millis(200);
/// Alarms are counted anew this often.
const COUNT_ALARMS_EVERY: Duration = Duration::from_secs(1);

pub async fn live(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    mut query: Query,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Answer {
    let device = match app.served.role() {
        Role::Platform => query.text("device", 1..=64)?,
        Role::Station => None,
    };
    query.finish()?;
    if let Some(serial) = device.clone() {
        let who = caller.clone();
        let there = move |app: &App| device_of(app.platform()?, &scope_of(app, &who)?, &serial).map(drop);
        app.blocking(there).await?;
    }
    let upgrade = own_upgrade(&headers, upgrade)?;
    Ok(upgrade.on_upgrade(move |socket| async move {
        let pushed = match app.served.clone() {
            Served::Station(station) => push(&app, &station, &caller, socket).await,
            Served::Platform(_) => device_live::push(&app, &caller, device, socket).await,
        };
        if let Err(problem) = pushed {
            eprintln!("web: live push ended: {}", problem.title);
        }
    }))
}

async fn push(app: &App, station: &Station, caller: &Caller, socket: WebSocket) -> Result<(), Problem> {
    let mut push = Push::new(socket, app);
    let needs = Needs::right(Right::Live);
    let mut known = station.live().ports();
    let mut names = Names::of_ports(app, &known).await?;
    let mut alarms = alarm_counts(app, caller).await?;
    let mut counted = Instant::now();
    let mut ports: Vec<Value> = known.iter().map(|port| port_json(port, &names)).collect();
    let mut kind = "all";
    let mut tick = interval(EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let sent = push.send(message(app, station, kind, ports, &alarms)).await;
        if sent.is_err() || push.ask().await.is_err() {
            return Ok(());
        }
        // One state under way at a time: a slow client sees fewer, but never old ones.
        loop {
            if push.next_tick(&mut tick, app, caller, &needs).await.is_err() {
                return Ok(());
            }
            if push.behind().is_zero() {
                break;
            }
        }
        if counted.elapsed() >= COUNT_ALARMS_EVERY {
            counted = Instant::now();
            alarms = alarm_counts(app, caller).await?;
        }
        let now = station.live().ports();
        let changed: Vec<PortLive> = now
            .iter()
            .zip(&known)
            .filter(|(now, before)| now != before)
            .map(|(now, _)| now.clone())
            .collect();
        if !changed.is_empty() {
            names = Names::of_ports(app, &changed).await?;
        }
        ports = changed.iter().map(|port| port_json(port, &names)).collect();
        kind = "change";
        known = now;
    }
}

async fn alarm_counts(app: &App, caller: &Caller) -> Result<Value, Problem> {
    let caller = caller.clone();
    let counts = app.blocking(move |app| Ok(app.catalog().alarm_counts(&scope_of(app, &caller)?)?)).await?;
    Ok(alarm_counts_json(counts))
}

fn message(app: &App, station: &Station, kind: &str, ports: Vec<Value>, alarms: &Value) -> Message {
    let meters: Vec<Value> = station.live().meters().iter().map(meter_json).collect();
    let text = json!({
        "type": kind,
        "time": app.served.now(),
        "ports": ports,
        "meters": meters,
        "alarms": alarms,
        "records": app.catalog().health().journal_sequence,
    });
    Message::Text(text.to_string().into())
}
