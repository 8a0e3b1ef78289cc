//! The bundle of an upgrade on its way from the platform: asked for piece by piece, written down as it comes. What came
//! of it before, on another connection or before a restart, is not asked for again.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use recording::free_space;
use uplink::command::is_sha256;

use super::hashes::hash;

/// Longest bundle that a box takes.
pub(super) const MOST_BYTES: u64 = 2 << 30;
/// What has to be left of the disk beside the bundle: recordings come first.
const LEFT_FREE_BYTES: u64 = 256 << 20;
/// The disk is asked for room again after so much.
const LOOK_EVERY_BYTES: u64 = 4 << 20;
const EXTENSION: &str = "raucb";
/// What came of a bundle that nobody asks for any more.
const KEPT_FOR: Duration = Duration::from_secs(2 * 86_400);
const FIRST_PIECE_BYTES: u32 = 16 << 10;
const PIECE_BYTES: std::ops::RangeInclusive<u32> = 4 << 10..=256 << 10;
/// A piece that comes sooner is followed by one twice as long; one that takes `SLOW`, by one half as long.
const QUICK: Duration = Duration::from_millis(500);
const SLOW: Duration = Duration::from_secs(2);

/// A bundle of which not everything may be here.
#[derive(Debug)]
pub(super) struct Bundle {
    path: PathBuf,
    file: File,
    sha256: String,
    /// Bytes that are here, and of the whole.
    have: u64,
    bytes: u64,
    piece_bytes: u32,
    asked: Instant,
    /// How much there was when the disk was last asked for room.
    looked_at: u64,
}

/// All of a bundle, checked. Nobody has it open: who installs it wants it for itself.
#[derive(Debug)]
pub(super) struct Whole {
    path: PathBuf,
}

/// Why a bundle cannot be taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum BundleError {
    #[error("a bundle is 1 to {MOST_BYTES} bytes long and named by its SHA-256")]
    Invalid,
    #[error("the disk has no room for the bundle: {needed} bytes more are needed")]
    NoRoom { needed: u64 },
    #[error("the bundle cannot be put on the disk: {0}")]
    Io(#[from] io::Error),
}

impl Bundle {
    /// Opens what is here of it under `data`, if anything is. Other bundles there are removed: one is enough.
    pub fn open(data: &Path, bytes: u64, sha256: &str) -> Result<Self, BundleError> {
        if !is_sha256(sha256) || !(1..=MOST_BYTES).contains(&bytes) {
            return Err(BundleError::Invalid);
        }
        let folder = data.join("upgrade");
        fs::create_dir_all(&folder)?;
        let path = folder.join(format!("{sha256}.{EXTENSION}"));
        for other in fs::read_dir(&folder)? {
            let other = other?.path();
            if other != path && other.extension().is_some_and(|extension| extension == EXTENSION) {
                fs::remove_file(other)?;
            }
        }
        let file = open_part(&path).or_else(|error| match error.kind() {
            // Whoever installs takes it for its own; left there by a stop in the middle, it is fetched anew.
            io::ErrorKind::PermissionDenied => fs::remove_file(&path).and_then(|()| open_part(&path)),
            _ => Err(error),
        })?;
        let mut have = file.metadata()?.len();
        if have > bytes {
            file.set_len(0)?;
            have = 0;
        }
        check_room(&folder, (bytes - have).saturating_add(LEFT_FREE_BYTES))?;
        let (sha256, asked) = (sha256.to_owned(), Instant::now());
        Ok(Self { path, file, sha256, have, bytes, piece_bytes: FIRST_PIECE_BYTES, asked, looked_at: have })
    }

    /// Bytes that are here, and of the whole.
    pub fn progress(&self) -> (u64, u64) {
        (self.have, self.bytes)
    }

    pub fn is_whole(&self) -> bool {
        self.have == self.bytes
    }

