//! Appends to the journal: frames in one write, one `fdatasync`, all of them or none. Used by one thread.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::entry::Body;
use crate::error::Error;
use crate::journal::Place;
use crate::journal::format::{
    FORMAT, Found, Frames, MAX_PAYLOAD_BYTES, READABLE_FROM, SEGMENT_HEADER_BYTES, SegmentHeader,
    encode_frame,
};
use crate::journal::reader::{Damage, Segment, decode_body, read_segment, segment_path, segments};

/// A segment that has grown to this many bytes is followed by the next one.
const SEGMENT_BYTES: u64 = 8 << 20;

/// An entry's JSON, as the journal keeps it.
pub fn encode(body: &Body) -> Result<Vec<u8>, Error> {
    let payload = serde_json::to_vec(body).map_err(Error::Encode)?;
    if payload.len() > MAX_PAYLOAD_BYTES {
        return Err(Error::EntryTooLong { bytes: payload.len(), limit: MAX_PAYLOAD_BYTES });
    }
    Ok(payload)
}

/// The end of the journal, open for appending.
pub struct Journal {
    folder: PathBuf,
    /// `None`: the last segment may not be written any more; the next append begins another.
    open: Option<OpenSegment>,
    next_sequence: u64,
    /// Highest record sequence number of the box itself.
    records: u64,
    segment_bytes: u64,
}

struct OpenSegment {
    first_sequence: u64,
    path: PathBuf,
    file: File,
    /// Bytes that are whole and synced.
    length: u64,
}

/// What opening found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Opened {
    pub damage: Vec<Damage>,
    /// Last entry on disk; 0: the journal is empty.
    pub last_sequence: u64,
    /// Highest record sequence number of the box itself; 0: none.
    pub records: u64,
}

impl Journal {
    /// Opens the journal in `folder` (made if absent), reads its last segment and cuts off an unfinished write.
    /// Earlier segments are not read: `JournalReader` tells of their damage. `serial`: the box itself.
    pub fn open(folder: &Path, serial: &str) -> Result<(Self, Opened), Error> {
        Self::open_with(folder, serial, SEGMENT_BYTES)
    }

