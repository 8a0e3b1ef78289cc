//! Whether the disk takes recordings now. Room is kept back for journal and catalog: stations are asked to wait before
//! it is used up, and told when there is room again by being asked no more.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use recording::FreeSpace;
use uplink::message::{Held, HeldCode};

use crate::lock;
use crate::settings::Book;

/// What the disk says.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct DiskState {
    /// Too little room for recordings.
    pub full: bool,
    /// Why the last write failed, if it did for another reason.
    pub unwritable: Option<String>,
}

pub(crate) struct Room {
    path: PathBuf,
    settings: Arc<Book>,
    retry_after_s: u32,
    disk: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    state: DiskState,
    /// It took nothing for want of room, though it has free bytes: files or a quota are used up. It is asked with each
    /// write; that one succeeds is all that tells of the end.
    no_room: bool,
}

impl Room {
    pub fn new(path: PathBuf, settings: Arc<Book>, retry_after_s: u32) -> Self {
        Self { path, settings, retry_after_s, disk: Mutex::default() }
    }

    /// Whether so many bytes more can be written. Asks the kernel, which knows.
    ///
    /// # Errors
    /// What stations are told while there is no room.
    pub fn check(&self, bytes: u64) -> Result<(), Held> {
        let mut seen = lock(&self.disk);
        let disk = &mut seen.state;
        // A disk that cannot be asked shows what it is when something is written.
        if let Ok(space) = recording::free_space(&self.path) {
            let reserve_bytes = self.settings.now().reserve_bytes(space);
            disk.full = is_full(space, reserve_bytes, bytes, disk.full);
        }
        if disk.full { Err(self.held(HeldCode::DiskFull)) } else { Ok(()) }
    }

    /// Whether so many bytes more, which are no recordings, leave the reserve free. What stations are told does not
    /// depend on it.
    pub fn spares(&self, bytes: u64) -> bool {
        // As for `check`: a disk that cannot be asked shows what it is when something is written.
        let Ok(space) = recording::free_space(&self.path) else { return true };
        !is_full(space, self.settings.now().reserve_bytes(space), bytes, false)
    }

    /// How the disk is now.
    pub fn look(&self) -> DiskState {
        // The answer stands in the state.
        let _ = self.check(0);
        let disk = lock(&self.disk);
        DiskState { full: disk.state.full || disk.no_room, ..disk.state.clone() }
    }

    /// A write has failed, or something else that the disk was asked for.
    pub fn failed(&self, error: &io::Error) -> Held {
        let mut disk = lock(&self.disk);
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                disk.no_room = true;
                self.held(HeldCode::DiskFull)
            }
            _ => {
                disk.state.unwritable = Some(error.to_string());
                self.held(HeldCode::DiskUnwritable)
            }
        }
    }

    /// A new file was written.
    pub fn worked(&self) {
        let mut disk = lock(&self.disk);
        (disk.state.unwritable, disk.no_room) = (None, false);
    }

    pub fn held(&self, code: HeldCode) -> Held {
        Held { code, retry_after_s: self.retry_after_s }
    }
}

/// Once full, a tenth more than the reserve must be free: not every deleted recording lets one in.
fn is_full(space: FreeSpace, reserve_bytes: u64, bytes: u64, was_full: bool) -> bool {
    let more = if was_full { reserve_bytes / 10 } else { 0 };
    space.free_bytes < reserve_bytes.saturating_add(more).saturating_add(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_is_full_below_its_reserve_until_well_above_it() {
        let space = |free_bytes| FreeSpace { free_bytes, total_bytes: 1000 };
        for (free, bytes, was_full, full) in [
            (100, 0, false, false),
            (99, 0, false, true),
            (104, 5, false, true),
            (105, 5, false, false),
            (109, 0, true, true),
            (110, 0, true, false),
        ] {
            assert_eq!(is_full(space(free), 100, bytes, was_full), full, "{free} {bytes} {was_full}");
        }
    }
}
