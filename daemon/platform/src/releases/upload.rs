//! A bundle on its way in. It grows as a part, and becomes a release when it is whole, on the disk and described:
//! whatever happens before that leaves nothing.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::atomic::Ordering::Relaxed;

use recording::{sync_folder, write_atomically};
use sha2::{Digest, Sha256};

use super::{MOST_RELEASE_BYTES, Release, ReleaseError, Releases};
use crate::lock;

/// A bundle begins as a squashfs image.
const MAGIC: &[u8] = b"hsqs";

/// Dropped before `finish`, it leaves nothing.
pub struct Upload {
    releases: Releases,
    name: String,
    account: String,
    path: PathBuf,
    file: File,
    hash: Sha256,
    bytes: u64,
}

impl Upload {
    pub(super) fn begin(
        releases: Releases,
        name: &str,
        bytes: Option<u64>,
        account: &str,
    ) -> Result<Self, ReleaseError> {
        check_room(&releases, bytes.unwrap_or_default())?;
        let number = releases.0.uploads.fetch_add(1, Relaxed);
        let path = releases.0.folder.join(format!("upload-{number}.part"));
        let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        let file = opened.map_err(|source| ReleaseError::disk(&path, source))?;
        let (name, account) = (name.to_owned(), account.to_owned());
        Ok(Self { releases, name, account, path, file, hash: Sha256::new(), bytes: 0 })
    }

    /// Writes what comes next. Blocks. After an error the upload is of no more use.
    ///
    /// # Errors
    /// `NotABundle` with the first bytes, `TooLarge`, `NoRoom`, `Disk`.
    pub fn take(&mut self, piece: &[u8]) -> Result<(), ReleaseError> {
        let begin = MAGIC.get(self.bytes as usize..).unwrap_or_default();
        let compared = begin.len().min(piece.len());
        if begin[..compared] != piece[..compared] {
            return Err(ReleaseError::NotABundle);
        }
        let bytes = self.bytes.saturating_add(piece.len() as u64);
        if bytes > MOST_RELEASE_BYTES {
            return Err(ReleaseError::TooLarge);
        }
        check_room(&self.releases, piece.len() as u64)?;
        self.file.write_all(piece).map_err(|source| ReleaseError::disk(&self.path, source))?;
        self.hash.update(piece);
        self.bytes = bytes;
        Ok(())
    }

    /// Makes a release of it, at `now_us`, microseconds of UTC since 1970. Blocks until it is on the disk.
    ///
    /// # Errors
    /// `NotABundle`: shorter than any; `Exists`, `NameTaken`, `TooMany`, `NoRoom`, `Disk`.
    pub fn finish(self, now_us: i64) -> Result<Release, ReleaseError> {
        if self.bytes < MAGIC.len() as u64 {
            return Err(ReleaseError::NotABundle);
        }
        self.file.sync_all().map_err(|source| ReleaseError::disk(&self.path, source))?;
        let sha256: String = self.hash.clone().finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        let releases = &self.releases;
        let _one_at_a_time = releases.changing();
        if let Some(same) = releases.get(&sha256) {
            return Err(ReleaseError::Exists(same.name));
        }
        releases.check_new(&self.name)?;
        let (name, account) = (self.name.clone(), self.account.clone());
        let release = Release { name, bytes: self.bytes, sha256, added_us: now_us, account };
        self.appear(&release)?;
        lock(&releases.0.list).insert(release.sha256.clone(), release.clone());
        Ok(release)
    }

    /// The description first: the name of the bundle is what makes it a release.
    fn appear(&self, release: &Release) -> Result<(), ReleaseError> {
        let description = self.releases.description(&release.sha256);
        let text = serde_json::to_vec(release).map_err(std::io::Error::other);
        text.and_then(|text| write_atomically(&description, &text))
            .map_err(|source| ReleaseError::disk(&description, source))?;
        let bundle = self.releases.bundle(&release.sha256);
        let folder = &self.releases.0.folder;
        std::fs::rename(&self.path, &bundle).and_then(|()| sync_folder(folder)).map_err(|source| {
            let _ = (std::fs::remove_file(&bundle), std::fs::remove_file(&description));
            ReleaseError::disk(&bundle, source)
        })
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        // What has become a release has this name no more; what cannot be removed now is at the next start.
        let _ = std::fs::remove_file(&self.path);
    }
}

fn check_room(releases: &Releases, bytes: u64) -> Result<(), ReleaseError> {
    if releases.0.room.spares(bytes) { Ok(()) } else { Err(ReleaseError::NoRoom) }
}
