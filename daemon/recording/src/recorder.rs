//! The recorder: what the capture path sees of it, how it is set up, started and closed.

use std::io;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use signal::{RATE_HZ, SampleIndex};

use crate::capture_log::{CaptureLog, Sizes};
use crate::data_dir::{CAPTURE_LOG, DataDir};
use crate::facts::{Codec, MarkKind};
use crate::finisher::Finisher;
use crate::health::Health;
use crate::log_scan;
use crate::log_thread::{BACKLOG, LogThread, PERIOD};
use crate::open::{Known, OpenId, OpenStart, StopFacts, WithoutAudio};
use crate::opens::Opens;
use crate::queue::{QUEUE_SECONDS, Queue, chunks_per_port};
use crate::recover::Recovered;
use crate::reserve::Reserve;
use crate::sink::FinishedSink;
use crate::steps::Steps;
use crate::watcher::Watcher;

/// The capture path's handle. Every call copies into memory and comes back: none waits for a disk.
///
/// Of one recording the calls come in order: `begin`, then `audio`, `mark` and `know`, then `end`. Different
/// recordings may be driven from different threads.
#[derive(Clone)]
pub struct Recorder {
    queue: Arc<Queue>,
    health: Arc<Health>,
}

/// How full the queue is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct QueueLoad {
    /// 0.0 empty … 1.0 full: the next block is lost.
    pub filled: f32,
}

/// How the recorder is set up.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The box's serial number, part of every record's name.
    pub serial: String,
    /// For each port: its codec and its number of tracks. Sizes the queue and the log's reserve.
    pub ports: Vec<(Codec, u16)>,
    /// False: nothing is synced, and a power cut may take everything. For replays only.
    pub power_safe: bool,
}

impl Settings {
    /// `ports` analog ports of one A-law track each, safe against power cuts.
    pub fn analog(serial: impl Into<String>, ports: usize) -> Self {
        Self { serial: serial.into(), ports: vec![(Codec::ALaw, 1); ports], power_safe: true }
    }
}

/// What only tests choose otherwise.
#[derive(Clone)]
pub(crate) struct Tuning {
    pub segment_bytes: u64,
    pub reserve_bytes: u64,
    pub period: Duration,
    /// Buffers in the queue, instead of as many as the ports need.
    pub chunks: Option<usize>,
    pub steps: Steps,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            segment_bytes: 8 << 20,
            reserve_bytes: 64 << 20,
            period: PERIOD,
            chunks: None,
            steps: Steps::default(),
        }
    }
}

/// Why the recorder cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("cannot read the capture log in {}: {source}", path.display())]
    ReadLog { path: PathBuf, source: io::Error },
    #[error("cannot start a thread of the recorder: {0}")]
    Thread(io::Error),
}

/// The recorder's threads. Dropped without `close`, they go on until the process ends.
pub struct Service {
    queue: Arc<Queue>,
    health: Arc<Health>,
    threads: Vec<JoinHandle<()>>,
    stop_watching: Arc<AtomicBool>,
    recovered: Arc<OnceLock<Recovered>>,
}

/// Starts the recorder on a data folder. Calls that were open when it last stopped are finished first, while new ones
/// are already being recorded; `sink` is told of each.
pub fn start(
    data: &DataDir,
    settings: Settings,
    sink: Arc<dyn FinishedSink>,
) -> Result<(Recorder, Service), StartError> {
    start_tuned(data.path(), settings, sink, Tuning::default())
}

pub(crate) fn start_tuned(
    data: &Path,
    settings: Settings,
    sink: Arc<dyn FinishedSink>,
    tuning: Tuning,
) -> Result<(Recorder, Service), StartError> {
    let folder = data.join(CAPTURE_LOG);
    let (found, backlog) =
        log_scan::find(&folder).map_err(|source| StartError::ReadLog { path: folder.clone(), source })?;

    let chunks =
        settings.ports.iter().map(|&(codec, tracks)| chunks_per_port(codec, usize::from(tracks))).sum();
    let chunks = tuning.chunks.unwrap_or(chunks).max(1);
    // Above every number that any run before gave: each that wrote anything has raised the generation.
    let first_number = found.next_generation.saturating_mul(1 << 32);
    let queue = Arc::new(Queue::new(chunks, settings.ports.len(), first_number));
    let finishing = backlog.first_generation().map(|generation| (BACKLOG, generation)).into_iter().collect();
    let recovered = Arc::new(OnceLock::new());
    let (jobs, receiver) = channel();

    let sizes =
        Sizes { segment_bytes: tuning.segment_bytes, spare_segments: spare_segments(&settings, &tuning) };
    let log = CaptureLog::new(folder.clone(), sizes, settings.power_safe, tuning.steps.clone(), found);
    let health = Arc::new(Health::new());
    let stop_watching = Arc::new(AtomicBool::new(false));
    let log_thread = LogThread {
        queue: queue.clone(),
        log,
        opens: Opens::default(),
        finishing,
        finisher: Some(jobs),
        health: health.clone(),
        period: tuning.period,
        told_generation: 0,
    };
    let finisher = Finisher {
        data: data.into(),
        serial: settings.serial,
        queue: queue.clone(),
        sink: sink.clone(),
        health: health.clone(),
        reserve: Reserve::new(&folder, tuning.reserve_bytes),
        power_safe: settings.power_safe,
        steps: tuning.steps,
        jobs: receiver,
        backlog,
        recovered: recovered.clone(),
    };
    let watcher = Watcher {
        queue: queue.clone(),
        health: health.clone(),
        sink,
        stop: stop_watching.clone(),
        live: settings.power_safe,
    };
    // The watcher stands last: `close` lets it see the others end.
    let threads = vec![
        spawn("capture-log", move || log_thread.run())?,
        spawn("finisher", move || finisher.run())?,
        spawn("recording-watch", move || watcher.run())?,
    ];
    let recorder = Recorder { queue: queue.clone(), health: health.clone() };
    Ok((recorder, Service { queue, health, threads, stop_watching, recovered }))
}

