//! Brings the catalog up to the journal: entries as they are handed over, and from the journal's files whenever it
//! fell behind, failed, or had to be made again.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::Duration;

use rusqlite::Connection;

use crate::catalog::Receipt;
use crate::error::Error;
use crate::index::apply::{self, Memory};
use crate::index::schema::{self, CATCH_UP_CACHE_KIB, WRITER_CACHE_KIB};
use crate::journal::{JournalReader, Placed, frame_at};

/// Entries that one transaction takes when it reads from the journal.
const CATCH_UP_ENTRIES: usize = 5_000;
/// More entries than this are worth memory of their own.
const MANY_ENTRIES: u64 = 20_000;
/// How long a catalog that fails is left alone before the next try.
const RETRY: Duration = Duration::from_millis(500);

/// Entries that are safe on disk.
#[derive(Default)]
pub struct Batch {
    pub entries: Vec<Placed>,
    /// Answered before the batch is handed over.
    pub durable: Vec<(Receipt, SyncSender<Result<Receipt, Error>>)>,
    /// Answered when queries show the entries.
    pub waiting: Vec<(Receipt, SyncSender<Result<Receipt, Error>>)>,
}

pub struct Follower {
    journal_folder: PathBuf,
    path: PathBuf,
    /// `None`: it could not be opened again yet.
    connection: Option<Connection>,
    memory: Memory,
    applied: u64,
    shared: Arc<super::store::Shared>,
}

impl Follower {
    /// Opens the catalog, or makes an empty one; tells why, if there was one that could not be used.
    pub fn open(
        journal_folder: &Path,
        path: &Path,
        shared: Arc<super::store::Shared>,
    ) -> Result<(Self, Option<String>), Error> {
        let existed = path.exists();
        let mut follower = Self {
            journal_folder: journal_folder.to_owned(),
            path: path.to_owned(),
            connection: None,
            memory: Memory::default(),
            applied: 0,
            shared,
        };
        let mut rebuilt = match schema::open_writer(path)? {
            Ok(connection) => follower.take_up(connection)?,
            Err(why) => Some(why),
        };
        if rebuilt.is_some() {
            follower.make_again()?;
        } else if !existed && follower.shared.durable.load(Ordering::Acquire) > 0 {
            rebuilt = Some("there was none".into());
        }
        Ok((follower, rebuilt))
    }

    /// Last entry in the catalog.
    pub fn applied(&self) -> u64 {
        self.applied
    }

    /// Goes on with a catalog, if it is one of this journal: the last entry it has must stand there, byte for byte.
    fn take_up(&mut self, connection: Connection) -> Result<Option<String>, Error> {
        let applied = match apply::applied(&connection) {
            Ok(applied) => applied,
            Err(error) => return Ok(Some(format!("it is damaged: {error}"))),
        };
        if applied.sequence > 0 {
            let stands = frame_at(&self.journal_folder, applied.place)?;
            if applied.sequence > self.shared.durable.load(Ordering::Acquire)
                || stands != Some((applied.sequence, applied.crc))
            {
                return Ok(Some(format!(
                    "its last entry {} does not stand in the journal",
                    applied.sequence
                )));
            }
        }
        self.applied = applied.sequence;
        self.connection = Some(connection);
        self.shared.set_indexed(self.applied);
        Ok(None)
    }

    /// An empty catalog in place of the one that was.
    fn make_again(&mut self) -> Result<(), Error> {
        self.connection = None;
        self.memory = Memory::default();
        self.applied = 0;
        self.shared.ready.store(false, Ordering::Release);
        self.shared.set_indexed(0);
        schema::remove(&self.path)?;
        match schema::open_writer(&self.path)? {
            Ok(connection) => self.connection = Some(connection),
            Err(why) => {
                let source = rusqlite::Error::InvalidPath(PathBuf::from(why));
                return Err(Error::Index { step: "be made again", source });
            }
        }
        self.shared.generation.fetch_add(1, Ordering::AcqRel);
        Ok(())
    }

    /// Applies everything that is safe on disk and not yet in the catalog.
    pub fn catch_up(&mut self) -> Result<(), Error> {
        if self.connection.is_none() {
            self.make_again()?;
        }
        let durable = self.shared.durable.load(Ordering::Acquire);
        if self.applied < durable {
            self.set_cache(if durable - self.applied > MANY_ENTRIES {
                CATCH_UP_CACHE_KIB
            } else {
                WRITER_CACHE_KIB
            })?;
            let mut reader = JournalReader::open(&self.journal_folder, self.applied + 1)?;
            while let Some(entries) = reader.next_segment()? {
                let safe = entries.partition_point(|placed| placed.entry.sequence <= durable);
                for chunk in entries[..safe].chunks(CATCH_UP_ENTRIES) {
                    self.apply(chunk)?;
                }
            }
            self.shared.note_damage(reader.damage);
            self.set_cache(WRITER_CACHE_KIB)?;
        }
        self.shared.ready.store(true, Ordering::Release);
        self.shared.set_failing(None);
        Ok(())
    }

    fn set_cache(&self, kib: i32) -> Result<(), Error> {
        let Some(connection) = &self.connection else { return Ok(()) };
        schema::set_cache(connection, kib).map_err(Error::index("get memory"))
    }

    fn apply(&mut self, entries: &[Placed]) -> Result<(), Error> {
        let (Some(connection), Some(last)) = (&mut self.connection, entries.last()) else { return Ok(()) };
        apply::apply(connection, &mut self.memory, entries).map_err(Error::index("take entries in"))?;
        self.applied = last.entry.sequence;
        self.shared.set_indexed(self.applied);
        Ok(())
    }

    pub fn run(mut self, batches: &Receiver<Batch>) {
        loop {
            match batches.recv_timeout(RETRY) {
                Ok(batch) => {
                    let indexed = self.follow(&batch.entries);
                    for (receipt, reply) in batch.waiting {
                        // Whoever asked may have gone; the answer then has no reader.
                        let _ = reply.send(Ok(Receipt { indexed, ..receipt }));
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    self.tend();
                }
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
    }

    /// `false`: queries do not show the entries yet.
    fn follow(&mut self, entries: &[Placed]) -> bool {
        let Some((first, last)) = entries.first().zip(entries.last()) else { return true };
        let next = self.shared.ready.load(Ordering::Acquire)
            && self.connection.is_some()
            && self.applied + 1 == first.entry.sequence;
        if next {
            match self.apply(entries) {
                Ok(()) => return true,
                Err(error) => self.fail(&error),
            }
        }
        self.tend() && self.applied >= last.entry.sequence
    }

    /// Makes good what is behind or broken. `false`: it stays so for now.
    fn tend(&mut self) -> bool {
        if self.shared.damaged.swap(false, Ordering::AcqRel) {
            self.connection = None;
        }
        let behind = self.connection.is_none()
            || !self.shared.ready.load(Ordering::Acquire)
            || self.applied < self.shared.durable.load(Ordering::Acquire);
        if !behind {
            return true;
        }
        match self.catch_up() {
            Ok(()) => true,
            Err(error) => {
                self.fail(&error);
                false
            }
        }
    }

    /// Notes why the catalog does not follow; the next try may go better.
    pub fn fail(&mut self, error: &Error) {
        if let Error::Index { source, .. } = error
            && schema::is_damage(source)
        {
            self.connection = None;
        }
        self.shared.set_failing(Some(error.to_string()));
    }
}
