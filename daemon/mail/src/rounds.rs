//! What the mail thread does again and again: look what is news, for whom, whether it is time, send it, and keep in mind
//! how that went.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use catalog::{AlarmCode, AlarmKey, AlarmQuery, Catalog};
use serde_json::json;
use upkeep::alarm_states::alarm_keys;
use upkeep::{AlarmStates, params};

use crate::book::InForce;
use crate::delivery::{Way, writer};
use crate::events::{Event, Follower, Key};
use crate::progress::{Failing, Kind, Last, Recipient};
use crate::service::{Host, Shared, Tuning};
use crate::settings::{MailSettings, time_of_day};
use crate::smtp::Failure;
use crate::summary::{Summary, begin_us, last_due_us};
use crate::text::Text;

/// Progress in which nothing was sent is written down at most this often: it only saves reading again.
const WRITE_EVERY: Duration = Duration::from_secs(60);
/// The clock was put back by more than this: what was told of the future is forgotten.
const FUTURE_US: i64 = 2 * 86_400_000_000;

pub(crate) struct Rounds {
    shared: Arc<Shared>,
    catalog: Catalog,
    host: Arc<dyn Host>,
    tuning: Tuning,
    follower: Option<Follower>,
    alarms: AlarmStates,
    /// Addresses about which an alarm may stand; `None`: those of former runs are not known yet.
    alarmed: Option<HashSet<String>>,
    retries: HashMap<String, Retry>,
    written: Instant,
    /// The journal or the catalog could not be read; said once.
    refused: bool,
}

/// An address that is to be tried again.
struct Retry {
    wait: Duration,
    at: Instant,
}

/// One message to one address.
struct Job {
    address: String,
    what: What,
}

enum What {
    /// Alarms behind `told` up to `to`.
    Alarms { told: u64, to: u64 },
    /// Microseconds of UTC.
    Summary { from_us: i64, to_us: i64 },
}

impl Rounds {
    pub fn new(shared: Arc<Shared>, catalog: Catalog, host: Arc<dyn Host>, tuning: Tuning) -> Self {
        Self {
            shared,
            catalog,
            host,
            tuning,
            follower: None,
            alarms: AlarmStates::default(),
            alarmed: None,
            retries: HashMap::new(),
            written: Instant::now(),
            refused: false,
        }
    }

    /// Never returns.
    pub async fn run(&mut self) {
        loop {
            let in_force = self.shared.book.now();
            self.begin(&in_force.settings);
            if in_force.settings.switched_on {
                match self.news(&in_force.settings) {
                    Ok(jobs) => {
                        self.refused = false;
                        self.deliver(in_force, jobs).await;
                    }
                    Err(error) if !self.refused => {
                        eprintln!("e-mail waits: {error}");
                        self.refused = true;
                    }
                    Err(_) => {}
                }
            }
            self.tell_alarms();
            if self.written.elapsed() >= WRITE_EVERY {
                self.write();
            }
            tokio::select! {
                () = tokio::time::sleep(self.tuning.round) => {}
                () = self.shared.changed.notified() => {
                    // A setting may have been what was wrong, or a test has shown that the way is open.
                    self.retries.clear();
                    self.write();
                }
            }
        }
    }

    /// At the end: what was told is written down.
    pub fn put_away(&mut self) {
        self.tell_alarms();
        self.write();
    }

    fn write(&mut self) {
        self.shared.state().progress.write();
        self.written = Instant::now();
    }

