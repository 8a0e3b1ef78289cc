//! The care thread: alarms and audit into the journal, and what the platform looks at now and then: its disk, load and
//! files, and its stations. It may wait for a disk; nothing waits for it.

use std::collections::BTreeSet;
use std::sync::PoisonError;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use catalog::{AlarmCode, AlarmKey, AlarmQuery, AuditEntry, Body, Params};
use serde_json::{Value, json};
use upkeep::alarm_states::alarm_keys;
use upkeep::file_watch::FileWatch;
use upkeep::vitals::Vitals;
use upkeep::{AlarmStates, deletions, disk, params};
use uplink::message::ToStation;

use crate::lock;
use crate::platform::{Inner, VitalsNow};
use crate::pull::{PullTrouble, Verdict};
use crate::quiet;
use crate::remembered::Memory;
use crate::station::Watched;

/// What the other threads leave to this one.
#[derive(Debug)]
pub(crate) enum Notice {
    Audit(Box<AuditEntry>),
    /// Files of deleted recordings could not be removed.
    DeletionUnfinished,
    Finish,
}

/// How long something waits for the catalog to show what the journal has.
pub(crate) const CATALOG_MOMENT: Duration = Duration::from_secs(2);
/// Audit entries that are kept for a disk that takes none.
const AUDIT_WAITING: usize = 20_000;

/// Alarms about a station; the thing is its serial number.
const OF_STATIONS: [AlarmCode; 5] = [
    AlarmCode::StationOffline,
    AlarmCode::NothingReceived,
    AlarmCode::TwoBoxesOneSerial,
    AlarmCode::SynchronisationFailed,
    AlarmCode::StationClockWrong,
];

pub(crate) struct Care {
    inner: Arc<Inner>,
    vitals: Vitals,
    files: FileWatch,
    alarms: AlarmStates,
    /// Stations of the last round.
    stations: BTreeSet<String>,
    audit: Vec<AuditEntry>,
    /// Entries for which there was no room.
    audit_lost: u64,
    memory: Memory,
    deletions_finished: bool,
}

impl Care {
    pub fn new(inner: Arc<Inner>) -> Self {
        Self {
            vitals: Vitals::new(inner.tuning.system_root.clone()),
            memory: Memory::of(inner.remembered_file()),
            inner,
            files: FileWatch::default(),
            alarms: AlarmStates::default(),
            stations: BTreeSet::new(),
            audit: Vec::new(),
            audit_lost: 0,
            deletions_finished: false,
        }
    }

