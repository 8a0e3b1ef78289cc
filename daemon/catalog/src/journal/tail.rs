//! Follows the journal while it grows: entries as they stand, byte for byte, for whoever carries them elsewhere.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::format::{self, Found, Frames};
use super::reader::{read_frame_in, read_segment, segment_path, segments};
use super::{Frame, Place};
use crate::error::Error;
use crate::store::Shared;

/// An entry as it stands in the journal, not understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawEntry {
    pub sequence: u64,
    /// When it was written, microseconds of UTC since 1970 by the box's clock.
    pub utc_us: i64,
    /// Version of the payload's layout.
    pub layout: u16,
    /// JSON in UTF-8, as far as this release wrote it.
    pub payload: Vec<u8>,
    pub place: Place,
}

impl RawEntry {
    pub(crate) fn of(frame: &Frame<'_>, place: Place) -> Self {
        Self {
            sequence: frame.sequence,
            utc_us: frame.utc_us,
            layout: frame.entry_version,
            payload: frame.payload.to_vec(),
            place,
        }
    }
}

/// A place in the journal that moves on as entries are read. It never shows an entry that is not safe on disk.
pub struct JournalTail {
    folder: PathBuf,
    shared: Arc<Shared>,
    /// The next entry wanted.
    next: u64,
    open: Option<Open>,
}

struct Open {
    /// The segment's first entry.
    first: u64,
    path: PathBuf,
    file: File,
    /// Where the next frame begins, if nothing is damaged.
    offset: u64,
}

impl Open {
    fn read(&mut self) -> Result<Option<RawEntry>, Error> {
        let Some(bytes) = read_frame_in(&self.file, self.offset, &self.path)? else { return Ok(None) };
        let Some(frame) = format::decode_frame(&bytes) else { return Ok(None) };
        let place = Place { segment: self.first, offset: self.offset };
        self.offset += frame.bytes.len() as u64;
        Ok(Some(RawEntry::of(&frame, place)))
    }
}

impl JournalTail {
    pub(crate) fn new(folder: PathBuf, shared: Arc<Shared>, from: u64) -> Self {
        Self { folder, shared, next: from.max(1), open: None }
    }

    /// Number of the next entry that `read` looks for.
    pub fn next_sequence(&self) -> u64 {
        self.next
    }

    /// The next entries that are safe on disk, at most `limit`; none when there is nothing new. Entries that were
    /// damaged are passed over: opening the journal has told of them.
    ///
    /// # Errors
    /// The disk's.
    pub fn read(&mut self, limit: usize) -> Result<Vec<RawEntry>, Error> {
        let durable = self.shared.durable.load(Ordering::Acquire);
        let mut entries = Vec::new();
        while entries.len() < limit && self.next <= durable {
            let at_hand = match &mut self.open {
                // A failed write may have left frames behind whose numbers the following segment gave out again.
                Some(open) if open.first == self.next || !segment_path(&self.folder, self.next).exists() => {
                    open.read()?
                }
                _ => None,
            };
            match at_hand {
                Some(entry) if entry.sequence >= self.next => {
                    self.next = entry.sequence + 1;
                    entries.push(entry);
                }
                Some(_) => {}
                // The segment ends here, or is damaged from here on.
                None if self.open_segment()? => {}
                // Nothing whole is left of all that is there.
                None => self.next = durable + 1,
            }
        }
        Ok(entries)
    }

    /// Opens the segment that holds the first whole entry from `next` on. `false`: there is none.
    fn open_segment(&mut self) -> Result<bool, Error> {
        let all = segments(&self.folder)?;
        let begin = all.iter().rposition(|segment| segment.first_sequence <= self.next).unwrap_or(0);
        for (at, segment) in all.iter().enumerate().skip(begin) {
            // Frames that a failed write left behind carry numbers that the following segment gave out again.
            let limit = all.get(at + 1).map_or(u64::MAX, |next| next.first_sequence);
            let whole = read_segment(segment)?;
            let wanted = Frames::of_segment(&whole.bytes).find_map(|found| match found {
                Found::Frame { offset, frame } if frame.sequence >= self.next && frame.sequence < limit => {
                    Some((offset as u64, frame.sequence))
                }
                _ => None,
            });
            if let Some((offset, sequence)) = wanted {
                let file = File::open(&segment.path).map_err(Error::io("open", &segment.path))?;
                self.next = sequence;
                self.open =
                    Some(Open { first: segment.first_sequence, path: segment.path.clone(), file, offset });
                return Ok(true);
            }
        }
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::Journal;
    use std::io::Write;

    /// A journal of small segments, and what is shared with its tail.
    fn journal(folder: &std::path::Path) -> (Journal, JournalTail) {
        let (journal, _) = Journal::open_with(folder, "HKLN-01121571897162", 400).expect("opened");
        let shared = Arc::new(Shared::default());
        let tail = JournalTail::new(folder.to_owned(), shared, 1);
        (journal, tail)
    }

    fn append(journal: &mut Journal, tail: &JournalTail, count: u64) {
        for _ in 0..count {
            journal.append(0, &[br#"{"kind":"alarm_cleared","body":{}}"#]).expect("written");
        }
        tail.shared.durable.store(journal.next_sequence() - 1, Ordering::Release);
    }

    fn numbers(tail: &mut JournalTail) -> Vec<u64> {
        let mut numbers = Vec::new();
        loop {
            let read = tail.read(3).expect("read");
            if read.is_empty() {
                return numbers;
            }
            numbers.extend(read.iter().map(|entry| entry.sequence));
        }
    }

    #[test]
    fn it_goes_on_from_segment_to_segment() {
        let folder = tempfile::tempdir().expect("a folder");
        let (mut journal, mut tail) = journal(folder.path());
        for round in 0..10 {
            append(&mut journal, &tail, 7);
            assert_eq!(numbers(&mut tail), (round * 7 + 1..=round * 7 + 7).collect::<Vec<u64>>());
        }
        assert!(segments(folder.path()).expect("listed").len() > 5);
    }

    #[test]
    fn frames_of_a_failed_write_are_not_taken_for_entries() {
        let folder = tempfile::tempdir().expect("a folder");
        let (mut journal, mut tail) = journal(folder.path());
        append(&mut journal, &tail, 2);
        assert_eq!(numbers(&mut tail), [1, 2]);
        let mut void = Vec::new();
        format::encode_frame(&mut void, 3, 0, b"{\"void\":1}");
        let last = segments(folder.path()).expect("listed").pop().expect("a segment").path;
        std::fs::OpenOptions::new()
            .append(true)
            .open(last)
            .expect("opened")
            .write_all(&void)
            .expect("written");
        journal.begin_segment(0).expect("begun");
        append(&mut journal, &tail, 1);
        let read = tail.read(9).expect("read");
        assert_eq!(read.len(), 1);
        assert!(read[0].payload.starts_with(br#"{"kind""#), "the entry, not what the failed write left");
    }

    #[test]
    fn damage_is_passed_over() {
        let folder = tempfile::tempdir().expect("a folder");
        let (mut journal, mut tail) = journal(folder.path());
        append(&mut journal, &tail, 30);
        let second = segments(folder.path()).expect("listed").swap_remove(1);
        let mut bytes = std::fs::read(&second.path).expect("read");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0xFF;
        std::fs::write(&second.path, bytes).expect("written");
        let read = numbers(&mut tail);
        assert_eq!(read.len(), 29, "{read:?}");
        assert_eq!(read.last(), Some(&30));
    }
}
