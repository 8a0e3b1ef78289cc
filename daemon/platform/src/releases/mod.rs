//! Upgrade bundles that the platform gives to stations (PF-16): `DATA/releases/SHA256.raucb`, and beside each a
//! `SHA256.json` that says what people call it. What the list does not name is not given out.

mod upload;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use catalog::AuditEntry;
use recording::{create_folders, sync_folder};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uplink::command::{What, is_sha256};

use crate::error::PlatformError;
use crate::lock;
use crate::platform::Platform;
use crate::room::Room;

pub use upload::Upload;

/// Bundles that are kept at most.
pub const MOST_RELEASES: usize = 20;
/// Length of a bundle at most.
pub const MOST_RELEASE_BYTES: u64 = 2 << 30;
const NAME_CHARACTERS: usize = 64;

/// A bundle that is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// As people call it; no other release has the name.
    pub name: String,
    pub bytes: u64,
    /// Of the whole bundle, 64 hexadecimal digits in lower case.
    pub sha256: String,
    /// Microseconds of UTC since 1970.
    pub added_us: i64,
    /// Who added it.
    pub account: String,
}

/// Why a bundle is not taken, or not removed.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseError {
    #[error("a release's name has 1 to {NAME_CHARACTERS} letters, digits and .+-_ and {0:?} is none")]
    NameInvalid(String),
    #[error("there is another release named {0}: choose another name")]
    NameTaken(String),
    #[error("this bundle is here already, as {0}")]
    Exists(String),
    #[error("{MOST_RELEASES} releases are kept at most: remove one first")]
    TooMany,
    #[error("a bundle has {MOST_RELEASE_BYTES} bytes at most")]
    TooLarge,
    #[error("this is no upgrade bundle: choose a file that ends in .raucb, as it was built")]
    NotABundle,
    #[error("the disk has no room for this bundle beside what it keeps for recordings: make room first")]
    NoRoom,
    #[error("there is no release with the SHA-256 {0}")]
    NotThere(String),
    #[error("the release {0} is being sent to stations: wait until they have it, or cancel the commands")]
    InUse(String),
    #[error("{path}: {source}")]
    Disk { path: PathBuf, source: io::Error },
}

impl ReleaseError {
    /// Stable code for the API's problem details.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NameInvalid(_) => "release_name_invalid",
            Self::NameTaken(_) => "release_name_taken",
            Self::Exists(_) => "release_exists",
            Self::TooMany => "too_many_releases",
            Self::TooLarge => "release_too_large",
            Self::NotABundle => "not_a_bundle",
            Self::NoRoom => "no_room",
            Self::NotThere(_) => "no_release",
            Self::InUse(_) => "release_in_use",
            Self::Disk { .. } => "disk_failed",
        }
    }

    fn disk(path: &Path, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::NoRoom,
            _ => Self::Disk { path: path.to_owned(), source },
        }
    }
}

/// The bundles of a platform. Clones share them; any thread may ask.
#[derive(Clone)]
pub struct Releases(Arc<Store>);

struct Store {
    folder: PathBuf,
    room: Arc<Room>,
    /// By SHA-256.
    list: Mutex<BTreeMap<String, Release>>,
    /// Held while a release comes, goes, or is promised to stations; taken before `list`.
    changing: Mutex<()>,
    /// For the names of parts.
    uploads: AtomicU64,
}

impl Releases {
    /// Opens `folder`, and clears away what uploads of a former run have left. The sentences are for the console.
    ///
    /// # Errors
    /// A folder that cannot be made or read.
    pub(crate) fn open(folder: &Path, room: Arc<Room>) -> Result<(Self, Vec<String>), ReleaseError> {
        let (list, sentences) = load(folder).map_err(|source| ReleaseError::disk(folder, source))?;
        let store = Store {
            folder: folder.to_owned(),
            room,
            list: Mutex::new(list),
            changing: Mutex::default(),
            uploads: AtomicU64::new(0),
        };
        Ok((Self(Arc::new(store)), sentences))
    }

    /// All of them, the newest first.
    pub fn list(&self) -> Vec<Release> {
        let mut all: Vec<Release> = lock(&self.0.list).values().cloned().collect();
        all.sort_by(|a, b| b.added_us.cmp(&a.added_us).then_with(|| a.name.cmp(&b.name)));
        all
    }

    pub fn get(&self, sha256: &str) -> Option<Release> {
        lock(&self.0.list).get(sha256).cloned()
    }

    /// Begins to take a bundle of that name, of `bytes` if that is known beforehand.
    ///
    /// # Errors
    /// `NameInvalid`, `NameTaken`, `TooMany`, `TooLarge`, `NoRoom`, `Disk`; nothing is left of it.
    pub fn begin(&self, name: &str, bytes: Option<u64>, account: &str) -> Result<Upload, ReleaseError> {
        if !is_name(name) {
            return Err(ReleaseError::NameInvalid(name.chars().take(NAME_CHARACTERS).collect()));
        }
        if bytes.is_some_and(|bytes| bytes > MOST_RELEASE_BYTES) {
            return Err(ReleaseError::TooLarge);
        }
        self.check_new(name)?;
        Upload::begin(self.clone(), name, bytes, account)
    }

    /// At most so many bytes of a bundle from `offset` on, fewer at its end and none behind it. Blocks.
    ///
    /// # Errors
    /// `NotFound`: there is no such release, or not any more; a disk that does not give it whole.
    pub fn read(&self, sha256: &str, offset: u64, most_bytes: usize) -> io::Result<Bytes> {
        let release = self.get(sha256).ok_or(io::ErrorKind::NotFound)?;
        let left = release.bytes.saturating_sub(offset);
        let mut piece = vec![0; usize::try_from(left).map_or(most_bytes, |left| left.min(most_bytes))];
        File::open(self.bundle(sha256))?.read_exact_at(&mut piece, offset)?;
        Ok(piece.into())
    }

