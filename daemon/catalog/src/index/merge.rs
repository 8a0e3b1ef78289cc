//! Lists of one combination, one place, or one place and combination, each in order of time, read in pieces and merged.

use std::collections::{BinaryHeap, VecDeque};

use rusqlite::{Result, params};

use crate::index::plan::ListOf;
use crate::index::search::{Filter, Skim};
use crate::index::sources::{Judge, Walked, whole_row};

/// A list that is read in pieces.
struct List {
    of: ListOf,
    rows: VecDeque<Skim>,
    /// Rows before this key are still to be read; `None`: none are left.
    before: Option<i64>,
    piece: usize,
}

/// Merges lists from where the walk has come to; looks at `most` rows at most, and gives where it has come to then, if
/// rows are left.
pub fn merge(
    filter: &Filter<'_>,
    lists: Vec<ListOf>,
    Walked { before, mut work }: Walked,
    (wanted, most): (u64, u64),
    judge: &mut Judge<'_>,
) -> Result<Option<Walked>> {
    let share = usize::try_from(wanted.saturating_mul(2)).unwrap_or(usize::MAX) / lists.len().max(1);
    let piece = share.clamp(4, 256);
    let new = |of| List { of, rows: VecDeque::new(), before: Some(before), piece };
    let mut lists: Vec<List> = lists.into_iter().map(new).collect();
    let mut heads = BinaryHeap::with_capacity(lists.len());
    for (index, list) in lists.iter_mut().enumerate() {
        if let Some(key) = list.head(filter)? {
            heads.push((key, index));
        }
    }
    let mut looked_at = 0;
    while let Some((before, index)) = heads.pop() {
        let list = &mut lists[index];
        looked_at += 1;
        work += 2; // a merged row costs about two in order of time
        if let Some(row) = list.rows.pop_front()
            && judge(&row, work)?.is_break()
        {
            return Ok(None);
        }
        if looked_at >= most {
            return Ok(Some(Walked { before, work }));
        }
        if let Some(key) = list.head(filter)? {
            heads.push((key, index));
        }
    }
    Ok(None)
}

impl List {
    /// Key of the next row.
    fn head(&mut self, filter: &Filter<'_>) -> Result<Option<i64>> {
        if self.rows.is_empty()
            && let Some(before) = self.before
        {
            self.read(filter, before)?;
        }
        Ok(self.rows.front().map(|row| row.key))
    }

    fn read(&mut self, filter: &Filter<'_>, before: i64) -> Result<()> {
        let (sql, from, limit) = (filter.sql(), filter.from, self.piece as i64);
        match self.of {
            ListOf::Combo(combo) => {
                let mut find = sql.prepare_cached(
                    "SELECT key, place, combo, duration_ms, line, peer FROM skim INDEXED BY skim_combo
                     WHERE combo = ?1 AND key >= ?2 AND key < ?3 ORDER BY key DESC LIMIT ?4",
                )?;
                self.take(find.query(params![combo, from, before, limit])?)?;
            }
            ListOf::Place(place) => {
                let mut find = sql.prepare_cached(
                    "SELECT key, place, combo, duration_ms, line, peer FROM skim INDEXED BY skim_place
                     WHERE place = ?1 AND key >= ?2 AND key < ?3 ORDER BY key DESC LIMIT ?4",
                )?;
                self.take(find.query(params![place, from, before, limit])?)?;
            }
            ListOf::PlaceCombo(place, combo) => {
                let mut find = sql.prepare_cached(
                    "SELECT key, place, combo, duration_ms, line, peer FROM skim INDEXED BY skim_place_combo
                     WHERE place = ?1 AND combo = ?2 AND key >= ?3 AND key < ?4 ORDER BY key DESC LIMIT ?5",
                )?;
                self.take(find.query(params![place, combo, from, before, limit])?)?;
            }
        }
        self.before = if self.rows.len() < self.piece { None } else { self.rows.back().map(|row| row.key) };
        self.piece = (self.piece * 2).min(512);
        Ok(())
    }

    fn take(&mut self, mut rows: rusqlite::Rows<'_>) -> Result<()> {
        while let Some(row) = rows.next()? {
            self.rows.push_back(whole_row(row)?);
        }
        Ok(())
    }
}
