//! A station inside the test, which waits milliseconds where a box waits minutes, and what a test sees of its alarms.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use capture::clock::{Clock, Moment, SystemClock};
use catalog::{AlarmCode, AlarmQuery, AlarmRow, AlarmState, PageRequest, Scope};
use station::{Station, StationConfig, Tuning};

use super::{marked_audio, wav_alaw};

/// The box's clock, of which a test says whether it is synchronised.
pub struct TestClock(pub AtomicBool);

impl Clock for TestClock {
    fn now(&self) -> Moment {
        SystemClock.now()
    }

    fn is_synchronised(&self) -> bool {
        self.0.load(Relaxed)
    }
}

/// A box whose folders are gone with the test.
pub struct TestBox {
    pub folder: tempfile::TempDir,
    pub clock: Arc<TestClock>,
}

impl TestBox {
    /// Ports with these volts (rows of `seconds,volts,ring_volts`) and settings, repeated every `seconds`.
    pub fn new(seconds: usize, ports: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("system")).expect("a folder");
        let test_box = Self { folder, clock: Arc::new(TestClock(AtomicBool::new(true))) };
        let scenario = test_box.scenario();
        fs::create_dir(&scenario).expect("a folder");
        let mut toml = "rate = 8000\n\n[[unit]]\nkind = \"analog\"\nname = \"tap-a\"\n".to_owned();
        for (port, (volts, settings)) in (1..).zip(ports) {
            let audio = marked_audio(port, seconds * 8000);
            fs::write(scenario.join(format!("{port}.wav")), wav_alaw(&audio)).expect("written");
            let rows = format!("seconds,volts,ring_volts\n{volts}\n");
            fs::write(scenario.join(format!("{port}.csv")), rows).expect("written");
            toml += &format!(
                "\n[[unit.channel]]\nport = {port}\naudio = \"{port}.wav\"\nvolts = \"{port}.csv\"\n{settings}\n"
            );
        }
        fs::write(scenario.join("scenario.toml"), toml).expect("written");
        test_box
    }

    pub fn scenario(&self) -> PathBuf {
        self.folder.path().join("scenario")
    }

    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// `proc` and `sys` lie below it; empty unless the test fills it.
    pub fn system(&self) -> PathBuf {
        self.folder.path().join("system")
    }

    pub fn settings(&self, toml: &str) {
        fs::create_dir_all(self.data().join("settings")).expect("a folder");
        fs::write(self.data().join("settings/box.toml"), toml).expect("written");
    }

    pub fn tuning(&self) -> Tuning {
        Tuning {
            clock: self.clock.clone(),
            system_root: self.system(),
            round: Duration::from_millis(50),
            lines_settle: Duration::from_millis(500),
            loss_stands: Duration::from_millis(500),
            power_loss_stands: Duration::from_millis(500),
            ..Tuning::default()
        }
    }

    pub fn start(&self) -> Station {
        self.start_tuned(self.tuning())
    }

    pub fn start_tuned(&self, tuning: Tuning) -> Station {
        start_in(&self.data(), &self.scenario(), tuning)
    }
}

pub fn start_in(data: &Path, scenario: &Path, tuning: Tuning) -> Station {
    let appliance = data.join("no-appliance.sock");
    let config = StationConfig { data: data.to_owned(), scenario: Some(scenario.to_owned()), appliance };
    Station::start_tuned(&config, tuning).expect("the station starts")
}

#[track_caller]
pub fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(30);
    while !done() {
        assert!(Instant::now() < until, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Alarms of a code, newest first. A catalog that does not answer now shows none.
pub fn alarms(station: &Station, code: AlarmCode, state: AlarmState) -> Vec<AlarmRow> {
    let codes = [code.name().to_owned()].into();
    let query = AlarmQuery { state, codes, ..AlarmQuery::default() };
    station
        .catalog()
        .alarms(&Scope::everything(), &query, PageRequest::default())
        .map_or_else(|_| Vec::new(), |page| page.items)
}

pub fn stands(station: &Station, code: AlarmCode) -> bool {
    !alarms(station, code, AlarmState::Current).is_empty()
}

pub fn is_history(station: &Station, code: AlarmCode) -> bool {
    !stands(station, code) && !alarms(station, code, AlarmState::History).is_empty()
}

/// Waits until the alarm is raised, and gives it.
#[track_caller]
pub fn raised(station: &Station, code: AlarmCode) -> AlarmRow {
    wait_until(&format!("{} is raised", code.name()), || stands(station, code));
    alarms(station, code, AlarmState::Current).remove(0)
}

/// Waits until the alarm has been raised and is over.
#[track_caller]
pub fn cleared(station: &Station, code: AlarmCode) {
    wait_until(&format!("{} is cleared", code.name()), || is_history(station, code));
}
