//! Samples to wall clock, and wall clock to the box's zone.

use std::sync::Arc;

use capture::UnitClock;
use capture::clock::{Anchor, Clock, Moment, boot_id};
use chrono_tz::Tz;
use line::CallKey;
use recording::{ClockQuality, Instant};
use signal::SampleIndex;
use upkeep::BoxClock;

/// The box's clock, and where the running input stands on it.
#[derive(Clone)]
pub struct Timekeeper {
    clock: BoxClock,
    boot_id: Arc<str>,
    /// Sample 0 of the running input.
    anchor: Anchor,
    /// How the unit of these samples counts; `None` where they are counted by the box's own clock.
    unit: Option<Arc<UnitClock>>,
}

/// When it began, by the anchor's clock, and where.
pub fn call_id(anchor: &Anchor, call: CallKey) -> String {
    format!("{:x}-{}", anchor.moment_of(call.at).utc_us, call.port)
}

impl Timekeeper {
    /// Sample 0 is now.
    pub fn starting_now(clock: Arc<dyn Clock>, zone: Tz) -> Self {
        let moment = clock.now();
        let clock = BoxClock::new(clock, zone);
        Self { clock, boot_id: boot_id().into(), anchor: Anchor { at: SampleIndex(0), moment }, unit: None }
    }

    /// The same, for the samples of a unit that has a clock of its own.
    pub fn of_unit(&self, clock: Arc<UnitClock>) -> Self {
        Self { unit: Some(clock), ..self.clone() }
    }

    /// When sample 0 was, by the monotonic clock, in microseconds.
    pub fn origin_us(&self) -> i64 {
        self.anchor.moment.monotonic_us
    }

    /// When sample `at` was taken. The monotonic time follows from the count of samples and, for a unit with a clock of its
    /// own, from how that runs now; the wall clock is read now and
    /// taken back by the monotonic time since, so that a step of it moves nothing that lies on the line.
    pub fn instant(&self, at: SampleIndex) -> Instant {
        let now = self.clock.now();
        let correction_us = self.unit.as_ref().map_or(0, |unit| unit.correction_us());
        let monotonic_us = self.anchor.moment_of(at).monotonic_us + correction_us;
        let utc_us = now.utc_us - (now.monotonic_us - monotonic_us);
        Instant {
            utc_us,
            offset_s: self.clock.offset_s(utc_us),
            boot_id: self.boot_id.to_string(),
            monotonic_us,
            quality: self.quality(),
        }
    }

    /// Names a call for ever. By the clock as it was at sample 0, so that a call keeps its name.
    pub fn call_id(&self, call: CallKey) -> String {
        call_id(&self.anchor, call)
    }

    /// Wall clock and monotonic clock, now.
    pub fn moment(&self) -> Moment {
        self.clock.now()
    }

    pub fn now_us(&self) -> i64 {
        self.clock.now_us()
    }

    pub fn zone(&self) -> Tz {
        self.clock.zone()
    }

    /// The box's zone is another one from now on; what was written stays as it is.
    pub fn set_zone(&self, zone: Tz) {
        self.clock.set_zone(zone);
    }

    pub fn quality(&self) -> ClockQuality {
        self.clock.quality()
    }

    /// RFC 3339 with the box's offset and milliseconds.
    pub fn text(&self, utc_us: i64) -> String {
        self.clock.text(utc_us)
    }

    /// Weekday (1 Monday … 7 Sunday) and minute of the day, now, in the box's zone.
    pub fn weekday_and_minute(&self) -> (u8, u16) {
        self.clock.weekday_and_minute()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use capture::clock::Moment;
    use std::sync::Mutex;

    struct FakeClock(Mutex<Moment>);

    impl Clock for FakeClock {
        fn now(&self) -> Moment {
            *self.0.lock().expect("no panic holds it")
        }

        fn is_synchronised(&self) -> bool {
            true
        }
    }

    #[test]
    fn a_step_of_the_clock_does_not_move_what_lies_on_the_line() {
        let clock =
            Arc::new(FakeClock(Mutex::new(Moment { utc_us: 1_000_000_000, monotonic_us: 50_000_000 })));
        let keeper = Timekeeper::starting_now(clock.clone(), Tz::Asia__Shanghai);
        let later = |utc_us, monotonic_us| {
            *clock.0.lock().expect("no panic holds it") = Moment { utc_us, monotonic_us }
        };

        later(1_010_000_000, 60_000_000);
        let instant = keeper.instant(SampleIndex(40_000));
        assert_eq!(
            (instant.utc_us, instant.monotonic_us, instant.offset_s),
            (1_005_000_000, 55_000_000, 8 * 3600)
        );

        // An hour's step: the same sample is told by the new clock, and its monotonic time stays.
        later(1_010_000_000 + 3_600_000_000, 60_000_000);
        let stepped = keeper.instant(SampleIndex(40_000));
        assert_eq!((stepped.utc_us, stepped.monotonic_us), (4_605_000_000, 55_000_000));
    }
}
