//! Capture units: which the box has, how they are, which are plugged in and not used, and starting the recorder again
//! with what was set.

use axum::extract::State;
use serde_json::{Value, json};
use station::UnitSettings;

use super::{Answer, json_answer};
use crate::app::App;
use crate::fields::Fields;
use crate::problem::Problem;
use crate::query::Query;
use crate::session::Caller;
use crate::trail::Trail;

pub async fn list_units(State(app): State<App>, query: Query) -> Answer {
    query.finish()?;
    Ok(json_answer(&units_json(&app)?))
}

/// Units as they are, as they are set, and whether that waits for the next start.
fn units_json(app: &App) -> Result<Value, Problem> {
    let station = app.station()?;
    let (settings, restart_needed) = station.unit_settings();
    Ok(json!({
        "units": station.units(),
        "settings": settings,
        "restart_needed": restart_needed,
        "plays_scenario": station.plays_scenario(),
    }))
}

/// Looks at what is plugged in; takes as long as the buses take to answer.
pub async fn find_units(State(app): State<App>, query: Query) -> Answer {
    query.finish()?;
    app.blocking(|app| Ok(json_answer(&json!(app.station()?.find_units())))).await
}

pub async fn change_units(State(app): State<App>, caller: Caller, mut fields: Fields) -> Answer {
    let units = fields.required("units", "a list of units", |value| value.is_array().then_some(value))?;
    fields.finish()?;
    let units: Vec<UnitSettings> = serde_json::from_value(units)
        .map_err(|error| Problem::field_invalid("units", &format!("a list of units: {error}")))?;
    app.blocking(move |app| {
        let trail = Trail::of(&caller, "unit", "change");
        match app.station()?.change_unit_settings(units).map_err(Problem::from) {
            Ok((before, after)) => {
                trail.with("before", json!(before)).with("after", json!(after)).ok(app.catalog())?;
                Ok(json_answer(&units_json(app)?))
            }
            Err(problem) => {
                let trail = trail.with("problem", Value::Object(problem.params.clone()));
                trail.ended(app.catalog(), Err(problem))
            }
        }
    })
    .await
}

/// The recorder ends what is open, and starts again with the units as they are set: about a second without recording.
pub async fn apply_units(State(app): State<App>, caller: Caller, fields: Fields) -> Answer {
    fields.finish()?;
    app.blocking(move |app| {
        let station = app.station()?;
        Trail::of(&caller, "unit", "apply").ok(app.catalog())?;
        station.start_again();
        Ok(json_answer(&json!({})))
    })
    .await
}
