//! Contacts as callers see and set them: which members a request or a line of a file sets, whether the caller may, and
//! what is told. The limits of each member are the catalog's.

use std::collections::BTreeSet;

use catalog::{Contact, ContactPort, ContactQuery, Only, Scope};
use serde_json::{Value, json};

use crate::app::App;
use crate::fields::{Fields, Given};
use crate::problem::{Code, Problem};
use crate::query::{Query, whole_of};
use crate::role::{Role, Served};
use crate::scope::{check_department, manages, not_yours, scope_of};
use crate::session::Caller;
use crate::time;
use crate::view::View;

const SERIAL: &str = "the serial number of a station, or null";
const PORT: &str = "a port number from 1 to 65535, or null";

/// What is to become of a contact; what is absent stays as it is.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    pub name: Option<String>,
    pub department: Option<String>,
    pub extension: Option<String>,
    pub outside_number: Option<String>,
    pub position: Option<String>,
    pub email: Option<String>,
    pub note: Option<String>,
    /// `Some(None)`: nobody's port.
    pub port: Option<Option<ContactPort>>,
}

impl Asked {
    /// Takes the members of a request.
    pub fn of(app: &App, fields: &mut Fields) -> Result<Self, Problem> {
        let mut text = |name| fields.maybe(name, "text", |value| value.as_str().map(str::to_owned));
        let mut asked = Self {
            name: text("name")?,
            department: text("department")?,
            extension: text("extension")?,
            outside_number: text("outside_number")?,
            position: text("position")?,
            email: text("email")?,
            note: text("note")?,
            port: None,
        };
        let station = fields.optional("station", SERIAL, |value| value.as_str().map(str::to_owned))?;
        let port = fields.optional("port", PORT, |value| u16::try_from(value.as_u64()?).ok())?;
        asked.port = port_asked(app, station, port)?;
        Ok(asked)
    }

    pub fn is_nothing(&self) -> bool {
        let texts = [
            &self.name,
            &self.department,
            &self.extension,
            &self.outside_number,
            &self.position,
            &self.email,
            &self.note,
        ];
        texts.into_iter().all(Option::is_none) && self.port.is_none()
    }

    fn over(self, before: Contact) -> Contact {
        Contact {
            name: self.name.unwrap_or(before.name),
            department: self.department.unwrap_or(before.department),
            extension: self.extension.unwrap_or(before.extension),
            outside_number: self.outside_number.unwrap_or(before.outside_number),
            position: self.position.unwrap_or(before.position),
            email: self.email.unwrap_or(before.email),
            note: self.note.unwrap_or(before.note),
            port: self.port.unwrap_or(before.port),
            ..before
        }
    }
}

/// Station and port belong together; a station's own pages need not name the station.
///
/// # Errors
/// `field_missing` for the one of them that is not there.
pub fn port_asked(
    app: &App,
    station: Given<String>,
    port: Given<u16>,
) -> Result<Option<Option<ContactPort>>, Problem> {
    let own = || match app.served.role() {
        Role::Station => Ok(app.served.info().serial),
        Role::Platform => Err(Problem::field_missing("station")),
    };
    match (station, port) {
        (Given::Absent, Given::Absent) => Ok(None),
        (Given::Absent | Given::Null, Given::Null) | (Given::Null, Given::Absent) => Ok(Some(None)),
        (Given::Value(_), Given::Absent | Given::Null) => Err(Problem::field_missing("port")),
        (Given::Value(station), Given::Value(port)) => Ok(Some(Some(ContactPort { station, port }))),
        (Given::Absent | Given::Null, Given::Value(port)) => {
            Ok(Some(Some(ContactPort { station: own()?, port })))
        }
    }
}

/// Judges what a caller would make of contacts, at one moment.
pub struct Judge<'a> {
    app: &'a App,
    scope: Scope,
    /// Of a platform; on a station a department is a word.
    departments: BTreeSet<String>,
    now_us: i64,
}

impl<'a> Judge<'a> {
    /// Blocks.
    ///
    /// # Errors
    /// When the catalog cannot be read.
    pub fn of(app: &'a App, caller: &Caller) -> Result<Self, Problem> {
        let departments = app.catalog().departments()?.into_iter().map(|one| one.name).collect();
        Ok(Self { app, scope: scope_of(app, caller)?, departments, now_us: time::now_us() })
    }

    /// The contact of a number, whosever it is. Blocks.
    pub fn known(&self, number: &str) -> Result<Option<Contact>, Problem> {
        Ok(self.app.catalog().contact(number)?)
    }

    /// A contact that was not there.
    ///
    /// # Errors
    /// `contact_exists`, and those of `changed`.
    pub fn made(&self, number: String, known: Option<&Contact>, asked: Asked) -> Result<Contact, Problem> {
        if known.is_some() {
            let title = format!("There is already a contact for {number}.");
            return Err(Problem::new(Code::ContactExists, title).with("number", number));
        }
        if asked.name.is_none() {
            return Err(Problem::field_missing("name"));
        }
        let contact = asked.over(Contact { number, ..Contact::default() });
        self.check(&contact)?;
        self.check_department(&contact.department)?;
        self.check_port(&contact)?;
        Ok(contact)
    }

    /// A contact as it would be. What the caller does not see of it stays as it is.
    ///
    /// # Errors
    /// `field_invalid`; `not_found` for a department, station or port; `department_not_yours`.
    pub fn changed(&self, before: &Contact, mut asked: Asked) -> Result<Contact, Problem> {
        if asked.port == Some(None) && !self.sees_port(before) {
            asked.port = None;
        }
        let contact = asked.over(before.clone());
        self.check(&contact)?;
        if contact.department != before.department {
            self.check_department(&contact.department)?;
        }
        if contact.port != before.port {
            self.check_port(&contact)?;
        }
        Ok(contact)
    }

