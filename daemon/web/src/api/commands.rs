//! What stations are told to do from the platform (PF-04, PF-16), and what became of it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use catalog::{Contact, ContactQuery, Only, PageRequest, Right, Scope};
use hyper::StatusCode;
use platform::{CommandNow, CommandState, ContactToSet, MoreOfContact, Platform, What};
use serde_json::{Map, Value, json};

use super::device_fields::{SERIAL, serial_of};
use super::recordings::{id_of, row_of};
use super::releases::{SHA256, sha256_of};
use super::{Answer, expected_names, json_answer};
use crate::app::App;
use crate::fields::Fields;
use crate::fleet::{device_of, managed};
use crate::guard::right_missing;
use crate::problem::{Code, Problem};
use crate::query::{Query, whole_of};
use crate::scope::{manages, scope_of};
use crate::session::Caller;
use crate::time;
use crate::trail::Trail;
use crate::view::View;

/// Stations that one request may name.
const MOST_STATIONS: usize = 1000;
const WITHIN: Duration = Duration::from_secs(60);
/// A period is long, and its recordings are many.
const SYNCHRONISED_WITHIN: Duration = Duration::from_secs(3600);
const FETCHED_WITHIN: Duration = Duration::from_secs(300);
/// A bundle is long, lines are slow, and it is installed after that.
const UPGRADED_WITHIN: Duration = Duration::from_secs(6 * 3600);
/// Contacts that a station is given, and all their bytes: a message to a station has an end.
const MOST_CONTACTS: usize = 10_000;
const MOST_CONTACT_BYTES: usize = 8 << 20;
const CONTACTS_AT_ONCE: u32 = 200;

/// Commands that need the right `system` as well.
const OF_THE_SYSTEM: [&str; 3] = ["restart", "set_time", "upgrade"];

/// What is asked of each station.
enum Asked {
    Same(What),
    /// Those that its department may read.
    Contacts,
    /// The platform's time, when it is sent.
    Time,
    /// To a release of the platform's.
    Upgrade {
        sha256: String,
        restart: bool,
    },
}

const NAMES: [&str; 7] =
    ["synchronise", "set_channels", "set_contacts", "set_box", "restart", "set_time", "upgrade"];

impl Asked {
    fn of(members: Map<String, Value>) -> Result<Self, Problem> {
        let mut fields = Fields::of(members);
        let what = fields.required("what", &expected_names(&NAMES, |name| name), |value| {
            let name = value.as_str()?;
            NAMES.into_iter().find(|known| *known == name)
        })?;
        let asked = match what {
            "synchronise" => {
                let (from_us, to_us) = (time_of(&mut fields, "from")?, time_of(&mut fields, "to")?);
                if to_us <= from_us {
                    return Err(Problem::field_invalid("to", "later than `from`"));
                }
                Self::Same(What::Synchronise { from_us, to_us })
            }
            "set_channels" => {
                let ports = fields.list("ports", "port numbers", 1000, |value| {
                    u16::try_from(value.as_u64()?).ok().filter(|port| *port > 0)
                })?;
                Self::Same(What::SetChannels { ports, settings: settings_of(&mut fields)? })
            }
            "set_box" => Self::Same(What::SetBox { settings: settings_of(&mut fields)? }),
            "restart" => Self::Same(What::Restart),
            "set_time" => Self::Time,
            "upgrade" => Self::Upgrade {
                sha256: fields.required("release", SHA256, sha256_of)?,
                restart: fields.flag("restart")?.unwrap_or(false),
            },
            _ => Self::Contacts,
        };
        fields.finish()?;
        Ok(asked)
    }

    fn right(&self) -> Option<Right> {
        matches!(self, Self::Same(What::Restart) | Self::Time | Self::Upgrade { .. }).then_some(Right::System)
    }

    fn within(&self) -> Duration {
        match self {
            Self::Same(What::Synchronise { .. }) => SYNCHRONISED_WITHIN,
            Self::Upgrade { .. } => UPGRADED_WITHIN,
            _ => WITHIN,
        }
    }
}

fn time_of(fields: &mut Fields, name: &str) -> Result<i64, Problem> {
    fields.required(name, "a time such as 2026-03-01T08:00:00+08:00", |value| {
        chrono::DateTime::parse_from_rfc3339(value.as_str()?).ok().map(|time| time.timestamp_micros())
    })
}

fn settings_of(fields: &mut Fields) -> Result<Map<String, Value>, Problem> {
    let settings = fields.object("settings")?;
    if settings.is_empty() {
        return Err(Problem::field_invalid("settings", "an object with at least one setting"));
    }
    Ok(settings)
}