    /// From which byte on, and how much, is to be asked for next.
    pub fn ask(&mut self, now: Instant) -> (u64, u32) {
        self.asked = now;
        (self.have, self.piece_bytes)
    }

    /// Takes the piece that was asked for; another one is passed over. `false`: it was that.
    pub fn take(&mut self, offset: u64, piece: &[u8], now: Instant) -> Result<bool, BundleError> {
        let room = self.bytes - self.have;
        if offset != self.have || piece.is_empty() || piece.len() as u64 > room {
            return Ok(false);
        }
        if self.have - self.looked_at >= LOOK_EVERY_BYTES {
            check_room(&self.path, LEFT_FREE_BYTES)?;
            self.looked_at = self.have;
        }
        self.file.write_all_at(piece, offset)?;
        self.have += piece.len() as u64;
        let took = now.duration_since(self.asked);
        let next = match took {
            took if took < QUICK => self.piece_bytes.saturating_mul(2),
            took if took > SLOW => self.piece_bytes / 2,
            _ => self.piece_bytes,
        };
        self.piece_bytes = next.clamp(*PIECE_BYTES.start(), *PIECE_BYTES.end());
        Ok(true)
    }

    /// Reads all of it and closes it. `None`: it is not what was announced, and is removed.
    ///
    /// # Errors
    /// The disk's; `Interrupted` once it is given up, and what has come stays.
    pub fn checked(self, gave_up: &AtomicBool) -> io::Result<Option<Whole>> {
        let Self { path, file, sha256, bytes, .. } = self;
        file.sync_all()?;
        drop(file);
        let found = hash(File::open(&path)?, gave_up)?;
        let whole = Whole { path };
        if (found.bytes, found.sha256) == (bytes, sha256) {
            return Ok(Some(whole));
        }
        whole.remove()?;
        Ok(None)
    }

    /// It is of no use, and takes room that recordings need.
    pub fn remove(self) -> io::Result<()> {
        Whole { path: self.path }.remove()
    }
}

impl Whole {
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// It has served.
    pub fn remove(self) -> io::Result<()> {
        fs::remove_file(&self.path)
    }
}

/// Takes away what nobody has asked for in a long time. To be called before the first is opened.
pub(super) fn forget_old(data: &Path) {
    let Ok(entries) = fs::read_dir(data.join("upgrade")) else { return };
    for entry in entries.flatten() {
        let age = entry.metadata().and_then(|found| found.modified()).map(|at| at.elapsed());
        let is_part = entry.path().extension().is_some_and(|extension| extension == EXTENSION);
        if is_part && matches!(age, Ok(Ok(age)) if age > KEPT_FOR) {
            // What cannot be removed makes way for the next bundle.
            let _ = fs::remove_file(entry.path());
        }
    }
}

fn open_part(path: &Path) -> io::Result<File> {
    File::options().create(true).truncate(false).read(true).write(true).open(path)
}

