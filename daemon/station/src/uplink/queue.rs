//! The outbox on the disk: which journal entries the platform has not acknowledged, in order, in two lanes, each with
//! its place in the journal.
//! It may be lost at any time, because journal and acknowledgements say the same; so it stays small, and whatever is
//! wrong with it is answered by making it anew.

use std::io;
use std::ops::Bound;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

use catalog::Place;
use sled::{Batch, Db, IVec};

/// What sled may keep in memory of its pages; with all else it takes 7 to 20 MiB when both lanes are full.
const CACHE_BYTES: u64 = 256 * 1024;
/// Written to the disk at the latest after this long. What a power cut takes is found again in the journal.
const FLUSH_EVERY_MS: u64 = 1000;
/// How long a queue that was closed may take to let go of its folder.
const LET_GO: Duration = Duration::from_secs(5);
/// Entries in one lane; the journal keeps those behind.
pub(super) const MOST_IN_LANE: usize = 10_000;

/// The two halves of the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Half {
    /// Alarms: they overtake the backlog.
    Urgent,
    Rest,
}

/// An entry that waits, and where it lies in the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Waiting {
    pub item: u64,
    pub place: Place,
    /// All entries from this one on and before `item` stay here.
    pub covers_from: u64,
}

const HALVES: [Half; 2] = [Half::Urgent, Half::Rest];
/// The key of the mark; keys of entries are longer.
const MARK: &[u8] = b"next";

/// An open queue.
pub(super) struct Queue {
    db: Db,
    counts: [usize; 2],
}

impl Queue {
    /// Opens the queue in `folder`. One that cannot be read is made anew, empty; where the disk takes none at all it lies
    /// in memory until the next time.
    ///
    /// # Errors
    /// Not even memory takes it.
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        Self::open_there(folder)
            .or_else(|error| {
                eprintln!("{}: the outbox cannot be read ({error}) and is made anew", folder.display());
                remove(folder)?;
                Self::open_there(folder)
            })
            .or_else(|error| {
                eprintln!("{}: the outbox cannot be made ({error}); it lies in memory", folder.display());
                Self::of(sled::Config::new().temporary(true).cache_capacity(CACHE_BYTES).open()?)
            })
    }

    fn open_there(folder: &Path) -> io::Result<Self> {
        let until = Instant::now() + LET_GO;
        loop {
            let config = sled::Config::new().path(folder).cache_capacity(CACHE_BYTES);
            let open = move || Self::of(config.flush_every_ms(Some(FLUSH_EVERY_MS)).open()?);
            // sled means to answer damage with an error; a panic of it must not be the end of a station either.
            let opened = catch_unwind(AssertUnwindSafe(open))
                .unwrap_or_else(|_| Err(io::Error::other("sled gave up")));
            match opened {
                // Closed a moment ago, it may still be in the hands of sled's own threads.
                Err(error) if error.to_string().contains("acquire lock") && Instant::now() < until => {
                    std::thread::sleep(Duration::from_millis(20));
                }
                opened => return opened,
            }
        }
    }

    /// Reads everything once: damage shows here and not later.
    fn of(db: Db) -> io::Result<Self> {
        let mut counts = [0; 2];
        for pair in db.iter() {
            let (key, value) = pair?;
            match split(&key) {
                Some((half, item)) if waiting_of(item, &value).is_some() => counts[half as usize] += 1,
                None if *key == *MARK => {}
                _ => return Err(io::Error::other("something else lies in it")),
            }
        }
        if counts.iter().any(|count| *count > 2 * MOST_IN_LANE) {
            return Err(io::Error::other("it has grown too large"));
        }
        Ok(Self { db, counts })
    }

    /// The first entry of the journal that has not been looked at for this queue.
    pub(super) fn next(&self) -> io::Result<u64> {
        let mark = self.db.get(MARK)?;
        Ok(mark.and_then(|mark| mark.as_ref().try_into().ok()).map_or(1, u64::from_be_bytes))
    }

    /// Adds entries, and notes that all before `next` have been looked at; both or neither survive.
    pub(super) fn add(&mut self, entries: &[(Half, Waiting)], next: u64) -> io::Result<()> {
        let mut batch = Batch::default();
        let mut added = [0; 2];
        for (half, waiting) in entries {
            let key = key_of(*half, waiting.item);
            if !self.db.contains_key(key)? {
                added[*half as usize] += 1;
            }
            batch.insert(&key, &bytes_of(waiting));
        }
        batch.insert(MARK, &next.to_be_bytes());
        self.db.apply_batch(batch)?;
        HALVES.iter().for_each(|half| self.counts[*half as usize] += added[*half as usize]);
        Ok(())
    }

    pub(super) fn remove(&mut self, item: u64) -> io::Result<()> {
        for half in HALVES {
            if self.db.remove(key_of(half, item))?.is_some() {
                self.counts[half as usize] -= 1;
            }
        }
        Ok(())
    }

    pub(super) fn contains(&self, item: u64) -> io::Result<bool> {
        let there = |half| self.db.contains_key(key_of(half, item));
        Ok(there(Half::Urgent)? || there(Half::Rest)?)
    }

    pub(super) fn count(&self, half: Half) -> usize {
        self.counts[half as usize]
    }

    /// The first entry of a half from `from` on.
    pub(super) fn first(&self, half: Half, from: u64) -> io::Result<Option<Waiting>> {
        let range = (Bound::Included(key_of(half, from)), Bound::Included(key_of(half, u64::MAX)));
        let Some((key, bytes)) = self.db.range(range).next().transpose()? else { return Ok(None) };
        let wrong = || io::Error::other("the outbox holds what is no place in the journal");
        let waiting = split(&key).and_then(|(_, item)| waiting_of(item, &bytes));
        waiting.ok_or_else(wrong).map(Some)
    }
}