pub async fn command_devices(State(app): State<App>, caller: Caller, mut fields: Fields) -> Answer {
    let serials = fields.list("serials", SERIAL, MOST_STATIONS, |value| serial_of(value.as_str()?))?;
    let members = fields.object("command")?;
    let within_s = fields.maybe("within_s", "a whole number from 5 to 86400", |value| {
        value.as_u64().filter(|seconds| (5..=86_400).contains(seconds))
    })?;
    fields.finish()?;
    let asked = Asked::of(members)?;
    if let Some(right) = asked.right().filter(|right| !caller.has(*right)) {
        return Err(right_missing(right));
    }
    let within = within_s.map_or_else(|| asked.within(), Duration::from_secs);
    app.blocking(move |app| {
        let platform = app.platform()?;
        let scope = scope_of(app, &caller)?;
        let devices =
            serials.iter().map(|serial| managed(platform, &scope, serial)).collect::<Result<Vec<_>, _>>()?;
        let trail = || Trail::of(&caller, "device", "command").entry();
        let ids = match asked {
            Asked::Same(what) => platform.command(&serials, &what, within, trail())?,
            Asked::Time => {
                let what = What::SetTime { utc_us: platform.now_us() };
                platform.command(&serials, &what, within, trail())?
            }
            Asked::Upgrade { sha256, restart } => {
                platform.upgrade(&serials, &sha256, restart, within, trail())?
            }
            Asked::Contacts => {
                let mut ids = Vec::new();
                for device in devices {
                    let department = device.device.department_at(None, platform.now_us());
                    let what =
                        What::SetContacts { contacts: contacts_for(app, &device.device.serial, department)? };
                    let serial = [device.device.serial.clone()];
                    ids.extend(platform.command(&serial, &what, within, trail())?);
                }
                ids
            }
        };
        asked_answer(app, &caller, platform, &ids)
    })
    .await
}

/// Contacts that those of a department may read; of a station that belongs to nobody, those of no department. Blocks.
fn contacts_for(app: &App, serial: &str, department: Option<&str>) -> Result<Vec<ContactToSet>, Problem> {
    let scope = match department {
        Some(department) => app.catalog().scope_of_department(department)?,
        None => Scope::of([], Only::These(BTreeSet::new())),
    };
    let (mut contacts, mut after) = (Vec::new(), None);
    loop {
        let page = PageRequest { after, limit: CONTACTS_AT_ONCE, count_up_to: 0 };
        let page = app.catalog().contacts(&scope, &ContactQuery::default(), page)?;
        contacts.extend(page.items.into_iter().map(|contact| to_set(contact, serial)));
        after = page.next;
        check_size(&contacts)?;
        if after.is_none() {
            return Ok(contacts);
        }
    }
}

/// A contact as a station takes it, which knows no ports but its own.
fn to_set(contact: Contact, serial: &str) -> ContactToSet {
    let more = MoreOfContact {
        extension: contact.extension,
        outside_number: contact.outside_number,
        position: contact.position,
        email: contact.email,
        port: contact.port.filter(|at| at.station == serial).map(|at| at.port),
    };
    ContactToSet {
        number: contact.number,
        name: contact.name,
        department: contact.department,
        note: contact.note,
        more: Some(more),
    }
}

/// # Errors
/// `too_many_found`: no message to a station holds them.
fn check_size(contacts: &[ContactToSet]) -> Result<(), Problem> {
    let bytes = |one: &ContactToSet| {
        let more = one
            .more
            .iter()
            .flat_map(|more| [&more.extension, &more.outside_number, &more.position, &more.email]);
        let texts = [&one.number, &one.name, &one.department, &one.note];
        texts.into_iter().chain(more).map(String::len).sum::<usize>()
    };
    let most = match contacts.iter().map(bytes).sum::<usize>() {
        // Those that are here are too long together: fewer of them have room.
        total if total > MOST_CONTACT_BYTES => contacts.len() * MOST_CONTACT_BYTES / total,
        _ => MOST_CONTACTS,
    };
    if contacts.len() <= most {
        return Ok(());
    }
    let title = format!("A station takes {most} such contacts at once, and here are more.");
    let problem = Problem::new(Code::TooManyFound, title);
    Err(problem.with("found", contacts.len()).with("most", most))
}

/// 202 with the commands of these numbers.
fn asked_answer(app: &App, caller: &Caller, platform: &Platform, ids: &[u64]) -> Answer {
    let view = View::of(app, caller)?;
    let commands = ids.iter().filter_map(|id| platform.command_now(*id));
    let items: Vec<Value> = commands.map(|command| command_json(&command, &view)).collect();
    let mut response = json_answer(&json!({ "items": items }));
    *response.status_mut() = StatusCode::ACCEPTED;
    Ok(response)
}

