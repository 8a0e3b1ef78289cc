//! How a station is tied to its platform: switch, address, keys, and how the connection is.

use axum::extract::State;
use serde_json::{Map, Value, json};

use super::box_settings::difference;
use super::{Answer, json_answer};
use crate::app::App;
use crate::fields::Fields;
use crate::problem::Problem;
use crate::query::Query;
use crate::session::Caller;
use crate::time;
use crate::trail::Trail;

pub async fn get_platform_link(State(app): State<App>, query: Query) -> Answer {
    query.finish()?;
    Ok(json_answer(&link_json(&app)?))
}

fn link_json(app: &App) -> Result<Value, Problem> {
    let now = app.station()?.platform_link();
    let at = |us: i64| time::in_zone(us, app.zone());
    let trouble =
        now.trouble.as_ref().map(|trouble| json!({ "code": trouble.code, "sentence": trouble.sentence }));
    Ok(json!({
        "settings": &*now.settings,
        "own_fingerprint": now.own_fingerprint,
        "offered_fingerprint": now.offered,
        "state": now.state.name(),
        "since": at(now.since_us),
        "trouble": trouble,
        "waiting": now.waiting,
        "last_synchronised": now.last_synchronised_us.map(at),
        "platform_release": now.platform_release,
        // The platform's clock less this box's; people ask how wrong this box's is.
        "clock_offset_s": now.clock_offset_ms.map(|ms| -(ms as f64) / 1000.0),
    }))
}

pub async fn change_platform_link(State(app): State<App>, caller: Caller, mut fields: Fields) -> Answer {
    let patch: Map<String, Value> = fields.object("settings")?;
    fields.finish()?;
    if patch.is_empty() {
        return Err(Problem::field_invalid("settings", "an object with at least one setting"));
    }
    app.blocking(move |app| {
        let trail = Trail::of(&caller, "platform", "change");
        match app.station()?.change_platform_link(&patch).map_err(Problem::from) {
            Ok((before, after)) => {
                let (from, to) = difference(&*before, &*after);
                trail.with("before", from).with("after", to).ok(app.catalog())?;
                Ok(json_answer(&link_json(app)?))
            }
            Err(problem) => {
                let trail = trail.with("problem", Value::Object(problem.params.clone()));
                trail.ended(app.catalog(), Err(problem))
            }
        }
    })
    .await
}
