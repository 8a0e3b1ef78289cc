//! Brings journal entries into the tables. What an entry does depends on the entries before it alone, so that a
//! catalog kept up entry by entry and one made again are the same.

mod combos;
mod people;
mod records;
mod stations;
mod tallies;

use std::collections::{HashMap, HashSet};

pub use stations::THIS_BOX;

use rusqlite::{Connection, Result, params};

use crate::entry::{Body, Entry};
use crate::index::combo::Combo;
use crate::index::contacts;
use crate::journal::{Place, Placed};

/// Bits of a key behind the microseconds.
const KEY_BITS: u32 = 12;
/// Numbers remembered between records.
const REMEMBERED_NUMBERS: usize = 50_000;

/// The first key that a record starting at this microsecond can have.
pub fn key_from_us(start_us: i64) -> i64 {
    start_us.clamp(0, (i64::MAX >> KEY_BITS) - 1) << KEY_BITS
}

/// Microseconds of a record's start, by its key.
pub fn us_from_key(key: i64) -> i64 {
    key >> KEY_BITS
}

/// Row numbers met before; forgotten when a transaction fails.
#[derive(Default)]
pub struct Memory {
    stations: HashMap<String, i64>,
    /// By station and port.
    places: HashMap<(i64, u16), i64>,
    combos: HashMap<Combo, i64>,
    numbers: HashMap<String, i64>,
    lines: HashSet<i64>,
}

/// Where the catalog stands in the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Applied {
    /// 0: nothing yet.
    pub sequence: u64,
    pub place: Place,
    pub crc: u32,
}

pub fn applied(connection: &Connection) -> Result<Applied> {
    connection.query_row("SELECT sequence, segment, offset, crc FROM applied", [], |row| {
        let place = Place { segment: unsigned(row.get(1)?), offset: unsigned(row.get(2)?) };
        Ok(Applied { sequence: unsigned(row.get(0)?), place, crc: row.get(3)? })
    })
}

/// Applies entries in one transaction, together with how far the catalog then is. After an error nothing of them is in
/// the catalog.
pub fn apply(connection: &mut Connection, memory: &mut Memory, entries: &[Placed]) -> Result<()> {
    let Some(last) = entries.last() else { return Ok(()) };
    let outcome = (|| {
        let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let mut work = Work { sql: &transaction, memory, counts: Counts::default() };
        for placed in entries {
            work.entry(&placed.entry, placed.place, Origin::default())?;
        }
        work.write_counts()?;
        work.write_tallies()?;
        transaction
            .prepare_cached("UPDATE applied SET sequence = ?1, segment = ?2, offset = ?3, crc = ?4")?
            .execute(params![
                signed(last.entry.sequence),
                signed(last.place.segment),
                signed(last.place.offset),
                last.crc
            ])?;
        transaction.commit()
    })();
    if outcome.is_err() {
        *memory = Memory::default();
    }
    outcome
}

/// Where an entry comes from: this box, or a station.
#[derive(Clone, Copy, Debug, Default)]
struct Origin {
    /// Row of the station; `None`: this box.
    station: Option<i64>,
    /// The entry's number in the station's journal.
    entry: Option<i64>,
    /// When it came here; `None`: as it was written.
    reported_us: Option<i64>,
}

struct Work<'a> {
    sql: &'a Connection,
    memory: &'a mut Memory,
    counts: Counts,
}

/// What a transaction adds to counts that many records share; written once, at its end.
#[derive(Default)]
struct Counts {
    /// Records of a place and combination.
    combos: HashMap<(i64, i64), i64>,
    /// New records of a place, with their first and last key.
    places: HashMap<i64, (i64, i64, i64)>,
    tallies: HashMap<tallies::TallyKey, tallies::More>,
}

impl Work<'_> {
    fn entry(&mut self, entry: &Entry, place: Place, origin: Origin) -> Result<()> {
        match &entry.body {
            Body::Record(record) => self.record(entry, place, record),
            Body::Annotation(_) | Body::Deletion(_) | Body::FileMissing(_) | Body::FileFound(_) => {
                self.about_record(entry, origin)
            }
            Body::AlarmRaised(raised) => self.alarm_raised(entry, raised, origin),
            Body::AlarmCleared(cleared) => self.run(
                "UPDATE alarm SET cleared_us = ?1
                 WHERE cleared_us IS NULL AND code = ?2 AND port IS ?3 AND thing IS ?4 AND station IS ?5",
                params![entry.utc_us, cleared.code, cleared.port, cleared.thing, origin.station],
            ),
            Body::AlarmAcknowledged(seen) => self.alarm_acknowledged(entry, seen, origin),
            Body::Audit(_) | Body::AccountSet(_) | Body::AccountRemoved(_) => {
                self.account_entry(entry, origin)
            }
            Body::ContactSet(contact) => contacts::set(self.sql, contact),
            Body::ContactRemoved(name) => self.run("DELETE FROM contact WHERE number = ?1", [&name.name]),
            Body::DeviceSet(_)
            | Body::DeviceRemoved(_)
            | Body::DepartmentSet(_)
            | Body::DepartmentRemoved(_) => self.organisation(entry),
            Body::FromStation(from) => self.entry_of_station(entry, place, from),
            Body::Synchronised(spans) => self.synchronised(spans),
            Body::Unknown { .. } => Ok(()),
        }
    }

    fn run(&self, sql: &str, params: impl rusqlite::Params) -> Result<()> {
        self.sql.prepare_cached(sql)?.execute(params).map(drop)
    }
}

/// SQLite's integers are signed; counts and sequence numbers never reach the sign.
pub fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

pub fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}
