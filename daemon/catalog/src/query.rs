//! What can be asked. All members of a query are joined by AND; an empty query asks for everything.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use line::{CallType, Severity, StartMode, StopMode};

use crate::alarm::AlarmCategory;
use crate::audit::AuditResult;
use crate::record::Grade;

/// Filters of the recordings list. Fragments match anywhere in a text, letter for letter: `%` and `_` are themselves.
/// An empty set or fragment is no filter.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RecordQuery {
    /// Start at or after, microseconds of UTC.
    pub from_us: Option<i64>,
    /// Start before.
    pub to_us: Option<i64>,
    /// Serial numbers.
    pub stations: BTreeSet<String>,
    pub ports: BTreeSet<u16>,
    /// Fragment of either number.
    pub number: Option<String>,
    pub line_number: Option<String>,
    pub peer_number: Option<String>,
    /// Fragment of the caller's number by direction; where the direction is unknown, of either number.
    pub caller: Option<String>,
    pub callee: Option<String>,
    /// A recording number or its beginning (`20210113_15`).
    pub sn: Option<String>,
    pub call_types: BTreeSet<CallType>,
    pub start_modes: BTreeSet<StartMode>,
    pub stop_modes: BTreeSet<StopMode>,
    pub grades: BTreeSet<Grade>,
    pub min_duration_ms: Option<u64>,
    /// Up to and with.
    pub max_duration_ms: Option<u64>,
    pub min_score: Option<u8>,
    pub max_score: Option<u8>,
    /// Fragment of a tag's text.
    pub tag: Option<String>,
    /// Fragment of the note or of the name of a contact on either side.
    pub text: Option<String>,
    pub call_id: Option<String>,
    pub audio: AudioFilter,
    pub deleted: DeletedFilter,
    /// Records whose entry stands in the journal up to this number: what a person has been told of, and nothing that came
    /// since.
    pub through_entry: Option<u64>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AudioFilter {
    #[default]
    All,
    With,
    Without,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeletedFilter {
    #[default]
    No,
    Yes,
    All,
}

/// Filters of the alarm lists.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AlarmQuery {
    pub state: AlarmState,
    /// Raised at or after, microseconds of UTC.
    pub from_us: Option<i64>,
    /// Raised before.
    pub to_us: Option<i64>,
    pub codes: BTreeSet<String>,
    pub categories: BTreeSet<AlarmCategory>,
    pub severities: BTreeSet<Severity>,
    pub ports: BTreeSet<u16>,
    /// Serial numbers.
    pub stations: BTreeSet<String>,
    pub acknowledged: Option<bool>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AlarmState {
    #[default]
    Current,
    History,
    All,
}

/// Filters of the audit trail. `text` is a fragment of account, display name, address, operation, parameters or detail.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AuditQuery {
    pub from_us: Option<i64>,
    pub to_us: Option<i64>,
    pub account: Option<String>,
    pub item: Option<String>,
    pub port: Option<u16>,
    /// Serial numbers.
    pub stations: BTreeSet<String>,
    pub operation: Option<String>,
    pub result: Option<AuditResult>,
    /// Fragment.
    pub ip: Option<String>,
    pub text: Option<String>,
}

/// Filters of the contacts. Texts are fragments, without regard to the case of ASCII letters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContactQuery {
    /// Of any member but the port.
    pub text: Option<String>,
    pub number: Option<String>,
    pub name: Option<String>,
    pub department: Option<String>,
    pub extension: Option<String>,
    pub outside_number: Option<String>,
    pub position: Option<String>,
    pub email: Option<String>,
    pub note: Option<String>,
    /// Those of these departments, and none of no department.
    pub departments: Option<BTreeSet<String>>,
    /// Users of ports of this station that may be seen now.
    pub station: Option<String>,
    /// The same, of ports of this number.
    pub port: Option<u16>,
}

