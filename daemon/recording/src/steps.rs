//! The steps on the way to the disk, named, so that tests can copy the folder or make the disk fail at each of them.

use std::io;
use std::sync::Arc;

/// What has just been done, or (where it says so) is about to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Step {
    /// About to create a segment of the capture log.
    NewSegment,
    /// About to write frames into the capture log.
    LogWrite,
    LogWritten,
    /// About to sync the capture log.
    LogSync,
    LogSynced,
    /// About to create the temporary file of a recording.
    NewFile,
    AudioWritten,
    FileSynced,
    FileNamed,
    FolderSynced,
    PeaksWritten,
    InJournal,
    PeaksDeleted,
    FileDeleted,
}

type Hook = dyn Fn(Step) -> io::Result<()> + Send + Sync;

/// Nothing outside tests.
#[derive(Clone, Default)]
pub(crate) struct Steps(Option<Arc<Hook>>);

impl Steps {
    #[cfg(test)]
    pub fn hooked(hook: impl Fn(Step) -> io::Result<()> + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(hook)))
    }

    pub fn reached(&self, step: Step) -> io::Result<()> {
        self.0.as_ref().map_or(Ok(()), |hook| hook(step))
    }
}
