//! A few connections that read, lent out one query at a time.

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use rusqlite::Connection;

use crate::error::Error;
use crate::index::book::Book;
use crate::index::schema;
use crate::index::sight::Sight;
use crate::scope::Scope;
use crate::store::Shared;

pub struct Pool {
    path: PathBuf,
    shared: Arc<Shared>,
    state: Mutex<State>,
    returned: Condvar,
}

struct State {
    /// Connections at rest, each to the file of a generation.
    idle: Vec<Lent>,
    /// Connections that may still be lent or opened.
    room: usize,
}

/// A connection to the file of a generation, and what it remembers of it.
struct Lent {
    generation: u64,
    connection: Connection,
    book: Book,
    sight: Sight,
}

impl Lent {
    fn open(generation: u64, path: &Path) -> rusqlite::Result<Self> {
        let connection = schema::open_reader(path)?;
        let sight = Sight::of(&connection)?;
        Ok(Self { generation, connection, book: Book::default(), sight })
    }
}

/// Who looks at alarms or the audit trail.
#[derive(Clone, Copy)]
pub struct Looker<'a> {
    pub scope: &'a Scope,
    /// Serial number of this box.
    pub own: &'a str,
    pub now_us: i64,
}

impl Pool {
    pub fn new(path: PathBuf, shared: Arc<Shared>, connections: usize) -> Self {
        let state = Mutex::new(State { idle: Vec::new(), room: connections.max(1) });
        Self { path, shared, state, returned: Condvar::new() }
    }

    /// Runs `work` on one consistent view of the catalog; waits while all connections are lent out.
    pub fn read<T>(
        &self,
        step: &'static str,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, Error> {
        self.with(step, |lent| {
            let view = lent.connection.unchecked_transaction()?;
            let value = work(&view)?;
            view.commit()?;
            Ok(value)
        })
    }

    /// The same for searches.
    pub fn search<T>(
        &self,
        step: &'static str,
        work: impl FnOnce(&Connection, &Book) -> rusqlite::Result<T>,
    ) -> Result<T, Error> {
        self.with(step, |lent| {
            let view = lent.connection.unchecked_transaction()?;
            lent.book.refresh(&view)?;
            let value = work(&view, &lent.book)?;
            view.commit()?;
            Ok(value)
        })
    }

    /// The same for lists of which the person sees a part.
    pub fn look<T>(
        &self,
        step: &'static str,
        looker: Looker<'_>,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, Error> {
        self.with(step, |lent| {
            let _looking = lent.sight.lend(looker.scope, looker.own, looker.now_us);
            let view = lent.connection.unchecked_transaction()?;
            let value = work(&view)?;
            view.commit()?;
            Ok(value)
        })
    }

    fn with<T>(
        &self,
        step: &'static str,
        work: impl FnOnce(&mut Lent) -> rusqlite::Result<T>,
    ) -> Result<T, Error> {
        if !self.shared.ready.load(Ordering::Acquire) {
            let journal = self.shared.durable.load(Ordering::Acquire).max(1);
            let percent = self.shared.indexed.load(Ordering::Acquire).saturating_mul(100) / journal;
            return Err(Error::NotReady { percent });
        }
        let mut lent = self.lend()?;
        let outcome = work(&mut lent);
        if let Err(error) = &outcome
            && schema::is_damage(error)
        {
            self.shared.damaged.store(true, Ordering::Release);
            self.give_back(None);
        } else {
            self.give_back(Some(lent));
        }
        outcome.map_err(Error::index(step))
    }

    fn lend(&self) -> Result<Lent, Error> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        while state.room == 0 {
            state = self.returned.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.room -= 1;
        let generation = self.shared.generation.load(Ordering::Acquire);
        state.idle.retain(|lent| lent.generation == generation);
        let idle = state.idle.pop();
        drop(state);
        match idle {
            Some(lent) => Ok(lent),
            None => match Lent::open(generation, &self.path) {
                Ok(lent) => Ok(lent),
                Err(error) => {
                    self.give_back(None);
                    Err(Error::index("be opened for reading")(error))
                }
            },
        }
    }

    fn give_back(&self, lent: Option<Lent>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.room += 1;
        state.idle.extend(lent);
        drop(state);
        self.returned.notify_one();
    }
}
