//! One frame of the capture log: a header of 40 bytes, a payload, and zeros up to a multiple of 8. The checksum covers
//! header and payload; the generation says in which use of its segment a frame was written. See `README.md`.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::facts::MarkKind;
use crate::open::{Known, OpenStart, StopFacts, WithoutAudio};

pub(crate) const HEAD_BYTES: usize = 40;
pub(crate) const ALIGNMENT: usize = 8;
/// Longest payload: what is read at once, and what one damaged spot can cost.
pub(crate) const MAX_PAYLOAD_BYTES: usize = 32 << 10;
const MAGIC: [u8; 4] = *b"HKFR";
const CHECKSUM_AT: usize = 12;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    Begin = 1,
    Audio = 2,
    Gap = 3,
    Mark = 4,
    Known = 5,
    End = 6,
    WithoutAudio = 7,
    Claim = 8,
    Done = 9,
}

impl Kind {
    const ALL: [Self; 9] = [
        Self::Begin,
        Self::Audio,
        Self::Gap,
        Self::Mark,
        Self::Known,
        Self::End,
        Self::WithoutAudio,
        Self::Claim,
        Self::Done,
    ];
}

/// A frame as it lies in a segment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Frame<'a> {
    pub kind: Kind,
    pub generation: u64,
    /// Which recording it is about.
    pub number: u64,
    /// Audio, gap: the first sample. Claim: the sequence number. Mark: its sample. Otherwise 0.
    pub position: u64,
    pub payload: &'a [u8],
}

impl<'a> Frame<'a> {
    /// Bytes of a frame with `payload` bytes of payload.
    pub const fn bytes(payload: usize) -> usize {
        (HEAD_BYTES + payload).next_multiple_of(ALIGNMENT)
    }

    /// The frame at the beginning of `bytes`, if a whole one stands there.
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (head, rest) = bytes.split_first_chunk::<HEAD_BYTES>()?;
        let long = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let wide = |at: usize| u64::from(long(at)) | u64::from(long(at + 4)) << 32;
        if head[..4] != MAGIC || head[5..8] != [0; 3] {
            return None;
        }
        let length = usize::try_from(long(8)).ok().filter(|&length| length <= MAX_PAYLOAD_BYTES)?;
        let payload = rest.get(..length)?;
        let kind = Kind::ALL.into_iter().find(|&kind| kind as u8 == head[4])?;
        let right = checksum(head, payload) == long(CHECKSUM_AT);
        right.then_some(Self { kind, generation: wide(16), number: wide(24), position: wide(32), payload })
    }

    /// Appends the frame to `out`, and gives the bytes written. The payload may come in parts.
    pub fn write(
        out: &mut Vec<u8>,
        generation: u64,
        kind: Kind,
        number: u64,
        position: u64,
        payload: &[&[u8]],
    ) {
        let from = out.len();
        let length: usize = payload.iter().map(|part| part.len()).sum();
        let mut head = [0; HEAD_BYTES];
        head[..4].copy_from_slice(&MAGIC);
        head[4] = kind as u8;
        head[8..12].copy_from_slice(&(length as u32).to_le_bytes());
        head[16..24].copy_from_slice(&generation.to_le_bytes());
        head[24..32].copy_from_slice(&number.to_le_bytes());
        head[32..40].copy_from_slice(&position.to_le_bytes());
        out.extend(head);
        payload.iter().for_each(|part| out.extend_from_slice(part));
        let sum = checksum(&head, &out[from + HEAD_BYTES..]);
        out[from + CHECKSUM_AT..from + CHECKSUM_AT + 4].copy_from_slice(&sum.to_le_bytes());
        out.resize(from + Self::bytes(length), 0);
    }
}

/// CRC-32 of the header without its checksum, and the payload.
fn checksum(head: &[u8; HEAD_BYTES], payload: &[u8]) -> u32 {
    let mut hash = crc32fast::Hasher::new();
    hash.update(&head[..CHECKSUM_AT]);
    hash.update(&head[CHECKSUM_AT + 4..]);
    hash.update(payload);
    hash.finalize()
}

