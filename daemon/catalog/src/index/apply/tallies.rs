//! Sums of calls over spans of time, kept up with each record that comes and each deletion.

use line::CallType;
use rusqlite::{Result, ToSql, params_from_iter};

use super::{Work, us_from_key};
use crate::index::combo::Combo;
use crate::index::tallies::{ALL_PLACES, QUARTER_US, SPANS_OF_ALL, SPANS_OF_PLACES, columns};

const CALL_TYPES: usize = CallType::ALL.len();

/// A row of `tally`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TallyKey {
    quarters: i64,
    span: i64,
    place: i64,
    deleted: bool,
}

/// Calls and milliseconds more, in the order of `CallType::ALL`.
#[derive(Default)]
pub struct More {
    calls: [i64; CALL_TYPES],
    ms: [i64; CALL_TYPES],
}

impl Work<'_> {
    /// Counts a record in (1) or out (-1).
    pub fn tally(&mut self, key: i64, place: i64, combo: &Combo, records: i64, duration_ms: i64) {
        let Some(kind) = CallType::ALL.iter().position(|one| *one == combo.call_type) else { return };
        let quarter = us_from_key(key).div_euclid(QUARTER_US);
        let of_all = SPANS_OF_ALL.iter().map(|quarters| (*quarters, ALL_PLACES));
        let of_place = SPANS_OF_PLACES.iter().map(|quarters| (*quarters, place));
        for (quarters, place) in of_all.chain(of_place) {
            let row =
                TallyKey { quarters, span: quarter.div_euclid(quarters), place, deleted: combo.deleted };
            let more = self.counts.tallies.entry(row).or_default();
            more.calls[kind] += records;
            more.ms[kind] += records * duration_ms;
        }
    }

    pub fn write_tallies(&self) -> Result<()> {
        let columns = columns();
        let added: Vec<String> =
            columns.split(", ").map(|column| format!("{column} = {column} + excluded.{column}")).collect();
        let sql = format!(
            "INSERT INTO tally (quarters, span, place, deleted, {columns})
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)
             ON CONFLICT (quarters, span, place, deleted) DO UPDATE SET {}",
            added.join(", ")
        );
        let mut insert = self.sql.prepare_cached(&sql)?;
        for (row, more) in &self.counts.tallies {
            let key: [&dyn ToSql; 4] = [&row.quarters, &row.span, &row.place, &row.deleted];
            let sums = more.calls.iter().chain(&more.ms).map(|sum| sum as &dyn ToSql);
            insert.execute(params_from_iter(key.into_iter().chain(sums)))?;
        }
        Ok(())
    }
}
