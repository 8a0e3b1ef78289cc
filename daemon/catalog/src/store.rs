//! The writing side: one thread appends to the journal, with one `fdatasync` for all that wait, and hands what is safe
//! to the follower, which brings the catalog up. Nobody who only needs the journal ever waits for SQLite.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, TrySendError, channel, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::catalog::{JournalLoss, Options, Receipt};
use crate::entry::{Body, Entry};
use crate::error::Error;
use crate::follower::{Batch, Follower};
use crate::journal::{Damage, Journal, Placed, encode};

/// One write takes no more than this much with it; what waits longer goes with the next.
const GROUP_BYTES: usize = 1 << 20;
/// Groups that the follower may lag behind before it has to read them from the journal.
const WAITING_GROUPS: usize = 64;
/// A catalog that lacks more entries than this is brought up in the background: the station does not wait for it.
const FOREGROUND_ENTRIES: u64 = 20_000;

/// What the threads and all clones of a catalog share.
#[derive(Default)]
pub struct Shared {
    /// Last entry that is safe on disk.
    pub durable: AtomicU64,
    /// Last entry that queries show.
    pub indexed: AtomicU64,
    /// Highest record sequence number of the box itself.
    pub records: AtomicU64,
    /// Queries may be answered: the catalog has reached the journal once since it was opened or made again.
    pub ready: AtomicBool,
    /// A reader met a damaged page: the follower makes the catalog again.
    pub damaged: AtomicBool,
    /// Counts up each time the catalog's file is another one.
    pub generation: AtomicU64,
    /// What of the journal could not be read since the start.
    damage: Mutex<Vec<Damage>>,
    failing: Mutex<Option<String>>,
    moved: Condvar,
}

impl Shared {
    /// Adds what is not known yet.
    pub fn note_damage(&self, found: Vec<Damage>) {
        let mut known = self.damage.lock().unwrap_or_else(PoisonError::into_inner);
        for damage in found {
            if !known.contains(&damage) {
                known.push(damage);
            }
        }
    }

    /// One sentence for each stretch of the journal that could not be read since the start.
    pub fn damage(&self) -> Vec<String> {
        self.damage.lock().unwrap_or_else(PoisonError::into_inner).iter().map(Damage::to_string).collect()
    }

    /// See `Health::losses`.
    pub fn losses(&self) -> Vec<JournalLoss> {
        let damage = self.damage.lock().unwrap_or_else(PoisonError::into_inner);
        let loss = |one: &Damage| Some(JournalLoss { place: one.place()?, sentence: one.to_string() });
        damage.iter().filter_map(loss).collect()
    }

    /// Why the catalog does not follow, while it does not.
    pub fn failing(&self) -> Option<String> {
        self.lock().clone()
    }

    pub fn set_failing(&self, why: Option<String>) {
        *self.lock() = why;
        self.moved.notify_all();
    }

    pub fn set_indexed(&self, sequence: u64) {
        let guard = self.lock();
        self.indexed.store(sequence, Ordering::Release);
        drop(guard);
        self.moved.notify_all();
    }