    pub(super) fn open_with(
        folder: &Path,
        serial: &str,
        segment_bytes: u64,
    ) -> Result<(Self, Opened), Error> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(Error::io("create", folder))?;
        let mut opened = Opened::default();
        let mut journal =
            Self { folder: folder.to_owned(), open: None, next_sequence: 1, records: 0, segment_bytes };
        if let Some(last) = segments(folder)?.pop() {
            journal.adopt(&last, serial, &mut opened)?;
        }
        opened.last_sequence = journal.next_sequence - 1;
        opened.records = journal.records;
        Ok((journal, opened))
    }

    /// Goes on with the last segment of an earlier run.
    fn adopt(&mut self, segment: &Segment, serial: &str, opened: &mut Opened) -> Result<(), Error> {
        let whole = read_segment(segment)?;
        self.next_sequence = segment.first_sequence;
        self.records = whole.header.map_or(0, |header| header.records_before);
        let mut end = SEGMENT_HEADER_BYTES.min(whole.bytes.len());
        for found in Frames::of_segment(&whole.bytes) {
            match found {
                Found::Frame { offset, frame } => {
                    end = offset + frame.bytes.len();
                    self.next_sequence = self.next_sequence.max(frame.sequence + 1);
                    if let Ok(Body::Record(record)) = decode_body(&frame)
                        && record.facts.id.serial == serial
                    {
                        self.records = self.records.max(record.facts.id.sequence);
                    }
                }
                Found::Damage { offset, bytes, to_the_end: false } => opened.damage.push(Damage::Bytes {
                    path: segment.path.clone(),
                    offset: offset as u64,
                    bytes: bytes as u64,
                }),
                Found::Damage { to_the_end: true, .. } => {}
            }
        }
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(&segment.path)
            .map_err(Error::io("open", &segment.path))?;
        if whole.header.is_none() {
            // Its frames are read as they are, but nothing more is written into it.
            opened.damage.push(Damage::Header { path: segment.path.clone() });
        }
        if end < whole.bytes.len() {
            keep_cut(&segment.path, &whole.bytes[end..]);
            file.set_len(end as u64).map_err(Error::io("cut an unfinished write off", &segment.path))?;
            file.sync_all().map_err(Error::io("sync", &segment.path))?;
            opened.damage.push(Damage::TornTail {
                path: segment.path.clone(),
                offset: end as u64,
                bytes: (whole.bytes.len() - end) as u64,
            });
        }
        if whole.header.is_some() {
            self.open = Some(OpenSegment {
                first_sequence: segment.first_sequence,
                path: segment.path.clone(),
                file,
                length: end as u64,
            });
        } else if self.next_sequence == segment.first_sequence {
            // A power cut while the segment was made: nothing is in it, and its name is needed again.
            fs::remove_file(&segment.path).map_err(Error::io("remove", &segment.path))?;
            sync_folder(&self.folder)?;
            self.records = self.records_before(serial)?;
        }
        Ok(())
    }

    /// Highest record sequence number of the box in the segment that is the last one now.
    fn records_before(&self, serial: &str) -> Result<u64, Error> {
        let Some(last) = segments(&self.folder)?.pop() else { return Ok(0) };
        let whole = read_segment(&last)?;
        let mut highest = whole.header.map_or(0, |header| header.records_before);
        for found in Frames::of_segment(&whole.bytes) {
            if let Found::Frame { frame, .. } = found
                && let Ok(Body::Record(record)) = decode_body(&frame)
                && record.facts.id.serial == serial
            {
                highest = highest.max(record.facts.id.sequence);
            }
        }
        Ok(highest)
    }

    /// The number that the next entry gets.
    pub fn next_sequence(&self) -> u64 {
        self.next_sequence
    }

    /// Remembers that a record of the box itself stands in the journal.
    pub fn note_record(&mut self, sequence: u64) {
        self.records = self.records.max(sequence);
    }

    /// Writes entries (as `encode` made them) one behind the other, syncs once, and tells where each lies. After an
    /// error none of them is in the journal.
    pub fn append(&mut self, utc_us: i64, payloads: &[&[u8]]) -> Result<Vec<(Place, u32)>, Error> {
        let full = self.open.as_ref().is_none_or(|open| open.length >= self.segment_bytes);
        if full {
            self.begin_segment(utc_us)?;
        }
        let Some(open) = &mut self.open else { return Err(Error::Closed) };
        let mut bytes = Vec::with_capacity(payloads.iter().map(|payload| payload.len() + 32).sum());
        let mut places = Vec::with_capacity(payloads.len());
        for (index, payload) in payloads.iter().enumerate() {
            let place = Place { segment: open.first_sequence, offset: open.length + bytes.len() as u64 };
            let crc = encode_frame(&mut bytes, self.next_sequence + index as u64, utc_us, payload);
            places.push((place, crc));
        }
        let written = open.file.write_all_at(&bytes, open.length).and_then(|()| open.file.sync_data());
        if let Err(error) = written {
            let error = Error::io("append to", &open.path)(error);
            // Whatever reached the file must not stand where the next append begins. If it cannot be cut off, or the
            // kernel dropped pages at a failed sync, a fresh segment follows, whose first number makes it void.
            let sound = open.file.set_len(open.length).is_ok() && matches!(error, Error::DiskFull { .. });
            if !sound {
                self.open = None;
            }
            return Err(error);
        }
        open.length += bytes.len() as u64;
        self.next_sequence += payloads.len() as u64;
        Ok(places)
    }

    pub(super) fn begin_segment(&mut self, utc_us: i64) -> Result<(), Error> {
        let path = segment_path(&self.folder, self.next_sequence);
        let header = SegmentHeader {
            format: FORMAT,
            readable_from: READABLE_FROM,
            first_sequence: self.next_sequence,
            created_us: utc_us,
            records_before: self.records,
        };
        // A file of that name holds nothing that was ever acknowledged: its first number is still to be given out.
        let made =
            OpenOptions::new().read(true).write(true).create(true).truncate(true).mode(0o600).open(&path);
        let mut file = made.map_err(Error::io("create", &path))?;
        file.write_all(&header.encode()).and_then(|()| file.sync_all()).map_err(Error::io("begin", &path))?;
        sync_folder(&self.folder)?;
        self.open = Some(OpenSegment {
            first_sequence: self.next_sequence,
            path,
            file,
            length: SEGMENT_HEADER_BYTES as u64,
        });
        Ok(())
    }
}

