//! How a platform asks a station that cannot dial (MG-06): where, with which token, how often, and how it went.

use axum::extract::{Path, State};
use catalog::{Device, Pull};
use chrono_tz::Tz;
use platform::{DeviceNow, Fingerprint, PullNow};
use serde_json::{Value, json};

use super::device_fields::fingerprint_of;
use super::{Answer, done, json_answer};
use crate::app::App;
use crate::fields::{Fields, Given};
use crate::fleet::{device_of, managed};
use crate::problem::Problem;
use crate::query::Query;
use crate::scope::scope_of;
use crate::session::Caller;
use crate::time;
use crate::trail::Trail;

const FINGERPRINT: &str = "64 hexadecimal digits, or null";

pub async fn get_pull(
    State(app): State<App>,
    caller: Caller,
    Path(serial): Path<String>,
    query: Query,
) -> Answer {
    query.finish()?;
    app.blocking(move |app| {
        let now = device_of(app.platform()?, &scope_of(app, &caller)?, &serial)?;
        Ok(json_answer(&pull_json(&now, app.zone())))
    })
    .await
}

/// The token goes in, and never comes out.
pub fn pull_json(now: &DeviceNow, zone: Tz) -> Value {
    let settings = now.device.pull.as_ref().map(settings_json);
    json!({ "settings": settings, "now": now.pull.as_ref().map(|now| now_json(now, zone)) })
}

/// As it is after a change.
fn pull_answer(app: &App, serial: &str) -> Answer {
    let now = app.platform()?.device(serial).ok_or_else(|| Problem::not_found("device", serial))?;
    Ok(json_answer(&pull_json(&now, app.zone())))
}

pub fn settings_json(pull: &Pull) -> Value {
    json!({ "address": pull.address, "every_hours": pull.every_hours, "certificate": pull.fingerprint })
}

fn now_json(now: &PullNow, zone: Tz) -> Value {
    let at = |us: i64| time::in_zone(us, zone);
    let trouble = now.trouble.as_ref().map(
        |trouble| json!({ "code": trouble.code, "sentence": trouble.sentence, "detail": trouble.detail }),
    );
    json!({
        "state": now.state,
        "last_success": now.last_success_us.map(at),
        "last_try": now.last_try_us.map(at),
        "next": now.next_us.map(at),
        "trouble": trouble,
        "offered_certificate": now.offered.map(|offered| offered.to_string()),
        "progress": now.progress.map(|(done, total)| json!({ "done": done, "total": total })),
        "dials": now.dials,
    })
}

/// How a station that is new is to be asked, if it is.
///
/// # Errors
/// The member that is wrong or lacking.
pub fn of_new(fields: &mut Fields) -> Result<Option<Pull>, Problem> {
    let object = |value| match value {
        Value::Object(members) => Some(members),
        _ => None,
    };
    let Given::Value(members) = fields.optional("pull", "an object, or null", object)? else {
        return Ok(None);
    };
    let mut fields = Fields::of(members);
    let asked = Asked::of(&mut fields)?;
    fields.finish()?;
    asked.over(None).map(Some)
}

/// What a request says of it; what is left out stays.
struct Asked {
    address: Option<String>,
    token: Option<String>,
    every_hours: Option<u32>,
    /// `Some(None)`: the next that comes is pinned.
    certificate: Option<Option<Fingerprint>>,
}

impl Asked {
    fn of(fields: &mut Fields) -> Result<Self, Problem> {
        let hours = "1 to 10 hours, or whole days in hours up to 720";
        let certificate =
            fields.optional("certificate", FINGERPRINT, |value| fingerprint_of(value.as_str()?))?;
        Ok(Self {
            address: fields.text("address", 1..=255)?,
            token: fields.text("token", 16..=256)?,
            every_hours: fields.maybe("every_hours", hours, |value| u32::try_from(value.as_u64()?).ok())?,
            certificate: match certificate {
                Given::Absent => None,
                Given::Null => Some(None),
                Given::Value(certificate) => Some(Some(certificate)),
            },
        })
    }

    fn says_nothing(&self) -> bool {
        self.address.is_none()
            && self.token.is_none()
            && self.every_hours.is_none()
            && self.certificate.is_none()
    }

    /// What is set afterwards. At another address there is another certificate, and whoever sends the token to somebody
    /// else than before has it: it never comes out.
    fn over(&self, before: Option<&Pull>) -> Result<Pull, Problem> {
        let moved =
            before.is_some_and(|before| self.address.as_ref().is_some_and(|to| *to != before.address));
        if before.is_some() && (moved || self.certificate == Some(None)) && self.token.is_none() {
            return Err(Problem::field_missing("token"));
        }
        let (address, token, every_hours, fingerprint) = match before {
            Some(Pull { address, token, every_hours, fingerprint }) => {
                let pinned = fingerprint.clone().filter(|_| !moved);
                (Some(address.clone()), Some(token.clone()), Some(*every_hours), pinned)
            }
            None => (None, None, None, None),
        };
        let missing = |name: &'static str| move || Problem::field_missing(name);
        Ok(Pull {
            address: self.address.clone().or(address).ok_or_else(missing("address"))?,
            token: self.token.clone().or(token).ok_or_else(missing("token"))?,
            every_hours: self.every_hours.or(every_hours).ok_or_else(missing("every_hours"))?,
            fingerprint: match self.certificate {
                Some(certificate) => certificate.map(|certificate| certificate.to_string()),
                None => fingerprint,
            },
        })
    }
}

