//! Ways to the rows of a query, newest first; `plan` chooses between them:
//!
//! - the keys that an index of scores, tags or calls gave;
//! - all records of the numbers that contain a fragment, while they are not too many;
//! - all records in order of time, or all that are deleted;
//! - lists of one combination, one place, or one place and combination, each in order of time, merged.

use std::cmp::Reverse;
use std::ops::ControlFlow;

use rusqlite::{CachedStatement, Connection, Result, Row, Rows, params};

use crate::index::merge::merge;
use crate::index::numbers;
use crate::index::plan::{Way, place_lists, plan};
use crate::index::search::{Filter, NumberTest, Side, Skim, TAILS_WITH};

/// Rows of numbers that are looked at, and kept, at most before another way is taken.
const LOOKED_AT_ROWS: usize = 20_000;
const GATHERED_ROWS: usize = 3_000;
/// Line numbers that are listed for a fragment; where there are more, each number is looked up.
const LINES: i64 = 10_000;
/// What a row by its key costs, in rows in order of time.
const KEY_WORK: u64 = 12;

/// How far a walk has come: rows before this key are left, and so much work was done, in rows in order of time.
#[derive(Clone, Copy, Debug)]
pub struct Walked {
    pub before: i64,
    pub work: u64,
}

/// Tells every record that the filter takes, newest first, until `each` breaks off; beside it, how much work looking
/// for them has been so far, in rows. `wanted`: how many the caller means to take; the way is chosen by it.
pub fn walk(
    filter: &Filter<'_>,
    wanted: u64,
    each: &mut dyn FnMut(&Skim, u64) -> ControlFlow<()>,
) -> Result<()> {
    let mut judge = |row: &Skim, work: u64| -> Result<ControlFlow<()>> {
        Ok(if filter.takes(row)? { each(row, work) } else { ControlFlow::Continue(()) })
    };
    if let Some(keys) = common_keys(filter) {
        return tell_keys(filter, &keys, &mut judge);
    }
    let plan = plan(filter, wanted)?;
    if plan.gather
        && let Some(rows) = rows_of_numbers(filter)?
    {
        return tell(&rows, &mut judge);
    }
    let mut walked = Walked { before: filter.before, work: 0 };
    if let Some((way, most)) = plan.first {
        match go(filter, way, walked, (wanted, most), &mut judge)? {
            Some(so_far) => walked = so_far,
            None => return Ok(()),
        }
    }
    go(filter, plan.last, walked, (wanted, u64::MAX), &mut judge).map(drop)
}

/// Goes one way, `most` rows at most; then tells how far it has come, if rows are left.
fn go(
    filter: &Filter<'_>,
    way: Way,
    walked: Walked,
    (wanted, most): (u64, u64),
    judge: &mut Judge<'_>,
) -> Result<Option<Walked>> {
    match way {
        Way::Time => by_time(filter, walked, most, judge),
        Way::Deleted => deleted(filter, walked, most, judge),
        Way::Places => merge(filter, place_lists(filter)?, walked, (wanted, most), judge),
        Way::Lists(lists) => merge(filter, lists, walked, (wanted, most), judge),
    }
}

pub type Judge<'a> = dyn FnMut(&Skim, u64) -> Result<ControlFlow<()>> + 'a;

fn tell(rows: &[Skim], judge: &mut Judge<'_>) -> Result<()> {
    for row in rows {
        if judge(row, 0)?.is_break() {
            break;
        }
    }
    Ok(())
}

// ---- keys and numbers ----

/// The keys that all of the filter's key sets allow, newest first.
fn common_keys(filter: &Filter<'_>) -> Option<Vec<i64>> {
    let smallest = filter.keys.iter().min_by_key(|keys| keys.len())?;
    let inside = |key: &&i64| filter.keys.iter().all(|keys| keys.contains(key));
    let mut keys: Vec<i64> = smallest.iter().filter(inside).copied().collect();
    keys.sort_unstable_by_key(|key| Reverse(*key));
    Some(keys)
}