fn key_of(half: Half, item: u64) -> [u8; 9] {
    let mut key = [half as u8; 9];
    key[1..].copy_from_slice(&item.to_be_bytes());
    key
}

fn bytes_of(waiting: &Waiting) -> [u8; 24] {
    let mut bytes = [0; 24];
    let numbers = [waiting.place.segment, waiting.place.offset, waiting.covers_from];
    bytes.chunks_exact_mut(8).zip(numbers).for_each(|(to, number)| to.copy_from_slice(&number.to_be_bytes()));
    bytes
}

fn waiting_of(item: u64, bytes: &[u8]) -> Option<Waiting> {
    let number = |at: usize| bytes.get(at..at + 8)?.try_into().ok().map(u64::from_be_bytes);
    let place = Place { segment: number(0)?, offset: number(8)? };
    Some(Waiting { item, place, covers_from: number(16)? })
}

fn split(key: &IVec) -> Option<(Half, u64)> {
    let (half, item) = key.split_first()?;
    let half = HALVES.into_iter().find(|one| *one as u8 == *half)?;
    Some((half, u64::from_be_bytes(item.try_into().ok()?)))
}

/// Takes away whatever lies at `path`.
fn remove(path: &Path) -> io::Result<()> {
    let gone = match std::fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => std::fs::remove_dir_all(path),
        Ok(_) => std::fs::remove_file(path),
        Err(error) => Err(error),
    };
    gone.or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    fn waiting(item: u64) -> Waiting {
        Waiting { item, place: Place { segment: 1, offset: item << 40 }, covers_from: item - 1 }
    }

    fn filled(folder: &Path, items: u64) {
        let mut queue = Queue::open(folder).expect("opens");
        let half = |item| if item % 10 == 0 { Half::Urgent } else { Half::Rest };
        let entries: Vec<_> = (1..=items).map(|item| (half(item), waiting(item))).collect();
        queue.add(&entries, items + 1).expect("added");
        (1..=items / 2).for_each(|item| queue.remove(item).expect("removed"));
    }

    #[test]
    fn entries_come_back_in_order_by_halves() {
        let dir = tempfile::tempdir().expect("a folder");
        let folder = dir.path().join("outbox");
        filled(&folder, 600);
        let mut queue = Queue::open(&folder).expect("opens");
        assert_eq!(queue.next().expect("read"), 601);
        assert_eq!((queue.count(Half::Urgent), queue.count(Half::Rest)), (30, 270));
        assert_eq!(queue.first(Half::Urgent, 0).expect("read"), Some(waiting(310)));
        assert_eq!(queue.first(Half::Rest, 310).expect("read"), Some(waiting(311)));
        assert_eq!(queue.first(Half::Urgent, 601).expect("read"), None);
        assert!(queue.contains(310).expect("read") && !queue.contains(300).expect("read"));
        queue.add(&[(Half::Urgent, waiting(310))], 602).expect("added again");
        queue.remove(310).expect("removed");
        queue.remove(310).expect("removed twice");
        assert_eq!(queue.count(Half::Urgent), 29);
    }

    /// Every file of the folder, damaged in every way that a disk can.
    #[test]
    fn a_damaged_queue_is_read_or_made_anew_and_works() {
        fastrand::seed(11);
        for round in 0..60 {
            let dir = tempfile::tempdir().expect("a folder");
            let folder = dir.path().join("outbox");
            filled(&folder, 2000);
            let files: Vec<PathBuf> =
                std::fs::read_dir(&folder).expect("there").flatten().map(|file| file.path()).collect();
            let file = files.iter().filter(|file| file.is_file()).nth(round % 2).expect("two files");
            let mut bytes = std::fs::read(file).expect("read");
            let end = bytes.len().min(60_000);
            match round % 5 {
                0 => bytes.truncate(fastrand::usize(..end)),
                1 => bytes.iter_mut().for_each(|byte| *byte = fastrand::u8(..)),
                2 => (0..20).for_each(|_| bytes[fastrand::usize(..end)] = fastrand::u8(..)),
                3 => bytes[fastrand::usize(..end)..].fill(0),
                _ => bytes.clear(),
            }
            std::fs::write(file, bytes).expect("damaged");
            let mut queue = Queue::open(&folder).expect("opens");
            queue.add(&[(Half::Rest, waiting(5000))], 5001).expect("takes entries");
            assert!(queue.contains(5000).expect("read"));
            drop(queue);
            assert!(Queue::open(&folder).expect("opens again").contains(5000).expect("read"), "{round}");
        }
    }

    #[test]
    fn what_is_no_queue_gives_way_to_one() {
        let dir = tempfile::tempdir().expect("a folder");
        let folder = dir.path().join("outbox");
        std::fs::write(&folder, "a file in its place").expect("written");
        filled(&folder, 20);
        drop(Queue::open(&folder).expect("opens"));
        // Of another program, and of a release that noted something else.
        for (key, value) in
            [(&b"something else"[..], &[7_u8][..]), (&key_of(Half::Rest, 7)[..], &[0; 16][..])]
        {
            filled(&folder, 20);
            let mut queue = Queue::open(&folder).expect("opens");
            queue.add(&[], 21).expect("marked");
            queue.db.insert(key, value).expect("written");
            drop(queue);
            assert_eq!(Queue::open(&folder).expect("opens").next().expect("read"), 1, "it is a new one");
        }
    }
}
