//! The journal: the box's history as an append-only, checksummed file in segments. What stands here is the truth; the
//! catalog is made from it. The bytes are described in this room's README.

pub mod format;
mod reader;
mod tail;
mod writer;

pub use format::{ENTRY_VERSION, Found, Frame, Frames, MAX_PAYLOAD_BYTES};
pub use reader::{
    Damage, JournalReader, Placed, Segment, decode_body, frame_at, read_entry, read_raw, segments,
};
pub use tail::{JournalTail, RawEntry};
pub use writer::{Journal, Opened, encode};

/// Where a frame lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// First sequence number of the segment, which names its file.
    pub segment: u64,
    /// Byte of the frame's marker in that file.
    pub offset: u64,
}
