//! A running platform, and what pages may ask of it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::{Sender, SyncSender};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use appliance::Appliance;
use catalog::{AuditEntry, AuditResult, Catalog, DeletionReason, Deletions, RecordRow, Scope};
use chrono_tz::Tz;
use recording::{ClockQuality, DataDir, FreeSpace, RecordId};
use serde_json::{Map, Value, json};
use tokio::runtime::Runtime;
use tokio::sync::{Semaphore, watch};
use upkeep::{BoxClock, params};
use uplink::Fingerprint;
use uplink::command::What;
use uplink::message::ToStation;

use crate::care::Notice;
use crate::error::PlatformError;
use crate::intake::{Door, MOST_CONNECTIONS};
use crate::listening::{Joined, Listening, PortAudio};
use crate::lock;
use crate::orders::{self, CommandNow, CommandState, Orders};
use crate::pull::Pulls;
use crate::releases::Releases;
use crate::room::Room;
use crate::settings::{Book, PlatformSettings};
use crate::station::DeviceNow;
use crate::stations::{NotSent, Stations};
use crate::tuning::Tuning;
use crate::waiting::Waiting;

/// What a platform is started with.
#[derive(Clone, Debug)]
pub struct PlatformConfig {
    pub data: PathBuf,
    /// Where stations dial in; port 0 takes any that is free.
    pub intake: SocketAddr,
    /// Socket of the process that does what needs root; nobody needs to answer there.
    pub appliance: PathBuf,
}

/// What the box is.
#[derive(Clone, Debug)]
pub struct PlatformInfo {
    pub serial: String,
    pub name: String,
    pub version: &'static str,
    /// RFC 3339.
    pub started: String,
}

/// The care thread waits for the disk at most so long.
const HANGS_AFTER: Duration = Duration::from_secs(60);

/// How a platform is, part by part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Health {
    /// Stations can connect.
    pub intake: bool,
    /// The disk takes what they send.
    pub keeping: bool,
    /// Lists are up to date, or are catching up.
    pub catalog_following: bool,
}

impl Health {
    /// Everything works.
    pub fn is_well(self) -> bool {
        self.intake && self.keeping && self.catalog_following
    }
}

/// How hard the box works, by its last look (PF-07); `None`: not to be known here.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct VitalsNow {
    pub cpu_percent: Option<f64>,
    pub memory_percent: Option<f64>,
    pub temperature_celsius: Option<f64>,
    pub disk: Option<FreeSpace>,
}

/// A running platform. Clones share it; any thread may ask.
#[derive(Clone)]
pub struct Platform {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub info: PlatformInfo,
    pub fingerprint: Fingerprint,
    pub address: SocketAddr,
    pub settings: Arc<Book>,
    pub data: Arc<DataDir>,
    pub catalog: Catalog,
    pub clock: BoxClock,
    pub tuning: Tuning,
    pub stations: Stations,
    pub door: Door,
    pub pulls: Pulls,
    /// Held while a device is judged and its change written.
    pub registering: Mutex<()>,
    /// Held while devices are read from the catalog; taken behind `registering`.
    pub loading: Mutex<()>,
    /// Devices and what has come of them have been read from the catalog.
    pub loaded: AtomicBool,
    pub room: Arc<Room>,
    pub releases: Releases,
    /// Groups that are being kept at the same time.
    pub keeps: Arc<Semaphore>,
    pub orders: Mutex<Orders>,
    pub listening: Listening,
    pub vitals: Mutex<VitalsNow>,
    /// When the care thread, which writes to the disk, last went its round.
    pub last_round: Mutex<Instant>,
    pub notices: Sender<Notice>,
    pub mail: mail::Mail,
    pub peaks: Mutex<Option<SyncSender<PathBuf>>>,
    pub appliance: Appliance,
    pub running: Mutex<Option<Running>>,
}

/// What ends when the platform stops.
pub(crate) struct Running {
    pub runtime: Background,
    pub care: JoinHandle<()>,
    pub peaks: JoinHandle<()>,
}

/// The threads of all connections. Dropping a runtime waits, which not every thread may: this one is left behind.
pub(crate) struct Background(pub Option<Runtime>);

