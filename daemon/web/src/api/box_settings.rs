//! Settings of the box as a whole: name, time zone, codec, rules for grades, when the disk counts as nearly full.

use axum::extract::State;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{Answer, json_answer};
use crate::app::App;
use crate::fields::Fields;
use crate::problem::Problem;
use crate::query::Query;
use crate::session::Caller;
use crate::trail::Trail;

pub async fn get_box_settings(State(app): State<App>, query: Query) -> Answer {
    query.finish()?;
    Ok(json_answer(&settings_json(&app)?))
}

/// What is set, what a setting that may be `null` comes to, and what waits for a restart.
fn settings_json(app: &App) -> Result<Value, Problem> {
    let now = app.station()?.box_settings();
    Ok(json!({
        "settings": &*now.settings,
        "effective": { "time_zone": app.zone().name() },
        "restart_needed": now.restart_needed,
    }))
}

pub async fn change_box_settings(State(app): State<App>, caller: Caller, mut fields: Fields) -> Answer {
    let patch = fields.object("settings")?;
    fields.finish()?;
    if patch.is_empty() {
        return Err(Problem::field_invalid("settings", "an object with at least one setting"));
    }
    app.blocking(move |app| {
        let trail = Trail::of(&caller, "box", "change");
        match app.station()?.change_box_settings(&patch).map_err(Problem::from) {
            Ok((before, after)) => {
                let (from, to) = difference(&*before, &*after);
                trail.with("before", from).with("after", to).ok(app.catalog())?;
                Ok(json_answer(&settings_json(app)?))
            }
            Err(problem) => {
                let trail = trail.with("problem", Value::Object(problem.params.clone()));
                trail.ended(app.catalog(), Err(problem))
            }
        }
    })
    .await
}

/// Settings that differ, before and after.
pub fn difference(
    before: &impl Serialize,
    after: &impl Serialize,
) -> (Map<String, Value>, Map<String, Value>) {
    let (mut from, mut to) = (json!(before), json!(after));
    let (Some(from), Some(to)) = (from.as_object_mut(), to.as_object_mut()) else {
        return Default::default();
    };
    let same: Vec<String> = from.keys().filter(|name| from.get(*name) == to.get(*name)).cloned().collect();
    for name in same {
        from.remove(&name);
        to.remove(&name);
    }
    (std::mem::take(from), std::mem::take(to))
}
