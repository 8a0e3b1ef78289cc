//! Removing a recording's files. The caller writes the deletion into the journal first: an interrupted one is then
//! finished at the next start by deleting again, and a missing file is always explained.

use std::io;
use std::path::{Path, PathBuf};

use crate::data_dir::{DataDir, recording_path};
use crate::durable;
use crate::peaks;
use crate::steps::{Step, Steps};

/// Why a recording was not deleted.
#[derive(Debug, thiserror::Error)]
pub enum DeleteError {
    #[error("{0:?} names no file below recordings/")]
    Path(String),
    #[error("cannot delete {}: {source}", path.display())]
    Remove { path: PathBuf, source: io::Error },
}

/// Deletes a recording and its peaks for ever. True: there was something to delete. Doing it again does no harm.
pub fn delete(data: &DataDir, relative: &str) -> Result<bool, DeleteError> {
    delete_in(data.path(), relative, &Steps::default())
}

pub(crate) fn delete_in(data: &Path, relative: &str, steps: &Steps) -> Result<bool, DeleteError> {
    let path = recording_path(data, relative).ok_or_else(|| DeleteError::Path(relative.into()))?;
    // Peaks first: interrupted, it leaves a recording that is found by its name, and no peaks of nothing.
    let removed = || -> io::Result<bool> {
        let peaks = durable::remove_if_there(&peaks::path_beside(&path))?;
        steps.reached(Step::PeaksDeleted)?;
        let recording = durable::remove_if_there(&path)?;
        steps.reached(Step::FileDeleted)?;
        if recording || peaks {
            durable::sync_folder(durable::parent(&path))?;
        }
        Ok(recording || peaks)
    };
    removed().map_err(|source| DeleteError::Remove { path: path.clone(), source })
}
