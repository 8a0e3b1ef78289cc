//! What can fail, by step. A disk that is full and data of a newer release have variants of their own: the station
//! acts on them.

use std::io;
use std::path::PathBuf;

/// Errors of journal and catalog. Each ends in one sentence for the person in front of the box.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the disk of {} is full: nothing was written; make room and try again", path.display())]
    DiskFull { path: PathBuf },
    #[error("cannot {step} {}: {source}", path.display())]
    Io { step: &'static str, path: PathBuf, source: io::Error },
    #[error(
        "{} was written by a newer release (format {found}, this one reads up to {known}): start that release instead",
        path.display()
    )]
    NewerFormat { path: PathBuf, found: u32, known: u32 },
    #[error("the entry of {bytes} bytes is longer than the {limit} bytes a journal entry may have")]
    EntryTooLong { bytes: usize, limit: usize },
    #[error("an entry cannot be written as JSON: {0}")]
    Encode(serde_json::Error),
    #[error(
        "the catalog cannot {step}: {source}; the journal is whole, and the catalog is made again from it"
    )]
    Index { step: &'static str, source: rusqlite::Error },
    #[error("record {0} stands in the journal already, with other facts")]
    RecordExists(String),
    #[error("there is no record {0}")]
    NoRecord(String),
    #[error("there is no tag {tag} on record {record}")]
    NoTag { record: String, tag: u64 },
    #[error("there is no current or past alarm {0}")]
    NoAlarm(u64),
    #[error("there is no account {0}")]
    NoAccount(String),
    #[error("there is no contact with the number {0}")]
    NoContact(String),
    #[error("a score is a whole number from 1 to 10, not {0}")]
    BadScore(u8),
    #[error("entry {sequence} of the journal cannot be read any more: run a reindex")]
    EntryUnreadable { sequence: u64 },
    #[error(
        "the catalog is being made again from the journal ({percent} %): recording goes on; try again in a while"
    )]
    NotReady { percent: u64 },
    #[error(
        "the catalog does not show all that is in the journal yet: nothing was done; try again in a while"
    )]
    Behind,
    #[error("the catalog cannot be made again: {why}")]
    Rebuild { why: String },
    #[error("the catalog is closed")]
    Closed,
}

impl Error {
    /// Stable code for the API's problem details.
    pub fn code(&self) -> &'static str {
        match self {
            Self::DiskFull { .. } => "disk_full",
            Self::Io { .. } => "disk_failed",
            Self::NewerFormat { .. } => "newer_format",
            Self::EntryTooLong { .. } => "entry_too_long",
            Self::Encode(_) => "entry_invalid",
            Self::Index { .. } => "catalog_failed",
            Self::RecordExists(_) => "record_exists",
            Self::NoRecord(_) => "no_record",
            Self::NoTag { .. } => "no_tag",
            Self::NoAlarm(_) => "no_alarm",
            Self::NoAccount(_) => "no_account",
            Self::NoContact(_) => "no_contact",
            Self::BadScore(_) => "score_invalid",
            Self::EntryUnreadable { .. } => "entry_unreadable",
            Self::NotReady { .. } => "catalog_not_ready",
            Self::Behind => "catalog_behind",
            Self::Rebuild { .. } => "catalog_failed",
            Self::Closed => "catalog_closed",
        }
    }

    /// Keeps what failed where; a full disk becomes a kind of its own.
    pub(crate) fn io(step: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull { path },
            _ => Self::Io { step, path, source },
        }
    }

    /// The same error once more, for each who waits for a write that failed.
    pub(crate) fn again(&self) -> Self {
        match self {
            Self::DiskFull { path } => Self::DiskFull { path: path.clone() },
            Self::Io { step, path, source } => {
                let source = source.raw_os_error().map_or_else(
                    || io::Error::new(source.kind(), source.to_string()),
                    io::Error::from_raw_os_error,
                );
                Self::Io { step, path: path.clone(), source }
            }
            _ => Self::Closed,
        }
    }

    pub(crate) fn index(step: &'static str) -> impl FnOnce(rusqlite::Error) -> Self {
        move |source| Self::Index { step, source }
    }
}
