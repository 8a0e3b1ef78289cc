//! Rows of lists from the keys that a search found.

use recording::{ClockQuality, Codec, RecordId};
use rusqlite::{Connection, OptionalExtension, Result, Row, params};

use crate::index::apply::{signed, unsigned, us_from_key};
use crate::index::combo::{self, Combo};
use crate::index::contacts::Names;
use crate::index::named;
use crate::index::numbers;
use crate::journal::Place;
use crate::record::{Deleted, DeletionReason, RecordRow, Tag};
use crate::scope::Only;

/// The rows of these keys, in their order, with the names of contacts of these departments and of none.
pub fn fetch(connection: &Connection, keys: &[i64], contacts: &Only<String>) -> Result<Vec<RecordRow>> {
    // Built from the combination's columns, which stand in one place.
    let sql = format!(
        "SELECT p.port, s.duration_ms, st.serial, r.sequence, r.call_id, r.segment, r.port_name, r.start_us,
                r.clock_quality, r.pre_roll_ms, r.peer_name, r.withheld, r.tracks, r.codec, r.file, r.file_missing,
                s.line, s.peer, a.score, a.note, a.plays, d.utc_us, d.account, d.reason, r.unavailable,
                {}
         FROM skim s
         JOIN record r ON r.key = s.key
         JOIN combo c ON c.id = s.combo
         JOIN place p ON p.id = s.place
         JOIN station st ON st.id = r.station
         LEFT JOIN annotation a ON a.key = s.key
         LEFT JOIN deletion d ON d.key = s.key
         WHERE s.key = ?1",
        combo::COLUMNS.split(", ").map(|column| format!("c.{column}")).collect::<Vec<_>>().join(", ")
    );
    let mut find = connection.prepare_cached(&sql)?;
    let mut tags = connection.prepare_cached(
        "SELECT id, sample, text, account, utc_us FROM tag WHERE key = ?1 ORDER BY sample, id",
    )?;
    let mut names = Names::new(connection, contacts);
    let mut rows = Vec::with_capacity(keys.len());
    for key in keys {
        let found =
            find.query_row([key], |row| Ok((record_row(row)?, row.get(16)?, row.get(17)?))).optional()?;
        if let Some((mut row, line, peer)) = found {
            (row.line_number, row.line_contact) = number_and_contact(connection, line, &mut names)?;
            (row.peer_number, row.peer_contact) = number_and_contact(connection, peer, &mut names)?;
            row.port_contact = names.of_port(&row.id.serial, row.port)?;
            row.tags = tags.query_map([key], tag)?.collect::<Result<_>>()?;
            rows.push(row);
        }
    }
    Ok(rows)
}

fn number_and_contact(
    sql: &Connection,
    number: Option<i64>,
    names: &mut Names<'_>,
) -> Result<(Option<String>, Option<String>)> {
    let Some(number) = number else { return Ok((None, None)) };
    let text = numbers::text_of(sql, number)?;
    let contact = match &text {
        Some(text) => names.of_number(text)?,
        None => None,
    };
    Ok((text, contact))
}

/// All but the numbers, the contacts and the tags.
fn record_row(row: &Row<'_>) -> Result<RecordRow> {
    let combo = Combo::from_row(row, 25)?;
    let deleted_us: Option<i64> = row.get(21)?;
    Ok(RecordRow {
        port: row.get(0)?,
        duration_ms: unsigned(row.get(1)?),
        id: RecordId { serial: row.get(2)?, sequence: unsigned(row.get(3)?) },
        call_id: row.get(4)?,
        segment: row.get(5)?,
        port_name: row.get(6)?,
        start_us: row.get(7)?,
        offset_s: combo.offset_s,
        clock_quality: named(row, 8, serde_name::<ClockQuality>)?,
        pre_roll_ms: row.get(9)?,
        start_mode: combo.start_mode,
        stop_mode: combo.stop_mode,
        call_type: combo.call_type,
        line_number: None,
        peer_number: None,
        peer_name: row.get(10)?,
        line_contact: None,
        peer_contact: None,
        port_contact: None,
        withheld: row.get(11)?,
        tracks: row.get(12)?,
        codec: match row.get_ref(13)? {
            rusqlite::types::ValueRef::Null => None,
            _ => Some(named(row, 13, serde_name::<Codec>)?),
        },
        file: row.get(14)?,
        file_missing: row.get(15)?,
        unavailable: row.get(24)?,
        grade: combo.grade,
        score: row.get(18)?,
        note: row.get(19)?,
        tags: Vec::new(),
        play_count: row.get::<_, Option<i64>>(20)?.map_or(0, unsigned),
        deleted: match deleted_us {
            None => None,
            Some(utc_us) => Some(Deleted {
                utc_us,
                account: row.get(22)?,
                reason: named(row, 23, DeletionReason::from_name)?,
            }),
        },
    })
}

fn tag(row: &Row<'_>) -> Result<Tag> {
    Ok(Tag {
        id: unsigned(row.get(0)?),
        sample: unsigned(row.get(1)?),
        text: row.get(2)?,
        account: row.get(3)?,
        utc_us: row.get(4)?,
    })
}

/// The value of a plain enumeration that has only serde's names.
fn serde_name<T: serde::de::DeserializeOwned>(name: &str) -> Option<T> {
    serde_json::from_value(serde_json::Value::String(name.to_owned())).ok()
}

/// Key, port and call of a record, and where its facts lie in the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located {
    pub key: i64,
    pub port: u16,
    pub call_id: String,
    pub entry: u64,
    pub place: Place,
}

pub fn locate(connection: &Connection, id: &RecordId) -> Result<Option<Located>> {
    connection
        .prepare_cached(
            "SELECT r.key, p.port, r.call_id, r.entry, r.entry_segment, r.entry_offset
             FROM record r JOIN skim s ON s.key = r.key JOIN place p ON p.id = s.place JOIN station st ON st.id = r.station
             WHERE st.serial = ?1 AND r.sequence = ?2",
        )?
        .query_row(params![id.serial, signed(id.sequence)], |row| {
            Ok(Located {
                key: row.get(0)?,
                port: row.get(1)?,
                call_id: row.get(2)?,
                entry: unsigned(row.get(3)?),
                place: Place { segment: unsigned(row.get(4)?), offset: unsigned(row.get(5)?) },
            })
        })
        .optional()
}

impl Located {
    /// When the record starts, as searches see it.
    pub fn start_us(&self) -> i64 {
        us_from_key(self.key)
    }
}

/// A call's records, oldest first: id, port and start.
pub fn of_call(connection: &Connection, call_id: &str) -> Result<Vec<(RecordId, u16, i64)>> {
    connection
        .prepare_cached(
            "SELECT st.serial, r.sequence, p.port, r.key
             FROM record r JOIN skim s ON s.key = r.key JOIN place p ON p.id = s.place
             JOIN station st ON st.id = r.station
             WHERE r.call_id = ?1 ORDER BY r.key",
        )?
        .query_map([call_id], |row| {
            let id = RecordId { serial: row.get(0)?, sequence: unsigned(row.get(1)?) };
            Ok((id, row.get(2)?, us_from_key(row.get(3)?)))
        })?
        .collect()
}
