//! The network of the box: interfaces, settings, and the change that waits for its confirmation. The appliance process does
//! and checks all of it; secrets come in, and never go out.

use ::appliance::{NetworkNow, NetworkSettings, Trying, unknown_member};
use axum::extract::State;
use serde_json::{Value, json};

use super::mail::check_whole;
use super::{Answer, done, json_answer};
use crate::app::App;
use crate::fields::Fields;
use crate::problem::{Code, Problem};
use crate::query::Query;
use crate::session::Caller;
use crate::time::in_zone;
use crate::trail::Trail;

pub async fn get_network(State(app): State<App>, caller: Caller, query: Query) -> Answer {
    query.finish()?;
    check_whole(&caller)?;
    app.blocking(|app| Ok(json_answer(&network_json(app, &app.served.appliance().network()?)))).await
}

fn network_json(app: &App, now: &NetworkNow) -> Value {
    let last = now.last.as_ref().map(
        |last| json!({ "id": last.id, "outcome": last.outcome, "time": in_zone(last.utc_us, app.zone()) }),
    );
    json!({
        "links": now.links,
        "settings": now.settings,
        "trying": now.trying,
        "last": last,
    })
}

/// Answers with the change alone: what comes of it is asked for at the address that the box has then.
pub async fn change_network(State(app): State<App>, caller: Caller, mut fields: Fields) -> Answer {
    check_whole(&caller)?;
    let given = Value::Object(fields.object("settings")?);
    fields.finish()?;
    let settings = settings_of(&given)?;
    app.blocking(move |app| {
        let trail = Trail::of(&caller, "network", "change");
        match change(app, settings) {
            Ok((before, trying)) => {
                trail
                    .with("id", trying.id)
                    .with("before", json!(before.interfaces))
                    .with("after", json!(trying.settings.interfaces))
                    .ok(app.catalog())?;
                Ok(json_answer(&json!(trying)))
            }
            Err(problem) => {
                let trail = trail.with("problem", Value::Object(problem.params.clone()));
                trail.ended(app.catalog(), Err(problem))
            }
        }
    })
    .await
}

/// What was set before, and the change.
fn change(app: &App, settings: NetworkSettings) -> Result<(NetworkSettings, Trying), Problem> {
    let appliance = app.served.appliance();
    let before = appliance.network()?.settings;
    let trying = appliance.change_network(settings)?;
    app.network_changes.notify_one();
    Ok((before, trying))
}

fn settings_of(given: &Value) -> Result<NetworkSettings, Problem> {
    let settings = NetworkSettings::read(given).map_err(|(field, reason)| {
        Problem::new(Code::FieldInvalid, format!("`settings.{field}` is none: {reason}."))
            .with("field", format!("settings.{field}"))
            .with("expected", "as the contract says")
    })?;
    match unknown_member(given, &json!(settings)) {
        Some(member) => Err(Problem::field_unknown(&format!("settings.{member}"))),
        None => Ok(settings),
    }
}

pub async fn confirm_network(State(app): State<App>, caller: Caller, mut fields: Fields) -> Answer {
    check_whole(&caller)?;
    let id = id_of(&mut fields)?;
    fields.finish()?;
    app.blocking(move |app| {
        let confirmed = app.served.appliance().confirm_network(id).map_err(Problem::from);
        Trail::of(&caller, "network", "confirm").with("id", id).ended(app.catalog(), confirmed)?;
        Ok(done())
    })
    .await
}

pub async fn revert_network(State(app): State<App>, caller: Caller, mut fields: Fields) -> Answer {
    check_whole(&caller)?;
    let id = id_of(&mut fields)?;
    fields.finish()?;
    app.blocking(move |app| {
        let reverted = app.served.appliance().revert_network(id).map_err(Problem::from);
        Trail::of(&caller, "network", "revert").with("id", id).ended(app.catalog(), reverted)?;
        Ok(done())
    })
    .await
}

fn id_of(fields: &mut Fields) -> Result<u64, Problem> {
    fields.required("id", "the number of a change", |value| value.as_u64())
}
