//! Ways to the rows of a query, newest first; `plan` chooses between them:
//!
//! - the keys that an index of scores, tags or calls gave;
//! - all records of the numbers that contain a fragment, while they are not too many;
//! - all records in order of time, or all that are deleted;
//! - lists of one combination, or of one port and combination, each in order of time, merged.

use std::cmp::Reverse;
use std::ops::ControlFlow;

use rusqlite::{CachedStatement, Connection, Result, Row, params};

use crate::index::merge::merge;
use crate::index::numbers;
use crate::index::plan::{Way, plan};
use crate::index::search::{Filter, NumberTest, Side, Skim, TAILS_WITH};

/// Rows of numbers that are looked at, and kept, at most before another way is taken.
const LOOKED_AT_ROWS: usize = 20_000;
const GATHERED_ROWS: usize = 3_000;
/// Line numbers that are listed for a fragment; a box with more looks each number up.
const LINES: usize = 1_000;
/// What a row by its key costs, in rows in order of time.
const KEY_WORK: u64 = 12;
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
    match plan.way {
        Way::Time => by_time(filter, u64::MAX, &mut judge).map(drop),
        Way::Deleted => deleted(filter, &mut judge),
        Way::TimeThenLists(rows, lists) => match by_time(filter, rows, &mut judge)? {
            Some(before) => merge(filter, lists, (before, rows), wanted, &mut judge),
            None => Ok(()),
        },
        Way::Lists(lists) => merge(filter, lists, (filter.before, 0), wanted, &mut judge),
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
    sql.prepare_cached("SELECT key, port, combo, duration_ms, line, peer FROM skim WHERE key = ?1")
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
            let numbers: Vec<i64> = text.numbers.iter().copied().collect();
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
            "SELECT s.key, s.port, s.combo, s.duration_ms, s.line, s.peer
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

    /// Of many numbers that contain a fragment hardly one is a line of this box.
    fn of_lines(&mut self, numbers: &[i64]) -> Result<bool> {
        match lines(self.filter.sql())? {
            Some(mut lines) => {
                lines.retain(|line| numbers.contains(line));
                self.of_column("line", "skim_line", &lines)
            }
            None => self.of_column("line", "skim_line", numbers),
        }
    }

    fn of_column(&mut self, column: &str, index: &str, numbers: &[i64]) -> Result<bool> {
        let sql = format!(
            "SELECT key, port, combo, duration_ms, line, peer FROM skim INDEXED BY {index}
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
        // Most rows fall by their port already.
        if self.filter.asks_for_port(row.get(1)?) {
            let row = whole_row(row)?;
            if self.filter.takes(&row)? {
                self.rows.push(row);
            }
        }
        Ok(self.looked_at <= LOOKED_AT_ROWS && self.rows.len() <= GATHERED_ROWS)
    }
}

/// The line numbers that occur, by leaps through their index; `None`: there are too many to list.
fn lines(sql: &Connection) -> Result<Option<Vec<i64>>> {
    let mut find = sql.prepare_cached(
        "WITH RECURSIVE leap (line) AS (
             SELECT min(line) FROM skim INDEXED BY skim_line WHERE line IS NOT NULL
             UNION ALL
             SELECT (SELECT min(s.line) FROM skim s INDEXED BY skim_line WHERE s.line > leap.line)
             FROM leap WHERE leap.line IS NOT NULL
         )
         SELECT line FROM leap WHERE line IS NOT NULL LIMIT ?1",
    )?;
    let lines: Vec<i64> = find.query_map([LINES as i64], |row| row.get(0))?.collect::<Result<_>>()?;
    Ok((lines.len() < LINES).then_some(lines))
}

pub fn whole_row(row: &Row<'_>) -> Result<Skim> {
    Ok(Skim {
        key: row.get(0)?,
        port: row.get(1)?,
        combo: row.get(2)?,
        duration_ms: row.get(3)?,
        line: row.get(4)?,
        peer: row.get(5)?,
    })
}

// ---- in order of time ----

/// Records that are deleted.
fn deleted(filter: &Filter<'_>, judge: &mut Judge<'_>) -> Result<()> {
    let mut find = filter.sql().prepare_cached(
        "SELECT s.key, s.port, s.combo, s.duration_ms, s.line, s.peer FROM deletion d CROSS JOIN skim s ON s.key = d.key
         WHERE d.key >= ?1 AND d.key < ?2 ORDER BY d.key DESC",
    )?;
    let mut rows = find.query([filter.from, filter.before])?;
    let mut work = 0;
    while let Some(row) = rows.next()? {
        work += KEY_WORK;
        if judge(&whole_row(row)?, work)?.is_break() {
            break;
        }
    }
    Ok(())
}

/// Looks at `most` rows at most; then gives the key before which rows are left.
fn by_time(filter: &Filter<'_>, most: u64, judge: &mut Judge<'_>) -> Result<Option<i64>> {
    let mut find = filter.sql().prepare_cached(
        "SELECT key, port, combo, duration_ms, line, peer FROM skim WHERE key >= ?1 AND key < ?2 ORDER BY key DESC",
    )?;
    let mut rows = find.query([filter.from, filter.before])?;
    let mut looked_at = 0;
    while let Some(row) = rows.next()? {
        let row = whole_row(row)?;
        looked_at += 1;
        if judge(&row, looked_at)?.is_break() {
            return Ok(None);
        }
        if looked_at >= most {
            return Ok(Some(row.key));
        }
    }
    Ok(None)
}
