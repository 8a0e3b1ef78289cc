//! A scenario through the same path as live input, as fast as it goes: the product's test bench and benchmark.

use std::collections::HashMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use capture::clock::{Anchor, Clock, Moment, SystemClock};
use capture::{Scenario, ScenarioError};
use catalog::Catalog;
use line::{CallKey, LineEvent, LineEventKind};
use recording::{ClockQuality, DataDir, Instant, Recorder, Service};
use signal::{LANES, RATE_HZ, SampleIndex};

use crate::archive::Archive;
use crate::care::Notice;
use crate::events::{Kept, to_json};
use crate::group::Member;
use crate::identity;
use crate::play::{play, players};
use crate::timekeeper;

/// What `hookline replay` was asked for.
#[derive(Clone, Debug)]
pub struct ReplayOptions {
    pub scenario: PathBuf,
    pub out: PathBuf,
    /// Worker threads, at least 1.
    pub threads: usize,
    /// `events.jsonl` only.
    pub no_write: bool,
    /// Caller-ID detection on at all times.
    pub caller_id_always: bool,
}

/// What a replay did.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ReplaySummary {
    pub ports: usize,
    /// Of the longest port.
    pub seconds: f64,
    /// Audio read, over all ports.
    pub channel_seconds: f64,
    pub recordings: usize,
    pub gaps: usize,
}