impl Drop for Background {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// Groups that are kept at the same time: their entries go into the journal with one write.
pub(crate) const KEEPS_AT_ONCE: usize = 48;
/// Stations put away what they have in hand within this time.
const STOP_WITHIN: Duration = Duration::from_secs(20);
/// A station that has not begun to send by then is not listened to.
const LISTEN_WITHIN_S: u32 = 10;

impl Platform {
    /// What needs root is asked of it.
    pub fn appliance(&self) -> &Appliance {
        &self.inner.appliance
    }

    /// Ends all connections, lets what is being kept come to its end, and ends the threads. Blocks. A second call does
    /// nothing.
    pub fn stop(&self) {
        let Some(running) = lock(&self.inner.running).take() else { return };
        let Running { runtime, care, peaks } = running;
        let connections = &self.inner.door.connections;
        self.inner.mail.stop();
        let until = Instant::now() + STOP_WITHIN;
        let busy = || {
            connections.available_permits() < MOST_CONNECTIONS
                || self.inner.keeps.available_permits() < KEEPS_AT_ONCE
        };
        // Nobody is let in any more.
        connections.close();
        while busy() && Instant::now() < until {
            self.inner.stations.cut_all();
            std::thread::sleep(Duration::from_millis(5));
        }
        drop(runtime);
        *lock(&self.inner.peaks) = None;
        self.inner.notify(Notice::Finish);
        let _ = (care.join(), peaks.join());
    }

    pub fn info(&self) -> PlatformInfo {
        PlatformInfo { name: self.inner.settings.now().name.clone(), ..self.inner.info.clone() }
    }

    /// Of the platform's own key: a station's operator compares it.
    pub fn fingerprint(&self) -> Fingerprint {
        self.inner.fingerprint
    }

    /// Where stations dial in.
    pub fn intake_address(&self) -> SocketAddr {
        self.inner.address
    }

    pub fn settings(&self) -> Arc<PlatformSettings> {
        self.inner.settings.now()
    }

    /// Sets members of the settings, all or none, in the file and at once. Returns the settings before and after.
    ///
    /// # Errors
    /// A setting that no platform can have, by its name; a disk that refuses.
    pub fn change_settings(
        &self,
        patch: &Map<String, Value>,
    ) -> Result<(Arc<PlatformSettings>, Arc<PlatformSettings>), PlatformError> {
        let apply = |settings: &PlatformSettings| self.inner.clock.set_zone(settings.zone());
        Ok(self.inner.settings.change(patch, apply)?)
    }

    /// The box's time, RFC 3339 with its offset and milliseconds.
    pub fn now(&self) -> String {
        self.inner.clock.text(self.inner.clock.now_us())
    }

    /// Microseconds of UTC since 1970.
    pub fn now_us(&self) -> i64 {
        self.inner.clock.now_us()
    }

    pub fn time_zone(&self) -> Tz {
        self.inner.clock.zone()
    }

    pub fn clock_quality(&self) -> ClockQuality {
        self.inner.clock.quality()
    }

    /// Whether the platform does its work now.
    pub fn health(&self) -> Health {
        let runs = lock(&self.inner.running).is_some();
        let disk = self.inner.room.look();
        Health {
            intake: runs && self.inner.loaded.load(Relaxed),
            keeping: !disk.full && disk.unwritable.is_none(),
            catalog_following: self.inner.catalog.health().failing.is_none(),
        }
    }

    /// Whether the platform moves: what a watchdog is fed by. A disk that is full or refuses is an alarm and no reason to
    /// start again; one that hangs, or a thread that does, is. Asks memory only.
    pub fn is_moving(&self) -> bool {
        let since = lock(&self.inner.last_round).elapsed();
        lock(&self.inner.running).is_some() && since < self.inner.tuning.round + HANGS_AFTER
    }

    pub fn vitals(&self) -> VitalsNow {
        *lock(&self.inner.vitals)
    }

    pub fn data_dir(&self) -> &DataDir {
        &self.inner.data
    }

    pub fn catalog(&self) -> &Catalog {
        &self.inner.catalog
    }

    /// Every station that is known, by serial number.
    pub fn devices(&self) -> Vec<DeviceNow> {
        let all = self.inner.stations.all_now().into_iter();
        all.map(|now| self.with_pull(now)).collect()
    }

