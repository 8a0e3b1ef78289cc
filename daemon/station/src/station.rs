//! A running station: its threads, and what pages may ask of them.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Sender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use appliance::Appliance;
use capture::Driver;
use catalog::{AuditEntry, Catalog, DeletionReason, Deletions, Scope};
use chrono_tz::Tz;
use recording::{ClockQuality, DataDir, RecordId, Recorder, Service};
use serde_json::{Map, Value};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;

use crate::box_settings::{BoxBook, BoxSettings};
use crate::calibration::{Calibration, CalibrationStep, WATCH_S};
use crate::capture_thread::Request;
use crate::care::Notice;
use crate::channels::{Channel, ChannelError, Channels};
use crate::error::StationError;
use crate::health::{Health, Pulse, WRITE_HANGS_AFTER};
use crate::listen::{Listener, Tap};
use crate::live::Live;
use crate::timekeeper::Timekeeper;
use crate::units::{FindUnits, UnitBook, UnitNow, UnitSettings, UnitWatch, UnitsFound};
use crate::uplink::{Link, PlatformLinkNow, PlatformSettings, PullToken};

/// What a station is started with.
#[derive(Clone, Debug)]
pub struct StationConfig {
    pub data: PathBuf,
    /// Recorded line input, played as if it were units; without it the box has no ports.
    pub scenario: Option<PathBuf>,
    /// Socket of the process that does what needs root; nobody needs to answer there.
    pub appliance: PathBuf,
}

/// A person's wish to record, or to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ManualRecord {
    Start,
    Stop,
}

/// What the box is.
#[derive(Clone, Debug)]
pub struct BoxInfo {
    pub serial: String,
    pub name: String,
    pub version: &'static str,
    /// RFC 3339.
    pub started: String,
}

/// Settings of the box as a whole, as they are set now.
#[derive(Clone, Debug)]
pub struct BoxSettingsNow {
    pub settings: Arc<BoxSettings>,
    /// Names of those that count from the next start on.
    pub restart_needed: Vec<&'static str>,
}

/// A running station. Clones share it; any thread may ask.
#[derive(Clone)]
pub struct Station {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub info: BoxInfo,
    pub settings: Arc<BoxBook>,
    pub data: Arc<DataDir>,
    pub catalog: Catalog,
    pub keeper: Timekeeper,
    pub live: Arc<Live>,
    pub channels: Mutex<Channels>,
    pub unit_book: UnitBook,
    pub find_units: Arc<FindUnits>,
    pub plays_scenario: bool,
    pub again: watch::Sender<bool>,
    pub units: UnitWatch,
    pub calibrations: Mutex<HashMap<u16, Calibration>>,
    pub requests: Sender<Request>,
    pub notices: Sender<Notice>,
    pub mail: mail::Mail,
    /// To the thread that tells times of the week.
    pub changes: Sender<Vec<Channel>>,
    pub told_dropped: Arc<AtomicU64>,
    pub pulse: Arc<Pulse>,
    pub recorder: Recorder,
    pub link: Arc<Link>,
    pub appliance: Appliance,
    pub running: Mutex<Option<Running>>,
}

/// What ends in this order when the station stops.
pub(crate) struct Running {
    pub capture: JoinHandle<()>,
    pub drivers: Vec<Driver>,
    pub dispatch: JoinHandle<()>,
    pub dispatch_stop: Arc<AtomicBool>,
    pub care: JoinHandle<()>,
    pub uplink: JoinHandle<()>,
    pub recorder: Service,
}

/// A block is 10 ms; whoever has no answer by then asks a thread that is gone.
const ANSWER_WAIT: Duration = Duration::from_secs(2);
/// The service manager kills what takes longer to stop.
const FINISH_WITHIN: Duration = Duration::from_secs(60);
/// Stands in the data folder while a station runs.
pub(crate) const RUNNING_MARK: &str = "running";

impl Station {
    /// What needs root is asked of it.
    pub fn appliance(&self) -> &Appliance {
        &self.inner.appliance
    }

