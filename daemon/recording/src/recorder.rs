//! The recorder: what the capture path sees of it, how it is set up, started and closed.

use std::sync::Arc;

use signal::SampleIndex;

use crate::facts::{Codec, MarkKind};
use crate::open::{Known, OpenId, OpenStart, StopFacts, WithoutAudio};
use crate::queue::Queue;

/// The capture path's handle. Every call copies into memory and comes back: none waits for a disk.
///
/// Of one recording the calls come in order: `begin`, then `audio`, `mark` and `know`, then `end`. Different
/// recordings may be driven from different threads.
#[derive(Clone)]
pub struct Recorder {
    queue: Arc<Queue>,
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

    /// Keeps the record of a call that left no audio. False: the disk has not taken anything for so long that even
    /// these no longer fit; the caller should raise an alarm.
    pub fn record_without_audio(&self, record: WithoutAudio) -> bool {
        self.queue.without_audio(record)
    }

    /// Waits until half of the queue is free. For replays, which are faster than any disk: a live caller never waits.
    pub fn wait_for_room(&self) {
        self.queue.wait_for_room();
    }

    pub fn load(&self) -> QueueLoad {
        let stats = self.queue.stats();
        QueueLoad { filled: 1.0 - stats.free as f32 / stats.chunks.max(1) as f32 }
    }
}
