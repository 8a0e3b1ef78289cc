//! A journal that lies in the data folder (so that a copy of the folder is a whole box at a moment), calls to record,
//! and copies of folders.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use line::{CallType, StartMode, StopMode};
use signal::SampleIndex;

use crate::check::Journalled;
use crate::facts::{ClockQuality, Codec, Facts, Instant};
use crate::open::{Known, OpenId, OpenStart, StopFacts, WithoutAudio};
use crate::recorder::{Recorder, Service, Settings, Tuning, start_tuned};
use crate::sink::{DiskTrouble, Finished, FinishedSink, Gap, SinkError};

pub const SERIAL: &str = "HKLN-00000000000001";

/// Keeps records as lines of a file, and remembers what it was told.
pub struct Journal {
    path: PathBuf,
    lines: Mutex<Vec<(Facts, Option<String>)>>,
    pub told: Mutex<Told>,
}

#[derive(Default)]
pub struct Told {
    pub gaps: Vec<Gap>,
    pub troubles: Vec<DiskTrouble>,
    pub ok: usize,
    pub recovered: usize,
    /// As many calls of `finished` fail.
    pub refuse: usize,
}

impl Journal {
    pub fn open(data: &Path) -> Arc<Self> {
        let path = data.join("journal/records");
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let lines = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        Arc::new(Self { path, lines: Mutex::new(lines), told: Mutex::default() })
    }

    pub fn records(&self) -> Vec<(Facts, Option<String>)> {
        self.lines.lock().unwrap().clone()
    }

    pub fn journalled(&self) -> Vec<Journalled> {
        let records = self.records().into_iter();
        records.map(|(facts, path)| Journalled { facts, path, deleted: false }).collect()
    }

    pub fn wait_for(&self, records: usize) {
        for _ in 0..2000 {
            if self.records().len() >= records {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("only {} of {records} records", self.records().len());
    }
}

impl FinishedSink for Journal {
    fn next_sequence(&self) -> u64 {
        self.lines.lock().unwrap().len() as u64 + 1
    }

    fn finished(&self, record: &Finished) -> Result<(), SinkError> {
        let mut told = self.told.lock().unwrap();
        if told.refuse > 0 {
            told.refuse -= 1;
            return Err("refused".into());
        }
        let mut lines = self.lines.lock().unwrap();
        assert_eq!(record.facts.id.sequence, lines.len() as u64 + 1, "sequence without a hole");
        assert_eq!(record.path.is_some(), record.facts.samples > 0);
        let line = (record.facts.clone(), record.path.clone());
        let mut file = std::fs::OpenOptions::new().append(true).create(true).open(&self.path)?;
        writeln!(file, "{}", serde_json::to_string(&line)?)?;
        told.recovered += usize::from(record.recovered);
        lines.push(line);
        Ok(())
    }

    fn gap(&self, gap: Gap) {
        self.told.lock().unwrap().gaps.push(gap);
    }

    fn disk_trouble(&self, trouble: DiskTrouble, _detail: &str) {
        self.told.lock().unwrap().troubles.push(trouble);
    }

    fn disk_ok(&self) {
        self.told.lock().unwrap().ok += 1;
    }
}

pub fn settings(ports: usize) -> Settings {
    Settings::analog(SERIAL, ports)
}

/// Small and quick: segments of 256 KiB, a sync every 20 ms.
pub fn tuning() -> Tuning {
    Tuning {
        segment_bytes: 256 << 10,
        reserve_bytes: 64 << 10,
        period: Duration::from_millis(20),
        ..Tuning::default()
    }
}

/// A data folder with the subfolders that `DataDir` makes.
pub fn data_folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    drop(crate::DataDir::open(folder.path()).unwrap());
    folder
}

pub fn run(data: &Path, tuning: Tuning) -> (Recorder, Service, Arc<Journal>) {
    let journal = Journal::open(data);
    let (recorder, service) = start_tuned(data, settings(4), journal.clone(), tuning).unwrap();
    (recorder, service, journal)
}

pub fn close(service: Service) {
    assert!(service.close(Duration::from_secs(30)), "closed in time");
}

pub fn at(seconds: i64) -> Instant {
    Instant {
        utc_us: 1_772_323_200_000_000 + seconds * 1_000_000,
        offset_s: 8 * 3600,
        boot_id: "b7f3".into(),
        monotonic_us: seconds * 1_000_000,
        quality: ClockQuality::Synchronised,
    }
}

pub fn call(name: &str, port: u16, first_sample: u64) -> OpenStart {
    OpenStart {
        call_id: name.into(),
        segment: 0,
        port,
        port_name: format!("line {port}"),
        start: at(first_sample as i64 / 8000),
        first_sample: SampleIndex(first_sample),
        pre_roll_samples: 0,
        tracks: 1,
        codec: Codec::Linear,
        start_mode: StartMode::Voltage,
        known: Known::default(),
    }
}

pub fn stop(end: u64) -> StopFacts {
    let known = Known {
        call_type: CallType::IncomingAnswered,
        peer_number: Some("13800".into()),
        ..Known::default()
    };
    StopFacts { end: SampleIndex(end), stop_mode: StopMode::OnHook, known }
}

pub fn missed(name: &str, port: u16) -> WithoutAudio {
    WithoutAudio {
        call_id: name.into(),
        segment: 0,
        port,
        port_name: format!("line {port}"),
        start: at(7),
        start_mode: StartMode::Voltage,
        stop_mode: StopMode::OnHook,
        known: Known { call_type: CallType::IncomingMissed, ..Known::default() },
        withheld: false,
    }
}

/// A sample that says where it stands and whose it is; never 0, so that silence is told apart.
pub fn sample(port: u16, at: u64) -> i16 {
    (1 + (at * 7 + u64::from(port) * 1009) % 30_000) as i16
}

pub fn samples(port: u16, from: u64, count: u64) -> Vec<i16> {
    (from..from + count).map(|at| sample(port, at)).collect()
}

/// Gives blocks of 80 samples.
pub fn speak(recorder: &Recorder, open: OpenId, port: u16, from: u64, to: u64) {
    let mut first = from;
    while first < to {
        let block = samples(port, first, (to - first).min(80));
        recorder.audio(open, SampleIndex(first), &[&block]);
        first += block.len() as u64;
    }
}

pub fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &target);
        } else if let Err(error) = std::fs::copy(entry.path(), target) {
            // A temporary file may be gone by now.
            assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
        }
    }
}

/// All files below a folder, as paths from there.
pub fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap().flatten() {
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            } else {
                found.push(entry.path().strip_prefix(folder).unwrap().to_str().unwrap().to_string());
            }
        }
    }
    found.sort();
    found
}