    /// Ends what is open (stop mode `shutdown`), makes files of it, and ends the threads. A second call does nothing.
    ///
    /// # Errors
    /// A recording that could not be made into a file now; it is, at the next start.
    pub fn stop(&self) -> Result<(), StationError> {
        let Some(running) = lock(&self.inner.running).take() else { return Ok(()) };
        self.inner.mail.stop();
        let _ = self.inner.requests.send(Request::Finish);
        self.inner.link.stop();
        let _ = running.capture.join();
        drop(running.drivers);
        running.dispatch_stop.store(true, Relaxed);
        let _ = running.dispatch.join();
        let finished = running.recorder.close(FINISH_WITHIN);
        let _ = running.uplink.join();
        let _ = self.inner.notices.send(Notice::Finish);
        let _ = running.care.join();
        if !finished {
            return Err(StationError::Unfinished);
        }
        let mark = self.inner.data.path().join(RUNNING_MARK);
        std::fs::remove_file(&mark).map_err(|source| StationError::Mark { path: mark, source })
    }

    pub fn info(&self) -> BoxInfo {
        BoxInfo { name: self.inner.settings.now().name.clone(), ..self.inner.info.clone() }
    }

    /// Settings of the box as a whole.
    pub fn box_settings(&self) -> BoxSettingsNow {
        BoxSettingsNow {
            settings: self.inner.settings.now(),
            restart_needed: self.inner.settings.restart_needed(),
        }
    }

    /// Sets members of the box's settings, all or none, in the file and, but for those that need a restart, at once.
    /// Returns the settings before and after.
    ///
    /// # Errors
    /// A setting that no box can have, by its name; a disk that refuses.
    pub fn change_box_settings(
        &self,
        patch: &Map<String, Value>,
    ) -> Result<(Arc<BoxSettings>, Arc<BoxSettings>), StationError> {
        let apply = |settings: &BoxSettings| self.inner.keeper.set_zone(settings.zone());
        Ok(self.inner.settings.change(patch, apply)?)
    }

    /// The capture units that the station works with, as they are now. Asks memory only.
    pub fn units(&self) -> Vec<UnitNow> {
        self.inner.units.now()
    }

    /// Whether recorded line input stands in for the box's units.
    pub fn plays_scenario(&self) -> bool {
        self.inner.plays_scenario
    }

    /// What is plugged in, used or not. Takes as long as the buses take to answer.
    pub fn find_units(&self) -> UnitsFound {
        (self.inner.find_units)()
    }

    /// Whoever runs this station stops it, and starts it again, soon: what is set for the next start counts then.
    pub fn start_again(&self) {
        self.inner.again.send_replace(true);
    }

    /// Turns true when the station is to be started again.
    pub fn is_to_start_again(&self) -> watch::Receiver<bool> {
        self.inner.again.subscribe()
    }

    /// The units as they are set, and whether that waits for the next start.
    pub fn unit_settings(&self) -> (Vec<UnitSettings>, bool) {
        (self.inner.unit_book.now(), self.inner.unit_book.restart_needed())
    }

    /// Sets the box's capture units, all of them; they count from the next start on. Returns them before and after.
    ///
    /// # Errors
    /// What cannot be, by its place in the list; a disk that refuses.
    pub fn change_unit_settings(
        &self,
        units: Vec<UnitSettings>,
    ) -> Result<(Vec<UnitSettings>, Vec<UnitSettings>), StationError> {
        Ok(self.inner.unit_book.change(units)?)
    }

    /// How the way to the platform is now. Asks memory only.
    pub fn platform_link(&self) -> PlatformLinkNow {
        self.inner.link.now(&self.inner.keeper)
    }

    /// Sets members of the way to the platform, all or none, in the file and at once. The platform's key is accepted by
    /// setting `fingerprint`. Returns the settings before and after.
    ///
    /// # Errors
    /// A setting that cannot be, by its name; a disk that refuses.
    pub fn change_platform_link(
        &self,
        patch: &Map<String, Value>,
    ) -> Result<(Arc<PlatformSettings>, Arc<PlatformSettings>), StationError> {
        Ok(self.inner.link.change(patch)?)
    }

