//! One station that the platform knows: what was set, what has come of it, and its connection; and how others see it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use catalog::{Device, Pull, Ranges};
use serde::Serialize;
use tokio::sync::mpsc;
use uplink::Fingerprint;
use uplink::message::{Heartbeat, Limits, PortNow, ToStation};

use crate::clock_watch::ClockWatch;
use crate::pull::PullNow;
use crate::remembered::Remembered;

/// A station as the pages show it: what was set, and how it is now.
#[derive(Clone, Debug)]
pub struct DeviceNow {
    pub device: Arc<Device>,
    pub online: bool,
    /// Where it dials from; the last place while it is away.
    pub address: Option<SocketAddr>,
    /// Microseconds of UTC since 1970, as all times here.
    pub connected_since_us: Option<i64>,
    /// When something of it was last kept.
    pub last_received_us: Option<i64>,
    /// When it last had nothing that the platform lacks.
    pub last_synchronised_us: Option<i64>,
    /// Items that it has and the platform lacks, by its last heartbeat.
    pub waiting: Option<u64>,
    pub disk_free_bytes: Option<u64>,
    pub disk_total_bytes: Option<u64>,
    pub recording_now: u32,
    pub recording_peak: u32,
    /// By number; what is being recorded on each as well.
    pub ports: Arc<BTreeMap<u16, PortNow>>,
    pub release: Option<String>,
    /// What it calls itself.
    pub own_name: Option<String>,
    /// Milliseconds that its clock is ahead of the platform's.
    pub clock_offset_ms: Option<i64>,
    /// A box with its serial number and another key has knocked lately.
    pub other_key: Option<OtherKey>,
    /// Why it does not synchronise.
    pub trouble: Option<String>,
    /// How asking it goes; `None`: it only dials.
    pub pull: Option<PullNow>,
}

impl DeviceNow {
    /// It does not dial: it is away from visit to visit.
    pub fn is_only_asked(&self) -> bool {
        self.pull.as_ref().is_some_and(|pull| !pull.dials)
    }
}

/// A box with the serial number of a station and another key than the one pinned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OtherKey {
    pub fingerprint: Fingerprint,
    pub address: SocketAddr,
    pub first_us: i64,
    pub last_us: i64,
}

/// What the care thread wants to know of a station.
#[derive(Clone, Debug)]
pub(crate) struct Watched {
    pub serial: String,
    pub name: String,
    pub switched_on: bool,
    pub online: bool,
    /// Its connection has lasted for a while.
    pub settled: bool,
    /// Since it was last connected for a while, or could have been.
    pub away_since: Instant,
    /// Since something of it was last kept, or could have been.
    pub nothing_since: Instant,
    /// Since it has something waiting and nothing was kept.
    pub stuck_since: Option<Instant>,
    /// Something of it has come since the start.
    pub received: bool,
    pub clock_wrong: Option<bool>,
    pub clock_offset_ms: Option<i64>,
    pub other_key: Option<(OtherKey, Instant)>,
    pub trouble: Option<String>,
    /// Hours from visit to visit of one that only is asked.
    pub every_hours: u32,
    /// It is asked, whether it dials or not.
    pub asked: bool,
}

impl Watched {
    /// Minutes of being away that are an alarm, where `limit` are one for a station that dials. One that only is asked is
    /// away from visit to visit.
    pub fn offline_after_min(&self, limit: u32) -> u32 {
        limit.saturating_add(self.every_hours.saturating_mul(60))
    }

    /// It should be here and is not; one that only is asked, when it has missed its visit.
    pub fn is_missed(&self, limit: u32, minute: Duration) -> bool {
        let has_missed_visit = || self.away_since.elapsed() >= minute * self.offline_after_min(limit);
        self.switched_on && !self.online && (self.every_hours == 0 || has_missed_visit())
    }
}

/// A station that is asked.
pub(crate) struct Askable {
    pub pull: Pull,
    /// In its quiet hours now.
    pub quiet: bool,
    /// It is connected of its own.
    pub has_dialled: bool,
    /// It has been since the start.
    pub dials: bool,
    /// It has nothing that the platform lacks, by its last heartbeat.
    pub synchronised: bool,
}

/// What of a station is in the journal.
#[derive(Clone, Debug, Default)]
pub(crate) struct Come {
    /// Entries of its journal.
    pub arrived: Ranges,
    /// The highest number of its records; 0: none.
    pub highest_record: u64,
}

/// The connection of a station. Dropped, the connection ends.
pub(crate) struct Line {
    pub to_station: mpsc::Sender<ToStation>,
    pub fingerprint: Fingerprint,
    pub began: Instant,
    pub since_us: i64,
    pub limits: Limits,
    /// By the station; else it was asked.
    pub dialled: bool,
}

