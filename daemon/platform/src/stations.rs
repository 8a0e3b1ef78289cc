//! The stations that the platform knows: what is written of them in the journal, and what is known of each now. One
//! lock guards all of it, and is never held while something waits for a disk or the network.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use catalog::Device;
use recording::RecordId;
use tokio::sync::{mpsc, watch};
use upkeep::identity::is_serial;
use uplink::message::{ClockNow, Heartbeat, Hello, Limits, PortNow, Refusal, RefusalCode, ToStation};
use uplink::platform_end::Peer;

use crate::lock;
use crate::quiet;
use crate::remembered;
use crate::station::{Askable, Come, DeviceNow, Known, Line, OtherKey, Watched, pinned};
use crate::texts;
use crate::waiting::{Waiting, WaitingList};

/// Why a message cannot be sent to a station.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotSent {
    Offline,
    Busy,
}

/// Messages to a station that wait for its connection.
const MESSAGES_WAITING: usize = 256;
/// Texts of a port, in bytes; a station sends far less.
const MOST_PORT_TEXT: usize = 512;

pub(crate) struct Stations {
    known: Mutex<HashMap<String, Known>>,
    waiting: Mutex<WaitingList>,
    changes: watch::Sender<u64>,
    /// A connection that has lasted for so long is more than a knock.
    settled_after: Duration,
}

/// What a visit is for is the backlog: quiet hours say when it begins, and not how it goes on.
fn limits_of(device: &Device, dialled: bool, limits: impl FnOnce(&Device) -> Limits) -> Limits {
    let limits = limits(device);
    Limits { backlog_held: limits.backlog_held && dialled, ..limits }
}

impl Stations {
    pub fn new(settled_after: Duration) -> Self {
        let (known, waiting, changes) = (Mutex::default(), Mutex::default(), watch::Sender::new(0));
        Self { known, waiting, changes, settled_after }
    }

    /// What the journal says of each, read at the start; and what was known of them `before`.
    pub fn load(&self, devices: Vec<(Device, Come)>, mut before: remembered::All) {
        let known = |(device, come): (Device, Come)| {
            let serial = device.serial.clone();
            let mut known = Known::new(device, come);
            if let Some(before) = before.remove(&serial) {
                known.recall(before);
            }
            (serial, known)
        };
        *lock(&self.known) = devices.into_iter().map(known).collect();
        self.changed();
    }

    /// Counts up with every change of what is known of a station.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    pub fn changed(&self) {
        self.changes.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// What is to be known after a restart.
    pub fn to_remember(&self) -> remembered::All {
        lock(&self.known).iter().map(|(serial, known)| (serial.clone(), known.to_remember())).collect()
    }

    // What was set.

    pub fn device(&self, serial: &str) -> Option<Arc<Device>> {
        lock(&self.known).get(serial).map(|known| known.device.clone())
    }

    pub fn count(&self) -> usize {
        lock(&self.known).len()
    }

    /// It stands in the journal now.
    pub fn added(&self, device: Device, come: Come) {
        lock(&self.waiting).remove(&device.serial);
        lock(&self.known).insert(device.serial.clone(), Known::new(device, come));
        self.changed();
    }

    /// The change stands in the journal now. A station that may not go on as it is loses its connection.
    pub fn set(&self, device: Device) {
        if let Some(known) = lock(&self.known).get_mut(&device.serial) {
            let switched = device.switched_on && !known.device.switched_on;
            known.pinned = pinned(&device);
            let (pinned, on) = (known.pinned, device.switched_on);
            known.device = Arc::new(device);
            if switched {
                (known.away_since, known.nothing_since) = (Instant::now(), Instant::now());
            }
            let other =
                known.line.as_ref().is_some_and(|line| pinned.is_some_and(|key| key != line.fingerprint));
            if !on || other {
                known.cut(self.settled_after);
            }
            if known.other_key.as_ref().is_some_and(|(other, _)| Some(other.fingerprint) == pinned) {
                known.other_key = None;
            }
        }
        self.changed();
    }

    pub fn removed(&self, serial: &str) {
        lock(&self.known).remove(serial);
        self.changed();
    }

    // Who comes and goes.

    /// Whether it may come in; if not, it is noted that it knocked.
    pub fn judge(&self, peer: &Peer, now_us: i64) -> Result<(), Refusal> {
        let judged = self.judge_known(&mut lock(&self.known), peer, now_us);
        if let Err(refusal) = &judged
            && refusal.code == RefusalCode::Waiting
            && is_serial(&peer.hello.serial)
        {
            let Hello { serial, name, .. } = &peer.hello;
            lock(&self.waiting).knocked(serial, name, peer.fingerprint, peer.address, now_us);
            self.changed();
        }
        judged
    }

