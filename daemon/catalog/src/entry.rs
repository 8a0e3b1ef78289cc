//! What the journal says, entry by entry. An entry is never changed; later releases add kinds and members only.

use recording::{Facts, RecordId};
use serde::{Deserialize, Serialize};

use crate::account::Account;
use crate::alarm::{AlarmCategory, Params};
use crate::audit::AuditEntry;
use crate::contact::Contact;
use crate::device::{Department, Device};
use crate::journal::ENTRY_VERSION;
use crate::record::{DeletionReason, Grade};

/// An entry as read: its place in the box's history, and what it says.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Counts up by one from 1.
    pub sequence: u64,
    /// When it was written, microseconds of UTC since 1970 by the box's clock.
    pub utc_us: i64,
    pub body: Body,
}

/// What an entry says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "body", rename_all = "snake_case")]
pub enum Body {
    Record(Record),
    Annotation(Annotation),
    Deletion(Deletion),
    /// A recording's file was looked for and is not there.
    FileMissing(RecordRef),
    /// The file of a recording once missing is there again.
    FileFound(RecordRef),
    AlarmRaised(AlarmRaised),
    AlarmCleared(AlarmCleared),
    AlarmAcknowledged(AlarmAcknowledged),
    Audit(AuditEntry),
    AccountSet(Account),
    AccountRemoved(Name),
    ContactSet(Contact),
    ContactRemoved(Name),
    /// On a platform: a station that it knows.
    DeviceSet(Device),
    DeviceRemoved(Name),
    DepartmentSet(Department),
    DepartmentRemoved(Name),
    /// On a platform: an entry of a station's journal.
    FromStation(FromStation),
    /// On a station: the platform has these of its entries.
    Synchronised(Synchronised),
    /// An entry of a newer release: carried along, not read.
    #[serde(skip)]
    Unknown {
        kind: String,
    },
}

impl Body {
    /// Kinds that this release understands, as the journal writes them.
    pub const KINDS: &[&str] = &[
        "record",
        "annotation",
        "deletion",
        "file_missing",
        "file_found",
        "alarm_raised",
        "alarm_cleared",
        "alarm_acknowledged",
        "audit",
        "account_set",
        "account_removed",
        "contact_set",
        "contact_removed",
        "device_set",
        "device_removed",
        "department_set",
        "department_removed",
        "from_station",
        "synchronised",
    ];
}

impl Body {
    /// Understands a payload of this layout, as the journal holds it. An entry of a newer kind or layout is `Unknown`.
    ///
    /// # Errors
    /// What is wrong with an entry of a known kind.
    pub fn from_payload(layout: u16, payload: &[u8]) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Head {
            kind: String,
        }
        let known = layout <= ENTRY_VERSION;
        let wrong = match known.then(|| serde_json::from_slice(payload)) {
            Some(Ok(body)) => return Ok(body),
            Some(Err(error)) => Some(serde_json::Error::to_string(&error)),
            None => None,
        };
        let head: Head = serde_json::from_slice(payload).map_err(|error| error.to_string())?;
        match wrong {
            Some(reason) if Self::KINDS.contains(&head.kind.as_str()) => Err(reason),
            _ => Ok(Self::Unknown { kind: head.kind }),
        }
    }
}

/// An entry of a station's journal as it came to its platform.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FromStation {
    pub serial: String,
    /// Its sequence number in the station's journal.
    pub entry: u64,
    /// When the station wrote it, microseconds of UTC since 1970 by the station's clock.
    pub written_us: i64,
    /// Version of the payload's layout.
    pub layout: u16,
    /// The entry exactly as it stands in the station's journal: seals made of it hold here.
    pub payload: String,
    /// Where a recording's file lies here, relative to the data folder; `None`: it has none, or the station lacks it.
    pub file: Option<String>,
    /// Why the station has the entry and not its file.
    #[serde(default)]
    pub unavailable: Option<String>,
    /// All entries of the station from this one on and before `entry` stay there: none of them is waited for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub covers_from: Option<u64>,
}

/// What tells an entry of a station from another one that the station has under the same number: one whose journal has
/// begun anew uses its numbers a second time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryPrint {
    /// Microseconds of UTC since 1970, by the station.
    pub written_us: i64,
    /// CRC-32 of the payload.
    pub crc: u32,
}

impl EntryPrint {
    pub fn of(written_us: i64, payload: &[u8]) -> Self {
        Self { written_us, crc: crc32fast::hash(payload) }
    }
}

impl FromStation {
    pub fn print(&self) -> EntryPrint {
        EntryPrint::of(self.written_us, self.payload.as_bytes())
    }

    /// What the station says, with the file where it lies here; `None` for what a station may not say on a platform,
    /// or what cannot be read.
    pub fn body(&self) -> Option<Body> {
        let ours = |id: &RecordId| id.serial == self.serial;
        let body = Body::from_payload(self.layout, self.payload.as_bytes()).ok()?;
        match body {
            Body::Record(record) => {
                ours(&record.facts.id).then(|| Body::Record(Record { file: self.file.clone(), ..record }))
            }
            Body::Annotation(Annotation { ref record, .. }) | Body::Deletion(Deletion { ref record, .. }) => {
                ours(record).then_some(body)
            }
            Body::AlarmRaised(_) | Body::AlarmCleared(_) | Body::AlarmAcknowledged(_) | Body::Audit(_) => {
                Some(body)
            }
            _ => None,
        }
    }
}

/// Entries of this box that its platform has: spans of sequence numbers, both ends included.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Synchronised {
    pub ranges: Vec<(u64, u64)>,
}

/// The facts of a record, and where its audio lies.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    pub facts: Facts,
    /// Relative to the data folder, `/` between names; `None` without audio.
    pub file: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordRef {
    pub record: RecordId,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Annotation {
    pub record: RecordId,
    /// Absent: the box itself, by a rule.
    pub account: Option<String>,
    pub change: Change,
}

/// What a person adds to a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    Grade(Grade),
    /// 1–10; `None` takes it back.
    Score(Option<u8>),
    /// `None` takes it back.
    Note(Option<String>),
    /// Becomes a tag whose id is the sequence number of this entry.
    TagAdd {
        sample: u64,
        text: String,
    },
    TagRemove {
        tag: u64,
    },
    /// Somebody listened to it.
    Play,
}

/// The audio is taken away; the facts stay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deletion {
    pub record: RecordId,
    pub account: Option<String>,
    pub reason: DeletionReason,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AlarmRaised {
    /// A name of `AlarmCode`, or one of a newer release.
    pub code: String,
    pub category: AlarmCategory,
    pub severity: line::Severity,
    pub port: Option<u16>,
    pub thing: Option<String>,
    #[serde(default)]
    pub params: Params,
    /// How many raisings this entry stands for, at least 1.
    pub times: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlarmCleared {
    pub code: String,
    pub port: Option<u16>,
    pub thing: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlarmAcknowledged {
    /// Sequence number of the entry that raised it first.
    pub alarm: u64,
    pub account: String,
    pub note: Option<String>,
}

/// An account's name or a contact's number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Name {
    pub name: String,
}