    /// Addresses as they are set. While it is off everybody knows of everything, so that nothing old is sent later.
    fn begin(&mut self, settings: &MailSettings) {
        let end = self.catalog.health().journal_sequence;
        let due_us = self.due_us(settings);
        let mut state = self.shared.state();
        state.progress.keep(&settings.recipients, end, due_us);
        for one in &mut state.progress.recipients {
            if !settings.switched_on {
                (one.told, one.failing) = (end, None);
            }
            // Entries cannot be ahead of the journal, but for one that was begun anew.
            one.told = one.told.min(end);
            if !settings.switched_on || !settings.summary || one.summarised_us > due_us + FUTURE_US {
                one.summarised_us = due_us;
            }
        }
        if !settings.switched_on {
            self.follower = None;
            self.retries.clear();
        }
        let set = |address: &String| settings.recipients.contains(address);
        self.retries.retain(|address, _| set(address));
        state.next_try_us.retain(|address, _| self.retries.contains_key(address));
    }

    fn due_us(&self, settings: &MailSettings) -> i64 {
        let at = time_of_day(&settings.summary_at).unwrap_or_default();
        last_due_us(self.host.now_us(), self.host.zone(), at)
    }

    /// What is to be sent now.
    fn news(&mut self, settings: &MailSettings) -> Result<Vec<Job>, catalog::Error> {
        let Some(told) = self.shared.state().progress.told() else { return Ok(Vec::new()) };
        let follower = match &mut self.follower {
            Some(follower) => follower,
            none => none.insert(Follower::after(&self.catalog, told)?),
        };
        let kinds: HashSet<&str> = settings.alarms.iter().map(String::as_str).collect();
        let about_mail = |key: &Key| key.station.is_none() && key.code == AlarmCode::EmailFailed.name();
        while follower.read(|key| kinds.contains(key.code.as_str()) && !about_mail(key))? {}

        let due_us = self.due_us(settings);
        let collect = Duration::from_secs(settings.collect_s.into());
        let Some(follower) = &mut self.follower else { return Ok(Vec::new()) };
        let mut jobs = Vec::new();
        let mut state = self.shared.state();
        for one in &mut state.progress.recipients {
            let waits = self.retries.get(&one.address).is_some_and(|retry| Instant::now() < retry.at);
            let first = follower.events.iter().find(|event| event.sequence > one.told);
            let what = match first {
                None => {
                    one.told = one.told.max(follower.read_to());
                    None
                }
                Some(first) if waits || first.noticed.elapsed() < collect => None,
                Some(_) => Some(What::Alarms { told: one.told, to: follower.read_to() }),
            };
            let address = || one.address.clone();
            jobs.extend(what.map(|what| Job { address: address(), what }));
            let from_us = begin_us(one.summarised_us, due_us).filter(|_| !waits);
            let summary = from_us.map(|from_us| What::Summary { from_us, to_us: due_us });
            jobs.extend(summary.map(|what| Job { address: address(), what }));
        }
        follower.forget(state.progress.told().unwrap_or_default());
        Ok(jobs)
    }

    async fn deliver(&mut self, in_force: InForce, jobs: Vec<Job>) {
        if jobs.is_empty() {
            return;
        }
        let settings = in_force.settings.clone();
        let mut way = Way::new(in_force, self.tuning.answer_within);
        for job in jobs {
            let outcome = match self.text(&settings, &job.what) {
                Ok(Some(text)) => way.send(&job.address, &text, &*self.host).await,
                Ok(None) => {
                    self.advance(&job);
                    continue;
                }
                // Figures that cannot be read now are read in the next round.
                Err(error) => {
                    eprintln!("e-mail waits: {error}");
                    continue;
                }
            };
            self.note(&job, outcome);
            // At once: it is not sent again, whatever happens next.
            self.write();
        }
        way.close().await;
    }

    /// The message; `None`: there is nothing in it that is wanted.
    fn text(&self, settings: &MailSettings, what: &What) -> Result<Option<Text>, catalog::Error> {
        let writer = writer(&self.catalog, &*self.host, settings);
        match *what {
            What::Alarms { told, to } => {
                let Some(follower) = &self.follower else { return Ok(None) };
                let of_these = |event: &&Event| event.sequence > told && event.sequence <= to;
                let events: Vec<&Event> = follower.events.iter().filter(of_these).collect();
                Ok(writer.alarms(&events, settings.cleared, follower.left_out_to > told))
            }
            What::Summary { from_us, to_us } => {
                let read = Summary::read(&self.catalog, self.host.zone(), from_us, to_us)?;
                let summary = Summary { offline: self.host.offline(), disk: self.host.free_space(), ..read };
                Ok(Some(writer.summary(&summary)))
            }
        }
    }

