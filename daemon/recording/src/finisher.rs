//! The thread that makes records of ended calls: claim a sequence number in the capture log, write the file, name it,
//! enter it into the journal, and say in the log that it is done. Each recording is tried until it succeeds, one at a
//! time, so that sequence numbers have no hole. Trying again, now or after a power cut, begins by looking how far the
//! last try came: see `README.md`, "From an ended call to a record".

use std::io;
use std::os::unix::fs::FileExt;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use signal::RATE_HZ;

use crate::capture_log::Place;
use crate::damaged;
use crate::data_dir::recording_path;
use crate::durable;
use crate::facts::{Codec, Facts, Mark, MarkKind};
use crate::frame::{Frame, MAX_PAYLOAD_BYTES};
use crate::health::{Health, Source, kind_of};
use crate::log_scan::Backlog;
use crate::names;
use crate::opens::{Claim, Open, Piece, Run, What};
use crate::peaks;
use crate::queue::{Item, Queue};
use crate::reader::Reader;
use crate::recover::{self, Recovered};
use crate::reserve::Reserve;
use crate::sink::{DiskTrouble, Finished, FinishedSink, GapCause, SinkError};
use crate::steps::{Step, Steps};
use crate::wav::ReadError;
use crate::writer::{Form, Writer};

const RETRY: Duration = Duration::from_secs(1);
/// Less room than this is a full disk, whatever the error that was met said.
const FULL_BELOW_BYTES: u64 = 1 << 20;

pub(crate) struct Finisher {
    pub data: PathBuf,
    pub serial: String,
    pub queue: Arc<Queue>,
    pub sink: Arc<dyn FinishedSink>,
    pub health: Arc<Health>,
    pub reserve: Reserve,
    pub power_safe: bool,
    pub steps: Steps,
    pub jobs: Receiver<Open>,
    /// What a former run left in the log.
    pub backlog: Backlog,
    pub recovered: Arc<OnceLock<Recovered>>,
}

/// The step at which a try failed.
#[derive(Debug, thiserror::Error)]
enum FinishError {
    #[error("the recorder is closing")]
    Closing,
    #[error("looking at {}: {source}", path.display())]
    LookBack { path: PathBuf, source: io::Error },
    #[error("moving away {}: {source}", path.display())]
    MoveAway { path: PathBuf, source: io::Error },
    #[error("writing {}: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("entering record {sequence} into the journal: {source}")]
    Journal { sequence: u64, source: SinkError },
}

impl FinishError {
    fn trouble(&self) -> DiskTrouble {
        match self {
            Self::LookBack { source, .. } | Self::MoveAway { source, .. } | Self::Write { source, .. } => {
                kind_of(source)
            }
            Self::Journal { source, .. } => {
                source.downcast_ref::<io::Error>().map_or(DiskTrouble::Unwritable, kind_of)
            }
            Self::Closing => DiskTrouble::Unwritable,
        }
    }
}

impl Finisher {
    pub fn run(self) {
        self.hold_reserve();
        let left = self.read_backlog();
        for mut open in left.into_iter().chain(&self.jobs) {
            if !self.until_done(&mut open) {
                break;
            }
            self.queue.push(Item::Done { number: open.number });
        }
        self.queue.close();
    }

    /// Gives the recordings of a former run that have to be finished.
    fn read_backlog(&self) -> Vec<Open> {
        let opens = recover::read(&self.backlog);
        let strays = opens.strays();
        let (to_finish, done) = recover::sort_out(opens, self.sink.next_sequence());
        let both = to_finish.iter().chain(&done);
        let finishing = both.map(|open| (open.number, open.first_generation)).collect();
        self.queue.push(Item::BacklogRead { finishing });
        for Open { number, .. } in &done {
            self.queue.push(Item::Done { number: *number });
        }
        let recovered = Recovered { to_finish: to_finish.len(), already_finished: done.len(), strays };
        // Only this thread sets it, once.
        let _ = self.recovered.set(recovered);
        self.sink.recovered(recovered);
        to_finish
    }

