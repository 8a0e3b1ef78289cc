//! Which alarms this run wants raised and which cleared, kept until the journal has them. A full disk takes no entry,
//! and that is when alarms count: each is tried again until it stands where it can be seen.

use std::collections::HashMap;

use catalog::{AlarmCode, AlarmKey, AlarmQuery, AlarmState, Catalog, PageRequest, Params, Scope};
use serde_json::json;

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
    params: Params,
    /// A raising has yet to be written.
    raise_due: bool,
    /// A clearing has yet to be written, behind the raising.
    clear_due: bool,
}

impl AlarmStates {
    /// Something has happened that is an alarm, perhaps not for the first time.
    pub fn raise(&mut self, key: AlarmKey, params: Params) {
        self.states.insert(key, State { stands: true, params, raise_due: true, clear_due: false });
    }

    /// It is over. One that was raised and could not be written yet is written all the same, for the history.
    pub fn clear(&mut self, key: AlarmKey) {
        let raise_due = self.states.get(&key).is_some_and(|state| state.raise_due);
        let params = self.states.remove(&key).map(|state| state.params).unwrap_or_default();
        self.states.insert(key, State { stands: false, params, raise_due, clear_due: true });
    }

    /// Whether a state that lasts holds now. Nothing happens if it is as it was.
    pub fn set(&mut self, key: AlarmKey, stands: bool, params: Params) {
        match (self.states.get(&key).map(|state| state.stands), stands) {
            (Some(true), true) | (Some(false), false) => {}
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
        for (key, state) in self.states.iter_mut().filter(|(_, state)| state.raise_due || state.clear_due) {
            if state.raise_due {
                match catalog.raise(key, state.params.clone()) {
                    Ok(()) => state.raise_due = false,
                    Err(error) => failure = Some((key.code, error)),
                }
            }
            if state.clear_due && !state.raise_due {
                match catalog.clear(key) {
                    Ok(()) => state.clear_due = false,
                    Err(error) => failure = Some((key.code, error)),
                }
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
