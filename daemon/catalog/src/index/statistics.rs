//! Counts and lengths of what a query finds: each call type by itself, in hours, days, months, ports or stations.
//! What most pages ask (a time, places, call types) is put together from the sums that are kept up as records come;
//! anything else is counted record by record, with the same result.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use chrono::{DateTime, Datelike, Timelike};
use chrono_tz::Tz;
use line::CallType;
use rusqlite::{Result, params};

use crate::index::apply::{key_from_us, unsigned, us_from_key};
use crate::index::book::Book;
use crate::index::search::Filter;
use crate::index::sources::walk;
use crate::index::tallies::{ALL_PLACES, Piece, QUARTER_US, SPANS_OF_ALL, SPANS_OF_PLACES, columns, pieces};
use crate::query::{AudioFilter, CallTotals, DeletedFilter, GroupBy, RecordQuery, Statistics, Tally};

/// A row of sums costs as much as so many records by their places.
const COST_SUM: u64 = 2;

/// A local hour, day or month. Groups order as they are shown.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Time {
    year: i32,
    month: u32,
    day: u32,
    hour: u32,
}

pub fn statistics(mut filter: Filter<'_>, query: &RecordQuery, by: GroupBy, zone: Tz) -> Result<Statistics> {
    let mut sums = Sums::new(filter.book, by, zone);
    if is_of_sums(query) && sums_are_less_work(&filter, by) {
        add_sums(&mut filter, query, &mut sums)?;
    } else {
        add_records(&filter, &mut sums)?;
    }
    Ok(sums.statistics())
}

/// Whether the kept sums know all that the query asks about.
fn is_of_sums(query: &RecordQuery) -> bool {
    // What the sums know is left out; nothing else may be asked.
    let rest = RecordQuery {
        from_us: None,
        to_us: None,
        stations: query.stations.clone(),
        ports: query.ports.clone(),
        call_types: query.call_types.clone(),
        deleted: query.deleted,
        ..query.clone()
    };
    let known = RecordQuery {
        stations: query.stations.clone(),
        ports: query.ports.clone(),
        call_types: query.call_types.clone(),
        deleted: query.deleted,
        audio: AudioFilter::All,
        ..RecordQuery::default()
    };
    rest == known
}

fn sums_are_less_work(filter: &Filter<'_>, by: GroupBy) -> bool {
    let book = filter.book;
    let share = book.guessed_share(filter.from, filter.before);
    let all = (filter.all_records as f64 * share) as u64;
    let records = match &filter.places {
        Some(places) => (book.guessed_records(places.members()) as f64 * share) as u64,
        None if !is_of_places(by) => return true,
        None => all,
    };
    // Of a day, hardly more than one row of each place is read.
    let days = book.days_between(filter.from, filter.before);
    records > COST_SUM * all.min(days.saturating_mul(book.places_end() as u64))
}

fn is_of_places(by: GroupBy) -> bool {
    matches!(by, GroupBy::Port | GroupBy::Station | GroupBy::StationPort)
}

// ---- by records ----

fn add_records(filter: &Filter<'_>, sums: &mut Sums<'_>) -> Result<()> {
    walk(filter, u64::MAX, &mut |row, _| {
        if let Some(allowed) = filter.combos.get(row.combo) {
            let one = Tally { count: 1, duration_ms: unsigned(row.duration_ms) };
            sums.add(us_from_key(row.key).div_euclid(QUARTER_US), row.place, allowed.combo.call_type, one);
        }
        ControlFlow::Continue(())
    })
}

// ---- by sums ----

