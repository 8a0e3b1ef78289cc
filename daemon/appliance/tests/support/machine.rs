//! A machine whose clocks are a test's own: they run with the test machine's, and move as they are told.

#![allow(dead_code, reason = "each test binary uses its own part")]

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use hookline_appliance::{LeapState, Machine, Reading, Tune};

/// The test machine's own clock: microseconds of UTC since 1970.
pub fn true_us() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_micros() as i64
}

/// Clones are the same machine.
#[derive(Clone)]
pub struct FakeMachine(Arc<Mutex<Inside>>);

struct Inside {
    begun: Instant,
    /// The clock, when the oscillator stood there.
    at: Reading,
    frequency_ppm: f64,
    told: Told,
    rtc_us: Option<i64>,
    refuses: bool,
}

/// What the machine was told, oldest first.
#[derive(Clone, Default)]
pub struct Told {
    pub set_us: Vec<i64>,
    pub steps_us: Vec<i64>,
    pub tuned: Option<Tune>,
    pub rtc_us: Vec<i64>,
}

impl FakeMachine {
    /// Its clock is off by so much.
    pub fn off_by(off_us: i64) -> Self {
        let at = Reading { utc_us: true_us() + off_us, raw_us: 0 };
        let (begun, told) = (Instant::now(), Told::default());
        Self(Arc::new(Mutex::new(Inside {
            begun,
            at,
            frequency_ppm: 0.0,
            told,
            rtc_us: None,
            refuses: false,
        })))
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn told(&self) -> Told {
        self.lock().told.clone()
    }

    /// Its clock less true time.
    pub fn error_us(&self) -> i64 {
        self.reading().utc_us - true_us()
    }

    /// From now on it lets nobody touch its clock.
    pub fn refuse(&self, refuses: bool) {
        self.lock().refuses = refuses;
    }

    /// It has a real-time clock, which stands there.
    pub fn set_rtc(&self, utc_us: i64) {
        self.lock().rtc_us = Some(utc_us);
    }

    /// Somebody else moves its clock.
    pub fn disturb(&self, by_us: i64) {
        self.lock().at.utc_us += by_us;
    }
}

impl Inside {
    fn reading(&self) -> Reading {
        let raw_us = self.begun.elapsed().as_micros() as i64;
        let passed_us = (raw_us - self.at.raw_us) as f64;
        let utc_us = self.at.utc_us + (passed_us * (1.0 + self.frequency_ppm * 1e-6)) as i64;
        Reading { utc_us, raw_us }
    }

    fn may(&self) -> io::Result<()> {
        if self.refuses { Err(io::ErrorKind::PermissionDenied.into()) } else { Ok(()) }
    }
}

impl Machine for FakeMachine {
    fn reading(&self) -> Reading {
        self.lock().reading()
    }

    fn set(&self, utc_us: i64) -> io::Result<()> {
        let mut inside = self.lock();
        inside.may()?;
        inside.at = Reading { utc_us, ..inside.reading() };
        inside.told.set_us.push(utc_us);
        Ok(())
    }

    fn step(&self, by_us: i64) -> io::Result<()> {
        let mut inside = self.lock();
        inside.may()?;
        inside.at.utc_us += by_us;
        inside.told.steps_us.push(by_us);
        Ok(())
    }

    fn tune(&self, tune: &Tune) -> io::Result<()> {
        let mut inside = self.lock();
        inside.may()?;
        inside.at = inside.reading();
        inside.frequency_ppm = tune.frequency_ppm;
        inside.told.tuned = Some(*tune);
        Ok(())
    }

    fn leap_state(&self) -> LeapState {
        LeapState::Quiet
    }

    fn read_rtc(&self) -> io::Result<Option<i64>> {
        Ok(self.lock().rtc_us)
    }

    fn write_rtc(&self, utc_us: i64) -> io::Result<()> {
        let mut inside = self.lock();
        inside.may()?;
        if inside.rtc_us.is_some() {
            inside.rtc_us = Some(utc_us);
            inside.told.rtc_us.push(utc_us);
        }
        Ok(())
    }

    fn boot_id(&self) -> String {
        "3f0c".to_owned()
    }
}
