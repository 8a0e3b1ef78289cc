//! Whether a running station does its work: what a watchdog, or somebody who asks `/health`, needs to know at once.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use serde::Serialize;

/// A unit that has given no block for this long is silent; a block comes every 10 ms.
const SILENT_AFTER: Duration = Duration::from_secs(2);

/// How a station is, part by part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Health {
    /// The capture thread runs and every input has given blocks within the last 2 s. A box without ports has none to
    /// wait for.
    pub capturing: bool,
    /// The recorder has room for the next block: nothing is being lost.
    pub recording: bool,
    /// The catalog takes in what the journal says: lists are up to date, or are catching up.
    pub catalog_following: bool,
}

impl Health {
    /// Everything works.
    pub fn is_well(self) -> bool {
        self.capturing && self.recording && self.catalog_following
    }
}

/// The capture thread turns a hundred times a second; after this long without a turn it hangs.
const STUCK_AFTER: Duration = Duration::from_secs(5);
/// A write to the capture log that takes longer than this never ends: the disk, or its driver, hangs. As long as the
/// recorder's queue holds audio.
pub(crate) const WRITE_HANGS_AFTER: Duration = Duration::from_secs(30);

/// Signs of life of the capture thread, which writes them without a lock.
#[derive(Debug)]
pub(crate) struct Pulse {
    began: Instant,
    inputs: usize,
    working: AtomicUsize,
    last_block_ms: AtomicU64,
    last_turn_ms: AtomicU64,
}

impl Pulse {
    /// Of a thread that begins now with so many inputs.
    pub(crate) fn starting(inputs: usize) -> Self {
        Self {
            began: Instant::now(),
            inputs,
            working: AtomicUsize::new(inputs),
            last_block_ms: AtomicU64::new(0),
            last_turn_ms: AtomicU64::new(0),
        }
    }

    /// The thread has turned, and `working` inputs give blocks.
    pub(crate) fn beat(&self, working: usize) {
        let now_ms = self.began.elapsed().as_millis() as u64;
        self.working.store(working, Relaxed);
        self.last_turn_ms.store(now_ms, Relaxed);
        if working > 0 {
            self.last_block_ms.store(now_ms, Relaxed);
        }
    }

    /// Whether the thread turns, whatever its inputs give.
    pub(crate) fn turns(&self) -> bool {
        self.turns_at(Instant::now())
    }

    fn turns_at(&self, now: Instant) -> bool {
        let last_turn = self.began + Duration::from_millis(self.last_turn_ms.load(Relaxed));
        now.saturating_duration_since(last_turn) < STUCK_AFTER
    }

    pub(crate) fn is_regular(&self) -> bool {
        self.is_regular_at(Instant::now())
    }

    fn is_regular_at(&self, now: Instant) -> bool {
        let last_block = self.began + Duration::from_millis(self.last_block_ms.load(Relaxed));
        self.inputs == 0
            || self.working.load(Relaxed) == self.inputs
                && now.saturating_duration_since(last_block) < SILENT_AFTER
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_box_is_well_with_no_input_or_with_all_of_them() {
        assert!(Pulse::starting(0).is_regular());
        let pulse = Pulse::starting(2);
        assert!(pulse.is_regular(), "it has only just begun");
        pulse.beat(2);
        assert!(pulse.is_regular());
        pulse.beat(1);
        assert!(!pulse.is_regular(), "one of two inputs has failed");
    }

    #[test]
    fn a_thread_turns_though_no_input_gives_anything() {
        let pulse = Pulse::starting(2);
        pulse.beat(0);
        assert!(pulse.turns() && !pulse.is_regular());
        assert!(!pulse.turns_at(Instant::now() + Duration::from_secs(6)), "it hangs");
    }

    #[test]
    fn a_unit_that_gives_nothing_for_two_seconds_is_silent() {
        let pulse = Pulse::starting(1);
        pulse.beat(1);
        let later = |seconds| Instant::now() + Duration::from_secs(seconds);
        assert!(pulse.is_regular_at(later(1)));
        assert!(!pulse.is_regular_at(later(3)));
    }
}