fn tell_keys(filter: &Filter<'_>, keys: &[i64], judge: &mut Judge<'_>) -> Result<()> {
    let mut find = find_row(filter.sql())?;
    let mut work = 0;
    for key in keys {
        work += KEY_WORK;
        if judge(&find.query_row([key], whole_row)?, work)?.is_break() {
            break;
        }
    }
    Ok(())
}

fn find_row(sql: &Connection) -> Result<CachedStatement<'_>> {
    sql.prepare_cached("SELECT key, place, combo, duration_ms, line, peer FROM skim WHERE key = ?1")
}

/// The number test that the fewest numbers pass.
pub fn narrowest<'a>(filter: &'a Filter<'_>) -> Option<(&'a NumberTest, &'a Vec<i64>)> {
    let listed = filter.numbers.iter().filter_map(|test| Some((test, test.few.as_ref()?)));
    listed.min_by_key(|(_, few)| few.len())
}

/// All rows of the numbers that a fragment or a contact's name allows and that the filter takes, newest first; `None`
/// if they are too many.
fn rows_of_numbers(filter: &Filter<'_>) -> Result<Option<Vec<Skim>>> {
    let mut gathered = Gathered { filter, rows: Vec::new(), looked_at: 0 };
    let complete = match (narrowest(filter), &filter.text) {
        (Some((test, few)), _) => gathered.of_test(test, few)?,
        (None, Some(text)) => {
            let mut numbers: Vec<i64> = text.numbers.iter().copied().collect();
            numbers.sort_unstable();
            gathered.of_numbers(&numbers, Side::Either)? && gathered.of_keys(text.keys.iter())?
        }
        (None, None) => false,
    };
    if !complete {
        return Ok(None);
    }
    let mut rows = gathered.rows;
    rows.sort_unstable_by_key(|row| Reverse(row.key));
    rows.dedup_by_key(|row| row.key);
    Ok(Some(rows))
}

/// Rows that the filter takes, in no order. Its functions answer `false` when there are too many.
struct Gathered<'a, 'c> {
    filter: &'a Filter<'c>,
    rows: Vec<Skim>,
    looked_at: usize,
}

impl Gathered<'_, '_> {
    /// Rows of the numbers `few` that pass `test`.
    fn of_test(&mut self, test: &NumberTest, few: &[i64]) -> Result<bool> {
        let begin = numbers::beginning(&test.fragment.text);
        if begin.len() < test.fragment.text.len() || test.side == Side::Line {
            return self.of_numbers(few, test.side);
        }
        // Peer numbers in one statement.
        let sql = format!(
            "SELECT s.key, s.place, s.combo, s.duration_ms, s.line, s.peer
             FROM number_tail t CROSS JOIN skim s INDEXED BY skim_peer ON s.peer = t.number
             WHERE {TAILS_WITH} AND s.key >= ?2 AND s.key < ?3"
        );
        let mut find = self.filter.sql().prepare_cached(&sql)?;
        let mut found = find.query(params![begin, self.filter.from, self.filter.before])?;
        while let Some(row) = found.next()? {
            if !self.take(row)? {
                return Ok(false);
            }
        }
        if test.side == Side::Peer { Ok(true) } else { self.of_lines(few) }
    }

    /// Rows with one of these numbers, in order of size, on a side.
    fn of_numbers(&mut self, numbers: &[i64], side: Side) -> Result<bool> {
        if side != Side::Line && !self.of_column("peer", "skim_peer", numbers)? {
            return Ok(false);
        }
        if side == Side::Peer { Ok(true) } else { self.of_lines(numbers) }
    }

    /// Of many numbers that contain a fragment hardly one is a line's own.
    fn of_lines(&mut self, numbers: &[i64]) -> Result<bool> {
        let lines = lines_among(self.filter.sql(), numbers)?;
        self.of_column("line", "skim_line", &lines)
    }

