//! Stations that a platform knows (PF-02, PF-04): registered by serial number, changed, given another key, removed.

use std::collections::BTreeSet;

use axum::extract::{Path, State};
use catalog::{Device, Pull, Scope, Since};
use platform::{DeviceNow, Fingerprint, Platform, Waiting};
use serde_json::{Map, Value, json};

use super::pull::{self, settings_json};
use super::{Answer, created, done, json_answer};
use crate::app::App;
use crate::fields::{Fields, Given};
use crate::fleet::{Fleet, device_of, managed};
use crate::problem::{Code, Problem};
use crate::query::Query;
use crate::scope::{check_department, manages, not_yours, scope_in, scope_of};
use crate::session::Caller;
use crate::time;
use crate::trail::Trail;

/// Before every record: a station that is new belongs to its department with all that it brings along.
const EVER_US: i64 = 0;

/// Which stations are asked for.
struct Filter {
    text: Option<String>,
    state: Option<StateFilter>,
}

#[derive(Clone, Copy)]
enum StateFilter {
    Online,
    Offline,
    Off,
    Alarm,
}

impl Filter {
    fn of(query: &mut Query) -> Result<Self, Problem> {
        let state = |text: &str| match text {
            "online" => Some(StateFilter::Online),
            "offline" => Some(StateFilter::Offline),
            "off" => Some(StateFilter::Off),
            "alarm" => Some(StateFilter::Alarm),
            _ => None,
        };
        let text = query.text("text", 1..=64)?.map(|text| text.to_lowercase());
        Ok(Self { text, state: query.one("state", "one of online, offline, off, alarm", state)? })
    }

    fn fits(&self, fleet: &Fleet, now: &DeviceNow, words_of: impl Fn(&str) -> String) -> bool {
        let state = match self.state {
            None => true,
            Some(StateFilter::Online) => now.online,
            Some(StateFilter::Offline) => now.device.switched_on && !now.online,
            Some(StateFilter::Off) => !now.device.switched_on,
            Some(StateFilter::Alarm) => {
                let counts = fleet.alarms_of(&now.device.serial);
                counts.critical + counts.minor + counts.notice > 0
            }
        };
        let text = self.text.as_ref().is_none_or(|text| {
            let device = &now.device;
            let address = now.address.map(|address| address.ip().to_string()).unwrap_or_default();
            let department = device.department_at(None, time::now_us()).map(words_of).unwrap_or_default();
            let own_name = now.own_name.as_deref().unwrap_or_default();
            [&device.serial, &device.name, own_name, &address, &device.note, &department]
                .iter()
                .any(|words| words.to_lowercase().contains(text))
        });
        state && text
    }
}

pub async fn list_devices(State(app): State<App>, caller: Caller, mut query: Query) -> Answer {
    let limit = query.whole("limit", 1..=200)?.unwrap_or(50) as usize;
    let after = query.one("after", "the `next` of a page of this list", after_of)?;
    let filter = Filter::of(&mut query)?;
    let department = crate::scope::Part::department_only(&mut query)?;
    query.finish()?;
    app.blocking(move |app| {
        let platform = app.platform()?;
        let asked = scope_in(app, &caller, &department)?;
        let fleet = Fleet::look(app, platform, scope_of(app, &caller)?)?;
        let departments = app.catalog().departments()?;
        let words_of = |name: &str| match departments.iter().find(|one| one.name == name) {
            Some(one) => format!("{} {} {}", one.name, one.prefix, one.code.as_deref().unwrap_or_default()),
            None => name.to_owned(),
        };
        let now_us = platform.now_us();
        let mut found = fleet.devices(platform);
        found.retain(|now| {
            asked.station_now(&now.device.serial, now_us) && filter.fits(&fleet, now, words_of)
        });
        found.sort_by_cached_key(place_of);
        let total = found.len();
        let rest = found.into_iter().filter(|now| after.as_ref().is_none_or(|after| place_of(now) > *after));
        let mut page: Vec<DeviceNow> = rest.take(limit + 1).collect();
        let more = page.len() > limit;
        page.truncate(limit);
        let next = page.last().filter(|_| more).map(|last| {
            let (name, serial) = place_of(last);
            format!("{serial}:{name}")
        });
        let items: Vec<Value> = page.iter().map(|now| fleet.json(now)).collect();
        Ok(json_answer(&json!({
            "items": items,
            "next": next,
            "total": after.is_none().then_some(total),
            "total_is_least": false,
        })))
    })
    .await
}

