//! Combinations, stations, places and numbers: rows that many records share.

use rusqlite::{Result, params};

use super::{REMEMBERED_NUMBERS, Work};
use crate::index::combo::{self, Combo};
use crate::index::numbers;

impl Work<'_> {
    pub fn change_combo(&mut self, key: i64, change: impl FnOnce(&mut Combo)) -> Result<()> {
        let sql = format!(
            "SELECT s.place, s.combo, s.duration_ms, {} FROM skim s JOIN combo c ON c.id = s.combo WHERE s.key = ?1",
            combo::COLUMNS
        );
        let mut find = self.sql.prepare_cached(&sql)?;
        let (place, before, duration_ms, was): (i64, i64, i64, Combo) = find
            .query_row([key], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, Combo::from_row(row, 3)?)))?;
        let mut is = was;
        change(&mut is);
        if is == was {
            return Ok(());
        }
        let after = self.combo(&is)?;
        self.run("UPDATE skim SET combo = ?1 WHERE key = ?2", [after, key])?;
        self.count_combo(place, before, -1);
        self.count_combo(place, after, 1);
        if is.deleted != was.deleted {
            self.tally(key, place, &was, -1, duration_ms);
            self.tally(key, place, &is, 1, duration_ms);
        }
        Ok(())
    }

    /// Counts a new record.
    pub fn count_record(&mut self, key: i64, place: i64, combo: (i64, &Combo), duration_ms: i64) {
        self.count_combo(place, combo.0, 1);
        let (records, first, last) = self.counts.places.entry(place).or_insert((0, key, key));
        *records += 1;
        *first = key.min(*first);
        *last = key.max(*last);
        self.tally(key, place, combo.1, 1, duration_ms);
    }

    fn count_combo(&mut self, place: i64, combo: i64, more: i64) {
        *self.counts.combos.entry((place, combo)).or_default() += more;
    }

    pub fn write_counts(&self) -> Result<()> {
        for ((place, combo), more) in &self.counts.combos {
            self.run(
                "INSERT INTO combo_count VALUES (?1, ?2, ?3)
                 ON CONFLICT (place, combo) DO UPDATE SET records = records + excluded.records",
                params![place, combo, more],
            )?;
            self.run("UPDATE combo SET records = records + ?1 WHERE id = ?2", [more, combo])?;
        }
        for (place, (records, first, last)) in &self.counts.places {
            self.run(
                "UPDATE place SET records = records + ?1, first_key = min(first_key, ?2), last_key = max(last_key, ?3)
                 WHERE id = ?4",
                [records, first, last, place],
            )?;
        }
        Ok(())
    }

    pub fn combo(&mut self, combo: &Combo) -> Result<i64> {
        if let Some(id) = self.memory.combos.get(combo) {
            return Ok(*id);
        }
        let columns = combo::COLUMNS;
        let insert = format!(
            "INSERT INTO combo ({columns}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
             ON CONFLICT DO UPDATE SET deleted = deleted RETURNING id"
        );
        let id = self.sql.prepare_cached(&insert)?.query_row(combo.params(), |row| row.get(0))?;
        self.memory.combos.insert(*combo, id);
        Ok(id)
    }

    pub fn station(&mut self, serial: &str) -> Result<i64> {
        if let Some(id) = self.memory.stations.get(serial) {
            return Ok(*id);
        }
        let insert =
            "INSERT INTO station (serial) VALUES (?1) ON CONFLICT DO UPDATE SET serial = serial RETURNING id";
        let id = self.sql.prepare_cached(insert)?.query_row([serial], |row| row.get(0))?;
        self.memory.stations.insert(serial.to_owned(), id);
        Ok(id)
    }

    /// A port of a station; `key` is of the record that names it.
    pub fn place(&mut self, station: i64, port: u16, key: i64) -> Result<i64> {
        if let Some(id) = self.memory.places.get(&(station, port)) {
            return Ok(*id);
        }
        let insert = "INSERT INTO place (station, port, first_key, last_key) VALUES (?1, ?2, ?3, ?3)
                      ON CONFLICT DO UPDATE SET port = port RETURNING id";
        let mut insert = self.sql.prepare_cached(insert)?;
        let id = insert.query_row(params![station, port, key], |row| row.get(0))?;
        self.memory.places.insert((station, port), id);
        Ok(id)
    }

    /// The number of a record's line.
    pub fn line_number(&mut self, text: &str) -> Result<i64> {
        let id = self.number(text)?;
        if self.memory.lines.insert(id) {
            self.run("INSERT OR IGNORE INTO line_number VALUES (?1)", [id])?;
        }
        Ok(id)
    }

    pub fn number(&mut self, text: &str) -> Result<i64> {
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
}
