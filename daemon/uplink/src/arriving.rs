//! A file that comes in pieces: kept as a part under its own name, so that a broken transfer goes on from the byte
//! where it broke, even after a restart.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use sha2::{Digest, Sha256};

use crate::frame::AudioHead;

/// The parts of one station's files.
#[derive(Clone, Debug)]
pub struct Parts {
    folder: PathBuf,
}

/// A part that grows.
#[derive(Debug)]
pub struct Arriving {
    file: File,
    path: PathBuf,
    head: AudioHead,
    hash: Sha256,
    next: u64,
}

/// A part that has been opened.
#[derive(Debug)]
pub enum Opened {
    Ready(Arriving),
    /// So much of it is there that reading it takes its time.
    Long(Unread),
}

/// A part of which some is there, and not read yet.
#[derive(Debug)]
pub struct Unread(Arriving);

/// More than this of a part is read beside the connection: a slow disk reads it in less than a second.
const LONG_BYTES: u64 = 4 * 1024 * 1024;

/// Every byte has come.
#[derive(Debug, PartialEq, Eq)]
pub enum Ended {
    /// They are what was offered; the file still bears its part's name and is not synchronised.
    Whole(PathBuf),
    /// They are not; the part is gone.
    Mismatch,
}

impl Parts {
    /// # Errors
    /// The folder cannot be made.
    pub fn open(folder: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        Ok(Self { folder: folder.to_owned() })
    }

    /// Begins to take an item's file, or goes on with what has come of it. Reads what is there already, unless it is much.
    ///
    /// # Errors
    /// The disk's.
    pub fn begin(&self, item: u64, head: &AudioHead) -> io::Result<Opened> {
        // The hash stands in the name: what came of another file is no part of this one.
        let sum: String = head.sha256.chars().filter(char::is_ascii_hexdigit).take(64).collect();
        let path = self.folder.join(format!("{item}-{sum}.part"));
        let file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(&path)?;
        let mut there = file.metadata()?.len();
        if there > head.bytes {
            file.set_len(0)?;
            there = 0;
        }
        let unread = Unread(Arriving { file, path, head: head.clone(), hash: Sha256::new(), next: 0 });
        if there > LONG_BYTES {
            return Ok(Opened::Long(unread));
        }
        unread.read(&AtomicBool::new(false)).map(Opened::Ready)
    }
}

impl Unread {
    /// Reads what is there, to go on behind it.
    ///
    /// # Errors
    /// The disk's; `Interrupted` once it is `given_up`.
    pub fn read(self, given_up: &AtomicBool) -> io::Result<Arriving> {
        let Self(mut arriving) = self;
        let mut bytes = vec![0; 64 * 1024];
        loop {
            if given_up.load(Relaxed) {
                return Err(io::ErrorKind::Interrupted.into());
            }
            match arriving.file.read(&mut bytes)? {
                0 => return Ok(arriving),
                count => {
                    arriving.hash.update(&bytes[..count]);
                    arriving.next += count as u64;
                }
            }
        }
    }
}

impl Arriving {
    /// It is the file that this offer speaks of.
    pub fn is_of(&self, head: &AudioHead) -> bool {
        self.head == *head
    }

    /// The first byte that is lacking.
    pub fn next(&self) -> u64 {
        self.next
    }

    pub fn is_complete(&self) -> bool {
        self.next == self.head.bytes
    }

    /// Takes in a piece. `false`: it does not follow on what is there, or goes past the end.
    ///
    /// # Errors
    /// The disk's; what has come is kept.
    pub fn take(&mut self, offset: u64, bytes: &[u8]) -> io::Result<bool> {
        if offset != self.next || bytes.len() as u64 > self.head.bytes - self.next {
            return Ok(false);
        }
        self.file.write_all(bytes)?;
        self.hash.update(bytes);
        self.next += bytes.len() as u64;
        Ok(true)
    }

