//! The box's wall clock, and the zone in which people read it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use capture::clock::{Clock, Moment};
use chrono::{DateTime, Datelike, Offset, SecondsFormat, TimeZone, Timelike};
use chrono_tz::{TZ_VARIANTS, Tz};
use recording::ClockQuality;

/// Clones share clock and zone.
#[derive(Clone)]
pub struct BoxClock {
    clock: Arc<dyn Clock>,
    /// Place of the zone in `TZ_VARIANTS`: a change of it waits for nobody, least of all the sample path.
    zone: Arc<AtomicUsize>,
}

fn place_of(zone: Tz) -> usize {
    TZ_VARIANTS.iter().position(|one| *one == zone).unwrap_or(usize::MAX)
}

/// The zone of that IANA name; the system's without one, and UTC where that says none either.
pub fn zone_named(name: Option<&str>) -> Tz {
    let system = || iana_time_zone::get_timezone().ok();
    name.map(str::to_owned).or_else(system).and_then(|name| name.parse().ok()).unwrap_or(Tz::UTC)
}

impl BoxClock {
    pub fn new(clock: Arc<dyn Clock>, zone: Tz) -> Self {
        Self { clock, zone: Arc::new(AtomicUsize::new(place_of(zone))) }
    }

    pub fn now(&self) -> Moment {
        self.clock.now()
    }

    /// Microseconds of UTC since 1970.
    pub fn now_us(&self) -> i64 {
        self.now().utc_us
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
        let Some(utc) = DateTime::from_timestamp_micros(self.now_us()) else { return (1, 0) };
        let local = utc.with_timezone(&self.zone());
        (local.weekday().number_from_monday() as u8, (local.hour() * 60 + local.minute()) as u16)
    }

    /// Seconds east of UTC at that moment.
    pub fn offset_s(&self, utc_us: i64) -> i32 {
        DateTime::from_timestamp_micros(utc_us)
            .map_or(0, |utc| self.zone().offset_from_utc_datetime(&utc.naive_utc()).fix().local_minus_utc())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Stopped;

    impl Clock for Stopped {
        fn now(&self) -> Moment {
            Moment { utc_us: 0, monotonic_us: 0 }
        }

        fn is_synchronised(&self) -> bool {
            true
        }
    }

    #[test]
    fn times_are_written_in_the_boxs_zone() {
        let clock = BoxClock::new(Arc::new(Stopped), Tz::Asia__Shanghai);
        assert_eq!(clock.text(1_772_323_200_123_456), "2026-03-01T08:00:00.123+08:00");
        assert_eq!(clock.weekday_and_minute(), (4, 8 * 60));
        let elsewhere = clock.clone();
        clock.set_zone(Tz::Asia__Urumqi);
        assert_eq!(elsewhere.text(1_772_323_200_123_456), "2026-03-01T06:00:00.123+06:00");
        assert_eq!(elsewhere.offset_s(0), 6 * 3600);
    }
}
