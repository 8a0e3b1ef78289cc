//! The face of the crate: one `Catalog` is opened a data folder, cloned freely, and called from any thread.

use std::io::Write;
use std::ops::ControlFlow;
use std::path::Path;

use chrono_tz::Tz;
use recording::{Facts, RecordId};

use crate::account::{Account, AccountRow, Contact};
use crate::alarm::{AlarmKey, AlarmRow, Params};
use crate::audit::{AuditEntry, AuditRow};
use crate::entry::{Body, Change};
use crate::error::Error;
use crate::query::{AlarmQuery, AuditQuery, GroupBy, Page, PageRequest, RecordQuery, Statistics, TagText};
use crate::record::{DeletionReason, RecordDetail, RecordRow, Tag};
use crate::scope::Scope;

/// How a catalog is opened.
#[derive(Clone, Debug)]
pub struct Options {
    /// Serial number of this box; its records are counted by `next_sequence`.
    pub serial: String,
    /// Connections that read at the same time.
    pub readers: usize,
}

impl Options {
    pub fn new(serial: impl Into<String>) -> Self {
        Self { serial: serial.into(), readers: 4 }
    }
}

/// Where entries came to stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Journal sequence numbers of the first and last entry.
    pub first: u64,
    pub last: u64,
    /// Queries show them already; otherwise they do as soon as the catalog works again.
    pub indexed: bool,
}

/// Journal and catalog of one data folder. Clones share everything. All calls block; none holds a lock for long.
#[derive(Clone)]
pub struct Catalog;

#[allow(unused_variables)] // signatures first, so that station and web can build against them
impl Catalog {
    /// Opens `root/journal` and `root/catalog.sqlite`, mends what a power cut left, and brings the catalog up to the
    /// journal; makes it again where it is absent, damaged or of another version.
    pub fn open(root: &Path, options: Options) -> Result<(Self, OpenReport), Error> {
        unimplemented!()
    }

    // ---- writing: the journal first, on disk, then the catalog ----

    /// Writes entries, in order and together: all of them or none. Returns when they are safe on disk and, unless the
    /// catalog fails, queries show them.
    pub fn append(&self, bodies: Vec<Body>) -> Result<Receipt, Error> {
        unimplemented!()
    }

    /// As `append`, but returns as soon as they are safe on disk: what the recording path uses.
    pub fn append_durable(&self, bodies: Vec<Body>) -> Result<Receipt, Error> {
        unimplemented!()
    }

    /// The number of the next record of this box. Counts up without a hole: a number for which no file was published
    /// and no record written is given back.
    pub fn next_sequence(&self) -> u64 {
        unimplemented!()
    }

    /// Gives back a number of `next_sequence` that nothing on disk carries; it is the next to be given out.
    pub fn give_back_sequence(&self, sequence: u64) {
        unimplemented!()
    }

    /// Writes down a finished record (`append_durable`). The same facts a second time are no error and write nothing.
    pub fn add_record(&self, facts: Facts, file: Option<String>) -> Result<(), Error> {
        unimplemented!()
    }

    pub fn annotate(&self, id: &RecordId, account: Option<&str>, change: Change) -> Result<Receipt, Error> {
        unimplemented!()
    }

    /// Puts a tag on a record.
    pub fn add_tag(
        &self,
        id: &RecordId,
        account: Option<&str>,
        sample: u64,
        text: &str,
    ) -> Result<Tag, Error> {
        unimplemented!()
    }

    /// Marks records as deleted. The files are removed by the caller, after this: a power cut in between leaves files
    /// that `OpenReport::deleted_with_file` names.
    pub fn delete(
        &self,
        ids: &[RecordId],
        account: Option<&str>,
        reason: DeletionReason,
    ) -> Result<Receipt, Error> {
        unimplemented!()
    }

    /// Raises an alarm, or counts it once more if it stands already (written down at most once a minute).
    pub fn raise(&self, key: &AlarmKey, params: Params) -> Result<(), Error> {
        unimplemented!()
    }

    /// Clears an alarm; nothing happens if it does not stand.
    pub fn clear(&self, key: &AlarmKey) -> Result<(), Error> {
        unimplemented!()
    }

    pub fn acknowledge(&self, alarm: u64, account: &str, note: Option<&str>) -> Result<AlarmRow, Error> {
        unimplemented!()
    }

