//! A box whose units are played by the test: it fills their feeds at the pace of a real one.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use capture::clock::{Clock, SystemClock};
use capture::{
    BLOCK_SAMPLES, Driver, Feed, LineStatus, LossCause, News, StatusChange, UnitFault, UnitIdentity,
    UnitNews, UnitPlace,
};
use catalog::{AlarmCode, AlarmQuery, AlarmRow, AlarmState, PageRequest, RecordQuery, RecordRow, Scope};
use recording::{Reader, Select};
use station::units::UnitBook;
use station::{Station, StationConfig, Tuning, UnitSettings};

/// Alarms of what passes clear so long after it was told last.
pub const LOSS_STANDS: Duration = Duration::from_secs(2);

type Started = Arc<Mutex<HashMap<String, (Feed, News, u16)>>>;

pub struct Box {
    folder: tempfile::TempDir,
    started: Started,
}

impl Box {
    /// Units by name, first port, and lines.
    pub fn new(units: &[(&str, u16, u16)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let settings = folder.path().join("data/settings");
        std::fs::create_dir_all(&settings).expect("a folder");
        let book = UnitBook::load(settings.join("units.toml")).expect("a book");
        let units = units.iter().map(|(name, port, lines)| Self::settings(name, *port, *lines)).collect();
        book.change(units).expect("units are set");
        Self { folder, started: Arc::default() }
    }

    pub fn settings(name: &str, first_port: u16, lines: u16) -> UnitSettings {
        let place = UnitPlace::LineTap { serial: format!("serial of {name}") };
        UnitSettings { name: name.into(), place, first_port, lines, two_track: false }
    }

    pub fn start(&self) -> Station {
        let started = self.started.clone();
        let tuning = Tuning {
            round: Duration::from_millis(100),
            loss_stands: LOSS_STANDS,
            start_driver: Arc::new(move |unit, feed, news| {
                let lines = unit.lines;
                started.lock().expect("no panic").insert(unit.name.clone(), (feed, news, lines));
                Driver::start("played", |_| {})
            }),
            ..Tuning::default()
        };
        let config = StationConfig {
            data: self.folder.path().join("data"),
            scenario: None,
            appliance: PathBuf::from("/nonexistent"),
        };
        Station::start_tuned(&config, tuning).expect("started")
    }

    pub fn unit(&self, name: &str) -> Unit {
        let (feed, news, lines) =
            self.started.lock().expect("no panic").remove(name).expect("a driver was started");
        let given = vec![Vec::new(); lines.into()];
        Unit { feed, news, given, due: Instant::now(), random: fastrand::Rng::with_seed(3) }
    }
}

pub struct Unit {
    feed: Feed,
    news: News,
    given: Vec<Vec<i16>>,
    due: Instant,
    random: fastrand::Rng,
}

fn now_us() -> i64 {
    SystemClock.now().monotonic_us
}

impl Unit {
    pub fn present(&mut self) {
        let identity = UnitIdentity {
            model: "played".into(),
            serial: None,
            firmware: None,
            lines: self.given.len() as u16,
            has_volts: true,
        };
        self.news.send(UnitNews::Present(identity)).expect("somebody listens");
        self.feed.resume(now_us());
        self.due = Instant::now();
        self.given.iter_mut().for_each(Vec::clear);
    }

    pub fn pulled_out(&mut self) {
        let fault = UnitFault { code: "unplugged", sentence: "It was pulled out: plug it in.".into() };
        self.news.send(UnitNews::Absent(fault)).expect("somebody listens");
    }

    pub fn complains(&mut self, code: &'static str) {
        let fault = UnitFault { code, sentence: "Something about it is not right.".into() };
        self.news.send(UnitNews::Defect(fault)).expect("somebody listens");
    }

    pub fn lose(&mut self, samples: u64) {
        self.feed.lose(samples);
        self.due += Duration::from_micros(samples * 125);
        self.news.send(UnitNews::Lost { samples, cause: LossCause::Packet }).expect("somebody listens");
    }

    /// Noise on every line, whose voltage is as `volts` says.
    pub fn play(&mut self, length: Duration, volts: impl Fn(u16) -> f32) {
        for _ in 0..length.as_millis() / 10 {
            self.due += Duration::from_millis(10);
            std::thread::sleep(self.due.saturating_duration_since(Instant::now()));
            let (given, random) = (&mut self.given, &mut self.random);
            let pushed = self.feed.push(now_us(), |first, samples, status| {
                for (line, track) in samples.chunks_exact_mut(BLOCK_SAMPLES).enumerate() {
                    track.fill_with(|| signal::g711::alaw_to_linear(random.u8(..)) / 16);
                    track.iter_mut().for_each(|sample| *sample = as_kept(*sample));
                    given[line].extend_from_slice(track);
                    let measured = LineStatus { volts: volts(line as u16), ring_volts: 0.0 };
                    status.push(StatusChange { channel: line as u16, at: first, status: measured });
                }
            });
            assert!(pushed, "the station keeps up");
        }
    }

    /// What was given on a line since the unit came.
    pub fn given(&self, line: u16) -> &[i16] {
        &self.given[usize::from(line)]
    }
}

/// A sample that A-law keeps to the bit.
fn as_kept(sample: i16) -> i16 {
    signal::g711::alaw_to_linear(signal::g711::linear_to_alaw(sample))
}

/// All recordings, once there are so many, in the order of their numbers.
#[track_caller]
pub fn recordings(station: &Station, count: usize) -> Vec<RecordRow> {
    let mut rows = Vec::new();
    wait_until(&format!("there are {count} recordings"), || {
        rows.clear();
        assert!(station.catalog().wait_until_current(Duration::from_secs(10)));
        let mut each = |row| {
            rows.push(row);
            ControlFlow::Continue(())
        };
        let everything = Scope::everything();
        station.catalog().each_record(&everything, &RecordQuery::default(), &mut each).expect("listed");
        rows.len() >= count
    });
    assert_eq!(rows.len(), count);
    rows.sort_by_key(|row| row.id.sequence);
    rows
}

/// The samples of a recording.
pub fn voices(station: &Station, row: &RecordRow) -> Vec<i16> {
    let file = station.data_dir().path().join(row.file.as_ref().expect("audio"));
    let reader = Reader::open(file).expect("a recording");
    let mut samples = vec![0; reader.samples() as usize];
    assert_eq!(reader.read(Select::Track(0), 0, &mut samples).expect("read"), samples.len());
    samples
}

pub fn alarms(station: &Station, code: AlarmCode, state: AlarmState) -> Vec<AlarmRow> {
    let query = AlarmQuery { state, codes: [code.name().to_owned()].into(), ..AlarmQuery::default() };
    let page = station.catalog().alarms(&Scope::everything(), &query, PageRequest::default());
    page.map_or_else(|_| Vec::new(), |page| page.items)
}

#[track_caller]
pub fn wait_until(what: &str, mut is: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(15);
    while !is() {
        assert!(Instant::now() < until, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