fn command_json(command: &CommandNow, view: &View) -> Value {
    let empty = Map::new();
    let (state, progress, code, detail) = match &command.state {
        CommandState::Sent => ("sent", None, None, &empty),
        CommandState::Progress { done, total } => ("running", Some((done, total)), None, &empty),
        CommandState::Done { detail } => ("done", None, None, detail),
        CommandState::Failed { code, params } => {
            let state = match code.as_str() {
                "cancelled" => "cancelled",
                "too_late" => "expired",
                _ => "failed",
            };
            (state, None, Some(code), params)
        }
    };
    let at = |us: i64| time::in_zone(us, view.zone);
    json!({
        "id": command.id.to_string(),
        "serial": command.serial,
        "station_name": view.station_name(&command.serial),
        "what": command.what,
        "params": *command.params,
        "account": command.account,
        "asked_at": at(command.begun_us),
        "state": state,
        "progress": progress.map(|(done, total)| json!({ "done": done, "total": total })),
        "code": code,
        "detail": detail,
        "finished_at": command.ended_us.map(at),
    })
}

/// The caller's own, and those of stations that the caller manages.
fn is_seen(platform: &Platform, scope: &Scope, caller: &Caller, command: &CommandNow) -> bool {
    let department = || {
        let device = platform.device(&command.serial)?;
        device.device.department_at(None, platform.now_us()).map(str::to_owned)
    };
    let sees = |serial: &str| scope.station_now(serial, platform.now_us());
    scope.is_everything()
        || manages(scope, department().as_deref())
        || (command.account.as_deref() == Some(caller.account.as_str()) && sees(&command.serial))
}

pub async fn list_commands(State(app): State<App>, caller: Caller, mut query: Query) -> Answer {
    let limit = query.whole("limit", 1..=200)?.unwrap_or(50) as usize;
    let after = query.one("after", "the `next` of a page of this list", whole_of)?;
    let serials: BTreeSet<String> = query.many("serial", SERIAL, serial_of)?;
    let open = query
        .one("state", "one of open, finished, all", |text| match text {
            "open" => Some(Some(true)),
            "finished" => Some(Some(false)),
            "all" => Some(None),
            _ => None,
        })?
        .flatten();
    query.finish()?;
    app.blocking(move |app| {
        let platform = app.platform()?;
        let (scope, view) = (scope_of(app, &caller)?, View::of(app, &caller)?);
        let mut found = platform.commands(0);
        found.retain(|command| {
            (serials.is_empty() || serials.contains(&command.serial))
                && open.is_none_or(|open| open != command.state.has_ended())
                && is_seen(platform, &scope, &caller, command)
        });
        let total = found.len();
        found.retain(|command| after.is_none_or(|after| command.id < after));
        let more = found.len() > limit;
        found.truncate(limit);
        let next = found.last().filter(|_| more).map(|last| last.id.to_string());
        let items: Vec<Value> = found.iter().map(|command| command_json(command, &view)).collect();
        Ok(json_answer(&json!({
            "items": items,
            "next": next,
            "total": after.is_none().then_some(total),
            "total_is_least": false,
        })))
    })
    .await
}

/// The command an address names, if the caller may see it.
fn command_of(
    platform: &Platform,
    scope: &Scope,
    caller: &Caller,
    text: &str,
) -> Result<Arc<CommandNow>, Problem> {
    let number = whole_of(text).ok_or_else(|| Problem::not_found("command", text))?;
    platform
        .command_now(number)
        .filter(|command| is_seen(platform, scope, caller, command))
        .ok_or_else(|| Problem::not_found("command", text))
}

pub async fn get_command(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    query: Query,
) -> Answer {
    query.finish()?;
    app.blocking(move |app| {
        let command = command_of(app.platform()?, &scope_of(app, &caller)?, &caller, &id)?;
        Ok(json_answer(&command_json(&command, &View::of(app, &caller)?)))
    })
    .await
}

pub async fn cancel_command(State(app): State<App>, caller: Caller, Path(id): Path<String>) -> Answer {
    app.blocking(move |app| {
        let platform = app.platform()?;
        let scope = scope_of(app, &caller)?;
        let command = command_of(platform, &scope, &caller, &id)?;
        // Who may not give it does not take it back.
        if OF_THE_SYSTEM.contains(&command.what) && !caller.has(Right::System) {
            return Err(right_missing(Right::System));
        }
        let trail = Trail::of(&caller, "device", "command_cancel").with("serial", command.serial.as_str());
        let trail = trail.with("command", command.id).with("what", command.what);
        let cancelled = platform.cancel(command.id).map_err(|error| match error {
            platform::PlatformError::NoCommand(_) => {
                let title = format!("Command {id} is over.");
                Problem::new(Code::CommandOver, title).with("id", id.as_str())
            }
            other => other.into(),
        });
        trail.ended(app.catalog(), cancelled)?;
        let command = command_of(platform, &scope, &caller, &id)?;
        Ok(json_answer(&command_json(&command, &View::of(app, &caller)?)))
    })
    .await
}

