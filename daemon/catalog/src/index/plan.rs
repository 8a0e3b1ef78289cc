//! The choice of a way to the rows of a query, by how much work each is likely to be, and what can be counted without
//! looking at rows.

use rusqlite::{Result, Row, params};

use crate::index::apply::{signed, unsigned};
use crate::index::search::Filter;
use crate::index::sources::narrowest;

/// Rows against the guess that are looked at before the guess is taken for wrong.
const HOPE: f64 = 3.0;
/// Of so many places at most it is looked up which combinations they have.
const FEW_PLACES: usize = 64;

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
    /// So many rows of this way, since that should do.
    pub first: Option<(Way, u64)>,
    /// What is behind them, if it does not: the way whose work is bounded best.
    pub last: Way,
}

#[derive(Debug)]
pub enum Way {
    /// All records.
    Time,
    /// The records that are deleted.
    Deleted,
    /// The records of each place, merged.
    Places,
    /// Lists of what is asked for, merged.
    Lists(Vec<ListOf>),
}

/// A list of records in order of time, by what they have in common.
#[derive(Clone, Copy, Debug)]
pub enum ListOf {
    Combo(i64),
    Place(i64),
    PlaceCombo(i64, i64),
}

/// What a way is likely to cost, and what it costs if the guess is wrong.
struct Choice {
    way: Way,
    rows: f64,
    row_cost: f64,
    likely: f64,
    worst: f64,
}

impl Choice {
    /// `rows` that are likely to be looked at, of `most` that there are.
    fn new(way: Way, lists: usize, rows: f64, most: f64, row_cost: f64) -> Self {
        let (rows, lists) = (rows.min(most), lists as f64 * COST_LIST);
        Self { way, rows, row_cost, likely: lists + rows * row_cost, worst: lists + most * row_cost }
    }
}

pub fn plan(filter: &Filter<'_>, wanted: u64) -> Result<Plan> {
    let share = filter.guessed_share()?.max(1e-9);
    let wanted = wanted as f64 / share;
    let inside = filter.book.guessed_share(filter.from, filter.before);
    let all = filter.all_records.max(1) as f64 * inside;
    let of_combos = records_of_combos(filter) as f64 * inside;
    let of_places = filter.places.as_ref().map_or(all, |places| {
        (filter.book.guessed_records(places.members()) as f64 * inside).clamp(1.0, all.max(1.0))
    });
    let few = lists_of_few_places(filter)?;
    let matching = match &few {
        Some((_, records)) => *records as f64 * inside,
        None => of_combos * of_places / all,
    };
    // How many rows of each kind one that matches is likely to stand among.
    let among = |rows: f64| wanted * (rows / matching.max(1e-3)).max(1.0);

    let combos = filter.combos.ids().count();
    let mut choices = vec![Choice::new(
        Way::Lists(filter.combos.ids().map(ListOf::Combo).collect()),
        combos,
        among(of_combos),
        of_combos,
        COST_MERGED_ROW,
    )];
    let deleted = deleted_records(filter);
    match deleted {
        // Deleted records are the oldest ones, mostly: going back in time from the newest is no way to them.
        Some(deleted) => {
            let deleted = deleted as f64 * inside;
            choices.push(Choice::new(Way::Deleted, 1, among(deleted), deleted, COST_KEY));
        }
        None => choices.push(Choice::new(Way::Time, 1, among(all), all, COST_ROW)),
    }
    if let Some(places) = &filter.places {
        let rows = if deleted.is_some() { of_places } else { among(of_places) };
        choices.push(Choice::new(Way::Places, places.members().len(), rows, of_places, COST_MERGED_ROW));
    }
    if let Some((lists, _)) = few {
        let count = lists.len();
        choices.push(Choice::new(Way::Lists(lists), count, wanted, matching, COST_MERGED_ROW));
    }
    Ok(chosen(choices, filter))
}

