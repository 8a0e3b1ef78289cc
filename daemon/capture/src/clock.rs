//! The wall clock, attached to samples here and nowhere else. A sample's time is worked out backwards from now by the
//! monotonic clock, so that a step of the wall clock moves no recording that is open.

use std::time::{SystemTime, UNIX_EPOCH};

use signal::{RATE_HZ, SampleIndex};

/// A moment by both clocks, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Since 1970, UTC.
    pub utc_us: i64,
    /// Since the box was started.
    pub monotonic_us: i64,
}

/// Where moments come from: the box's clock, a scenario's start, or a test.
pub trait Clock: Send + Sync {
    fn now(&self) -> Moment;

    /// Whether something keeps it in step with true time.
    fn is_synchronised(&self) -> bool;
}

/// The box's own clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Moment {
        let utc_us = match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => since.as_micros() as i64,
            Err(before) => -(before.duration().as_micros() as i64),
        };
        Moment { utc_us, monotonic_us: monotonic_us() }
    }

    /// What the kernel says (`adjtimex(2)`, `STA_UNSYNC`).
    fn is_synchronised(&self) -> bool {
        // SAFETY: an all-zero `timex` is a valid value that asks for nothing to be changed, and the kernel only fills it
        // in.
        let (state, status) = unsafe {
            let mut timex: libc::timex = std::mem::zeroed();
            (libc::adjtimex(&mut timex), timex.status)
        };
        state >= 0 && status & libc::STA_UNSYNC == 0
    }
}

/// The box's monotonic clock, in microseconds since its start; it runs on while the box sleeps (`CLOCK_BOOTTIME`).
pub fn monotonic_us() -> i64 {
    use nix::time::{ClockId, clock_gettime};
    clock_gettime(ClockId::CLOCK_BOOTTIME).map_or(0, |t| t.tv_sec() * 1_000_000 + t.tv_nsec() / 1000)
}

/// The kernel's name of this boot, or nothing where there is no Linux `/proc`.
pub fn boot_id() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .map_or_else(|_| String::new(), |id| id.trim().to_owned())
}

/// Ties a unit's samples to the clock: sample `at` was taken at `moment`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Anchor {
    pub at: SampleIndex,
    pub moment: Moment,
}

impl Anchor {
    /// When sample `at` was taken, by the rate of 8000 Hz from the anchor, before or behind it.
    pub fn moment_of(&self, at: SampleIndex) -> Moment {
        let samples = i128::from(at.0) - i128::from(self.at.0);
        let us = (samples * 1_000_000 / i128::from(RATE_HZ)) as i64;
        Moment { utc_us: self.moment.utc_us + us, monotonic_us: self.moment.monotonic_us + us }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_before_the_anchor_lies_before_it_on_both_clocks() {
        let anchor =
            Anchor { at: SampleIndex(16_000), moment: Moment { utc_us: 5_000_000, monotonic_us: 7_000_000 } };
        assert_eq!(anchor.moment_of(SampleIndex(0)), Moment { utc_us: 3_000_000, monotonic_us: 5_000_000 });
        assert_eq!(
            anchor.moment_of(SampleIndex(16_001)),
            Moment { utc_us: 5_000_125, monotonic_us: 7_000_125 }
        );
    }
}
