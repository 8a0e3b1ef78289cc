//! Channel settings: of each port, changed for one or many at once, taken back.

use std::collections::BTreeMap;

use axum::extract::State;
use serde_json::{Map, Value, json};
use station::{Channel, Station, StationError};

use super::{Answer, done, json_answer};
use crate::app::App;
use crate::fields::Fields;
use crate::problem::Problem;
use crate::query::Query;
use crate::session::Caller;
use crate::trail::Trail;

/// Ports that one request may name.
const MOST_PORTS: usize = 1000;

pub async fn list_channels(State(app): State<App>, query: Query) -> Answer {
    query.finish()?;
    app.blocking(|app| channels_answer(app, &app.station()?.channels())).await
}

/// What is set, and what the settings that may be `null` come to.
fn channel_json(channel: &Channel, two_track: bool) -> Value {
    let settings = &channel.settings;
    let stop_modes = match &settings.stop_modes {
        Some(modes) => modes.clone(),
        None => line::settings::default_stop_modes(settings.start_mode).to_vec(),
    };
    let mut members = json!(channel);
    members["two_track"] = two_track.into();
    members["effective"] =
        json!({ "stop_modes": stop_modes, "on_hook_above_volts": settings.on_hook_volts() });
    members
}

fn channels_answer(app: &App, channels: &[Channel]) -> Answer {
    let live: BTreeMap<u16, bool> =
        app.station()?.live().ports().iter().map(|port| (port.port, port.two_track)).collect();
    let items: Vec<Value> = channels
        .iter()
        .map(|channel| channel_json(channel, live.get(&channel.port).copied().unwrap_or(false)))
        .collect();
    Ok(json_answer(&json!({ "items": items, "undo_depth": app.station()?.undo_depth() })))
}

fn ports_of(fields: &mut Fields) -> Result<Vec<u16>, Problem> {
    fields.list("ports", "port numbers", MOST_PORTS, |value| u16::try_from(value.as_u64()?).ok())
}

pub async fn change_channels(State(app): State<App>, caller: Caller, mut fields: Fields) -> Answer {
    let ports = ports_of(&mut fields)?;
    let patch = fields.object("settings")?;
    fields.finish()?;
    if patch.is_empty() {
        return Err(Problem::field_invalid("settings", "an object with at least one setting"));
    }
    app.blocking(move |app| {
        let changed = changed(app, &caller, "change", |station| station.change_channels(&ports, &patch))?;
        channels_answer(app, &changed)
    })
    .await
}

pub async fn undo_channels(State(app): State<App>, caller: Caller) -> Answer {
    app.blocking(move |app| {
        let changed = changed(app, &caller, "undo", |station| station.undo_channels())?;
        channels_answer(app, &changed)
    })
    .await
}

/// Makes a change and writes down, port by port, which settings it moved from what to what.
fn changed(
    app: &App,
    caller: &Caller,
    operation: &str,
    change: impl FnOnce(&Station) -> Result<Vec<Channel>, StationError>,
) -> Result<Vec<Channel>, Problem> {
    let station = app.station()?;
    let before: BTreeMap<u16, Channel> =
        station.channels().into_iter().map(|channel| (channel.port, channel)).collect();
    let after = match change(station).map_err(Problem::from) {
        Ok(after) => after,
        Err(problem) => {
            let trail = Trail::of(caller, "channel", operation)
                .with("problem", Value::Object(problem.params.clone()));
            return trail.ended(app.catalog(), Err(problem));
        }
    };
    let entries = after.iter().map(|channel| {
        let (from, to) = difference(before.get(&channel.port), channel);
        let trail = Trail::of(caller, "channel", operation).port(channel.port);
        trail.with("before", Value::Object(from)).with("after", Value::Object(to)).body()
    });
    app.catalog().append(entries.collect())?;
    Ok(after)
}

/// Settings that differ, before and after.
fn difference(before: Option<&Channel>, after: &Channel) -> (Map<String, Value>, Map<String, Value>) {
    let (before, after) = (before.map(flat).unwrap_or_default(), flat(after));
    let mut from = Map::new();
    let mut to = Map::new();
    for (name, value) in after {
        let old = before.get(&name).cloned().unwrap_or(Value::Null);
        if old != value {
            from.insert(name.clone(), old);
            to.insert(name, value);
        }
    }
    (from, to)
}

fn flat(channel: &Channel) -> Map<String, Value> {
    let Value::Object(mut members) = json!(channel) else { return Map::new() };
    if let Some(Value::Object(settings)) = members.remove("settings") {
        members.extend(settings);
    }
    members
}

pub async fn reset_volts(State(app): State<App>, caller: Caller, mut fields: Fields) -> Answer {
    let ports = ports_of(&mut fields)?;
    fields.finish()?;
    app.blocking(move |app| {
        let station = app.station()?;
        if let Some(absent) = ports.iter().find(|port| station.live().port(**port).is_none()) {
            return Err(Problem::not_found("port", absent));
        }
        let reset = ports.iter().try_for_each(|port| station.reset_voltage_range(*port));
        let trail = Trail::of(&caller, "channel", "volts_reset").with("ports", ports);
        trail.ended(app.catalog(), reset.map_err(Problem::from))
    })
    .await?;
    Ok(done())
}
