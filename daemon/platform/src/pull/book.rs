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

use super::anchor::Anchor;
use super::plan::{Pauses, Plan};
use super::visit::{Outcome, Visit};
use crate::lock;
use crate::platform::Inner;
use crate::station::Askable;

/// How asking a station goes. Times are microseconds of UTC since 1970.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullNow {
    pub state: PullState,
    /// When it was last found to have nothing that the platform lacks.
    pub last_success_us: Option<i64>,
    /// When the last visit ended, in this run of the platform.
    pub last_try_us: Option<i64>,
    /// When its time comes, or came; `None` while it is visited.
    pub next_us: Option<i64>,
    /// Why the last visit failed; `None` after a success.
    pub trouble: Option<PullTrouble>,
    /// Of the certificate that was shown in place of the pinned one. To accept it, pin it.
    pub offered: Option<Fingerprint>,
    /// Entries that have come by this visit, of all there were to fetch.
    pub progress: Option<(u64, u64)>,
    /// It has dialled since the start: asking is the net under its own connections.
    pub dials: bool,
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
    /// What was found, for whoever looks into it.
    pub detail: Option<String>,
}

/// What the last visits say of a station that is asked: whether it synchronises.
#[derive(Clone, Debug)]
pub(crate) enum Verdict {
    /// It does.
    Well,
    /// Nothing was tried yet, or it fails, but neither for long nor for a reason that stays: what was said before holds.
    Open,
    Failing(PullTrouble),
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
    anchor: Anchor,
}

/// A station that is asked.
struct Track {
    pull: Pull,
    visit: Option<Arc<Visit>>,
    quiet: bool,
    has_dialled: bool,
    dials: bool,
    last_try_us: Option<i64>,
    /// A visit has ended since it is asked in this way.
    tried: bool,
    trouble: Option<PullTrouble>,
    /// The trouble does not go away by itself.
    stays: bool,
    /// The first of the visits in a row that brought nothing.
    failing_since: Option<Instant>,
    offered: Option<Fingerprint>,
}

