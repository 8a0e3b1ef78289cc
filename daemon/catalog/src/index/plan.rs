//! The choice of a way to the rows of a query, by how much work each is likely to be, and what can be counted without
//! looking at rows.

use std::collections::BTreeSet;

use rusqlite::{Result, Row, params};

use crate::index::apply::{signed, unsigned};
use crate::index::search::Filter;
use crate::index::sources::narrowest;

/// Rows in order of time, against the guess, that are looked at before the lists are taken after all.
const HOPE: f64 = 3.0;

/// What the ways cost, in tenths of a microsecond measured on x86-64: only their relation matters.
const COST_ROW: f64 = 2.5;
const COST_MERGED_ROW: f64 = 5.0;
const COST_LIST: f64 = 40.0;
const COST_NUMBER: f64 = 25.0;
/// A record by its key: pages all over the table.
const COST_KEY: f64 = 30.0;
/// Gathering tells the whole count as well: for that it may cost this much more (1 ms).
const COST_OF_COUNT: f64 = 10_000.0;

/// How the rows of a query are looked for.
pub struct Plan {
    /// First try to gather the rows of numbers.
    pub gather: bool,
    pub way: Way,
}

pub enum Way {
    Time,
    /// The records that are deleted, in order of time.
    Deleted,
    /// So many rows in order of time first, since that should do; the lists behind them, if it does not.
    TimeThenLists(u64, Vec<ListOf>),
    Lists(Vec<ListOf>),
}

/// A list of records in order of time, by what they have in common.
#[derive(Clone, Copy, Debug)]
pub enum ListOf {
    Combo(i64),
    PortCombo(u16, i64),
}

pub fn plan(filter: &Filter<'_>, wanted: u64) -> Result<Plan> {
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
    let by_deleted = match deleted_records(filter) {
        Some(deleted) => {
            let rows = (wanted as f64 / share / (matching / (deleted as f64 * inside)).max(1e-9))
                .min(deleted as f64);
            rows * COST_KEY
        }
        None => f64::INFINITY,
    };
    let affordable = by_lists.min(by_time).min(by_deleted) + COST_OF_COUNT;
    let gather = numbers.is_some_and(|numbers| numbers as f64 * COST_NUMBER < affordable);
    // Deleted records are the oldest ones, mostly: going back in time from the newest is no way to them.
    let way = if by_deleted < by_lists {
        Way::Deleted
    } else if by_lists <= by_time {
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

/// How many records are deleted, if only such are asked for.
fn deleted_records(filter: &Filter<'_>) -> Option<u64> {
    filter.combos.values().all(|allowed| allowed.combo.deleted).then_some(filter.deleted_records)
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
