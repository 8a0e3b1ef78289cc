//! Stations and departments that a platform knows, and how far synchronisation is.

use rusqlite::{Connection, OptionalExtension, Result, params};
use serde::de::DeserializeOwned;

use crate::device::{Department, Device};
use crate::entry::EntryPrint;
pub use crate::index::apply::THIS_BOX;
use crate::index::apply::{signed, unsigned};
use crate::ranges::Ranges;

/// By serial number.
pub fn devices(connection: &Connection) -> Result<Vec<Device>> {
    all(connection, "SELECT body FROM device ORDER BY serial")
}

pub fn device(connection: &Connection, serial: &str) -> Result<Option<Device>> {
    let mut find = connection.prepare_cached("SELECT body FROM device WHERE serial = ?1")?;
    let body: Option<String> = find.query_row([serial], |row| row.get(0)).optional()?;
    Ok(body.and_then(|body| serde_json::from_str(&body).ok()))
}

/// A station that is registered no longer, as it was then.
pub fn former_device(connection: &Connection, serial: &str) -> Result<Option<Device>> {
    let mut find = connection.prepare_cached("SELECT body FROM former_device WHERE serial = ?1")?;
    let body: Option<String> = find.query_row([serial], |row| row.get(0)).optional()?;
    Ok(body.and_then(|body| serde_json::from_str(&body).ok()))
}

/// What tells the entry of a station that has this number from others; `None`: it has not come.
pub fn entry_print(connection: &Connection, serial: &str, entry: u64) -> Result<Option<EntryPrint>> {
    let sql = "SELECT written_us, crc FROM print
               WHERE station = (SELECT id FROM station WHERE serial = ?1) AND entry = ?2";
    let read = |row: &rusqlite::Row<'_>| Ok(EntryPrint { written_us: row.get(0)?, crc: row.get(1)? });
    connection.prepare_cached(sql)?.query_row(params![serial, signed(entry)], read).optional()
}

/// The highest number of a station's records that are here; 0: none is.
pub fn highest_record(connection: &Connection, serial: &str) -> Result<u64> {
    let sql = "SELECT coalesce(max(sequence), 0) FROM record
               WHERE station = (SELECT id FROM station WHERE serial = ?1)";
    connection.prepare_cached(sql)?.query_row([serial], |row| row.get(0).map(unsigned))
}

/// Number of the last entry that changed a device or a department.
pub fn organisation(connection: &Connection) -> Result<i64> {
    connection.prepare_cached("SELECT organisation FROM applied")?.query_row([], |row| row.get(0))
}

/// By name.
pub fn departments(connection: &Connection) -> Result<Vec<Department>> {
    all(connection, "SELECT body FROM department ORDER BY name")
}

fn all<T: DeserializeOwned>(connection: &Connection, sql: &str) -> Result<Vec<T>> {
    let mut find = connection.prepare_cached(sql)?;
    let mut rows = find.query([])?;
    let mut things = Vec::new();
    while let Some(row) = rows.next()? {
        // Written by `apply`, from the same type.
        things.extend(serde_json::from_str(row.get_ref(0)?.as_str()?).ok());
    }
    Ok(things)
}

/// Entries of a station that are here.
pub fn arrived(connection: &Connection, serial: &str) -> Result<Ranges> {
    let mut find = connection.prepare_cached("SELECT id FROM station WHERE serial = ?1")?;
    match find.query_row([serial], |row| row.get(0)).optional()? {
        Some(station) => synchronised(connection, station),
        None => Ok(Ranges::default()),
    }
}

pub fn synchronised(connection: &Connection, station: i64) -> Result<Ranges> {
    connection
        .prepare_cached("SELECT first, last FROM synchronised WHERE station = ?1 ORDER BY first")?
        .query_map(params![station], |row| Ok((unsigned(row.get(0)?), unsigned(row.get(1)?))))?
        .collect()
}