impl Track {
    fn new(pull: Pull) -> Self {
        Self {
            pull,
            visit: None,
            quiet: false,
            has_dialled: false,
            dials: false,
            last_try_us: None,
            tried: false,
            trouble: None,
            stays: false,
            failing_since: None,
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
        (self.trouble, self.offered, self.failing_since) = (None, None, None);
    }

    fn verdict(&self, failed_after: Duration) -> Verdict {
        match (&self.trouble, self.failing_since) {
            _ if self.has_dialled => Verdict::Well,
            (None, _) if !self.tried => Verdict::Open,
            (None, _) => Verdict::Well,
            (Some(trouble), _) if self.stays => Verdict::Failing(trouble.clone()),
            (Some(trouble), Some(since)) if since.elapsed() >= failed_after => {
                Verdict::Failing(trouble.clone())
            }
            (Some(_), Some(_)) => Verdict::Open,
            // What it brings comes in pieces, and comes; what the platform lacks has an alarm of its own.
            (Some(_), None) => Verdict::Well,
        }
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
            anchor: Anchor::new(),
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
        let Book { plan, tracks, last_success_us, unwritten, .. } = &mut *book;
        let serial = &visit.serial;
        let of_this = |track: &&mut Track| track.visit.as_ref().is_some_and(|now| Arc::ptr_eq(now, visit));
        let Some(track) = tracks.get_mut(serial).filter(of_this) else { return };
        track.visit = None;
        match outcome {
            Outcome::Everything => {
                plan.succeeded(serial, now);
                (track.last_try_us, track.tried) = (Some(now_us), true);
                track.is_well();
                last_success_us.insert(serial.clone(), now_us);
                *unwritten = true;
            }
            Outcome::PutOff => plan.put_off(serial, now),
            Outcome::Failed(trouble) => {
                plan.failed(serial, trouble.retry(), now);
                (track.last_try_us, track.tried) = (Some(now_us), true);
                (track.offered, track.stays) = (trouble.offered(), trouble.stays());
                let passes = visit.has_brought_something() || trouble.is_of_platform();
                track.failing_since = if passes { None } else { track.failing_since.or(Some(now)) };
                let (code, sentence, detail) = (trouble.code(), trouble.to_string(), trouble.detail());
                track.trouble = Some(PullTrouble { code, sentence, detail });
            }
        }
        drop(book);
        self.wake.notify_one();
        inner.stations.changed();
    }

    /// How it goes with `serial`; `None`: it is not asked.
    pub fn now(&self, inner: &Inner, serial: &str) -> Option<PullNow> {
        let (now, now_us) = (Instant::now(), inner.clock.now_us());
        let mut book = lock(&self.book);
        let Book { plan, tracks, last_success_us, anchor, .. } = &mut *book;
        let (track, due) = (tracks.get(serial)?, plan.due(serial)?);
        let state = match (&track.visit, due <= now) {
            (Some(_), _) => PullState::Running,
            (None, false) => PullState::Waiting,
            (None, true) if track.quiet && !track.has_dialled => PullState::QuietHours,
            (None, true) => PullState::Due,
        };
        Some(PullNow {
            state,
            last_success_us: last_success_us.get(serial).copied(),
            last_try_us: track.last_try_us,
            next_us: track.visit.is_none().then(|| anchor.time_of(due, now, now_us)),
            trouble: track.trouble.clone(),
            offered: track.offered,
            progress: track.visit.as_ref().and_then(|visit| visit.progress()),
            dials: track.dials,
        })
    }

    /// By serial number. `failed_after`: visits that bring nothing for so long are no passing trouble.
    pub fn verdicts(&self, failed_after: Duration) -> BTreeMap<String, Verdict> {
        let book = lock(&self.book);
        book.tracks.iter().map(|(serial, track)| (serial.clone(), track.verdict(failed_after))).collect()
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
        let Self { plan, tracks, last_success_us, unwritten, .. } = self;
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
        for (serial, Askable { pull, quiet, has_dialled, dials, synchronised }) in askable {
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
                track.tried = false;
                changed = true;
            }
            track.pull = pull;
            if quiet && track.visit.as_ref().is_some_and(|visit| !visit.wanted) {
                track.stop();
            }
            (track.quiet, track.has_dialled, track.dials) = (quiet, has_dialled, dials);
            if has_dialled && synchronised && plan.is_due(&serial, now) {
                // It is connected of its own, and nothing of it is lacking.
                plan.succeeded(&serial, now);
                track.is_well();
                track.tried = true;
                last_success_us.insert(serial, now_us);
                (*unwritten, changed) = (true, true);
            }
        }
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn a_station_fails_for_good_reason_or_for_long() {
        let pull = Pull { address: "a".into(), token: "t".into(), every_hours: 1, fingerprint: None };
        let verdict = |change: &dyn Fn(&mut Track), after: Duration| {
            let mut track = Track::new(pull.clone());
            change(&mut track);
            match track.verdict(after) {
                Verdict::Well => "well",
                Verdict::Open => "open",
                Verdict::Failing(trouble) => trouble.code,
            }
        };
        let broken = || Some(PullTrouble { code: "broken", sentence: String::new(), detail: None });
        let failing = |track: &mut Track| {
            (track.tried, track.trouble, track.failing_since) = (true, broken(), Some(Instant::now()));
        };
        assert_eq!(verdict(&|_| {}, MINUTE), "open");
        assert_eq!(verdict(&|track| track.tried = true, MINUTE), "well");
        assert_eq!(verdict(&failing, MINUTE), "open");
        assert_eq!(verdict(&failing, Duration::ZERO), "broken");
        let stays = |track: &mut Track| {
            failing(track);
            track.stays = true;
        };
        assert_eq!(verdict(&stays, MINUTE), "broken");
        let in_pieces = |track: &mut Track| {
            failing(track);
            track.failing_since = None;
        };
        assert_eq!(verdict(&in_pieces, Duration::ZERO), "well");
        let dials = |track: &mut Track| {
            stays(track);
            track.has_dialled = true;
        };
        assert_eq!(verdict(&dials, Duration::ZERO), "well");
    }
}
