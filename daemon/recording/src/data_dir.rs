//! The data folder: its layout, the lock that keeps a second process out, and the version of what lies in it.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};

use crate::durable;

/// The format that this release writes.
pub const FORMAT: u32 = 1;
/// The oldest format of a release that can read what this one writes.
const READABLE_FROM: u32 = 1;

const FOLDERS: [&str; 5] = ["identity", "settings", CAPTURE_LOG, RECORDINGS, "journal"];
pub(crate) const CAPTURE_LOG: &str = "capture-log";
pub(crate) const RECORDINGS: &str = "recordings";
/// Under `recordings`: what could not be read, each with the reason beside it.
pub(crate) const DAMAGED: &str = "damaged";

/// An open data folder. The lock lasts as long as this value.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    _lock: Flock<File>,
}

/// Why a data folder cannot be used. Each is one sentence for the person at the command line.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    #[error("cannot create {}: {source}", path.display())]
    Create { path: PathBuf, source: io::Error },
    #[error("cannot lock {}: {source}", path.display())]
    Lock { path: PathBuf, source: io::Error },
    #[error("the data folder {} is in use by {holder}; stop that process or choose another folder", path.display())]
    InUse { path: PathBuf, holder: String },
    #[error("cannot read {}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("cannot write {}: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("{} does not say a version ({detail}); it should look like {{\"format\": 1, \"readable_from\": 1}}", path.display())]
    Version { path: PathBuf, detail: String },
    #[error(
        "the data folder {} has format {found}, and this release reads formats up to {FORMAT}; use the release that wrote it or a newer one",
        path.display()
    )]
    Newer { path: PathBuf, found: u32 },
}

#[derive(Debug, Serialize, Deserialize)]
struct Version {
    format: u32,
    readable_from: u32,
}

impl DataDir {
    /// Opens a data folder, and creates it where there is none. One process at a time: the lock goes with the process.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, DataDirError> {
        let path = path.into();
        create(&path)?;
        let lock = lock(&path)?;
        settle_version(&path)?;
        for folder in FOLDERS {
            create(&path.join(folder))?;
        }
        Ok(Self { path, _lock: lock })
    }

    /// As `open`, for work on a folder that must be there already.
    pub fn open_existing(path: impl Into<PathBuf>) -> Result<Self, DataDirError> {
        let path = path.into();
        let version = path.join("version");
        match std::fs::metadata(&version) {
            Ok(_) => Self::open(path),
            Err(source) => Err(DataDirError::Read { path: version, source }),
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Room left on the disk of this folder.
    pub fn free_space(&self) -> io::Result<durable::FreeSpace> {
        durable::free_space(&self.path)
    }

    /// The file at `relative` (from a `Finished` or the catalog), if that names one under `recordings/`.
    pub fn recording(&self, relative: &str) -> Option<PathBuf> {
        recording_path(&self.path, relative)
    }
}

/// `data/relative`, unless it leads anywhere but below `recordings/`.
pub(crate) fn recording_path(data: &Path, relative: &str) -> Option<PathBuf> {
    let below = Path::new(relative).strip_prefix(RECORDINGS).ok()?;
    let plain = below.components().all(|part| matches!(part, std::path::Component::Normal(_)));
    (plain && below.file_name().is_some() && !relative.contains('\0'))
        .then(|| data.join(RECORDINGS).join(below))
}

fn create(path: &Path) -> Result<(), DataDirError> {
    durable::create_folders(path).map_err(|source| DataDirError::Create { path: path.into(), source })
}

fn lock(folder: &Path) -> Result<Flock<File>, DataDirError> {
    let path = folder.join("lock");
    let failed = |source| DataDirError::Lock { path: path.clone(), source };
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(durable::FILE_MODE)
        .open(&path)
        .map_err(failed)?;
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(mut lock) => {
            // The number is for the sentence below only; the lock itself is the kernel's, and a full disk is no reason
            // to go without it.
            let _ = lock
                .set_len(0)
                .and_then(|()| lock.rewind())
                .and_then(|()| write!(lock, "{}", std::process::id()));
            Ok(lock)
        }
        Err((mut file, Errno::EWOULDBLOCK)) => {
            let mut text = String::new();
            let read = (&mut file).take(20).read_to_string(&mut text);
            let number = text.trim().parse::<u32>().ok().filter(|_| read.is_ok());
            let holder = number.map_or("another process".into(), |number| format!("process {number}"));
            Err(DataDirError::InUse { path: folder.into(), holder })
        }
        Err((_, error)) => Err(failed(error.into())),
    }
}

