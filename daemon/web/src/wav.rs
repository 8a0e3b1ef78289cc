//! A WAV file for the ear, computed as it is sent: 16-bit linear from whatever format is kept.

use recording::{Reader, Select};

use crate::problem::Problem;

/// RIFF, `fmt ` and `data` heads of plain PCM.
pub const HEAD_BYTES: u64 = 44;
const SAMPLE_BYTES: u64 = 2;

/// What of a recording is heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mix {
    /// All sides on one track.
    Mono,
    /// Each side on its own: near left, far right.
    Tracks,
}

impl Mix {
    pub fn name(self) -> &'static str {
        match self {
            Self::Mono => "mono",
            Self::Tracks => "tracks",
        }
    }
}

/// A recording as a WAV file that exists only as it is read.
#[derive(Debug)]
pub struct LinearWav {
    reader: Reader,
    tracks: u16,
    samples: u64,
}

impl LinearWav {
    pub fn new(reader: Reader, mix: Mix) -> Self {
        let tracks = match mix {
            Mix::Mono => 1,
            Mix::Tracks => reader.facts().tracks,
        };
        // A RIFF length has 32 bits: at 8000 Hz that is 37 hours of two tracks, longer than any recording may be.
        let most = (u64::from(u32::MAX) - HEAD_BYTES) / (SAMPLE_BYTES * u64::from(tracks.max(1)));
        let samples = reader.samples().min(most);
        Self { reader, tracks, samples }
    }

    fn frame_bytes(&self) -> u64 {
        SAMPLE_BYTES * u64::from(self.tracks)
    }

    /// Exact length of the file in bytes.
    pub fn length(&self) -> u64 {
        HEAD_BYTES + self.samples * self.frame_bytes()
    }

    /// Bytes from `at` on, at most `most` and at least one unless `at` is the end.
    ///
    /// # Errors
    /// When the kept file cannot be read.
    pub fn read(&self, at: u64, most: usize) -> Result<Vec<u8>, Problem> {
        if at < HEAD_BYTES {
            let head = head(self.reader.facts().rate_hz, self.tracks, self.samples);
            return Ok(head[at as usize..].iter().copied().take(most).collect());
        }
        let frame = self.frame_bytes();
        let (first, within) = ((at - HEAD_BYTES) / frame, ((at - HEAD_BYTES) % frame) as usize);
        let wanted = (most as u64).div_ceil(frame) + 1;
        let count = wanted.min(self.samples.saturating_sub(first)) as usize;
        let mut bytes = vec![0; count * frame as usize];
        let mut samples = vec![0_i16; count];
        for track in 0..self.tracks {
            let select = if self.tracks == 1 { Select::Mix } else { Select::Track(track) };
            self.reader
                .read(select, first, &mut samples)
                .map_err(|error| Problem::storage("read the recording", error))?;
            let offset = usize::from(track) * SAMPLE_BYTES as usize;
            for (slot, sample) in bytes.chunks_exact_mut(frame as usize).zip(&samples) {
                slot[offset..offset + SAMPLE_BYTES as usize].copy_from_slice(&sample.to_le_bytes());
            }
        }
        bytes.drain(..within.min(bytes.len()));
        bytes.truncate(most);
        Ok(bytes)
    }
}

/// The head of a PCM WAV file (RIFF, Multimedia Programming Interface and Data Specifications 1.0).
fn head(rate_hz: u32, tracks: u16, samples: u64) -> [u8; HEAD_BYTES as usize] {
    let frame = u32::from(tracks) * SAMPLE_BYTES as u32;
    let data_bytes = samples as u32 * frame;
    let mut head = [0; HEAD_BYTES as usize];
    let mut at = 0;
    let mut put = |bytes: &[u8]| {
        head[at..at + bytes.len()].copy_from_slice(bytes);
        at += bytes.len();
    };
    put(b"RIFF");
    put(&(data_bytes + HEAD_BYTES as u32 - 8).to_le_bytes());
    put(b"WAVEfmt ");
    put(&16_u32.to_le_bytes());
    put(&1_u16.to_le_bytes());
    put(&tracks.to_le_bytes());
    put(&rate_hz.to_le_bytes());
    put(&(rate_hz * frame).to_le_bytes());
    put(&(frame as u16).to_le_bytes());
    put(&16_u16.to_le_bytes());
    put(b"data");
    put(&data_bytes.to_le_bytes());
    head
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_says_what_follows() {
        let head = head(8000, 2, 1000);
        assert_eq!(&head[..4], b"RIFF");
        assert_eq!(u32::from_le_bytes(head[4..8].try_into().expect("4")), 36 + 4000);
        assert_eq!(&head[8..16], b"WAVEfmt ");
        assert_eq!(u16::from_le_bytes(head[22..24].try_into().expect("2")), 2);
        assert_eq!(u32::from_le_bytes(head[28..32].try_into().expect("4")), 32_000);
        assert_eq!(u16::from_le_bytes(head[32..34].try_into().expect("2")), 4);
        assert_eq!(&head[36..40], b"data");
        assert_eq!(u32::from_le_bytes(head[40..44].try_into().expect("4")), 4000);
    }
}
