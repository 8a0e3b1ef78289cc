//! What is known of the stations that are asked: the plan, the visits under way, and how the last ones went. When each was
//! last found to have nothing more stands in a file, so that a restart asks nobody before the time.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use catalog::Pull;
use recording::write_atomically;
use serde::Serialize;
use tokio::sync::Notify;
use uplink::Fingerprint;

use super::plan::{Pauses, Plan};
use super::visit::{Outcome, Visit};
use crate::lock;
use crate::platform::Inner;
use crate::stations::Askable;

/// How asking a station goes. Times are microseconds of UTC since 1970.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullNow {
    pub state: PullState,
    /// When it was last found to have nothing that the platform lacks.
    pub last_success_us: Option<i64>,
    /// When the last visit ended, in this run of the platform.
    pub last_try_us: Option<i64>,
    /// `None` while it is visited.
    pub next_us: Option<i64>,
    /// Why the last visit failed; `None` after a success.
    pub trouble: Option<PullTrouble>,
    /// Of the certificate that was shown in place of the pinned one. To accept it, pin it.
    pub offered: Option<Fingerprint>,
    /// Entries that have come by this visit, of all there were to fetch.
    pub progress: Option<(u64, u64)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PullState {
    /// Its time comes.
    Waiting,
    /// Its time has come, and its quiet hours are not over.
    QuietHours,
    /// Its time has come, and it is connected of its own or others are visited.
    Due,
    Running,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullTrouble {
    /// Stable.
    pub code: &'static str,
    /// One sentence in English.
    pub sentence: String,
}

/// All of them.
pub(crate) struct Pulls {
    book: Mutex<Book>,
    file: PathBuf,
    pub wake: Notify,
}

struct Book {
    plan: Plan,
    tracks: BTreeMap<String, Track>,
    /// By serial number; of stations that are not asked now as well.
    last_success_us: BTreeMap<String, i64>,
    /// The file says something else.
    unwritten: bool,
}

/// A station that is asked.
struct Track {
    pull: Pull,
    visit: Option<Arc<Visit>>,
    quiet: bool,
    has_dialled: bool,
    last_try_us: Option<i64>,
    trouble: Option<PullTrouble>,
    offered: Option<Fingerprint>,
}

impl Track {
    fn new(pull: Pull) -> Self {
        Self {
            pull,
            visit: None,
            quiet: false,
            has_dialled: false,
            last_try_us: None,
            trouble: None,
            offered: None,
        }
    }

    /// Whether `pull` is something else than what is tried: the first certificate is written down by a visit itself.
    fn differs(&self, pull: &Pull) -> bool {
        let other_pin = self.pull.fingerprint.is_some() && self.pull.fingerprint != pull.fingerprint;
        let was = (&self.pull.address, &self.pull.token, self.pull.every_hours);
        other_pin || was != (&pull.address, &pull.token, pull.every_hours)
    }

    fn stop(&self) {
        self.visit.iter().for_each(|visit| visit.stop());
    }

    fn is_well(&mut self) {
        (self.trouble, self.offered) = (None, None);
    }
}

impl Pulls {
    /// What the file says of the last visits; without it all are made anew.
    pub fn load(file: PathBuf, pauses: Pauses, at_once: usize) -> Self {
        let last_success_us = match std::fs::read(&file) {
            Ok(bytes) => serde_json::from_slice(&bytes).unwrap_or_else(|error| {
                eprintln!("{}: {error}; all stations that are asked are visited now", file.display());
                BTreeMap::new()
            }),
            Err(_) => BTreeMap::new(),
        };
        let book = Book {
            plan: Plan::new(pauses, at_once),
            tracks: BTreeMap::new(),
            last_success_us,
            unwritten: false,
        };
        Self { book: Mutex::new(book), file, wake: Notify::new() }
    }

    /// A person wants it now.
    pub fn ask(&self, inner: &Inner, serial: &str) {
        {
            let mut book = lock(&self.book);
            book.follow(inner);
            book.plan.ask(serial, Instant::now());
        }
        self.wake.notify_one();
        inner.stations.changed();
    }

    /// Visits to make now.
    pub(super) fn take_due(&self, inner: &Inner) -> Vec<(Pull, Arc<Visit>)> {
        let mut book = lock(&self.book);
        let changed = book.follow(inner);
        let Book { plan, tracks, .. } = &mut *book;
        let now = Instant::now();
        let may = |serial: &str, asked: bool| {
            tracks.get(serial).is_some_and(|track| !track.has_dialled && (asked || !track.quiet))
        };
        let due = plan.take_due(now, may);
        // Whoever has much to send, or never has nothing, leaves room for those who wait, and comes after them.
        let mut long: Vec<&Arc<Visit>> = tracks
            .values()
            .filter_map(|track| track.visit.as_ref())
            .filter(|visit| visit.began.elapsed() >= inner.tuning.pull_longest_visit)
            .collect();
        long.sort_by_key(|visit| visit.began);
        long.iter().take(plan.waiting(now, may)).for_each(|visit| visit.stop());
        let mut visits = Vec::new();
        for (serial, wanted) in due {
            if let Some(track) = tracks.get_mut(&serial) {
                let visit = Arc::new(Visit::new(&serial, wanted));
                track.visit = Some(visit.clone());
                visits.push((track.pull.clone(), visit));
            }
        }
        drop(book);
        if changed || !visits.is_empty() {
            inner.stations.changed();
        }
        visits
    }

    pub(super) fn ended(&self, inner: &Inner, visit: &Arc<Visit>, outcome: Outcome) {
        let (now, now_us) = (Instant::now(), inner.clock.now_us());
        let mut book = lock(&self.book);
        let Book { plan, tracks, last_success_us, unwritten } = &mut *book;
        let serial = &visit.serial;
        let of_this = |track: &&mut Track| track.visit.as_ref().is_some_and(|now| Arc::ptr_eq(now, visit));
        let Some(track) = tracks.get_mut(serial).filter(of_this) else { return };
        track.visit = None;
        match outcome {
            Outcome::Everything => {
                plan.succeeded(serial, now);
                track.last_try_us = Some(now_us);
                track.is_well();
                last_success_us.insert(serial.clone(), now_us);
                *unwritten = true;
            }
            Outcome::PutOff => plan.put_off(serial, now),
            Outcome::Failed(trouble) => {
                plan.failed(serial, trouble.retry(), now);
                track.last_try_us = Some(now_us);
                track.offered = trouble.offered();
                let sentence = trouble.to_string();
                if trouble.is_of_station() {
                    inner.stations.in_trouble(serial, sentence.clone());
                }
                track.trouble = Some(PullTrouble { code: trouble.code(), sentence });
            }
        }
        drop(book);
        self.wake.notify_one();
        inner.stations.changed();
    }

    /// How it goes with `serial`; `None`: it is not asked.
    pub fn now(&self, inner: &Inner, serial: &str) -> Option<PullNow> {
        let book = lock(&self.book);
        let track = book.tracks.get(serial)?;
        let left = book.plan.left(serial, Instant::now())?;
        let state = match (&track.visit, left.is_zero()) {
            (Some(_), _) => PullState::Running,
            (None, false) => PullState::Waiting,
            (None, true) if track.quiet && !track.has_dialled => PullState::QuietHours,
            (None, true) => PullState::Due,
        };
        let next_us = inner.clock.now_us().saturating_add(left.as_micros() as i64);
        Some(PullNow {
            state,
            last_success_us: book.last_success_us.get(serial).copied(),
            last_try_us: track.last_try_us,
            next_us: track.visit.is_none().then_some(next_us),
            trouble: track.trouble.clone(),
            offered: track.offered,
            progress: track.visit.as_ref().and_then(|visit| visit.progress()),
        })
    }

    /// Puts into the file what is not there yet. Waits for the disk.
    pub(super) fn save(&self, inner: &Inner) {
        let text = {
            let mut book = lock(&self.book);
            if !std::mem::take(&mut book.unwritten) {
                return;
            }
            book.last_success_us.retain(|serial, _| inner.stations.device(serial).is_some());
            serde_json::to_vec(&book.last_success_us)
        };
        let written = text.map_err(std::io::Error::from).and_then(|text| write_atomically(&self.file, &text));
        if let Err(error) = written {
            // The next success writes it again; a restart before that asks too early, and no more.
            eprintln!("{}: {error}", self.file.display());
        }
    }
}

impl Book {
    /// Makes the plan what the devices say. `true`: something of it is different now.
    fn follow(&mut self, inner: &Inner) -> bool {
        let (now, now_us) = (Instant::now(), inner.clock.now_us());
        let askable = inner.stations.askable(inner.clock.weekday_and_minute().1);
        let Self { plan, tracks, last_success_us, unwritten } = self;
        let before = tracks.len();
        tracks.retain(|serial, track| {
            let goes_on = askable.contains_key(serial);
            if !goes_on {
                plan.forget(serial);
                track.stop();
            }
            goes_on
        });
        let mut changed = tracks.len() < before;
        for (serial, Askable { pull, quiet, has_dialled, synchronised }) in askable {
            let every = inner.tuning.minute * 60 * pull.every_hours;
            let track = tracks.entry(serial.clone()).or_insert_with(|| Track::new(pull.clone()));
            if !plan.knows(&serial) {
                let last = last_success_us.get(&serial);
                let ago = last.map(|last| Duration::from_micros(now_us.saturating_sub(*last).max(0) as u64));
                plan.begin(&serial, every, ago, now);
                changed = true;
            } else if track.differs(&pull) {
                plan.changed(&serial, every, now);
                track.stop();
                track.is_well();
                changed = true;
            }
            track.pull = pull;
            if quiet && track.visit.as_ref().is_some_and(|visit| !visit.wanted) {
                track.stop();
            }
            (track.quiet, track.has_dialled) = (quiet, has_dialled);
            if has_dialled && synchronised && plan.is_due(&serial, now) {
                // It is connected of its own, and nothing of it is lacking.
                plan.succeeded(&serial, now);
                track.is_well();
                last_success_us.insert(serial, now_us);
                (*unwritten, changed) = (true, true);
            }
        }
        changed
    }
}