    pub fn device(&self, serial: &str) -> Option<DeviceNow> {
        self.inner.stations.now(serial).map(|now| self.with_pull(now))
    }

    fn with_pull(&self, mut now: DeviceNow) -> DeviceNow {
        if now.device.pull.is_some() {
            now.pull = self.inner.pulls.now(&self.inner, &now.device.serial);
        }
        now
    }

    /// Boxes that knocked with a serial number nobody has added; who came last stands first.
    pub fn waiting(&self) -> Vec<Waiting> {
        self.inner.stations.waiting()
    }

    /// Counts up with every change of a station's state, of the waiting boxes and of commands.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.inner.stations.changes()
    }

    /// Sends a command to each of `serials`, and returns their numbers in the same order. One that is not connected, or
    /// has too much to do, has failed by then. `trail` says who gave it: it is written down with the numbers, and so is
    /// the end of each.
    ///
    /// # Errors
    /// `NoDevice`: nothing was sent; a journal that takes nothing.
    pub fn command(
        &self,
        serials: &[String],
        what: &What,
        within: Duration,
        mut trail: AuditEntry,
    ) -> Result<Vec<u64>, PlatformError> {
        let inner = &self.inner;
        if let Some(unknown) = serials.iter().find(|serial| inner.stations.device(serial).is_none()) {
            return Err(PlatformError::NoDevice(unknown.clone()));
        }
        let now_us = inner.clock.now_us();
        let shown = orders::shown(what);
        let begin = |serial: &String| lock(&inner.orders).begin(serial, what, &shown, within, &trail, now_us);
        let begun: Vec<_> = serials.iter().map(begin).collect();
        let ids: Vec<u64> = begun.iter().map(|(id, _)| *id).collect();
        trail.params.insert("what".into(), json!(what.name()));
        trail.params.insert("commands".into(), json!(ids));
        trail.params.insert("serials".into(), json!(serials));
        trail.params.insert("within_s".into(), json!(within.as_secs()));
        trail.result = AuditResult::Ok;
        // Written before it is sent: what a station was told to do stands in the trail, whatever happens then.
        let written = inner.catalog.audit(trail);
        for (serial, (id, command)) in serials.iter().zip(begun) {
            let failed = match (&written, command) {
                (Err(_), _) => Some("not_written"),
                (Ok(()), Err(_)) => Some("command_invalid"),
                (Ok(()), Ok(command)) => match inner.stations.send(serial, ToStation::Command(command)) {
                    Ok(()) => None,
                    Err(NotSent::Offline) => Some("device_offline"),
                    Err(NotSent::Busy) => Some("device_busy"),
                },
            };
            if let Some(code) = failed {
                inner.end_command(id, CommandState::failed(code));
            }
        }
        inner.stations.changed();
        written?;
        Ok(ids)
    }

    /// Commands that have changed since the one whose `change` that is (0: all that are remembered), newest first.
    pub fn commands(&self, since: u64) -> Vec<Arc<CommandNow>> {
        lock(&self.inner.orders).since(since)
    }

    /// The command of that number, if it is remembered.
    pub fn command_now(&self, id: u64) -> Option<Arc<CommandNow>> {
        lock(&self.inner.orders).command(id)
    }

    /// Stations that are sending what a period holds, and how far each is: done, of all.
    pub fn synchronising(&self) -> Vec<(String, (u64, u64))> {
        lock(&self.inner.orders).synchronising()
    }

    /// Gives up a command that goes on; what the station has done by then stays done.
    ///
    /// # Errors
    /// `NoCommand`: there is none of that number, or it has ended.
    pub fn cancel(&self, id: u64) -> Result<(), PlatformError> {
        let serial = lock(&self.inner.orders).open(id).ok_or(PlatformError::NoCommand(id))?;
        // A station that is gone has nothing to give up.
        let _ = self.inner.stations.send(&serial, ToStation::Cancel { command: id });
        self.inner.end_command(id, CommandState::failed("cancelled"));
        Ok(())
    }

