//! Follows the journal for the outbox, and says of each entry what becomes of it.

use std::io;

use catalog::{Catalog, JournalTail, Ranges, RawEntry};

use super::item::{Way, way_of};

/// Numbers of entries, first and last of each span.
type Spans = Vec<(u64, u64)>;

/// A follower jumps over more acknowledged entries than this, and reads over fewer.
const JUMP: u64 = 1000;
/// Entries before its first one that a follower looks at, to know since when everything stays.
const LOOK_BACK: u64 = 256;

/// An entry, and what becomes of it.
pub(super) struct Seen {
    pub entry: RawEntry,
    pub way: Way,
    /// All entries from this one on and before it stay here.
    pub covers_from: u64,
}

/// A place in the journal that moves on.
pub(super) struct Follower {
    catalog: Catalog,
    tail: JournalTail,
    /// All entries from this one on and before the next stay here; `None`: not known yet.
    all_stay_from: Option<u64>,
}

pub(super) fn failed(error: catalog::Error) -> io::Error {
    io::Error::other(error)
}

impl Follower {
    pub(super) fn at(catalog: &Catalog, next: u64) -> Self {
        Self { catalog: catalog.clone(), tail: catalog.journal_tail(next), all_stay_from: None }
    }

    pub(super) fn next_sequence(&self) -> u64 {
        self.tail.next_sequence()
    }

    /// The next entries, at most `limit`, and spans of those that cannot be read any more. Long stretches of `done` are
    /// passed over.
    ///
    /// # Errors
    /// The disk's.
    pub(super) fn read(&mut self, done: &Ranges, limit: usize) -> io::Result<(Vec<Seen>, Spans)> {
        let next = self.tail.next_sequence();
        let stretch = done.iter().find(|(first, last)| *first <= next && next <= *last);
        if let Some((_, last)) = stretch.filter(|(_, last)| last - next > JUMP) {
            *self = Self::at(&self.catalog, last + 1);
        }
        let mut next = self.tail.next_sequence();
        let entries = self.tail.read(limit).map_err(failed)?;
        let (mut seen, mut holes) = (Vec::with_capacity(entries.len()), Vec::new());
        for entry in entries {
            let from = match self.all_stay_from {
                Some(from) => from,
                None => self.look_back(next)?,
            };
            if next < entry.sequence {
                holes.push((next, entry.sequence - 1));
            }
            next = entry.sequence + 1;
            let way = way_of(&entry);
            self.all_stay_from = Some(if way == Way::Stays { from } else { next });
            seen.push(Seen { entry, way, covers_from: from });
        }
        Ok((seen, holes))
    }

    /// Since when all entries before `next` stay, as far back as is looked.
    fn look_back(&self, next: u64) -> io::Result<u64> {
        let begin = next.saturating_sub(LOOK_BACK).max(1);
        let before = self.catalog.journal_tail(begin).read((next - begin) as usize).map_err(failed)?;
        let goes = |entry: &&RawEntry| entry.sequence < next && way_of(entry) != Way::Stays;
        Ok(before.iter().rev().find(goes).map_or(begin, |entry| entry.sequence + 1))
    }
}
