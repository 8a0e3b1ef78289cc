//! The machine's clocks, as the kernel has them: read, stepped, tuned (`adjtimex(2)`), and the real-time clock that runs
//! while the box is off. A trait, so that tests run everything but the system calls, on a clock of their own.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;

use chrono::{DateTime, Datelike, NaiveDate, Timelike};
use nix::sys::time::TimeSpec;
use nix::time::{ClockId, clock_gettime, clock_settime};

/// Both clocks at one moment, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The clock that everybody reads: UTC since 1970.
    pub utc_us: i64,
    /// The oscillator since the box was started (`CLOCK_MONOTONIC_RAW`): neither stepped nor tuned.
    pub raw_us: i64,
}

/// What the kernel is told, all at once.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tune {
    /// By how much the clock runs faster than the oscillator; the kernel takes -500 to 500.
    pub frequency_ppm: f64,
    /// Clears `STA_UNSYNC`, by which all programs know, and the kernel that it may write the real-time clock.
    pub synchronised: bool,
    pub leap: Leap,
    pub error_us: i64,
}

/// A second that ends the month in UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Leap {
    #[default]
    None,
    Insert,
    Delete,
}

/// Where the kernel is with a leap second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeapState {
    /// None is near, or one is to come.
    Quiet,
    /// The inserted second runs.
    Within,
    /// It is over, and the kernel has yet to be told that none is to come.
    Over,
}

/// The clocks of a machine.
pub trait Machine: Send + Sync {
    fn reading(&self) -> Reading;

    /// Sets the clock: microseconds of UTC since 1970.
    ///
    /// # Errors
    /// When the system refuses.
    fn set(&self, utc_us: i64) -> io::Result<()>;

    /// Moves the clock by so much, with nothing lost in between.
    ///
    /// # Errors
    /// When the system refuses.
    fn step(&self, by_us: i64) -> io::Result<()>;

    /// # Errors
    /// When the system refuses.
    fn tune(&self, tune: &Tune) -> io::Result<()>;

    /// Where the kernel is with the leap second that it was told of.
    fn leap_state(&self) -> LeapState;

    /// The real-time clock, microseconds of UTC since 1970 in whole seconds; `None`: there is none.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    fn read_rtc(&self) -> io::Result<Option<i64>>;

    /// Where there is none, nothing is done.
    ///
    /// # Errors
    /// When it is there and cannot be set.
    fn write_rtc(&self, utc_us: i64) -> io::Result<()>;

    /// The kernel's name of this run of the machine.
    fn boot_id(&self) -> String;
}

/// The machine that this process runs on.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemMachine;

/// The first real-time clock; systems with several link it to the one they start from.
const RTC: &str = "/dev/rtc0";
/// The kernel counts frequency in 2^-16 ppm.
const PPM: f64 = 65_536.0;

impl Machine for SystemMachine {
    /// The wall clock between two readings of the oscillator: of three tries the one with the shortest time between them.
    fn reading(&self) -> Reading {
        let one = || {
            let before = microseconds(ClockId::CLOCK_MONOTONIC_RAW);
            let utc_us = microseconds(ClockId::CLOCK_REALTIME);
            let after = microseconds(ClockId::CLOCK_MONOTONIC_RAW);
            (after - before, Reading { utc_us, raw_us: before + (after - before) / 2 })
        };
        let tries = [one(), one(), one()];
        tries.into_iter().min_by_key(|(took, _)| *took).map_or_else(|| one().1, |(_, reading)| reading)
    }

    fn set(&self, utc_us: i64) -> io::Result<()> {
        let time =
            TimeSpec::new(utc_us.div_euclid(1_000_000), utc_us.rem_euclid(1_000_000).saturating_mul(1000));
        clock_settime(ClockId::CLOCK_REALTIME, time).map_err(io::Error::from)
    }

    fn step(&self, by_us: i64) -> io::Result<()> {
        let mut timex = empty_timex();
        timex.modes = libc::ADJ_SETOFFSET;
        timex.time.tv_sec = by_us.div_euclid(1_000_000);
        timex.time.tv_usec = by_us.rem_euclid(1_000_000);
        adjust(&mut timex).map(drop)
    }

    fn tune(&self, tune: &Tune) -> io::Result<()> {
        let mut timex = empty_timex();
        timex.modes = libc::ADJ_FREQUENCY | libc::ADJ_STATUS | libc::ADJ_MAXERROR | libc::ADJ_ESTERROR;
        timex.freq = (tune.frequency_ppm * PPM).round() as libc::c_long;
        timex.status = if tune.synchronised { 0 } else { libc::STA_UNSYNC }
            | match tune.leap {
                Leap::None => 0,
                Leap::Insert => libc::STA_INS,
                Leap::Delete => libc::STA_DEL,
            };
        timex.maxerror = tune.error_us;
        timex.esterror = tune.error_us;
        adjust(&mut timex).map(drop)
    }

    fn leap_state(&self) -> LeapState {
        match adjust(&mut empty_timex()) {
            Ok(libc::TIME_OOP) => LeapState::Within,
            Ok(libc::TIME_WAIT) => LeapState::Over,
            _ => LeapState::Quiet,
        }
    }