    /// False: given up, as the recorder closes; the log keeps the recording for the next start.
    fn until_done(&self, open: &mut Open) -> bool {
        loop {
            match self.finish(open) {
                Ok(()) => {
                    // In this order: a reserve that is missing is a full disk still.
                    self.hold_reserve();
                    self.health.ends(Source::Files);
                    return true;
                }
                Err(FinishError::Closing) => return false,
                Err(error) => {
                    let free = durable::free_space(&self.data).map_or(u64::MAX, |space| space.free_bytes);
                    let full = free < FULL_BELOW_BYTES || error.trouble() == DiskTrouble::Full;
                    let trouble = if full { DiskTrouble::Full } else { error.trouble() };
                    self.health.begins(Source::Files, trouble, &error.to_string());
                    let released = full && self.reserve.release().unwrap_or(false);
                    if !released && !self.health.pause(RETRY) {
                        return false;
                    }
                }
            }
        }
    }

    fn hold_reserve(&self) {
        match self.reserve.hold() {
            Ok(()) => self.health.ends(Source::Reserve),
            Err(error) => {
                self.health.write_failed(Source::Reserve, &error, "keeping room back for open calls")
            }
        }
    }

    fn finish(&self, open: &mut Open) -> Result<(), FinishError> {
        if self.adopt(open)? {
            return Ok(());
        }
        let runs = open.runs();
        let samples = runs.iter().map(Run::samples).sum();
        let sequence = self.sink.next_sequence();
        let mut facts = open.facts(&self.serial, sequence, samples);
        let path = (samples > 0).then(|| names::recording(&facts.start, facts.port, sequence));
        self.claim(open, Claim { sequence, path: path.clone() })?;
        if let Some(path) = path {
            let written = self.write(open, &runs, &mut facts, &self.data.join(&path));
            let source = |source| FinishError::Write { path: self.data.join(&path), source };
            if let Some(bytes) = written.map_err(source)? {
                return self.journal(open, facts, Some(path), bytes);
            }
            facts = open.facts(&self.serial, sequence, 0);
        }
        self.journal(open, facts, None, 0)
    }

    /// Looks for the file of an earlier try. True: it is whole, and in the journal now.
    fn adopt(&self, open: &Open) -> Result<bool, FinishError> {
        for claim in open.claims.iter().rev() {
            let Some((relative, path)) = claim
                .path
                .as_deref()
                .and_then(|relative| Some((relative, recording_path(&self.data, relative)?)))
            else {
                continue;
            };
            let look_back = |source| FinishError::LookBack { path: path.clone(), source };
            durable::remove_if_there(&durable::temporary_name(&path)).map_err(look_back)?;
            let next = self.sink.next_sequence();
            if claim.sequence < next || !path.exists() {
                continue;
            }
            if claim.sequence > next {
                // The journal has lost its end. All of the recording is in the log still: it is made again.
                self.move_away(&path, &format!("its number is not the journal's next, {next}"))?;
                continue;
            }
            let whole = Reader::open(&path).and_then(|reader| reader.verify_audio().map(|()| reader));
            match whole {
                Ok(reader) if is_of(reader.facts(), open, claim.sequence, &self.serial) => {
                    let bytes = std::fs::metadata(&path).map_err(look_back)?.len();
                    self.journal(open, reader.facts().clone(), Some(relative.into()), bytes)?;
                    return Ok(true);
                }
                Ok(_) => self.move_away(&path, "it is another record than the one its name was kept for")?,
                Err(ReadError::Io { source, .. }) if source.kind() != io::ErrorKind::UnexpectedEof => {
                    return Err(look_back(source));
                }
                Err(error) => self.move_away(&path, &error.to_string())?,
            }
        }
        Ok(false)
    }

    fn move_away(&self, path: &Path, reason: &str) -> Result<(), FinishError> {
        damaged::move_away(&self.data, path, reason)
            .map(|_| ())
            .map_err(|source| FinishError::MoveAway { path: path.into(), source })
    }

    /// Writes into the log which record this recording becomes, and waits until that is durable.
    fn claim(&self, open: &mut Open, claim: Claim) -> Result<(), FinishError> {
        if open.claims.last() == Some(&claim) {
            return Ok(());
        }
        const LOOK: Duration = Duration::from_millis(100);
        let (durable, answer) = sync_channel(1);
        let Claim { sequence, path } = claim.clone();
        self.queue.push(Item::Claim { number: open.number, sequence, path, durable });
        loop {
            match answer.recv_timeout(LOOK) {
                Ok(()) => break,
                Err(_) if self.health.abandoned() => return Err(FinishError::Closing),
                Err(std::sync::mpsc::RecvTimeoutError::Timeout) => {}
                Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => return Err(FinishError::Closing),
            }
        }
        open.claims.push(claim);
        Ok(())
    }