    /// The address knows of it now, or will never.
    fn advance(&self, job: &Job) {
        self.with(&job.address, |one| match job.what {
            What::Alarms { to, .. } => one.told = one.told.max(to),
            What::Summary { to_us, .. } => one.summarised_us = to_us,
        });
    }

    fn with(&self, address: &str, change: impl FnOnce(&mut Recipient)) {
        if let Some(one) =
            self.shared.state().progress.recipients.iter_mut().find(|one| one.address == address)
        {
            change(one);
        }
    }

    fn note(&mut self, job: &Job, outcome: Result<(), Failure>) {
        let kind = match job.what {
            What::Alarms { .. } => Kind::Alarms,
            What::Summary { .. } => Kind::Summary,
        };
        let now_us = self.host.now_us();
        let failure = outcome.err();
        self.with(&job.address, |one| {
            one.last = Some(Last { utc_us: now_us, kind, failure: failure.clone() });
            one.failing = failure.clone().map(|failure| {
                let since_us = one.failing.as_ref().map_or(now_us, |failing| failing.since_us);
                Failing { since_us, failure }
            });
        });
        match failure {
            Some(failure) if !failure.permanent => self.try_again(&job.address, now_us),
            _ => {
                self.advance(job);
                self.retries.remove(&job.address);
                self.shared.state().next_try_us.remove(&job.address);
            }
        }
    }

    fn try_again(&mut self, address: &str, now_us: i64) {
        let wait = match self.retries.get(address) {
            Some(retry) if Instant::now() < retry.at => return,
            Some(retry) => (retry.wait * 2).min(self.tuning.longest_retry),
            None => self.tuning.first_retry,
        };
        self.retries.insert(address.to_owned(), Retry { wait, at: Instant::now() + wait });
        let at_us = now_us + i64::try_from(wait.as_micros()).unwrap_or_default();
        self.shared.state().next_try_us.insert(address.to_owned(), at_us);
    }

    /// Raises and clears `email_failed` for each address.
    fn tell_alarms(&mut self) {
        if self.alarmed.is_none() {
            let codes = [AlarmCode::EmailFailed.name().to_owned()].into();
            let before = alarm_keys(&self.catalog, &AlarmQuery { codes, ..AlarmQuery::default() });
            self.alarmed = before.ok().map(|keys| keys.into_iter().filter_map(|key| key.thing).collect());
        }
        let Some(alarmed) = &mut self.alarmed else { return };
        let now_us = self.host.now_us();
        let long_us = i64::try_from(self.tuning.failing_for.as_micros()).unwrap_or(i64::MAX);
        let recipients = self.shared.state().progress.recipients.clone();
        for one in &recipients {
            let long = |failing: &&Failing| failing.failure.permanent || now_us - failing.since_us >= long_us;
            let failing = one.failing.as_ref().filter(long);
            let why = failing.map(|failing| {
                params(json!({"reason": failing.failure.reason.name(), "detail": failing.failure.detail}))
            });
            let key = AlarmKey::of_thing(AlarmCode::EmailFailed, &one.address);
            // An alarm stands until mail arrives: what fails for the next reason has not been well in between.
            if why.is_some() || one.failing.is_none() {
                self.alarms.set(key, why.is_some(), why.unwrap_or_default());
            }
            alarmed.insert(one.address.clone());
        }
        alarmed.retain(|address| {
            let kept = recipients.iter().any(|one| one.address == *address);
            if !kept {
                self.alarms.clear(AlarmKey::of_thing(AlarmCode::EmailFailed, address));
            }
            kept
        });
        self.alarms.write_to(&self.catalog);
    }
}
