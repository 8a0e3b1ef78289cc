//! The stations that a platform knows, in pages; and the boxes that knocked and are not among them.

use axum::extract::State;
use platform::{DeviceNow, Waiting};
use serde_json::{Value, json};

use super::{Answer, json_answer};
use crate::app::App;
use crate::fleet::Fleet;
use crate::problem::Problem;
use crate::query::Query;
use crate::scope::{scope_in, scope_of};
use crate::session::Caller;
use crate::time;

/// Which stations are asked for.
struct Filter {
    text: Option<String>,
    state: Option<StateFilter>,
}

#[derive(Clone, Copy)]
enum StateFilter {
    Online,
    Offline,
    /// Switched on and away, and does not dial: from visit to visit that is as it should be.
    Fetched,
    Off,
    Alarm,
}

impl Filter {
    fn of(query: &mut Query) -> Result<Self, Problem> {
        let state = |text: &str| match text {
            "online" => Some(StateFilter::Online),
            "offline" => Some(StateFilter::Offline),
            "fetched" => Some(StateFilter::Fetched),
            "off" => Some(StateFilter::Off),
            "alarm" => Some(StateFilter::Alarm),
            _ => None,
        };
        let text = query.text("text", 1..=64)?.map(|text| text.to_lowercase());
        Ok(Self { text, state: query.one("state", "one of online, offline, fetched, off, alarm", state)? })
    }

    fn fits(&self, fleet: &Fleet, now: &DeviceNow, words_of: impl Fn(&str) -> String) -> bool {
        let state = match self.state {
            None => true,
            Some(StateFilter::Online) => now.online,
            Some(StateFilter::Offline) => now.device.switched_on && !now.online && !now.is_only_asked(),
            Some(StateFilter::Fetched) => now.device.switched_on && !now.online && now.is_only_asked(),
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
