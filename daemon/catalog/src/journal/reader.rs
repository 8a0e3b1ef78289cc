//! Reads the journal: its segments in order, entry by entry, over damage, which is told and never passed in silence.

use std::fmt;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::entry::{Body, Entry};
use crate::error::Error;
use crate::journal::format::{
    self, FORMAT, FRAME_HEADER_BYTES, Found, Frame, Frames, MAX_PAYLOAD_BYTES, SegmentHeader,
};
use crate::journal::{Place, RawEntry};

/// A segment file of the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    pub first_sequence: u64,
    pub path: PathBuf,
}

/// The name of a segment's file.
pub(super) fn segment_path(folder: &Path, first_sequence: u64) -> PathBuf {
    folder.join(format!("{first_sequence:020}.journal"))
}

/// The segments of a journal folder, in order. A folder that does not exist has none.
pub fn segments(folder: &Path) -> Result<Vec<Segment>, Error> {
    let listing = match fs::read_dir(folder) {
        Ok(listing) => listing,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::io("list the journal folder", folder)(error)),
    };
    let mut found = Vec::new();
    for item in listing {
        let item = item.map_err(Error::io("list the journal folder", folder))?;
        let name = item.file_name();
        let Some(digits) = name.to_str().and_then(|name| name.strip_suffix(".journal")) else { continue };
        if digits.len() == 20
            && let Ok(first_sequence) = digits.parse()
        {
            found.push(Segment { first_sequence, path: item.path() });
        }
    }
    found.sort_by_key(|segment| segment.first_sequence);
    Ok(found)
}

/// Something of the journal that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Damage {
    /// Bytes between whole frames, or behind the last one.
    Bytes {
        path: PathBuf,
        offset: u64,
        bytes: u64,
    },
    /// The end of the last segment was cut off: what a power cut leaves of an unfinished write.
    TornTail {
        path: PathBuf,
        offset: u64,
        bytes: u64,
    },
    Header {
        path: PathBuf,
    },
    /// Entries that should lie between others and do not.
    Gap {
        path: PathBuf,
        first: u64,
        last: u64,
    },
    /// A whole frame whose text is not what its kind should say.
    Entry {
        path: PathBuf,
        sequence: u64,
        reason: String,
    },
}

impl Damage {
    /// Names what was lost, the same at every start; `None` for an unfinished write, which was nothing yet.
    pub fn place(&self) -> Option<String> {
        let (path, place) = match self {
            Self::Bytes { path, offset, .. } => (path, format!("byte {offset}")),
            Self::Header { path } => (path, "header".to_owned()),
            Self::Gap { path, first, last } => (path, format!("entries {first}-{last}")),
            Self::Entry { path, sequence, .. } => (path, format!("entry {sequence}")),
            Self::TornTail { .. } => return None,
        };
        Some(format!("{}, {place}", path.file_name()?.to_string_lossy()))
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes { path, offset, bytes } => {
                write!(
                    out,
                    "{}: {bytes} bytes from byte {offset} on cannot be read and were skipped",
                    path.display()
                )
            }
            Self::TornTail { path, offset, bytes } => {
                write!(
                    out,
                    "{}: an unfinished write of {bytes} bytes at byte {offset} was cut off",
                    path.display()
                )
            }
            Self::Header { path } => write!(out, "{}: its header cannot be read", path.display()),
            Self::Gap { path, first, last } => {
                write!(out, "{}: entries {first} to {last} are missing", path.display())
            }
            Self::Entry { path, sequence, reason } => {
                write!(out, "{}: entry {sequence} cannot be understood ({reason})", path.display())
            }
        }
    }
}

/// A whole segment in memory.
pub(super) struct SegmentBytes {
    pub bytes: Vec<u8>,
    /// `None`: damaged.
    pub header: Option<SegmentHeader>,
}

/// Reads a segment; one of a newer format is refused.
pub(super) fn read_segment(segment: &Segment) -> Result<SegmentBytes, Error> {
    let bytes = fs::read(&segment.path).map_err(Error::io("read", &segment.path))?;
    let header = SegmentHeader::decode(&bytes);
    match header {
        Some(header) if header.readable_from > FORMAT => Err(Error::NewerFormat {
            path: segment.path.clone(),
            found: u32::from(header.format),
            known: u32::from(FORMAT),
        }),
        _ => Ok(SegmentBytes { bytes, header }),
    }
}

