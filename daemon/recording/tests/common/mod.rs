//! A journal in a file, as simple as can be, and audio that says where it belongs; for tests of the whole room as a
//! process of its own.
#![allow(dead_code)] // Each test takes what it needs.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

use hookline_recording as recording;
use line::{CallType, StartMode, StopMode};
use recording::check::Journalled;
use recording::{
    ClockQuality, Codec, DiskTrouble, Facts, Finished, FinishedSink, Gap, Instant, Known, OpenId, OpenStart,
    Recorder, SinkError, StopFacts,
};
use signal::{SampleIndex, g711};

pub const SERIAL: &str = "HKLN-00000000000001";
pub const BLOCK: u64 = 80;

/// One line a record, synced. A line that was cut off is no record.
pub struct Journal {
    path: PathBuf,
    records: Mutex<Vec<(Facts, Option<String>)>>,
    pub troubles: Mutex<Vec<DiskTrouble>>,
    pub gaps: Mutex<Vec<Gap>>,
    pub ok: Mutex<usize>,
}

impl Journal {
    pub fn open(data: &Path) -> Self {
        let path = data.join("journal/records");
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let whole = text.rfind('\n').map_or("", |end| &text[..=end]);
        std::fs::write(&path, whole).expect("the journal can be written");
        let records =
            whole.lines().map(|line| serde_json::from_str(line).expect("a record a line")).collect();
        let (troubles, gaps, ok) = Default::default();
        Self { path, records: Mutex::new(records), troubles, gaps, ok }
    }

    pub fn records(&self) -> MutexGuard<'_, Vec<(Facts, Option<String>)>> {
        self.records.lock().expect("nothing panics under this lock")
    }

    pub fn journalled(&self) -> Vec<Journalled> {
        let records = self.records().clone().into_iter();
        records.map(|(facts, path)| Journalled { facts, path, deleted: false }).collect()
    }
}

impl FinishedSink for Journal {
    fn next_sequence(&self) -> u64 {
        self.records().len() as u64 + 1
    }

    fn finished(&self, record: &Finished) -> Result<(), SinkError> {
        let line = (record.facts.clone(), record.path.clone());
        let mut text = serde_json::to_vec(&line)?;
        text.push(b'\n');
        let mut records = self.records();
        let mut file = std::fs::OpenOptions::new().append(true).create(true).open(&self.path)?;
        let before = file.metadata()?.len();
        if let Err(error) = file.write_all(&text).and_then(|()| file.sync_data()) {
            file.set_len(before)?;
            return Err(error.into());
        }
        records.push(line);
        Ok(())
    }

    fn gap(&self, gap: Gap) {
        self.gaps.lock().expect("no panic").push(gap);
    }

    fn disk_trouble(&self, trouble: DiskTrouble, _detail: &str) {
        self.troubles.lock().expect("no panic").push(trouble);
    }

    fn disk_ok(&self) {
        *self.ok.lock().expect("no panic") += 1;
    }
}

/// What port `port` hears at position `at`.
pub fn sample(port: u16, at: u64) -> i16 {
    (500 + (at * 13 + u64::from(port) * 1009) % 30_000) as i16
}

/// The same after A-law and back.
pub fn kept(port: u16, at: u64) -> i16 {
    g711::alaw_to_linear(g711::linear_to_alaw(sample(port, at)))
}

pub fn block(port: u16, first: u64) -> [i16; BLOCK as usize] {
    std::array::from_fn(|index| sample(port, first + index as u64))
}

/// Begins a call whose name says port and first sample: `7-1600`.
pub fn begin(recorder: &Recorder, port: u16, first: u64) -> OpenId {
    let us = first as i64 * 125;
    recorder.begin(OpenStart {
        call_id: format!("{port}-{first}"),
        segment: 0,
        port,
        port_name: format!("line {port}"),
        start: Instant {
            utc_us: 1_772_323_200_000_000 + us,
            offset_s: 28_800,
            boot_id: "b".into(),
            monotonic_us: us,
            quality: ClockQuality::Synchronised,
        },
        first_sample: SampleIndex(first),
        pre_roll_samples: 0,
        tracks: 1,
        codec: Codec::ALaw,
        start_mode: StartMode::Voltage,
        known: Known::default(),
    })
}

pub fn stop(end: u64) -> StopFacts {
    let known = Known { call_type: CallType::OutgoingAnswered, ..Known::default() };
    StopFacts { end: SampleIndex(end), stop_mode: StopMode::OnHook, known }
}

/// Port and first sample of a call.
pub fn call_of(facts: &Facts) -> (u16, u64) {
    let (port, first) = facts.call_id.split_once('-').expect("a name from `begin`");
    (port.parse().expect("a port"), first.parse().expect("a sample"))
}