/// By name, then by serial number.
fn place_of(now: &DeviceNow) -> (String, String) {
    (crate::view::device_name(now).to_lowercase(), now.device.serial.clone())
}

fn after_of(text: &str) -> Option<(String, String)> {
    let (serial, name) = text.split_once(':')?;
    (text.len() <= 1024).then(|| (name.to_owned(), serial.to_owned()))
}

pub async fn get_device(
    State(app): State<App>,
    caller: Caller,
    Path(serial): Path<String>,
    query: Query,
) -> Answer {
    query.finish()?;
    app.blocking(move |app| device_answer(app, &caller, &serial).map(|device| json_answer(&device))).await
}

/// Blocks.
fn device_answer(app: &App, caller: &Caller, serial: &str) -> Result<Value, Problem> {
    let platform = app.platform()?;
    let scope = scope_of(app, caller)?;
    let now = device_of(platform, &scope, serial)?;
    Ok(Fleet::look(app, platform, scope)?.json(&now))
}

/// What a request says a station is to be.
#[derive(Default)]
pub struct Asked {
    pub name: Option<String>,
    /// `Some(None)`: of nobody but those who see the whole tree.
    pub department: Option<Option<String>>,
    pub fingerprint: Option<Fingerprint>,
    pub switched_on: Option<bool>,
    pub limits: Option<Limits>,
    pub note: Option<String>,
    /// Of a new one.
    pub pull: Option<Pull>,
}

pub struct Limits {
    pub audio_bytes_per_s: Option<u64>,
    /// Minutes of the day.
    pub quiet_hours: Option<(u16, u16)>,
}

pub fn fingerprint_of(text: &str) -> Option<Fingerprint> {
    (text.len() <= 128).then(|| text.parse().ok()).flatten()
}

const FINGERPRINT: &str = "64 hexadecimal digits";

fn asked(fields: &mut Fields) -> Result<Asked, Problem> {
    let department = match fields.nullable_text("department", 1..=64)? {
        Given::Absent => None,
        Given::Null => Some(None),
        Given::Value(name) => Some(Some(name)),
    };
    let limits = fields.maybe("limits", LIMITS, |value| limits_of(&value))?;
    Ok(Asked {
        name: fields.text("name", 1..=64)?,
        department,
        fingerprint: None,
        switched_on: fields.flag("switched_on")?,
        limits,
        note: fields.text("note", 0..=500)?,
        pull: None,
    })
}

const LIMITS: &str =
    "{audio_bytes_per_s: null or 1000 to 1000000000, quiet_hours: null or {from: \"22:00\", to: \"06:00\"}}";

fn limits_of(value: &Value) -> Option<Limits> {
    let members = value.as_object()?;
    if members.len() != 2 {
        return None;
    }
    let audio_bytes_per_s = match members.get("audio_bytes_per_s")? {
        Value::Null => None,
        rate => Some(rate.as_u64().filter(|rate| (1000..=1_000_000_000).contains(rate))?),
    };
    let quiet_hours = match members.get("quiet_hours")? {
        Value::Null => None,
        Value::Object(hours) if hours.len() == 2 => {
            Some((minute_of(hours.get("from")?)?, minute_of(hours.get("to")?)?))
        }
        _ => return None,
    };
    Some(Limits { audio_bytes_per_s, quiet_hours })
}

/// Of the day.
fn minute_of(value: &Value) -> Option<u16> {
    let (hours, minutes) = value.as_str()?.split_once(':')?;
    let part = |text: &str, below: u16| -> Option<u16> {
        let digits = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| text.parse().ok()).flatten().filter(|number| *number < below)
    };
    Some(part(hours, 24)? * 60 + part(minutes, 60)?)
}

pub const SERIAL: &str = "a serial number: 1 to 64 letters, digits and -";

pub fn serial_of(text: &str) -> Option<String> {
    let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    (plain && (1..=64).contains(&text.len())).then(|| text.to_owned())
}

