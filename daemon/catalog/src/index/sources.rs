//! Ways to the rows of a query, newest first, and the choice between them by how many rows each has to look at:
//!
//! - the keys that an index of scores, tags or calls gave;
//! - all records of the numbers that contain a fragment, while they are not too many;
//! - all records in order of time;
//! - lists of one combination, or of one port and combination, each in order of time, merged.

use std::collections::{BinaryHeap, HashSet, VecDeque};
use std::ops::ControlFlow;

use rusqlite::{Connection, Result, Row, params};

use crate::index::apply::unsigned;
use crate::index::search::{Filter, Numbers, Side, Skim};

/// Rows of numbers that are gathered at most before another way is taken.
const GATHERED_ROWS: usize = 20_000;
/// Rows in order of time that are looked at before the lists are taken after all: the guess was too hopeful.
const HOPEFUL_ROWS: u64 = 20_000;

/// What the ways cost, in tenths of a microsecond measured on x86-64: only their relation matters.
const COST_ROW: f64 = 2.5;
const COST_MERGED_ROW: f64 = 5.0;
const COST_LIST: f64 = 50.0;

/// Tells every record that the filter takes, newest first, until `each` breaks off. `wanted`: how many the caller
/// means to take; the way is chosen by it.
pub fn walk(filter: &Filter<'_>, wanted: u64, each: &mut dyn FnMut(&Skim) -> ControlFlow<()>) -> Result<()> {
    let mut judge = |row: &Skim| -> Result<ControlFlow<()>> {
        Ok(if filter.takes(row)? { each(row) } else { ControlFlow::Continue(()) })
    };
    if let Some(rows) = rows_of_keys(filter)? {
        return tell(&rows, &mut judge);
    }
    if let Some(rows) = rows_of_numbers(filter)? {
        return tell(&rows, &mut judge);
    }
    match choose(filter, wanted)? {
        Way::Time => match by_time(filter, filter.before, u64::MAX, &mut judge)? {
            Ended::Whole | Ended::Broken => Ok(()),
            Ended::Unfinished { .. } => Ok(()),
        },
        Way::TimeThenLists(lists) => match by_time(filter, filter.before, HOPEFUL_ROWS, &mut judge)? {
            Ended::Whole | Ended::Broken => Ok(()),
            Ended::Unfinished { before } => merge(filter, lists, before, wanted, &mut judge),
        },
        Way::Lists(lists) => merge(filter, lists, filter.before, wanted, &mut judge),
    }
}

type Judge<'a> = dyn FnMut(&Skim) -> Result<ControlFlow<()>> + 'a;

fn tell(rows: &[Skim], judge: &mut Judge<'_>) -> Result<()> {
    for row in rows {
        if judge(row)?.is_break() {
            break;
        }
    }
    Ok(())
}

// ---- keys and numbers ----

/// Rows of the keys that the smallest of the filter's key sets allows, newest first.
fn rows_of_keys(filter: &Filter<'_>) -> Result<Option<Vec<Skim>>> {
    let Some(smallest) = filter.keys.iter().min_by_key(|keys| keys.len()) else { return Ok(None) };
    let inside = |key: &&i64| filter.keys.iter().all(|keys| keys.contains(key));
    let keys: Vec<i64> = smallest.iter().filter(inside).copied().collect();
    fetch(filter.sql(), keys).map(Some)
}

fn fetch(sql: &Connection, mut keys: Vec<i64>) -> Result<Vec<Skim>> {
    keys.sort_unstable_by(|a, b| b.cmp(a));
    let mut find =
        sql.prepare_cached("SELECT key, port, combo, duration_ms, line, peer FROM skim WHERE key = ?1")?;
    let mut rows = Vec::with_capacity(keys.len());
    for key in keys {
        rows.push(find.query_row([key], whole_row)?);
    }
    Ok(rows)
}

/// All rows of the numbers that a fragment allows, newest first; `None` if there is no such fragment or they are too
/// many.
fn rows_of_numbers(filter: &Filter<'_>) -> Result<Option<Vec<Skim>>> {
    let mut best: Option<(&HashSet<i64>, Side)> = None;
    for test in &filter.numbers {
        if let Numbers::Few(few) = &test.numbers
            && best.is_none_or(|(other, _)| few.len() < other.len())
        {
            best = Some((few, test.side));
        }
    }
    let mut rows = Vec::new();
    let complete = match (best, &filter.text) {
        (Some((numbers, side)), _) => gather(filter, numbers, side, &mut rows)?,
        (None, Some(text)) => {
            let complete = gather(filter, &text.numbers, Side::Either, &mut rows)?;
            if complete {
                rows.extend(fetch(filter.sql(), text.keys.iter().copied().collect())?);
            }
            complete
        }
        (None, None) => false,
    };
    if !complete {
        return Ok(None);
    }
    rows.sort_unstable_by(|a, b| b.key.cmp(&a.key));
    rows.dedup_by_key(|row| row.key);
    Ok(Some(rows))
}