    /// Makes the token by which the platform may ask this box, in the place of the former one. It is known to whoever
    /// called, and nowhere else.
    ///
    /// # Errors
    /// A disk that refuses.
    pub fn make_pull_token(&self) -> Result<String, StationError> {
        let made = PullToken::make(self.inner.keeper.now_us());
        let (token, kept) = made.map_err(|source| StationError::NoRandomness { source })?;
        self.inner.link.set_token(Some(kept))?;
        Ok(token)
    }

    /// The platform may not ask any more. `false`: it might not before.
    ///
    /// # Errors
    /// A disk that refuses.
    pub fn remove_pull_token(&self) -> Result<bool, StationError> {
        Ok(self.inner.link.set_token(None)?.is_some())
    }

    /// Whether that is the token. Takes the same time for each wrong one.
    pub fn is_pull_token(&self, token: &str) -> bool {
        self.inner.link.is_token(token)
    }

    /// The platform has come, with the right token, from `address`: the uplink goes on on `stream`, in the place of any
    /// connection that there is. Returns at once.
    pub fn be_asked(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        address: impl Into<String>,
    ) {
        self.inner.link.be_asked(stream, address.into(), self.inner.keeper.now_us());
    }

    /// The box's time, RFC 3339 with its offset and milliseconds.
    pub fn now(&self) -> String {
        self.inner.keeper.text(self.inner.keeper.now_us())
    }

    pub fn time_zone(&self) -> Tz {
        self.inner.keeper.zone()
    }

    pub fn clock_quality(&self) -> ClockQuality {
        self.inner.keeper.quality()
    }

    /// Whether the station does its work now. Asks memory only, and answers at once.
    pub fn health(&self) -> Health {
        let capture_runs =
            lock(&self.inner.running).as_ref().is_some_and(|running| !running.capture.is_finished());
        Health {
            capturing: capture_runs && self.inner.pulse.is_regular(),
            recording: capture_runs && self.inner.recorder.load().filled < 1.0,
            catalog_following: self.inner.catalog.health().failing.is_none(),
        }
    }

    /// Whether capture and writing move: what a watchdog is fed by. A unit that is pulled out or a disk that is full is an
    /// alarm and no reason to start again; a thread or a disk that hangs is. Asks memory only.
    pub fn is_moving(&self) -> bool {
        let runs = lock(&self.inner.running).as_ref().is_some_and(|running| !running.capture.is_finished());
        runs && self.inner.pulse.turns() && self.inner.recorder.writing_for() < WRITE_HANGS_AFTER
    }

    pub fn data_dir(&self) -> &DataDir {
        &self.inner.data
    }

    pub fn catalog(&self) -> &Catalog {
        &self.inner.catalog
    }

    pub fn live(&self) -> &Live {
        &self.inner.live
    }

    /// Messages of the sample path that the live page missed; the recordings have them all.
    pub fn messages_dropped(&self) -> u64 {
        self.inner.told_dropped.load(Relaxed)
    }

    /// Listens to a port from now on, until the listener is dropped.
    pub fn listen(&self, port: u16) -> Result<Listener, StationError> {
        let index = self.index(port)?;
        let (tap, listener) = Tap::pair();
        let taken = self.ask(|reply| Request::Listen(index, tap, reply))?;
        if taken { Ok(listener) } else { Err(StationError::TooManyListeners { port }) }
    }

    /// Begins or ends a recording by hand.
    pub fn record(&self, port: u16, wish: ManualRecord) -> Result<(), StationError> {
        let index = self.index(port)?;
        let command = match wish {
            ManualRecord::Start => line::Command::ManualStart,
            ManualRecord::Stop => line::Command::ManualStop,
        };
        self.ask(|reply| Request::Line(index, command, reply))?
            .map_err(|reason| StationError::Command { port, reason })
    }

    pub fn channels(&self) -> Vec<Channel> {
        lock(&self.inner.channels).all()
    }

