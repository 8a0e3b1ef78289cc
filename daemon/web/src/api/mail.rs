//! E-mail push: settings, how each address fares, and a test message. The secret comes in, and never goes out.

use ::mail::{Failure, MailError, TestState};
use axum::extract::State;
use catalog::{AlarmCode, Right};
use serde_json::{Map, Value, json};

use super::box_settings::difference;
use super::{Answer, json_answer};
use crate::app::App;
use crate::fields::Fields;
use crate::guard::right_missing;
use crate::problem::{Code, Problem};
use crate::query::Query;
use crate::role::Role;
use crate::session::Caller;
use crate::time::{in_zone, now_us};
use crate::trail::Trail;

pub async fn get_mail(State(app): State<App>, caller: Caller, query: Query) -> Answer {
    query.finish()?;
    check_whole(&caller)?;
    Ok(json_answer(&mail_json(&app)))
}

/// What is the box's as a whole is everybody's: it is for those who see the whole tree.
pub fn check_whole(caller: &Caller) -> Result<(), Problem> {
    if caller.department.is_none() { Ok(()) } else { Err(right_missing(Right::System)) }
}

fn mail_json(app: &App) -> Value {
    let now = app.served.mail().now();
    let time = |us: i64| in_zone(us, app.zone());
    let recipients = now.recipients.iter().map(|one| {
        let last = one.last.as_ref().map(|last| {
            let failure = last.failure.as_ref().map(failure_json);
            json!({ "time": time(last.utc_us), "what": last.kind.name(), "failure": failure })
        });
        json!({ "address": one.address, "last": last, "next_try": one.next_try_us.map(time) })
    });
    let test = now.test.as_ref().map(|test| {
        let recipients = test.recipients.iter().map(|(address, state)| {
            let (name, failure) = match state {
                TestState::Waiting => ("waiting", None),
                TestState::Sending => ("sending", None),
                TestState::Sent => ("sent", None),
                TestState::Failed(failure) => ("failed", Some(failure_json(failure))),
            };
            json!({ "address": address, "state": name, "failure": failure })
        });
        json!({
            "begun": time(test.begun_us),
            "running": test.is_running(),
            "text": test.text,
            "recipients": recipients.collect::<Vec<_>>(),
        })
    });
    json!({
        "settings": &*now.settings,
        "secret_set": now.secret_set,
        "kinds": kinds(app.served.role()),
        "recipients": recipients.collect::<Vec<_>>(),
        "test": test,
    })
}

fn failure_json(failure: &Failure) -> Value {
    json!({ "reason": failure.reason.name(), "permanent": failure.permanent, "detail": failure.detail })
}

/// Alarms that can be sent: that e-mail fails is told by e-mail only of others.
fn kinds(role: Role) -> Vec<&'static str> {
    let here = |code: &&AlarmCode| match role {
        Role::Station => **code != AlarmCode::EmailFailed && !code.is_about_a_station(),
        Role::Platform => true,
    };
    AlarmCode::ALL.iter().filter(here).map(|code| code.name()).collect()
}

pub async fn change_mail(State(app): State<App>, caller: Caller, mut fields: Fields) -> Answer {
    check_whole(&caller)?;
    let patch = fields.object("settings")?;
    fields.finish()?;
    if patch.is_empty() {
        return Err(Problem::field_invalid("settings", "an object with at least one setting"));
    }
    app.blocking(move |app| {
        let trail = Trail::of(&caller, "mail", "change");
        match app.served.mail().change(&patch).map_err(Problem::from) {
            Ok((before, after)) => {
                let (from, mut to) = difference(&*before, &*after);
                note_secret(&patch, &mut to);
                trail.with("before", from).with("after", to).ok(app.catalog())?;
                Ok(json_answer(&mail_json(app)))
            }
            Err(problem) => {
                let trail = trail.with("problem", Value::Object(problem.params.clone()));
                trail.ended(app.catalog(), Err(problem))
            }
        }
    })
    .await
}

/// That there is another secret is written down, and not which.
fn note_secret(patch: &Map<String, Value>, after: &mut Map<String, Value>) {
    if let Some(secret) = patch.get("secret") {
        after.insert("secret_set".into(), Value::Bool(!secret.is_null()));
    }
}

pub async fn test_mail(State(app): State<App>, caller: Caller, mut fields: Fields) -> Answer {
    check_whole(&caller)?;
    let text = fields.required_text("text", 1..=2000)?;
    fields.finish()?;
    app.blocking(move |app| {
        let begun = app.served.mail().test(&text, now_us()).map_err(Problem::from);
        Trail::of(&caller, "mail", "test").ended(app.catalog(), begun)?;
        Ok(json_answer(&mail_json(app)))
    })
    .await
}

impl From<MailError> for Problem {
    fn from(error: MailError) -> Self {
        let sentence = error.to_string();
        match error {
            MailError::Invalid { field, reason } => {
                Self::new(Code::SettingInvalid, sentence).with("field", field).with("reason", reason)
            }
            MailError::File(error) => Self::storage("settings_not_written", error),
            MailError::TestRunning => Self::busy(2),
        }
    }
}
