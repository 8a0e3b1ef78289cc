//! What a request says of a station, and the station that it makes.

use std::collections::BTreeSet;

use catalog::{Device, Pull, Scope, Since};
use platform::Fingerprint;
use serde_json::{Value, json};

use super::device_spans::{EVER_US, belong};
use super::pull::settings_json;
use crate::app::App;
use crate::fields::{Fields, Given};
use crate::problem::Problem;
use crate::scope::check_department;
use crate::session::Caller;
use crate::time;

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

pub const FINGERPRINT: &str = "64 hexadecimal digits";

pub fn asked(fields: &mut Fields) -> Result<Asked, Problem> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quiet_hours_are_minutes_of_a_day() {
        for (text, minute) in [("00:00", Some(0)), ("23:59", Some(1439)), ("06:30", Some(390))] {
            assert_eq!(minute_of(&json!(text)), minute, "{text}");
        }
        for wrong in ["24:00", "6:30", "06:60", "", ":", "0630", "+1:00", "06:30:00"] {
            assert_eq!(minute_of(&json!(wrong)), None, "{wrong}");
        }
    }
}
