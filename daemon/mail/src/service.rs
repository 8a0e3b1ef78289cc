//! The face: settings, state and tests, for any thread; and the one thread in which everything is sent.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use catalog::Catalog;
use chrono_tz::Tz;
use recording::FreeSpace;
use serde_json::{Map, Value};
use tokio::sync::{Notify, watch};

use crate::book::MailBook;
use crate::error::MailError;
use crate::progress::{Last, Progress};
use crate::rounds::Rounds;
use crate::settings::{MailSettings, invalid};
use crate::smtp::Failure;
use crate::tests_sent::Tests;

/// Characters of a test message.
const LONGEST_TEST: usize = 2000;

/// What mail needs to know of the box that sends it.
pub trait Host: Send + Sync {
    fn name(&self) -> String;
    fn serial(&self) -> String;
    /// Microseconds of UTC since 1970.
    fn now_us(&self) -> i64;
    fn zone(&self) -> Tz;
    /// Of the disk with the data folder; `None`: not to be known now.
    fn free_space(&self) -> Option<FreeSpace>;
    /// Serial numbers of stations that should be connected and are not; `None` on a box that has no stations.
    fn offline(&self) -> Option<Vec<String>>;
}

/// How long things take. Tests choose otherwise.
#[derive(Clone, Debug)]
pub struct Tuning {
    /// How often it is looked whether there is something to send.
    pub round: Duration,
    /// A server that says nothing for this long is left.
    pub answer_within: Duration,
    /// After a failure it is tried again after this long, then after twice as long, …
    pub first_retry: Duration,
    /// … up to this.
    pub longest_retry: Duration,
    /// An address that was not reached for this long is an alarm.
    pub failing_for: Duration,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            round: Duration::from_secs(1),
            answer_within: Duration::from_secs(30),
            first_retry: Duration::from_secs(30),
            longest_retry: Duration::from_secs(1800),
            failing_for: Duration::from_secs(600),
        }
    }
}

pub struct MailConfig {
    /// The box's data folder.
    pub data: PathBuf,
    pub catalog: Catalog,
    pub host: Arc<dyn Host>,
    pub tuning: Tuning,
}

/// E-mail of a box. Clones share it; any thread may ask.
#[derive(Clone)]
pub struct Mail {
    shared: Arc<Shared>,
    thread: Arc<Mutex<Option<JoinHandle<()>>>>,
}

/// What the thread and those who ask have in common.
pub(crate) struct Shared {
    pub book: MailBook,
    pub state: Mutex<State>,
    /// Settings have changed.
    pub changed: Notify,
    /// A test is asked for.
    pub test_asked: Notify,
    pub stop: watch::Sender<bool>,
}

pub(crate) struct State {
    pub progress: Progress,
    /// When addresses that failed are tried again, microseconds of UTC.
    pub next_try_us: HashMap<String, i64>,
    pub test: Option<TestNow>,
}