/// Whole spans from the sums, records at the ends of the query's time, and of places that it may see a part of.
fn add_sums(filter: &mut Filter<'_>, query: &RecordQuery, sums: &mut Sums<'_>) -> Result<()> {
    let asked = (filter.from, filter.before);
    if let Some(places) = filter.places.take() {
        let (whole, dated) = places.divided();
        if !dated.members().is_empty() {
            filter.places = Some(dated);
            add_records(filter, sums)?;
        }
        filter.places = Some(whole);
    }
    let Some((first, last)) = ends(filter)? else { return Ok(()) };
    // Whole quarters: one that the query's time begins or ends in is looked at record by record.
    let from = us_from_key(asked.0.max(first)).div_euclid(QUARTER_US);
    let before = us_from_key(asked.1.min(last + 1)).div_euclid(QUARTER_US) + 1;
    let inside = |quarter: i64| key_of(quarter) >= asked.0 && key_of(quarter + 1) <= asked.1;
    let of_all = filter.places.is_none() && !is_of_places(sums.by);
    let spans: &[i64] = if of_all { &SPANS_OF_ALL } else { &SPANS_OF_PLACES };
    let whole = |from: i64, before: i64| {
        inside(from)
            && inside(before - 1)
            && (is_of_places(sums.by) || before - from == 1 || sums.time_of(from) == sums.time_of(before - 1))
    };
    for piece in pieces((from, before), spans, whole) {
        match piece {
            Piece::Spans { quarters, from, before } => {
                let places = if of_all { (ALL_PLACES, ALL_PLACES) } else { (ALL_PLACES + 1, i64::MAX) };
                add_spans(filter, query, sums, (quarters, from, before), places)?;
            }
            Piece::Records { from, before } => {
                let keys = (key_of(from).max(asked.0), key_of(before).min(asked.1));
                add_records_between(filter, keys, sums)?;
            }
        }
    }
    Ok(())
}

/// First and last key of all records.
fn ends(filter: &Filter<'_>) -> Result<Option<(i64, i64)>> {
    let sql = "SELECT (SELECT min(key) FROM skim), (SELECT max(key) FROM skim)";
    let ends: (Option<i64>, Option<i64>) =
        filter.sql().prepare_cached(sql)?.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(ends.0.zip(ends.1))
}

fn key_of(quarter: i64) -> i64 {
    key_from_us(quarter.saturating_mul(QUARTER_US))
}

/// The sums of spans of this length, between two quarters and two places, both ends of these inside.
fn add_spans(
    filter: &Filter<'_>,
    query: &RecordQuery,
    sums: &mut Sums<'_>,
    (quarters, from, before): (i64, i64, i64),
    (first_place, last_place): (i64, i64),
) -> Result<()> {
    let sql = format!(
        "SELECT span, place, deleted, {} FROM tally
         WHERE quarters = ?1 AND span >= ?2 AND span < ?3 AND place BETWEEN ?4 AND ?5",
        columns()
    );
    let mut find = filter.sql().prepare_cached(&sql)?;
    let spans = (from.div_euclid(quarters), before.div_euclid(quarters));
    let mut rows = find.query(params![quarters, spans.0, spans.1, first_place, last_place])?;
    while let Some(row) = rows.next()? {
        let (span, place, deleted): (i64, i64, bool) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let asked = match query.deleted {
            DeletedFilter::All => true,
            DeletedFilter::Yes => deleted,
            DeletedFilter::No => !deleted,
        };
        // A place that is not dated is asked for at any key.
        if !asked || place != ALL_PLACES && !filter.asks_for_place(place, 0) {
            continue;
        }
        for (at, call_type) in CallType::ALL.iter().enumerate() {
            let count = unsigned(row.get(3 + at)?);
            let taken = query.call_types.is_empty() || query.call_types.contains(call_type);
            if count > 0 && taken {
                let duration_ms = unsigned(row.get(3 + CallType::ALL.len() + at)?);
                sums.add(span * quarters, place, *call_type, Tally { count, duration_ms });
            }
        }
    }
    Ok(())
}

