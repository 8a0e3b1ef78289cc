//! Ways to the rows of a query, newest first, and the choice between them by how much work each is likely to be:
//!
//! - the keys that an index of scores, tags or calls gave;
//! - all records of the numbers that contain a fragment, while they are not too many;
//! - all records in order of time;
//! - lists of one combination, or of one port and combination, each in order of time, merged.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, VecDeque};
use std::ops::ControlFlow;

use rusqlite::{CachedStatement, Connection, Result, Row, params};

use crate::index::apply::{signed, unsigned};
use crate::index::numbers;
use crate::index::search::{Filter, NumberTest, Side, Skim, TAILS_WITH};

/// Rows of numbers that are gathered at most before another way is taken.
const GATHERED_ROWS: usize = 20_000;
/// Rows in order of time, against the guess, that are looked at before the lists are taken after all.
const HOPE: f64 = 3.0;

/// What the ways cost, in tenths of a microsecond measured on x86-64: only their relation matters.
const COST_ROW: f64 = 2.5;
const COST_MERGED_ROW: f64 = 5.0;
const COST_LIST: f64 = 80.0;
const COST_NUMBER: f64 = 25.0;
/// Gathering tells the whole count as well: for that it may cost this much more (2 ms).
const COST_OF_COUNT: f64 = 20_000.0;

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
        Way::TimeThenLists(rows, lists) => match by_time(filter, rows, &mut judge)? {
            Some(before) => merge(filter, lists, (before, rows), wanted, &mut judge),
            None => Ok(()),
        },
        Way::Lists(lists) => merge(filter, lists, (filter.before, 0), wanted, &mut judge),
    }
}

type Judge<'a> = dyn FnMut(&Skim, u64) -> Result<ControlFlow<()>> + 'a;

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
        work += 4; // a row by its key costs about four in order of time
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
fn narrowest<'a>(filter: &'a Filter<'_>) -> Option<(&'a NumberTest, &'a Vec<i64>)> {
    let listed = filter.numbers.iter().filter_map(|test| Some((test, test.few.as_ref()?)));
    listed.min_by_key(|(_, few)| few.len())
}

/// All rows of the numbers that a fragment or a contact's name allows, newest first; `None` if they are too many.
fn rows_of_numbers(filter: &Filter<'_>) -> Result<Option<Vec<Skim>>> {
    let mut rows = Vec::new();
    let complete = match (narrowest(filter), &filter.text) {
        (Some((test, few)), _) => gather_tails(filter, test, few, &mut rows)?,
        (None, Some(text)) => {
            let numbers: Vec<i64> = text.numbers.iter().copied().collect();
            let complete = gather(filter, &numbers, Side::Either, &mut rows)?;
            if complete {
                let mut find = find_row(filter.sql())?;
                for key in &text.keys {
                    rows.push(find.query_row([key], whole_row)?);
                }
            }
            complete
        }
        (None, None) => false,
    };
    if !complete {
        return Ok(None);
    }
    rows.sort_unstable_by_key(|row| Reverse(row.key));
    rows.dedup_by_key(|row| row.key);
    Ok(Some(rows))
}

/// The indexes that a side needs, as column and name: the numbers stand in one of them, or in both.
fn indexes(side: Side) -> impl Iterator<Item = (&'static str, &'static str)> {
    let all = [("line", "skim_line", Side::Peer), ("peer", "skim_peer", Side::Line)];
    all.into_iter().filter(move |(_, _, other)| *other != side).map(|(column, index, _)| (column, index))
}

