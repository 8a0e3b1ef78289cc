//! The care thread: alarms into the journal, times of the week, room on the disk. It may wait for a disk; nothing
//! waits for it.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, sync_channel};
use std::time::{Duration, Instant};

use catalog::{AlarmCode, AlarmKey, AuditEntry, AuditResult, Catalog, Params};
use recording::DataDir;
use serde_json::json;

use crate::archive::{Archive, params};
use crate::box_settings::BoxBook;
use crate::capture_thread::Request;
use crate::channels::Channel;
use crate::timekeeper::Timekeeper;

/// What the other threads leave to this one.
#[derive(Debug)]
pub(crate) enum Notice {
    Raise(AlarmKey),
    Clear(AlarmKey),
    /// A do-not-record rule was used (ST-21).
    Withheld {
        port: u16,
        number: Option<String>,
    },
    /// Channels as they are now: their times of the week may have changed.
    Channels(Vec<Channel>),
    /// An input has failed.
    UnitLost(String),
    /// Files of deleted recordings could not be removed.
    DeletionUnfinished,
    Finish,
}

pub(crate) struct Care {
    pub catalog: Catalog,
    pub data: Arc<DataDir>,
    pub archive: Arc<Archive>,
    pub keeper: Timekeeper,
    pub settings: Arc<BoxBook>,
    pub requests: Sender<Request>,
    /// Set when this start found that the last stop was none.
    pub after_power_loss: bool,
    /// What this run has raised or cleared: a lasting state is told once.
    pub told: HashMap<AlarmKey, bool>,
}

/// How often times of the week are looked at.
const TICK: Duration = Duration::from_secs(1);
/// How often disk and clock are looked at.
const ROUND: Duration = Duration::from_secs(10);
/// How long the alarm of a restart after power loss stands.
const POWER_LOSS_STANDS: Duration = Duration::from_secs(600);
/// After this long a line that is still wrong has said so, and alarms left from the run before can be cleared.
const LINES_SETTLE: Duration = Duration::from_secs(60);
/// The nearly-full alarm clears this many percent above where it was raised.
const DISK_HYSTERESIS_PERCENT: f64 = 1.0;

