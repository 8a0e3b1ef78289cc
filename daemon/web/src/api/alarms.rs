//! Alarms, current and past, and who has seen them.

use axum::extract::{Path, State};
use catalog::AlarmRow;
use serde_json::{Value, json};

use super::{Answer, json_answer, page_json, page_request};
use crate::app::App;
use crate::fields::{Fields, Given};
use crate::filters::alarm_query;
use crate::problem::Problem;
use crate::query::{Query, whole_of};
use crate::scope::{Part, scope_in, scope_of};
use crate::session::Caller;
use crate::time;
use crate::trail::Trail;
use crate::view::View;

fn alarm_json(alarm: &AlarmRow, view: &View) -> Value {
    let at = |us: i64| time::in_zone(us, view.zone);
    let station = view.station(alarm.station.as_deref());
    let acknowledged = alarm
        .acknowledged
        .as_ref()
        .map(|by| json!({ "time": at(by.utc_us), "account": by.account, "note": by.note }));
    json!({
        "id": alarm.id.to_string(),
        "code": alarm.code,
        "params": alarm.params,
        "category": alarm.category.name(),
        "severity": alarm.severity.name(),
        "port": alarm.port,
        "thing": alarm.thing,
        "raised_at": at(alarm.raised_us),
        "cleared_at": alarm.cleared_us.map(at),
        "count": alarm.count,
        "last_raised_at": at(alarm.last_raised_us),
        "acknowledged": acknowledged,
        "station": station,
        "station_name": view.station_name(station),
        "reported_at": at(alarm.reported_us),
    })
}

pub async fn list_alarms(State(app): State<App>, caller: Caller, mut query: Query) -> Answer {
    let page = page_request(&mut query)?;
    let mut filters = alarm_query(&mut query)?;
    let part = Part::of(&mut query)?;
    filters.stations = part.stations.clone();
    query.finish()?;
    app.blocking(move |app| {
        let scope = scope_in(app, &caller, &part)?;
        let (page, view) = (app.catalog().alarms(&scope, &filters, page)?, View::of(app, &caller)?);
        Ok(json_answer(&page_json(&page, |alarm| alarm_json(alarm, &view))))
    })
    .await
}

pub async fn acknowledge_alarm(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    mut fields: Fields,
) -> Answer {
    let note = match fields.nullable_text("note", 0..=500)? {
        Given::Value(note) => Some(note).filter(|note| !note.is_empty()),
        Given::Absent | Given::Null => None,
    };
    fields.finish()?;
    let number = whole_of(&id).ok_or_else(|| Problem::not_found("alarm", &id))?;
    app.blocking(move |app| {
        if app.catalog().alarm(&scope_of(app, &caller)?, number)?.is_none() {
            return Err(Problem::not_found("alarm", number));
        }
        let alarm = app.catalog().acknowledge(number, &caller.account, note.as_deref());
        let trail = Trail::of(&caller, "alarm", "acknowledge").with("id", number.to_string());
        let alarm = trail.with("note", note).ended(app.catalog(), alarm.map_err(Problem::from))?;
        Ok(json_answer(&alarm_json(&alarm, &View::of(app, &caller)?)))
    })
    .await
}
