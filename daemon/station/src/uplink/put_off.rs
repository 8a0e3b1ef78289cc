//! Entries whose recordings cannot be read yet: others go on, and these are looked at again in a while. One whose file is
//! gone for good by what the disk says goes without it in the end.

use std::collections::BTreeMap;
use std::io;
use std::time::{Duration, Instant};

use uplink::order::Lane;

use super::item::Sound;
use super::outbox::ToSend;

/// Entries at once. That so many cannot be read is no matter of a few files.
const MOST: usize = 16;
/// A file that is being read is asked for again.
const READ_WITHIN: Duration = Duration::from_millis(200);
/// What could not be read is tried again.
const TRY_AGAIN: Duration = Duration::from_secs(60);
/// After so many tries a bad place of the disk is held to stay one.
const TRIES: u32 = 5;
/// `EIO`: the disk cannot give what is written there.
const BAD_DISK: i32 = 5;

#[derive(Default)]
pub(super) struct PutOff {
    entries: Vec<Waits>,
    /// How often the disk has failed for an entry.
    tries: BTreeMap<u64, u32>,
}

struct Waits {
    lane: Lane,
    until: Instant,
    to_send: ToSend,
}

impl PutOff {
    pub(super) fn is_full(&self) -> bool {
        self.entries.len() >= MOST
    }

    /// Its file is long, and being read.
    pub(super) fn until_read(&mut self, lane: Lane, to_send: ToSend) {
        self.entries.push(Waits { lane, until: Instant::now() + READ_WITHIN, to_send });
    }

    /// Its file cannot be read now. What it goes with, if nothing better is to be hoped for.
    pub(super) fn failed(&mut self, lane: Lane, to_send: ToSend, error: &io::Error) -> Option<Sound> {
        let item = to_send.0.sequence;
        eprintln!("the recording of entry {item} cannot be read for the platform now: {error}");
        if error.raw_os_error() == Some(BAD_DISK) {
            let tries = self.tries.entry(item).or_default();
            *tries += 1;
            if *tries >= TRIES {
                self.tries.remove(&item);
                return Some(Sound::Gone(format!("the station cannot read its file: {error}")));
            }
        }
        self.entries.push(Waits { lane, until: Instant::now() + TRY_AGAIN, to_send });
        None
    }

    /// One that is to be looked at again.
    pub(super) fn due(&mut self, lane: Lane, now: Instant) -> Option<ToSend> {
        let at = self.entries.iter().position(|waits| waits.lane == lane && waits.until <= now)?;
        Some(self.entries.remove(at).to_send)
    }

    /// A new connection: they are found in the journal again.
    pub(super) fn clear(&mut self) {
        self.entries.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use catalog::{Place, RawEntry};

    fn to_send(sequence: u64) -> ToSend {
        let place = Place { segment: 1, offset: 0 };
        (RawEntry { sequence, utc_us: 0, layout: 1, payload: Vec::new(), place }, Some(sequence))
    }

    #[test]
    fn a_file_is_given_up_only_when_the_disk_has_lost_it_and_says_so_again_and_again() {
        let mut put_off = PutOff::default();
        let (too_many_open, bad) = (io::Error::from_raw_os_error(24), io::Error::from_raw_os_error(BAD_DISK));
        let later = Instant::now() + 2 * TRY_AGAIN;
        for _ in 0..3 * TRIES {
            assert_eq!(put_off.failed(Lane::Fresh, to_send(1), &too_many_open), None);
            assert!(put_off.due(Lane::Fresh, Instant::now()).is_none(), "not at once");
            assert!(put_off.due(Lane::Backlog, later).is_none(), "of another lane");
            assert_eq!(put_off.due(Lane::Fresh, later).map(|(entry, _)| entry.sequence), Some(1));
        }
        for tries in 1..=TRIES {
            let given_up = put_off.failed(Lane::Fresh, to_send(2), &bad).is_some();
            assert_eq!(given_up, tries == TRIES);
        }
        (0..MOST as u64).for_each(|item| put_off.until_read(Lane::Backlog, to_send(item)));
        assert!(put_off.is_full());
        put_off.clear();
        assert!(!put_off.is_full() && put_off.due(Lane::Fresh, later).is_none());
    }
}