/// Has the station send what it has not sent, or could not.
pub async fn fetch_recording(State(app): State<App>, caller: Caller, Path(id): Path<String>) -> Answer {
    let id = id_of(&id)?;
    app.blocking(move |app| {
        let platform = app.platform()?;
        let row = row_of(app, &caller, &id)?;
        let text = catalog::record_id_text(&id).to_string();
        if row.deleted.is_some() {
            let title = format!("{text} has been deleted.");
            return Err(Problem::new(Code::RecordingDeleted, title).with("id", text));
        }
        if platform.has_file(&row) {
            return Err(Problem::new(Code::AudioHere, format!("{text} is here already.")).with("id", text));
        }
        if !row.has_audio() {
            let title = format!("{text} was a call without audio.");
            return Err(Problem::new(Code::AudioAbsent, title).with("id", text));
        }
        // Of a station that is not the caller's any more, or not known, nothing can be fetched.
        let scope = scope_of(app, &caller)?;
        let now = device_of(platform, &scope, &id.serial)?;
        if !now.online {
            return Err(platform::PlatformError::Offline(id.serial).into());
        }
        let trail = Trail::of(&caller, "recording", "fetch").port(row.port).with("id", text);
        let what = What::Fetch { sequence: id.sequence };
        let ids = platform.command(&[id.serial], &what, FETCHED_WITHIN, trail.entry())?;
        let command = ids.first().and_then(|id| platform.command_now(*id));
        let command = command.ok_or_else(|| Problem::internal("a command that was given is not there"))?;
        let mut response = json_answer(&command_json(&command, &View::of(app, &caller)?));
        *response.status_mut() = StatusCode::ACCEPTED;
        Ok(response)
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(value: Value) -> Result<Asked, Problem> {
        match value {
            Value::Object(members) => Asked::of(members),
            other => panic!("{other}"),
        }
    }

    #[test]
    fn a_mistake_in_a_command_names_its_member() {
        let time = "2026-03-01T08:00:00+08:00";
        for (command, field) in [
            (json!({}), "what"),
            (json!({ "what": "explode" }), "what"),
            (json!({ "what": "fetch", "sequence": 1 }), "what"),
            (json!({ "what": "synchronise", "from": time }), "to"),
            (json!({ "what": "synchronise", "from": time, "to": time }), "to"),
            (json!({ "what": "synchronise", "from": "x", "to": time }), "from"),
            (json!({ "what": "set_channels", "ports": [0], "settings": { "name": "x" } }), "ports"),
            (json!({ "what": "set_channels", "ports": [1], "settings": {} }), "settings"),
            (json!({ "what": "set_box", "settings": [] }), "settings"),
            (json!({ "what": "restart", "now": true }), "now"),
            (json!({ "what": "upgrade" }), "release"),
            (json!({ "what": "upgrade", "release": "0.2.0" }), "release"),
            (json!({ "what": "upgrade", "release": "ab".repeat(32), "restart": 1 }), "restart"),
        ] {
            let problem = asked(command.clone()).err().unwrap_or_else(|| panic!("{command}"));
            assert_eq!(problem.params["field"], field, "{command}");
        }
        let upgrade = json!({ "what": "upgrade", "release": "ab".repeat(32) });
        for command in [json!({ "what": "restart" }), upgrade] {
            assert_eq!(asked(command).ok().and_then(|asked| asked.right()), Some(Right::System));
        }
    }

    #[test]
    fn contacts_that_no_message_holds_are_refused() {
        let contact = |note: usize| ContactToSet {
            number: "8001".into(),
            name: "n".into(),
            department: String::new(),
            note: "x".repeat(note),
            more: None,
        };
        assert!(check_size(&vec![contact(500); MOST_CONTACTS]).is_ok());
        let many = check_size(&vec![contact(0); MOST_CONTACTS + 1]).expect_err("too many");
        assert_eq!(many.params["most"], MOST_CONTACTS);
        let long = check_size(&vec![contact(1 << 20); 9]).expect_err("too long");
        assert_eq!((long.code, &long.params["most"]), (Code::TooManyFound, &json!(7)));
    }
}
