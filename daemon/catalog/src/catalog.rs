//! The face of the crate: one `Catalog` is opened a data folder, cloned freely, and called from any thread. Its calls
//! stand in `writing` and `reading`.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::alarm_book::AlarmBook;
use crate::department_scope::DepartmentScopes;
use crate::error::Error;
use crate::pool::Pool;
use crate::store::Store;

/// How a catalog is opened.
#[derive(Clone, Debug)]
pub struct Options {
    /// Serial number of this box; its records are counted by `next_sequence`.
    pub serial: String,
    /// Connections that read at the same time.
    pub readers: usize,
    /// The time that entries are stamped with, microseconds of UTC.
    pub clock: fn() -> i64,
}

impl Options {
    pub fn new(serial: impl Into<String>) -> Self {
        Self { serial: serial.into(), readers: 3, clock: system_clock_us }
    }
}

fn system_clock_us() -> i64 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_1970.as_micros()).unwrap_or(i64::MAX)
}

/// Where entries came to stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Journal sequence numbers of the first and last entry.
    pub first: u64,
    pub last: u64,
    /// The time they are stamped with, microseconds of UTC.
    pub utc_us: i64,
    /// Queries show them already; otherwise they will as soon as the catalog has followed.
    pub indexed: bool,
}

/// Journal and catalog of one data folder. Clones share everything; the last one to go writes what waits and closes
/// them. All calls block, and none holds a lock for long.
#[derive(Clone)]
pub struct Catalog {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub journal_folder: PathBuf,
    pub serial: String,
    pub clock: fn() -> i64,
    pub pool: Pool,
    pub alarms: AlarmBook,
    pub store: Store,
    pub departments: DepartmentScopes,
    /// Held while a deletion is judged and written, and while a grade is.
    grading: Mutex<()>,
}

impl Inner {
    pub fn grading(&self) -> MutexGuard<'_, ()> {
        self.grading.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Catalog {
    /// Opens `root/journal` and `root/catalog.sqlite`, mends what a power cut left, and brings the catalog up to the
    /// journal; makes it again where it is absent, damaged, of another version or of another journal. One that lacks
    /// more than 20,000 entries is brought up in the background: writing works at once, queries answer
    /// `Error::NotReady` until then.
    ///
    /// # Errors
    /// `NewerFormat` when a newer release wrote the journal; `Io` and `Index` when the disk fails.
    pub fn open(root: &Path, options: Options) -> Result<(Self, OpenReport), Error> {
        let (journal_folder, index) = (root.join("journal"), root.join("catalog.sqlite"));
        let (store, found) = Store::open(&journal_folder, &index, &options)?;
        let damage = store.shared.damage();
        let pool = Pool::new(index, store.shared.clone(), options.readers);
        let alarms = AlarmBook::default();
        let (serial, clock, grading) = (options.serial, options.clock, Mutex::new(()));
        let departments = DepartmentScopes::default();
        let inner = Inner { journal_folder, serial, clock, pool, alarms, store, departments, grading };
        let catalog = Self { inner: Arc::new(inner) };
        Ok((catalog, OpenReport { damage, rebuilt: found.rebuilt, caught_up: found.caught_up }))
    }

    /// How far the catalog is behind the journal, and why.
    pub fn health(&self) -> Health {
        use std::sync::atomic::Ordering::Acquire;
        let shared = &self.inner.store.shared;
        Health {
            indexed_sequence: shared.indexed.load(Acquire),
            journal_sequence: shared.durable.load(Acquire),
            ready: shared.ready.load(Acquire),
            failing: shared.failing(),
            damage: shared.damage(),
            losses: shared.losses(),
        }
    }

    /// Waits until queries show everything that is on disk now. `false`: the catalog fails, or it takes longer.
    pub fn wait_until_current(&self, longest: Duration) -> bool {
        self.inner.store.shared.wait_until_current(longest)
    }
}

/// State of the catalog against the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// Last entry that queries show.
    pub indexed_sequence: u64,
    /// Last entry that is safe on disk.
    pub journal_sequence: u64,
    /// Queries are answered; not so while a catalog is made again.
    pub ready: bool,
    /// Why the catalog does not follow, while it does not.
    pub failing: Option<String>,
    /// One sentence for each stretch of the journal that could not be read since the start.
    pub damage: Vec<String>,
    /// The same without unfinished writes that were cut off: those never were entries.
    pub losses: Vec<JournalLoss>,
}

/// A stretch of the journal that had been written and cannot be read any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalLoss {
    /// Names it for ever: its file within the journal's folder, and where in it.
    pub place: String,
    /// What is wrong there.
    pub sentence: String,
}

/// What opening found and mended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpenReport {
    /// One sentence for each stretch of the journal that could not be read.
    pub damage: Vec<String>,
    /// The catalog was made again, and why.
    pub rebuilt: Option<String>,
    /// Entries that the catalog lacked.
    pub caught_up: u64,
}