/// Understands a frame's payload. An entry of a newer kind or version is `Body::Unknown`; one of a known kind that
/// says something impossible is an error with its reason.
pub fn decode_body(frame: &Frame<'_>) -> Result<Body, String> {
    Body::from_payload(frame.entry_version, frame.payload)
}

/// An entry, where it lies, and its frame's checksum.
#[derive(Clone, Debug, PartialEq)]
pub struct Placed {
    pub entry: Entry,
    pub place: Place,
    pub crc: u32,
}

/// Walks the journal from an entry on, one segment in memory at a time.
pub struct JournalReader {
    segments: std::vec::IntoIter<Segment>,
    ahead: Option<Segment>,
    next_sequence: u64,
    /// What could not be read so far.
    pub damage: Vec<Damage>,
}

impl JournalReader {
    /// Reads from entry `from` on (1: the whole journal). Segments that end before it are not opened.
    pub fn open(folder: &Path, from: u64) -> Result<Self, Error> {
        let mut all = segments(folder)?;
        let begin = all.iter().rposition(|segment| segment.first_sequence <= from).unwrap_or(0);
        all.drain(..begin);
        let mut segments = all.into_iter();
        let ahead = segments.next();
        Ok(Self { segments, ahead, next_sequence: from, damage: Vec::new() })
    }

    /// The entries of the next segment, in order; `None` behind the last one.
    pub fn next_segment(&mut self) -> Result<Option<Vec<Placed>>, Error> {
        let Some(segment) = self.ahead.take() else { return Ok(None) };
        self.ahead = self.segments.next();
        // Frames that a failed write left behind carry numbers that the following segment gave out again.
        let limit = self.ahead.as_ref().map_or(u64::MAX, |next| next.first_sequence);
        let whole = read_segment(&segment)?;
        if whole.header.is_none() {
            self.damage.push(Damage::Header { path: segment.path.clone() });
        }
        let mut entries = Vec::new();
        for found in Frames::of_segment(&whole.bytes) {
            match found {
                // Behind the last frame of all an append may be under way; what an earlier run left there,
                // `Journal::open` has cut off and told.
                Found::Damage { to_the_end: true, .. } if self.ahead.is_none() => {}
                Found::Damage { offset, bytes, .. } => self.damage.push(Damage::Bytes {
                    path: segment.path.clone(),
                    offset: offset as u64,
                    bytes: bytes as u64,
                }),
                Found::Frame { offset, frame } => {
                    let place = Place { segment: segment.first_sequence, offset: offset as u64 };
                    if frame.sequence >= self.next_sequence && frame.sequence < limit {
                        self.take(&segment, place, &frame, &mut entries);
                    }
                }
            }
        }
        Ok(Some(entries))
    }

    fn take(&mut self, segment: &Segment, place: Place, frame: &Frame<'_>, entries: &mut Vec<Placed>) {
        if frame.sequence > self.next_sequence {
            self.damage.push(Damage::Gap {
                path: segment.path.clone(),
                first: self.next_sequence,
                last: frame.sequence - 1,
            });
        }
        self.next_sequence = frame.sequence + 1;
        let body = decode_body(frame).unwrap_or_else(|reason| {
            let sequence = frame.sequence;
            self.damage.push(Damage::Entry { path: segment.path.clone(), sequence, reason });
            Body::Unknown { kind: String::new() }
        });
        let entry = Entry { sequence: frame.sequence, utc_us: frame.utc_us, body };
        entries.push(Placed { entry, place, crc: frame.crc });
    }
}

/// Reads one entry from its place: what the catalog does for the facts of a record.
pub fn read_entry(folder: &Path, place: Place, sequence: u64) -> Result<Entry, Error> {
    let unreadable = || Error::EntryUnreadable { sequence };
    let bytes = read_frame_bytes(folder, place)?.ok_or_else(unreadable)?;
    let frame =
        format::decode_frame(&bytes).filter(|frame| frame.sequence == sequence).ok_or_else(unreadable)?;
    let body = decode_body(&frame).map_err(|_| unreadable())?;
    Ok(Entry { sequence, utc_us: frame.utc_us, body })
}

/// Reads one entry from its place as it stands there.
pub fn read_raw(folder: &Path, place: Place, sequence: u64) -> Result<RawEntry, Error> {
    let unreadable = || Error::EntryUnreadable { sequence };
    let bytes = read_frame_bytes(folder, place)?.ok_or_else(unreadable)?;
    let frame = format::decode_frame(&bytes).filter(|frame| frame.sequence == sequence);
    Ok(RawEntry::of(&frame.ok_or_else(unreadable)?, place))
}