/// Keeps bytes that are cut off beside the segment, for whoever wants to look. Their loss is told in any case, so that
/// a disk too full for them is no reason to stop.
fn keep_cut(segment: &Path, bytes: &[u8]) {
    let path = segment.with_extension("cut");
    let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path);
    let _ = file.and_then(|mut file| file.write_all(bytes));
}

fn sync_folder(folder: &Path) -> Result<(), Error> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(Error::io("sync", folder))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::Name;
    use crate::journal::JournalReader;

    fn name(index: usize) -> Vec<u8> {
        encode(&Body::ContactRemoved(Name { name: format!("{index}") })).unwrap()
    }

    fn names(folder: &Path, from: u64) -> (Vec<u64>, Vec<String>, Vec<Damage>) {
        let mut reader = JournalReader::open(folder, from).unwrap();
        let (mut sequences, mut names) = (Vec::new(), Vec::new());
        while let Some(entries) = reader.next_segment().unwrap() {
            for placed in entries {
                sequences.push(placed.entry.sequence);
                match placed.entry.body {
                    Body::ContactRemoved(name) => names.push(name.name),
                    other => panic!("{other:?}"),
                }
            }
        }
        (sequences, names, reader.damage)
    }

    #[test]
    fn a_journal_of_many_segments_is_read_from_any_entry_on() {
        let folder = tempfile::tempdir().unwrap();
        for index in 0..40 {
            let (mut journal, opened) = Journal::open_with(folder.path(), "S", 300).unwrap();
            assert_eq!((opened.last_sequence, opened.damage), (index as u64, Vec::new()));
            journal.append(index as i64, &[&name(index)]).unwrap();
        }
        assert!(segments(folder.path()).unwrap().len() > 5);
        for from in [1, 2, 17, 40, 41] {
            let (sequences, _, damage) = names(folder.path(), from);
            assert_eq!(sequences, (from..=40).collect::<Vec<_>>());
            assert!(damage.is_empty(), "{damage:?}");
        }
    }

    #[test]
    fn a_full_disk_is_told_as_such_and_writing_goes_on_behind_it() {
        let folder = tempfile::tempdir().unwrap();
        let (mut journal, _) = Journal::open(folder.path(), "S").unwrap();
        journal.append(0, &[&name(0)]).unwrap();
        // A device without room stands in for the segment; it cannot be cut either.
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let Some(open) = &mut journal.open else { panic!("no segment is open") };
        open.file = full;
        let error = journal.append(1, &[&name(1), &name(2)]).unwrap_err();
        assert!(matches!(error, Error::DiskFull { .. }), "{error}");
        assert_eq!(journal.next_sequence(), 2, "nothing was written");
        journal.append(2, &[&name(3)]).unwrap();
        assert_eq!(names(folder.path(), 1), (vec![1, 2], vec!["0".into(), "3".into()], vec![]));
    }

    #[test]
    fn frames_of_a_failed_write_are_void_behind_the_next_segment() {
        let folder = tempfile::tempdir().unwrap();
        let (mut journal, _) = Journal::open(folder.path(), "S").unwrap();
        journal.append(0, &[&name(0)]).unwrap();
        let Some(open) = journal.open.take() else { panic!("no segment is open") };
        let mut stale = Vec::new();
        encode_frame(&mut stale, 2, 0, &name(77));
        open.file.write_all_at(&stale, open.length).unwrap();
        journal.append(1, &[&name(1)]).unwrap();
        assert_eq!(names(folder.path(), 1), (vec![1, 2], vec!["0".into(), "1".into()], vec![]));
    }

    #[test]
    fn an_entry_too_long_is_refused_before_anything_is_written() {
        let body = Body::ContactRemoved(Name { name: "x".repeat(MAX_PAYLOAD_BYTES) });
        assert!(matches!(encode(&body), Err(Error::EntryTooLong { .. })));
    }
}
