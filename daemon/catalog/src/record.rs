//! A record as lists and pages show it: its facts, and what people added to it.

use std::fmt;
use std::str::FromStr;

use line::{CallType, StartMode, StopMode};
use recording::{ClockQuality, Codec, Facts, RecordId};
use serde::{Deserialize, Serialize};

line::names! {
    /// How long a record is to be kept (ST-10); `permanent` is never deleted by retention.
    Grade { Normal = "normal", Important = "important", Permanent = "permanent" }
}

/// One record of a list.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordRow {
    pub id: RecordId,
    pub call_id: String,
    pub segment: u32,
    pub port: u16,
    pub port_name: String,
    /// When the start condition was met, microseconds of UTC since 1970.
    pub start_us: i64,
    /// Seconds east of UTC at the box at that moment.
    pub offset_s: i32,
    pub clock_quality: ClockQuality,
    /// From start to stop condition, without pre-roll; 0 without audio.
    pub duration_ms: u64,
    pub pre_roll_ms: u32,
    pub start_mode: StartMode,
    pub stop_mode: StopMode,
    pub call_type: CallType,
    pub line_number: Option<String>,
    pub peer_number: Option<String>,
    /// From caller ID.
    pub peer_name: Option<String>,
    pub line_contact: Option<String>,
    pub peer_contact: Option<String>,
    /// Name of the contact that is the user of the port, now.
    pub port_contact: Option<String>,
    pub withheld: bool,
    pub tracks: u16,
    /// `None`: a record without audio.
    pub codec: Option<Codec>,
    /// Relative to the data folder, `/` between names; `None` without audio.
    pub file: Option<String>,
    /// The file was looked for by a reindex and is not there.
    pub file_missing: bool,
    /// On a platform: why the station could not send the file.
    pub unavailable: Option<String>,
    pub grade: Grade,
    /// 1–10.
    pub score: Option<u8>,
    pub note: Option<String>,
    /// By sample.
    pub tags: Vec<Tag>,
    pub play_count: u64,
    pub deleted: Option<Deleted>,
}

impl RecordRow {
    pub fn has_audio(&self) -> bool {
        self.codec.is_some()
    }

    /// By direction of the call; unknown when the direction is.
    pub fn caller(&self) -> Option<&str> {
        match self.call_type {
            CallType::IncomingAnswered | CallType::IncomingMissed => self.peer_number.as_deref(),
            CallType::OutgoingAnswered | CallType::OutgoingUnanswered => self.line_number.as_deref(),
            CallType::Unknown => None,
        }
    }

    /// By direction of the call; unknown when the direction is.
    pub fn callee(&self) -> Option<&str> {
        match self.call_type {
            CallType::IncomingAnswered | CallType::IncomingMissed => self.line_number.as_deref(),
            CallType::OutgoingAnswered | CallType::OutgoingUnanswered => self.peer_number.as_deref(),
            CallType::Unknown => None,
        }
    }

    /// The recording number: a label of the start in the box's local time, `20210113_150102_269`, not unique.
    pub fn sn(&self) -> String {
        sn_of(self.start_us, self.offset_s)
    }
}

/// The recording number of a start: local date, time and milliseconds.
pub fn sn_of(start_us: i64, offset_s: i32) -> String {
    let local = start_us.saturating_add(i64::from(offset_s) * 1_000_000);
    match chrono::DateTime::from_timestamp_micros(local) {
        Some(local) => local.format("%Y%m%d_%H%M%S_%3f").to_string(),
        None => String::new(),
    }
}

/// One record with everything known of it.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordDetail {
    pub row: RecordRow,
    /// As they stand in the journal, marks and clock included.
    pub facts: Facts,
    /// Records of the same call, this one left out, oldest first.
    pub same_call: Vec<RecordId>,
}

/// A flag at a position of a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    /// Journal sequence number of its entry.
    pub id: u64,
    /// Samples from the first sample of the audio, pre-roll included.
    pub sample: u64,
    pub text: String,
    pub account: Option<String>,
    pub utc_us: i64,
}

/// Who took a record away, and why. Its facts stay: deleted differs from missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deleted {
    pub utc_us: i64,
    pub account: Option<String>,
    pub reason: DeletionReason,
}

line::names! {
    /// Why a recording's audio was removed.
    DeletionReason { Person = "person", Retention = "retention", Loop = "loop" }
}

/// `SERIAL:SEQUENCE`, as the API writes a `RecordId`.
pub fn record_id_text(id: &RecordId) -> impl fmt::Display + '_ {
    struct Text<'a>(&'a RecordId);
    impl fmt::Display for Text<'_> {
        fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(out, "{}:{}", self.0.serial, self.0.sequence)
        }
    }
    Text(id)
}

/// Reads `SERIAL:SEQUENCE`; `None` when it is not one.
pub fn record_id_from_text(text: &str) -> Option<RecordId> {
    let (serial, sequence) = text.rsplit_once(':')?;
    let plain = !sequence.is_empty() && sequence.bytes().all(|byte| byte.is_ascii_digit());
    if serial.is_empty() || !plain {
        return None;
    }
    Some(RecordId { serial: serial.to_owned(), sequence: u64::from_str(sequence).ok()? })
}
