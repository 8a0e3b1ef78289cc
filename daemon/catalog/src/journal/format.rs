//! The bytes of a journal segment: its header, its frames, and how the next whole frame is found behind damage.
//! Pure; all numbers little-endian. The layout is described in this room's README.

use crc32fast::Hasher;

/// Format that this release writes.
pub const FORMAT: u16 = 1;
/// Oldest reader that understands what this release writes.
pub const READABLE_FROM: u16 = 1;
/// Version of the entries' JSON that this release writes; a higher one is carried along unread.
pub const ENTRY_VERSION: u16 = 1;

pub const SEGMENT_HEADER_BYTES: usize = 40;
pub const FRAME_HEADER_BYTES: usize = 32;
/// The longest JSON an entry may have: more than the facts chunk of a recording, which is at most 16 MiB.
pub const MAX_PAYLOAD_BYTES: usize = 20 << 20;

const SEGMENT_MAGIC: [u8; 8] = *b"HKLNJRNL";
/// 0xFF stands in no UTF-8 text, so that a marker never lies inside a payload.
const FRAME_MARKER: [u8; 4] = [0xFF, b'H', b'L', b'J'];

/// Head of a segment file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentHeader {
    pub format: u16,
    pub readable_from: u16,
    /// Sequence number of the first entry.
    pub first_sequence: u64,
    pub created_us: i64,
    /// Highest record sequence number of the box itself in the segments before; 0: none.
    pub records_before: u64,
}

impl SegmentHeader {
    pub fn encode(&self) -> [u8; SEGMENT_HEADER_BYTES] {
        let mut bytes = [0; SEGMENT_HEADER_BYTES];
        bytes[0..8].copy_from_slice(&SEGMENT_MAGIC);
        bytes[8..10].copy_from_slice(&self.format.to_le_bytes());
        bytes[10..12].copy_from_slice(&self.readable_from.to_le_bytes());
        bytes[12..20].copy_from_slice(&self.first_sequence.to_le_bytes());
        bytes[20..28].copy_from_slice(&self.created_us.to_le_bytes());
        bytes[28..36].copy_from_slice(&self.records_before.to_le_bytes());
        let crc = crc32fast::hash(&bytes[..36]);
        bytes[36..40].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// `None`: cut short or damaged.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.get(..SEGMENT_HEADER_BYTES)?;
        let whole = bytes[0..8] == SEGMENT_MAGIC && crc32fast::hash(&bytes[..36]) == u32_at(bytes, 36);
        whole.then(|| Self {
            format: u16_at(bytes, 8),
            readable_from: u16_at(bytes, 10),
            first_sequence: u64_at(bytes, 12),
            created_us: u64_at(bytes, 20).cast_signed(),
            records_before: u64_at(bytes, 28),
        })
    }
}

/// A whole frame with a right checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    pub sequence: u64,
    pub utc_us: i64,
    pub entry_version: u16,
    pub crc: u32,
    /// UTF-8 JSON, as far as this release wrote it.
    pub payload: &'a [u8],
    /// All bytes of the frame: what a leaf of a Merkle tree hashes.
    pub bytes: &'a [u8],
}

/// Appends one frame to `out` and gives its checksum. The payload is at most `MAX_PAYLOAD_BYTES`.
pub fn encode_frame(out: &mut Vec<u8>, sequence: u64, utc_us: i64, payload: &[u8]) -> u32 {
    debug_assert!(payload.len() <= MAX_PAYLOAD_BYTES);
    let mut head = [0; FRAME_HEADER_BYTES];
    head[0..4].copy_from_slice(&FRAME_MARKER);
    head[4..8].copy_from_slice(&(payload.len() as u32).to_le_bytes());
    head[8..16].copy_from_slice(&sequence.to_le_bytes());
    head[16..24].copy_from_slice(&utc_us.to_le_bytes());
    head[24..26].copy_from_slice(&ENTRY_VERSION.to_le_bytes());
    let crc = frame_crc(&head, payload);
    head[28..32].copy_from_slice(&crc.to_le_bytes());
    out.extend_from_slice(&head);
    out.extend_from_slice(payload);
    crc
}

/// The frame at the beginning of `bytes`, if a whole one stands there.
pub fn decode_frame(bytes: &[u8]) -> Option<Frame<'_>> {
    let head = bytes.get(..FRAME_HEADER_BYTES)?;
    if head[0..4] != FRAME_MARKER {
        return None;
    }
    let payload_bytes = u32_at(head, 4) as usize;
    if payload_bytes > MAX_PAYLOAD_BYTES {
        return None;
    }
    let end = FRAME_HEADER_BYTES + payload_bytes;
    let payload = bytes.get(FRAME_HEADER_BYTES..end)?;
    let crc = u32_at(head, 28);
    (frame_crc(head, payload) == crc).then(|| Frame {
        sequence: u64_at(head, 8),
        utc_us: u64_at(head, 16).cast_signed(),
        entry_version: u16_at(head, 24),
        crc,
        payload,
        bytes: &bytes[..end],
    })
}

/// The payload's length that a frame's header tells; `None` if it is no header.
pub fn payload_bytes(head: &[u8; FRAME_HEADER_BYTES]) -> Option<usize> {
    (head[0..4] == FRAME_MARKER).then(|| u32_at(head, 4) as usize)
}

/// Covers everything between marker and checksum, and the payload.
fn frame_crc(head: &[u8], payload: &[u8]) -> u32 {
    let mut hasher = Hasher::new();
    hasher.update(&head[4..28]);
    hasher.update(payload);
    hasher.finalize()
}