pub async fn change_pull(
    State(app): State<App>,
    caller: Caller,
    Path(serial): Path<String>,
    mut fields: Fields,
) -> Answer {
    let asked = Asked::of(&mut fields)?;
    fields.finish()?;
    if asked.says_nothing() {
        return Err(Problem::field_missing("address"));
    }
    app.blocking(move |app| {
        let now = managed(app.platform()?, &scope_of(app, &caller)?, &serial)?;
        asked.over(now.device.pull.as_ref())?;
        let trail = Trail::of(&caller, "device", "change_pull").with("token_set", asked.token.is_some());
        // Put together from what is set at that moment: the first visit may be writing a certificate down.
        let mut overtaken = None;
        let change = |device: &mut Device| match asked.over(device.pull.as_ref()) {
            Ok(pull) => device.pull = Some(pull),
            Err(problem) => overtaken = Some(problem),
        };
        set_pull(app, &serial, change, trail)?;
        if let Some(problem) = overtaken {
            return Err(problem);
        }
        pull_answer(app, &serial)
    })
    .await
}

pub async fn remove_pull(State(app): State<App>, caller: Caller, Path(serial): Path<String>) -> Answer {
    app.blocking(move |app| {
        let now = managed(app.platform()?, &scope_of(app, &caller)?, &serial)?;
        if now.device.pull.is_none() {
            return Err(Problem::not_found("pull", &serial));
        }
        set_pull(app, &serial, |device| device.pull = None, Trail::of(&caller, "device", "remove_pull"))
    })
    .await?;
    Ok(done())
}

/// Changes it, with before and after in the audit trail, and without the token.
fn set_pull(app: &App, serial: &str, change: impl FnOnce(&mut Device), trail: Trail) -> Result<(), Problem> {
    let trail = trail.with("serial", serial);
    let json_of = |device: &Device| device.pull.as_ref().map_or(Value::Null, settings_json);
    let told = trail.clone();
    let entries = |before: &Device, after: &Device| {
        vec![told.with("before", json_of(before)).with("after", json_of(after)).entry()]
    };
    match app.platform()?.change_device(serial, change, entries) {
        Ok(_) => Ok(()),
        Err(error) => trail.ended(app.catalog(), Err(error.into())),
    }
}

pub async fn fetch_now(State(app): State<App>, caller: Caller, Path(serial): Path<String>) -> Answer {
    app.blocking(move |app| {
        let platform = app.platform()?;
        managed(platform, &scope_of(app, &caller)?, &serial)?;
        let trail = Trail::of(&caller, "device", "fetch_now").with("serial", serial.as_str());
        platform.fetch_now(&serial, trail.entry())?;
        pull_answer(app, &serial)
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(body: Value) -> Asked {
        Asked::of(&mut Fields::parse(body.to_string().as_bytes()).expect("an object")).expect("read")
    }

    #[test]
    fn what_is_left_out_stays_and_another_address_has_another_certificate() {
        let token = "0123456789abcdef";
        let first =
            asked(json!({"address": "a", "token": token, "every_hours": 4})).over(None).expect("whole");
        let print = "ab".repeat(32);
        let pinned = asked(json!({"certificate": print})).over(Some(&first)).expect("whole");
        assert!(pinned.fingerprint.is_some() && pinned.token == token && pinned.every_hours == 4);
        let same = asked(json!({"address": "a", "every_hours": 24})).over(Some(&pinned)).expect("whole");
        assert!(same.fingerprint == pinned.fingerprint && same.every_hours == 24);
        let moved = asked(json!({"address": "b", "token": token})).over(Some(&pinned)).expect("whole");
        assert_eq!((moved.fingerprint, moved.address.as_str()), (None, "b"));
        assert!(asked(json!({"address": "a", "token": token})).over(None).is_err());
        assert!(asked(json!({})).says_nothing());
        for elsewhere in [json!({"address": "b"}), json!({"certificate": null})] {
            let refused = asked(elsewhere).over(Some(&pinned)).expect_err("the token goes nowhere unseen");
            assert_eq!(refused.params["field"], "token");
        }
    }

    #[test]
    fn a_new_station_is_asked_only_when_all_is_said() {
        let new = |body: Value| of_new(&mut Fields::parse(body.to_string().as_bytes()).expect("an object"));
        let token = "0123456789abcdef";
        let whole = json!({"pull": {"address": "a", "token": token, "every_hours": 4}});
        assert_eq!(new(whole).expect("whole").map(|pull| pull.every_hours), Some(4));
        assert_eq!(new(json!({})).expect("none"), None);
        assert_eq!(new(json!({"pull": null})).expect("none"), None);
        for wrong in [json!(7), json!({}), json!({"address": "a", "token": token}), json!({"x": 1})] {
            assert!(new(json!({ "pull": wrong })).is_err(), "{wrong}");
        }
    }

    #[test]
    fn every_trouble_is_in_the_contract() {
        let document: Value = serde_json::from_str(crate::api::meta::OPENAPI).expect("JSON");
        let named = &document["components"]["schemas"]["PullTroubleCode"]["enum"];
        assert_eq!(*named, json!(platform::PULL_TROUBLES));
    }
}