    fn of_column(&mut self, column: &str, index: &str, numbers: &[i64]) -> Result<bool> {
        let sql = format!(
            "SELECT key, place, combo, duration_ms, line, peer FROM skim INDEXED BY {index}
             WHERE {column} = ?1 AND key >= ?2 AND key < ?3"
        );
        let mut find = self.filter.sql().prepare_cached(&sql)?;
        for number in numbers {
            let mut found = find.query(params![number, self.filter.from, self.filter.before])?;
            while let Some(row) = found.next()? {
                if !self.take(row)? {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    fn of_keys<'k>(&mut self, keys: impl Iterator<Item = &'k i64>) -> Result<bool> {
        let mut find = find_row(self.filter.sql())?;
        for key in keys {
            let row = find.query_row([key], whole_row)?;
            if self.filter.takes(&row)? {
                self.rows.push(row);
            }
        }
        Ok(self.rows.len() <= GATHERED_ROWS)
    }

    fn take(&mut self, row: &Row<'_>) -> Result<bool> {
        self.looked_at += 1;
        // Most rows fall by their place already.
        if self.filter.asks_for_place(row.get(1)?, row.get(0)?) {
            let row = whole_row(row)?;
            if self.filter.takes(&row)? {
                self.rows.push(row);
            }
        }
        Ok(self.looked_at <= LOOKED_AT_ROWS && self.rows.len() <= GATHERED_ROWS)
    }
}

/// Those of the numbers, which are in order, that are a line's own.
fn lines_among(sql: &Connection, numbers: &[i64]) -> Result<Vec<i64>> {
    let mut all = sql.prepare_cached("SELECT number FROM line_number LIMIT ?1")?;
    let lines: Vec<i64> = all.query_map([LINES], |row| row.get(0))?.collect::<Result<_>>()?;
    if (lines.len() as i64) < LINES {
        return Ok(lines.into_iter().filter(|line| numbers.binary_search(line).is_ok()).collect());
    }
    let mut known = sql.prepare_cached("SELECT 1 FROM line_number WHERE number = ?1")?;
    let mut among = Vec::new();
    for number in numbers {
        if known.exists([number])? {
            among.push(*number);
        }
    }
    Ok(among)
}

pub fn whole_row(row: &Row<'_>) -> Result<Skim> {
    Ok(Skim {
        key: row.get(0)?,
        place: row.get(1)?,
        combo: row.get(2)?,
        duration_ms: row.get(3)?,
        line: row.get(4)?,
        peer: row.get(5)?,
    })
}

// ---- in order of time ----

/// Records that are deleted.
fn deleted(filter: &Filter<'_>, walked: Walked, most: u64, judge: &mut Judge<'_>) -> Result<Option<Walked>> {
    let mut find = filter.sql().prepare_cached(
        "SELECT s.key, s.place, s.combo, s.duration_ms, s.line, s.peer FROM deletion d CROSS JOIN skim s ON s.key = d.key
         WHERE d.key >= ?1 AND d.key < ?2 ORDER BY d.key DESC",
    )?;
    tell_rows(find.query([filter.from, walked.before])?, (walked.work, KEY_WORK), most, judge)
}

fn by_time(filter: &Filter<'_>, walked: Walked, most: u64, judge: &mut Judge<'_>) -> Result<Option<Walked>> {
    let mut find = filter.sql().prepare_cached(
        "SELECT key, place, combo, duration_ms, line, peer FROM skim WHERE key >= ?1 AND key < ?2 ORDER BY key DESC",
    )?;
    tell_rows(find.query([filter.from, walked.before])?, (walked.work, 1), most, judge)
}

/// Tells `most` rows at most, each of so much work; then how far that is, if rows are left.
fn tell_rows(
    mut rows: Rows<'_>,
    (mut work, of_row): (u64, u64),
    most: u64,
    judge: &mut Judge<'_>,
) -> Result<Option<Walked>> {
    let mut looked_at = 0;
    while let Some(row) = rows.next()? {
        let row = whole_row(row)?;
        looked_at += 1;
        work += of_row;
        if judge(&row, work)?.is_break() {
            return Ok(None);
        }
        if looked_at >= most {
            return Ok(Some(Walked { before: row.key, work }));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests;
