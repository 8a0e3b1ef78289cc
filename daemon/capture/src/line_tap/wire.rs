//! The bytes of a line tap, as `PROTOCOL.md` beside this file lays them out: what it says of itself, and its packets of
//! 10 ms. Decoding borrows and allocates nothing; whatever does not fit is refused with what was wrong with it.

use crate::{BLOCK_SAMPLES, LineStatus};

/// A line tap is known by its interface, whoever made it: class, subclass and protocol.
pub const INTERFACE: (u8, u8, u8) = (0xFF, 0x48, 0x01);
/// Where packets come from.
pub const PACKETS_ENDPOINT: u8 = 0x81;
/// Bytes of a USB packet at high speed: a shorter one ends a transfer.
pub const USB_PACKET_BYTES: usize = 512;

/// Vendor requests to the interface.
pub mod request {
    pub const IDENTITY: u8 = 1;
    pub const START: u8 = 2;
    pub const STOP: u8 = 3;
    pub const GAIN: u8 = 4;
    pub const SELF_TEST: u8 = 5;
}

/// The protocol that this box speaks; another minor number only adds to it.
pub const MAJOR: u8 = 1;
pub const FEWEST_LINES: usize = 4;
pub const MOST_LINES: usize = 32;
/// Milliseconds that a unit holds at least while the box does not fetch.
pub const LEAST_FIFO_MS: u16 = 500;

pub const IDENTITY_BYTES: usize = 128;
pub const SELF_TEST_BYTES: usize = 8;
const HEADER_BYTES: usize = 32;
const STATUS_BYTES: usize = 4;
const CHECKSUM_BYTES: usize = 4;

/// Bytes of a packet of so many lines.
pub const fn packet_bytes(lines: usize) -> usize {
    HEADER_BYTES + lines * (STATUS_BYTES + 2 * BLOCK_SAMPLES) + CHECKSUM_BYTES
}

/// What a unit answers to `IDENTITY`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub lines: usize,
    pub fifo_ms: u16,
    /// Least and greatest gain, in tenths of a decibel.
    pub gain_tenth_db: (i16, i16),
    pub serial: String,
    pub firmware: String,
    /// Maker and model, as people know it.
    pub model: String,
}

/// Why an identity is of no use; goes on behind "USB line tap S".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    #[error("describes itself in {bytes} bytes where {IDENTITY_BYTES} are due")]
    Short { bytes: usize },
    #[error("does not answer as a line tap")]
    Magic,
    #[error("speaks version {major}.{minor} of the line-tap protocol, this box version {MAJOR}")]
    Version { major: u8, minor: u8 },
    #[error("says that it has {lines} lines; a line tap has {FEWEST_LINES} to {MOST_LINES}")]
    Lines { lines: usize },
    #[error("holds {fifo_ms} ms of samples, {LEAST_FIFO_MS} ms are the least")]
    Fifo { fifo_ms: u16 },
    #[error("cannot be set to a gain of 0 dB, only from {least} to {greatest} tenths of a decibel")]
    Gain { least: i16, greatest: i16 },
    #[error("has a {field} that is empty or not plain ASCII")]
    Text { field: &'static str },
}

impl Identity {
    /// # Errors
    /// See [`IdentityError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, IdentityError> {
        let Some(bytes) = bytes.first_chunk::<IDENTITY_BYTES>() else {
            return Err(IdentityError::Short { bytes: bytes.len() });
        };
        if !bytes.starts_with(b"HLTI") {
            return Err(IdentityError::Magic);
        }
        if bytes[4] != MAJOR {
            return Err(IdentityError::Version { major: bytes[4], minor: bytes[5] });
        }
        let lines = usize::from(bytes[6]);
        if !(FEWEST_LINES..=MOST_LINES).contains(&lines) {
            return Err(IdentityError::Lines { lines });
        }
        let word = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
        let fifo_ms = word(8);
        if fifo_ms < LEAST_FIFO_MS {
            return Err(IdentityError::Fifo { fifo_ms });
        }
        let (least, greatest) = (word(10) as i16, word(12) as i16);
        if !(least..=greatest).contains(&0) {
            return Err(IdentityError::Gain { least, greatest });
        }
        Ok(Self {
            lines,
            fifo_ms,
            gain_tenth_db: (least, greatest),
            serial: text(&bytes[16..48], "serial number")?,
            firmware: text(&bytes[48..80], "firmware version")?,
            model: text(&bytes[80..128], "model")?,
        })
    }
}

