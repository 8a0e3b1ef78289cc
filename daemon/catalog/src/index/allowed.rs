//! The combinations of few-valued members that a query allows.

use std::collections::BTreeSet;

use crate::index::combo::Combo;
use crate::query::{AudioFilter, DeletedFilter, RecordQuery};

/// What is known of a combination that the query allows.
#[derive(Clone, Copy, Debug)]
pub struct Allowed {
    pub combo: Combo,
    pub records: u64,
    /// Only part of its class of length is asked for.
    pub part_length: bool,
}

/// The combinations that a query allows, by their row number: these count up from 1.
#[derive(Default)]
pub struct AllowedCombos(Vec<Option<Allowed>>);

impl AllowedCombos {
    pub fn insert(&mut self, id: i64, allowed: Allowed) {
        let place = usize::try_from(id).unwrap_or(0);
        if self.0.len() <= place {
            self.0.resize(place + 1, None);
        }
        self.0[place] = Some(allowed);
    }

    pub fn get(&self, id: i64) -> Option<&Allowed> {
        self.0.get(usize::try_from(id).ok()?)?.as_ref()
    }

    pub fn ids(&self) -> impl Iterator<Item = i64> {
        self.0.iter().zip(0..).filter_map(|(allowed, id)| allowed.as_ref().map(|_| id))
    }

    pub fn values(&self) -> impl Iterator<Item = &Allowed> {
        self.0.iter().flatten()
    }
}

/// Whether the query asks for records of this combination, whatever their length.
pub fn asks_for(query: &RecordQuery, combo: &Combo) -> bool {
    fn one_of<T: Ord>(asked: &BTreeSet<T>, value: &T) -> bool {
        asked.is_empty() || asked.contains(value)
    }
    let audio = match query.audio {
        AudioFilter::All => true,
        AudioFilter::With => combo.audio,
        AudioFilter::Without => !combo.audio,
    };
    let deleted = match query.deleted {
        DeletedFilter::All => true,
        DeletedFilter::Yes => combo.deleted,
        DeletedFilter::No => !combo.deleted,
    };
    audio
        && deleted
        && one_of(&query.call_types, &combo.call_type)
        && one_of(&query.start_modes, &combo.start_mode)
        && one_of(&query.stop_modes, &combo.stop_mode)
        && one_of(&query.grades, &combo.grade)
}