/// What stands in a segment behind its header, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found<'a> {
    Frame {
        offset: usize,
        frame: Frame<'a>,
    },
    /// Bytes in which no whole frame begins, up to the next one or to the end.
    Damage {
        offset: usize,
        bytes: usize,
        to_the_end: bool,
    },
}

/// Walks the frames of a segment, over damage.
#[derive(Clone, Debug)]
pub struct Frames<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Frames<'a> {
    /// `bytes`: the whole segment; reading begins behind its header.
    pub fn of_segment(bytes: &'a [u8]) -> Self {
        Self { bytes, at: SEGMENT_HEADER_BYTES.min(bytes.len()) }
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = Found<'a>;

    fn next(&mut self) -> Option<Found<'a>> {
        let rest = &self.bytes[self.at..];
        if rest.is_empty() {
            return None;
        }
        let offset = self.at;
        if let Some(frame) = decode_frame(rest) {
            self.at += frame.bytes.len();
            return Some(Found::Frame { offset, frame });
        }
        let next = (1..rest.len())
            .filter(|&skip| rest[skip] == FRAME_MARKER[0])
            .find(|&skip| decode_frame(&rest[skip..]).is_some());
        let bytes = next.unwrap_or(rest.len());
        self.at += bytes;
        Some(Found::Damage { offset, bytes, to_the_end: next.is_none() })
    }
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut four = [0; 4];
    four.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(four)
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut eight = [0; 8];
    eight.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(eight)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn segment_of(payloads: &[Vec<u8>]) -> Vec<u8> {
        let header = SegmentHeader {
            format: FORMAT,
            readable_from: READABLE_FROM,
            first_sequence: 1,
            created_us: 5,
            records_before: 0,
        };
        let mut bytes = header.encode().to_vec();
        for (index, payload) in payloads.iter().enumerate() {
            encode_frame(&mut bytes, index as u64 + 1, 7, payload);
        }
        bytes
    }

    /// JSON has no byte above 0xF4.
    fn payloads() -> impl Strategy<Value = Vec<Vec<u8>>> {
        prop::collection::vec(prop::collection::vec(0u8..0xF5, 0..200), 1..20)
    }

    #[test]
    fn the_segment_header_has_the_documented_bytes() {
        let header = SegmentHeader {
            format: 1,
            readable_from: 1,
            first_sequence: 0x0102_0304_0506_0708,
            created_us: -2,
            records_before: 9,
        };
        let bytes = header.encode();
        assert_eq!(&bytes[..12], b"HKLNJRNL\x01\x00\x01\x00");
        assert_eq!(bytes[12..20], [8, 7, 6, 5, 4, 3, 2, 1]);
        assert_eq!(bytes[20..28], [0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]);
        assert_eq!(SegmentHeader::decode(&bytes), Some(header));
        assert_eq!(SegmentHeader::decode(&bytes[..39]), None);
    }

    #[test]
    fn a_frame_has_the_documented_bytes() {
        let mut bytes = Vec::new();
        let crc = encode_frame(&mut bytes, 3, 0x11, b"{}");
        assert_eq!(&bytes[..8], b"\xFFHLJ\x02\x00\x00\x00");
        assert_eq!(bytes[8..16], [3, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(bytes[16..24], [0x11, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(bytes[24..28], [1, 0, 0, 0]);
        assert_eq!(bytes[28..32], crc.to_le_bytes());
        assert_eq!(&bytes[32..], b"{}");
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(payloads in payloads()) {
            let bytes = segment_of(&payloads);
            let mut read = Vec::new();
            for found in Frames::of_segment(&bytes) {
                match found {
                    Found::Frame { frame, .. } => read.push(frame.payload.to_vec()),
                    Found::Damage { .. } => prop_assert!(false, "damage in a whole segment"),
                }
            }
            prop_assert_eq!(read, payloads);
        }

        #[test]
        fn a_cut_loses_only_what_it_cuts(payloads in payloads(), cut in 0usize..4000) {
            let whole = segment_of(&payloads);
            let bytes = &whole[..cut.min(whole.len())];
            let mut end = SEGMENT_HEADER_BYTES;
            let kept = payloads.iter().take_while(|payload| {
                end += FRAME_HEADER_BYTES + payload.len();
                end <= bytes.len()
            }).count();
            let frames = Frames::of_segment(bytes).filter(|found| matches!(found, Found::Frame { .. })).count();
            prop_assert_eq!(frames, kept);
        }

        #[test]
        fn one_changed_byte_loses_one_frame_and_is_told(
            payloads in payloads(), at in SEGMENT_HEADER_BYTES..4000usize, change in 1u8..=255,
        ) {
            let mut bytes = segment_of(&payloads);
            let at = SEGMENT_HEADER_BYTES + (at - SEGMENT_HEADER_BYTES) % (bytes.len() - SEGMENT_HEADER_BYTES);
            bytes[at] ^= change;
            let found: Vec<_> = Frames::of_segment(&bytes).collect();
            let frames = found.iter().filter(|found| matches!(found, Found::Frame { .. })).count();
            prop_assert_eq!(frames, payloads.len() - 1);
            prop_assert_eq!(found.len(), payloads.len(), "one stretch of damage beside the frames");
        }

        #[test]
        fn any_bytes_are_walked_to_their_end(bytes in prop::collection::vec(any::<u8>(), 0..3000)) {
            let mut at = SEGMENT_HEADER_BYTES.min(bytes.len());
            for found in Frames::of_segment(&bytes) {
                let (offset, length) = match found {
                    Found::Frame { offset, frame } => (offset, frame.bytes.len()),
                    Found::Damage { offset, bytes, .. } => (offset, bytes),
                };
                prop_assert_eq!(offset, at);
                prop_assert!(length > 0);
                at += length;
            }
            prop_assert_eq!(at, bytes.len());
        }
    }
}
