//! Looks through the whole recordings folder and puts right what an interruption, a failing disk or a stranger left
//! there. A start does not need it (the capture log names whatever was under way); `reindex` and repairs do.

use std::io;
use std::path::PathBuf;

use crate::damaged;
use crate::data_dir::{DataDir, recording_path};
use crate::deletion::{self, DeleteError};
use crate::durable;
use crate::reader::Reader;
use crate::sink::Finished;
use crate::steps::Steps;
use crate::survey::{Item, ItemKind, survey};
use crate::wav::ReadError;

/// What was found and done.
#[derive(Debug, Default, PartialEq)]
pub struct Mended {
    /// Whole recordings that the journal does not have, by rising sequence number: to be entered.
    pub unjournalled: Vec<Finished>,
    /// What could not be read and lies in `recordings/damaged/` now, by its old path.
    pub moved_away: Vec<String>,
    /// Recordings that the disk does not give back just now. They stay where they are.
    pub unreadable: Vec<String>,
    /// Peaks without a recording, and recordings whose deletion had been interrupted.
    pub removed: Vec<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum MendError {
    #[error("cannot look through the recordings: {0}")]
    Survey(io::Error),
    #[error("cannot read {}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("cannot move away {path}: {source}")]
    MoveAway { path: String, source: io::Error },
    #[error("cannot delete {path}: {source}")]
    Remove { path: String, source: io::Error },
    #[error(transparent)]
    Delete(#[from] DeleteError),
}

/// Mends a folder on which no recorder runs. `next_sequence`: one above the journal's last record. `deleted`: paths of
/// recordings that the journal says are deleted.
pub fn mend(
    data: &DataDir,
    next_sequence: u64,
    deleted: impl IntoIterator<Item = String>,
) -> Result<Mended, MendError> {
    let mut mended = Mended::default();
    for path in deleted {
        if deletion::delete_in(data.path(), &path, &Steps::default())? {
            mended.removed.push(path);
        }
    }
    for item in survey(data.path()) {
        let Item { path: relative, kind } = item.map_err(MendError::Survey)?;
        let path = data.path().join(&relative);
        match kind {
            ItemKind::Recording => mend_recording(data, relative, next_sequence, &mut mended)?,
            ItemKind::Temporary => {
                move_away(data, relative, "it was being written when the recorder stopped", &mut mended)?;
            }
            ItemKind::Peaks if !path.with_extension("wav").exists() => {
                durable::remove_if_there(&path)
                    .map_err(|source| MendError::Remove { path: relative.clone(), source })?;
                mended.removed.push(relative);
            }
            ItemKind::Peaks => {}
            ItemKind::Other => move_away(data, relative, "it is no recording", &mut mended)?,
        }
    }
    mended.unjournalled.sort_by_key(|record| record.facts.id.sequence);
    Ok(mended)
}

fn mend_recording(
    data: &DataDir,
    relative: String,
    next_sequence: u64,
    mended: &mut Mended,
) -> Result<(), MendError> {
    let Some(path) = recording_path(data.path(), &relative) else { return Ok(()) };
    match Reader::open(&path) {
        Ok(reader) if reader.facts().id.sequence < next_sequence => Ok(()),
        Ok(reader) => match reader.verify_audio() {
            Ok(()) => {
                let facts = reader.facts().clone();
                let read = |source| MendError::Read { path: path.clone(), source };
                let bytes = std::fs::metadata(&path).map_err(read)?.len();
                mended.unjournalled.push(Finished { facts, path: Some(relative), bytes, recovered: true });
                Ok(())
            }
            Err(error) => unreadable(data, relative, error, mended),
        },
        Err(error) => unreadable(data, relative, error, mended),
    }
}

fn unreadable(
    data: &DataDir,
    relative: String,
    error: ReadError,
    mended: &mut Mended,
) -> Result<(), MendError> {
    match error {
        // The disk may give it back another time: it stays where it is.
        ReadError::Io { .. } => {
            mended.unreadable.push(relative);
            Ok(())
        }
        error => move_away(data, relative, &error.to_string(), mended),
    }
}

fn move_away(data: &DataDir, relative: String, reason: &str, mended: &mut Mended) -> Result<(), MendError> {
    let path = data.path().join(&relative);
    damaged::move_away(data.path(), &path, reason)
        .map_err(|source| MendError::MoveAway { path: relative.clone(), source })?;
    let _ = durable::remove_if_there(&path.with_extension("peaks"));
    mended.moved_away.push(relative);
    Ok(())
}