    fn judge_known(
        &self,
        known: &mut HashMap<String, Known>,
        peer: &Peer,
        now_us: i64,
    ) -> Result<(), Refusal> {
        let Some(known) = known.get_mut(&peer.hello.serial) else {
            return Err(Refusal::new(RefusalCode::Waiting));
        };
        if known.pinned.is_some_and(|pinned| pinned != peer.fingerprint) {
            let (fingerprint, address) = (peer.fingerprint, peer.address);
            let same = known.other_key.as_ref().filter(|(other, _)| other.fingerprint == fingerprint);
            let first_us = same.map_or(now_us, |(other, _)| other.first_us);
            let other = OtherKey { fingerprint, address, first_us, last_us: now_us };
            known.other_key = Some((other, Instant::now()));
            self.changed();
            return Err(Refusal::new(RefusalCode::OtherKey));
        }
        if !known.device.switched_on {
            return Err(Refusal::new(RefusalCode::SwitchedOff));
        }
        Ok(())
    }

    /// Lets it in; it has `dialled`, or was asked. Judged once more: the operator may have changed something while it
    /// waited.
    pub fn admit(
        &self,
        peer: &Peer,
        dialled: bool,
        limits: impl FnOnce(&Device) -> Limits,
        now_us: i64,
    ) -> Result<(Limits, mpsc::Receiver<ToStation>), Refusal> {
        let mut all = lock(&self.known);
        self.judge_known(&mut all, peer, now_us)?;
        let Some(known) = all.get_mut(&peer.hello.serial) else {
            return Err(Refusal::new(RefusalCode::Waiting));
        };
        let (to_station, from_us) = mpsc::channel(MESSAGES_WAITING);
        let limits = limits_of(&known.device, dialled, limits);
        let fingerprint = peer.fingerprint;
        known.cut(self.settled_after);
        let began = Instant::now();
        known.line = Some(Line { to_station, fingerprint, began, since_us: now_us, limits, dialled });
        known.dials |= dialled;
        known.address = Some(peer.address);
        known.heartbeat = None;
        known.release = Some(short(&peer.hello.release));
        known.own_name = Some(short(&peer.hello.name));
        known.clock.heard(peer.hello.clock.utc_us, now_us);
        let ports = peer.hello.ports.iter().filter(|port| is_sane(port));
        known.ports = Arc::new(ports.map(|port| (port.port, port.clone())).collect());
        drop(all);
        self.changed();
        Ok((limits, from_us))
    }

    /// Its connection has ended; `trouble` if that says why it does not synchronise.
    pub fn left(&self, serial: &str, trouble: Option<String>) {
        if let Some(known) = lock(&self.known).get_mut(serial) {
            known.cut(self.settled_after);
            if let Some(trouble) = trouble {
                known.trouble = Some(texts::sentence(&trouble));
            }
        }
        self.changed();
    }

    /// Ends all connections.
    pub fn cut_all(&self) {
        lock(&self.known).values_mut().for_each(|known| known.cut(self.settled_after));
    }