    pub fn run(mut self, notices: &Receiver<Notice>) {
        let (began, mut settled) = (Instant::now(), false);
        let mut next_round = began;
        loop {
            if Instant::now() >= next_round {
                self.look_around();
                if !settled && began.elapsed() > self.inner.tuning.settle {
                    settled = self.clear_stale().is_ok();
                }
                self.write();
                *self.inner.last_round.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
                next_round = Instant::now() + self.inner.tuning.round;
            }
            match notices.recv_timeout(next_round.saturating_duration_since(Instant::now())) {
                Ok(Notice::Finish) | Err(RecvTimeoutError::Disconnected) => break,
                Ok(notice) => {
                    self.take(notice);
                    while let Ok(more) = notices.try_recv() {
                        if matches!(more, Notice::Finish) {
                            return self.finish();
                        }
                        self.take(more);
                    }
                    self.write();
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
        self.finish();
    }

    fn take(&mut self, notice: Notice) {
        match notice {
            Notice::Audit(entry) if self.audit.len() < AUDIT_WAITING => self.audit.push(*entry),
            Notice::DeletionUnfinished => self.deletions_finished = false,
            Notice::Audit(_) => self.audit_lost += 1,
            Notice::Finish => {}
        }
    }

    fn write(&mut self) {
        let catalog = &self.inner.catalog;
        self.alarms.write_to(catalog);
        write_trail(catalog, &mut self.audit);
        if self.audit_lost > 0 && self.audit.is_empty() {
            // The trail says itself what it lacks.
            let gap = Inner::own_trail("trail_incomplete", json!({"entries": self.audit_lost}));
            self.audit.push(AuditEntry { item: "audit".into(), ..gap });
            self.audit_lost = 0;
            write_trail(catalog, &mut self.audit);
        }
    }

    /// What the journal does not take at the end is told where the box logs.
    fn finish(&mut self) {
        self.write();
        if self.inner.loaded.load(Relaxed) {
            self.memory.write(self.inner.stations.to_remember());
        }
        let lost = self.audit.len() as u64 + self.audit_lost;
        if lost > 0 {
            eprintln!(
                "the operation log lacks {lost} entries: the journal did not take them before the stop"
            );
        }
    }

    fn look_around(&mut self) {
        let inner = self.inner.clone();
        let settings = inner.settings.now();
        if let Err(error) = inner.load_devices() {
            eprintln!("stations are not let in yet: {error}");
        }
        let space = inner.data.free_space().ok();
        if let Some(space) = space {
            disk::look(space, settings.disk_nearly_full_percent, &mut self.alarms);
        }
        let state = inner.room.look();
        self.alarms.set(AlarmKey::of_box(AlarmCode::DiskFull), state.full, Params::new());
        let detail = params(json!({"detail": state.unwritable}));
        self.alarms.set(AlarmKey::of_box(AlarmCode::DiskUnwritable), state.unwritable.is_some(), detail);
        let unsynchronised = inner.clock.quality() != recording::ClockQuality::Synchronised;
        self.alarms.set(AlarmKey::of_box(AlarmCode::ClockUnsynchronised), unsynchronised, Params::new());
        self.alarms.look_at_catalog(&inner.catalog);
        let measured = self.vitals.look(&settings.load_limits(), Instant::now(), &mut self.alarms);
        *lock(&inner.vitals) = VitalsNow {
            cpu_percent: measured.cpu_percent,
            memory_percent: measured.memory_percent,
            temperature_celsius: measured.temperature_celsius,
            disk: space,
        };
        self.files.look(&inner.catalog, &inner.data, &mut self.alarms);
        self.deletions_finished = self.deletions_finished || deletions::finish(&inner.catalog, &inner.data);
        self.look_at_stations();
        lock(&inner.orders).forget(inner.tuning.commands_shown);
    }

    fn look_at_stations(&mut self) {
        let inner = self.inner.clone();
        if !inner.loaded.load(Relaxed) {
            return;
        }
        self.memory.keep(inner.tuning.minute, || inner.stations.to_remember());
        let watched = inner.stations.watched();
        let now: BTreeSet<String> = watched.iter().map(|station| station.serial.clone()).collect();
        for gone in self.stations.difference(&now) {
            for code in OF_STATIONS {
                self.alarms.set(AlarmKey::of_thing(code, gone.clone()), false, Params::new());
            }
        }
        self.stations = now;
        let visits = inner.pulls.verdicts(inner.tuning.pull_failed_after);
        for station in &watched {
            self.look_at_station(station, visits.get(&station.serial));
        }
    }

    /// `visits`: what they say of one that is asked.
    fn look_at_station(&mut self, station: &Watched, visits: Option<&Verdict>) {
        let inner = self.inner.clone();
        let (tuning, settings) = (&inner.tuning, inner.settings.now());
        let minutes = |count: u32| tuning.minute * count;
        let mut tell = |code, state: Option<bool>, mut parameters: Params| {
            // `None`: it is not known yet, and stays as the journal has it.
            if let Some(stands) = state {
                parameters.insert("name".into(), Value::String(station.name.clone()));
                self.alarms.set(AlarmKey::of_thing(code, station.serial.clone()), stands, parameters);
            }
        };
        let on = station.switched_on;

        let limit = station.offline_after_min(settings.station_offline_after_min);
        let away = station.away_since.elapsed() >= minutes(limit);
        let offline = match (on && !station.settled, station.online) {
            (false, _) => Some(false),
            (true, false) => away.then_some(true),
            // It has come, and may break again at once.
            (true, true) => None,
        };
        tell(AlarmCode::StationOffline, offline, params(json!({"minutes": limit})));

        let limit = station.offline_after_min(settings.nothing_received_after_min);
        let silent = station.nothing_since.elapsed() >= minutes(limit);
        let nothing = if !on || station.received { Some(on && silent) } else { silent.then_some(true) };
        tell(AlarmCode::NothingReceived, nothing, params(json!({"minutes": limit})));

        if let Some((other, knocked)) = &station.other_key {
            if knocked.elapsed() >= tuning.other_key_stands {
                inner.stations.forget_other_key(&station.serial);
            }
            let parameters = json!({"fingerprint": other.fingerprint, "address": other.address.ip()});
            tell(AlarmCode::TwoBoxesOneSerial, Some(true), params(parameters));
        } else {
            tell(AlarmCode::TwoBoxesOneSerial, Some(false), Params::new());
        }

        let full = inner.room.look().full;
        let stuck = station.stuck_since.is_some_and(|since| since.elapsed() >= tuning.stuck_after);
        // One that is away has an alarm of its own.
        let stuck = stuck && !full && offline != Some(true);
        let (failed, parameters) = match visits {
            _ if !on => (Some(false), json!({})),
            _ if stuck || station.trouble.is_some() => (Some(true), json!({"detail": station.trouble})),
            Some(Verdict::Failing(PullTrouble { code, sentence, .. })) => {
                (Some(true), json!({"detail": sentence, "pull": code}))
            }
            Some(Verdict::Open) => (None, json!({})),
            None if station.asked => (None, json!({})),
            Some(Verdict::Well) | None => (Some(false), json!({})),
        };
        tell(AlarmCode::SynchronisationFailed, failed, params(parameters));

        let parameters = json!({"offset_s": station.clock_offset_ms.map(|ms| ms as f64 / 1000.0)});
        tell(AlarmCode::StationClockWrong, station.clock_wrong, params(parameters));
    }

    /// Clears what the runs before left raised and this one has not. Damage to the journal stands until a reindex, and
    /// of missing files and of e-mail their own watch knows; alarms about stations end by what they are about, or with the station.
    fn clear_stale(&mut self) -> Result<(), catalog::Error> {
        let told_otherwise = |code| {
            OF_STATIONS.contains(&code)
                || matches!(
                    code,
                    AlarmCode::JournalDamaged | AlarmCode::RecordingMissing | AlarmCode::EmailFailed
                )
        };
        self.alarms.clear_stale(&self.inner.catalog, told_otherwise)?;
        for key in alarm_keys(&self.inner.catalog, &AlarmQuery::default())? {
            let known = key.thing.as_ref().is_some_and(|serial| self.stations.contains(serial));
            if OF_STATIONS.contains(&key.code) && !known {
                self.alarms.clear(key);
            }
        }
        Ok(())
    }
}

/// Empties `entries` as far as the journal takes them; the rest is tried again with the next round. One that the journal
/// can never take is told, and does not keep the others.
fn write_trail(catalog: &catalog::Catalog, entries: &mut Vec<AuditEntry>) {
    if entries.is_empty() {
        return;
    }
    let bodies = entries.iter().cloned().map(Body::Audit).collect();
    match catalog.append_durable(bodies) {
        Ok(_) => entries.clear(),
        Err(catalog::Error::EntryTooLong { .. } | catalog::Error::Encode(_)) => {
            entries.retain(|entry| match catalog.append_durable(vec![Body::Audit(entry.clone())]) {
                Ok(_) => false,
                Err(error @ (catalog::Error::EntryTooLong { .. } | catalog::Error::Encode(_))) => {
                    eprintln!("an entry of the operation log ({}) is left out: {error}", entry.operation);
                    false
                }
                Err(_) => true,
            });
        }
        Err(_) => {}
    }
}

/// What cannot wait for a round: limits that change with the time of day, and commands whose time is up.
pub(crate) async fn tick(inner: Weak<Inner>) {
    loop {
        let Some(inner) = inner.upgrade() else { return };
        let minute = inner.clock.weekday_and_minute().1;
        inner.stations.refresh_limits(|device| quiet::limits(device, minute));
        let late = lock(&inner.orders).too_late(Instant::now(), inner.clock.now_us());
        let any = !late.is_empty();
        for (serial, command, entry) in late {
            let _ = inner.stations.send(&serial, ToStation::Cancel { command });
            inner.notify(Notice::Audit(Box::new(entry)));
        }
        if any {
            inner.stations.changed();
        }
        let pause = inner.tuning.tick;
        drop(inner);
        tokio::time::sleep(pause).await;
    }
}
