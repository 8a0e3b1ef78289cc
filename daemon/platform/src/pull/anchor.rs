//! The time of day of instants: stations are planned by a clock that nobody sets, and people read one that somebody does.

use std::time::Instant;

/// A clock that moved this far against the anchor was set.
const CLOCK_SET_US: u64 = 1_000_000;

/// What the clock said at one instant: so every instant has one time of day until somebody sets the clock.
pub(super) struct Anchor {
    at: Instant,
    us: i64,
}

impl Anchor {
    pub fn new() -> Self {
        Self { at: Instant::now(), us: 0 }
    }

    /// Microseconds of UTC since 1970 at `instant`; `now_us` is what the clock says `now`.
    pub fn time_of(&mut self, instant: Instant, now: Instant, now_us: i64) -> i64 {
        if self.plainly(now).abs_diff(now_us) > CLOCK_SET_US {
            *self = Self { at: now, us: now_us };
        }
        self.plainly(instant)
    }

    fn plainly(&self, instant: Instant) -> i64 {
        let after = instant.saturating_duration_since(self.at).as_micros() as i64;
        let before = self.at.saturating_duration_since(instant).as_micros() as i64;
        self.us.saturating_add(after).saturating_sub(before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn an_instant_has_one_time_until_the_clock_is_set() {
        let (start, clock_us) = (Instant::now(), 1_772_323_200_000_000);
        let mut anchor = Anchor { at: start, us: 0 };
        let due = start + MINUTE;
        let at_first = anchor.time_of(due, start, clock_us);
        assert_eq!(at_first, clock_us + 60_000_000);
        // A clock runs a little otherwise, and is read a little later.
        assert_eq!(anchor.time_of(due, start + 3 * MINUTE, clock_us + 180_000_900), at_first);
        let set = anchor.time_of(due, start + 3 * MINUTE, clock_us + 7_200_000_000);
        assert_eq!(set, clock_us + 7_200_000_000 - 120_000_000);
    }
}