    /// Compares the whole with what was offered.
    ///
    /// # Errors
    /// The disk's, while a wrong part is removed.
    pub fn end(self) -> io::Result<Ended> {
        let found: String = self.hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        if found.eq_ignore_ascii_case(&self.head.sha256) {
            return Ok(Ended::Whole(self.path));
        }
        std::fs::remove_file(&self.path)?;
        Ok(Ended::Mismatch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn head(bytes: &[u8]) -> AudioHead {
        let sha256 = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        AudioHead { bytes: bytes.len() as u64, sha256 }
    }

    fn begun(parts: &Parts, item: u64, head: &AudioHead) -> Arriving {
        match parts.begin(item, head).expect("opened") {
            Opened::Ready(arriving) => arriving,
            Opened::Long(unread) => unread.read(&AtomicBool::new(false)).expect("read"),
        }
    }

    #[test]
    fn what_follows_on_nothing_is_not_taken() {
        let folder = tempfile::tempdir().expect("a folder");
        let parts = Parts::open(folder.path()).expect("opened");
        let mut arriving = begun(&parts, 1, &head(b"abcdef"));
        for (offset, bytes, taken) in [
            (1, &b"b"[..], false),
            (0, b"abc", true),
            (0, b"abc", false),
            (3, b"defg", false),
            (u64::MAX, b"d", false),
            (3, b"def", true),
            (6, b"g", false),
        ] {
            assert_eq!(arriving.take(offset, bytes).expect("written"), taken, "{offset} {bytes:?}");
        }
        let Ended::Whole(path) = arriving.end().expect("ended") else { panic!("whole") };
        assert_eq!(std::fs::read(path).expect("there"), b"abcdef");
    }

    #[test]
    fn what_is_not_what_was_offered_is_thrown_away() {
        let folder = tempfile::tempdir().expect("a folder");
        let parts = Parts::open(folder.path()).expect("opened");
        let mut arriving = begun(&parts, 1, &head(b"abc"));
        assert!(arriving.take(0, b"abd").expect("written") && arriving.is_complete());
        assert_eq!(arriving.end().expect("ended"), Ended::Mismatch);
        assert_eq!(begun(&parts, 1, &head(b"abc")).next(), 0);
        assert_eq!(std::fs::read_dir(folder.path()).expect("there").count(), 1);
    }

    #[test]
    fn a_long_part_is_read_beside_the_connection_and_can_be_given_up() {
        let folder = tempfile::tempdir().expect("a folder");
        let parts = Parts::open(folder.path()).expect("opened");
        let bytes = vec![7; LONG_BYTES as usize + 2];
        let head = head(&bytes);
        let mut arriving = begun(&parts, 1, &head);
        assert!(arriving.take(0, &bytes[..bytes.len() - 1]).expect("written"));
        for given_up in [true, false] {
            let Opened::Long(unread) = parts.begin(1, &head).expect("opened") else { panic!("it is long") };
            match unread.read(&AtomicBool::new(given_up)) {
                Err(error) => assert!(given_up && error.kind() == io::ErrorKind::Interrupted),
                Ok(arriving) => {
                    assert!(!given_up && arriving.next() == head.bytes - 1 && arriving.is_of(&head))
                }
            }
        }
    }

    #[test]
    fn a_hash_with_a_path_in_it_stays_in_the_folder() {
        let folder = tempfile::tempdir().expect("a folder");
        let parts = Parts::open(&folder.path().join("in")).expect("opened");
        let evil = AudioHead { bytes: 1, sha256: "../../../x\0/ab".into() };
        let arriving = begun(&parts, 1, &evil);
        assert_eq!(arriving.path, folder.path().join("in/1-ab.part"));
    }

    proptest! {
        #[test]
        fn a_transfer_broken_anywhere_ends_whole(bytes in prop::collection::vec(any::<u8>(), 1..5000), cuts in prop::collection::vec(1usize..1500, 1..10)) {
            let folder = tempfile::tempdir().expect("a folder");
            let parts = Parts::open(folder.path()).expect("opened");
            let head = head(&bytes);
            let mut cuts = cuts.into_iter().cycle();
            loop {
                let mut arriving = begun(&parts, 7, &head);
                let from = arriving.next() as usize;
                if arriving.is_complete() {
                    prop_assert!(matches!(arriving.end().expect("ended"), Ended::Whole(_)));
                    break;
                }
                let until = (from + cuts.next().unwrap_or(1)).min(bytes.len());
                prop_assert!(arriving.take(from as u64, &bytes[from..until]).expect("written"));
            }
        }
    }
}
