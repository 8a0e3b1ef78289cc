//! Where files go that cannot be read: `recordings/damaged/`, each with its reason in a text file beside it. Nothing is
//! ever deleted because it is damaged: what this release cannot read, somebody else may.

use std::io;
use std::path::{Path, PathBuf};

use crate::data_dir::{DAMAGED, RECORDINGS};
use crate::durable;

/// Moves `file` there, and gives where it lies now. The reason is written first, so that a file never lies there without.
pub(crate) fn move_away(data: &Path, file: &Path, reason: &str) -> io::Result<PathBuf> {
    let folder = data.join(RECORDINGS).join(DAMAGED);
    durable::create_folders(&folder)?;
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let name = name.trim_start_matches('.');
    let mut to = folder.join(name);
    let mut again = 1;
    while to.exists() {
        to = folder.join(format!("{name}.{again}"));
        again += 1;
    }
    let reason_path = reason_beside(&to);
    durable::write_atomically(&reason_path, format!("{reason}\n").as_bytes())?;
    std::fs::rename(file, &to)?;
    durable::sync_folder(&folder)?;
    durable::sync_folder(durable::parent(file))?;
    Ok(to)
}

pub(crate) fn reason_beside(file: &Path) -> PathBuf {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    file.with_file_name(format!("{name}.reason.txt"))
}