/// A thread whose panic ends the process: a recorder that goes on without one of them would look well and keep nothing.
/// Started again, it finds everything in the log.
fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, StartError> {
    let guarded = move || {
        if std::panic::catch_unwind(AssertUnwindSafe(run)).is_err() {
            std::process::abort();
        }
    };
    thread::Builder::new().name(name.into()).spawn(guarded).map_err(StartError::Thread)
}

/// As many segments as hold what the queue can hold.
fn spare_segments(settings: &Settings, tuning: &Tuning) -> usize {
    let bytes_a_second: u64 = settings
        .ports
        .iter()
        .map(|&(codec, tracks)| u64::from(RATE_HZ) * u64::from(tracks) * codec.sample_bytes() as u64)
        .sum();
    let spare = (bytes_a_second * QUEUE_SECONDS as u64).div_ceil(tuning.segment_bytes.max(1));
    usize::try_from(spare).unwrap_or(usize::MAX).max(2)
}

impl Service {
    /// What a former run left in the capture log; `None` as long as it is being read.
    pub fn recovered(&self) -> Option<Recovered> {
        self.recovered.get().copied()
    }

    /// Writes and finishes everything that was ended, and stops. A recording that was not ended stays in the log, and
    /// is finished at the next start as cut by power loss; so is what could not be finished within `patience`.
    /// True: everything was finished.
    pub fn close(self, patience: Duration) -> bool {
        const LOOK: Duration = Duration::from_millis(5);
        self.queue.stop();
        let until = Instant::now().checked_add(patience);
        let (watcher, workers) = match self.threads.split_last() {
            Some((watcher, workers)) => (Some(watcher), workers),
            None => (None, &[][..]),
        };
        let mut in_time = true;
        while !workers.iter().all(JoinHandle::is_finished) {
            if until.is_some_and(|until| Instant::now() >= until) {
                in_time = false;
                self.health.abandon();
                // A thread that hangs in the kernel must not keep the process from ending.
                break;
            }
            thread::sleep(LOOK);
        }
        self.stop_watching.store(true, Ordering::Relaxed);
        if let Some(watcher) = watcher {
            watcher.thread().unpark();
        }
        if in_time {
            for thread in self.threads {
                in_time &= thread.join().is_ok();
            }
        }
        in_time
    }
}

impl Recorder {
    /// Opens a recording. Its audio must follow from `start.first_sample` on; blocks that reach before it are cut.
    pub fn begin(&self, start: OpenStart) -> OpenId {
        self.queue.begin(start)
    }

    /// Adds linear samples, one slice a track, all of one length, the first at position `first_sample` of the unit's
    /// input. What was given before is skipped; a jump forward is a gap: it is filled with silence, marked and told.
    pub fn audio(&self, open: OpenId, first_sample: SampleIndex, tracks: &[&[i16]]) {
        self.queue.audio(open, first_sample, tracks);
    }

    /// Notes something heard or seen at sample `at` of the unit's input. The recorder adds its gaps itself.
    pub fn mark(&self, open: OpenId, at: SampleIndex, kind: MarkKind) {
        self.queue.mark(open, at, kind);
    }

    /// Notes what is known of the call by now, for the case that the power is cut before `end`.
    pub fn know(&self, open: OpenId, known: Known) {
        self.queue.know(open, known);
    }

    /// Ends a recording at `stop.end`, which may lie before what was already given. Without any audio before it, a
    /// record without audio is made.
    pub fn end(&self, open: OpenId, stop: StopFacts) {
        self.queue.end(open, stop);
    }

    /// Throws an open recording away (a do-not-record rule): no file and no record is made of it, also after a power cut.
    pub fn discard(&self, open: OpenId) {
        self.queue.discard(open);
    }

    /// Keeps the record of a call that left no audio. False: the disk has not taken anything for so long that even
    /// these no longer fit; the caller should raise an alarm.
    pub fn record_without_audio(&self, record: WithoutAudio) -> bool {
        self.queue.without_audio(record)
    }

    /// Waits until half of the queue is free. For replays, which are faster than any disk: a live caller never waits.
    pub fn wait_for_room(&self) {
        self.queue.wait_for_room();
    }

    /// How long the write to the capture log that is under way has taken by now. A disk that refuses takes no time at it;
    /// one that hangs does.
    pub fn writing_for(&self) -> Duration {
        self.health.writing_for()
    }

    pub fn load(&self) -> QueueLoad {
        let stats = self.queue.stats();
        QueueLoad { filled: 1.0 - stats.free as f32 / stats.chunks.max(1) as f32 }
    }
}
