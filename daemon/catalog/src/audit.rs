//! The audit trail: who did what, from where, to which thing, and how it ended (PF-09, MG-22).

use serde::{Deserialize, Serialize};

line::names! {
    /// How an audited action ended.
    AuditResult { Ok = "ok", Refused = "refused", Failed = "failed" }
}

/// One action. Texts are codes; the words are made where they are read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// Absent when nobody was logged in, or the box itself acted.
    pub account: Option<String>,
    /// The account's display name at that time.
    #[serde(default)]
    pub display_name: Option<String>,
    /// The account's department at that time; on a platform, `None` is the whole tree.
    #[serde(default)]
    pub department: Option<String>,
    pub ip: Option<String>,
    /// Kind of thing acted on: `session`, `recording`, `channel`, `account`, …
    pub item: String,
    #[serde(default)]
    pub port: Option<u16>,
    /// Stable code such as `login`, `play`, `download`.
    pub operation: String,
    /// What it was done with: ids, names, old and new values.
    #[serde(default)]
    pub params: serde_json::Map<String, serde_json::Value>,
    pub result: AuditResult,
    /// Error code when refused or failed.
    #[serde(default)]
    pub detail: Option<String>,
}

/// An entry of the trail as the catalog shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct AuditRow {
    /// Its journal sequence number.
    pub id: u64,
    /// Serial number of the station it happened on; `None`: this box.
    pub station: Option<String>,
    pub utc_us: i64,
    pub entry: AuditEntry,
}