    /// Takes a release away, unless `is_sent` says that stations are being given it. Blocks.
    fn remove(&self, sha256: &str, is_sent: impl FnOnce() -> bool) -> Result<Release, ReleaseError> {
        let _one_at_a_time = self.changing();
        let release = self.get(sha256).ok_or_else(|| ReleaseError::NotThere(sha256.to_owned()))?;
        if is_sent() {
            return Err(ReleaseError::InUse(release.name));
        }
        let bundle = self.bundle(sha256);
        // The bundle first: a description without one says of nothing, and the next start clears it away.
        match std::fs::remove_file(&bundle) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(ReleaseError::disk(&bundle, error));
            }
            _ => {}
        }
        lock(&self.0.list).remove(sha256);
        let _ = std::fs::remove_file(self.description(sha256));
        sync_folder(&self.0.folder).map_err(|source| ReleaseError::disk(&self.0.folder, source))?;
        Ok(release)
    }

    /// While it is held no release comes or goes.
    fn changing(&self) -> MutexGuard<'_, ()> {
        lock(&self.0.changing)
    }

    fn check_new(&self, name: &str) -> Result<(), ReleaseError> {
        let list = lock(&self.0.list);
        if list.values().any(|release| release.name == name) {
            return Err(ReleaseError::NameTaken(name.to_owned()));
        }
        if list.len() >= MOST_RELEASES {
            return Err(ReleaseError::TooMany);
        }
        Ok(())
    }

    fn bundle(&self, sha256: &str) -> PathBuf {
        self.0.folder.join(format!("{sha256}.raucb"))
    }

    fn description(&self, sha256: &str) -> PathBuf {
        self.0.folder.join(format!("{sha256}.json"))
    }
}

/// Whether people may call a release so.
fn is_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._+-".contains(&byte);
    (1..=NAME_CHARACTERS).contains(&name.len()) && name.bytes().all(fits)
}

/// What lies in the folder. A bundle that nothing describes stays where a person has put it.
fn load(folder: &Path) -> io::Result<(BTreeMap<String, Release>, Vec<String>)> {
    create_folders(folder)?;
    let (mut list, mut sentences) = (BTreeMap::new(), Vec::new());
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        match path.extension().and_then(OsStr::to_str) {
            Some("part" | "tmp") => std::fs::remove_file(&path)?,
            Some("json") if !path.with_extension("raucb").exists() => std::fs::remove_file(&path)?,
            Some("json") => match described(&path) {
                Ok(release) => drop(list.insert(release.sha256.clone(), release)),
                Err(why) => {
                    let path = path.display();
                    sentences.push(format!("{path}: {why}; the release is passed over: add it again"));
                }
            },
            _ => {}
        }
    }
    Ok((list, sentences))
}

/// The release that a file describes, if its bundle is as long as it says. Its SHA-256 is the station's to check:
/// bundles are too long to read at each start.
fn described(path: &Path) -> Result<Release, String> {
    let text = std::fs::read(path).map_err(|error| error.to_string())?;
    let release: Release =
        serde_json::from_slice(&text).map_err(|error| format!("no description of a release: {error}"))?;
    let stem = path.file_stem().and_then(OsStr::to_str);
    if !is_sha256(&release.sha256) || stem != Some(release.sha256.as_str()) || !is_name(&release.name) {
        return Err("no description of the bundle beside it".to_owned());
    }
    let found = std::fs::metadata(path.with_extension("raucb")).map_err(|error| error.to_string())?.len();
    if found != release.bytes {
        return Err(format!("its bundle has {found} bytes and not {}", release.bytes));
    }
    Ok(release)
}

impl Platform {
    /// The bundles that stations can be given.
    pub fn releases(&self) -> &Releases {
        &self.inner.releases
    }

    /// As `command`: has each of `serials` fetch and install this release, and start again at once if `restart`.
    ///
    /// # Errors
    /// `ReleaseError::NotThere`, and those of `command`.
    pub fn upgrade(
        &self,
        serials: &[String],
        sha256: &str,
        restart: bool,
        within: Duration,
        mut trail: AuditEntry,
    ) -> Result<Vec<u64>, PlatformError> {
        let releases = self.releases();
        let _stays = releases.changing();
        let release = releases.get(sha256).ok_or_else(|| ReleaseError::NotThere(sha256.to_owned()))?;
        trail.params.insert("release".into(), json!(release.name));
        trail.params.insert("restart".into(), json!(restart));
        // With these it can go on when the platform has been away.
        trail.params.insert("bytes".into(), json!(release.bytes));
        trail.params.insert("sha256".into(), json!(release.sha256));
        let what =
            What::Upgrade { release: release.name, bytes: release.bytes, sha256: release.sha256, restart };
        self.command(serials, &what, within, trail)
    }

    /// Removes a release that no open command sends. Blocks.
    ///
    /// # Errors
    /// `ReleaseError::NotThere`, `InUse`, `Disk`.
    pub fn remove_release(&self, sha256: &str) -> Result<Release, PlatformError> {
        let is_sent = || lock(&self.inner.orders).sends(sha256);
        Ok(self.releases().remove(sha256, is_sent)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_of_letters_that_no_file_or_address_minds() {
        for good in ["0.2.0", "hookline-0.2.0+rc1", "a", "_", &"x".repeat(64)] {
            assert!(is_name(good), "{good}");
        }
        for bad in ["", "a b", "a/b", "版本", "a\n", &"x".repeat(65)] {
            assert!(!is_name(bad), "{bad}");
        }
    }
}