/// `false`: there are too many.
fn gather(filter: &Filter<'_>, numbers: &HashSet<i64>, side: Side, rows: &mut Vec<Skim>) -> Result<bool> {
    let mut ids: Vec<i64> = numbers.iter().copied().collect();
    ids.sort_unstable();
    let by_line = "SELECT key, port, combo, duration_ms, line, peer FROM skim INDEXED BY skim_line
                   WHERE line = ?1 AND key >= ?2 AND key < ?3 LIMIT ?4";
    let by_peer = "SELECT key, port, combo, duration_ms, line, peer FROM skim INDEXED BY skim_peer
                   WHERE peer = ?1 AND key >= ?2 AND key < ?3 LIMIT ?4";
    for (statement, wanted) in [(by_line, side != Side::Peer), (by_peer, side != Side::Line)] {
        if !wanted {
            continue;
        }
        let mut find = filter.sql().prepare_cached(statement)?;
        for id in &ids {
            let room = GATHERED_ROWS - rows.len() + 1;
            let mut found = find.query(params![id, filter.from, filter.before, room as i64])?;
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

enum Way {
    Time,
    /// In order of time first, since that should end soon; the lists behind it, if it does not.
    TimeThenLists(Vec<ListOf>),
    Lists(Vec<ListOf>),
}

#[derive(Clone, Copy, Debug)]
enum ListOf {
    Combo(i64),
    PortCombo(u16, i64),
}

fn choose(filter: &Filter<'_>, wanted: u64) -> Result<Way> {
    let of_combos: u64 = filter.combos.values().map(|allowed| allowed.records).sum();
    let all = filter.all_records.max(1) as f64;
    let (lists, matching) = match &filter.ports {
        None => (combo_lists(filter), of_combos),
        Some(ports) => port_lists(filter, ports)?,
    };
    if lists.is_empty() {
        return Ok(Way::Lists(lists));
    }
    // What only the row can tell is guessed to let one in twenty pass.
    let chance = if filter.looks_at_rows() { 0.05 } else { 1.0 };
    let share = (matching as f64 * chance / all).max(1e-9);
    let rows_by_time = (wanted as f64 / share).min(all);
    let rows_by_lists = (wanted as f64 / chance).min(matching as f64);
    let by_time = rows_by_time * COST_ROW;
    let by_lists = rows_by_lists * COST_MERGED_ROW + lists.len() as f64 * COST_LIST;
    Ok(if by_lists <= by_time {
        Way::Lists(lists)
    } else if matching as f64 > all / 2.0 {
        Way::Time
    } else {
        Way::TimeThenLists(lists)
    })
}

fn combo_lists(filter: &Filter<'_>) -> Vec<ListOf> {
    let mut combos: Vec<i64> = filter.combos.keys().copied().collect();
    combos.sort_unstable();
    combos.into_iter().map(ListOf::Combo).collect()
}

/// Lists of these ports, and how many records stand in them.
fn port_lists(filter: &Filter<'_>, ports: &std::collections::BTreeSet<u16>) -> Result<(Vec<ListOf>, u64)> {
    let mut find = filter
        .sql()
        .prepare_cached("SELECT combo, records FROM combo_count WHERE port = ?1 AND records > 0")?;
    let mut lists = Vec::new();
    let mut records = 0;
    for port in ports {
        let mut rows = find.query([port])?;
        while let Some(row) = rows.next()? {
            let combo: i64 = row.get(0)?;
            if filter.combos.contains_key(&combo) {
                lists.push(ListOf::PortCombo(*port, combo));
                records += unsigned(row.get(1)?);
            }
        }
    }
    Ok((lists, records))
}

/// How many records the filter takes, if that is known without looking at rows or times.
pub fn known_count(filter: &Filter<'_>) -> Result<Option<u64>> {
    if filter.looks_at_rows() || filter.from > 0 || filter.before < i64::MAX {
        return Ok(None);
    }
    Ok(Some(match &filter.ports {
        None => filter.combos.values().map(|allowed| allowed.records).sum(),
        Some(ports) => port_lists(filter, ports)?.1,
    }))
}

// ---- in order of time ----

enum Ended {
    /// No row is left.
    Whole,
    /// The caller has enough.
    Broken,
    /// Rows are left before this key.
    Unfinished { before: i64 },
}

fn by_time(filter: &Filter<'_>, before: i64, most: u64, judge: &mut Judge<'_>) -> Result<Ended> {
    let mut find = filter.sql().prepare_cached(
        "SELECT key, port, combo, duration_ms, line, peer FROM skim WHERE key >= ?1 AND key < ?2 ORDER BY key DESC",
    )?;
    let mut rows = find.query([filter.from, before])?;
    let mut looked_at = 0;
    while let Some(row) = rows.next()? {
        let row = whole_row(row)?;
        if judge(&row)?.is_break() {
            return Ok(Ended::Broken);
        }
        looked_at += 1;
        if looked_at >= most {
            return Ok(Ended::Unfinished { before: row.key });
        }
    }
    Ok(Ended::Whole)
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

fn merge(
    filter: &Filter<'_>,
    lists: Vec<ListOf>,
    before: i64,
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
        if let Some(row) = list.rows.pop_front()
            && judge(&row)?.is_break()
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
