//! WAV files as line input: 8 kHz, 16 bit or A-law, one track or two.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use signal::{RATE_HZ, g711};

use super::ScenarioError;
use crate::TrackLayout;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoding {
    Linear16,
    ALaw,
}

impl Encoding {
    fn bytes(self) -> usize {
        match self {
            Self::Linear16 => 2,
            Self::ALaw => 1,
        }
    }
}

/// A WAV file whose head has been read.
#[derive(Clone, Debug)]
pub struct AudioFile {
    pub path: PathBuf,
    pub layout: TrackLayout,
    /// A track.
    pub samples: u64,
    file: Arc<File>,
    encoding: Encoding,
    data_at: u64,
}

impl AudioFile {
    pub fn open(path: &Path) -> Result<Self, ScenarioError> {
        let wrong = |expected: String| ScenarioError::new(path, expected);
        let unreadable =
            |error: std::io::Error| wrong(format!("cannot be read ({error}); expected a WAV file"));
        let mut file = File::open(path).map_err(unreadable)?;
        let length = file.metadata().map_err(unreadable)?.len();
        let head = read_head(&mut file, length)
            .map_err(unreadable)?
            .ok_or_else(|| wrong("expected a WAV file with a format and data".into()))?;
        let encoding = match (head.tag, head.bits) {
            (1, 16) => Encoding::Linear16,
            (6, 8) => Encoding::ALaw,
            (tag, bits) => {
                return Err(wrong(format!(
                    "has format {tag} with {bits} bits, expected 16 bit linear or A-law"
                )));
            }
        };
        let layout = match head.tracks {
            1 => TrackLayout::Mono,
            2 => TrackLayout::TwoTrack,
            tracks => return Err(wrong(format!("has {tracks} tracks, expected 1 or 2"))),
        };
        if head.rate_hz != RATE_HZ {
            return Err(wrong(format!("has a rate of {} Hz, expected {RATE_HZ} Hz", head.rate_hz)));
        }
        let samples = head.data_bytes / (encoding.bytes() * layout.tracks()) as u64;
        Ok(Self {
            path: path.to_owned(),
            layout,
            samples,
            file: Arc::new(file),
            encoding,
            data_at: head.data_at,
        })
    }

    /// Bytes of one sample of all tracks.
    pub(super) fn frame_bytes(&self) -> usize {
        self.layout.tracks() * self.encoding.bytes()
    }

    /// Reads samples `from..from + count` of all tracks as they lie in the file; fewer at its end. `bytes` is the
    /// caller's, so that reading allocates once.
    pub(super) fn read(&self, from: u64, count: usize, bytes: &mut Vec<u8>) -> std::io::Result<()> {
        let frame = self.frame_bytes();
        let have = self.samples.saturating_sub(from).min(count as u64) as usize;
        bytes.resize(have * frame, 0);
        self.file.read_exact_at(bytes, self.data_at + from * frame as u64)
    }

    /// Makes linear samples of what `read` gave: as many of each track as `out` has room for, track after track, with
    /// silence behind the last byte.
    pub(super) fn expand(&self, bytes: &[u8], out: &mut [i16]) {
        let tracks = self.layout.tracks();
        let length = out.len() / tracks;
        for (track, samples) in out.chunks_exact_mut(length.max(1)).enumerate() {
            let have = (bytes.len() / self.frame_bytes()).min(length);
            let (audio, silence) = samples.split_at_mut(have);
            silence.fill(0);
            let linear = |bytes: &[u8; 2]| i16::from_le_bytes(*bytes);
            match (self.encoding, self.layout) {
                (Encoding::ALaw, TrackLayout::Mono) => g711::alaw_slice_to_linear(bytes, audio),
                (Encoding::ALaw, TrackLayout::TwoTrack) => {
                    every(audio, bytes.as_chunks::<2>().0, |pair| g711::alaw_to_linear(pair[track]));
                }
                (Encoding::Linear16, TrackLayout::Mono) => every(audio, bytes.as_chunks().0, linear),
                (Encoding::Linear16, TrackLayout::TwoTrack) => {
                    every(audio, bytes.as_chunks::<4>().0, |both| linear(&both.as_chunks().0[track]));
                }
            }
        }
    }
}

/// Each sample from its frame; a loop that the compiler turns into SIMD.
fn every<const N: usize>(samples: &mut [i16], frames: &[[u8; N]], sample_of: impl Fn(&[u8; N]) -> i16) {
    for (sample, frame) in samples.iter_mut().zip(frames) {
        *sample = sample_of(frame);
    }
}

struct Head {
    tag: u16,
    tracks: u16,
    rate_hz: u32,
    bits: u16,
    data_at: u64,
    data_bytes: u64,
}

