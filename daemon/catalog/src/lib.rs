//! What is known: records, annotations, alarms, accounts, the audit trail.
//!
//! Two things lie in the data folder. The **journal** is the truth: append-only, checksummed, one entry for each thing
//! that happened (`entry::Body`). The **catalog** is an SQLite index of it that answers queries; it is brought up to
//! the journal at each start, and deleting it loses nothing.
//!
//! ```text
//! Catalog::open(root, Options::new(serial))      -> (Catalog, OpenReport)
//!   recording path   next_sequence, add_record, raise, clear
//!   people           annotate, add_tag, delete, acknowledge, audit, set_account, set_contact, …
//!   any of them      append (shown by queries on return), append_durable (on disk on return)
//!   lists            records, each_record, records_by_id, record, recent, statistics, tag_texts,
//!                    alarms, alarm_counts, audit_trail, accounts, contacts
//!   stations         devices, device, departments, arrived (platform); synchronised, journal_tail, raw_entry (station)
//!   care             health, check, export, reindex (function)
//! ```
//!
//! A `Catalog` is cheap to clone; every call blocks for its disk access (milliseconds) and is made from
//! `spawn_blocking` where that matters. Writing: one thread appends to the journal, with one `fdatasync` for all that
//! wait, a second one follows with the catalog. Reading: a small pool of connections.
//!
//! Every query takes a `Scope`; on a fresh station that is `Scope::everything()`.
//! The bytes of the journal are described in this folder's README.

pub mod account;
pub mod alarm;
mod alarm_book;
pub mod audit;
mod catalog;
pub mod contact;
mod deletion;
mod department_scope;
pub mod device;
pub mod entry;
mod error;
mod follower;
mod index;
pub mod journal;
mod own_entries;
mod pool;
pub mod query;
pub mod ranges;
mod reading;
pub mod record;
mod reindex;
pub mod scope;
mod store;
mod writing;

pub use account::{Account, AccountRow, Right};
pub use alarm::{Acknowledged, AlarmCategory, AlarmCode, AlarmKey, AlarmRow, Params, REASON};
pub use audit::{AuditEntry, AuditResult, AuditRow};
pub use catalog::{Catalog, Health, JournalLoss, OpenReport, Options, Receipt};
pub use contact::{Contact, ContactPort, WrongMember};
pub use deletion::{DeletionRefusal, Deletions};
pub use device::{Department, Device, Pull, Since};
pub use entry::{Body, Change, EntryPrint};
pub use error::Error;
pub use journal::{JournalTail, Place, RawEntry};
pub use query::{
    AlarmCounts, AlarmQuery, AlarmState, AudioFilter, AuditQuery, BadCursor, CallTotals, ContactQuery,
    Cursor, DeletedFilter, GroupBy, Page, PageRequest, RecordQuery, Statistics, TagText, Tally,
};
pub use ranges::Ranges;
pub use record::{
    Deleted, DeletionReason, Grade, RecordDetail, RecordRow, Tag, record_id_from_text, record_id_text, sn_of,
};
pub use reindex::{Reindexed, reindex};
pub use scope::{Grant, Only, Scope};
