//! The one reader of finished recordings: facts, and linear samples from any position, whatever the kept format.

use std::fs::File;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::facts::Facts;
use crate::wav::{self, Fault, Layout, ParseError, ReadAt, ReadError};

/// Kept bytes read at a time; a multiple of every sample frame.
const BLOCK_BYTES: usize = 32 << 10;

/// A finished recording, open for reading. Reading changes nothing in it: it may be shared.
#[derive(Debug)]
pub struct Reader {
    path: PathBuf,
    file: File,
    layout: Layout,
    facts: Facts,
}

/// What to hear of a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Select {
    /// 0, or 1 where there are two: near (own) side, then far side.
    Track(u16),
    /// Both sides added, limited at full scale; one track as it is.
    Mix,
}

impl Reader {
    /// Opens a recording. An error says why it is not a whole one; its audio is checked by `verify_audio` only.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, ReadError> {
        let path = path.into();
        let io = |source| ReadError::Io { path: path.clone(), source };
        let file = File::open(&path).map_err(io)?;
        let length = file.metadata().map_err(io)?.len();
        let (layout, facts) = wav::parse(&file, length).map_err(|error| error.at(&path))?;
        Ok(Self { path, file, layout, facts })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Samples a track.
    pub fn samples(&self) -> u64 {
        self.layout.samples()
    }

    /// Decodes samples from position `from` on, and gives how many there were: fewer than `out` has room for at the
    /// end, 0 behind it.
    pub fn read(&self, select: Select, from: u64, out: &mut [i16]) -> Result<usize, ReadError> {
        let tracks = usize::from(self.layout.tracks);
        if let Select::Track(asked) = select
            && usize::from(asked) >= tracks
        {
            return Err(ReadError::NoSuchTrack { asked, tracks: self.layout.tracks });
        }
        let codec = self.layout.codec;
        let wanted =
            out.len().min(usize::try_from(self.samples().saturating_sub(from)).unwrap_or(usize::MAX));
        let frame = self.layout.frame_bytes();
        let mut kept = vec![0; (wanted * frame).min(BLOCK_BYTES)];
        let mut done = 0;
        while done < wanted {
            let count = (wanted - done).min(BLOCK_BYTES / frame);
            let kept = &mut kept[..count * frame];
            self.read_kept((from + done as u64) * frame as u64, kept)?;
            for (index, sample) in out[done..done + count].iter_mut().enumerate() {
                *sample = match select {
                    Select::Track(track) => codec.decode_at(kept, tracks, usize::from(track), index),
                    Select::Mix if tracks == 1 => codec.decode_at(kept, 1, 0, index),
                    Select::Mix => {
                        let near = codec.decode_at(kept, tracks, 0, index);
                        near.saturating_add(codec.decode_at(kept, tracks, 1, index))
                    }
                };
            }
            done += count;
        }
        Ok(wanted)
    }

    /// Hands all kept bytes to `each`, in order, in blocks of whole sample frames.
    pub(crate) fn for_each_kept(&self, mut each: impl FnMut(&[u8])) -> Result<(), ReadError> {
        let mut kept = vec![0; BLOCK_BYTES];
        let mut at = 0;
        while at < self.layout.data_bytes {
            let count = (self.layout.data_bytes - at).min(BLOCK_BYTES as u64) as usize;
            self.read_kept(at, &mut kept[..count])?;
            each(&kept[..count]);
            at += count as u64;
        }
        Ok(())
    }

    fn read_kept(&self, at: u64, kept: &mut [u8]) -> Result<(), ReadError> {
        self.file.read_at(self.layout.data_at + at, kept).map_err(|source| self.io(source))
    }

    /// Reads all audio and compares it with the checksum in the facts.
    pub fn verify_audio(&self) -> Result<(), ReadError> {
        let mut hash = Sha256::new();
        self.for_each_kept(|kept| hash.update(kept))?;
        if self.facts.audio_sha256.as_deref() == Some(hex(&hash.finalize()).as_str()) {
            Ok(())
        } else {
            Err(ParseError::Fault(Fault::Audio).at(&self.path))
        }
    }

    fn io(&self, source: std::io::Error) -> ReadError {
        ReadError::Io { path: self.path.clone(), source }
    }
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
