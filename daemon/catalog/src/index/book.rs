//! What a connection remembers of the tables whose rows never change once they are written (stations, places,
//! combinations), and guesses for the choice of a way: how the records lie in time and over the places.

use std::collections::{BTreeMap, HashMap};

use line::CallType;
use rusqlite::{Connection, Result};

use crate::index::apply::{key_from_us, unsigned};
use crate::index::combo::{self, Combo};
use crate::index::tallies::{ALL_PLACES, DAY_QUARTERS, QUARTER_US};

/// Guesses are made anew when there are so many more entries, in hundredths.
const STALE_PERCENT: i64 = 2;

/// Brought up to date at the beginning of each search.
#[derive(Default)]
pub struct Book {
    stations: HashMap<String, i64>,
    serials: HashMap<i64, String>,
    /// Places of a station: port and row.
    of_station: BTreeMap<i64, Vec<(u16, i64)>>,
    /// Station and port of a place, by row; these count up from 1.
    places: Vec<(i64, u16)>,
    combos: Vec<Option<Combo>>,
    last_station: i64,
    guesses: Guesses,
}

#[derive(Default)]
struct Guesses {
    /// Entries in the catalog when these were made.
    entries: i64,
    of_place: Vec<u64>,
    /// First quarter of a day on which records start, and records of all days before it, in order.
    days: Vec<(i64, u64)>,
}

impl Book {
    /// Reads what came since the last time.
    pub fn refresh(&mut self, sql: &Connection) -> Result<()> {
        let mut find = sql.prepare_cached("SELECT id, serial FROM station WHERE id > ?1 ORDER BY id")?;
        let mut rows = find.query([self.last_station])?;
        while let Some(row) = rows.next()? {
            let (id, serial): (i64, String) = (row.get(0)?, row.get(1)?);
            self.stations.insert(serial.clone(), id);
            self.serials.insert(id, serial);
            self.last_station = id;
        }
        let mut find = sql.prepare_cached("SELECT id, station, port FROM place WHERE id > ?1 ORDER BY id")?;
        let mut rows = find.query([(self.places.len() as i64 - 1).max(0)])?;
        while let Some(row) = rows.next()? {
            let (id, station, port): (i64, i64, u16) = (row.get(0)?, row.get(1)?, row.get(2)?);
            self.places.resize(self.places.len().max(index_of(id) + 1), (0, 0));
            self.places[index_of(id)] = (station, port);
            self.of_station.entry(station).or_default().push((port, id));
        }
        let sql_text = format!("SELECT id, {} FROM combo WHERE id > ?1 ORDER BY id", combo::COLUMNS);
        let mut find = sql.prepare_cached(&sql_text)?;
        let mut rows = find.query([(self.combos.len() as i64 - 1).max(0)])?;
        while let Some(row) = rows.next()? {
            let index = index_of(row.get(0)?);
            self.combos.resize(self.combos.len().max(index + 1), None);
            self.combos[index] = Some(Combo::from_row(row, 1)?);
        }
        let entries: i64 =
            sql.prepare_cached("SELECT sequence FROM applied")?.query_row([], |row| row.get(0))?;
        if entries > self.guesses.entries + self.guesses.entries * STALE_PERCENT / 100 {
            self.guess(sql, entries)?;
        }
        Ok(())
    }

    fn guess(&mut self, sql: &Connection, entries: i64) -> Result<()> {
        let mut of_place = vec![0; self.places.len()];
        let mut find = sql.prepare_cached("SELECT id, records FROM place")?;
        let mut rows = find.query([])?;
        while let Some(row) = rows.next()? {
            if let Some(place) = of_place.get_mut(index_of(row.get(0)?)) {
                *place = unsigned(row.get(1)?);
            }
        }
        let calls = CallType::ALL.iter().map(|one| one.name()).collect::<Vec<_>>().join(" + ");
        let sql_text = format!(
            "SELECT span, sum({calls}) FROM tally WHERE quarters = {DAY_QUARTERS} AND place = {ALL_PLACES}
             GROUP BY span ORDER BY span"
        );
        let mut find = sql.prepare_cached(&sql_text)?;
        let mut rows = find.query([])?;
        let (mut days, mut before) = (Vec::new(), 0);
        while let Some(row) = rows.next()? {
            let (span, records): (i64, i64) = (row.get(0)?, row.get(1)?);
            days.push((span, before));
            before += unsigned(records);
        }
        if let Some((last, _)) = days.last() {
            days.push((last + 1, before));
        }
        self.guesses = Guesses { entries, of_place, days };
        Ok(())
    }

    pub fn station(&self, serial: &str) -> Option<i64> {
        self.stations.get(serial).copied()
    }

    pub fn serial(&self, station: i64) -> &str {
        self.serials.get(&station).map_or("", String::as_str)
    }

    /// Rows of stations, in order of their numbers.
    pub fn stations(&self) -> impl Iterator<Item = i64> {
        self.of_station.keys().copied()
    }

    /// Port and row of a station's places.
    pub fn places_of(&self, station: i64) -> &[(u16, i64)] {
        self.of_station.get(&station).map_or(&[], Vec::as_slice)
    }

    /// Station and port of a place.
    pub fn place(&self, place: i64) -> (i64, u16) {
        self.places.get(index_of(place)).copied().unwrap_or((0, 0))
    }

    /// One more than the highest row of a place.
    pub fn places_end(&self) -> usize {
        self.places.len()
    }

    pub fn combo(&self, combo: i64) -> Option<&Combo> {
        self.combos.get(index_of(combo))?.as_ref()
    }

    /// About how many records these places have.
    pub fn guessed_records(&self, places: &[i64]) -> u64 {
        places.iter().filter_map(|place| self.guesses.of_place.get(index_of(*place))).sum()
    }

    /// About what share of all records lies between two keys.
    pub fn guessed_share(&self, from: i64, before: i64) -> f64 {
        let Some((_, all)) = self.guesses.days.last() else { return 1.0 };
        let inside = self.records_before(before) - self.records_before(from);
        (inside / (*all).max(1) as f64).clamp(1e-7, 1.0)
    }

    /// About how many days with records lie between two keys.
    pub fn days_between(&self, from: i64, before: i64) -> u64 {
        let days = &self.guesses.days;
        let first = days.partition_point(|(day, _)| key_of_day(day + 1) <= from);
        let last = days.partition_point(|(day, _)| key_of_day(*day) < before);
        last.saturating_sub(first) as u64
    }

    /// Records come evenly over a day, for this.
    fn records_before(&self, key: i64) -> f64 {
        let days = &self.guesses.days;
        let begins_by = |(day, _): &(i64, u64)| key_of_day(*day) <= key;
        let Some(at) = days.partition_point(begins_by).checked_sub(1) else { return 0.0 };
        let (day, records) = days[at];
        let of_day = days.get(at + 1).map_or(0, |(_, next)| next - records);
        let begin = key_of_day(day);
        let through = (key.saturating_sub(begin) as f64 / (key_of_day(1) as f64)).min(1.0);
        records as f64 + of_day as f64 * through
    }
}

fn key_of_day(day: i64) -> i64 {
    key_from_us(day.saturating_mul(DAY_QUARTERS * QUARTER_US))
}

/// Rows count up from 1; what is no row of ours lies behind all.
fn index_of(row: i64) -> usize {
    usize::try_from(row).unwrap_or(usize::MAX)
}