fn add_records_between(filter: &Filter<'_>, (from, before): (i64, i64), sums: &mut Sums<'_>) -> Result<()> {
    let mut find = filter
        .sql()
        .prepare_cached("SELECT key, place, combo, duration_ms FROM skim WHERE key >= ?1 AND key < ?2")?;
    let mut rows = find.query([from, before])?;
    while let Some(row) = rows.next()? {
        let (key, place): (i64, i64) = (row.get(0)?, row.get(1)?);
        if filter.asks_for_place(place, key)
            && let Some(allowed) = filter.combos.get(row.get(2)?)
        {
            let one = Tally { count: 1, duration_ms: unsigned(row.get(3)?) };
            sums.add(us_from_key(key).div_euclid(QUARTER_US), place, allowed.combo.call_type, one);
        }
    }
    Ok(())
}

// ---- groups ----

/// What was counted so far.
struct Sums<'b> {
    book: &'b Book,
    by: GroupBy,
    zone: Tz,
    of_times: BTreeMap<Time, CallTotals>,
    /// By row of `place`.
    of_places: BTreeMap<i64, CallTotals>,
    totals: CallTotals,
    /// Neighbours mostly lie in the same quarter of an hour, of which no zone's offset changes the inside.
    last: Option<(i64, Time)>,
}

impl<'b> Sums<'b> {
    fn new(book: &'b Book, by: GroupBy, zone: Tz) -> Self {
        Self {
            book,
            by,
            zone,
            of_times: BTreeMap::new(),
            of_places: BTreeMap::new(),
            totals: CallTotals::default(),
            last: None,
        }
    }

    fn add(&mut self, quarter: i64, place: i64, call_type: CallType, more: Tally) {
        let group = if is_of_places(self.by) {
            self.of_places.entry(place).or_default()
        } else {
            let time = match self.last {
                Some((same, time)) if same == quarter => time,
                _ => self.time_of(quarter),
            };
            self.last = Some((quarter, time));
            self.of_times.entry(time).or_default()
        };
        for tally in [group.of(call_type), self.totals.of(call_type)] {
            tally.count += more.count;
            tally.duration_ms += more.duration_ms;
        }
    }

    /// The group of a quarter of an hour, counted from 1970.
    fn time_of(&self, quarter: i64) -> Time {
        let utc = DateTime::from_timestamp_micros(quarter.saturating_mul(QUARTER_US)).unwrap_or_default();
        let local = utc.with_timezone(&self.zone);
        Time {
            year: local.year(),
            month: local.month(),
            day: if self.by == GroupBy::Month { 0 } else { local.day() },
            hour: if self.by == GroupBy::Hour { local.hour() } else { 0 },
        }
    }

    fn statistics(self) -> Statistics {
        let rows = match self.by {
            GroupBy::Hour => {
                self.times(|at| format!("{:04}-{:02}-{:02}T{:02}", at.year, at.month, at.day, at.hour))
            }
            GroupBy::Day => self.times(|at| format!("{:04}-{:02}-{:02}", at.year, at.month, at.day)),
            GroupBy::Month => self.times(|at| format!("{:04}-{:02}", at.year, at.month)),
            GroupBy::Port => self.places(|_, port| port, u16::to_string),
            GroupBy::Station => self.places(|serial, _| serial.to_owned(), String::clone),
            GroupBy::StationPort => self.places(
                |serial, port| (serial.to_owned(), port),
                |(serial, port)| format!("{serial}:{port}"),
            ),
        };
        Statistics { rows, totals: self.totals }
    }

    fn times(&self, name: impl Fn(&Time) -> String) -> Vec<(String, CallTotals)> {
        self.of_times.iter().map(|(time, totals)| (name(time), totals.clone())).collect()
    }

    fn places<G: Ord>(
        &self,
        group_of: impl Fn(&str, u16) -> G,
        name: impl Fn(&G) -> String,
    ) -> Vec<(String, CallTotals)> {
        let mut groups: BTreeMap<G, CallTotals> = BTreeMap::new();
        for (place, totals) in &self.of_places {
            let (station, port) = self.book.place(*place);
            groups.entry(group_of(self.book.serial(station), port)).or_default().add(totals);
        }
        groups.into_iter().map(|(group, totals)| (name(&group), totals)).collect()
    }
}

#[cfg(test)]
mod tests;