impl Shared {
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Everything that a page shows.
#[derive(Clone, Debug)]
pub struct MailNow {
    pub settings: Arc<MailSettings>,
    /// There is a secret; it is never told.
    pub secret_set: bool,
    /// In the order of the settings.
    pub recipients: Vec<RecipientNow>,
    /// The last test since the start.
    pub test: Option<TestNow>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecipientNow {
    pub address: String,
    /// `None`: nothing was sent to it yet.
    pub last: Option<Last>,
    /// Microseconds of UTC; `None`: nothing waits for another try.
    pub next_try_us: Option<i64>,
}

/// A test message on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestNow {
    pub text: String,
    /// Microseconds of UTC.
    pub begun_us: i64,
    pub recipients: Vec<(String, TestState)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TestState {
    Waiting,
    Sending,
    Sent,
    Failed(Failure),
}

impl TestNow {
    pub fn is_running(&self) -> bool {
        self.recipients.iter().any(|(_, state)| matches!(state, TestState::Waiting | TestState::Sending))
    }
}

impl Mail {
    /// Reads settings and state, and starts the thread. Nothing is sent before it is switched on. Settings that cannot be
    /// are told on the console, and e-mail is off.
    ///
    /// # Errors
    /// A thread that cannot be started.
    pub fn start(config: MailConfig) -> io::Result<Self> {
        let MailConfig { data, catalog, host, tuning } = config;
        let book = MailBook::open(data.join("settings/mail.toml"));
        let progress = Progress::load(&data.join("mail.json"));
        let (stop, mut stopped) = watch::channel(false);
        let shared = Arc::new(Shared {
            book,
            state: Mutex::new(State { progress, next_try_us: HashMap::new(), test: None }),
            changed: Notify::new(),
            test_asked: Notify::new(),
            stop,
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let mut rounds = Rounds::new(shared.clone(), catalog.clone(), host.clone(), tuning.clone());
        let tests = Tests { shared: shared.clone(), catalog, host, tuning };
        let work = move || {
            runtime.block_on(async {
                tokio::select! {
                    () = rounds.run() => {}
                    () = tests.run() => {}
                    _ = stopped.wait_for(|stop| *stop) => {}
                }
            });
            rounds.put_away();
            // A name that the DNS does not answer would be waited for.
            runtime.shutdown_background();
        };
        let thread = std::thread::Builder::new().name("mail".into()).spawn(work)?;
        Ok(Self { shared, thread: Arc::new(Mutex::new(Some(thread))) })
    }

    /// Ends the thread; what was not sent is sent after the next start. Blocks briefly. A second call does nothing.
    pub fn stop(&self) {
        let _ = self.shared.stop.send(true);
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // One that panicked has printed why.
            let _ = thread.join();
        }
    }

    pub fn now(&self) -> MailNow {
        let in_force = self.shared.book.now();
        let state = self.shared.state();
        let recipients = in_force.settings.recipients.iter().map(|address| {
            let known =
                state.progress.recipients.iter().find(|one| one.address.eq_ignore_ascii_case(address));
            RecipientNow {
                address: address.clone(),
                last: known.and_then(|one| one.last.clone()),
                next_try_us: state.next_try_us.get(address).copied(),
            }
        });
        MailNow {
            recipients: recipients.collect(),
            secret_set: in_force.secret.is_some(),
            test: state.test.clone(),
            settings: in_force.settings,
        }
    }

    /// Sets members of the settings, all or none, in the file and at once; `secret` is a text, or `null` for none.
    /// What failed before is tried again at once. Returns the settings before and after.
    ///
    /// # Errors
    /// `Invalid` with the member that is wrong; `File` when the disk refuses.
    pub fn change(
        &self,
        patch: &Map<String, Value>,
    ) -> Result<(Arc<MailSettings>, Arc<MailSettings>), MailError> {
        let changed = self.shared.book.change(patch)?;
        self.shared.changed.notify_one();
        Ok(changed)
    }

    /// Begins to send `text` to all addresses that are set, with the settings as they are; [`now`](Self::now) tells how
    /// it goes.
    ///
    /// # Errors
    /// `Invalid`: what is missing in the settings, or a text of none or too many characters. `TestRunning`.
    pub fn test(&self, text: &str, now_us: i64) -> Result<(), MailError> {
        let settings = self.shared.book.now().settings;
        settings.ready()?;
        if text.trim().is_empty() || text.chars().count() > LONGEST_TEST {
            return Err(invalid("text", format!("expected 1 to {LONGEST_TEST} characters")));
        }
        let mut state = self.shared.state();
        if state.test.as_ref().is_some_and(TestNow::is_running) {
            return Err(MailError::TestRunning);
        }
        let recipients = settings.recipients.iter().map(|address| (address.clone(), TestState::Waiting));
        state.test =
            Some(TestNow { text: text.to_owned(), begun_us: now_us, recipients: recipients.collect() });
        drop(state);
        self.shared.test_asked.notify_one();
        Ok(())
    }
}
