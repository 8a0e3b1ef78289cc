//! What counts as a play: a player asks for the beginning of a file several times, and for its middle, while it plays it
//! once. Whoever asks for the middle alone has heard it all the same.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use recording::RecordId;

use crate::session::SessionKey;

/// The beginning asked again by the same session within this long is the same play.
const SAME_PLAY: Duration = Duration::from_secs(10);

/// For as long as a session can last, its first asking is remembered.
const REMEMBERED: Duration = Duration::from_secs(24 * 3600);

/// When each session last asked for the beginning of a recording, or first for any of it.
#[derive(Debug, Default)]
pub struct Plays(Mutex<HashMap<(SessionKey, RecordId), Instant>>);

impl Plays {
    /// Whether this asking begins a play; `from_start`: the first bytes are asked for.
    pub fn is_new(&self, session: SessionKey, id: &RecordId, from_start: bool) -> bool {
        self.is_new_at(session, id, from_start, Instant::now())
    }

    fn is_new_at(&self, session: SessionKey, id: &RecordId, from_start: bool, now: Instant) -> bool {
        let mut asked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        asked.retain(|_, last| now.saturating_duration_since(*last) < REMEMBERED);
        match asked.get_mut(&(session, id.clone())) {
            Some(last) if from_start => {
                let is_new = now.saturating_duration_since(*last) >= SAME_PLAY;
                *last = now;
                is_new
            }
            Some(_) => false,
            None => {
                asked.insert((session, id.clone()), now);
                true
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::Sessions;

    #[test]
    fn a_player_that_asks_twice_plays_once() {
        let account = catalog::Account {
            name: "anna".into(),
            display_name: String::new(),
            password_hash: String::new(),
            rights: Vec::new(),
            must_change: false,
            disabled: false,
            language: None,
            department: None,
        };
        let (sessions, plays, now) = (Sessions::default(), Plays::default(), Instant::now());
        let (one, _) = sessions.open(account.clone(), now);
        let (other, _) = sessions.open(account, now);
        let id = |sequence| RecordId { serial: "HKLN-01121571897162".into(), sequence };
        assert!(plays.is_new_at(one, &id(1), true, now));
        assert!(!plays.is_new_at(one, &id(1), true, now));
        assert!(!plays.is_new_at(one, &id(1), false, now + SAME_PLAY), "seeking is no new play");
        assert!(plays.is_new_at(other, &id(1), false, now), "the middle alone is heard too");
        assert!(plays.is_new_at(one, &id(2), true, now));
        assert!(plays.is_new_at(one, &id(1), true, now + SAME_PLAY));
    }
}
