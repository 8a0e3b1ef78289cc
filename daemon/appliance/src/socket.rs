//! The socket in the file system: one process behind it, who may open it, and what a killed process left there.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::unistd::geteuid;
use tokio::net::UnixListener;

use crate::error::ApplianceError;

/// Owner and group connect; nobody else.
const SOCKET_MODE: u32 = 0o660;
const LOCK_MODE: u32 = 0o600;
const WRITABLE_BY_OTHERS: u32 = 0o022;

/// A socket that answers, and is removed when this is dropped.
pub(crate) struct Socket {
    pub(crate) listener: UnixListener,
    path: PathBuf,
    /// Held by this process alone; the file stays, since removing it would let two of them hold one.
    _lock: Flock<File>,
}

impl Socket {
    /// Listens at `path`, in the place of a socket that a process before left behind. `owner`: the user who is to be able
    /// to open it beside root; `None` for the process's own. To be called within a tokio runtime.
    ///
    /// # Errors
    /// One sentence: another process has it, a file lies there, a folder is missing or not writable.
    pub(crate) fn bind(path: &Path, owner: Option<u32>) -> Result<Self, ApplianceError> {
        check_folder(path)?;
        let lock = lock(path)?;
        remove_stale(path)?;
        let failed = |step| move |source| ApplianceError::Starting { step, path: path.to_owned(), source };
        let listener = UnixListener::bind(path).map_err(failed("listen at"))?;
        let socket = Self { listener, path: path.to_owned(), _lock: lock };
        if owner.is_some() {
            chown(path, owner, None).map_err(failed("give away"))?;
        }
        fs::set_permissions(path, Permissions::from_mode(SOCKET_MODE))
            .map_err(failed("set the rights of"))?;
        Ok(socket)
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // What cannot be removed is stale from now on, and replaced by the next process.
        let _ = fs::remove_file(&self.path);
    }
}

/// What lies beside the socket is opened, removed and given away here: nobody else may put anything there.
fn check_folder(socket: &Path) -> Result<(), ApplianceError> {
    let folder = socket.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let found = fs::metadata(folder).map_err(|source| ApplianceError::Starting {
        step: "look at the folder of",
        path: socket.to_owned(),
        source,
    })?;
    let ours = [0, geteuid().as_raw()].contains(&found.uid());
    if ours && found.mode() & WRITABLE_BY_OTHERS == 0 {
        Ok(())
    } else {
        Err(ApplianceError::FolderOpen { folder: folder.to_owned() })
    }
}

fn lock(socket: &Path) -> Result<Flock<File>, ApplianceError> {
    let mut path = OsString::from(socket);
    path.push(".lock");
    let path = PathBuf::from(path);
    let failed = |source: io::Error| ApplianceError::Starting { step: "lock", path: path.clone(), source };
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(LOCK_MODE)
        .open(&path)
        .map_err(failed)?;
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(lock) => Ok(lock),
        Err((_, Errno::EWOULDBLOCK)) => Err(ApplianceError::InUse { socket: socket.to_owned() }),
        Err((_, error)) => Err(failed(error.into())),
    }
}

/// To be called with the lock held: a socket that lies there then is nobody's.
fn remove_stale(path: &Path) -> Result<(), ApplianceError> {
    let failed = |step| move |source| ApplianceError::Starting { step, path: path.to_owned(), source };
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(failed("look at")(error)),
        Ok(found) if found.file_type().is_socket() => fs::remove_file(path).map_err(failed("remove")),
        Ok(_) => Err(ApplianceError::NoSocket { socket: path.to_owned() }),
    }
}