    pub fn audit(&self, entry: AuditEntry) -> Result<(), Error> {
        unimplemented!()
    }

    /// Makes or changes an account; accounts are few and always whole.
    pub fn set_account(&self, account: Account) -> Result<(), Error> {
        unimplemented!()
    }

    pub fn remove_account(&self, name: &str) -> Result<(), Error> {
        unimplemented!()
    }

    pub fn set_contact(&self, contact: Contact) -> Result<(), Error> {
        unimplemented!()
    }

    pub fn remove_contact(&self, number: &str) -> Result<(), Error> {
        unimplemented!()
    }

    // ---- reading ----

    /// One page of records, newest first.
    pub fn records(
        &self,
        scope: &Scope,
        query: &RecordQuery,
        page: PageRequest,
    ) -> Result<Page<RecordRow>, Error> {
        unimplemented!()
    }

    /// All records that match, newest first, as they are read: for exports.
    pub fn each_record(
        &self,
        scope: &Scope,
        query: &RecordQuery,
        each: &mut dyn FnMut(RecordRow) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        unimplemented!()
    }

    /// Rows of these records, in the order of `ids`; those that do not exist or lie outside the scope are left out.
    pub fn records_by_id(&self, scope: &Scope, ids: &[RecordId]) -> Result<Vec<RecordRow>, Error> {
        unimplemented!()
    }

    /// Everything about one record; `None` if there is none or it lies outside the scope.
    pub fn record(&self, scope: &Scope, id: &RecordId) -> Result<Option<RecordDetail>, Error> {
        unimplemented!()
    }

    /// Instant recall: the last records of a port that are not deleted, newest first.
    pub fn recent(&self, scope: &Scope, port: u16, count: u32) -> Result<Vec<RecordRow>, Error> {
        unimplemented!()
    }

    pub fn statistics(
        &self,
        scope: &Scope,
        query: &RecordQuery,
        by: GroupBy,
        zone: Tz,
    ) -> Result<Statistics, Error> {
        unimplemented!()
    }

    /// Tag texts used before, the most used first.
    pub fn tag_texts(&self, limit: u32) -> Result<Vec<TagText>, Error> {
        unimplemented!()
    }

    pub fn alarms(
        &self,
        scope: &Scope,
        query: &AlarmQuery,
        page: PageRequest,
    ) -> Result<Page<AlarmRow>, Error> {
        unimplemented!()
    }

    /// Current alarms by severity.
    pub fn alarm_counts(&self, scope: &Scope) -> Result<AlarmCounts, Error> {
        unimplemented!()
    }

    pub fn audit_trail(
        &self,
        scope: &Scope,
        query: &AuditQuery,
        page: PageRequest,
    ) -> Result<Page<AuditRow>, Error> {
        unimplemented!()
    }

    /// By name.
    pub fn accounts(&self) -> Result<Vec<AccountRow>, Error> {
        unimplemented!()
    }

    /// Without regard to the case of letters.
    pub fn account(&self, name: &str) -> Result<Option<AccountRow>, Error> {
        unimplemented!()
    }

    /// By number; `text` is a fragment of any member.
    pub fn contacts(&self, text: Option<&str>, page: PageRequest) -> Result<Page<Contact>, Error> {
        unimplemented!()
    }

    pub fn contact(&self, number: &str) -> Result<Option<Contact>, Error> {
        unimplemented!()
    }

    /// How far the catalog is behind the journal, and why.
    pub fn health(&self) -> Health {
        unimplemented!()
    }

    /// Writes everything the catalog knows as text, in a fixed order: equal catalogs give equal bytes.
    pub fn export(&self, out: &mut dyn Write) -> Result<(), Error> {
        unimplemented!()
    }
}

/// Current alarms by severity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AlarmCounts {
    pub notice: u64,
    pub minor: u64,
    pub critical: u64,
}

/// State of the catalog against the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// Last entry that is safe on disk.
    pub journal_sequence: u64,
    /// Last entry that queries show.
    pub indexed_sequence: u64,
    /// Why the catalog does not follow, while it does not.
    pub failing: Option<String>,
}

/// What opening found and mended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpenReport {
    /// One sentence for each stretch of the journal that could not be read.
    pub damage: Vec<String>,
    /// The catalog was made again, and why.
    pub rebuilt: Option<String>,
    /// Entries that the catalog lacked.
    pub caught_up: u64,
}