/// Reads the version, or writes it into a new folder.
fn settle_version(folder: &Path) -> Result<(), DataDirError> {
    let path = folder.join("version");
    match std::fs::read(&path) {
        Ok(bytes) => check_version(folder, &path, &bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let mut text =
                serde_json::json!(Version { format: FORMAT, readable_from: READABLE_FROM }).to_string();
            text.push('\n');
            durable::write_atomically(&path, text.as_bytes())
                .map_err(|source| DataDirError::Write { path, source })
        }
        Err(source) => Err(DataDirError::Read { path, source }),
    }
}

fn check_version(folder: &Path, path: &Path, bytes: &[u8]) -> Result<(), DataDirError> {
    let version: Version = serde_json::from_slice(bytes)
        .map_err(|error| DataDirError::Version { path: path.into(), detail: error.to_string() })?;
    // A newer release may say that this one still reads its data: then it is used, and its version left as it is.
    if version.readable_from > FORMAT {
        return Err(DataDirError::Newer { path: folder.into(), found: version.format });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_new_folder_gets_its_layout_and_opens_again() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("data");
        drop(DataDir::open(&path).unwrap());
        let data = DataDir::open(&path).unwrap();
        for folder in FOLDERS {
            let mode = std::fs::metadata(data.path().join(folder)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o700, "{folder}");
        }
        assert_eq!(
            std::fs::read_to_string(path.join("version")).unwrap(),
            "{\"format\":1,\"readable_from\":1}\n"
        );
        assert!(data.free_space().unwrap().total_bytes > 0);
    }

    #[test]
    fn a_second_start_is_refused_with_the_holder() {
        let root = tempfile::tempdir().unwrap();
        let held = DataDir::open(root.path()).unwrap();
        let error = DataDir::open(root.path()).unwrap_err().to_string();
        assert!(error.contains(&format!("in use by process {}", std::process::id())), "{error}");
        drop(held);
        DataDir::open(root.path()).unwrap();
    }

    #[test]
    fn a_newer_format_is_refused_naming_both() {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("version"), r#"{"format": 7, "readable_from": 6}"#).unwrap();
        let error = DataDir::open(root.path()).unwrap_err().to_string();
        assert!(error.contains("has format 7") && error.contains("up to 1"), "{error}");
    }

    #[test]
    fn a_newer_format_that_is_readable_is_used_and_kept() {
        let root = tempfile::tempdir().unwrap();
        let text = r#"{"format": 2, "readable_from": 1, "new": true}"#;
        std::fs::write(root.path().join("version"), text).unwrap();
        DataDir::open(root.path()).unwrap();
        assert_eq!(std::fs::read_to_string(root.path().join("version")).unwrap(), text);
    }

    #[test]
    fn a_path_out_of_the_recordings_is_no_recording() {
        let data = Path::new("data");
        assert_eq!(recording_path(data, "recordings/a/b.wav"), Some("data/recordings/a/b.wav".into()));
        for bad in [
            "",
            "recordings",
            "recordings/",
            "recordings/../lock",
            "/recordings/a",
            "journal/1",
            "recordings//../../x",
            "recordings/a\0",
        ] {
            assert_eq!(recording_path(data, bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_version_file_is_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = check_version(Path::new("data"), Path::new("data/version"), &bytes);
        }

        #[test]
        fn no_text_leads_out_of_the_recordings(text in "(recordings)?[./a]{0,12}") {
            if let Some(path) = recording_path(Path::new("data"), &text) {
                prop_assert!(path.starts_with("data/recordings"));
                prop_assert!(!path.components().any(|part| part.as_os_str() == ".."));
            }
        }
    }
}