/// A station as it is to be registered. Blocks.
///
/// # Errors
/// A department that is not the caller's; a fingerprint that is missing where it must be given.
pub fn new_device(
    app: &App,
    caller: &Caller,
    scope: &Scope,
    serial: &str,
    asked: Asked,
) -> Result<Device, Problem> {
    let department = asked.department.unwrap_or_else(|| caller.department.clone());
    check_department(app, scope, department.as_deref())?;
    if !scope.is_everything() && asked.fingerprint.is_none() {
        // Nobody claims a box that is on its way to another department: the fingerprint is read off the box itself.
        return Err(Problem::field_missing("fingerprint"));
    }
    let known_before = !app.catalog().arrived(serial)?.is_empty();
    let mut device = Device::new(serial);
    // What a station brought while it, or a port of it, belonged to others stays theirs.
    match app.catalog().former_device(serial)? {
        Some(mut former) => {
            let now_us = time::now_us();
            leave_to_the_top(
                &mut former,
                app.catalog().departments()?.into_iter().map(|one| one.name).collect(),
            );
            (device.departments, device.ports) = (former.departments, former.ports);
            device.ports.values_mut().for_each(|spans| belong(spans, now_us, department.clone()));
            belong(&mut device.departments, now_us, department);
        }
        None => {
            let from_us = if known_before { time::now_us() } else { EVER_US };
            let since = department.map(|name| Since { from_us, department: Some(name) });
            device.departments = since.into_iter().collect();
        }
    }
    device.fingerprint = asked.fingerprint.map(|fingerprint| fingerprint.to_string());
    device.name = asked.name.unwrap_or_default();
    device.switched_on = asked.switched_on.unwrap_or(true);
    device.note = asked.note.unwrap_or_default();
    device.pull = asked.pull;
    if let Some(limits) = asked.limits {
        (device.audio_bytes_per_s, device.quiet_hours) = (limits.audio_bytes_per_s, limits.quiet_hours);
    }
    Ok(device)
}

/// What belonged to departments that are no more is for those who see the whole tree.
fn leave_to_the_top(former: &mut Device, departments: BTreeSet<String>) {
    let spans = former.departments.iter_mut().chain(former.ports.values_mut().flatten());
    for span in spans {
        span.department = span.department.take().filter(|name| departments.contains(name));
    }
}

pub fn trail_json(device: &Device) -> Value {
    json!({
        "name": device.name,
        "department": device.department_at(None, time::now_us()),
        "fingerprint": device.fingerprint,
        "switched_on": device.switched_on,
        "audio_bytes_per_s": device.audio_bytes_per_s,
        "quiet_hours": device.quiet_hours,
        "note": device.note,
        "pull": device.pull.as_ref().map(settings_json),
    })
}

pub async fn add_device(State(app): State<App>, caller: Caller, mut fields: Fields) -> Answer {
    let serial = fields.required("serial", SERIAL, |value| serial_of(value.as_str()?))?;
    let fingerprint =
        match fields.optional("fingerprint", FINGERPRINT, |value| fingerprint_of(value.as_str()?))? {
            Given::Value(fingerprint) => Some(fingerprint),
            Given::Absent | Given::Null => None,
        };
    let pull = pull::of_new(&mut fields)?;
    let asked = Asked { fingerprint, pull, ..asked(&mut fields)? };
    fields.finish()?;
    app.blocking(move |app| {
        let _one_at_a_time = app.one_at_a_time();
        let scope = scope_of(app, &caller)?;
        let trail = Trail::of(&caller, "device", "create").with("serial", serial.as_str());
        let device = match new_device(app, &caller, &scope, &serial, asked) {
            Ok(device) => device,
            Err(problem) => return trail.ended(app.catalog(), Err(problem)),
        };
        let entry = trail.clone().with("after", trail_json(&device)).entry();
        if let Err(error) = app.platform()?.add_devices(vec![device], vec![entry]) {
            return trail.ended(app.catalog(), Err(error.into()));
        }
        app.tree_changed();
        Ok(created(&device_answer(app, &caller, &serial)?))
    })
    .await
}

pub async fn change_device(
    State(app): State<App>,
    caller: Caller,
    Path(serial): Path<String>,
    mut fields: Fields,
) -> Answer {
    let since_us = since_of(&mut fields)?;
    let asked = asked(&mut fields)?;
    fields.finish()?;
    let nothing = asked.name.is_none()
        && asked.department.is_none()
        && asked.switched_on.is_none()
        && asked.limits.is_none()
        && asked.note.is_none();
    if nothing {
        return Err(Problem::field_missing("name"));
    }
    if since_us.is_some() && asked.department.is_none() {
        return Err(Problem::field_missing("department"));
    }
    app.blocking(move |app| {
        let _one_at_a_time = app.one_at_a_time();
        let scope = scope_of(app, &caller)?;
        let now = managed(app.platform()?, &scope, &serial)?;
        let since_us = since_us.unwrap_or_else(time::now_us);
        if let Some(department) = &asked.department {
            check_department(app, &scope, department.as_deref())?;
            check_past(&scope, &now.device.departments, since_us)?;
        }
        let trail = Trail::of(&caller, "device", "change").with("serial", serial.as_str());
        let change = |device: &mut Device| {
            if let Some(name) = asked.name {
                device.name = name;
            }
            if let Some(department) = asked.department {
                belong(&mut device.departments, since_us, department);
            }
            device.switched_on = asked.switched_on.unwrap_or(device.switched_on);
            if let Some(limits) = asked.limits {
                (device.audio_bytes_per_s, device.quiet_hours) =
                    (limits.audio_bytes_per_s, limits.quiet_hours);
            }
            if let Some(note) = asked.note {
                device.note = note;
            }
        };
        let moved = change_and_tell(app.platform()?, &serial, trail.clone(), change);
        if let Err(problem) = moved {
            return trail.ended(app.catalog(), Err(problem));
        }
        app.tree_changed();
        device_answer(app, &caller, &serial).map(|device| json_answer(&device))
    })
    .await
}

