//! Which alarms this run wants raised and which cleared, kept until the journal has them. A full disk takes no entry,
//! and that is when alarms count: each is tried again until it stands where it can be seen.

use std::collections::HashMap;

use catalog::{AlarmKey, Catalog, Params};

/// Alarms by what this run knows of them; those it never heard of are not in it.
#[derive(Default)]
pub(crate) struct AlarmStates {
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
    pub(crate) fn raise(&mut self, key: AlarmKey, params: Params) {
        self.states.insert(key, State { stands: true, params, raise_due: true, clear_due: false });
    }

    /// It is over. One that was raised and could not be written yet is written all the same, for the history.
    pub(crate) fn clear(&mut self, key: AlarmKey) {
        let raise_due = self.states.get(&key).is_some_and(|state| state.raise_due);
        let params = self.states.remove(&key).map(|state| state.params).unwrap_or_default();
        self.states.insert(key, State { stands: false, params, raise_due, clear_due: true });
    }

    /// Whether a state that lasts holds now. Nothing happens if it is as it was.
    pub(crate) fn set(&mut self, key: AlarmKey, stands: bool, params: Params) {
        match (self.states.get(&key).map(|state| state.stands), stands) {
            (Some(true), true) | (Some(false), false) => {}
            (_, true) => self.raise(key, params),
            (_, false) => self.clear(key),
        }
    }

    /// This run has raised or cleared it.
    pub(crate) fn knows(&self, key: &AlarmKey) -> bool {
        self.states.contains_key(key)
    }

    /// Writes what is due. What the journal does not take stays due.
    pub(crate) fn write_to(&mut self, catalog: &Catalog) {
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