    /// Whether a contact may be read.
    pub fn reads(&self, contact: &Contact) -> bool {
        self.scope.reads_contacts_of(&contact.department)
    }

    /// The contact an address names, if it is the caller's to change: one of no department is everybody's to read, and
    /// on a platform for those of the whole tree to change. Blocks.
    ///
    /// # Errors
    /// `not_found`, `department_not_yours`.
    pub fn found(&self, number: &str) -> Result<Contact, Problem> {
        let contact = self.known(number)?.filter(|contact| self.reads(contact));
        let contact = contact.ok_or_else(|| Problem::not_found("contact", number))?;
        self.check_own(&contact)?;
        Ok(contact)
    }

    /// # Errors
    /// `department_not_yours`.
    pub fn check_own(&self, contact: &Contact) -> Result<(), Problem> {
        if manages(&self.scope, department_of(&contact.department)) {
            return Ok(());
        }
        Err(not_yours().with("number", contact.number.as_str()))
    }

    fn check(&self, contact: &Contact) -> Result<(), Problem> {
        contact.check().map_err(|wrong| Problem::field_invalid(wrong.field, wrong.expected))
    }

    /// A contact of a platform belongs to a department of the caller's.
    fn check_department(&self, name: &str) -> Result<(), Problem> {
        if self.app.served.role() == Role::Station {
            return Ok(());
        }
        match department_of(name) {
            None if self.scope.is_everything() => Ok(()),
            None => Err(not_yours()),
            Some(name) if self.departments.contains(name) && manages(&self.scope, Some(name)) => Ok(()),
            Some(name) => Err(Problem::not_found("department", name)),
        }
    }

    fn check_port(&self, contact: &Contact) -> Result<(), Problem> {
        let Some(at) = &contact.port else { return Ok(()) };
        let there = match &self.app.served {
            Served::Station(_) if at.station != self.app.served.info().serial => {
                return Err(Problem::field_invalid("station", "the serial number of this box"));
            }
            Served::Station(station) => station.live().port(at.port).is_some(),
            Served::Platform(platform) => {
                let device = platform.device(&at.station).filter(|_| self.sees_port(contact));
                let device = device.ok_or_else(|| Problem::not_found("device", &at.station))?;
                // One that has never connected has told none of its ports.
                device.ports.is_empty() || device.ports.contains_key(&at.port)
            }
        };
        if there { Ok(()) } else { Err(Problem::not_found("port", at.port)) }
    }

    fn sees_port(&self, contact: &Contact) -> bool {
        sees_port(&self.scope, contact, self.now_us)
    }
}

/// Whether the port that the contact uses may be seen, or it uses none.
pub fn sees_port(scope: &Scope, contact: &Contact, now_us: i64) -> bool {
    contact.port.as_ref().is_none_or(|at| scope.port_now(&at.station, at.port, now_us))
}

fn department_of(name: &str) -> Option<&str> {
    Some(name).filter(|name| !name.is_empty())
}

/// As the contract has it. A port that the reader does not see is not named.
pub fn contact_json(contact: &Contact, view: &View) -> Value {
    let mut contact = contact.clone();
    if !sees_port(view.scope(), &contact, time::now_us()) {
        contact.port = None;
    }
    let station_name = contact.port.as_ref().and_then(|at| view.station_name(&at.station));
    let mut value = contact_trail(&contact);
    value["station_name"] = json!(station_name);
    value
}

/// As the audit trail has it.
pub fn contact_trail(contact: &Contact) -> Value {
    json!({
        "number": contact.number,
        "name": contact.name,
        "department": contact.department,
        "extension": contact.extension,
        "outside_number": contact.outside_number,
        "position": contact.position,
        "email": contact.email,
        "station": contact.port.as_ref().map(|at| &at.station),
        "port": contact.port.as_ref().map(|at| at.port),
        "note": contact.note,
    })
}

/// Filters of the list and of its export, before it is known who asks.
#[derive(Clone, Debug)]
pub struct Filters(ContactQuery);

impl Filters {
    pub fn of(query: &mut Query) -> Result<Self, Problem> {
        let port = |text: &str| whole_of(text).and_then(|number| u16::try_from(number).ok());
        Ok(Self(ContactQuery {
            text: query.text("text", 1..=64)?,
            number: query.text("number", 1..=32)?,
            name: query.text("name", 1..=64)?,
            department: query.text("department", 1..=64)?,
            extension: query.text("extension", 1..=32)?,
            outside_number: query.text("outside_number", 1..=32)?,
            position: query.text("position", 1..=64)?,
            email: query.text("email", 1..=254)?,
            note: query.text("note", 1..=100)?,
            departments: None,
            station: query.text("station", 1..=64)?,
            port: query.one("port", "a port number from 1 to 65535", port)?,
        }))
    }

    /// With what the caller may read. On a platform a department stands for itself and those below it. Blocks.
    ///
    /// # Errors
    /// `not_found` for a department that is not there, or not the caller's.
    pub fn asked_by(mut self, app: &App, caller: &Caller) -> Result<(Scope, ContactQuery), Problem> {
        let scope = scope_of(app, caller)?;
        if app.served.role() == Role::Platform
            && let Some(name) = self.0.department.take()
        {
            check_department(app, &scope, Some(&name))?;
            self.0.departments = match app.catalog().scope_of_department(&name)?.departments() {
                Only::These(names) => Some(names.clone()),
                Only::All => None,
            };
        }
        Ok((scope, self.0))
    }
}