    pub fn send(&self, serial: &str, message: ToStation) -> Result<(), NotSent> {
        let all = lock(&self.known);
        let line = all.get(serial).and_then(|known| known.line.as_ref()).ok_or(NotSent::Offline)?;
        line.to_station.try_send(message).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => NotSent::Busy,
            mpsc::error::TrySendError::Closed(_) => NotSent::Offline,
        })
    }

    /// Tells each connected station its limits, if they are others now.
    pub fn refresh_limits(&self, limits: impl Fn(&Device) -> Limits) {
        for known in lock(&self.known).values_mut() {
            let Some(line) = &mut known.line else { continue };
            let now = limits_of(&known.device, line.dialled, &limits);
            if line.limits != now && line.to_station.try_send(ToStation::Limits(now)).is_ok() {
                line.limits = now;
            }
        }
    }

    // What they say.

    pub fn heartbeat(&self, serial: &str, heartbeat: Heartbeat, now_us: i64) {
        if let Some(known) = lock(&self.known).get_mut(serial) {
            known.clock.heard(heartbeat.clock.utc_us, now_us);
            if heartbeat.waiting == 0 {
                known.last_synchronised_us = Some(now_us);
                known.stuck_since = None;
                known.trouble = None;
                known.refused = None;
            } else if known.line.as_ref().is_some_and(|line| line.limits.backlog_held) {
                // A backlog that is to wait is no trouble.
                known.stuck_since = None;
            } else if known.stuck_since.is_none() {
                known.stuck_since = Some(Instant::now());
            }
            let quality = texts::code(&heartbeat.clock.quality);
            known.disk = Some((heartbeat.disk_free_bytes, heartbeat.disk_total_bytes));
            known.heartbeat = Some(Heartbeat { clock: ClockNow { quality, ..heartbeat.clock }, ..heartbeat });
        }
        self.changed();
    }

    pub fn port(&self, serial: &str, port: PortNow) {
        if !is_sane(&port) {
            return;
        }
        if let Some(known) = lock(&self.known).get_mut(serial) {
            Arc::make_mut(&mut known.ports).insert(port.port, port);
        }
        self.changed();
    }

    // What of theirs is here.

    pub fn has(&self, serial: &str, entry: u64) -> bool {
        lock(&self.known).get(serial).is_some_and(|known| known.arrived.contains(entry))
    }

    /// A record of that number may be in the journal.
    pub fn perhaps_has_record(&self, serial: &str, sequence: u64) -> bool {
        lock(&self.known).get(serial).is_some_and(|known| sequence <= known.highest_record)
    }

    /// A record of that number was kept since the start.
    pub fn kept_record(&self, serial: &str, sequence: u64) -> bool {
        lock(&self.known).get(serial).is_some_and(|known| known.records.contains(sequence))
    }

    /// These are in the journal now, or stay at the station: spans of its entries, both ends included; and the records
    /// among them.
    pub fn kept(
        &self,
        serial: &str,
        entries: impl Iterator<Item = (u64, u64)>,
        records: &[RecordId],
        now_us: i64,
    ) {
        if let Some(known) = lock(&self.known).get_mut(serial) {
            for (first, last) in entries {
                known.arrived.insert_range(first, last);
                known.refused.take_if(|(item, _)| *item == last);
            }
            for record in records {
                known.records.insert(record.sequence);
                known.highest_record = known.highest_record.max(record.sequence);
            }
            known.last_received_us = Some(now_us);
            known.nothing_since = Instant::now();
            known.stuck_since = None;
            known.trouble = None;
        }
        self.changed();
    }

    /// This entry of its has been refused, and others go on.
    pub fn refused(&self, serial: &str, item: u64, why: &str) {
        if let Some(known) = lock(&self.known).get_mut(serial) {
            known.refused = Some((item, texts::sentence(why)));
        }
        self.changed();
    }

    // What is asked.

    /// By serial number.
    pub fn all_now(&self) -> Vec<DeviceNow> {
        let mut all: Vec<DeviceNow> = lock(&self.known).values().map(Known::now).collect();
        all.sort_by(|a, b| a.device.serial.cmp(&b.device.serial));
        all
    }

    pub fn now(&self, serial: &str) -> Option<DeviceNow> {
        lock(&self.known).get(serial).map(Known::now)
    }

    pub fn waiting(&self) -> Vec<Waiting> {
        lock(&self.waiting).all()
    }

    pub fn watched(&self) -> Vec<Watched> {
        let watched = |(serial, known): (&String, &Known)| Watched {
            serial: serial.clone(),
            name: known.device.name.clone(),
            switched_on: known.device.switched_on,
            online: known.line.is_some(),
            settled: known.is_settled(self.settled_after),
            away_since: known.away_since,
            nothing_since: known.nothing_since,
            stuck_since: known.stuck_since,
            received: known.last_received_us.is_some(),
            clock_wrong: known.line.as_ref().and_then(|_| known.clock.is_wrong()),
            clock_offset_ms: known.clock.offset_ms(),
            other_key: known.other_key.clone(),
            trouble: known.trouble(),
            every_hours: match &known.device.pull {
                Some(pull) if known.is_only_asked() => pull.every_hours,
                _ => 0,
            },
            asked: known.device.pull.is_some(),
        };
        lock(&self.known).iter().map(watched).collect()
    }

    /// Stations that are to be asked, at this minute of the day.
    pub fn askable(&self, minute: u16) -> BTreeMap<String, Askable> {
        let askable = |(serial, known): (&String, &Known)| {
            let pull = known.device.pull.clone().filter(|_| known.device.switched_on)?;
            let dialled = known.line.as_ref().is_some_and(|line| line.dialled);
            let askable = Askable {
                pull,
                quiet: quiet::limits(&known.device, minute).backlog_held,
                has_dialled: dialled,
                dials: known.dials,
                synchronised: known.heartbeat.as_ref().is_some_and(|heartbeat| heartbeat.waiting == 0),
            };
            Some((serial.clone(), askable))
        };
        lock(&self.known).iter().filter_map(askable).collect()
    }

    /// The other box has not knocked for a while.
    pub fn forget_other_key(&self, serial: &str) {
        if let Some(known) = lock(&self.known).get_mut(serial) {
            known.other_key = None;
        }
        self.changed();
    }
}

fn short(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).take(64).collect()
}

/// What no station sends is not kept in memory.
fn is_sane(port: &PortNow) -> bool {
    let recording = port.recording.as_ref();
    let texts = [
        port.name.len(),
        port.line_number.as_ref().map_or(0, String::len),
        port.state.len(),
        recording.map_or(0, |one| one.call_id.len() + one.call_type.len()),
        recording.and_then(|one| one.peer_number.as_ref()).map_or(0, String::len),
    ];
    texts.into_iter().sum::<usize>() <= MOST_PORT_TEXT
}