/// Rows of all numbers with a fragment, in one statement. `false`: there are too many.
fn gather_tails(filter: &Filter<'_>, test: &NumberTest, few: &[i64], rows: &mut Vec<Skim>) -> Result<bool> {
    let begin = numbers::beginning(&test.fragment.text);
    if begin.len() < test.fragment.text.len() {
        return gather(filter, few, test.side, rows);
    }
    for (column, index) in indexes(test.side) {
        let sql = format!(
            "SELECT s.key, s.port, s.combo, s.duration_ms, s.line, s.peer
             FROM number_tail t CROSS JOIN skim s INDEXED BY {index} ON s.{column} = t.number
             WHERE {TAILS_WITH} AND s.key >= ?2 AND s.key < ?3 LIMIT ?4"
        );
        let mut find = filter.sql().prepare_cached(&sql)?;
        let room = GATHERED_ROWS - rows.len() + 1;
        let mut found = find.query(params![begin, filter.from, filter.before, room as i64])?;
        while let Some(row) = found.next()? {
            rows.push(whole_row(row)?);
        }
        if rows.len() > GATHERED_ROWS {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Rows of these numbers. `false`: there are too many.
fn gather(filter: &Filter<'_>, numbers: &[i64], side: Side, rows: &mut Vec<Skim>) -> Result<bool> {
    for (column, index) in indexes(side) {
        let sql = format!(
            "SELECT key, port, combo, duration_ms, line, peer FROM skim INDEXED BY {index}
             WHERE {column} = ?1 AND key >= ?2 AND key < ?3 LIMIT ?4"
        );
        let mut find = filter.sql().prepare_cached(&sql)?;
        for number in numbers {
            let room = GATHERED_ROWS - rows.len() + 1;
            let mut found = find.query(params![number, filter.from, filter.before, room as i64])?;
            while let Some(row) = found.next()? {
                rows.push(whole_row(row)?);
            }
            if rows.len() > GATHERED_ROWS {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

fn whole_row(row: &Row<'_>) -> Result<Skim> {
    Ok(Skim {
        key: row.get(0)?,
        port: row.get(1)?,
        combo: row.get(2)?,
        duration_ms: row.get(3)?,
        line: row.get(4)?,
        peer: row.get(5)?,
    })
}

// ---- the choice ----

struct Plan {
    /// First try to gather the rows of numbers.
    gather: bool,
    way: Way,
}

enum Way {
    Time,
    /// So many rows in order of time first, since that should do; the lists behind them, if it does not.
    TimeThenLists(u64, Vec<ListOf>),
    Lists(Vec<ListOf>),
}

#[derive(Clone, Copy, Debug)]
enum ListOf {
    Combo(i64),
    PortCombo(u16, i64),
}

fn plan(filter: &Filter<'_>, wanted: u64) -> Result<Plan> {
    let (lists, matching) = match &filter.ports {
        None => (combo_lists(filter), records_of_combos(filter)),
        Some(ports) => port_lists(filter, ports)?,
    };
    let inside = share_of_time(filter)?;
    let (all, matching) = (filter.all_records.max(1) as f64 * inside, matching as f64 * inside);
    let share = filter.guessed_share()?.max(1e-9);
    let rows_by_lists = (wanted as f64 / share).min(matching);
    let rows_by_time = (wanted as f64 / share / (matching / all).max(1e-9)).min(all);
    let by_lists = rows_by_lists * COST_MERGED_ROW + lists.len() as f64 * COST_LIST;
    let by_time = rows_by_time * COST_ROW;
    let numbers = match (narrowest(filter), &filter.text) {
        (Some((_, few)), _) => Some(few.len()),
        (None, Some(text)) => Some(text.numbers.len() + text.keys.len()),
        (None, None) => None,
    };
    let affordable = by_lists.min(by_time) + COST_OF_COUNT;
    let gather = numbers.is_some_and(|numbers| numbers as f64 * COST_NUMBER < affordable);
    let way = if by_lists <= by_time {
        Way::Lists(lists)
    } else if matching > all / 2.0 {
        Way::Time
    } else {
        Way::TimeThenLists((rows_by_time * HOPE) as u64 + 100, lists)
    };
    Ok(Plan { gather, way })
}

/// What share of all records lies between the filter's first and last key, if they came evenly.
fn share_of_time(filter: &Filter<'_>) -> Result<f64> {
    let sql = "SELECT (SELECT min(key) FROM skim), (SELECT max(key) FROM skim)";
    let ends: (Option<i64>, Option<i64>) =
        filter.sql().prepare_cached(sql)?.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let (Some(first), Some(last)) = ends else { return Ok(1.0) };
    let asked = filter.before.min(last).saturating_sub(filter.from.max(first)).max(0);
    Ok((asked as f64 / (last - first).max(1) as f64).clamp(1e-6, 1.0))
}

fn records_of_combos(filter: &Filter<'_>) -> u64 {
    filter.combos.values().map(|allowed| allowed.records).sum()
}

fn combo_lists(filter: &Filter<'_>) -> Vec<ListOf> {
    filter.combos.ids().map(ListOf::Combo).collect()
}

/// Lists of these ports, and how many records stand in them.
fn port_lists(filter: &Filter<'_>, ports: &BTreeSet<u16>) -> Result<(Vec<ListOf>, u64)> {
    let mut find = filter
        .sql()
        .prepare_cached("SELECT combo, records FROM combo_count WHERE port = ?1 AND records > 0")?;
    let mut lists = Vec::new();
    let mut records = 0;
    for port in ports {
        let mut rows = find.query([port])?;
        while let Some(row) = rows.next()? {
            let combo: i64 = row.get(0)?;
            if filter.combos.get(combo).is_some() {
                lists.push(ListOf::PortCombo(*port, combo));
                records += unsigned(row.get(1)?);
            }
        }
    }
    Ok((lists, records))
}

/// How many records the filter takes, if that is known without looking at rows; behind `most` it may be less.
pub fn known_count(filter: &Filter<'_>, most: u64) -> Result<Option<u64>> {
    if filter.looks_at_rows() {
        return Ok(None);
    }
    let (lists, records) = match &filter.ports {
        None => (combo_lists(filter), records_of_combos(filter)),
        Some(ports) => port_lists(filter, ports)?,
    };
    if filter.from == 0 && filter.before == i64::MAX {
        return Ok(Some(records));
    }
    let inside = filter.all_records as f64 * share_of_time(filter)?;
    if lists.len() as f64 * COST_LIST > inside * COST_ROW {
        return Ok(None); // it is less work to count the rows as they are met
    }
    let mut counted = 0;
    for list in lists {
        if counted > most {
            break;
        }
        counted += list.count(filter, most + 1 - counted)?;
    }
    Ok(Some(counted))
}

impl ListOf {
    /// Rows between the filter's keys, up to `most`.
    fn count(self, filter: &Filter<'_>, most: u64) -> Result<u64> {
        let read = |row: &Row<'_>| row.get(0).map(unsigned);
        let (from, before, most) = (filter.from, filter.before, signed(most));
        match self {
            Self::Combo(combo) => filter
                .sql()
                .prepare_cached(
                    "SELECT count(*) FROM (SELECT 1 FROM skim INDEXED BY skim_combo
                     WHERE combo = ?1 AND key >= ?2 AND key < ?3 LIMIT ?4)",
                )?
                .query_row(params![combo, from, before, most], read),
            Self::PortCombo(port, combo) => filter
                .sql()
                .prepare_cached(
                    "SELECT count(*) FROM (SELECT 1 FROM skim INDEXED BY skim_port
                     WHERE port = ?1 AND combo = ?2 AND key >= ?3 AND key < ?4 LIMIT ?5)",
                )?
                .query_row(params![port, combo, from, before, most], read),
        }
    }
}

// ---- in order of time ----

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

// ---- merged lists ----

/// A list that is read in pieces.
struct List {
    of: ListOf,
    rows: VecDeque<Skim>,
    /// Rows before this key are still to be read; `None`: none are left.
    before: Option<i64>,
    piece: usize,
}

/// Merges lists from a key on, before which some work was done already.
fn merge(
    filter: &Filter<'_>,
    lists: Vec<ListOf>,
    (before, mut work): (i64, u64),
    wanted: u64,
    judge: &mut Judge<'_>,
) -> Result<()> {
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
    while let Some((_, index)) = heads.pop() {
        let list = &mut lists[index];
        work += 2; // a merged row costs about two in order of time
        if let Some(row) = list.rows.pop_front()
            && judge(&row, work)?.is_break()
        {
            return Ok(());
        }
        if let Some(key) = list.head(filter)? {
            heads.push((key, index));
        }
    }
    Ok(())
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
        let limit = self.piece as i64;
        match self.of {
            ListOf::Combo(combo) => {
                let mut find = filter.sql().prepare_cached(
                    "SELECT key, port, combo, duration_ms, line, peer FROM skim INDEXED BY skim_combo
                     WHERE combo = ?1 AND key >= ?2 AND key < ?3 ORDER BY key DESC LIMIT ?4",
                )?;
                let mut rows = find.query(params![combo, filter.from, before, limit])?;
                while let Some(row) = rows.next()? {
                    self.rows.push_back(whole_row(row)?);
                }
            }
            ListOf::PortCombo(port, combo) => {
                let mut find = filter.sql().prepare_cached(
                    "SELECT key, port, combo, duration_ms, line, peer FROM skim INDEXED BY skim_port
                     WHERE port = ?1 AND combo = ?2 AND key >= ?3 AND key < ?4 ORDER BY key DESC LIMIT ?5",
                )?;
                let mut rows = find.query(params![port, combo, filter.from, before, limit])?;
                while let Some(row) = rows.next()? {
                    self.rows.push_back(whole_row(row)?);
                }
            }
        }
        self.before = if self.rows.len() < self.piece { None } else { self.rows.back().map(|row| row.key) };
        self.piece = (self.piece * 2).min(512);
        Ok(())
    }
}