fn check_room(on: &Path, needed: u64) -> Result<(), BundleError> {
    let free = free_space(on)?.free_bytes;
    if free < needed { Err(BundleError::NoRoom { needed: needed - free }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::{Digest, Sha256};

    static GOES_ON: AtomicBool = AtomicBool::new(false);

    fn sha256_of(bytes: &[u8]) -> String {
        Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn soon(bundle: &mut Bundle, content: &[u8], after: Duration) -> usize {
        let now = Instant::now();
        let (from, most) = bundle.ask(now);
        let from = from as usize;
        let piece = &content[from..content.len().min(from + most as usize)];
        assert!(bundle.take(from as u64, piece, now + after).expect("written"));
        piece.len()
    }

    #[test]
    fn it_grows_piece_by_piece_and_goes_on_where_it_was() {
        let data = tempfile::tempdir().expect("a folder");
        let content: Vec<u8> = (0..900_000u32).map(|at| (at * 7 % 251) as u8).collect();
        let sha256 = sha256_of(&content);
        let open = || Bundle::open(data.path(), content.len() as u64, &sha256).expect("opened");
        let mut bundle = open();
        let lengths: Vec<usize> =
            (0..5).map(|_| soon(&mut bundle, &content, Duration::from_millis(50))).collect();
        assert_eq!(lengths, [16 << 10, 32 << 10, 64 << 10, 128 << 10, 256 << 10], "a quick line");
        soon(&mut bundle, &content, Duration::from_secs(3));
        let (have, _) = bundle.progress();
        drop(bundle);
        let mut bundle = open();
        assert_eq!(bundle.progress(), (have, content.len() as u64));
        assert!(!bundle.take(0, b"x", Instant::now()).expect("passed over"), "it is here already");
        while !bundle.is_whole() {
            soon(&mut bundle, &content, Duration::from_millis(50));
        }
        assert!(!bundle.take(bundle.progress().0, b"x", Instant::now()).expect("passed over"), "its end");
        let given_up = bundle.checked(&AtomicBool::new(true)).expect_err("given up");
        assert_eq!(given_up.kind(), io::ErrorKind::Interrupted);
        let whole = open().checked(&GOES_ON).expect("read").expect("right, and still there");
        let path = whole.path().to_owned();
        assert_eq!(fs::read(&path).expect("read"), content);
        let open = fs::read_dir("/proc/self/fd").expect("read").flatten();
        let open = open.filter_map(|fd| fs::read_link(fd.path()).ok());
        assert_eq!(open.filter(|link| *link == path).count(), 0, "who installs it wants it for itself");
        whole.remove().expect("removed");
        assert!(!path.exists());
    }

    #[test]
    fn a_slow_line_is_asked_for_less_and_never_for_nothing() {
        let data = tempfile::tempdir().expect("a folder");
        let content = vec![1; 100_000];
        let mut bundle =
            Bundle::open(data.path(), content.len() as u64, &sha256_of(&content)).expect("opened");
        let lengths: Vec<usize> =
            (0..4).map(|_| soon(&mut bundle, &content, Duration::from_secs(5))).collect();
        assert_eq!(lengths, [16 << 10, 8 << 10, 4 << 10, 4 << 10]);
    }

    #[test]
    fn what_is_not_the_bundle_is_told_and_another_one_makes_room() {
        let data = tempfile::tempdir().expect("a folder");
        let mut bundle = Bundle::open(data.path(), 3, &sha256_of(b"abc")).expect("opened");
        assert!(bundle.take(0, b"abd", Instant::now()).expect("written"));
        let path = bundle.path.clone();
        assert!(bundle.is_whole() && bundle.checked(&GOES_ON).expect("read").is_none() && !path.exists());
        let part = Bundle::open(data.path(), 9, &sha256_of(b"abc")).expect("opened");
        let other = Bundle::open(data.path(), 4, &sha256_of(b"abcd")).expect("opened");
        assert!(!part.path.exists() && other.path.exists());
        assert!(part.checked(&GOES_ON).is_err(), "it is gone");
        forget_old(data.path());
        assert!(other.path.exists(), "it is of today");
        let old = std::time::SystemTime::now() - KEPT_FOR - Duration::from_secs(60);
        other.file.set_modified(old).expect("set");
        forget_old(data.path());
        assert!(!other.path.exists());
        for (bytes, sha256) in
            [(0, sha256_of(b"")), (5, "../x".into()), (5, "A".repeat(64)), (u64::MAX, sha256_of(b"x"))]
        {
            let wrong = Bundle::open(data.path(), bytes, &sha256).expect_err("refused");
            assert!(matches!(wrong, BundleError::Invalid), "{wrong}");
        }
        let full = Bundle::open(Path::new("/proc/self"), 3, &sha256_of(b"abc")).expect_err("no disk");
        assert!(matches!(full, BundleError::Io(_)), "{full}");
    }
}