/// Sequence number and checksum of the whole frame at a place, if there is one.
pub fn frame_at(folder: &Path, place: Place) -> Result<Option<(u64, u32)>, Error> {
    let bytes = read_frame_bytes(folder, place)?;
    Ok(bytes.as_deref().and_then(format::decode_frame).map(|frame| (frame.sequence, frame.crc)))
}

fn read_frame_bytes(folder: &Path, place: Place) -> Result<Option<Vec<u8>>, Error> {
    let path = segment_path(folder, place.segment);
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::io("open", &path)(error)),
    };
    read_frame_in(&file, place.offset, &path)
}

/// The bytes of the frame that begins at `offset`, not yet checked; `None`: none begins there, or the file ends in it.
pub(super) fn read_frame_in(file: &File, offset: u64, path: &Path) -> Result<Option<Vec<u8>>, Error> {
    let mut head = [0; FRAME_HEADER_BYTES];
    if !read_at(file, &mut head, offset, path)? {
        return Ok(None);
    }
    let Some(payload) = format::payload_bytes(&head).filter(|&bytes| bytes <= MAX_PAYLOAD_BYTES) else {
        return Ok(None);
    };
    let mut bytes = vec![0; FRAME_HEADER_BYTES + payload];
    Ok(read_at(file, &mut bytes, offset, path)?.then_some(bytes))
}

/// `false`: the file ends before.
fn read_at(file: &File, into: &mut [u8], offset: u64, path: &Path) -> Result<bool, Error> {
    match file.read_exact_at(into, offset) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(Error::io("read", path)(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decode(entry_version: u16, payload: &[u8]) -> Result<Body, String> {
        decode_body(&Frame { sequence: 1, utc_us: 0, entry_version, crc: 0, payload, bytes: payload })
    }

    #[test]
    fn newer_entries_are_unknown_and_wrong_ones_have_a_reason() {
        let unknown = |kind: &str| Ok(Body::Unknown { kind: kind.into() });
        assert_eq!(decode(1, br#"{"kind":"legal_hold","body":{"case":7}}"#), unknown("legal_hold"));
        assert_eq!(
            decode(2, br#"{"kind":"account_removed","body":{"name":"x"}}"#),
            unknown("account_removed")
        );
        let known = br#"{"kind":"account_removed","body":{"name":"x","why":"a later member"}}"#;
        assert!(matches!(decode(1, known), Ok(Body::AccountRemoved(name)) if name.name == "x"));
        for wrong in
            [&b"{}"[..], b"", b"7", br#"{"kind":"account_removed","body":{}}"#, br#"{"kind":"record"}"#]
        {
            assert!(decode(1, wrong).is_err(), "{}", String::from_utf8_lossy(wrong));
        }
    }

    #[test]
    fn every_kind_is_listed_by_the_name_it_is_written_with() {
        use crate::entry::{Name, RecordRef};
        let record = recording::RecordId { serial: "S".into(), sequence: 1 };
        for body in [
            Body::AccountRemoved(Name { name: "x".into() }),
            Body::ContactRemoved(Name { name: "x".into() }),
            Body::FileMissing(RecordRef { record: record.clone() }),
            Body::FileFound(RecordRef { record }),
        ] {
            let json = serde_json::to_value(&body).unwrap();
            assert!(Body::KINDS.contains(&json["kind"].as_str().unwrap()), "{json}");
        }
    }

    proptest! {
        #[test]
        fn any_payload_is_read_or_refused(payload in prop::collection::vec(any::<u8>(), 0..200), version in 0u16..4) {
            let _ = decode(version, &payload);
        }

        #[test]
        fn any_json_of_a_known_kind_is_read_or_refused(at in 0..Body::KINDS.len(), body in "[{}\\[\\]\":,a-z0-9]{0,40}") {
            let _ = decode(1, format!("{{\"kind\":\"{}\",\"body\":{body}}}", Body::KINDS[at]).as_bytes());
        }

        #[test]
        fn any_place_is_read_or_refused(segment in 0u64..3, offset: u64, bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let folder = tempfile::tempdir().unwrap();
            fs::write(segment_path(folder.path(), 1), bytes).unwrap();
            let offset = if offset % 2 == 0 { offset % 200 } else { offset };
            prop_assert_eq!(frame_at(folder.path(), Place { segment, offset }).ok().flatten(), None);
        }
    }
}
