//! On a platform: what comes from stations, which stations and departments there are; on a station: what its platform
//! has.

use rusqlite::{Connection, OptionalExtension, Result, params};

use super::{Origin, Work, signed};
use crate::entry::{Body, Entry, FromStation, Synchronised};
use crate::journal::Place;

/// In the place of a station: this box, towards its platform.
pub const THIS_BOX: i64 = 0;

impl Work<'_> {
    /// An entry that has come before changes nothing, but for a file that was lacking then.
    pub fn entry_of_station(&mut self, entry: &Entry, place: Place, from: &FromStation) -> Result<()> {
        let station = self.station(&from.serial)?;
        let number = signed(from.entry);
        let covered = signed(from.covers_from.unwrap_or(from.entry).clamp(1, from.entry.max(1)));
        let first_time = self.print(station, from)?;
        let Some(body) = from.body().filter(|body| first_time || matches!(body, Body::Record(_))) else {
            return insert(self.sql, station, covered, number);
        };
        insert(self.sql, station, covered, number)?;
        let without_file = match (&body, &from.unavailable) {
            (Body::Record(record), Some(why)) if from.file.is_none() => {
                Some((record.facts.id.sequence, why.clone()))
            }
            _ => None,
        };
        let origin = Origin { station: Some(station), entry: Some(number), reported_us: Some(entry.utc_us) };
        self.entry(&Entry { sequence: entry.sequence, utc_us: from.written_us, body }, place, origin)?;
        match without_file {
            None => Ok(()),
            Some((sequence, why)) => self.run(
                "UPDATE record SET unavailable = ?1 WHERE station = ?2 AND sequence = ?3 AND file IS NULL",
                params![why, station, signed(sequence)],
            ),
        }
    }

    /// `true`: it has come for the first time. A number that only was covered until now has not.
    fn print(&self, station: i64, from: &FromStation) -> Result<bool> {
        let print = from.print();
        let sql = "INSERT INTO print VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING";
        let values = params![station, signed(from.entry), print.written_us, print.crc];
        Ok(self.sql.prepare_cached(sql)?.execute(values)? > 0)
    }

    pub fn synchronised(&self, spans: &Synchronised) -> Result<()> {
        spans.ranges.iter().try_for_each(|(first, last)| {
            if first > last { Ok(()) } else { insert(self.sql, THIS_BOX, signed(*first), signed(*last)) }
        })
    }

    pub fn organisation(&self, entry: &Entry) -> Result<()> {
        self.run("UPDATE applied SET organisation = ?1", [signed(entry.sequence)])?;
        match &entry.body {
            Body::DeviceSet(device) => self.run(
                "INSERT INTO device VALUES (?1, ?2) ON CONFLICT (serial) DO UPDATE SET body = excluded.body",
                params![device.serial, json(device)],
            ),
            Body::DeviceRemoved(serial) => {
                self.run(
                    "INSERT OR REPLACE INTO former_device SELECT serial, body FROM device WHERE serial = ?1",
                    [&serial.name],
                )?;
                self.run("DELETE FROM device WHERE serial = ?1", [&serial.name])
            }
            Body::DepartmentSet(department) => self.run(
                "INSERT INTO department VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET body = excluded.body",
                params![department.name, json(department)],
            ),
            Body::DepartmentRemoved(name) => self.run("DELETE FROM department WHERE name = ?1", [&name.name]),
            _ => Ok(()),
        }
    }
}

fn json(value: &impl serde::Serialize) -> String {
    // Plain data: it was read from JSON, or is about to be written as such.
    serde_json::to_string(value).unwrap_or_default()
}

/// Spans neither touch nor overlap: those that the new one meets become part of it.
fn insert(sql: &Connection, station: i64, first: i64, last: i64) -> Result<()> {
    let (mut first, mut last) = (first, last);
    let mut find = sql.prepare_cached(
        "SELECT first, last FROM synchronised WHERE station = ?1 AND first <= ?2 ORDER BY first DESC LIMIT 1",
    )?;
    loop {
        let met: Option<(i64, i64)> = find
            .query_row([station, last.saturating_add(1)], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        match met.filter(|(_, end)| end.saturating_add(1) >= first) {
            Some((begin, end)) if begin <= first && end >= last => return Ok(()),
            Some((begin, end)) => {
                (first, last) = (first.min(begin), last.max(end));
                sql.prepare_cached("DELETE FROM synchronised WHERE station = ?1 AND first = ?2")?
                    .execute([station, begin])?;
            }
            None => break,
        }
    }
    sql.prepare_cached("INSERT INTO synchronised VALUES (?1, ?2, ?3)")?
        .execute([station, first, last])
        .map(drop)
}
