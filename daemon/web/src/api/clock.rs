//! The box's clock: how it is kept, by which servers, and what a person does about it. The appliance process does and checks
//! all of it; a step cuts no recording.

use ::appliance::{Appliance, ApplianceError, ClockNow, ClockSettings, ServerNow};
use axum::extract::State;
use serde_json::{Map, Value, json};

use super::box_settings::difference;
use super::mail::check_whole;
use super::{Answer, json_answer};
use crate::app::App;
use crate::fields::Fields;
use crate::problem::{Code, Problem};
use crate::query::Query;
use crate::session::Caller;
use crate::time::in_zone;
use crate::trail::Trail;

const TIME: &str = "a time in RFC 3339 from 2020 to 2099";
/// A server's name, before it is looked at.
const LONGEST_SERVER: usize = 300;

pub async fn get_clock(State(app): State<App>, caller: Caller, query: Query) -> Answer {
    query.finish()?;
    check_whole(&caller)?;
    app.blocking(answer).await
}

/// How the clock is now. A box without an appliance process has a clock all the same, which somebody else keeps.
fn answer(app: &App) -> Answer {
    Ok(json_answer(&match app.served.appliance().clock() {
        Ok(now) => clock_json(app, &now),
        Err(error) if error.code() == "not_available" => unavailable_json(app, &error),
        Err(error) => return Err(error.into()),
    }))
}

fn unavailable_json(app: &App, error: &ApplianceError) -> Value {
    json!({
        "settings": ClockSettings::default(),
        "state": "unavailable",
        "time": app.served.now(),
        "time_zone": app.zone().name(),
        "synchronised": app.served.clock_quality() == recording::ClockQuality::Synchronised,
        "followed": null,
        "offset_s": null,
        "error_s": null,
        "frequency_ppm": 0.0,
        "holdover_since": null,
        "trusted_until": null,
        "slewed_after_s": null,
        "step_needed": null,
        "leap": "none",
        "rtc": "unknown",
        "trouble": error.to_string(),
        "servers": [],
    })
}

fn seconds(us: Option<i64>) -> Option<f64> {
    us.map(|us| us as f64 / 1e6)
}

fn clock_json(app: &App, now: &ClockNow) -> Value {
    let time = |us: i64| in_zone(us, app.zone());
    let server = |one: &ServerNow| {
        json!({
            "server": one.server,
            "address": one.address,
            "state": one.state,
            "offset_s": seconds(one.offset_us),
            "delay_s": seconds(one.delay_us),
            "jitter_s": seconds(one.jitter_us),
            "stratum": one.stratum,
            "reach": one.reach,
            "poll_s": one.poll_s,
            "heard": one.heard_us.map(time),
        })
    };
    json!({
        "settings": now.settings,
        "state": now.state,
        "time": time(now.utc_us),
        "time_zone": app.zone().name(),
        "synchronised": now.synchronised,
        "followed": now.followed,
        "offset_s": seconds(now.offset_us),
        "error_s": seconds(now.error_us),
        "frequency_ppm": now.frequency_ppm,
        "holdover_since": now.holdover_since_us.map(time),
        "trusted_until": now.trusted_until_us.map(time),
        "slewed_after_s": now.slewed_after_s,
        "step_needed": now.step_needed,
        "leap": now.leap,
        "rtc": now.rtc,
        "trouble": now.trouble,
        "servers": now.servers.iter().map(server).collect::<Vec<_>>(),
    })
}

pub async fn change_clock(State(app): State<App>, caller: Caller, mut fields: Fields) -> Answer {
    check_whole(&caller)?;
    let patch = fields.object("settings")?;
    fields.finish()?;
    if patch.is_empty() {
        return Err(Problem::field_invalid("settings", "an object with at least one setting"));
    }
    app.blocking(move |app| {
        let trail = Trail::of(&caller, "clock", "change");
        match change(app.served.appliance(), patch) {
            Ok((before, after)) => {
                let (from, to) = difference(&before, &after);
                trail.with("before", from).with("after", to).ok(app.catalog())?;
                answer(app)
            }
            Err(problem) => {
                let trail = trail.with("problem", Value::Object(problem.params.clone()));
                trail.ended(app.catalog(), Err(problem))
            }
        }
    })
    .await
}

/// What was set before, and what is set now.
fn change(
    appliance: &Appliance,
    patch: Map<String, Value>,
) -> Result<(ClockSettings, ClockSettings), Problem> {
    let before = appliance.clock()?.settings;
    let mut fields = Fields::of(patch);
    let on = fields.flag("on")?.unwrap_or(before.on);
    let servers = fields.maybe("servers", "a list of names or addresses", servers_of)?;
    fields.finish()?;
    let after = ClockSettings { on, servers: servers.unwrap_or_else(|| before.servers.clone()) };
    after.check().map_err(|fault| {
        let problem = Problem::new(Code::SettingInvalid, format!("The clock: {}.", fault.reason));
        problem.with("field", fault.field).with("reason", fault.reason)
    })?;
    appliance.change_clock(&after)?;
    Ok((before, after))
}

fn servers_of(value: Value) -> Option<Vec<String>> {
    let Value::Array(servers) = value else { return None };
    let name = |value: Value| match value {
        Value::String(name) => Some(name.trim().to_owned()).filter(|name| name.len() <= LONGEST_SERVER),
        _ => None,
    };
    servers.into_iter().map(name).collect()
}

pub async fn set_clock(State(app): State<App>, caller: Caller, mut fields: Fields) -> Answer {
    check_whole(&caller)?;
    let utc_us = fields.required("time", TIME, |value| {
        let time = chrono::DateTime::parse_from_rfc3339(value.as_str()?).ok()?.timestamp_micros();
        (::appliance::EARLIEST_US..::appliance::LATEST_US).contains(&time).then_some(time)
    })?;
    fields.finish()?;
    app.blocking(move |app| {
        let trail = Trail::of(&caller, "clock", "set").with("time", in_zone(utc_us, app.zone()));
        let was = app.served.now();
        let set = app.served.appliance().set_time(utc_us).map_err(Problem::from);
        trail.with("was", was).ended(app.catalog(), set)?;
        answer(app)
    })
    .await
}

pub async fn step_clock(State(app): State<App>, caller: Caller) -> Answer {
    check_whole(&caller)?;
    app.blocking(move |app| {
        let trail = Trail::of(&caller, "clock", "step");
        let stepped = app.served.appliance().step_clock();
        let trail = match &stepped {
            Ok(by_us) => trail.with("by_s", *by_us as f64 / 1e6),
            Err(_) => trail,
        };
        trail.ended(app.catalog(), stepped.map_err(Problem::from))?;
        answer(app)
    })
    .await
}
