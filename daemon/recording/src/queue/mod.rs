//! The bounded queue between the capture path and the disk. The capture side takes one short lock, copies kept bytes
//! into pooled buffers and goes on: it never waits for the disk and allocates nothing for a block of samples. A full
//! queue loses samples, which are counted, replaced by silence and told.

mod inner;
mod item;

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use signal::SampleIndex;

pub use inner::MAX_AUDIO_BYTES;
use inner::{Inner, REFUSED, Slot};
pub(crate) use item::{Chunk, Item};

use crate::facts::{Codec, MarkKind};
use crate::open::{Known, OpenId, OpenStart, StopFacts, WithoutAudio};
use crate::sink::{Gap, GapCause};

/// Kept bytes in one buffer: 0.5 s of one A-law track. A multiple of every sample frame (1, 2 or 4 bytes).
pub(crate) const CHUNK_BYTES: usize = 4096;
/// What the queue holds, in seconds of all ports in the kept format.
pub const QUEUE_SECONDS: usize = 30;
/// Buffers of a port beside those: one being filled, and two on their way to the disk.
const SPARE_CHUNKS: usize = 3;
/// Starts, marks and records without audio that may wait, for each port and for the box.
const CONTROLS_PER_PORT: usize = 256;
const CONTROLS: usize = 1024;
/// Samples encoded between two lockings.
const STEP_SAMPLES: usize = 256;
const STEP_BYTES: usize = STEP_SAMPLES * 4;

/// Memory that the queue holds for a port: what decision 10 of the architecture asks to be published.
pub const fn queue_bytes_per_port(codec: Codec, tracks: usize) -> usize {
    chunks_per_port(codec, tracks) * size_of::<Chunk>()
}

/// 30 s of one A-law track and the spare buffers: 250 KiB.
pub const QUEUE_BYTES_PER_PORT: usize = queue_bytes_per_port(Codec::ALaw, 1);

pub(crate) const fn chunks_per_port(codec: Codec, tracks: usize) -> usize {
    let bytes = QUEUE_SECONDS * signal::RATE_HZ as usize * codec.sample_bytes() * tracks;
    bytes.div_ceil(CHUNK_BYTES) + SPARE_CHUNKS
}

/// What may follow a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    More,
    /// Only claims and their ends, from the finisher.
    NoMoreAudio,
    Closed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct QueueStats {
    pub chunks: usize,
    pub free: usize,
}

pub(crate) struct Queue {
    inner: Mutex<Inner>,
    /// The log thread waits here.
    work: Condvar,
    /// A caller that may wait (replay) waits here.
    room: Condvar,
    chunks: usize,
    max_controls: usize,
}

impl Queue {
    /// `next_number`: above every number in the capture log.
    pub fn new(chunks: usize, ports: usize, next_number: u64) -> Self {
        let max_controls = CONTROLS + ports * CONTROLS_PER_PORT;
        let inner = Inner {
            free: (0..chunks).map(|_| Chunk::empty()).collect(),
            ready: Vec::with_capacity(Self::most_items(chunks, max_controls)),
            slots: Vec::with_capacity(ports * 2),
            free_slots: Vec::with_capacity(ports * 2),
            next_number,
            controls: 0,
            lost: Vec::with_capacity(ports * 2),
            urgent: false,
            stopped: false,
            closed: false,
        };
        Self { inner: Mutex::new(inner), work: Condvar::new(), room: Condvar::new(), chunks, max_controls }
    }

    /// Items that can wait at once: a gap can stand before each buffer, an end behind each start.
    fn most_items(chunks: usize, max_controls: usize) -> usize {
        2 * chunks + 2 * max_controls
    }