/// Which part of a list. Lists stand newest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageRequest {
    /// Only what follows this place.
    pub after: Option<Cursor>,
    /// 1–1000; held to that.
    pub limit: u32,
    /// Count all that match, up to this many; 0: do not count.
    pub count_up_to: u32,
}

impl Default for PageRequest {
    fn default() -> Self {
        Self { after: None, limit: 50, count_up_to: 10_000 }
    }
}

impl PageRequest {
    /// The limit as it is kept to.
    pub(crate) fn held_limit(&self) -> usize {
        self.limit.clamp(1, 1000) as usize
    }
}

/// One page of a list.
#[derive(Clone, Debug, PartialEq)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// `None` on the last page.
    pub next: Option<Cursor>,
    /// How many match in all; `None` if it was not counted.
    pub total: Option<u64>,
    /// There are more than `total`.
    pub total_is_least: bool,
}

impl<T> Page<T> {
    pub(crate) fn empty() -> Self {
        Self { items: Vec::new(), next: None, total: None, total_is_least: false }
    }
}

/// A place in a list, opaque to those who carry it. New entries never move it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor(pub(crate) i64);

impl fmt::Display for Cursor {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:016x}", self.0)
    }
}

/// What is not a cursor is told in one sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the place in the list is not one this box gave out: ask for the first page again")]
pub struct BadCursor;

impl FromStr for Cursor {
    type Err = BadCursor;

    fn from_str(text: &str) -> Result<Self, BadCursor> {
        let plain = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !plain {
            return Err(BadCursor);
        }
        u64::from_str_radix(text, 16).map(|bits| Self(bits.cast_signed())).map_err(|_| BadCursor)
    }
}

/// How statistics are grouped, in a time zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupBy {
    Hour,
    Day,
    Month,
    /// Number of the port, whatever its station.
    Port,
    Station,
    StationPort,
}

/// Calls and their length.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub count: u64,
    pub duration_ms: u64,
}

/// Every call type by itself, so that they add up to the total.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallTotals {
    pub incoming_answered: Tally,
    pub incoming_missed: Tally,
    pub outgoing_answered: Tally,
    pub outgoing_unanswered: Tally,
    pub unknown: Tally,
}

impl CallTotals {
    pub fn of(&mut self, call_type: CallType) -> &mut Tally {
        match call_type {
            CallType::IncomingAnswered => &mut self.incoming_answered,
            CallType::IncomingMissed => &mut self.incoming_missed,
            CallType::OutgoingAnswered => &mut self.outgoing_answered,
            CallType::OutgoingUnanswered => &mut self.outgoing_unanswered,
            CallType::Unknown => &mut self.unknown,
        }
    }

    pub(crate) fn add(&mut self, more: &Self) {
        let mut more = more.clone();
        for call_type in CallType::ALL {
            let added = *more.of(*call_type);
            let sum = self.of(*call_type);
            sum.count += added.count;
            sum.duration_ms += added.duration_ms;
        }
    }

    /// The five types together.
    pub fn total(&self) -> Tally {
        let types = [
            self.incoming_answered,
            self.incoming_missed,
            self.outgoing_answered,
            self.outgoing_unanswered,
            self.unknown,
        ];
        types.iter().fold(Tally::default(), |sum, tally| Tally {
            count: sum.count + tally.count,
            duration_ms: sum.duration_ms + tally.duration_ms,
        })
    }
}

/// Statistics in groups: hours `2026-03-01T08`, days `2026-03-01`, months `2026-03`, port numbers, serial numbers of
/// stations, or both as `SERIAL:PORT`, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    pub rows: Vec<(String, CallTotals)>,
    pub totals: CallTotals,
}

/// A tag's text and how many recordings carry it now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagText {
    pub text: String,
    pub count: u64,
}

/// Current alarms by severity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AlarmCounts {
    pub notice: u64,
    pub minor: u64,
    pub critical: u64,
}
