//! What lies under the queue's lock: free and filled buffers, and a slot for each open recording.

use super::CHUNK_BYTES;
use super::item::{Chunk, Item};
use crate::open::OpenId;
use crate::sink::{Gap, GapCause};

/// A slot that no open recording has: its audio is counted as lost.
pub(super) const REFUSED: u32 = u32::MAX;
/// Most kept bytes of one recording: a WAV file's 32-bit sizes with room for its other chunks. 74 h of two A-law tracks.
pub const MAX_AUDIO_BYTES: u64 = (1 << 32) - (64 << 20);

pub(super) struct Slot {
    pub number: u64,
    pub frame_bytes: usize,
    pub first: u64,
    /// Position of the sample that comes next.
    pub next: u64,
    /// Samples from here to `next` are missing and have yet to be told to the log.
    pub missing_from: Option<u64>,
    pub chunk: Option<Box<Chunk>>,
}

pub(super) struct Inner {
    pub free: Vec<Box<Chunk>>,
    pub ready: Vec<Item>,
    pub slots: Vec<Option<Slot>>,
    pub free_slots: Vec<u32>,
    pub next_number: u64,
    pub controls: usize,
    pub lost: Vec<Gap>,
    pub urgent: bool,
    /// Nothing more comes from the capture side.
    pub stopped: bool,
    /// Nothing more comes at all.
    pub closed: bool,
}

impl Inner {
    pub fn slot(&mut self, open: OpenId) -> Option<&mut Slot> {
        self.slots.get_mut(open.slot as usize)?.as_mut().filter(|slot| slot.number == open.number)
    }

    pub fn lose(&mut self, port: u16, samples: u64, cause: GapCause) {
        match self.lost.iter_mut().find(|gap| gap.port == port && gap.cause == cause) {
            Some(gap) => gap.samples = gap.samples.saturating_add(samples),
            None if samples > 0 => self.lost.push(Gap { port, samples, cause }),
            None => {}
        }
    }

    /// Puts kept bytes of whole sample frames at position `first` behind what the recording has.
    pub fn append(&mut self, open: OpenId, first: u64, kept: &[u8]) {
        let Self { free, ready, slots, .. } = self;
        let slot = slots.get_mut(open.slot as usize).and_then(Option::as_mut);
        let Some(slot) = slot.filter(|slot| slot.number == open.number) else {
            // Refused at its start for want of room; an ended one has had its chance.
            if open.slot == REFUSED {
                let samples = kept.len() / (usize::from(open.tracks) * open.codec.sample_bytes());
                self.lose(open.port, samples as u64, GapCause::Overflow);
            }
            return;
        };
        let mut samples = kept.len() / slot.frame_bytes;
        let early = slot.next.saturating_sub(first);
        if early >= samples as u64 {
            return;
        }
        let mut kept = &kept[early as usize * slot.frame_bytes..];
        samples -= early as usize;
        let first = first.max(slot.next);
        if first - slot.first + samples as u64 > MAX_AUDIO_BYTES / slot.frame_bytes as u64 {
            return self.lose(open.port, samples as u64, GapCause::Overflow);
        }
        let jumped = first - slot.next;
        if jumped > 0 {
            if let Some(chunk) = slot.chunk.take() {
                ready.push(Item::Audio { number: slot.number, chunk });
            }
            slot.missing_from.get_or_insert(slot.next);
            slot.next = first;
        }
        let mut overflow = 0;
        while !kept.is_empty() {
            let mut chunk = match slot.chunk.take() {
                Some(chunk) => chunk,
                None => {
                    let Some(mut chunk) = free.pop() else {
                        overflow = (kept.len() / slot.frame_bytes) as u64;
                        slot.missing_from.get_or_insert(slot.next);
                        slot.next += overflow;
                        break;
                    };
                    if let Some(first) = slot.missing_from.take() {
                        ready.push(Item::Gap { number: slot.number, first, samples: slot.next - first });
                    }
                    chunk.first = slot.next;
                    chunk.frame_bytes = slot.frame_bytes;
                    chunk.len = 0;
                    chunk
                }
            };
            let (now, rest) = kept.split_at(kept.len().min(CHUNK_BYTES - chunk.len));
            chunk.bytes[chunk.len..chunk.len + now.len()].copy_from_slice(now);
            chunk.len += now.len();
            slot.next += (now.len() / slot.frame_bytes) as u64;
            kept = rest;
            if chunk.len == CHUNK_BYTES {
                ready.push(Item::Audio { number: slot.number, chunk });
            } else {
                slot.chunk = Some(chunk);
            }
        }
        self.lose(open.port, overflow, GapCause::Overflow);
        self.lose(open.port, jumped, GapCause::NotCaptured);
    }
}
