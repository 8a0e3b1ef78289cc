//! The platform at a glance (PF-06), how hard it works (PF-07), and its settings.

use axum::extract::State;
use catalog::{GroupBy, RecordQuery};
use chrono::{Days, NaiveDate, TimeZone};
use chrono_tz::Tz;
use serde_json::{Map, Value, json};

use super::device_list::waiting_for;
use super::meta::alarm_counts_json;
use super::recordings::seconds;
use super::{Answer, json_answer};
use crate::app::App;
use crate::fields::Fields;
use crate::fleet::Fleet;
use crate::problem::Problem;
use crate::query::Query;
use crate::scope::{check_whole, scope_of};
use crate::session::Caller;
use crate::trail::Trail;

/// Days of the chart, today with them.
const DAYS: u64 = 7;

pub async fn get_home(State(app): State<App>, caller: Caller, query: Query) -> Answer {
    query.finish()?;
    app.blocking(move |app| {
        let platform = app.platform()?;
        let scope = scope_of(app, &caller)?;
        let alarms = alarm_counts_json(app.catalog().alarm_counts(&scope)?);
        let zone = app.zone();
        let days = last_days(platform.now_us(), zone);
        let query = RecordQuery { from_us: Some(midnight_us(days[0], zone)), ..RecordQuery::default() };
        let statistics = app.catalog().statistics(&scope, &query, GroupBy::Day, zone)?;
        let week: Vec<Value> = days
            .iter()
            .map(|day| {
                let day = day.to_string();
                let found = statistics.rows.iter().find(|(key, _)| *key == day);
                let total = found.map(|(_, totals)| totals.total()).unwrap_or_default();
                json!({ "day": day, "count": total.count, "duration_s": seconds(total.duration_ms) })
            })
            .collect();
        let waiting = waiting_for(app, &caller)?.map(|waiting| waiting.len());
        let fleet = Fleet::look(app, platform, scope)?;
        let devices = fleet.devices(platform);
        let online = devices.iter().filter(|now| now.online).count();
        let ports = devices.iter().map(|now| fleet.ports_of(now));
        let (total, recording) = ports.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        Ok(json_answer(&json!({
            "devices": { "online": online, "total": devices.len() },
            "ports": { "recording": recording, "total": total },
            "alarms": alarms,
            "week": week,
            "waiting": waiting,
        })))
    })
    .await
}

/// The oldest first, today last.
fn last_days(now_us: i64, zone: Tz) -> Vec<NaiveDate> {
    let today = chrono::DateTime::from_timestamp_micros(now_us).unwrap_or_default();
    let today = today.with_timezone(&zone).date_naive();
    (0..DAYS).rev().map(|back| today.checked_sub_days(Days::new(back)).unwrap_or(today)).collect()
}

/// When a day begins; where the clocks skip midnight, when its first hour does.
fn midnight_us(day: NaiveDate, zone: Tz) -> i64 {
    let at = |hour| day.and_hms_opt(hour, 0, 0).and_then(|time| zone.from_local_datetime(&time).earliest());
    at(0).or_else(|| at(1)).map_or(0, |time| time.timestamp_micros())
}

pub async fn get_vitals(State(app): State<App>, query: Query) -> Answer {
    query.finish()?;
    let vitals = app.platform()?.vitals();
    let disk = match vitals.disk {
        Some(disk) => disk,
        None => {
            let ask = |app: &App| app.served.data_dir().free_space();
            let failed = |error| Problem::storage("ask for free space", error);
            app.blocking(move |app| ask(app).map_err(failed)).await?
        }
    };
    let info = app.served.info();
    Ok(json_answer(&json!({
        "time": app.served.now(),
        "started_at": info.started,
        "cpu_percent": vitals.cpu_percent,
        "memory_percent": vitals.memory_percent,
        "temperature_celsius": vitals.temperature_celsius,
        "disk": { "total_bytes": disk.total_bytes, "free_bytes": disk.free_bytes },
        "records": app.catalog().health().journal_sequence,
        "version": info.version,
    })))
}

fn settings_json(app: &App) -> Result<Value, Problem> {
    let settings = app.platform()?.settings();
    Ok(json!({ "settings": &*settings, "effective": { "time_zone": app.zone().name() } }))
}

pub async fn get_platform_settings(State(app): State<App>, caller: Caller, query: Query) -> Answer {
    query.finish()?;
    check_whole(&caller)?;
    Ok(json_answer(&settings_json(&app)?))
}

pub async fn change_platform_settings(State(app): State<App>, caller: Caller, mut fields: Fields) -> Answer {
    check_whole(&caller)?;
    let patch: Map<String, Value> = fields.object("settings")?;
    fields.finish()?;
    if patch.is_empty() {
        return Err(Problem::field_invalid("settings", "an object with at least one setting"));
    }
    app.blocking(move |app| {
        let trail = Trail::of(&caller, "box", "change");
        match app.platform()?.change_settings(&patch) {
            Ok((before, after)) => {
                let (from, to) = super::box_settings::difference(&*before, &*after);
                trail.with("before", from).with("after", to).ok(app.catalog())?;
                Ok(json_answer(&settings_json(app)?))
            }
            Err(error) => {
                let problem = Problem::from(error);
                let trail = trail.with("problem", Value::Object(problem.params.clone()));
                trail.ended(app.catalog(), Err(problem))
            }
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_week_ends_today_in_the_zone_of_the_box() {
        let zone = chrono_tz::Asia::Shanghai;
        // 2026-03-01 00:30 in Shanghai, still February in Greenwich.
        let days = last_days(1_772_296_200_000_000, zone);
        assert_eq!(
            (days.len(), days[0].to_string(), days[6].to_string()),
            (7, "2026-02-23".into(), "2026-03-01".into())
        );
        assert_eq!(midnight_us(days[6], zone), 1_772_294_400_000_000);
        // Clocks in Beirut go from 24:00 to 1:00.
        let skipped = NaiveDate::from_ymd_opt(2026, 3, 29).expect("a day");
        assert_eq!(midnight_us(skipped, chrono_tz::Asia::Beirut), 1_774_735_200_000_000);
    }
}