    /// Waits until queries show all that is on disk now. `false`: the catalog fails, or it takes longer.
    pub fn wait_until_current(&self, longest: Duration) -> bool {
        let target = self.durable.load(Ordering::Acquire);
        let behind = |failing: &mut Option<String>| {
            failing.is_none()
                && (self.indexed.load(Ordering::Acquire) < target || !self.ready.load(Ordering::Acquire))
        };
        let waited = self.moved.wait_timeout_while(self.lock(), longest, behind);
        let (failing, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        failing.is_none() && !timeout.timed_out()
    }

    fn lock(&self) -> MutexGuard<'_, Option<String>> {
        self.failing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Entries to be written together, and who waits for them.
struct Job {
    bodies: Vec<Body>,
    payloads: Vec<Vec<u8>>,
    until_indexed: bool,
    reply: SyncSender<Result<Receipt, Error>>,
}

/// The writing side of one data folder. Dropping it writes what waits and ends both threads.
pub struct Store {
    pub shared: Arc<Shared>,
    jobs: Option<Sender<Job>>,
    threads: Vec<JoinHandle<()>>,
}

/// What opening found.
pub struct Found {
    pub rebuilt: Option<String>,
    pub caught_up: u64,
}

impl Store {
    pub fn open(journal_folder: &Path, index: &Path, options: &Options) -> Result<(Self, Found), Error> {
        let (journal, opened) = Journal::open(journal_folder, &options.serial)?;
        let shared = Arc::new(Shared {
            durable: AtomicU64::new(opened.last_sequence),
            records: AtomicU64::new(opened.records),
            damage: Mutex::new(opened.damage),
            ..Shared::default()
        });
        let (mut follower, rebuilt) = Follower::open(journal_folder, index, shared.clone())?;
        let caught_up = opened.last_sequence - follower.applied().min(opened.last_sequence);
        // A catalog that cannot follow now (a full disk) keeps nobody from recording: its thread tries again.
        if caught_up <= FOREGROUND_ENTRIES
            && let Err(error) = follower.catch_up()
        {
            follower.fail(&error);
        }
        let (batches_in, batches_out) = sync_channel(WAITING_GROUPS);
        let (jobs_in, jobs_out) = channel();
        let writer = Writer {
            journal,
            serial: options.serial.clone(),
            clock: options.clock,
            shared: shared.clone(),
            batches: batches_in,
        };
        let threads = vec![
            spawn("journal", move || writer.run(&jobs_out))?,
            spawn("catalog", move || follower.run(&batches_out))?,
        ];
        let store = Self { shared, jobs: Some(jobs_in), threads };
        Ok((store, Found { rebuilt, caught_up }))
    }

    /// Writes entries, all of them or none, and waits until they are on disk, or until queries show them.
    pub fn append(&self, bodies: Vec<Body>, until_indexed: bool) -> Result<Receipt, Error> {
        let payloads = bodies.iter().map(encode).collect::<Result<Vec<_>, _>>()?;
        let (reply, answer) = sync_channel(1);
        let jobs = self.jobs.as_ref().ok_or(Error::Closed)?;
        jobs.send(Job { bodies, payloads, until_indexed, reply }).map_err(|_| Error::Closed)?;
        answer.recv().map_err(|_| Error::Closed)?
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.jobs = None;
        for thread in self.threads.drain(..) {
            // A thread that panicked has printed why; there is nothing left to do about it here.
            let _ = thread.join();
        }
    }
}

/// A thread whose panic ends the process: without it nothing could be kept, or found, and nobody would know. Started
/// again, the box goes on from its journal.
fn spawn(name: &'static str, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, Error> {
    let guarded = move || {
        if std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).is_err() {
            std::process::abort();
        }
    };
    thread::Builder::new().name(name.into()).spawn(guarded).map_err(Error::io("start the thread", name))
}

/// The thread that appends to the journal.
struct Writer {
    journal: Journal,
    serial: String,
    clock: fn() -> i64,
    shared: Arc<Shared>,
    batches: SyncSender<Batch>,
}

impl Writer {
    fn run(mut self, jobs: &Receiver<Job>) {
        while let Ok(first) = jobs.recv() {
            let mut bytes: usize = first.payloads.iter().map(Vec::len).sum();
            let mut group = vec![first];
            while bytes < GROUP_BYTES
                && let Ok(next) = jobs.try_recv()
            {
                bytes += next.payloads.iter().map(Vec::len).sum::<usize>();
                group.push(next);
            }
            self.write(group);
        }
    }

    fn write(&mut self, group: Vec<Job>) {
        let utc_us = (self.clock)();
        let first = self.journal.next_sequence();
        let payloads: Vec<&[u8]> =
            group.iter().flat_map(|job| job.payloads.iter().map(Vec::as_slice)).collect();
        match self.journal.append(utc_us, &payloads) {
            Ok(places) => {
                drop(payloads);
                let mut sequence = first;
                let mut places = places.into_iter();
                let mut batch = Batch::default();
                for job in group {
                    let receipt = Receipt {
                        first: sequence,
                        last: (sequence + job.bodies.len() as u64).saturating_sub(1),
                        utc_us,
                        indexed: false,
                    };
                    for (body, (place, crc)) in job.bodies.into_iter().zip(places.by_ref()) {
                        self.note(&body);
                        batch.entries.push(Placed { entry: Entry { sequence, utc_us, body }, place, crc });
                        sequence += 1;
                    }
                    if job.until_indexed {
                        batch.waiting.push((receipt, job.reply));
                    } else {
                        batch.durable.push((receipt, job.reply));
                    }
                }
                self.shared.durable.store(sequence - 1, Ordering::Release);
                self.hand_on(batch);
            }
            Err(error) => {
                for job in group {
                    // Whoever asked may have gone; the answer then has no reader.
                    let _ = job.reply.send(Err(error.again()));
                }
            }
        }
    }

    fn note(&mut self, body: &Body) {
        if let Body::Record(record) = body
            && record.facts.id.serial == self.serial
        {
            self.journal.note_record(record.facts.id.sequence);
            self.shared.records.fetch_max(record.facts.id.sequence, Ordering::AcqRel);
        }
    }

    fn hand_on(&self, mut batch: Batch) {
        for (receipt, reply) in batch.durable.drain(..) {
            let _ = reply.send(Ok(receipt));
        }
        if let Err(TrySendError::Full(batch) | TrySendError::Disconnected(batch)) =
            self.batches.try_send(batch)
        {
            // The follower is slow or gone. It reads these entries from the journal when it comes to them.
            for (receipt, reply) in batch.waiting {
                let _ = reply.send(Ok(receipt));
            }
        }
    }
}