    /// An empty list to swap with the one that fills.
    pub fn empty_batch(&self) -> Vec<Item> {
        Vec::with_capacity(Self::most_items(self.chunks, self.max_controls))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Every change under this lock is complete in itself: a panic elsewhere leaves nothing half done.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn begin(&self, mut start: OpenStart) -> OpenId {
        start.clip();
        start.tracks = start.tracks.clamp(1, 2);
        let mut inner = self.lock();
        let number = inner.next_number;
        inner.next_number += 1;
        let mut open =
            OpenId { number, slot: REFUSED, port: start.port, tracks: start.tracks, codec: start.codec };
        if inner.controls >= self.max_controls || inner.stopped {
            return open;
        }
        inner.controls += 1;
        let first = start.first_sample.0;
        let frame_bytes = usize::from(start.tracks) * start.codec.sample_bytes();
        let slot = Slot { number, frame_bytes, first, next: first, missing_from: None, chunk: None };
        open.slot = match inner.free_slots.pop() {
            Some(at) => {
                inner.slots[at as usize] = Some(slot);
                at
            }
            None => {
                inner.slots.push(Some(slot));
                inner.slots.len() as u32 - 1
            }
        };
        inner.ready.push(Item::Begin { number, start: Box::new(start) });
        open
    }

    pub fn audio(&self, open: OpenId, first_sample: SampleIndex, tracks: &[&[i16]]) {
        let wanted = usize::from(open.tracks);
        let samples = tracks.iter().take(wanted).map(|track| track.len()).min().unwrap_or(0);
        if tracks.len() < wanted {
            return self.lock().lose(open.port, samples as u64, GapCause::NotCaptured);
        }
        let mut kept = [0; STEP_BYTES];
        let mut at = 0;
        while at < samples {
            let count = (samples - at).min(STEP_SAMPLES);
            let bytes = open.codec.encode(&tracks[..wanted], at, count, &mut kept);
            let wake = {
                let mut inner = self.lock();
                let before = inner.free.len();
                inner.append(open, first_sample.0.saturating_add(at as u64), &kept[..bytes]);
                before > self.chunks / 2 && inner.free.len() <= self.chunks / 2
            };
            if wake {
                self.work.notify_one();
            }
            at += count;
        }
    }

    pub fn mark(&self, open: OpenId, at: SampleIndex, kind: MarkKind) {
        self.control(open, |number| Item::Mark { number, at: at.0, kind });
    }

    pub fn know(&self, open: OpenId, mut known: Known) {
        known.clip();
        self.control(open, |number| Item::Known { number, known: Box::new(known) });
    }

    fn control(&self, open: OpenId, item: impl FnOnce(u64) -> Item) {
        let mut inner = self.lock();
        if inner.controls < self.max_controls && inner.slot(open).is_some() {
            inner.controls += 1;
            inner.ready.push(item(open.number));
        }
    }

    pub fn end(&self, open: OpenId, mut stop: StopFacts) {
        stop.known.clip();
        let mut inner = self.lock();
        let Some(mut slot) = inner
            .slots
            .get_mut(open.slot as usize)
            .and_then(|slot| slot.take_if(|slot| slot.number == open.number))
        else {
            return;
        };
        inner.free_slots.push(open.slot);
        if let Some(chunk) = slot.chunk.take() {
            inner.ready.push(Item::Audio { number: slot.number, chunk });
        }
        if let Some(first) = slot.missing_from {
            inner.ready.push(Item::Gap { number: slot.number, first, samples: slot.next - first });
        }
        inner.ready.push(Item::End { number: slot.number, stop: Box::new(stop) });
        inner.urgent = true;
        drop(inner);
        self.work.notify_one();
    }

    /// Ends a recording that is to leave nothing behind.
    pub fn discard(&self, open: OpenId) {
        let mut inner = self.lock();
        let Some(slot) = inner
            .slots
            .get_mut(open.slot as usize)
            .and_then(|slot| slot.take_if(|slot| slot.number == open.number))
        else {
            return;
        };
        inner.free_slots.push(open.slot);
        inner.free.extend(slot.chunk);
        inner.ready.push(Item::Done { number: slot.number });
        drop(inner);
        self.work.notify_one();
    }

    pub fn without_audio(&self, mut record: WithoutAudio) -> bool {
        record.clip();
        let mut inner = self.lock();
        if inner.controls >= self.max_controls || inner.stopped {
            return false;
        }
        let number = inner.next_number;
        inner.next_number += 1;
        inner.controls += 1;
        inner.ready.push(Item::WithoutAudio { number, record: Box::new(record) });
        inner.urgent = true;
        drop(inner);
        self.work.notify_one();
        true
    }

    /// From the finisher: never refused, as there is one a recording.
    pub fn push(&self, item: Item) {
        let urgent = matches!(item, Item::Claim { .. });
        let mut inner = self.lock();
        inner.ready.push(item);
        inner.urgent |= urgent;
        drop(inner);
        if urgent {
            self.work.notify_one();
        }
    }

    /// Waits until `period` is over, something is urgent or the queue is half full; then takes everything that waits,
    /// buffers that are being filled included. `batch` must be empty, from `empty_batch`.
    pub fn take(&self, period: Duration, batch: &mut Vec<Item>) -> Taken {
        let until = Instant::now() + period;
        let mut inner = self.lock();
        while !inner.urgent && !inner.closed && inner.free.len() > self.chunks / 2 {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            inner = self.work.wait_timeout(inner, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        inner.urgent = false;
        inner.controls = 0;
        std::mem::swap(&mut inner.ready, batch);
        for slot in inner.slots.iter_mut().flatten() {
            if let Some(chunk) = slot.chunk.take_if(|chunk| chunk.len > 0) {
                batch.push(Item::Audio { number: slot.number, chunk });
            }
        }
        match (inner.closed, inner.stopped) {
            (true, _) => Taken::Closed,
            (false, true) => Taken::NoMoreAudio,
            (false, false) => Taken::More,
        }
    }

    /// Buffers whose bytes are on the disk.
    pub fn give_back(&self, chunks: &mut Vec<Box<Chunk>>) {
        self.lock().free.append(chunks);
        self.room.notify_all();
    }

    /// Waits until at least half of the queue is free. For callers that are not live.
    pub fn wait_for_room(&self) {
        let mut inner = self.lock();
        while inner.free.len() <= self.chunks / 2 && !inner.stopped {
            self.work.notify_one();
            inner = self.room.wait(inner).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Counts samples of which the finisher has found that they are lost.
    pub fn lose(&self, port: u16, samples: u64, cause: GapCause) {
        self.lock().lose(port, samples, cause);
    }

    /// What was lost since the last call.
    pub fn take_lost(&self, into: &mut Vec<Gap>) {
        into.append(&mut self.lock().lost);
    }

    pub fn stats(&self) -> QueueStats {
        QueueStats { chunks: self.chunks, free: self.lock().free.len() }
    }

    /// Nothing more is taken from the capture side.
    pub fn stop(&self) {
        let mut inner = self.lock();
        inner.stopped = true;
        inner.urgent = true;
        drop(inner);
        self.work.notify_one();
        self.room.notify_all();
    }

    /// Nothing more comes from the finisher either.
    pub fn close(&self) {
        self.lock().closed = true;
        self.work.notify_one();
    }
}