    fn read_rtc(&self) -> io::Result<Option<i64>> {
        let Some(file) = open_rtc()? else { return Ok(None) };
        let mut time = RtcTime::default();
        // SAFETY: the file is open for as long as the call, and the kernel writes one `RtcTime`.
        unsafe { rtc_rd_time(file.as_raw_fd(), &mut time) }?;
        let utc_us = time.utc_us().ok_or_else(|| io::Error::other("the real-time clock tells no date"))?;
        Ok(Some(utc_us))
    }

    fn write_rtc(&self, utc_us: i64) -> io::Result<()> {
        let Some(file) = open_rtc()? else { return Ok(()) };
        let time = RtcTime::of(utc_us).ok_or(io::ErrorKind::InvalidInput)?;
        // SAFETY: the file is open for as long as the call, and the kernel reads one `RtcTime`.
        unsafe { rtc_set_time(file.as_raw_fd(), &time) }?;
        Ok(())
    }

    fn boot_id(&self) -> String {
        fs::read_to_string("/proc/sys/kernel/random/boot_id")
            .map_or_else(|_| String::new(), |id| id.trim().to_owned())
    }
}

fn microseconds(clock: ClockId) -> i64 {
    clock_gettime(clock).map_or(0, |time| time.tv_sec() * 1_000_000 + time.tv_nsec() / 1000)
}

fn empty_timex() -> libc::timex {
    // SAFETY: an all-zero `timex` is a valid value that asks for nothing to be changed.
    unsafe { std::mem::zeroed() }
}

fn adjust(timex: &mut libc::timex) -> io::Result<libc::c_int> {
    // SAFETY: the kernel reads and writes this one `timex`.
    match unsafe { libc::clock_adjtime(libc::CLOCK_REALTIME, timex) } {
        -1 => Err(io::Error::last_os_error()),
        state => Ok(state),
    }
}

fn open_rtc() -> io::Result<Option<File>> {
    match File::open(RTC) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// `struct rtc_time` of `linux/rtc.h`; the last three are not looked at by the kernel.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct RtcTime {
    second: libc::c_int,
    minute: libc::c_int,
    hour: libc::c_int,
    day: libc::c_int,
    /// From 0.
    month: libc::c_int,
    /// Since 1900.
    year: libc::c_int,
    weekday: libc::c_int,
    day_of_year: libc::c_int,
    daylight_saving: libc::c_int,
}

nix::ioctl_read!(rtc_rd_time, b'p', 0x09, RtcTime);
nix::ioctl_write_ptr!(rtc_set_time, b'p', 0x0a, RtcTime);

impl RtcTime {
    fn of(utc_us: i64) -> Option<Self> {
        let utc = DateTime::from_timestamp_micros(utc_us)?.naive_utc();
        Some(Self {
            second: utc.second() as libc::c_int,
            minute: utc.minute() as libc::c_int,
            hour: utc.hour() as libc::c_int,
            day: utc.day() as libc::c_int,
            month: utc.month0() as libc::c_int,
            year: utc.year() - 1900,
            ..Self::default()
        })
    }

    /// `None`: a clock that has lost its power may hold anything.
    fn utc_us(&self) -> Option<i64> {
        let part = |value: libc::c_int| u32::try_from(value).ok();
        let date = NaiveDate::from_ymd_opt(
            self.year.checked_add(1900)?,
            part(self.month)?.checked_add(1)?,
            part(self.day)?,
        )?;
        let time = date.and_hms_opt(part(self.hour)?, part(self.minute)?, part(self.second)?)?;
        Some(time.and_utc().timestamp_micros())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_real_time_clocks_numbers_are_a_date() {
        let time = RtcTime::of(1_795_435_507_900_000).expect("a date");
        assert_eq!((time.year, time.month, time.day), (126, 10, 23));
        assert_eq!((time.hour, time.minute, time.second), (12, 5, 7));
        assert_eq!(time.utc_us(), Some(1_795_435_507_000_000));
    }

    #[test]
    fn what_a_dead_real_time_clock_holds_is_no_date() {
        let good = RtcTime::of(0).expect("a date");
        assert_eq!(good.utc_us(), Some(0));
        for wrong in [
            RtcTime { day: 0, ..good },
            RtcTime { month: -1, ..good },
            RtcTime { month: 12, ..good },
            RtcTime { hour: 24, ..good },
            RtcTime { second: 165, ..good },
            RtcTime { year: libc::c_int::MAX, ..good },
        ] {
            assert_eq!(wrong.utc_us(), None, "{wrong:?}");
        }
    }

    #[test]
    fn the_machines_own_clocks_can_be_read_by_everybody() {
        let machine = SystemMachine;
        let (first, second) = (machine.reading(), machine.reading());
        assert!(second.raw_us >= first.raw_us && first.raw_us > 0);
        assert!(first.utc_us > 1_577_836_800_000_000, "it is after 2020");
        assert_eq!(machine.leap_state(), LeapState::Quiet);
        assert!(!machine.boot_id().is_empty());
    }
}
