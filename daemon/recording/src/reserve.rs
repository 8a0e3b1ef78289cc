//! Room kept back in a file, and given free when the disk is full, so that open calls can still be closed: finished into
//! files and written into the journal.

use std::io;
use std::path::{Path, PathBuf};

use crate::capture_log::preallocate;
use crate::durable;

#[derive(Debug)]
pub(crate) struct Reserve {
    path: PathBuf,
    bytes: u64,
}

impl Reserve {
    pub fn new(folder: &Path, bytes: u64) -> Self {
        Self { path: folder.join("reserve"), bytes }
    }

    /// Takes the room, if it is not held yet. It leaves as much again free, so as not to fill a disk by itself.
    pub fn hold(&self) -> io::Result<()> {
        if std::fs::metadata(&self.path).is_ok_and(|file| file.len() == self.bytes) {
            return Ok(());
        }
        if durable::free_space(durable::parent(&self.path))?.free_bytes < 2 * self.bytes {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let file = durable::create_new(&self.path)?;
        preallocate(&file, self.bytes).inspect_err(|_| {
            // Half a reserve would never be noticed as missing.
            let _ = durable::remove_if_there(&self.path);
        })
    }

    /// Gives the room free. True: there was some.
    pub fn release(&self) -> io::Result<bool> {
        durable::remove_if_there(&self.path)
    }
}