impl Care {
    pub(crate) fn run(mut self, notices: &Receiver<Notice>, mut weekly: Weekly) {
        let began = Instant::now();
        let mut next_round = began;
        let mut settled = false;
        let mut deletions_finished = false;
        self.set(AlarmKey::of_box(AlarmCode::PowerLossRestart), self.after_power_loss, Params::new());
        loop {
            if Instant::now() >= next_round {
                next_round = Instant::now() + ROUND;
                self.look_around(began);
                deletions_finished = deletions_finished || self.finish_deletions();
            }
            if !settled && began.elapsed() > LINES_SETTLE {
                settled = true;
                self.clear_stale(&weekly.channels);
            }
            weekly.tell_changes(&self.keeper, &self.requests);
            match notices.recv_timeout(TICK) {
                Ok(Notice::Raise(key)) => self.set(key, true, Params::new()),
                Ok(Notice::Clear(key)) => self.set(key, false, Params::new()),
                Ok(Notice::Withheld { port, number }) => self.audit_withheld(port, number),
                Ok(Notice::Channels(channels)) => weekly.channels = channels,
                Ok(Notice::UnitLost(reason)) => {
                    self.set(
                        AlarmKey::of_thing(AlarmCode::UnitLost, "input"),
                        true,
                        params(json!({"detail": reason})),
                    );
                }
                Ok(Notice::DeletionUnfinished) => deletions_finished = false,
                Ok(Notice::Finish) | Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    /// A deletion is an entry first and files gone second: what came between is done now. False: not all could be.
    fn finish_deletions(&self) -> bool {
        let Ok(files) = crate::maintenance::deleted_files(&self.catalog) else { return false };
        let failed = files.iter().filter_map(|file| recording::delete(&self.data, file).err());
        failed.inspect(|error| eprintln!("{error}")).count() == 0
    }

    fn look_around(&mut self, began: Instant) {
        if self.after_power_loss && began.elapsed() > POWER_LOSS_STANDS {
            self.after_power_loss = false;
            self.set(AlarmKey::of_box(AlarmCode::PowerLossRestart), false, Params::new());
        }
        if let Err(error) = self.archive.clear_old_gaps() {
            eprintln!("a gap alarm could not be cleared: {error}");
        }
        self.look_at_disk();
        let unsynchronised = !capture::clock::is_synchronised();
        self.set(AlarmKey::of_box(AlarmCode::ClockUnsynchronised), unsynchronised, Params::new());
        let failing = self.catalog.health().failing;
        let detail = params(json!({"detail": failing}));
        self.set(AlarmKey::of_box(AlarmCode::CatalogBehind), failing.is_some(), detail);
    }

    fn look_at_disk(&mut self) {
        let Ok(space) = self.data.free_space() else { return };
        let free_percent = 100.0 * space.free_bytes as f64 / (space.total_bytes as f64).max(1.0);
        let key = AlarmKey::of_box(AlarmCode::DiskNearlyFull);
        let limit = self.settings.now().disk_nearly_full_percent;
        if free_percent < limit {
            self.set(key, true, params(json!({"free_percent": (free_percent * 10.0).round() / 10.0})));
        } else if free_percent > limit + DISK_HYSTERESIS_PERCENT {
            self.set(key, false, Params::new());
        }
    }

    /// Raises or clears, once. What could not be written is tried again with the next look.
    fn set(&mut self, key: AlarmKey, stands: bool, params: Params) {
        if self.told.get(&key) == Some(&stands) {
            return;
        }
        let written = if stands { self.catalog.raise(&key, params) } else { self.catalog.clear(&key) };
        match written {
            Ok(()) => {
                self.told.insert(key, stands);
            }
            Err(error) => eprintln!("alarm {} could not be written: {error}", key.code.name()),
        }
    }

    /// Clears what the run before left raised on lines that are well now.
    fn clear_stale(&mut self, channels: &[Channel]) {
        for channel in channels {
            for code in [line::AlarmCode::LineLost, line::AlarmCode::OffHookTooLong, line::AlarmCode::NoCall]
            {
                let key = AlarmKey::of_port(code, channel.port);
                if !self.told.contains_key(&key) {
                    self.set(key, false, Params::new());
                }
            }
        }
    }

    fn audit_withheld(&self, port: u16, number: Option<String>) {
        let entry = AuditEntry {
            account: None,
            display_name: None,
            ip: None,
            item: "recording".into(),
            port: Some(port),
            operation: "withhold".into(),
            params: params(json!({"number": number})),
            result: AuditResult::Ok,
            detail: None,
        };
        if let Err(error) = self.catalog.audit(entry) {
            eprintln!("the audit trail could not be written: {error}");
        }
    }
}

/// Which spans of the week hold on which port, as the lines were told last.
pub(crate) struct Weekly {
    channels: Vec<Channel>,
    holds: HashMap<(u16, Span), bool>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Span {
    Schedule,
    DoNotRecord,
}

impl Weekly {
    pub(crate) fn new(channels: Vec<Channel>) -> Self {
        Self { channels, holds: HashMap::new() }
    }

    pub(crate) fn tell_changes(&mut self, keeper: &Timekeeper, requests: &Sender<Request>) {
        let (weekday, minute) = keeper.weekday_and_minute();
        for (index, channel) in self.channels.iter().enumerate() {
            for (span, spans) in [
                (Span::Schedule, &channel.settings.schedule),
                (Span::DoNotRecord, &channel.settings.do_not_record_times),
            ] {
                let holds = line::weekly::any_holds(spans, weekday, minute);
                if self.holds.insert((channel.port, span), holds).unwrap_or(false) == holds {
                    continue;
                }
                let command = match (span, holds) {
                    (Span::Schedule, true) => line::Command::ScheduleBegin,
                    (Span::Schedule, false) => line::Command::ScheduleEnd,
                    (Span::DoNotRecord, true) => line::Command::DoNotRecordBegin,
                    (Span::DoNotRecord, false) => line::Command::DoNotRecordEnd,
                };
                // The answer says whether something was begun or ended by it; either is right.
                let (reply, _answer) = sync_channel(1);
                let _ = requests.send(Request::Line(index, command, reply));
            }
        }
    }
}
