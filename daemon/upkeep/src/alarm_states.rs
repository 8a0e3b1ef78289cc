//! Which alarms this run wants raised and which cleared, kept until the journal has them. A full disk takes no entry,
//! and that is when alarms count: each is tried again until it stands where it can be seen.

use std::collections::{HashMap, VecDeque};

use catalog::{AlarmCode, AlarmKey, AlarmQuery, AlarmState, Catalog, PageRequest, Params, REASON, Scope};
use serde_json::{Value, json};

use crate::params;

/// Alarms by what this run knows of them; those it never heard of are not in it.
#[derive(Default)]
pub struct AlarmStates {
    states: HashMap<AlarmKey, State>,
    /// The journal refused the last try; said once.
    refused: bool,
}

struct State {
    stands: bool,
    /// Why, by the last raising.
    reason: Option<Value>,
    /// What has yet to be written, in its order: a raising and a clearing in turn.
    due: VecDeque<Due>,
}

enum Due {
    Raise(Params),
    Clear,
}

/// Changes of one alarm that are kept for a journal that takes none; the oldest are left out.
const MOST_DUE: usize = 100;

impl AlarmStates {
    /// Something has happened that is an alarm, perhaps not for the first time.
    pub fn raise(&mut self, key: AlarmKey, params: Params) {
        let state = self.state(key);
        (state.stands, state.reason) = (true, params.get(REASON).cloned());
        if let Some(Due::Raise(due)) = state.due.back_mut() {
            *due = params;
        } else {
            state.push(Due::Raise(params));
        }
    }

    /// It is over. One that was raised and could not be written yet is written all the same, for the history.
    pub fn clear(&mut self, key: AlarmKey) {
        let state = self.state(key);
        state.stands = false;
        if !matches!(state.due.back(), Some(Due::Clear)) {
            state.push(Due::Clear);
        }
    }

    fn state(&mut self, key: AlarmKey) -> &mut State {
        let new = || State { stands: false, reason: None, due: VecDeque::new() };
        self.states.entry(key).or_insert_with(new)
    }

    /// Whether a state that lasts holds now. Nothing happens if it is as it was, for the same reason.
    pub fn set(&mut self, key: AlarmKey, stands: bool, params: Params) {
        let known = self.states.get(&key);
        let same_reason = || {
            let reason = params.get(REASON);
            reason.is_none_or(Value::is_null) || known.is_some_and(|known| known.reason.as_ref() == reason)
        };
        match (known.map(|state| state.stands), stands) {
            (Some(false), false) => {}
            (Some(true), true) if same_reason() => {}
            (_, true) => self.raise(key, params),
            (_, false) => self.clear(key),
        }
    }

    /// Clears what the runs before left raised and this one has not; not those for which `told_otherwise`, which end by
    /// what they are about.
    pub fn clear_stale(
        &mut self,
        catalog: &Catalog,
        told_otherwise: impl Fn(AlarmCode) -> bool,
    ) -> Result<(), catalog::Error> {
        for key in alarm_keys(catalog, &AlarmQuery::default())? {
            if !told_otherwise(key.code) && !self.knows(&key) {
                self.clear(key);
            }
        }
        Ok(())
    }

    /// Whether the catalog follows, and what of the journal cannot be read.
    pub fn look_at_catalog(&mut self, catalog: &Catalog) {
        let health = catalog.health();
        let detail = params(json!({"detail": health.failing}));
        self.set(AlarmKey::of_box(AlarmCode::CatalogBehind), health.failing.is_some(), detail);
        for loss in health.losses {
            let key = AlarmKey::of_thing(AlarmCode::JournalDamaged, loss.place);
            // What was told once and then repaired stays in the journal's bytes: it is not told again.
            if !self.knows(&key) && matches!(was_cleared(catalog, &key), Ok(false)) {
                self.raise(key, params(json!({"detail": loss.sentence})));
            }
        }
    }