/// ASCII that can be printed, filled up with zeros.
fn text(bytes: &[u8], field: &'static str) -> Result<String, IdentityError> {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    let (text, filling) = bytes.split_at(end);
    if text.is_empty()
        || !text.iter().all(|byte| (b' '..=b'~').contains(byte))
        || filling.iter().any(|byte| *byte != 0)
    {
        return Err(IdentityError::Text { field });
    }
    Ok(text.iter().map(|byte| char::from(*byte)).collect())
}

/// What a unit found out about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SelfTest {
    /// Bit n: line n + 1 does not work.
    pub faulty_lines: u32,
    /// Bit 0: the reference voltage, 1: the sample clock, 2: a supply, 3: the firmware's checksum.
    pub faulty_parts: u16,
}

impl SelfTest {
    /// `None`: too short.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.first_chunk::<SELF_TEST_BYTES>()?;
        Some(Self {
            faulty_lines: u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]),
            faulty_parts: u16::from_le_bytes([bytes[4], bytes[5]]),
        })
    }

    pub fn passed(self) -> bool {
        self.faulty_lines == 0 && self.faulty_parts == 0
    }
}

/// What stands at the head of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// One more with every packet since `START`; goes round behind 2^32.
    pub sequence: u32,
    /// Number of the packet's first sample since the unit was switched on.
    pub first_sample: u64,
    /// How long the last sample has waited in the unit, in microseconds.
    pub waited_us: u32,
    /// Packets of the unit that wait behind this one.
    pub waiting: u16,
    /// The unit had to drop samples before this packet.
    pub overflow: bool,
}

/// 10 ms of all lines of a unit.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    pub header: Header,
    status: &'a [u8],
    samples: &'a [u8],
}

/// Why a packet is of no use; goes on behind "USB line tap S sent".
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PacketError {
    #[error("a packet of {bytes} bytes where {due} are due")]
    Size { bytes: usize, due: usize },
    #[error("a packet that does not begin with HLTP")]
    Magic,
    #[error("a packet of {lines} lines where its identity says {due}")]
    Lines { lines: usize, due: usize },
    #[error("a packet that says it has {said} bytes and has {bytes}")]
    Length { said: usize, bytes: usize },
    #[error("a packet with a wrong checksum")]
    Checksum,
    #[error("a packet that has waited {waited_us} us in it, longer than a minute")]
    Waited { waited_us: u32 },
}

impl PacketError {
    /// What it is in one word, for those who count.
    pub fn code(self) -> &'static str {
        match self {
            Self::Size { .. } => "packet_size",
            Self::Magic => "packet_magic",
            Self::Lines { .. } => "packet_lines",
            Self::Length { .. } => "packet_length",
            Self::Checksum => "packet_checksum",
            Self::Waited { .. } => "packet_waited",
        }
    }
}

/// Longer than any FIFO can hold.
const LONGEST_WAIT_US: u32 = 60_000_000;

impl<'a> Packet<'a> {
    /// Whole bytes of one transfer, from a unit of so many lines.
    ///
    /// # Errors
    /// See [`PacketError`].
    pub fn decode(bytes: &'a [u8], lines: usize) -> Result<Self, PacketError> {
        let due = packet_bytes(lines);
        let Some((head, _)) = bytes.split_first_chunk::<HEADER_BYTES>() else {
            return Err(PacketError::Size { bytes: bytes.len(), due });
        };
        if !head.starts_with(b"HLTP") {
            return Err(PacketError::Magic);
        }
        let word = |at: usize| u16::from_le_bytes([head[at], head[at + 1]]);
        let long = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        if usize::from(head[6]) != lines {
            return Err(PacketError::Lines { lines: head[6].into(), due: lines });
        }
        if bytes.len() != due {
            return Err(PacketError::Size { bytes: bytes.len(), due });
        }
        if usize::from(word(4)) != due {
            return Err(PacketError::Length { said: word(4).into(), bytes: due });
        }
        let (covered, checksum) = bytes.split_at(due - CHECKSUM_BYTES);
        if crc32fast::hash(covered).to_le_bytes() != checksum {
            return Err(PacketError::Checksum);
        }
        let waited_us = long(12);
        if waited_us > LONGEST_WAIT_US {
            return Err(PacketError::Waited { waited_us });
        }
        let (status, samples) = covered[HEADER_BYTES..].split_at(lines * STATUS_BYTES);
        let header = Header {
            sequence: long(8),
            first_sample: u64::from(long(16)) | u64::from(long(20)) << 32,
            waited_us,
            waiting: word(24),
            overflow: head[7] & 1 != 0,
        };
        Ok(Self { header, status, samples })
    }

