//! Samples to wall clock, and wall clock to the box's zone.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use capture::clock::{Anchor, Clock, boot_id};
use chrono::{DateTime, Offset, SecondsFormat, TimeZone};
use chrono_tz::{TZ_VARIANTS, Tz};
use line::CallKey;
use recording::{ClockQuality, Instant};
use signal::SampleIndex;

/// The box's clock and its zone.
#[derive(Clone)]
pub struct Timekeeper {
    clock: Arc<dyn Clock>,
    /// Place of the zone in `TZ_VARIANTS`, shared by all clones: a change of it waits for nobody, least of all the
    /// sample path.
    zone: Arc<AtomicUsize>,
    boot_id: Arc<str>,
    /// Sample 0 of the running input.
    anchor: Anchor,
}

fn place_of(zone: Tz) -> usize {
    TZ_VARIANTS.iter().position(|one| *one == zone).unwrap_or(usize::MAX)
}

/// When it began, by the anchor's clock, and where.
pub fn call_id(anchor: &Anchor, call: CallKey) -> String {
    format!("{:x}-{}", anchor.moment_of(call.at).utc_us, call.port)
}

impl Timekeeper {
    /// Sample 0 is now.
    pub fn starting_now(clock: Arc<dyn Clock>, zone: Tz) -> Self {
        let moment = clock.now();
        let zone = Arc::new(AtomicUsize::new(place_of(zone)));
        Self { clock, zone, boot_id: boot_id().into(), anchor: Anchor { at: SampleIndex(0), moment } }
    }

    /// When sample `at` was taken. The monotonic time follows from the count of samples; the wall clock is read now and
    /// taken back by the monotonic time since, so that a step of it moves nothing that lies on the line.
    pub fn instant(&self, at: SampleIndex) -> Instant {
        let now = self.clock.now();
        let monotonic_us = self.anchor.moment_of(at).monotonic_us;
        let utc_us = now.utc_us - (now.monotonic_us - monotonic_us);
        Instant {
            utc_us,
            offset_s: self.offset_s(utc_us),
            boot_id: self.boot_id.to_string(),
            monotonic_us,
            quality: self.quality(),
        }
    }

    /// Names a call for ever. By the clock as it was at sample 0, so that a call keeps its name.
    pub fn call_id(&self, call: CallKey) -> String {
        call_id(&self.anchor, call)
    }

    pub fn now_us(&self) -> i64 {
        self.clock.now().utc_us
    }

    pub fn zone(&self) -> Tz {
        TZ_VARIANTS.get(self.zone.load(Relaxed)).copied().unwrap_or(Tz::UTC)
    }

    /// The box's zone is another one from now on; what was written stays as it is.
    pub fn set_zone(&self, zone: Tz) {
        self.zone.store(place_of(zone), Relaxed);
    }

    pub fn quality(&self) -> ClockQuality {
        if self.clock.is_synchronised() { ClockQuality::Synchronised } else { ClockQuality::Unchecked }
    }

    /// RFC 3339 with the box's offset and milliseconds.
    pub fn text(&self, utc_us: i64) -> String {
        match DateTime::from_timestamp_micros(utc_us) {
            Some(utc) => utc.with_timezone(&self.zone()).to_rfc3339_opts(SecondsFormat::Millis, false),
            None => String::new(),
        }
    }

    /// Weekday (1 Monday … 7 Sunday) and minute of the day, now, in the box's zone.
    pub fn weekday_and_minute(&self) -> (u8, u16) {
        use chrono::{Datelike, Timelike};
        let Some(utc) = DateTime::from_timestamp_micros(self.now_us()) else { return (1, 0) };
        let local = utc.with_timezone(&self.zone());
        (local.weekday().number_from_monday() as u8, (local.hour() * 60 + local.minute()) as u16)
    }

    fn offset_s(&self, utc_us: i64) -> i32 {
        DateTime::from_timestamp_micros(utc_us)
            .map_or(0, |utc| self.zone().offset_from_utc_datetime(&utc.naive_utc()).fix().local_minus_utc())
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

    #[test]
    fn times_are_written_in_the_boxs_zone() {
        let clock = Arc::new(FakeClock(Mutex::new(Moment { utc_us: 0, monotonic_us: 0 })));
        let keeper = Timekeeper::starting_now(clock, Tz::Asia__Shanghai);
        assert_eq!(keeper.text(1_772_323_200_123_456), "2026-03-01T08:00:00.123+08:00");
        assert_eq!(keeper.weekday_and_minute(), (4, 8 * 60));
        let elsewhere = keeper.clone();
        keeper.set_zone(Tz::Asia__Urumqi);
        assert_eq!(elsewhere.text(1_772_323_200_123_456), "2026-03-01T06:00:00.123+06:00");
    }
}
