//! Whether the disk takes recordings now. Room is kept back for journal and catalog: stations are asked to wait before
//! it is used up, and told when there is room again by being asked no more.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use recording::FreeSpace;
use uplink::message::{Held, HeldCode};

use crate::lock;
use crate::settings::Book;

/// How old the kernel's figure may be.
const LOOK_EVERY: Duration = Duration::from_millis(200);

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
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    looked: Option<Instant>,
    disk: DiskState,
}

impl Room {
    pub fn new(path: PathBuf, settings: Arc<Book>, retry_after_s: u32) -> Self {
        Self { path, settings, retry_after_s, state: Mutex::default() }
    }

    /// # Errors
    /// What stations are told while there is none.
    pub fn check(&self) -> Result<(), Held> {
        let mut state = lock(&self.state);
        if state.looked.is_none_or(|looked| looked.elapsed() >= LOOK_EVERY) {
            // A disk that cannot be asked shows what it is when something is written.
            if let Ok(space) = recording::free_space(&self.path) {
                state.disk.full = is_full(space, self.settings.now().reserve_bytes(space), state.disk.full);
            }
            state.looked = Some(Instant::now());
        }
        if state.disk.full { Err(self.held(HeldCode::DiskFull)) } else { Ok(()) }
    }

    /// How the disk is now.
    pub fn look(&self) -> DiskState {
        lock(&self.state).looked = None;
        // The answer stands in the state.
        let _ = self.check();
        lock(&self.state).disk.clone()
    }

    /// A write has failed.
    pub fn failed(&self, error: &io::Error) -> Held {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => self.held(HeldCode::DiskFull),
            _ => {
                lock(&self.state).disk.unwritable = Some(error.to_string());
                self.held(HeldCode::DiskUnwritable)
            }
        }
    }

    /// A write has succeeded.
    pub fn worked(&self) {
        lock(&self.state).disk.unwritable = None;
    }

    pub fn held(&self, code: HeldCode) -> Held {
        Held { code, retry_after_s: self.retry_after_s }
    }
}

/// Once full, a tenth more than the reserve must be free: not every deleted recording lets one in.
fn is_full(space: FreeSpace, reserve_bytes: u64, was_full: bool) -> bool {
    let needed = if was_full { reserve_bytes.saturating_add(reserve_bytes / 10) } else { reserve_bytes };
    space.free_bytes < needed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_is_full_below_its_reserve_until_well_above_it() {
        let space = |free_bytes| FreeSpace { free_bytes, total_bytes: 1000 };
        for (free, was_full, full) in
            [(100, false, false), (99, false, true), (100, true, true), (109, true, true), (110, true, false)]
        {
            assert_eq!(is_full(space(free), 100, was_full), full, "{free} {was_full}");
        }
    }
}
