//! SHA-256 of recordings. Of long ones it is made by a thread of its own, so that no connection waits for hours of sound,
//! and kept for as long as the file stays the same, so that none is read again for each connection.

use std::collections::VecDeque;
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::SystemTime;

use sha2::{Digest, Sha256};
use uplink::frame::AudioHead;

/// Read at a time.
const PIECE_BYTES: usize = 256 * 1024;
/// A file up to this is read at once: less than a second on a slow card.
const LONG_BYTES: u64 = 4 * 1024 * 1024;
/// Results that are kept; more long files than this are never under way.
const KEPT: usize = 64;

/// A file as it was when it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stamp {
    bytes: u64,
    modified: Option<SystemTime>,
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self { bytes: metadata.len(), modified: metadata.modified().ok() }
    }
}

type Done = (PathBuf, io::Result<(Stamp, AudioHead)>);

pub(super) struct Hashes {
    kept: VecDeque<(PathBuf, Stamp, AudioHead)>,
    asked: Vec<PathBuf>,
    failed: Vec<(PathBuf, io::Error)>,
    /// The thread, once there was something for it.
    ask: Option<Sender<PathBuf>>,
    done_in: Sender<Done>,
    done: Receiver<Done>,
    given_up: Arc<AtomicBool>,
}

impl Hashes {
    pub(super) fn new() -> Self {
        let (done_in, done) = channel();
        let (kept, asked, failed) = (VecDeque::new(), Vec::new(), Vec::new());
        Self { kept, asked, failed, ask: None, done_in, done, given_up: Arc::default() }
    }

    /// Size and SHA-256 of a file, whole; `None`: it is being read, ask again.
    ///
    /// # Errors
    /// The disk's.
    pub(super) fn head_of(&mut self, path: &Path) -> io::Result<Option<AudioHead>> {
        let stamp = Stamp::of(&std::fs::metadata(path)?);
        if stamp.bytes <= LONG_BYTES {
            return hash(File::open(path)?, &self.given_up).map(Some);
        }
        while let Ok((path, result)) = self.done.try_recv() {
            self.asked.retain(|asked| *asked != path);
            match result {
                Ok((stamp, head)) => self.keep(path, stamp, head),
                Err(error) => self.failed.push((path, error)),
            }
        }
        if let Some(at) = self.failed.iter().position(|(failed, _)| failed == path) {
            return Err(self.failed.swap_remove(at).1);
        }
        let same = |(kept, of, _): &&(PathBuf, Stamp, AudioHead)| kept == path && *of == stamp;
        if let Some((_, _, head)) = self.kept.iter().find(same) {
            return Ok(Some(head.clone()));
        }
        if !self.asked.iter().any(|asked| asked == path) {
            self.ask_for(path)?;
        }
        Ok(None)
    }

    fn keep(&mut self, path: PathBuf, stamp: Stamp, head: AudioHead) {
        self.kept.retain(|(kept, ..)| *kept != path);
        self.kept.push_back((path, stamp, head));
        if self.kept.len() > KEPT {
            self.kept.pop_front();
        }
    }

    fn ask_for(&mut self, path: &Path) -> io::Result<()> {
        if self.ask.is_none() {
            let (ask, asked) = channel::<PathBuf>();
            let (done, given_up) = (self.done_in.clone(), self.given_up.clone());
            std::thread::Builder::new().name("hashes".into()).spawn(move || {
                for path in asked {
                    let result = stamped(&path, &given_up);
                    if given_up.load(Relaxed) || done.send((path, result)).is_err() {
                        return;
                    }
                }
            })?;
            self.ask = Some(ask);
        }
        // The thread lasts as long as this value.
        if self.ask.as_ref().is_some_and(|ask| ask.send(path.to_owned()).is_ok()) {
            self.asked.push(path.to_owned());
        }
        Ok(())
    }
}

impl Drop for Hashes {
    fn drop(&mut self) {
        self.given_up.store(true, Relaxed);
    }
}

fn stamped(path: &Path, given_up: &AtomicBool) -> io::Result<(Stamp, AudioHead)> {
    let file = File::open(path)?;
    let stamp = Stamp::of(&file.metadata()?);
    Ok((stamp, hash(file, given_up)?))
}

/// Size and SHA-256 of all that comes; `Interrupted` once it is given up.
pub(super) fn hash(mut file: File, given_up: &AtomicBool) -> io::Result<AudioHead> {
    let (mut hash, mut bytes, mut piece) = (Sha256::new(), 0, vec![0; PIECE_BYTES]);
    loop {
        if given_up.load(Relaxed) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        match file.read(&mut piece)? {
            0 => break,
            count => {
                hash.update(&piece[..count]);
                bytes += count as u64;
            }
        }
    }
    let sha256 = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(AudioHead { bytes, sha256 })
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    fn soon(hashes: &mut Hashes, path: &Path) -> io::Result<AudioHead> {
        let begun = Instant::now();
        loop {
            if let Some(head) = hashes.head_of(path)? {
                return Ok(head);
            }
            assert!(begun.elapsed() < Duration::from_secs(20), "never");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn a_long_file_is_read_beside_once_and_again_when_it_is_another() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("long.wav");
        let write = |byte: u8, bytes: u64| {
            std::fs::write(&path, vec![byte; bytes as usize]).expect("written");
            Sha256::digest(vec![byte; bytes as usize])
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect::<String>()
        };
        let mut hashes = Hashes::new();
        let short = write(1, 1000);
        let head = hashes.head_of(&path).expect("read").expect("at once");
        assert_eq!(head, AudioHead { bytes: 1000, sha256: short });
        let long = write(2, LONG_BYTES + 1);
        assert_eq!(hashes.head_of(&path).expect("looked at"), None, "it takes its time");
        let head = soon(&mut hashes, &path).expect("read");
        assert_eq!(head, AudioHead { bytes: LONG_BYTES + 1, sha256: long });
        assert!(hashes.head_of(&path).expect("kept").is_some() && hashes.asked.is_empty());
        let other = write(3, LONG_BYTES + 2);
        assert_eq!(soon(&mut hashes, &path).expect("read").sha256, other);
        std::fs::remove_file(&path).expect("removed");
        let gone = hashes.head_of(&path).expect_err("gone");
        assert_eq!(gone.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn what_cannot_be_read_is_told_once_and_read_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("long.wav");
        std::fs::write(&path, vec![0; LONG_BYTES as usize + 1]).expect("written");
        let mut hashes = Hashes::new();
        assert_eq!(hashes.head_of(&path).expect("looked at"), None);
        let failed = io::Error::from_raw_os_error(24);
        hashes.done_in.send((path.clone(), Err(failed))).expect("sent");
        // Whichever is seen first, the thread's own answer or the failure.
        let told = soon(&mut hashes, &path);
        assert!(told.is_ok() || soon(&mut hashes, &path).is_ok());
    }
}
