//! The recordings that are in the capture log and not yet in the journal, built up frame by frame: while recording from
//! what has just become durable, after a start from what the log's scan finds. Both ways meet here, so that recovery is
//! no second implementation.

use std::collections::{BTreeMap, HashMap};

use signal::RATE_HZ;

use crate::capture_log::Place;
use crate::facts::{Facts, Mark, MarkKind, RecordId};
use crate::frame::Entry;
use crate::open::{Known, OpenStart, StopFacts, WithoutAudio};
use crate::queue::MAX_AUDIO_BYTES;
use line::StopMode;

/// Audio in one frame of the log.
#[derive(Clone, Debug)]
pub(crate) struct Piece {
    /// Position of the first sample.
    pub first: u64,
    pub samples: u32,
    pub place: Place,
}

/// Which record a recording was about to become.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Claim {
    pub sequence: u64,
    /// `None`: without audio.
    pub path: Option<String>,
}

#[derive(Clone, Debug)]
pub(crate) enum What {
    Audio(Box<OpenStart>),
    WithoutAudio(Box<WithoutAudio>),
}

#[derive(Clone, Debug)]
pub(crate) struct Open {
    pub number: u64,
    /// No segment from this generation on may be recycled.
    pub first_generation: u64,
    pub what: What,
    pub pieces: Vec<Piece>,
    /// Behind the last sample that was heard, or is known to be missing.
    heard_to: u64,
    marks: Vec<(u64, MarkKind)>,
    known: Known,
    pub stop: Option<StopFacts>,
    pub claims: Vec<Claim>,
    /// Found in the log at a start.
    pub recovered: bool,
}

/// A stretch of a recording's audio.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Run {
    /// Samples `skip..skip + samples` of a piece.
    Kept {
        piece: usize,
        skip: u32,
        samples: u32,
    },
    Missing {
        samples: u64,
    },
}

#[derive(Debug, Default)]
pub(crate) struct Opens {
    /// By number, that is in the order in which they were opened.
    open: BTreeMap<u64, Open>,
    /// Which recording last claimed a sequence number.
    claimants: HashMap<u64, u64>,
    /// Frames whose beginning has not been seen: it is damaged, and may be said again later in the log.
    strays: BTreeMap<u64, Vec<(Entry, Place)>>,
}

impl Opens {
    /// Takes in a frame that is durable at `place`.
    pub fn apply(&mut self, number: u64, entry: Entry, place: &Place) {
        match entry {
            Entry::Begin(mut start) => {
                start.tracks = start.tracks.clamp(1, 2);
                let (known, heard_to) = (start.known.clone(), start.first_sample.0);
                self.insert(number, place, What::Audio(start), known, heard_to);
            }
            Entry::WithoutAudio(record) => {
                let known = record.known.clone();
                self.insert(number, place, What::WithoutAudio(record), known, 0);
            }
            Entry::Done => {
                self.open.remove(&number);
                self.strays.remove(&number);
            }
            entry => match self.open.get_mut(&number) {
                Some(open) => {
                    if let Entry::Claim { sequence, .. } = &entry {
                        self.claimants.insert(*sequence, number);
                    }
                    open.apply(entry, place);
                }
                None => self.strays.entry(number).or_default().push((entry, place.clone())),
            },
        }
    }

    /// A recording that is to leave nothing behind.
    pub fn forget(&mut self, number: u64) {
        self.open.remove(&number);
    }

    fn insert(&mut self, number: u64, place: &Place, what: What, known: Known, heard_to: u64) {
        let first_generation = place.segment.generation;
        // A batch that failed half-way is written again: the first of two equal frames counts.
        self.open.entry(number).or_insert_with(|| Open {
            number,
            first_generation,
            what,
            pieces: Vec::new(),
            heard_to,
            marks: Vec::new(),
            known,
            stop: None,
            claims: Vec::new(),
            recovered: false,
        });
        for (entry, place) in self.strays.remove(&number).unwrap_or_default() {
            if let Some(open) = self.open.get_mut(&number) {
                open.first_generation = open.first_generation.min(place.segment.generation);
            }
            self.apply(number, entry, &place);
        }
    }

    /// Recordings of which it cannot be said any more what they are.
    pub fn strays(&self) -> usize {
        let has_audio = |entries: &&Vec<(Entry, Place)>| {
            entries.iter().any(|(entry, _)| matches!(entry, Entry::Audio { .. }))
        };
        self.strays.values().filter(has_audio).count()
    }

