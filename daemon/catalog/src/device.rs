//! What a platform knows of its stations and of the departments they belong to. Both are kept whole in the journal, so
//! that the last entry of a name is all there is to know.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A station that the platform knows (PF-02, PF-04).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    pub serial: String,
    #[serde(default)]
    pub name: String,
    /// Of the key that the station has to prove; `None`: the first that comes is pinned.
    #[serde(default)]
    pub fingerprint: Option<String>,
    /// Off: it is not let in.
    pub switched_on: bool,
    /// Oldest first.
    #[serde(default)]
    pub departments: Vec<Since>,
    /// Ports that belong elsewhere than the station as a whole.
    #[serde(default)]
    pub ports: BTreeMap<u16, Vec<Since>>,
    /// Audio a second; `None`: as fast as it goes.
    #[serde(default)]
    pub audio_bytes_per_s: Option<u64>,
    /// Minutes of the platform's day between which the backlog waits, the first included; may go over midnight.
    #[serde(default)]
    pub quiet_hours: Option<(u16, u16)>,
    /// A station that cannot dial: the platform asks it.
    #[serde(default)]
    pub pull: Option<Pull>,
    #[serde(default)]
    pub note: String,
}

impl Device {
    /// A station that may come in and belongs to nobody yet.
    pub fn new(serial: impl Into<String>) -> Self {
        Self {
            serial: serial.into(),
            name: String::new(),
            fingerprint: None,
            switched_on: true,
            departments: Vec::new(),
            ports: BTreeMap::new(),
            audio_bytes_per_s: None,
            quiet_hours: None,
            pull: None,
            note: String::new(),
        }
    }

    /// The department that a port belongs to at a time; of the station as a whole with `port` `None`.
    pub fn department_at(&self, port: Option<u16>, utc_us: i64) -> Option<&str> {
        let spans = port.and_then(|port| self.ports.get(&port)).unwrap_or(&self.departments);
        spans.iter().rev().find(|since| since.from_us <= utc_us)?.department.as_deref()
    }
}

/// Belongs to a department from then on, until the next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Since {
    /// Microseconds of UTC since 1970.
    pub from_us: i64,
    /// `None`: to nobody but those who see the whole tree.
    pub department: Option<String>,
}

/// How a station that cannot dial is asked (MG-06).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pull {
    /// `host:port` of its pages.
    pub address: String,
    pub token: String,
    pub every_hours: u32,
    /// Of its certificate; `None`: the first that comes is pinned.
    #[serde(default)]
    pub fingerprint: Option<String>,
}

/// The token stays out of logs.
impl std::fmt::Debug for Pull {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Pull")
            .field("address", &self.address)
            .field("every_hours", &self.every_hours)
            .finish_non_exhaustive()
    }
}

/// A part of the organisation (MG-07).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Department {
    /// Unique.
    pub name: String,
    /// 1–4 capital letters, unique.
    pub prefix: String,
    /// `None`: at the top.
    #[serde(default)]
    pub parent: Option<String>,
    /// Public-security organisation code (GA/T 380; PF-17).
    #[serde(default)]
    pub code: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_belongs_to_its_own_department_or_to_the_stations() {
        let since = |from_us, name: Option<&str>| Since { from_us, department: name.map(str::to_owned) };
        let mut device = Device::new("HKLN-01121571897162");
        assert_eq!(device.department_at(None, 50), None);
        device.departments = vec![since(10, Some("east")), since(20, Some("west")), since(30, None)];
        device.ports.insert(2, vec![since(15, Some("desk"))]);
        let at = |port, time| device.department_at(port, time);
        assert_eq!([at(None, 9), at(None, 10), at(None, 29)], [None, Some("east"), Some("west")]);
        assert_eq!([at(None, 30), at(Some(1), 12), at(Some(2), 12)], [None, Some("east"), None]);
        assert_eq!(at(Some(2), 99), Some("desk"));
    }
}