pub(crate) struct Known {
    pub device: Arc<Device>,
    pub pinned: Option<Fingerprint>,
    /// Entries of its journal that are in ours.
    pub arrived: Ranges,
    /// No record of its that is in ours has a higher number.
    pub highest_record: u64,
    /// Records that were kept since the start: the catalog may not show them yet.
    pub records: Ranges,
    pub line: Option<Line>,
    pub address: Option<SocketAddr>,
    pub away_since: Instant,
    pub nothing_since: Instant,
    pub stuck_since: Option<Instant>,
    pub last_received_us: Option<i64>,
    pub last_synchronised_us: Option<i64>,
    /// Of its connection.
    pub heartbeat: Option<Heartbeat>,
    /// Bytes that are free on its disk, and of all, when it last told.
    pub disk: Option<(u64, u64)>,
    pub ports: Arc<BTreeMap<u16, PortNow>>,
    pub release: Option<String>,
    pub own_name: Option<String>,
    pub clock: ClockWatch,
    pub other_key: Option<(OtherKey, Instant)>,
    pub trouble: Option<String>,
    /// The last entry of its that was refused, and why: others are kept meanwhile.
    pub refused: Option<(u64, String)>,
    /// It has dialled since the start.
    pub dials: bool,
}

/// A fingerprint as a device keeps it, if it is one.
pub(crate) fn pinned(device: &Device) -> Option<Fingerprint> {
    device.fingerprint.as_deref()?.parse().ok()
}

impl Known {
    pub fn new(device: Device, come: Come) -> Self {
        let now = Instant::now();
        let Come { arrived, highest_record } = come;
        Self {
            pinned: pinned(&device),
            device: Arc::new(device),
            arrived,
            highest_record,
            records: Ranges::default(),
            line: None,
            address: None,
            away_since: now,
            nothing_since: now,
            stuck_since: None,
            last_received_us: None,
            last_synchronised_us: None,
            heartbeat: None,
            disk: None,
            ports: Arc::default(),
            release: None,
            own_name: None,
            clock: ClockWatch::default(),
            other_key: None,
            trouble: None,
            refused: None,
            dials: false,
        }
    }

    /// The connection is ended, now or soon. What comes and breaks again at once ends neither being away nor being
    /// stuck: it counts as a connection when it has lasted for `settled_after`.
    pub fn cut(&mut self, settled_after: Duration) {
        if self.is_settled(settled_after) {
            self.away_since = Instant::now();
        }
        self.line = None;
        if self.is_only_asked() {
            // Between visits nothing is expected of it.
            self.stuck_since = None;
        }
        self.clock = ClockWatch::default();
        // What was being recorded goes on, but nobody here knows how.
        if self.ports.values().any(|port| port.recording.is_some()) {
            Arc::make_mut(&mut self.ports).values_mut().for_each(|port| port.recording = None);
        }
    }

    /// It is connected, and not only for a moment; a visit may be short.
    pub fn is_settled(&self, after: Duration) -> bool {
        self.line.as_ref().is_some_and(|line| self.is_only_asked() || line.began.elapsed() >= after)
    }

    /// It does not dial.
    pub fn is_only_asked(&self) -> bool {
        self.device.pull.is_some() && !self.dials
    }

    /// What outlives the platform's own restart.
    pub fn to_remember(&self) -> Remembered {
        Remembered {
            address: self.address,
            last_received_us: self.last_received_us,
            last_synchronised_us: self.last_synchronised_us,
            release: self.release.clone(),
            own_name: self.own_name.clone(),
            disk_free_bytes: self.disk.map(|(free_bytes, _)| free_bytes),
            disk_total_bytes: self.disk.map(|(_, total_bytes)| total_bytes),
        }
    }

    /// Takes over what the platform knew before its restart.
    pub fn recall(&mut self, before: Remembered) {
        self.address = before.address;
        self.last_received_us = before.last_received_us;
        self.last_synchronised_us = before.last_synchronised_us;
        (self.release, self.own_name) = (before.release, before.own_name);
        self.disk = before.disk_free_bytes.zip(before.disk_total_bytes);
    }

    pub fn trouble(&self) -> Option<String> {
        self.trouble.clone().or_else(|| self.refused.as_ref().map(|(_, why)| why.clone()))
    }

    pub fn now(&self) -> DeviceNow {
        let heartbeat = self.heartbeat.as_ref();
        let recording = self.ports.values().filter(|port| port.recording.is_some()).count() as u32;
        let told = heartbeat.map_or(0, |heartbeat| heartbeat.recording_now);
        let online = self.line.is_some();
        DeviceNow {
            device: self.device.clone(),
            online,
            address: self.address,
            connected_since_us: self.line.as_ref().map(|line| line.since_us),
            last_received_us: self.last_received_us,
            last_synchronised_us: self.last_synchronised_us,
            waiting: heartbeat.map(|heartbeat| heartbeat.waiting),
            disk_free_bytes: self.disk.map(|(free_bytes, _)| free_bytes),
            disk_total_bytes: self.disk.map(|(_, total_bytes)| total_bytes),
            recording_now: match (online, self.ports.is_empty()) {
                (false, _) => 0,
                (true, true) => told,
                (true, false) => recording,
            },
            recording_peak: heartbeat.map_or(0, |heartbeat| heartbeat.recording_peak).max(recording),
            ports: self.ports.clone(),
            release: self.release.clone(),
            own_name: self.own_name.clone(),
            clock_offset_ms: self.clock.offset_ms(),
            other_key: self.other_key.as_ref().map(|(other, _)| other.clone()),
            trouble: self.trouble(),
            pull: None,
        }
    }
}