    /// What all open recordings began with and what is known of them, to be said again in a new segment.
    pub fn beginnings(&self) -> impl Iterator<Item = (u64, &OpenStart, &Known)> {
        self.open.values().filter_map(|open| match &open.what {
            What::Audio(start) => Some((open.number, &**start, &open.known)),
            What::WithoutAudio(_) => None,
        })
    }

    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Takes out a recording that has ended.
    pub fn take_ended(&mut self, number: u64) -> Option<Open> {
        let ended = |open: &Open| open.stop.is_some() || matches!(open.what, What::WithoutAudio(_));
        if self.open.get(&number).is_some_and(ended) { self.open.remove(&number) } else { None }
    }

    /// Takes out all of them, in the order in which they were opened.
    pub fn take_all(&mut self) -> Vec<Open> {
        let mut all: Vec<Open> = std::mem::take(&mut self.open).into_values().collect();
        all.iter_mut().for_each(|open| open.recovered = true);
        all
    }

    /// The recording that last claimed `sequence`.
    pub fn claimant(&self, sequence: u64) -> Option<u64> {
        self.claimants.get(&sequence).copied()
    }

    /// The oldest generation that an open recording has frames in.
    pub fn first_generation(&self) -> Option<u64> {
        self.open.values().map(|open| open.first_generation).min()
    }
}

impl Open {
    fn apply(&mut self, entry: Entry, place: &Place) {
        match entry {
            Entry::Audio { first, bytes } => {
                let Some(frame) = self.frame_bytes() else { return };
                let samples = bytes / frame as u32;
                self.pieces.push(Piece { first, samples, place: place.clone() });
                self.heard_to = self.heard_to.max(first.saturating_add(u64::from(samples)));
            }
            Entry::Gap { first, samples } => self.heard_to = self.heard_to.max(first.saturating_add(samples)),
            Entry::Mark { at, kind } => {
                if !self.marks.iter().any(|mark| mark.0 == at && mark.1 == kind) {
                    self.marks.push((at, kind));
                }
            }
            Entry::Known(known) => self.known = *known,
            Entry::End(stop) => {
                self.known = stop.known.clone();
                self.stop = Some(*stop);
            }
            Entry::Claim { sequence, path } => self.claims.push(Claim { sequence, path }),
            Entry::Begin(_) | Entry::WithoutAudio(_) | Entry::Done => {}
        }
    }

    /// Bytes of one sample of all tracks; `None` without audio.
    pub fn frame_bytes(&self) -> Option<usize> {
        match &self.what {
            What::Audio(start) => Some(usize::from(start.tracks) * start.codec.sample_bytes()),
            What::WithoutAudio(_) => None,
        }
    }

    pub fn port(&self) -> u16 {
        match &self.what {
            What::Audio(start) => start.port,
            What::WithoutAudio(record) => record.port,
        }
    }

    /// The recording's audio from its first sample to its end. What is missing inside is a run of its own.
    pub fn runs(&mut self) -> Vec<Run> {
        let (What::Audio(start), Some(frame)) = (&self.what, self.frame_bytes()) else { return Vec::new() };
        let first = start.first_sample.0;
        let longest = first.saturating_add(MAX_AUDIO_BYTES / frame as u64);
        let stopped = self.stop.as_ref().map_or(u64::MAX, |stop| stop.end.0);
        let end = self.heard_to.min(stopped).min(longest);
        self.pieces.sort_by_key(|piece| piece.first);
        let mut runs = Vec::new();
        let mut at = first;
        for (index, piece) in self.pieces.iter().enumerate() {
            let (from, to) =
                (piece.first.max(at), piece.first.saturating_add(u64::from(piece.samples)).min(end));
            if from >= to {
                continue;
            }
            if from > at {
                runs.push(Run::Missing { samples: from - at });
            }
            let (skip, samples) = ((from - piece.first) as u32, (to - from) as u32);
            runs.push(Run::Kept { piece: index, skip, samples });
            at = to;
        }
        if at < end {
            runs.push(Run::Missing { samples: end - at });
        }
        if runs.iter().any(|run| matches!(run, Run::Kept { .. })) { runs } else { Vec::new() }
    }