/// What a frame says.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Entry {
    Begin(Box<OpenStart>),
    Audio { first: u64, bytes: u32 },
    Gap { first: u64, samples: u64 },
    Mark { at: u64, kind: MarkKind },
    Known(Box<Known>),
    End(Box<StopFacts>),
    WithoutAudio(Box<WithoutAudio>),
    Claim { sequence: u64, path: Option<String> },
    Done,
}

impl Entry {
    /// `None`: the frame is whole, and this release does not understand it.
    pub fn of(frame: &Frame) -> Option<Self> {
        let position = frame.position;
        Some(match frame.kind {
            Kind::Begin => Self::Begin(from_json(frame.payload)?),
            Kind::Audio => Self::Audio { first: position, bytes: u32::try_from(frame.payload.len()).ok()? },
            Kind::Gap => {
                Self::Gap { first: position, samples: u64::from_le_bytes(frame.payload.try_into().ok()?) }
            }
            Kind::Mark => Self::Mark { at: position, kind: from_json(frame.payload)? },
            Kind::Known => Self::Known(from_json(frame.payload)?),
            Kind::End => Self::End(from_json(frame.payload)?),
            Kind::WithoutAudio => Self::WithoutAudio(from_json(frame.payload)?),
            Kind::Claim => Self::Claim { sequence: position, path: from_json(frame.payload)? },
            Kind::Done => Self::Done,
        })
    }
}

fn from_json<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    serde_json::from_slice(bytes).ok()
}

pub(crate) fn to_json(value: &impl Serialize) -> std::io::Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(std::io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn frame(generation: u64, number: u64, position: u64, payload: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        Frame::write(&mut bytes, generation, Kind::Audio, number, position, &[payload]);
        bytes
    }

    proptest! {
        #[test]
        fn a_frame_comes_back(generation: u64, number: u64, position: u64, payload in prop::collection::vec(any::<u8>(), 0..300)) {
            let bytes = frame(generation, number, position, &payload);
            prop_assert_eq!(bytes.len(), Frame::bytes(payload.len()));
            let back = Frame::parse(&bytes).unwrap();
            prop_assert_eq!(back, Frame { kind: Kind::Audio, generation, number, position, payload: &payload });
        }

        #[test]
        fn one_wrong_byte_is_noticed(payload in prop::collection::vec(any::<u8>(), 0..100), at: prop::sample::Index, flip in 1..=255u8) {
            let mut bytes = frame(1, 2, 3, &payload);
            let at = at.index(HEAD_BYTES + payload.len());
            bytes[at] ^= flip;
            prop_assert_eq!(Frame::parse(&bytes), None);
        }

        #[test]
        fn a_cut_frame_is_noticed(payload in prop::collection::vec(any::<u8>(), 1..100), at: prop::sample::Index) {
            let bytes = frame(1, 2, 3, &payload);
            prop_assert_eq!(Frame::parse(&bytes[..at.index(HEAD_BYTES + payload.len())]), None);
        }

        #[test]
        fn any_bytes_are_a_frame_or_none(mut bytes in prop::collection::vec(any::<u8>(), 0..200), magic: bool, kind in 0..12u8) {
            if magic && bytes.len() > 8 {
                bytes[..8].copy_from_slice(&[b'H', b'K', b'F', b'R', kind, 0, 0, 0]);
            }
            if let Some(frame) = Frame::parse(&bytes) {
                let _ = Entry::of(&frame);
            }
        }

        #[test]
        fn any_payload_is_an_entry_or_none(payload in prop::collection::vec(any::<u8>(), 0..200), json in "[{}\\[\\]\":,a-z0-9]{0,60}") {
            for kind in Kind::ALL {
                for payload in [&payload[..], json.as_bytes()] {
                    let _ = Entry::of(&Frame { kind, generation: 0, number: 0, position: 0, payload });
                }
            }
        }
    }
}
