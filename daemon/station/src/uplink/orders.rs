//! The work of each command, on a thread that may wait; and its line in the audit trail.

use appliance::{Appliance, ApplianceError};
use catalog::{AuditEntry, AuditResult, Body, Contact, ContactPort};
use serde_json::{Map, Value, json};
use upkeep::params;
use uplink::What;
use uplink::command::{ContactToSet, MoreOfContact, code};
use uplink::message::Outcome;
use uplink::order::Lane;

use super::World;
use super::commands::JobEnd;
use super::settings::PlatformSettingsError;
use super::upgrade;
use crate::box_settings::BoxSettingsError;
use crate::channels::ChannelError;
use crate::error::StationError;
use crate::station::Station;

/// Contacts in one command.
const MOST_CONTACTS: usize = 10_000;

/// Codes of what this box began and could not do; the others say why it did not begin.
const OURS: [&str; 8] = [
    "too_late",
    "disk_full",
    "io",
    "clock_failed",
    "restart_refused",
    "bundle_corrupt",
    "upgrade_failed",
    "appliance_failed",
];

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
        What::Restart => by_appliance(world, Appliance::restart),
        What::SetTime { utc_us } => by_appliance(world, |appliance| appliance.set_time(utc_us)),
        What::Upgrade { bytes, sha256, .. } => upgrade::open(world, bytes, &sha256),
        // Whoever listens is known where commands begin: it does not come here.
        What::StopListening { .. } => JobEnd::Ended(failure(code::NOT_AVAILABLE, "nobody listens here")),
    }
}

fn with_station(world: &World, work: impl FnOnce(&Station) -> JobEnd) -> JobEnd {
    match world.station.upgrade() {
        Some(inner) => work(&Station { inner }),
        None => ended(Err(StationError::Stopping)),
    }
}

/// Has the appliance process do it, which says in its own words why not. The recorder waits for nothing here, and a step
/// of the clock moves nothing that is being recorded.
fn by_appliance(world: &World, work: impl FnOnce(&Appliance) -> Result<(), ApplianceError>) -> JobEnd {
    JobEnd::Ended(match work(&world.appliance) {
        Ok(()) => Outcome::Done { detail: Map::new() },
        Err(error) => not_done(&error),
    })
}

/// Why the appliance process has not done it.
pub(super) fn not_done(error: &ApplianceError) -> Outcome {
    failure(error.code(), error.to_string())
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
    let mut bodies = Vec::with_capacity(contacts.len());
    for set in contacts {
        let before = match world.catalog.contact(&set.number) {
            Ok(before) => before.unwrap_or_default(),
            Err(error) => return failure(error.code(), error.to_string()),
        };
        let contact = after(before, set, &world.serial);
        if let Err(wrong) = contact.check() {
            let number: String = contact.number.chars().take(32).collect();
            return failure(code::COMMAND_INVALID, format!("contact {number:?}: {wrong}"));
        }
        bodies.push(Body::ContactSet(contact));
    }
    match world.catalog.append(bodies) {
        Ok(_) => Outcome::Done { detail: Map::new() },
        Err(error) => failure(error.code(), error.to_string()),
    }
}

/// The contact as it is to be; what the platform says nothing of stays.
fn after(before: Contact, set: ContactToSet, serial: &str) -> Contact {
    let ContactToSet { number, name, department, note, more } = set;
    let contact = Contact { number, name, department, note, ..before };
    match more {
        None => contact,
        Some(MoreOfContact { extension, outside_number, position, email, port }) => {
            let port = port.map(|port| ContactPort { station: serial.to_owned(), port });
            Contact { extension, outside_number, position, email, port, ..contact }
        }
    }
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
            let ours = OURS.contains(&code.as_str());
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