fn chosen(mut choices: Vec<Choice>, filter: &Filter<'_>) -> Plan {
    let by = |cost: fn(&Choice) -> f64| move |a: &Choice, b: &Choice| cost(a).total_cmp(&cost(b));
    choices.sort_by(by(|choice| choice.likely));
    let likely = choices.first().map_or(0.0, |choice| choice.likely);
    let numbers = match (narrowest(filter), &filter.text) {
        (Some((_, few)), _) => Some(few.len()),
        (None, Some(text)) => Some(text.numbers.len() + text.keys.len()),
        (None, None) => None,
    };
    let gather = numbers.is_some_and(|numbers| numbers as f64 * COST_NUMBER < likely + COST_OF_COUNT);
    let mut rest = choices.into_iter();
    let Some(best) = rest.next() else { return Plan { gather, first: None, last: Way::Time } };
    let Some(safe) = rest.min_by(by(|choice| choice.worst)).filter(|safe| safe.worst < best.worst) else {
        return Plan { gather, first: None, last: best.way };
    };
    // No more is lost on a wrong guess than the safe way costs.
    let hope = (best.rows * HOPE + 100.0).min((safe.worst / best.row_cost).max(1_000.0));
    Plan { gather, first: Some((best.way, hope as u64)), last: safe.way }
}

/// How many records are deleted, if only such are asked for.
fn deleted_records(filter: &Filter<'_>) -> Option<u64> {
    filter.combos.values().all(|allowed| allowed.combo.deleted).then_some(filter.deleted_records)
}

fn records_of_combos(filter: &Filter<'_>) -> u64 {
    filter.combos.values().map(|allowed| allowed.records).sum()
}

/// Lists of place and combination, and how many records stand in them, while the places are few.
pub fn lists_of_few_places(filter: &Filter<'_>) -> Result<Option<(Vec<ListOf>, u64)>> {
    let Some(places) = filter.places.as_ref().filter(|places| places.members().len() <= FEW_PLACES) else {
        return Ok(None);
    };
    let mut find = filter
        .sql()
        .prepare_cached("SELECT combo, records FROM combo_count WHERE place = ?1 AND records > 0")?;
    let mut lists = Vec::new();
    let mut records = 0;
    for place in places.members() {
        let mut rows = find.query([place])?;
        while let Some(row) = rows.next()? {
            let combo: i64 = row.get(0)?;
            if filter.combos.get(combo).is_some() {
                lists.push(ListOf::PlaceCombo(*place, combo));
                records += unsigned(row.get(1)?);
            }
        }
    }
    Ok(Some((lists, records)))
}

/// A list for each place of the query that may have records in its time.
pub fn place_lists(filter: &Filter<'_>) -> Result<Vec<ListOf>> {
    let Some(places) = &filter.places else { return Ok(Vec::new()) };
    let mut lists = Vec::new();
    if places.members().len() <= FEW_PLACES {
        lists.extend(places.members().iter().copied().map(ListOf::Place));
        return Ok(lists);
    }
    let mut find = filter
        .sql()
        .prepare_cached("SELECT id FROM place WHERE records > 0 AND last_key >= ?1 AND first_key < ?2")?;
    let mut rows = find.query([filter.from, filter.before])?;
    while let Some(row) = rows.next()? {
        let place = row.get(0)?;
        if places.members().binary_search(&place).is_ok() {
            lists.push(ListOf::Place(place));
        }
    }
    Ok(lists)
}

/// How many records the filter takes, if that is known without looking at rows; behind `most` it may be less.
pub fn known_count(filter: &Filter<'_>, most: u64) -> Result<Option<u64>> {
    if filter.looks_at_rows() || filter.places.as_ref().is_some_and(|places| places.has_dates()) {
        return Ok(None);
    }
    let (lists, records, places_records) = match &filter.places {
        None => {
            (filter.combos.ids().map(ListOf::Combo).collect(), records_of_combos(filter), filter.all_records)
        }
        Some(places) => match lists_of_few_places(filter)? {
            Some((lists, records)) => (lists, records, filter.book.guessed_records(places.members())),
            None => return Ok(None),
        },
    };
    if filter.from == 0 && filter.before == i64::MAX {
        return Ok(Some(records));
    }
    let inside = places_records as f64 * filter.book.guessed_share(filter.from, filter.before);
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
            Self::Place(place) => filter
                .sql()
                .prepare_cached(
                    "SELECT count(*) FROM (SELECT 1 FROM skim INDEXED BY skim_place
                     WHERE place = ?1 AND key >= ?2 AND key < ?3 LIMIT ?4)",
                )?
                .query_row(params![place, from, before, most], read),
            Self::PlaceCombo(place, combo) => filter
                .sql()
                .prepare_cached(
                    "SELECT count(*) FROM (SELECT 1 FROM skim INDEXED BY skim_place_combo
                     WHERE place = ?1 AND combo = ?2 AND key >= ?3 AND key < ?4 LIMIT ?5)",
                )?
                .query_row(params![place, combo, from, before, most], read),
        }
    }
}
