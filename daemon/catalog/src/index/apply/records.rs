//! Journal entries about records: their facts, and what is said of them.

use recording::{Facts, RecordId};
use rusqlite::{OptionalExtension, Result, params};

use super::{KEY_BITS, Origin, Work, key_from_us, signed, unsigned};
use crate::entry::{Body, Change, Entry, Record};
use crate::index::combo::{Combo, length_class};
use crate::journal::Place;
use crate::record::Grade;

impl Work<'_> {
    pub fn record(&mut self, entry: &Entry, stands: Place, record: &Record) -> Result<()> {
        let facts = &record.facts;
        if let Some(key) = self.key_of(&facts.id)? {
            // Facts are written once: the first entry stands. A file that a platform lacked, or has lost, may
            // come later.
            let found = record.file.is_some() && facts.codec.is_some();
            let sql = "UPDATE record SET file = ?1, file_missing = 0, unavailable = NULL
                       WHERE key = ?2 AND (file IS NULL OR file_missing) AND codec IS NOT NULL";
            return if found { self.run(sql, params![record.file, key]) } else { Ok(()) };
        }
        let duration_ms = duration_ms(facts);
        let combo = Combo {
            offset_s: facts.start.offset_s,
            call_type: facts.call_type,
            start_mode: facts.start_mode,
            stop_mode: facts.stop_mode,
            grade: Grade::Normal,
            audio: facts.codec.is_some(),
            deleted: false,
            length_class: length_class(duration_ms),
        };
        let combo_id = self.combo(&combo)?;
        let line = facts.line_number.as_deref().map(|text| self.line_number(text)).transpose()?;
        let peer = facts.peer_number.as_deref().map(|text| self.number(text)).transpose()?;
        let key = self.free_key(facts)?;
        let station = self.station(&facts.id.serial)?;
        let place = self.place(station, facts.port, key)?;
        self.run(
            "INSERT INTO skim (key, place, combo, duration_ms, line, peer) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![key, place, combo_id, signed(duration_ms), line, peer],
        )?;
        self.count_record(key, place, (combo_id, &combo), signed(duration_ms));
        self.run(
            "INSERT INTO record (key, station, sequence, call_id, segment, port_name, start_us, clock_quality,
                 pre_roll_ms, peer_name, withheld, tracks, codec, file, file_missing, entry, entry_segment, entry_offset)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?18, ?15, ?16, ?17)",
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
                signed(stands.segment),
                signed(stands.offset),
                facts.codec.is_some() && record.file.is_none(),
            ],
        )?;
        self.meet_early(&facts.id)
    }

    /// The record's sequence number says where among those that start in the same microsecond, or the next free place.
    fn free_key(&self, facts: &Facts) -> Result<i64> {
        let (begin, slots) = (key_from_us(facts.start.utc_us), 1 << KEY_BITS);
        let mut slot = signed(facts.id.sequence % (1 << KEY_BITS));
        let mut taken = self.sql.prepare_cached("SELECT 1 FROM skim WHERE key = ?1")?;
        for _ in 0..slots {
            if !taken.exists([begin + slot])? {
                return Ok(begin + slot);
            }
            slot = (slot + 1) % slots;
        }
        let mut key = begin + slots;
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

    pub fn about_record(&mut self, entry: &Entry, origin: Origin) -> Result<()> {
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
                "INSERT INTO early VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                params![
                    signed(entry.sequence),
                    id.serial,
                    signed(id.sequence),
                    entry.utc_us,
                    body,
                    origin.entry
                ],
            );
        };
        match &entry.body {
            Body::Annotation(annotation) => {
                self.annotate(entry, key, annotation.account.as_deref(), &annotation.change, origin)
            }
            // What a station takes away, its platform keeps, if it has it.
            Body::Deletion(_) if origin.entry.is_some() && self.has_file(key)? => Ok(()),
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
        let sql = "SELECT entry, utc_us, body, station_entry FROM early WHERE serial = ?1 AND sequence = ?2 ORDER BY entry";
        let mut find = self.sql.prepare_cached(sql)?;
        let mut rows = find.query(params![id.serial, signed(id.sequence)])?;
        let mut entries = Vec::new();
        while let Some(row) = rows.next()? {
            let body: String = row.get(2)?;
            if let Ok(body) = serde_json::from_str(&body) {
                let entry = Entry { sequence: unsigned(row.get(0)?), utc_us: row.get(1)?, body };
                entries.push((entry, Origin { entry: row.get(3)?, ..Origin::default() }));
            }
        }
        drop(rows);
        for (entry, origin) in &entries {
            self.about_record(entry, *origin)?;
            self.run("DELETE FROM early WHERE entry = ?1", [signed(entry.sequence)])?;
        }
        Ok(())
    }

    fn has_file(&self, key: i64) -> Result<bool> {
        self.sql.prepare_cached("SELECT 1 FROM record WHERE key = ?1 AND file IS NOT NULL")?.exists([key])
    }

    fn annotate(
        &mut self,
        entry: &Entry,
        key: i64,
        account: Option<&str>,
        change: &Change,
        origin: Origin,
    ) -> Result<()> {
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
                "INSERT INTO tag VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                params![signed(entry.sequence), key, signed(*sample), text, account, entry.utc_us, origin.entry],
            ),
            // A tag is named by the number of the entry that added it, at the box that says so.
            Change::TagRemove { tag } => {
                let id = if origin.entry.is_some() { "station_entry" } else { "id" };
                self.run(&format!("DELETE FROM tag WHERE {id} = ?1 AND key = ?2"), params![signed(*tag), key])
            }
        }
    }
}

/// No recording is longer (two years), whatever its facts say: sums of any number of records stay sums.
const LONGEST_MS: u64 = 1 << 36;

/// From start to stop condition.
fn duration_ms(facts: &Facts) -> u64 {
    let samples = facts.samples.saturating_sub(u64::from(facts.pre_roll_samples));
    milliseconds(samples, facts.rate_hz).min(LONGEST_MS)
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
