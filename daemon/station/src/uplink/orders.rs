//! The work of each command, on a thread that may wait; and its line in the audit trail.

use catalog::{AuditEntry, AuditResult, Body, Contact};
use serde_json::{Map, Value, json};
use upkeep::params;
use uplink::What;
use uplink::command::{ContactToSet, code};
use uplink::message::Outcome;
use uplink::order::Lane;

use super::World;
use super::commands::JobEnd;
use super::settings::PlatformSettingsError;
use crate::box_settings::BoxSettingsError;
use crate::channels::ChannelError;
use crate::error::StationError;
use crate::station::Station;

/// Contacts in one command.
const MOST_CONTACTS: usize = 10_000;

/// A failure with its reason in English.
pub(super) fn failure(code: &str, reason: impl Into<String>) -> Outcome {
    Outcome::Failed { code: code.to_owned(), params: params(json!({"reason": reason.into()})) }
}

/// Does what can be done at once, and finds what is to be sent.
pub(super) fn work_on(world: &World, what: What) -> JobEnd {
    match what {
        What::Synchronise { from_us, to_us } => match world.catalog.record_entries(from_us, to_us) {
            Ok(entries) => JobEnd::Entries(Lane::Backlog, entries),
            Err(error) => JobEnd::Ended(failure(error.code(), error.to_string())),
        },
        What::Fetch { sequence } => match world.catalog.record_entry(sequence) {
            Ok(Some(entry)) => JobEnd::Entries(Lane::Fresh, vec![entry]),
            Ok(None) => JobEnd::Ended(failure("no_record", format!("there is no record {sequence}"))),
            Err(error) => JobEnd::Ended(failure(error.code(), error.to_string())),
        },
        What::SetContacts { contacts } => JobEnd::Ended(set_contacts(world, contacts)),
        What::SetChannels { ports, settings } => {
            with_station(world, |station| ended(station.change_channels(&ports, &settings).map(drop)))
        }
        What::SetBox { settings } => {
            with_station(world, |station| ended(station.change_box_settings(&settings).map(drop)))
        }
        What::Listen { port, listener } => with_station(world, |station| match station.listen(port) {
            Ok(heard) => JobEnd::Listens(listener, heard),
            Err(error) => ended(Err(error)),
        }),
        What::Restart | What::SetTime { .. } | What::Upgrade { .. } | What::StopListening { .. } => {
            JobEnd::Ended(failure(code::NOT_AVAILABLE, "this box has nothing to do it with"))
        }
    }
}

fn with_station(world: &World, work: impl FnOnce(&Station) -> JobEnd) -> JobEnd {
    match world.station.upgrade() {
        Some(inner) => work(&Station { inner }),
        None => ended(Err(StationError::Stopping)),
    }
}

fn ended(result: Result<(), StationError>) -> JobEnd {
    let error = match result {
        Ok(()) => return JobEnd::Ended(Outcome::Done { detail: Map::new() }),
        Err(error) => error,
    };
    let named = match &error {
        StationError::Channels(ChannelError::Invalid { port, field, .. }) => {
            json!({"port": port, "field": field})
        }
        StationError::Channels(ChannelError::NoSuchPort(port)) | StationError::NoSuchPort { port } => {
            json!({"port": port})
        }
        StationError::BoxSettings(BoxSettingsError::Invalid { field, .. })
        | StationError::Platform(PlatformSettingsError::Invalid { field, .. }) => json!({"field": field}),
        _ => json!({}),
    };
    let mut told = params(named);
    told.insert("reason".into(), error.to_string().into());
    JobEnd::Ended(Outcome::Failed { code: error.code().to_owned(), params: told })
}

fn set_contacts(world: &World, contacts: Vec<ContactToSet>) -> Outcome {
    if contacts.len() > MOST_CONTACTS {
        return failure(code::COMMAND_INVALID, format!("at most {MOST_CONTACTS} contacts at once"));
    }
    if let Some(wrong) = contacts.iter().find(|contact| !is_contact(contact)) {
        let number: String = wrong.number.chars().take(32).collect();
        return failure(code::COMMAND_INVALID, format!("{number:?} cannot be a contact of a station"));
    }
    let bodies: Vec<Body> = contacts
        .into_iter()
        .map(|ContactToSet { number, name, department, note }| {
            Body::ContactSet(Contact { number, name, department, note })
        })
        .collect();
    match world.catalog.append(bodies) {
        Ok(_) => Outcome::Done { detail: Map::new() },
        Err(error) => failure(error.code(), error.to_string()),
    }
}

/// As the pages take it.
fn is_contact(contact: &ContactToSet) -> bool {
    let number = contact.number.as_bytes();
    let plain = number.iter().all(|byte| byte.is_ascii_digit() || b"*#+".contains(byte));
    let short = |text: &str, least, most| {
        (least..=most).contains(&text.chars().count()) && !text.contains(char::is_control)
    };
    (1..=32).contains(&number.len())
        && plain
        && short(&contact.name, 1, 64)
        && short(&contact.department, 0, 64)
        && contact.note.chars().count() <= 500
}

/// Writes a command into the audit trail, with how it ended. What cannot be written down counts as failed.
pub(super) fn write_down(world: &World, id: u64, name: &str, what: &Value, outcome: Outcome) -> Outcome {
    let mut told = what.as_object().cloned().unwrap_or_default();
    told.remove("what");
    // Thousands of them would be one line.
    if let Some(contacts) = told.get_mut("contacts") {
        *contacts = contacts.as_array().map_or(0, Vec::len).into();
    }
    told.insert("command".into(), id.into());
    let port = told.get("port").and_then(Value::as_u64).and_then(|port| u16::try_from(port).ok());
    let (result, detail) = match &outcome {
        Outcome::Failed { code, .. } => {
            let ours = ["too_late", "disk_full", "io"].contains(&code.as_str());
            (if ours { AuditResult::Failed } else { AuditResult::Refused }, Some(code.clone()))
        }
        _ => (AuditResult::Ok, None),
    };
    let entry = AuditEntry {
        account: None,
        display_name: None,
        ip: None,
        item: "command".into(),
        port,
        operation: name.chars().take(64).collect(),
        params: told,
        result,
        detail,
        department: None,
    };
    match world.catalog.audit(entry) {
        Ok(()) => outcome,
        Err(error) => failure(error.code(), error.to_string()),
    }
}