    /// This run has raised or cleared it.
    pub fn knows(&self, key: &AlarmKey) -> bool {
        self.states.contains_key(key)
    }

    /// Writes what is due. What the journal does not take stays due.
    pub fn write_to(&mut self, catalog: &Catalog) {
        let mut failure = None;
        for (key, state) in &mut self.states {
            while let Some(due) = state.due.front() {
                let written = match due {
                    Due::Raise(params) => catalog.raise(key, params.clone()),
                    Due::Clear => catalog.clear(key),
                };
                if let Err(error) = written {
                    failure = Some((key.code, error));
                    break;
                }
                state.due.pop_front();
            }
        }
        if let Some((code, error)) = &failure
            && !self.refused
        {
            eprintln!("alarm {} could not be written yet: {error}", code.name());
        }
        self.refused = failure.is_some();
    }
}

impl State {
    fn push(&mut self, due: Due) {
        if self.due.len() >= MOST_DUE {
            self.due.pop_front();
        }
        self.due.push_back(due);
    }
}

/// What all alarms of a query that this box has raised are about. Those that only a newer release has are left to it.
pub fn alarm_keys(catalog: &Catalog, query: &AlarmQuery) -> Result<Vec<AlarmKey>, catalog::Error> {
    let mut keys = Vec::new();
    let mut request = PageRequest { after: None, limit: 1000, count_up_to: 0 };
    loop {
        let page = catalog.alarms(&Scope::everything(), query, request)?;
        keys.extend(page.items.into_iter().filter(|alarm| alarm.station.is_none()).filter_map(|alarm| {
            let code = AlarmCode::from_name(&alarm.code)?;
            Some(AlarmKey { code, port: alarm.port, thing: alarm.thing })
        }));
        match page.next {
            Some(next) => request.after = Some(next),
            None => return Ok(keys),
        }
    }
}

fn was_cleared(catalog: &Catalog, key: &AlarmKey) -> Result<bool, catalog::Error> {
    let codes = [key.code.name().to_owned()].into();
    let query = AlarmQuery { state: AlarmState::History, codes, ..AlarmQuery::default() };
    Ok(alarm_keys(catalog, &query)?.contains(key))
}

#[cfg(test)]
mod tests {
    use catalog::Options;

    use super::*;

    #[test]
    fn each_change_is_written_and_another_reason_is_a_raising_of_its_own() {
        let folder = tempfile::tempdir().expect("a folder");
        let (catalog, _) = Catalog::open(folder.path(), Options::new("HKLN-1")).expect("opened");
        let mut states = AlarmStates::default();
        let key = || AlarmKey::of_thing(AlarmCode::SynchronisationFailed, "HKLN-2");
        let why = |reason: &str| params(json!({"detail": reason, "name": "x"}));
        // What the journal could not take until now: it came, went, and came again.
        states.set(key(), true, why("the token is wrong"));
        states.set(key(), false, Params::new());
        states.set(key(), true, why("the token is wrong"));
        states.set(key(), true, why("the token is wrong"));
        states.write_to(&catalog);
        let list = |state| {
            assert!(catalog.wait_until_current(std::time::Duration::from_secs(10)));
            let query = AlarmQuery { state, ..AlarmQuery::default() };
            let page = PageRequest { after: None, limit: 10, count_up_to: 0 };
            catalog.alarms(&Scope::everything(), &query, page).expect("listed").items
        };
        assert_eq!((list(AlarmState::History).len(), list(AlarmState::Current).len()), (1, 1));
        assert_eq!(list(AlarmState::Current)[0].count, 1);
        states.set(key(), true, why("another certificate"));
        states.set(key(), true, Params::new());
        states.set(key(), false, Params::new());
        states.write_to(&catalog);
        let past = list(AlarmState::History);
        assert_eq!((past.len(), past[0].count), (2, 2));
        assert_eq!(past[0].params["detail"], "another certificate");
    }
}
