//! The places (ports of stations) that a query may find records of, put together from the scope and the query: a mark
//! for each place, with times where a grant has them.

use std::collections::HashMap;

use crate::index::apply::key_from_us;
use crate::index::book::Book;
use crate::query::RecordQuery;
use crate::scope::{Grant, Scope};

/// Keys from, and before.
pub type Span = (i64, i64);

/// Places, some of them for a part of the query's time only.
#[derive(Clone, Debug, Default)]
pub struct PlaceSet {
    /// By row of `place`.
    marks: Vec<Mark>,
    /// Those that are marked.
    members: Vec<i64>,
    dated: HashMap<i64, Vec<Span>>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Mark {
    #[default]
    Not,
    Whole,
    /// Only for the spans in `dated`.
    Dated,
}

impl PlaceSet {
    /// The places of a query whose keys lie in `inside`; `None`: every place, always.
    pub fn of(book: &Book, scope: &Scope, query: &RecordQuery, inside: Span) -> Option<Self> {
        if scope.is_everything() && query.stations.is_empty() && query.ports.is_empty() {
            return None;
        }
        let mut set = Self { marks: vec![Mark::Not; book.places_end()], ..Self::default() };
        if query.stations.is_empty() {
            match scope.stations() {
                Some(serials) => serials.for_each(|serial| set.add(book, scope, query, inside, serial)),
                None => book.stations().for_each(|id| set.add(book, scope, query, inside, book.serial(id))),
            }
        } else {
            query.stations.iter().for_each(|serial| set.add(book, scope, query, inside, serial));
        }
        set.members.sort_unstable();
        Some(set)
    }

    fn add(&mut self, book: &Book, scope: &Scope, query: &RecordQuery, inside: Span, serial: &str) {
        let Some(station) = book.station(serial) else { return };
        let grants = scope.grants_of(serial);
        for (port, place) in book.places_of(station) {
            if !query.ports.is_empty() && !query.ports.contains(port) {
                continue;
            }
            match &grants {
                None => self.mark(*place, &[inside], inside),
                Some(grants) => {
                    let of_port = grants.clone().filter(|grant| grant.gives_port(*port));
                    self.mark(*place, &joined(of_port.map(|grant| keys(grant, inside))), inside);
                }
            }
        }
    }

    fn mark(&mut self, place: i64, spans: &[Span], inside: Span) {
        let Some(mark) = usize::try_from(place).ok().and_then(|row| self.marks.get_mut(row)) else { return };
        if spans.is_empty() {
            return;
        }
        self.members.push(place);
        if spans == [inside] {
            *mark = Mark::Whole;
        } else {
            *mark = Mark::Dated;
            self.dated.insert(place, spans.to_vec());
        }
    }

    pub fn takes(&self, place: i64, key: i64) -> bool {
        match self.marks.get(usize::try_from(place).unwrap_or(usize::MAX)) {
            None | Some(Mark::Not) => false,
            Some(Mark::Whole) => true,
            Some(Mark::Dated) => self
                .dated
                .get(&place)
                .is_some_and(|spans| spans.iter().any(|(from, before)| (from..before).contains(&&key))),
        }
    }

    /// Rows of `place`, in order.
    pub fn members(&self) -> &[i64] {
        &self.members
    }

    pub fn has_dates(&self) -> bool {
        !self.dated.is_empty()
    }

    /// Those that the query may find all of its time, and the others.
    pub fn divided(self) -> (Self, Self) {
        let mut whole = Self { marks: self.marks.clone(), ..Self::default() };
        let mut dated = Self { marks: vec![Mark::Not; self.marks.len()], ..Self::default() };
        for place in self.members {
            if self.dated.contains_key(&place) {
                dated.members.push(place);
                let row = usize::try_from(place).unwrap_or_default();
                dated.marks[row] = std::mem::replace(&mut whole.marks[row], Mark::Not);
            } else {
                whole.members.push(place);
            }
        }
        dated.dated = self.dated;
        (whole, dated)
    }
}

/// A grant's time within the query's.
fn keys(grant: &Grant, (from, before): Span) -> Span {
    let until = if grant.to_us == i64::MAX { i64::MAX } else { key_from_us(grant.to_us) };
    (key_from_us(grant.from_us).max(from), until.min(before))
}

/// The same time in as few spans as there are, in order.
fn joined(spans: impl Iterator<Item = Span>) -> Vec<Span> {
    let mut spans: Vec<Span> = spans.filter(|(from, before)| from < before).collect();
    spans.sort_unstable();
    let mut joined: Vec<Span> = Vec::with_capacity(spans.len());
    for (from, before) in spans {
        match joined.last_mut() {
            Some(last) if from <= last.1 => last.1 = last.1.max(before),
            _ => joined.push((from, before)),
        }
    }
    joined
}
