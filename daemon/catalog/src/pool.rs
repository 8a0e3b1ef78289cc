//! A few connections that read, lent out one query at a time.

use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use rusqlite::Connection;

use crate::error::Error;
use crate::index::schema;
use crate::store::Shared;

pub struct Pool {
    path: PathBuf,
    shared: Arc<Shared>,
    state: Mutex<State>,
    returned: Condvar,
}

struct State {
    /// Connections at rest, each to the file of a generation.
    idle: Vec<(u64, Connection)>,
    /// Connections that may still be lent or opened.
    room: usize,
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
        if !self.shared.ready.load(Ordering::Acquire) {
            let journal = self.shared.durable.load(Ordering::Acquire).max(1);
            let percent = self.shared.indexed.load(Ordering::Acquire).saturating_mul(100) / journal;
            return Err(Error::NotReady { percent });
        }
        let lent = self.lend()?;
        let generation = lent.0;
        let outcome = (|| {
            let view = lent.1.unchecked_transaction()?;
            let value = work(&view)?;
            view.commit()?;
            Ok(value)
        })();
        if let Err(error) = &outcome
            && schema::is_damage(error)
        {
            self.shared.damaged.store(true, Ordering::Release);
            self.give_back(None);
        } else {
            self.give_back(Some((generation, lent.1)));
        }
        outcome.map_err(Error::index(step))
    }

    fn lend(&self) -> Result<(u64, Connection), Error> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        while state.room == 0 {
            state = self.returned.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.room -= 1;
        let generation = self.shared.generation.load(Ordering::Acquire);
        state.idle.retain(|(made, _)| *made == generation);
        let idle = state.idle.pop();
        drop(state);
        match idle {
            Some(lent) => Ok(lent),
            None => match schema::open_reader(&self.path) {
                Ok(connection) => Ok((generation, connection)),
                Err(error) => {
                    self.give_back(None);
                    Err(Error::index("be opened for reading")(error))
                }
            },
        }
    }

    fn give_back(&self, lent: Option<(u64, Connection)>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.room += 1;
        state.idle.extend(lent);
        drop(state);
        self.returned.notify_one();
    }
}
