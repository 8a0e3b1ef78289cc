//! The care thread: alarms and audit into the journal, and what the box looks at now and then: its disk, clock, load
//! and files. It may wait for a disk; nothing waits for it.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Instant;

use catalog::{AlarmCode, AlarmKey, AuditEntry, AuditResult, Catalog, Params};
use recording::DataDir;
use serde_json::json;
use upkeep::file_watch::FileWatch;
use upkeep::vitals::Vitals;
use upkeep::{AlarmStates, deletions, disk, params};

use crate::box_settings::BoxBook;
use crate::timekeeper::Timekeeper;
use crate::tuning::Tuning;
use crate::uplink::Link;

/// What the other threads leave to this one.
#[derive(Debug)]
pub(crate) enum Notice {
    Raise(AlarmKey, Params),
    Clear(AlarmKey),
    /// Something was lost: the alarm stands until nothing more was for a while.
    Lost(AlarmKey, Params),
    /// A do-not-record rule was used (ST-21).
    Withheld {
        port: u16,
        number: Option<String>,
    },
    /// Files of deleted recordings could not be removed.
    DeletionUnfinished,
    Finish,
}

/// What the care thread is started with.
pub(crate) struct Care {
    catalog: Catalog,
    data: Arc<DataDir>,
    keeper: Timekeeper,
    tuning: Tuning,
    settings: Arc<BoxBook>,
    link: Arc<Link>,
    vitals: Vitals,
    files: FileWatch,
    alarms: AlarmStates,
    /// When each thing was last lost.
    losses: HashMap<AlarmKey, Instant>,
    /// Entries of the audit trail that the journal has not taken yet.
    audit: Vec<AuditEntry>,
    /// Messages of the sample path for which its ring had no room, and how many of them have been seen here.
    dropped: Arc<AtomicU64>,
    dropped_seen: u64,
    deletions_finished: bool,
}

/// Audit entries that are kept for a disk that takes none.
const AUDIT_WAITING: usize = 10_000;

impl Care {
    /// `dropped`: counts messages that the sample path could not tell.
    pub(crate) fn new(
        catalog: Catalog,
        data: Arc<DataDir>,
        keeper: Timekeeper,
        settings: Arc<BoxBook>,
        link: Arc<Link>,
        tuning: Tuning,
        dropped: Arc<AtomicU64>,
    ) -> Self {
        Self {
            catalog,
            data,
            keeper,
            settings,
            link,
            vitals: Vitals::new(tuning.system_root.clone()),
            tuning,
            files: FileWatch::default(),
            alarms: AlarmStates::default(),
            losses: HashMap::new(),
            audit: Vec::new(),
            dropped,
            dropped_seen: 0,
            deletions_finished: false,
        }
    }

    /// `after_power_loss`: this start found that the last stop was none.
    pub(crate) fn run(mut self, notices: &Receiver<Notice>, mut after_power_loss: bool) {
        let began = Instant::now();
        let mut next_round = began;
        let mut settled = false;
        self.alarms.set(AlarmKey::of_box(AlarmCode::PowerLossRestart), after_power_loss, Params::new());
        loop {
            if Instant::now() >= next_round {
                if after_power_loss && began.elapsed() > self.tuning.power_loss_stands {
                    after_power_loss = false;
                    self.alarms.clear(AlarmKey::of_box(AlarmCode::PowerLossRestart));
                }
                self.look_around();
                if !settled && began.elapsed() > self.tuning.lines_settle {
                    settled = self.alarms.clear_stale(&self.catalog, told_otherwise).is_ok();
                }
                self.alarms.write_to(&self.catalog);
                self.write_audit();
                next_round = Instant::now() + self.tuning.round;
            }
            match notices.recv_timeout(next_round.saturating_duration_since(Instant::now())) {
                Ok(Notice::Finish) | Err(RecvTimeoutError::Disconnected) => break,
                Ok(notice) => {
                    self.take(notice);
                    while let Ok(more) = notices.try_recv() {
                        if matches!(more, Notice::Finish) {
                            return self.write_last();
                        }
                        self.take(more);
                    }
                    self.alarms.write_to(&self.catalog);
                    self.write_audit();
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
        self.write_last();
    }

    fn write_last(mut self) {
        self.alarms.write_to(&self.catalog);
        self.write_audit();
    }

    fn take(&mut self, notice: Notice) {
        match notice {
            Notice::Raise(key, params) => self.alarms.raise(key, params),
            Notice::Clear(key) => self.alarms.clear(key),
            Notice::Lost(key, params) => self.lost(key, params),
            Notice::Withheld { port, number } => {
                if self.audit.len() < AUDIT_WAITING {
                    self.audit.push(withheld(port, number));
                }
            }
            Notice::DeletionUnfinished => self.deletions_finished = false,
            Notice::Finish => {}
        }
    }

    fn lost(&mut self, key: AlarmKey, params: Params) {
        self.losses.insert(key.clone(), Instant::now());
        self.alarms.raise(key, params);
    }

    fn look_around(&mut self) {
        if let Ok(space) = self.data.free_space() {
            disk::look(space, self.settings.now().disk_nearly_full_percent, &mut self.alarms);
        }
        let unsynchronised = self.keeper.quality() != recording::ClockQuality::Synchronised;
        self.alarms.set(AlarmKey::of_box(AlarmCode::ClockUnsynchronised), unsynchronised, Params::new());
        self.alarms.look_at_catalog(&self.catalog);
        self.vitals.look(&self.settings.now().load_limits(), Instant::now(), &mut self.alarms);
        self.files.look(&self.catalog, &self.data, &mut self.alarms);
        for (code, stands, params) in self.link.alarms(&self.keeper) {
            if let Some(stands) = stands {
                self.alarms.set(AlarmKey::of_box(code), stands, params);
            }
        }
        let dropped = self.dropped.load(Relaxed);
        if dropped > self.dropped_seen {
            let messages = dropped - self.dropped_seen;
            self.dropped_seen = dropped;
            self.lost(AlarmKey::of_box(AlarmCode::Overloaded), params(json!({"messages": messages})));
        }
        let stands = self.tuning.loss_stands;
        for (key, _) in self.losses.extract_if(|_, last| last.elapsed() >= stands) {
            self.alarms.clear(key);
        }
        self.deletions_finished = self.deletions_finished || deletions::finish(&self.catalog, &self.data);
    }

    fn write_audit(&mut self) {
        let written = self.audit.iter().take_while(|entry| self.catalog.audit((*entry).clone()).is_ok());
        let written = written.count();
        self.audit.drain(..written);
    }
}

/// Damage to the journal stands until a reindex; of missing files, the platform and e-mail those know
/// who look for them.
fn told_otherwise(code: AlarmCode) -> bool {
    use AlarmCode::{ClockWrong, EmailFailed, JournalDamaged, PlatformUnreachable, RecordingMissing};
    matches!(code, JournalDamaged | RecordingMissing | PlatformUnreachable | ClockWrong | EmailFailed)
}

fn withheld(port: u16, number: Option<String>) -> AuditEntry {
    AuditEntry {
        account: None,
        display_name: None,
        ip: None,
        item: "recording".into(),
        port: Some(port),
        operation: "withhold".into(),
        params: params(json!({"number": number})),
        result: AuditResult::Ok,
        detail: None,
        department: None,
    }
}