    /// The record's facts for `samples` samples a track; checksum and gaps are added as the audio is written.
    pub fn facts(&self, serial: &str, sequence: u64, samples: u64) -> Facts {
        let stop_mode = self.stop.as_ref().map_or(StopMode::PowerLoss, |stop| stop.stop_mode);
        let Known { call_type, line_number, peer_number, peer_name } = self.known.clone();
        let base = Facts {
            version: 1,
            id: RecordId { serial: serial.into(), sequence },
            call_id: String::new(),
            segment: 0,
            port: self.port(),
            port_name: String::new(),
            start: self.start().clone(),
            rate_hz: RATE_HZ,
            tracks: 1,
            codec: None,
            samples: 0,
            pre_roll_samples: 0,
            start_mode: line::StartMode::Voltage,
            stop_mode,
            call_type,
            line_number,
            peer_number,
            peer_name,
            withheld: false,
            marks: Vec::new(),
            audio_sha256: None,
        };
        match &self.what {
            What::Audio(start) => Facts {
                call_id: start.call_id.clone(),
                segment: start.segment,
                port_name: start.port_name.clone(),
                tracks: start.tracks,
                codec: (samples > 0).then_some(start.codec),
                samples,
                pre_roll_samples: u64::from(start.pre_roll_samples).min(samples) as u32,
                start_mode: start.start_mode,
                marks: self.marks_within(start.first_sample.0, samples),
                ..base
            },
            What::WithoutAudio(record) => Facts {
                call_id: record.call_id.clone(),
                segment: record.segment,
                port_name: record.port_name.clone(),
                start_mode: record.start_mode,
                stop_mode: record.stop_mode,
                withheld: record.withheld,
                ..base
            },
        }
    }

    pub fn start(&self) -> &crate::facts::Instant {
        match &self.what {
            What::Audio(start) => &start.start,
            What::WithoutAudio(record) => &record.start,
        }
    }

    fn marks_within(&self, first: u64, samples: u64) -> Vec<Mark> {
        let marks = self.marks.iter().filter_map(|(at, kind)| {
            let sample = at.checked_sub(first).filter(|&sample| sample < samples)?;
            Some(Mark { sample, kind: kind.clone() })
        });
        marks.collect()
    }
}

impl Run {
    pub fn samples(&self) -> u64 {
        match *self {
            Self::Kept { samples, .. } => u64::from(samples),
            Self::Missing { samples } => samples,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::sync::Arc;

    use proptest::prelude::*;
    use signal::SampleIndex;

    use super::*;
    use crate::capture_log::SegmentFile;
    use crate::facts::{ClockQuality, Codec, Instant};

    fn place() -> Place {
        let file = Arc::new(File::open("/dev/null").unwrap());
        Place { segment: Arc::new(SegmentFile { file, generation: 1 }), offset: 0 }
    }

    fn start(first: u64) -> OpenStart {
        let quality = ClockQuality::Unchecked;
        OpenStart {
            call_id: "c".into(),
            segment: 0,
            port: 1,
            port_name: String::new(),
            start: Instant { utc_us: 0, offset_s: 0, boot_id: String::new(), monotonic_us: 0, quality },
            first_sample: SampleIndex(first),
            pre_roll_samples: 0,
            tracks: 1,
            codec: Codec::ALaw,
            start_mode: line::StartMode::Voltage,
            known: Known::default(),
        }
    }

    proptest! {
        /// Whatever frames the log holds, twice or not at all: each sample from first to end comes once, from a piece
        /// that has it, or is missing.
        #[test]
        fn runs_tell_each_sample_once(
            first in 0..500u64,
            pieces in prop::collection::vec((0..1000u64, 1..200u32), 0..12),
            gap in prop::option::of((0..1500u64, 1..300u64)),
            end in prop::option::of(0..1500u64),
        ) {
            let mut opens = Opens::default();
            opens.apply(7, Entry::Begin(Box::new(start(first))), &place());
            for (first, bytes) in &pieces {
                opens.apply(7, Entry::Audio { first: *first, bytes: *bytes }, &place());
            }
            if let Some((first, samples)) = gap {
                opens.apply(7, Entry::Gap { first, samples }, &place());
            }
            if let Some(end) = end {
                let (stop_mode, known) = (StopMode::OnHook, Known::default());
                let stop = StopFacts { end: SampleIndex(end), stop_mode, known };
                opens.apply(7, Entry::End(Box::new(stop)), &place());
            }
            let mut open = opens.take_all().remove(0);
            let mut at = first;
            let runs = open.runs();
            for run in &runs {
                if let Run::Kept { piece, skip, samples } = *run {
                    let piece = &open.pieces[piece];
                    prop_assert_eq!(piece.first + u64::from(skip), at);
                    prop_assert!(skip + samples <= piece.samples);
                } else {
                    let has = |at| pieces.iter().any(|(from, count)| (*from..from + u64::from(*count)).contains(&at));
                    prop_assert!((at..at + run.samples()).all(|at| !has(at)));
                }
                at += run.samples();
            }
            let heard = pieces.iter().map(|(from, count)| from + u64::from(*count));
            let heard_to = heard.chain(gap.map(|(from, count)| from + count)).max().unwrap_or(0);
            let expected = heard_to.min(end.unwrap_or(u64::MAX)).max(first);
            prop_assert!(runs.is_empty() || at == expected, "{} is not {}", at, expected);
        }
    }
}