    /// Listens to a port of a station from now on, until the stream is dropped or ends.
    ///
    /// # Errors
    /// `NoDevice`, `Offline`, `DeviceBusy`, `TooManyListeners`.
    pub fn listen(&self, serial: &str, port: u16) -> Result<PortAudio, PlatformError> {
        let inner = &self.inner;
        let device = inner.stations.now(serial).ok_or_else(|| PlatformError::NoDevice(serial.to_owned()))?;
        if !device.online {
            return Err(PlatformError::Offline(serial.to_owned()));
        }
        let number = || lock(&inner.orders).number();
        let weak = Arc::downgrade(inner);
        let left = move |listener| {
            if let Some(inner) = weak.upgrade() {
                inner.listener_left(listener);
            }
        };
        match inner.listening.join(serial, port, number, left) {
            Joined::One(stream) => Ok(stream),
            Joined::TooMany => Err(PlatformError::TooManyListeners),
            Joined::First(stream, listener) => {
                inner.ask_to_listen(serial, port, listener)?;
                Ok(stream)
            }
        }
    }

    /// The file of a recording is on the disk; the catalog does not hear of one that is lost.
    pub fn has_file(&self, row: &RecordRow) -> bool {
        self.inner.has_file(row)
    }

    /// Deletes recordings, those that may be: first the entries in the journal, with the lines of the audit trail that
    /// `trail` gives, then the files. Files that cannot be removed now are removed by the care thread. Stations keep
    /// theirs.
    ///
    /// # Errors
    /// Those of the catalog; nothing was deleted.
    pub fn delete_recordings(
        &self,
        scope: &Scope,
        ids: &[RecordId],
        account: &str,
        trail: impl FnOnce(&Deletions) -> Vec<AuditEntry>,
    ) -> Result<Deletions, PlatformError> {
        let outcome = self.inner.catalog.delete(scope, ids, Some(account), DeletionReason::Person, trail)?;
        for file in outcome.deleted.iter().filter_map(|row| row.file.as_deref()) {
            if let Err(error) = recording::delete(&self.inner.data, file) {
                eprintln!("{error}");
                self.inner.notify(Notice::DeletionUnfinished);
            }
        }
        Ok(outcome)
    }
}

impl Inner {
    /// The care thread lives as long as the platform; what it cannot be told any more has no reader.
    pub(crate) fn notify(&self, notice: Notice) {
        let _ = self.notices.send(notice);
    }

    pub(crate) fn end_command(&self, id: u64, state: CommandState) {
        let ended = lock(&self.orders).set(id, state, self.clock.now_us());
        if let Some(entry) = ended {
            self.notify(Notice::Audit(Box::new(entry)));
        }
        self.stations.changed();
    }

    fn ask_to_listen(&self, serial: &str, port: u16, listener: u64) -> Result<(), PlatformError> {
        let what = What::Listen { port, listener };
        let offline = || PlatformError::Offline(serial.to_owned());
        let command = what.command(listener, LISTEN_WITHIN_S).map_err(|_| offline())?;
        self.stations.send(serial, ToStation::Command(command)).map_err(|error| {
            self.listening.failed(serial, listener, "device_offline");
            match error {
                NotSent::Offline => offline(),
                NotSent::Busy => PlatformError::DeviceBusy(serial.to_owned()),
            }
        })
    }

    /// The station of a port that nobody listens to any more is told so.
    fn listener_left(&self, listener: u64) {
        if let Some(serial) = self.listening.left(listener) {
            let number = lock(&self.orders).number();
            if let Ok(command) = (What::StopListening { listener }).command(number, LISTEN_WITHIN_S) {
                // One that is gone sends nothing any more.
                let _ = self.stations.send(&serial, ToStation::Command(command));
            }
        }
    }

    /// Makes the waveforms of what has come. Whoever looks at one that is not made yet has it made then.
    pub(crate) fn make_peaks(&self, files: Vec<PathBuf>) {
        if let Some(peaks) = &*lock(&self.peaks) {
            files.into_iter().for_each(|file| drop(peaks.try_send(file)));
        }
    }

    /// An audit entry of the platform itself.
    pub(crate) fn own_trail(operation: &str, parameters: Value) -> AuditEntry {
        AuditEntry {
            account: None,
            display_name: None,
            department: None,
            ip: None,
            item: "device".into(),
            port: None,
            operation: operation.into(),
            params: params(parameters),
            result: AuditResult::Ok,
            detail: None,
        }
    }
}