/// Changes a device, and writes down which members of it moved.
fn change_and_tell(
    platform: &Platform,
    serial: &str,
    trail: Trail,
    change: impl FnOnce(&mut Device),
) -> Result<Device, Problem> {
    let entries = |before: &Device, after: &Device| {
        let (from, to) = difference(before, after);
        vec![trail.with("before", from).with("after", to).entry()]
    };
    Ok(platform.change_device(serial, change, entries)?)
}

fn difference(before: &Device, after: &Device) -> (Map<String, Value>, Map<String, Value>) {
    let (Value::Object(mut from), Value::Object(mut to)) = (trail_json(before), trail_json(after)) else {
        return Default::default();
    };
    let same: Vec<String> = from.keys().filter(|name| from.get(*name) == to.get(*name)).cloned().collect();
    for name in same {
        from.remove(&name);
        to.remove(&name);
    }
    (from, to)
}

pub fn since_of(fields: &mut Fields) -> Result<Option<i64>, Problem> {
    fields.maybe("since", "a time such as 2026-03-01T08:00:00+08:00", |value| {
        let time = chrono::DateTime::parse_from_rfc3339(value.as_str()?).ok()?;
        Some(time.timestamp_micros()).filter(|us| *us > EVER_US)
    })
}

/// Nobody takes over a time in which the thing belonged to others.
///
/// # Errors
/// `department_not_yours`.
pub fn check_past(scope: &Scope, spans: &[Since], since_us: i64) -> Result<(), Problem> {
    if scope.is_everything() {
        return Ok(());
    }
    let before = spans.iter().rev().find(|span| span.from_us <= since_us);
    let later = spans.iter().filter(|span| span.from_us > since_us);
    let own = |span: &Since| manages(scope, span.department.as_deref());
    if before.is_some_and(own) && later.clone().all(own) { Ok(()) } else { Err(not_yours()) }
}

/// Nobody removes what others have, or had, a part of: with the station they would lose sight of what it recorded for them.
///
/// # Errors
/// `department_not_yours`.
fn check_removal(scope: &Scope, device: &Device) -> Result<(), Problem> {
    let mut spans = device.departments.iter().chain(device.ports.values().flatten());
    let own = spans.all(|span| manages(scope, span.department.as_deref()));
    if own { Ok(()) } else { Err(not_yours().with("serial", device.serial.as_str())) }
}

/// From `since_us` on, and until somebody says otherwise.
pub fn belong(spans: &mut Vec<Since>, since_us: i64, department: Option<String>) {
    spans.retain(|span| span.from_us < since_us);
    if spans.last().map(|span| &span.department) != Some(&department) {
        spans.push(Since { from_us: since_us, department });
    }
}

pub async fn remove_device(State(app): State<App>, caller: Caller, Path(serial): Path<String>) -> Answer {
    app.blocking(move |app| {
        let _one_at_a_time = app.one_at_a_time();
        let platform = app.platform()?;
        let scope = scope_of(app, &caller)?;
        let now = managed(platform, &scope, &serial)?;
        let trail = Trail::of(&caller, "device", "delete").with("serial", serial.as_str());
        if let Err(problem) = check_removal(&scope, &now.device) {
            return trail.ended(app.catalog(), Err(problem));
        }
        let entry = trail.clone().with("before", trail_json(&now.device)).entry();
        if let Err(error) = platform.remove_device(&serial, vec![entry]) {
            return trail.ended(app.catalog(), Err(error.into()));
        }
        app.tree_changed();
        Ok(())
    })
    .await?;
    Ok(done())
}

