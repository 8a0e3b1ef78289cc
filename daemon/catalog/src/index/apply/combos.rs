//! Combinations, stations and numbers: rows that many records share.

use rusqlite::{Result, params};

use super::{REMEMBERED_NUMBERS, Work};
use crate::index::combo::{self, Combo};
use crate::index::numbers;

impl Work<'_> {
    pub fn change_combo(&mut self, key: i64, change: impl FnOnce(&mut Combo)) -> Result<()> {
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

    pub fn write_counts(&self) -> Result<()> {
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

    pub fn combo(&mut self, combo: &Combo) -> Result<i64> {
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