    /// Status of the lines, from the first on.
    pub fn status(&self) -> impl Iterator<Item = LineStatus> {
        self.status.chunks_exact(STATUS_BYTES).map(|raw| LineStatus {
            volts: f32::from(i16::from_le_bytes([raw[0], raw[1]])) / 100.0,
            ring_volts: f32::from(u16::from_le_bytes([raw[2], raw[3]])) / 100.0,
        })
    }

    /// Fills `samples` with those of the first lines, line after line.
    pub fn copy_samples(&self, samples: &mut [i16]) {
        for (sample, raw) in samples.iter_mut().zip(self.samples.chunks_exact(2)) {
            *sample = i16::from_le_bytes([raw[0], raw[1]]);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PAGE: &str = include_str!("PROTOCOL.md");

    /// The bytes of an example of the page: the block of hex behind its heading, offsets in front of each row.
    fn example(heading: &str) -> Vec<u8> {
        let (_, rest) = PAGE.split_once(heading).expect("the page has the heading");
        let block = rest.split("```").nth(1).expect("a block follows it");
        let mut bytes = Vec::new();
        for row in block.lines().skip(1).filter(|row| !row.is_empty()) {
            let (offset, hex) = row.split_once("  ").expect("an offset, two spaces, bytes");
            assert_eq!(usize::from_str_radix(offset, 16).unwrap(), bytes.len(), "the offset of {row:?}");
            bytes.extend(hex.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).unwrap()));
        }
        bytes
    }

    #[test]
    fn the_packet_of_the_page_is_what_the_page_says() {
        let bytes = example("### A whole packet");
        assert_eq!(bytes.len(), packet_bytes(4));
        let packet = Packet::decode(&bytes, 4).unwrap();
        assert_eq!(
            packet.header,
            Header { sequence: 7, first_sample: 4_294_967_856, waited_us: 125, waiting: 0, overflow: false }
        );
        let status: Vec<_> = packet.status().map(|line| (line.volts, line.ring_volts)).collect();
        assert_eq!(status, [(48.12, 0.0), (-9.5, 0.0), (-48.0, 75.25), (0.0, 0.0)]);
        let mut samples = [0; 4 * BLOCK_SAMPLES];
        packet.copy_samples(&mut samples);
        assert_eq!(samples[..4], [0, 1, 2, 3]);
        assert_eq!(samples[80..84], [-1, -2, -3, -4]);
        assert_eq!((samples[160], samples[161]), (32_767, -32_768));
        assert!(samples[162..].iter().all(|sample| *sample == 0));
    }

    #[test]
    fn the_identity_of_the_page_is_what_the_page_says() {
        let identity = Identity::decode(&example("### A whole identity")).unwrap();
        assert_eq!(
            identity,
            Identity {
                lines: 16,
                fifo_ms: 640,
                gain_tenth_db: (-120, 240),
                serial: "LT16-000123".into(),
                firmware: "1.4.2".into(),
                model: "Example Works LT-16".into(),
            }
        );
    }