pub async fn replace_key(
    State(app): State<App>,
    caller: Caller,
    Path(serial): Path<String>,
    mut fields: Fields,
) -> Answer {
    let fingerprint = fields.required("fingerprint", FINGERPRINT, |value| fingerprint_of(value.as_str()?))?;
    let typed = fields.required_text("confirm", 1..=64)?;
    fields.finish()?;
    app.blocking(move |app| {
        let _one_at_a_time = app.one_at_a_time();
        let platform = app.platform()?;
        managed(platform, &scope_of(app, &caller)?, &serial)?;
        let trail = Trail::of(&caller, "device", "replace_key").with("serial", serial.as_str());
        if typed != serial {
            let title = format!("What was typed is not the serial number {serial}.");
            let problem = Problem::new(Code::ConfirmationWrong, title).with("serial", serial);
            return trail.ended(app.catalog(), Err(problem));
        }
        let kept = trail.clone();
        let entries = move |before: &Device, after: &Device| {
            vec![
                kept.with("before", before.fingerprint.clone())
                    .with("after", after.fingerprint.clone())
                    .entry(),
            ]
        };
        if let Err(error) = platform.accept_key(&serial, fingerprint, entries) {
            return trail.ended(app.catalog(), Err(error.into()));
        }
        device_answer(app, &caller, &serial).map(|device| json_answer(&device))
    })
    .await
}

fn waiting_json(app: &App, waiting: &Waiting) -> Value {
    json!({
        "serial": waiting.serial,
        "name": waiting.name,
        "fingerprint": waiting.fingerprint.to_string(),
        "address": waiting.address.ip().to_string(),
        "first_at": time::in_zone(waiting.first_us, app.zone()),
        "last_at": time::in_zone(waiting.last_us, app.zone()),
    })
}

/// Boxes that knocked, for those who see the whole tree: nobody knows yet to whom they belong.
pub fn waiting_for(app: &App, caller: &Caller) -> Result<Option<Vec<Waiting>>, Problem> {
    Ok(caller.department.is_none().then_some(app.platform()?.waiting()))
}

pub async fn list_waiting(State(app): State<App>, caller: Caller, query: Query) -> Answer {
    query.finish()?;
    let waiting = waiting_for(&app, &caller)?.unwrap_or_default();
    let items: Vec<Value> = waiting.iter().map(|waiting| waiting_json(&app, waiting)).collect();
    Ok(json_answer(&json!({ "items": items })))
}

#[cfg(test)]
mod tests {
    use super::*;
    use catalog::{Grant, Only};

    fn since(from_us: i64, department: Option<&str>) -> Since {
        Since { from_us, department: department.map(str::to_owned) }
    }

    #[test]
    fn quiet_hours_are_minutes_of_a_day() {
        for (text, minute) in [("00:00", Some(0)), ("23:59", Some(1439)), ("06:30", Some(390))] {
            assert_eq!(minute_of(&json!(text)), minute, "{text}");
        }
        for wrong in ["24:00", "6:30", "06:60", "", ":", "0630", "+1:00", "06:30:00"] {
            assert_eq!(minute_of(&json!(wrong)), None, "{wrong}");
        }
    }

    #[test]
    fn a_thing_belongs_somewhere_from_a_time_on_whatever_was_said_before() {
        let mut spans = vec![since(10, Some("east")), since(20, Some("west"))];
        belong(&mut spans, 15, Some("north".into()));
        assert_eq!(spans, [since(10, Some("east")), since(15, Some("north"))]);
        belong(&mut spans, 30, Some("north".into()));
        assert_eq!(spans.len(), 2, "nothing has changed");
        belong(&mut spans, 10, None);
        assert_eq!(spans, [since(10, None)]);
    }

    #[test]
    fn nobody_takes_over_the_past_of_another_department() {
        let east = Scope::of(Vec::<Grant>::new(), Only::These(BTreeSet::from(["east".to_owned()])));
        let spans = [since(10, Some("west")), since(20, Some("east"))];
        assert!(check_past(&east, &spans, 25).is_ok());
        assert!(check_past(&east, &spans, 20).is_ok());
        assert!(check_past(&east, &spans, 19).is_err(), "it was west's then");
        assert!(check_past(&east, &spans, 5).is_err());
        assert!(check_past(&Scope::everything(), &spans, 5).is_ok());
        let planned = [since(10, Some("east")), since(90, Some("west"))];
        assert!(check_past(&east, &planned, 50).is_err(), "it has been promised to west");
    }
}