    /// Writes the file and gives its size. `None`: the log gave nothing of its audio back, and there is no file.
    fn write(&self, open: &Open, runs: &[Run], facts: &mut Facts, path: &Path) -> io::Result<Option<u64>> {
        let (What::Audio(start), Some(frame)) = (&open.what, open.frame_bytes()) else { return Ok(None) };
        let form =
            Form { codec: start.codec, tracks: start.tracks, rate_hz: RATE_HZ, samples: facts.samples };
        let mut writer = Writer::create(path, form, self.power_safe, &self.steps)?;
        let mut waveform = peaks::Builder::new(start.codec, start.tracks);
        let mut log = LogReader { number: open.number, frame, codec: start.codec, bytes: Vec::new() };
        let (mut at, mut damaged, mut good) = (0, 0, 0);
        for run in runs {
            let mut missing = match *run {
                Run::Missing { samples } => samples,
                Run::Kept { piece, skip, samples } => match log.kept(&open.pieces[piece], skip, samples) {
                    Some(kept) => {
                        writer.write(kept)?;
                        waveform.add(kept);
                        good += u64::from(samples);
                        0
                    }
                    None => {
                        damaged += u64::from(samples);
                        u64::from(samples)
                    }
                },
            };
            if missing > 0 {
                add_gap(&mut facts.marks, at, missing);
            }
            while missing > 0 {
                let samples = missing.min((MAX_PAYLOAD_BYTES / frame) as u64);
                let silence = log.silence(samples as usize);
                writer.write(silence)?;
                waveform.add(silence);
                missing -= samples;
            }
            at += run.samples();
        }
        if damaged > 0 {
            self.queue.lose(start.port, damaged, GapCause::Damaged);
        }
        if good == 0 {
            return Ok(None);
        }
        facts.marks.sort_by_key(|mark| mark.sample);
        let bytes = writer.finish(facts)?;
        // Only a convenience: what could not be kept is made again when somebody looks at the recording.
        let _ = waveform.finish().write_beside(path);
        self.steps.reached(Step::PeaksWritten)?;
        Ok(Some(bytes))
    }

    fn journal(
        &self,
        open: &Open,
        facts: Facts,
        path: Option<String>,
        bytes: u64,
    ) -> Result<(), FinishError> {
        let sequence = facts.id.sequence;
        let record = Finished { facts, path, bytes, recovered: open.recovered };
        // The sink is the station's own: that it fails must not end this thread, and with it all finishing.
        let kept = std::panic::catch_unwind(AssertUnwindSafe(|| self.sink.finished(&record)));
        kept.unwrap_or_else(|_| Err("the journal panicked".into()))
            .map_err(|source| FinishError::Journal { sequence, source })?;
        let reached = self.steps.reached(Step::InJournal);
        reached.map_err(|source| FinishError::Journal { sequence, source: source.into() })
    }
}

fn is_of(facts: &Facts, open: &Open, sequence: u64, serial: &str) -> bool {
    let wanted = open.facts(serial, sequence, facts.samples);
    facts.id == wanted.id
        && facts.call_id == wanted.call_id
        && facts.segment == wanted.segment
        && facts.port == wanted.port
        && facts.start == wanted.start
}

fn add_gap(marks: &mut Vec<Mark>, at: u64, missing: u64) {
    if let Some(Mark { sample, kind: MarkKind::Gap { samples } }) = marks.last_mut()
        && *sample + *samples == at
    {
        *samples += missing;
    } else {
        marks.push(Mark { sample: at, kind: MarkKind::Gap { samples: missing } });
    }
}

/// Reads audio back from the capture log, and checks that it is what was written.
struct LogReader {
    number: u64,
    frame: usize,
    codec: Codec,
    bytes: Vec<u8>,
}

impl LogReader {
    fn kept(&mut self, piece: &Piece, skip: u32, samples: u32) -> Option<&[u8]> {
        let Piece { first, samples: all, place: Place { segment, offset } } = piece;
        self.bytes.resize(Frame::bytes(*all as usize * self.frame), 0);
        segment.file.read_exact_at(&mut self.bytes, u64::from(*offset)).ok()?;
        let frame = Frame::parse(&self.bytes)?;
        let right =
            frame.generation == segment.generation && frame.number == self.number && frame.position == *first;
        let from = skip as usize * self.frame;
        frame.payload.get(from..from + samples as usize * self.frame).filter(|_| right)
    }

    fn silence(&mut self, samples: usize) -> &[u8] {
        self.bytes.resize(samples * self.frame, 0);
        self.codec.silence(&mut self.bytes);
        &self.bytes
    }
}
