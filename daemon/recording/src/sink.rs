//! The other side of the recorder: who keeps the journal, and who is told when audio or the disk is in trouble.

use std::error::Error;

use crate::facts::Facts;
use crate::recover::Recovered;

/// A record that is whole on the disk, and has yet to be written into the journal.
#[derive(Clone, Debug, PartialEq)]
pub struct Finished {
    pub facts: Facts,
    /// Relative to the data folder, with `/`: `recordings/2026/03/01/….wav`; `None` for a record without audio.
    pub path: Option<String>,
    /// Size of the file; 0 without one.
    pub bytes: u64,
    /// The recorder was not running when the call ended, or stopped before the record was finished.
    pub recovered: bool,
}

/// Why samples are missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GapCause {
    /// The capture unit lost them: they were never given to the recorder.
    NotCaptured,
    /// The disk did not keep up, and the queue was full.
    Overflow,
    /// They were written, and what the disk gave back was not what had been written.
    Damaged,
}

/// Samples of a port that are missing, since the last call about this port and cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    pub port: u16,
    pub samples: u64,
    pub cause: GapCause,
}

/// What is wrong with the disk of the data folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DiskTrouble {
    /// No room: nothing is lost as long as the capture log's reserve lasts.
    Full,
    /// Writing fails: read-only, no right, input/output error.
    Unwritable,
    /// Writing takes so long that the queue fills.
    Slow,
}

/// Why the sink could not keep a record.
pub type SinkError = Box<dyn Error + Send + Sync>;

/// Receives what the recorder made. Called from the recorder's own threads, never from the capture path; a call may
/// block, and while it does no further record is finished (open calls are written on).
pub trait FinishedSink: Send + Sync + 'static {
    /// The number the next record gets: one above the last in the journal, 1 in an empty one.
    fn next_sequence(&self) -> u64;

    /// Keeps the record for ever: on `Ok` it is in the journal, synced, and `next_sequence` is one higher. On `Err`
    /// it is not, and the same record is offered again after a second.
    fn finished(&self, record: &Finished) -> Result<(), SinkError>;

    /// Samples are missing. At most once a second for each port and cause while it lasts.
    fn gap(&self, gap: Gap);

    /// What a former run left in the capture log has been read; what could not be is told here and nowhere else.
    fn recovered(&self, _found: Recovered) {}

    /// A trouble began. Each kind is told once, until `disk_ok`.
    fn disk_trouble(&self, trouble: DiskTrouble, detail: &str);

    /// Every trouble told before is over.
    fn disk_ok(&self);
}