#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    #[error("{scenario}, port {port}: {reason}")]
    Setting { scenario: String, port: u16, reason: String },
    #[error(transparent)]
    DataDir(#[from] recording::DataDirError),
    #[error(transparent)]
    Identity(#[from] identity::IdentityError),
    #[error(transparent)]
    Catalog(#[from] catalog::Error),
    #[error(transparent)]
    Recorder(#[from] recording::StartError),
    #[error("not every recording could be made into a file: the disk is full or does not answer")]
    Unfinished,
    #[error("the replay met an error in this program and was given up; what it printed above tells where")]
    Panicked,
    #[error("{path}: the events cannot be written: {source}")]
    Events { path: PathBuf, source: std::io::Error },
}

impl ReplayError {
    /// The request was right: this machine, or this program, failed at it.
    pub fn is_failure(&self) -> bool {
        matches!(self, Self::Unfinished | Self::Panicked)
    }
}

/// A disk that is full or hangs does not hold a replay for ever.
const FINISH_WITHIN: Duration = Duration::from_secs(300);

/// Runs the scenario to its end.
///
/// # Errors
/// Bad input, or a folder that cannot be written, in one sentence.
pub fn run(options: &ReplayOptions) -> Result<ReplaySummary, ReplayError> {
    let scenario = Scenario::load(&options.scenario)?;
    let members = members(&scenario)?;
    let storage = if options.no_write { None } else { Some(Storage::open(&options.out, &members)?) };
    let recorder = storage.as_ref().map(|storage| storage.recorder.clone());
    let epoch = Epoch::of(&scenario);
    let players = players(&scenario, members, options.caller_id_always, &epoch, recorder.as_ref())?;
    let events = play(players, options.threads.max(1), recorder.as_ref())?;
    let (files, gaps) = match storage {
        Some(storage) => storage.close()?,
        None => Default::default(),
    };
    let recordings = write_events(&options.out, &scenario, &epoch, events, &files)?;
    let samples = scenario.channels.iter().map(|channel| channel.audio.samples);
    Ok(ReplaySummary {
        ports: scenario.channels.len(),
        seconds: SampleIndex(samples.clone().max().unwrap_or(0)).seconds(),
        channel_seconds: samples.sum::<u64>() as f64 / f64::from(RATE_HZ),
        recordings,
        gaps,
    })
}

/// Channels of a scenario as groups take them, settings checked.
pub(crate) fn members(scenario: &Scenario) -> Result<Vec<Member>, ReplayError> {
    scenario
        .channels
        .iter()
        .enumerate()
        .map(|(index, channel)| {
            let wrong = |reason: String| ReplayError::Setting {
                scenario: scenario.file.display().to_string(),
                port: channel.port,
                reason,
            };
            let settings: line::ChannelSettings = toml::Value::Table(channel.settings.clone())
                .try_into()
                .map_err(|error: toml::de::Error| wrong(error.message().replace('\n', " ")))?;
            line::Line::new(channel.port, settings.clone()).map_err(|error| wrong(error.to_string()))?;
            Ok(Member {
                index,
                port: channel.port,
                name: channel.name.clone().unwrap_or_default(),
                line_number: channel.line_number.clone(),
                tracks: channel.audio.layout.tracks(),
                codec: recording::Codec::ALaw,
                settings,
                port_use: line::PortUse::Recorded,
                end: Some(SampleIndex(channel.audio.samples)),
            })
        })
        .collect()
}

/// Ranges of consecutive members whose tracks fit side by side into a group.
pub(crate) fn group_ranges(members: &[Member]) -> Vec<std::ops::Range<usize>> {
    let mut ranges: Vec<std::ops::Range<usize>> = Vec::new();
    let mut tracks = 0;
    for (index, member) in members.iter().enumerate() {
        match ranges.last_mut() {
            Some(range) if tracks + member.tracks <= LANES => {
                range.end = index + 1;
                tracks += member.tracks;
            }
            _ => {
                ranges.push(index..index + 1);
                tracks = member.tracks;
            }
        }
    }
    ranges
}

/// Sample 0 on the wall clock.
#[derive(Clone, Debug)]
pub(crate) struct Epoch {
    anchor: Anchor,
    offset_s: i32,
    boot_id: String,
}

impl Epoch {
    pub(crate) fn of(scenario: &Scenario) -> Self {
        let now = SystemClock.now();
        let (utc_us, offset_s) = match scenario.start {
            Some(start) => (start.timestamp_micros(), start.offset().local_minus_utc()),
            None => (now.utc_us, chrono::Local::now().offset().local_minus_utc()),
        };
        let moment = Moment { utc_us, monotonic_us: now.monotonic_us };
        Self { anchor: Anchor { at: SampleIndex(0), moment }, offset_s, boot_id: capture::clock::boot_id() }
    }

    pub(crate) fn instant(&self, at: SampleIndex) -> Instant {
        let moment = self.anchor.moment_of(at);
        Instant {
            utc_us: moment.utc_us,
            offset_s: self.offset_s,
            boot_id: self.boot_id.clone(),
            monotonic_us: moment.monotonic_us,
            quality: ClockQuality::Scenario,
        }
    }

    pub(crate) fn call_id(&self, call: CallKey) -> String {
        timekeeper::call_id(&self.anchor, call)
    }
}

/// Paths of recordings by call and segment.
type Files = HashMap<(String, u32), String>;

/// Journal, catalog and recorder of the replay's own data folder.
struct Storage {
    recorder: Recorder,
    service: Service,
    gaps: Arc<AtomicUsize>,
    _data: DataDir,
    files: Arc<Mutex<Files>>,
}

impl Storage {
    fn open(out: &Path, members: &[Member]) -> Result<Self, ReplayError> {
        let data = DataDir::open(out)?;
        let serial = identity::serial(&data, identity::Role::Station)?;
        let (catalog, _) = Catalog::open(data.path(), catalog::Options::new(serial.as_str()))?;
        let files: Arc<Mutex<Files>> = Arc::default();
        let finished = Arc::clone(&files);
        let gaps: Arc<AtomicUsize> = Arc::default();
        let gaps_told = Arc::clone(&gaps);
        let archive = Arc::new(Archive::new(
            catalog,
            Box::new(|_| None),
            Box::new(move |record| {
                if let Some(path) = &record.path {
                    let key = (record.facts.call_id.clone(), record.facts.segment);
                    finished.lock().unwrap_or_else(PoisonError::into_inner).insert(key, path.clone());
                }
            }),
            Box::new(move |notice| {
                // Nobody watches a replay: what is lost is counted, and what fails ends it.
                gaps_told.fetch_add(usize::from(matches!(notice, Notice::Lost(..))), SeqCst);
            }),
        ));
        let settings = recording::Settings {
            serial,
            ports: members.iter().map(|m| (m.codec, m.tracks as u16)).collect(),
            power_safe: false,
        };
        let (recorder, service) = recording::start(&data, settings, archive)?;
        Ok(Self { recorder, service, gaps, _data: data, files })
    }

    /// Waits until every recording is a file. Returns the files by call and segment, and the number of gaps.
    fn close(self) -> Result<(Files, usize), ReplayError> {
        if !self.service.close(FINISH_WITHIN) {
            return Err(ReplayError::Unfinished);
        }
        let files = std::mem::take(&mut *self.files.lock().unwrap_or_else(PoisonError::into_inner));
        Ok((files, self.gaps.load(SeqCst)))
    }
}

/// Writes `events.jsonl`. Returns the number of recordings.
fn write_events(
    out: &Path,
    scenario: &Scenario,
    epoch: &Epoch,
    mut events: Vec<(usize, LineEvent)>,
    files: &Files,
) -> Result<usize, ReplayError> {
    let path = out.join("events.jsonl");
    let failed = |source| ReplayError::Events { path: path.clone(), source };
    std::fs::create_dir_all(out).map_err(failed)?;
    let mut file = std::io::BufWriter::new(std::fs::File::create(&path).map_err(failed)?);
    // Stable: what a port said at one sample stays in the order in which it said it.
    events.sort_by_key(|(index, event)| (event.at, *index));
    let mut recordings = 0;
    for (index, event) in &events {
        let mut kept = Kept::default();
        if let LineEventKind::RecordStop(stop) = &event.kind {
            recordings += usize::from(!stop.withheld);
            kept.file = files.get(&(epoch.call_id(stop.call), stop.segment)).cloned();
        }
        if let Some(json) = to_json(scenario.channels[*index].port, event, |call| epoch.call_id(call), &kept)
        {
            writeln!(file, "{json}").map_err(failed)?;
        }
    }
    file.flush().map_err(failed)?;
    Ok(recordings)
}
