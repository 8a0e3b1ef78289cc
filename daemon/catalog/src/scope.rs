//! What a person may see. Every query takes one; on a fresh station it is everything, on a platform what the person's
//! department has, and had, of stations and ports.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::index::contacts::may_read;

/// Everything, or what some grants give. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// `None`: everything.
    grants: Option<Arc<Grants>>,
    departments: Only<String>,
    /// Whose contacts may be read beside those of no department; searching in a part of the tree takes no names away.
    contacts: Only<String>,
    /// What it was narrowed to.
    stations: Only<String>,
}

/// Ports of a station, for records that start at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Serial number; `None`: every station.
    pub station: Option<String>,
    pub ports: Only<u16>,
    /// Ports that it does not give all the same.
    pub except: BTreeSet<u16>,
    /// Microseconds of UTC; `i64::MIN`: since ever.
    pub from_us: i64,
    /// Before this; `i64::MAX`: for ever.
    pub to_us: i64,
}

impl Grant {
    /// All ports of a station, at all times.
    pub fn of_station(serial: impl Into<String>) -> Self {
        Self {
            station: Some(serial.into()),
            ports: Only::All,
            except: BTreeSet::new(),
            from_us: i64::MIN,
            to_us: i64::MAX,
        }
    }

    pub(crate) fn gives_port(&self, port: u16) -> bool {
        self.ports.allows(&port) && !self.except.contains(&port)
    }

    fn gives_something(&self) -> bool {
        match &self.ports {
            Only::All => true,
            Only::These(ports) => !ports.is_subset(&self.except),
        }
    }

    fn holds_at(&self, us: i64) -> bool {
        self.from_us <= us && us < self.to_us
    }
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Grants {
    of_every_station: Vec<Grant>,
    of_station: BTreeMap<String, Vec<Grant>>,
}

/// Everything, or these and no others (none of them: nothing at all).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Only<T> {
    All,
    These(BTreeSet<T>),
}

impl Scope {
    /// No limit.
    pub fn everything() -> Self {
        Self { grants: None, departments: Only::All, contacts: Only::All, stations: Only::All }
    }

    /// These ports of every station, at all times.
    pub fn ports(ports: impl IntoIterator<Item = u16>) -> Self {
        let ports = Only::These(ports.into_iter().collect());
        let except = BTreeSet::new();
        Self::of([Grant { station: None, ports, except, from_us: i64::MIN, to_us: i64::MAX }], Only::All)
    }

    /// What at least one of the grants gives, and the audit trail of these departments.
    pub fn of(grants: impl IntoIterator<Item = Grant>, departments: Only<String>) -> Self {
        let mut held = Grants::default();
        for grant in grants {
            match &grant.station {
                None => held.of_every_station.push(grant),
                Some(serial) => held.of_station.entry(serial.clone()).or_default().push(grant),
            }
        }
        let contacts = departments.clone();
        Self { grants: Some(Arc::new(held)), departments, contacts, stations: Only::All }
    }

    /// What of this scope concerns these stations.
    #[must_use]
    pub fn within_stations(&self, serials: &BTreeSet<String>) -> Self {
        let of_one = |serial: &String| match self.grants_of(serial) {
            None => vec![Grant::of_station(serial)],
            Some(grants) => {
                grants.map(|grant| Grant { station: Some(serial.clone()), ..grant.clone() }).collect()
            }
        };
        let narrowed = Self::of(serials.iter().flat_map(of_one), self.departments.clone());
        let asked = serials.iter().filter(|serial| self.stations.allows(serial)).cloned().collect();
        Self { stations: Only::These(asked), contacts: self.contacts.clone(), ..narrowed }
    }

    /// The same, with the names of people that somebody of `other` may read.
    #[must_use]
    pub fn with_contacts_of(self, other: &Self) -> Self {
        Self { contacts: other.contacts.clone(), ..self }
    }

    pub fn is_everything(&self) -> bool {
        self.grants.is_none()
    }

    /// Whether a record that starts at this moment may be seen.
    pub fn allows_record(&self, serial: &str, port: u16, start_us: i64) -> bool {
        self.grants_of(serial)
            .is_none_or(|mut grants| grants.any(|grant| grant.gives_port(port) && grant.holds_at(start_us)))
    }

    /// Whether a port is granted now.
    pub fn port_now(&self, serial: &str, port: u16, now_us: i64) -> bool {
        self.allows_record(serial, port, now_us)
    }

    /// Whether something of a station is granted now: then what concerns it as a whole may be seen.
    pub fn station_now(&self, serial: &str, now_us: i64) -> bool {
        self.grants_of(serial)
            .is_none_or(|mut grants| grants.any(|grant| grant.gives_something() && grant.holds_at(now_us)))
    }

    /// Whether it was narrowed to other stations than this.
    pub(crate) fn asks_for(&self, serial: &str) -> bool {
        match &self.stations {
            Only::All => true,
            Only::These(serials) => serials.contains(serial),
        }
    }

    /// Departments whose accounts' actions may be seen.
    pub fn departments(&self) -> &Only<String> {
        &self.departments
    }

    /// Departments whose contacts may be read; those of no department may be by all.
    pub fn contacts(&self) -> &Only<String> {
        &self.contacts
    }

    /// Whether a contact of this department (empty: of none) may be read.
    pub fn reads_contacts_of(&self, department: &str) -> bool {
        may_read(&self.contacts, department)
    }

    /// The stations that occur in grants, in order; `None`: every station may.
    pub fn stations(&self) -> Option<impl Iterator<Item = &str>> {
        let grants = self.grants.as_ref()?;
        grants.of_every_station.is_empty().then(|| grants.of_station.keys().map(String::as_str))
    }

    /// The grants that concern a station; `None`: there is no limit.
    pub(crate) fn grants_of(&self, serial: &str) -> Option<impl Iterator<Item = &Grant> + Clone> {
        let grants = self.grants.as_ref()?;
        Some(grants.of_every_station.iter().chain(grants.of_station.get(serial).into_iter().flatten()))
    }
}

impl<T: Ord> Only<T> {
    pub fn allows(&self, thing: &T) -> bool {
        match self {
            Self::All => true,
            Self::These(these) => these.contains(thing),
        }
    }
}