    /// How many changes of channels can be taken back.
    pub fn undo_depth(&self) -> usize {
        lock(&self.inner.channels).undo_depth()
    }

    /// Sets members of a channel on each of `ports`, all or none, in the file and on the lines at once.
    pub fn change_channels(
        &self,
        ports: &[u16],
        patch: &Map<String, Value>,
    ) -> Result<Vec<Channel>, StationError> {
        self.with_channels(|channels| channels.change(ports, patch))
    }

    /// Takes back the last change of channels.
    pub fn undo_channels(&self) -> Result<Vec<Channel>, StationError> {
        self.with_channels(Channels::undo)
    }

    fn with_channels(
        &self,
        change: impl FnOnce(&mut Channels) -> Result<Vec<Channel>, ChannelError>,
    ) -> Result<Vec<Channel>, StationError> {
        let mut channels = lock(&self.inner.channels);
        let changed = change(&mut channels)?;
        for channel in &changed {
            let index = self.index(channel.port)?;
            let copy = Box::new(channel.clone());
            self.ask(|reply| Request::Change(index, copy, reply))?
                .map_err(|reason| StationError::Setting { port: channel.port, reason })?;
            self.inner.live.update(index, |port| {
                port.name.clone_from(&channel.name);
                port.line_number.clone_from(&channel.line_number);
            });
        }
        let _ = self.inner.changes.send(channels.all());
        Ok(changed)
    }

    /// Takes the voltage of the port for `step`; blocks for a second of watching.
    pub fn calibrate(&self, port: u16, step: CalibrationStep) -> Result<Calibration, StationError> {
        const READINGS: u16 = 10;
        let index = self.index(port)?;
        let mut sum = 0.0;
        if !matches!(step, CalibrationStep::Start | CalibrationStep::Cancel) {
            for _ in 0..READINGS {
                std::thread::sleep(Duration::from_secs_f32(WATCH_S / f32::from(READINGS)));
                let volts = self.inner.live.meter(index).and_then(|meter| meter.volts);
                sum += volts.ok_or(StationError::NoVoltage { port })?.abs();
            }
        }
        let mut calibrations = lock(&self.inner.calibrations);
        let calibration = calibrations.entry(port).or_default();
        calibration.take(step, sum / f32::from(READINGS));
        Ok(calibration.clone())
    }

    /// Minimum and maximum of the port's voltage begin anew.
    pub fn reset_voltage_range(&self, port: u16) -> Result<(), StationError> {
        let index = self.index(port)?;
        self.inner.requests.send(Request::ResetRange(index)).map_err(|_| StationError::Stopping)
    }

    /// Deletes recordings, those that may be: first the entries in the journal, with the lines of the audit trail that
    /// `trail` gives, then the files. Files that cannot be removed now are removed by the care thread, or at the next
    /// start.
    pub fn delete_recordings(
        &self,
        scope: &Scope,
        ids: &[RecordId],
        account: &str,
        trail: impl FnOnce(&Deletions) -> Vec<AuditEntry>,
    ) -> Result<Deletions, StationError> {
        let outcome = self.inner.catalog.delete(scope, ids, Some(account), DeletionReason::Person, trail)?;
        for file in outcome.deleted.iter().filter_map(|row| row.file.as_deref()) {
            if let Err(error) = recording::delete(&self.inner.data, file) {
                eprintln!("{error}");
                let _ = self.inner.notices.send(Notice::DeletionUnfinished);
            }
        }
        Ok(outcome)
    }

    fn index(&self, port: u16) -> Result<usize, StationError> {
        self.inner.live.index(port).ok_or(StationError::NoSuchPort { port })
    }

    fn ask<T>(
        &self,
        request: impl FnOnce(std::sync::mpsc::SyncSender<T>) -> Request,
    ) -> Result<T, StationError> {
        let (reply, answer) = sync_channel(1);
        self.inner.requests.send(request(reply)).map_err(|_| StationError::Stopping)?;
        answer.recv_timeout(ANSWER_WAIT).map_err(|_| StationError::Stopping)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
