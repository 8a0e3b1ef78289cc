//! Brings journal entries into the tables. What an entry does depends on the entries before it alone, so that a
//! catalog kept up entry by entry and one made again are the same.

use std::collections::HashMap;

use recording::{Facts, RecordId};
use rusqlite::{Connection, OptionalExtension, Result, params};

use crate::audit::AuditResult;
use crate::entry::{AlarmRaised, Body, Change, Entry, Record};
use crate::index::combo::{self, Combo, length_class};
use crate::index::numbers;
use crate::journal::{Place, Placed};
use crate::record::Grade;

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
    combos: HashMap<Combo, i64>,
    numbers: HashMap<String, i64>,
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
        let mut work = Work { sql: &transaction, memory, counts: HashMap::new() };
        for placed in entries {
            work.entry(&placed.entry, placed.place)?;
        }
        work.write_counts()?;
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

struct Work<'a> {
    sql: &'a Connection,
    memory: &'a mut Memory,
    /// How many more records a port and combination have; written once a transaction.
    counts: HashMap<(u16, i64), i64>,
}

impl Work<'_> {
    fn entry(&mut self, entry: &Entry, place: Place) -> Result<()> {
        match &entry.body {
            Body::Record(record) => self.record(entry, place, record),
            Body::Annotation(_) | Body::Deletion(_) | Body::FileMissing(_) | Body::FileFound(_) => {
                self.about_record(entry)
            }
            Body::AlarmRaised(raised) => self.alarm_raised(entry, raised),
            Body::AlarmCleared(cleared) => self.run(
                "UPDATE alarm SET cleared_us = ?1
                 WHERE cleared_us IS NULL AND code = ?2 AND port IS ?3 AND thing IS ?4",
                params![entry.utc_us, cleared.code, cleared.port, cleared.thing],
            ),
            Body::AlarmAcknowledged(seen) => self.run(
                "UPDATE alarm SET acknowledged_us = ?1, acknowledged_by = ?2, acknowledged_note = ?3 WHERE id = ?4",
                params![entry.utc_us, seen.account, seen.note, signed(seen.alarm)],
            ),
            Body::Audit(_) | Body::AccountSet(_) | Body::AccountRemoved(_) => self.account_entry(entry),
            Body::ContactSet(contact) => self.run(
                "INSERT INTO contact VALUES (?1, ?2, ?3, ?4) ON CONFLICT (number) DO UPDATE SET
                 name = excluded.name, department = excluded.department, note = excluded.note",
                params![contact.number, contact.name, contact.department, contact.note],
            ),
            Body::ContactRemoved(name) => self.run("DELETE FROM contact WHERE number = ?1", [&name.name]),
            Body::Unknown { .. } => Ok(()),
        }
    }

    fn run(&self, sql: &str, params: impl rusqlite::Params) -> Result<()> {
        self.sql.prepare_cached(sql)?.execute(params).map(drop)
    }

    // ---- records ----

    fn record(&mut self, entry: &Entry, place: Place, record: &Record) -> Result<()> {
        let facts = &record.facts;
        if self.key_of(&facts.id)?.is_some() {
            return Ok(()); // facts are written once: the first entry stands
        }
        let duration_ms = duration_ms(facts);
        let combo = Combo {
            station: self.station(&facts.id.serial)?,
            offset_s: facts.start.offset_s,
            call_type: facts.call_type,
            start_mode: facts.start_mode,
            stop_mode: facts.stop_mode,
            grade: Grade::Normal,
            audio: facts.codec.is_some(),
            deleted: false,
            length_class: length_class(duration_ms),
        };
        let station = combo.station;
        let combo = self.combo(&combo)?;
        let line = facts.line_number.as_deref().map(|text| self.number(text)).transpose()?;
        let peer = facts.peer_number.as_deref().map(|text| self.number(text)).transpose()?;
        let key = self.free_key(facts)?;
        self.run(
            "INSERT INTO skim (key, port, combo, duration_ms, line, peer) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![key, facts.port, combo, signed(duration_ms), line, peer],
        )?;
        *self.counts.entry((facts.port, combo)).or_default() += 1;
        self.run(
            "INSERT INTO record (key, station, sequence, call_id, segment, port_name, start_us, clock_quality,
                 pre_roll_ms, peer_name, withheld, tracks, codec, file, file_missing, entry, entry_segment, entry_offset)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, 0, ?15, ?16, ?17)",
            params![
                key,
                station,
                signed(facts.id.sequence),
                facts.call_id,
                facts.segment,
                facts.port_name,
                facts.start.utc_us,
                name_of(&facts.start.quality),
                signed(milliseconds(u64::from(facts.pre_roll_samples), facts.rate_hz)),
                facts.peer_name,
                facts.withheld,
                facts.tracks,
                facts.codec.as_ref().map(name_of),
                record.file,
                signed(entry.sequence),
                signed(place.segment),
                signed(place.offset),
            ],
        )?;
        self.meet_early(&facts.id)
    }

    /// Counts on from the record's sequence number among those that start in the same microsecond.
    fn free_key(&self, facts: &Facts) -> Result<i64> {
        let mut key = key_from_us(facts.start.utc_us) + signed(facts.id.sequence % (1 << KEY_BITS));
        let mut taken = self.sql.prepare_cached("SELECT 1 FROM skim WHERE key = ?1")?;
        while taken.exists([key])? {
            key += 1;
        }
        Ok(key)
    }

    fn key_of(&mut self, id: &RecordId) -> Result<Option<i64>> {
        let station = self.station(&id.serial)?;
        let mut find =
            self.sql.prepare_cached("SELECT key FROM record WHERE station = ?1 AND sequence = ?2")?;
        find.query_row(params![station, signed(id.sequence)], |row| row.get(0)).optional()
    }

    fn about_record(&mut self, entry: &Entry) -> Result<()> {
        let id = match &entry.body {
            Body::Annotation(annotation) => &annotation.record,
            Body::Deletion(deletion) => &deletion.record,
            Body::FileMissing(of) | Body::FileFound(of) => &of.record,
            _ => return Ok(()),
        };
        let Some(key) = self.key_of(id)? else {
            // The record's own entry was lost and may come back from its file: a grade must not be lost with it.
            let body = serde_json::to_string(&entry.body).unwrap_or_default();
            return self.run(
                "INSERT INTO early VALUES (?1, ?2, ?3, ?4, ?5)",
                params![signed(entry.sequence), id.serial, signed(id.sequence), entry.utc_us, body],
            );
        };
        match &entry.body {
            Body::Annotation(annotation) => {
                self.annotate(entry, key, annotation.account.as_deref(), &annotation.change)
            }
            Body::Deletion(deletion) => {
                self.run(
                    "INSERT INTO deletion VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
                    params![key, entry.utc_us, deletion.account, deletion.reason.name()],
                )?;
                self.change_combo(key, |combo| combo.deleted = true)
            }
            Body::FileMissing(_) => self.run("UPDATE record SET file_missing = 1 WHERE key = ?1", [key]),
            Body::FileFound(_) => self.run("UPDATE record SET file_missing = 0 WHERE key = ?1", [key]),
            _ => Ok(()),
        }
    }

    fn meet_early(&mut self, id: &RecordId) -> Result<()> {
        let sql = "SELECT entry, utc_us, body FROM early WHERE serial = ?1 AND sequence = ?2 ORDER BY entry";
        let mut find = self.sql.prepare_cached(sql)?;
        let mut rows = find.query(params![id.serial, signed(id.sequence)])?;
        let mut entries = Vec::new();
        while let Some(row) = rows.next()? {
            let body: String = row.get(2)?;
            if let Ok(body) = serde_json::from_str(&body) {
                entries.push(Entry { sequence: unsigned(row.get(0)?), utc_us: row.get(1)?, body });
            }
        }
        drop(rows);
        for entry in &entries {
            self.about_record(entry)?;
            self.run("DELETE FROM early WHERE entry = ?1", [signed(entry.sequence)])?;
        }
        Ok(())
    }

    fn annotate(&mut self, entry: &Entry, key: i64, account: Option<&str>, change: &Change) -> Result<()> {
        match change {
            Change::Grade(grade) => self.change_combo(key, |combo| combo.grade = *grade),
            Change::Score(score) => self.run(
                "INSERT INTO annotation VALUES (?1, ?2, NULL, 0) ON CONFLICT (key) DO UPDATE SET score = excluded.score",
                params![key, score],
            ),
            Change::Note(note) => self.run(
                "INSERT INTO annotation VALUES (?1, NULL, ?2, 0) ON CONFLICT (key) DO UPDATE SET note = excluded.note",
                params![key, note],
            ),
            Change::Play => self.run(
                "INSERT INTO annotation VALUES (?1, NULL, NULL, 1) ON CONFLICT (key) DO UPDATE SET plays = plays + 1",
                [key],
            ),
            Change::TagAdd { sample, text } => self.run(
                "INSERT INTO tag VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                params![signed(entry.sequence), key, signed(*sample), text, account, entry.utc_us],
            ),
            Change::TagRemove { tag } => {
                self.run("DELETE FROM tag WHERE id = ?1 AND key = ?2", params![signed(*tag), key])
            }
        }
    }

    // ---- combinations, stations, numbers ----

    fn change_combo(&mut self, key: i64, change: impl FnOnce(&mut Combo)) -> Result<()> {
        let sql = format!(
            "SELECT s.port, s.combo, {} FROM skim s JOIN combo c ON c.id = s.combo WHERE s.key = ?1",
            combo::COLUMNS
        );
        let mut find = self.sql.prepare_cached(&sql)?;
        let (port, before, mut combo): (u16, i64, Combo) =
            find.query_row([key], |row| Ok((row.get(0)?, row.get(1)?, Combo::from_row(row, 2)?)))?;
        change(&mut combo);
        let after = self.combo(&combo)?;
        if after != before {
            self.run("UPDATE skim SET combo = ?1 WHERE key = ?2", [after, key])?;
            *self.counts.entry((port, before)).or_default() -= 1;
            *self.counts.entry((port, after)).or_default() += 1;
        }
        Ok(())
    }

    fn write_counts(&self) -> Result<()> {
        for ((port, combo), more) in &self.counts {
            self.run(
                "INSERT INTO combo_count VALUES (?1, ?2, ?3)
                 ON CONFLICT (port, combo) DO UPDATE SET records = records + excluded.records",
                params![port, combo, more],
            )?;
            self.run("UPDATE combo SET records = records + ?1 WHERE id = ?2", [more, combo])?;
        }
        Ok(())
    }

    fn combo(&mut self, combo: &Combo) -> Result<i64> {
        if let Some(id) = self.memory.combos.get(combo) {
            return Ok(*id);
        }
        let columns = combo::COLUMNS;
        let insert = format!(
            "INSERT INTO combo ({columns}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
             ON CONFLICT DO UPDATE SET station = station RETURNING id"
        );
        let id = self.sql.prepare_cached(&insert)?.query_row(combo.params(), |row| row.get(0))?;
        self.memory.combos.insert(*combo, id);
        Ok(id)
    }

    fn station(&mut self, serial: &str) -> Result<i64> {
        if let Some(id) = self.memory.stations.get(serial) {
            return Ok(*id);
        }
        let insert =
            "INSERT INTO station (serial) VALUES (?1) ON CONFLICT DO UPDATE SET serial = serial RETURNING id";
        let id = self.sql.prepare_cached(insert)?.query_row([serial], |row| row.get(0))?;
        self.memory.stations.insert(serial.to_owned(), id);
        Ok(id)
    }

    fn number(&mut self, text: &str) -> Result<i64> {
        if let Some(id) = self.memory.numbers.get(text) {
            return Ok(*id);
        }
        let id = numbers::take_in(self.sql, text)?;
        if self.memory.numbers.len() >= REMEMBERED_NUMBERS {
            self.memory.numbers.clear();
        }
        self.memory.numbers.insert(text.to_owned(), id);
        Ok(id)
    }

    // ---- alarms, accounts, audit ----

    fn alarm_raised(&self, entry: &Entry, raised: &AlarmRaised) -> Result<()> {
        let params = serde_json::Value::Object(raised.params.clone()).to_string();
        let again = self
            .sql
            .prepare_cached(
                "UPDATE alarm SET last_raised_us = ?1, count = count + ?2, params = ?3, severity = ?4
                 WHERE cleared_us IS NULL AND code = ?5 AND port IS ?6 AND thing IS ?7",
            )?
            .execute(params![
                entry.utc_us,
                signed(raised.times),
                params,
                raised.severity.name(),
                raised.code,
                raised.port,
                raised.thing
            ])?;
        if again > 0 {
            return Ok(());
        }
        self.run(
            "INSERT INTO alarm (id, code, category, severity, port, thing, params, raised_us, last_raised_us, count)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8, ?9)",
            params![
                signed(entry.sequence),
                raised.code,
                raised.category.name(),
                raised.severity.name(),
                raised.port,
                raised.thing,
                params,
                entry.utc_us,
                signed(raised.times)
            ],
        )
    }

    fn account_entry(&self, entry: &Entry) -> Result<()> {
        match &entry.body {
            Body::AccountSet(account) => self.run(
                "INSERT INTO account VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, NULL) ON CONFLICT (name) DO UPDATE SET
                 name = excluded.name, display_name = excluded.display_name, password_hash = excluded.password_hash,
                 rights = excluded.rights, must_change = excluded.must_change, disabled = excluded.disabled,
                 language = excluded.language",
                params![
                    account.name,
                    account.display_name,
                    account.password_hash,
                    account.rights.join(" "),
                    account.must_change,
                    account.disabled,
                    account.language,
                    entry.utc_us
                ],
            ),
            Body::AccountRemoved(name) => self.run("DELETE FROM account WHERE name = ?1", [&name.name]),
            Body::Audit(audit) => {
                let params = serde_json::Value::Object(audit.params.clone()).to_string();
                self.run(
                    "INSERT INTO audit VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
                    params![
                        signed(entry.sequence),
                        entry.utc_us,
                        audit.account,
                        audit.display_name,
                        audit.ip,
                        audit.item,
                        audit.port,
                        audit.operation,
                        params,
                        audit.result.name(),
                        audit.detail
                    ],
                )?;
                if audit.operation == "login" && audit.result == AuditResult::Ok {
                    let sql = "UPDATE account SET last_login_us = ?1 WHERE name = ?2";
                    return self.run(sql, params![entry.utc_us, audit.account]);
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

/// From start to stop condition.
fn duration_ms(facts: &Facts) -> u64 {
    milliseconds(facts.samples.saturating_sub(u64::from(facts.pre_roll_samples)), facts.rate_hz)
}

fn milliseconds(samples: u64, rate_hz: u32) -> u64 {
    let ms = u128::from(samples) * 1000 / u128::from(rate_hz.max(1));
    u64::try_from(ms).unwrap_or(u64::MAX).min(i64::MAX.cast_unsigned())
}

/// The serde name of a plain enumeration's value.
fn name_of(value: &impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(name)) => name,
        _ => String::new(),
    }
}

/// SQLite's integers are signed; counts and sequence numbers never reach the sign.
pub fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

pub fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}
