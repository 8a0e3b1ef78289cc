//! The unit of input: 10 ms of all tracks of one capture unit, with what the unit measured on its lines.

use signal::SampleIndex;

/// Samples a track has in one block: 10 ms.
pub const BLOCK_SAMPLES: usize = 80;

/// What a unit measures on a line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LineStatus {
    /// Signed DC across tip and ring.
    pub volts: f32,
    /// AC (16–68 Hz) RMS.
    pub ring_volts: f32,
}

/// From sample `at` on, channel `channel` (index within the unit) has this status.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StatusChange {
    pub channel: u16,
    pub at: SampleIndex,
    pub status: LineStatus,
}

/// How a channel's audio lies in a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrackLayout {
    /// Both sides on one track, as a two-wire line carries them.
    Mono,
    /// Near (own) side, then far side.
    TwoTrack,
}

impl TrackLayout {
    pub fn tracks(self) -> usize {
        match self {
            Self::Mono => 1,
            Self::TwoTrack => 2,
        }
    }
}

/// 10 ms of a unit. Reused by its owner, so that the sample path allocates nothing.
#[derive(Clone, Debug, Default)]
pub struct Block {
    /// Index of the first sample.
    pub first: SampleIndex,
    /// Track-major: track `t` has `samples[t * BLOCK_SAMPLES..][..BLOCK_SAMPLES]`, linear 16 bit.
    pub samples: Vec<i16>,
    /// In the order of `at`; a unit that measures every 10 ms gives one a channel and block.
    pub status: Vec<StatusChange>,
    /// Samples that were lost just before `first` (overrun, lost packet); 0 when the input is whole.
    pub lost_samples: u64,
}

/// Some tracks of a block, side by side.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
    /// Index of the first sample.
    pub first: SampleIndex,
    /// Track-major, of these tracks only.
    pub samples: &'a [i16],
    /// Of all channels of the block.
    pub status: &'a [StatusChange],
}

impl Block {
    /// The tracks `tracks`, as far as the block has them.
    pub fn part(&self, tracks: std::ops::Range<usize>) -> Part<'_> {
        let have = self.samples.len() / BLOCK_SAMPLES;
        let (from, to) = (tracks.start.min(have), tracks.end.min(have));
        Part {
            first: self.first,
            samples: &self.samples[from * BLOCK_SAMPLES..to.max(from) * BLOCK_SAMPLES],
            status: &self.status,
        }
    }
}
