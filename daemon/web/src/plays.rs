//! What counts as a play: a player asks for the beginning of a file several times while it plays it once.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use recording::RecordId;

use crate::session::SessionKey;

/// The beginning asked again by the same session within this long is the same play.
const SAME_PLAY: Duration = Duration::from_secs(10);

/// Beginnings asked for lately.
#[derive(Debug, Default)]
pub struct Plays(Mutex<HashMap<(SessionKey, RecordId), Instant>>);

impl Plays {
    pub fn is_new(&self, session: SessionKey, id: &RecordId) -> bool {
        self.is_new_at(session, id, Instant::now())
    }

    fn is_new_at(&self, session: SessionKey, id: &RecordId, now: Instant) -> bool {
        let mut lately = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lately.retain(|_, asked| now.saturating_duration_since(*asked) < SAME_PLAY);
        lately.insert((session, id.clone()), now).is_none()
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
        };
        let (sessions, plays, now) = (Sessions::default(), Plays::default(), Instant::now());
        let (one, _) = sessions.open(account.clone(), now);
        let (other, _) = sessions.open(account, now);
        let id = |sequence| RecordId { serial: "HKLN-01121571897162".into(), sequence };
        assert!(plays.is_new_at(one, &id(1), now));
        assert!(!plays.is_new_at(one, &id(1), now));
        assert!(plays.is_new_at(other, &id(1), now));
        assert!(plays.is_new_at(one, &id(2), now));
        assert!(plays.is_new_at(one, &id(1), now + SAME_PLAY));
    }
}
