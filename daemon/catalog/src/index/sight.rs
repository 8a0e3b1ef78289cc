//! Which rows of the alarms and of the audit trail a person may see, as a function of SQL:
//! `may_see(table, serial, port, us, department)`, with `serial` null for what this box itself says.

use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::{Connection, Result};

use crate::scope::{Only, Scope};

/// Who looks through a connection at the moment; nobody in between.
#[derive(Clone, Default)]
pub struct Sight(Arc<Mutex<Option<Looker>>>);

struct Looker {
    scope: Scope,
    /// Serial number of this box.
    own: String,
    now_us: i64,
}

impl Sight {
    /// Gives the connection its function.
    pub fn of(connection: &Connection) -> Result<Self> {
        let sight = Self::default();
        let held = sight.clone();
        let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DIRECTONLY;
        connection.create_scalar_function("may_see", 5, flags, move |row| held.may_see(row))?;
        Ok(sight)
    }

    /// Lets a person look until the guard goes.
    pub fn lend(&self, scope: &Scope, own: &str, now_us: i64) -> Looking<'_> {
        self.set(Some(Looker { scope: scope.clone(), own: own.to_owned(), now_us }));
        Looking(self)
    }

    fn set(&self, looker: Option<Looker>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = looker;
    }

    fn may_see(&self, row: &Context<'_>) -> Result<bool> {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(looker) = held.as_ref() else { return Ok(false) };
        let serial = row.get_raw(1).as_str_or_null()?;
        let (port, us): (Option<u16>, i64) = (row.get(2)?, row.get(3)?);
        let audited_here = row.get_raw(0).as_str()? == "audit" && serial.is_none();
        Ok(if audited_here {
            looker.sees_own_audit(port, us, row.get_raw(4).as_str_or_null()?)
        } else {
            looker.sees(serial.unwrap_or(&looker.own), port, us)
        })
    }
}

/// While this lives, a person looks.
pub struct Looking<'s>(&'s Sight);

impl Drop for Looking<'_> {
    fn drop(&mut self) {
        self.0.set(None);
    }
}

impl Looker {
    /// What is about a port needs a grant for it at that time, what is about a station one of anything there now.
    fn sees(&self, serial: &str, port: Option<u16>, us: i64) -> bool {
        match port {
            Some(port) => self.scope.allows_record(serial, port, us),
            None => self.scope.station_now(serial, self.now_us),
        }
    }

    /// What accounts of this box did is theirs who may see the account's department. Where departments do not matter,
    /// as on a station, ports do.
    fn sees_own_audit(&self, port: Option<u16>, us: i64, department: Option<&str>) -> bool {
        match self.scope.departments() {
            Only::These(departments) => {
                let of_theirs = department.is_some_and(|name| departments.contains(name));
                of_theirs && self.scope.asks_for(&self.own)
            }
            Only::All => self.sees(&self.own, port, us),
        }
    }
}
