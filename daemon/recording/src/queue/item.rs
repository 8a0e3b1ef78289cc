//! What lies in the queue: buffers of kept bytes, and all else that happens to a recording, in its order.

use std::sync::mpsc::SyncSender;

use super::CHUNK_BYTES;
use crate::facts::MarkKind;
use crate::open::{Known, OpenStart, StopFacts, WithoutAudio};

pub(crate) struct Chunk {
    /// Position of the first sample, counted as the caller counts.
    pub first: u64,
    pub len: usize,
    pub bytes: [u8; CHUNK_BYTES],
    /// Of one sample of all tracks.
    pub frame_bytes: usize,
}

impl Chunk {
    pub fn empty() -> Box<Self> {
        Box::new(Self { first: 0, len: 0, bytes: [0; CHUNK_BYTES], frame_bytes: 1 })
    }

    pub fn kept(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// Position behind the last sample.
    pub fn end(&self) -> u64 {
        self.first.saturating_add((self.len / self.frame_bytes.max(1)) as u64)
    }
}

/// What waits for the log thread, in the order in which it happened.
pub(crate) enum Item {
    Begin {
        number: u64,
        start: Box<OpenStart>,
    },
    Audio {
        number: u64,
        chunk: Box<Chunk>,
    },
    Gap {
        number: u64,
        first: u64,
        samples: u64,
    },
    Mark {
        number: u64,
        at: u64,
        kind: MarkKind,
    },
    Known {
        number: u64,
        known: Box<Known>,
    },
    End {
        number: u64,
        stop: Box<StopFacts>,
    },
    WithoutAudio {
        number: u64,
        record: Box<WithoutAudio>,
    },
    /// From the finisher: this recording is about to become this record; answered when that is on the disk.
    Claim {
        number: u64,
        sequence: u64,
        path: Option<String>,
        durable: SyncSender<()>,
    },
    /// From the finisher: in the journal.
    Done {
        number: u64,
    },
    /// From the finisher: it has read what a former run left in the log, and has these recordings (number, and oldest
    /// generation they have frames in) in hand. Not written anywhere.
    BacklogRead {
        finishing: Vec<(u64, u64)>,
    },
}