    #[test]
    fn each_wrong_packet_is_called_by_its_name() {
        let good = example("### A whole packet");
        let refused = |change: fn(&mut Vec<u8>)| {
            let mut bytes = good.clone();
            change(&mut bytes);
            Packet::decode(&bytes, 4).map(|_| ()).unwrap_err()
        };
        assert_eq!(refused(|b| b.truncate(0)), PacketError::Size { bytes: 0, due: 692 });
        assert_eq!(refused(|b| b.truncate(691)), PacketError::Size { bytes: 691, due: 692 });
        assert_eq!(refused(|b| b.push(0)), PacketError::Size { bytes: 693, due: 692 });
        assert_eq!(refused(|b| b[0] = 0), PacketError::Magic);
        assert_eq!(refused(|b| b[6] = 8), PacketError::Lines { lines: 8, due: 4 });
        assert_eq!(refused(|b| b[4] = 0), PacketError::Length { said: 512, bytes: 692 });
        assert_eq!(refused(|b| b[100] ^= 1), PacketError::Checksum);
        let late = |b: &mut Vec<u8>| {
            b[15] = 4;
            let sum = crc32fast::hash(&b[..688]).to_le_bytes();
            b[688..].copy_from_slice(&sum);
        };
        assert_eq!(refused(late), PacketError::Waited { waited_us: 67_108_989 });
    }

    #[test]
    fn each_wrong_identity_is_called_by_its_name() {
        let good = example("### A whole identity");
        let refused = |at: usize, value: u8| {
            let mut bytes = good.clone();
            bytes[at] = value;
            Identity::decode(&bytes).unwrap_err()
        };
        assert_eq!(Identity::decode(&good[..127]), Err(IdentityError::Short { bytes: 127 }));
        assert_eq!(refused(0, b'h'), IdentityError::Magic);
        assert_eq!(refused(4, 2), IdentityError::Version { major: 2, minor: 0 });
        assert_eq!(refused(6, 33), IdentityError::Lines { lines: 33 });
        assert_eq!(refused(6, 3), IdentityError::Lines { lines: 3 });
        assert_eq!(refused(9, 1), IdentityError::Fifo { fifo_ms: 384 });
        assert_eq!(refused(11, 0), IdentityError::Gain { least: 136, greatest: 240 });
        assert_eq!(refused(16, 0), IdentityError::Text { field: "serial number" });
        assert_eq!(refused(79, 1), IdentityError::Text { field: "firmware version" });
        assert_eq!(refused(80, 0xC3), IdentityError::Text { field: "model" });
    }

    /// A packet of these lines with a right length and checksum, whatever else stands in it.
    fn sealed(lines: usize, filling: &[u8]) -> Vec<u8> {
        let due = packet_bytes(lines);
        let mut bytes: Vec<u8> = filling.iter().copied().cycle().take(due - 4).collect();
        bytes[..4].copy_from_slice(b"HLTP");
        bytes[4..6].copy_from_slice(&(due as u16).to_le_bytes());
        bytes[6] = lines as u8;
        bytes[12..16].copy_from_slice(&[0; 4]);
        bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
        bytes
    }

    proptest! {
        #[test]
        fn any_bytes_are_refused_or_whole(bytes in proptest::collection::vec(any::<u8>(), 0..6000), lines in 4_usize..=32) {
            prop_assert!(Packet::decode(&bytes, lines).is_err());
            let _ = Identity::decode(&bytes);
            let _ = SelfTest::decode(&bytes);
        }

        #[test]
        fn what_is_sealed_is_read_whole(filling in proptest::collection::vec(any::<u8>(), 1..600), lines in 4_usize..=32) {
            let bytes = sealed(lines, &filling);
            let packet = Packet::decode(&bytes, lines).unwrap();
            prop_assert_eq!(packet.status().count(), lines);
            let mut samples = vec![0; lines * BLOCK_SAMPLES];
            packet.copy_samples(&mut samples);
            let raw: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
            prop_assert_eq!(&raw, &bytes[HEADER_BYTES + 4 * lines..bytes.len() - 4]);
        }

        #[test]
        fn one_changed_byte_is_never_taken_for_whole(at in 0_usize..692, flip in 1_u8..) {
            let mut bytes = sealed(4, &[3, 1, 4]);
            bytes[at] ^= flip;
            prop_assert!(Packet::decode(&bytes, 4).is_err());
        }
    }
}
