//! The waveform that the player draws: lowest and highest sample of each 10 ms, made while a recording is finished and
//! kept beside it. It is only a convenience: absent or damaged, it is made again from the recording.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::durable;
use crate::facts::Codec;
use crate::reader::Reader;
use crate::wav::ReadError;

/// 10 ms.
pub const SAMPLES_PER_PEAK: u32 = 80;
const MAGIC: &[u8; 4] = b"HKPK";
const VERSION: u16 = 1;
const HEAD_BYTES: usize = 32;

/// A recording's waveform.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Peaks {
    pub samples_per_peak: u32,
    /// Samples a track of the recording.
    #[serde(skip)]
    pub samples: u64,
    /// For each track lowest, highest, lowest, … in 1/128 of full scale.
    pub tracks: Vec<Vec<i8>>,
}

/// Where the peaks of a recording are kept.
pub(crate) fn path_beside(recording: &Path) -> PathBuf {
    recording.with_extension("peaks")
}

/// The waveform of a recording: the kept one, or made anew (and kept, if the disk allows).
pub fn load(recording: &Path) -> Result<Peaks, ReadError> {
    let reader = Reader::open(recording)?;
    if let Some(peaks) = kept(recording, &reader) {
        return Ok(peaks);
    }
    let peaks = make(&reader)?;
    // Whoever asked gets them either way; without room they are made again next time.
    let _ = peaks.write_beside(recording);
    Ok(peaks)
}

/// Reads all of a recording's audio.
pub(crate) fn make(reader: &Reader) -> Result<Peaks, ReadError> {
    let facts = reader.facts();
    let mut builder = Builder::new(facts.codec.unwrap_or(Codec::ALaw), facts.tracks);
    reader.for_each_kept(|kept| builder.add(kept))?;
    Ok(builder.finish())
}

/// The peaks file beside a recording, if it is whole and belongs to it.
pub(crate) fn kept(recording: &Path, reader: &Reader) -> Option<Peaks> {
    let bytes = std::fs::read(path_beside(recording)).ok()?;
    let peaks = Peaks::from_bytes(&bytes)?;
    let fits = peaks.samples == reader.samples() && peaks.tracks.len() == usize::from(reader.facts().tracks);
    fits.then_some(peaks)
}

impl Peaks {
    fn to_bytes(&self) -> Vec<u8> {
        let pairs = self.tracks.first().map_or(0, |track| track.len() / 2);
        let mut bytes = Vec::with_capacity(HEAD_BYTES + self.tracks.len() * pairs * 2);
        bytes.extend(MAGIC);
        bytes.extend(VERSION.to_le_bytes());
        bytes.extend((self.tracks.len() as u16).to_le_bytes());
        bytes.extend(self.samples_per_peak.to_le_bytes());
        bytes.extend([0; 4]);
        bytes.extend(self.samples.to_le_bytes());
        bytes.extend((pairs as u32).to_le_bytes());
        bytes.extend([0; 4]);
        bytes.extend(self.tracks.iter().flatten().map(|value| value.to_le_bytes()[0]));
        let sum = crc32fast::hash(&bytes[16..]);
        bytes[12..16].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (head, body) = bytes.split_at_checked(HEAD_BYTES)?;
        let word = |at: usize| u16::from_le_bytes([head[at], head[at + 1]]);
        let long = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        if &head[..4] != MAGIC || word(4) != VERSION || long(12) != crc32fast::hash(&bytes[16..]) {
            return None;
        }
        let (tracks, samples_per_peak) = (usize::from(word(6)), long(8));
        let samples = u64::from(long(16)) | u64::from(long(20)) << 32;
        let pairs = usize::try_from(long(24)).ok()?;
        let right = (1..=2).contains(&tracks)
            && samples_per_peak > 0
            && samples.div_ceil(u64::from(samples_per_peak)) == pairs as u64
            && pairs.checked_mul(2 * tracks)? == body.len();
        if !right {
            return None;
        }
        let tracks =
            body.chunks_exact(pairs.max(1) * 2).map(|track| track.iter().map(|&byte| byte as i8).collect());
        Some(Self { samples_per_peak, samples, tracks: tracks.collect() })
    }

    /// Not synced: a torn file does not match its checksum, and is made again.
    pub(crate) fn write_beside(&self, recording: &Path) -> std::io::Result<()> {
        let mut file = durable::create_new(&path_beside(recording))?;
        std::io::Write::write_all(&mut file, &self.to_bytes())
    }
}

/// Makes peaks from kept bytes as they pass.
pub(crate) struct Builder {
    codec: Codec,
    tracks: Vec<Vec<i8>>,
    /// Lowest and highest sample of the peak being made, a track.
    extremes: Vec<(i16, i16)>,
    samples: u64,
}

impl Builder {
    pub fn new(codec: Codec, tracks: u16) -> Self {
        let tracks = usize::from(tracks);
        Self {
            codec,
            tracks: vec![Vec::new(); tracks],
            extremes: vec![(i16::MAX, i16::MIN); tracks],
            samples: 0,
        }
    }

    /// Adds kept bytes of whole sample frames.
    pub fn add(&mut self, kept: &[u8]) {
        let tracks = self.tracks.len();
        let frame = tracks * self.codec.sample_bytes();
        let mut linear = [0; SAMPLES_PER_PEAK as usize];
        let mut rest = kept;
        while rest.len() >= frame {
            let missing = linear.len() - (self.samples % u64::from(SAMPLES_PER_PEAK)) as usize;
            let count = missing.min(rest.len() / frame);
            let (now, later) = rest.split_at(count * frame);
            rest = later;
            for (track, extremes) in self.extremes.iter_mut().enumerate() {
                let samples = &mut linear[..count];
                self.codec.decode(now, tracks, track, samples);
                for sample in samples {
                    *extremes = (extremes.0.min(*sample), extremes.1.max(*sample));
                }
            }
            self.samples += count as u64;
            if self.samples.is_multiple_of(u64::from(SAMPLES_PER_PEAK)) {
                self.close_peak();
            }
        }
    }

    fn close_peak(&mut self) {
        for (track, extremes) in self.tracks.iter_mut().zip(&mut self.extremes) {
            track.extend([(extremes.0 >> 8) as i8, (extremes.1 >> 8) as i8]);
            *extremes = (i16::MAX, i16::MIN);
        }
    }

    pub fn finish(mut self) -> Peaks {
        if !self.samples.is_multiple_of(u64::from(SAMPLES_PER_PEAK)) {
            self.close_peak();
        }
        Peaks { samples_per_peak: SAMPLES_PER_PEAK, samples: self.samples, tracks: self.tracks }
    }
}