/// Walks the chunks; `None` where this is no WAV file. A data chunk longer than the file (a stream, or a cut) ends
/// with the file.
fn read_head(file: &mut File, length: u64) -> std::io::Result<Option<Head>> {
    let mut riff = [0; 12];
    if length < 12 {
        return Ok(None);
    }
    file.read_exact(&mut riff)?;
    if &riff[..4] != b"RIFF" || &riff[8..] != b"WAVE" {
        return Ok(None);
    }
    let mut format = None;
    let mut at = 12;
    while at + 8 <= length {
        let mut head = [0; 8];
        file.seek(SeekFrom::Start(at))?;
        file.read_exact(&mut head)?;
        let size = u64::from(u32::from_le_bytes([head[4], head[5], head[6], head[7]]));
        let body = at + 8;
        match &head[..4] {
            b"fmt " if size >= 16 && body + 16 <= length => {
                let mut fmt = [0; 40];
                let have = size.min(40).min(length - body) as usize;
                file.read_exact(&mut fmt[..have])?;
                format = Some(fmt);
            }
            b"data" => return Ok(format.map(|fmt| wav_head(&fmt, body, size.min(length - body)))),
            _ => {}
        }
        at = body + size + (size & 1);
    }
    Ok(None)
}

fn wav_head(fmt: &[u8; 40], data_at: u64, data_bytes: u64) -> Head {
    let u16_at = |at: usize| u16::from_le_bytes([fmt[at], fmt[at + 1]]);
    let tag = u16_at(0);
    Head {
        // WAVE_FORMAT_EXTENSIBLE keeps the true tag in the first bytes of its sub-format.
        tag: if tag == 0xFFFE { u16_at(24) } else { tag },
        tracks: u16_at(2),
        rate_hz: u32::from_le_bytes([fmt[4], fmt[5], fmt[6], fmt[7]]),
        bits: u16_at(14),
        data_at,
        data_bytes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wav(tag: u16, tracks: u16, rate: u32, bits: u16, data: &[u8]) -> Vec<u8> {
        let mut out = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0".to_vec();
        out.extend(tag.to_le_bytes());
        out.extend(tracks.to_le_bytes());
        out.extend(rate.to_le_bytes());
        out.extend([0; 6]);
        out.extend(bits.to_le_bytes());
        // An odd chunk in front of the data is padded to an even length.
        out.extend(b"LIST\x03\0\0\0abc\0data");
        out.extend((data.len() as u32).to_le_bytes());
        out.extend(data);
        out
    }

    fn open(bytes: &[u8]) -> (tempfile::TempDir, Result<AudioFile, ScenarioError>) {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("port01.wav");
        std::fs::write(&path, bytes).expect("written");
        let file = AudioFile::open(&path);
        (dir, file)
    }

    #[test]
    fn reads_linear_and_alaw_and_is_silent_beyond_the_end() {
        let (_dir, file) = open(&wav(1, 2, 8000, 16, &[1, 0, 2, 0, 3, 0, 4, 0]));
        let file = file.expect("opens");
        assert_eq!((file.samples, file.layout), (2, TrackLayout::TwoTrack));
        assert_eq!(samples::<6>(&file, 0), [1, 3, 0, 2, 4, 0]);
        assert_eq!(samples::<6>(&file, 1), [3, 0, 0, 4, 0, 0]);
        assert_eq!(samples::<6>(&file, u64::MAX / 8), [0; 6]);

        let (low, high) = (g711::alaw_to_linear(0x55), g711::alaw_to_linear(0x2A));
        let (_dir, file) = open(&wav(6, 1, 8000, 8, &[0x55, 0x2A]));
        assert_eq!(samples::<3>(&file.expect("opens"), 0), [low, high, 0]);
        let (_dir, file) = open(&wav(6, 2, 8000, 8, &[0x55, 0x2A, 0x55, 0x2A]));
        assert_eq!(samples::<6>(&file.expect("opens"), 0), [low, low, 0, high, high, 0]);
    }

    /// What is read from `from` on, track after track.
    fn samples<const N: usize>(file: &AudioFile, from: u64) -> [i16; N] {
        let (mut bytes, mut out) = (Vec::new(), [9; N]);
        file.read(from, N / file.layout.tracks(), &mut bytes).expect("reads");
        file.expand(&bytes, &mut out);
        out
    }

    #[test]
    fn says_what_was_expected() {
        for (bytes, expected) in [
            (wav(1, 1, 16000, 16, &[]), "8000 Hz"),
            (wav(1, 3, 8000, 16, &[]), "1 or 2"),
            (wav(7, 1, 8000, 8, &[]), "A-law"),
            (wav(1, 1, 8000, 24, &[]), "16 bit"),
            (b"RIFF".to_vec(), "WAV"),
            (b"RIFF\0\0\0\0WAVEdata\0\0\0\0".to_vec(), "WAV"),
        ] {
            let (_dir, file) = open(&bytes);
            let error = file.expect_err(expected).to_string();
            assert!(error.contains(expected) && error.contains("port01.wav"), "{error}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(tail: Vec<u8>, cut: usize) {
            let mut bytes = wav(1, 1, 8000, 16, &tail);
            bytes.truncate(cut % (bytes.len() + 1));
            let (_dir, file) = open(&bytes);
            if let Ok(file) = file {
                samples::<100>(&file, 0);
            }
            let _ = open(&tail);
        }
    }
}
