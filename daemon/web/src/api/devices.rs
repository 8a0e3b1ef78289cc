//! Stations that a platform knows (PF-02, PF-04): registered by serial number, changed, given another key, removed.

use axum::extract::{Path, State};
use catalog::Device;
use platform::Platform;
use serde_json::{Map, Value};

use super::device_fields::{
    Asked, FINGERPRINT, SERIAL, asked, fingerprint_of, new_device, serial_of, trail_json,
};
use super::device_spans::{belong, check_past, check_removal, since_of};
use super::{Answer, created, done, json_answer, pull};
use crate::app::App;
use crate::fields::{Fields, Given};
use crate::fleet::{Fleet, device_of, managed};
use crate::problem::{Code, Problem};
use crate::query::Query;
use crate::scope::{check_department, scope_of};
use crate::session::Caller;
use crate::time;
use crate::trail::Trail;

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
