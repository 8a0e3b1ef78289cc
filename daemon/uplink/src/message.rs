//! Messages in JSON. A member that is not known is passed over, a message that is not known likewise: an older release
//! and a newer one understand each other as far as the older one goes.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::{Retry, UplinkError};
use crate::frame::Frame;

/// Versions of the protocol that a release speaks, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Versions {
    pub from: u16,
    pub to: u16,
}

/// What this release speaks.
pub const VERSIONS: Versions = Versions { from: 1, to: 1 };

impl Versions {
    /// The newest that both speak.
    pub fn common(self, other: Self) -> Option<u16> {
        let newest = self.to.min(other.to);
        (newest >= self.from && newest >= other.from).then_some(newest)
    }
}

/// From a station to its platform.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ToPlatform {
    /// The first message on a connection.
    Hello(Box<Hello>),
    /// Every `heartbeat_s`, so that either side knows of the other.
    Heartbeat(Heartbeat),
    /// A port has another state, or something else is being recorded on it.
    Port(PortNow),
    /// An item whose file is not there any more, or does not hold what its facts say: it cannot be sent.
    Unavailable { item: u64, reason: String },
    /// What became of a command.
    Answer { command: u64, outcome: Outcome },
    /// Send the next piece of the bundle that this command is about: from this byte on, at most so many.
    Want { command: u64, from: u64, most_bytes: u32 },
    #[serde(other)]
    Unknown,
}

/// From a platform to a station.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ToStation {
    /// The answer to `Hello`.
    Welcome(Welcome),
    /// The other answer; the connection is closed behind it.
    Refused(Refusal),
    /// Send the file of this item, from this byte on.
    Send {
        item: u64,
        from: u64,
    },
    /// These are on the platform's disk and in its catalog: they need not be kept for it any longer.
    Acknowledged {
        items: Vec<u64>,
    },
    /// These are not taken, and others are. Whoever does not know this message waits for them in vain, and no longer than
    /// its connection lasts: they keep their places among those under way.
    ItemsRefused {
        items: Vec<RefusedItem>,
    },
    /// The platform cannot take anything for now (`Held::code`); what was offered is to be offered again.
    Hold(Held),
    Command(Command),
    /// Gives up a command that is still being worked on.
    Cancel {
        command: u64,
    },
    /// Other limits from now on.
    Limits(Limits),
    /// The answer to a heartbeat: the station hears of the platform where nothing else is to be said.
    Heartbeat,
    #[serde(other)]
    Unknown,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hello {
    pub versions: Versions,
    pub serial: String,
    /// Of the software, for the platform's page.
    pub release: String,
    pub name: String,
    pub clock: ClockNow,
    pub ports: Vec<PortNow>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Welcome {
    pub version: u16,
    pub release: String,
    pub clock: ClockNow,
    pub heartbeat_s: u32,
    pub limits: Limits,
}

/// A box's idea of the time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClockNow {
    /// Microseconds of UTC since 1970.
    pub utc_us: i64,
    /// As in a record's facts.
    pub quality: String,
}

/// What a connection may cost. Live capture never notices either; alarms and facts are not held back by them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Audio a second; absent: as fast as it goes.
    #[serde(default)]
    pub audio_bytes_per_s: Option<u64>,
    /// Whether the backlog waits (quiet hours); fresh recordings do not.
    #[serde(default)]
    pub backlog_held: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Heartbeat {
    pub clock: ClockNow,
    pub disk_free_bytes: u64,
    pub disk_total_bytes: u64,
    pub recording_now: u32,
    pub recording_peak: u32,
    /// Items that the platform has not acknowledged.
    pub waiting: u64,
}

/// A port as the platform's pages show it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PortNow {
    pub port: u16,
    pub name: String,
    #[serde(default)]
    pub line_number: Option<String>,
    /// The glossary's first column; one of a newer release is shown as unknown.
    pub state: String,
    /// What is being recorded on it.
    #[serde(default)]
    pub recording: Option<InProgress>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InProgress {
    pub call_id: String,
    /// Microseconds of UTC since 1970.
    pub start_us: i64,
    pub call_type: String,
    #[serde(default)]
    pub peer_number: Option<String>,
}

/// Why a platform will not talk to a station.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Refusal {
    pub code: RefusalCode,
    /// What this release of the platform speaks, where that is the reason.
    #[serde(default)]
    pub versions: Option<Versions>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalCode {
    /// The serial number is not registered; it is listed as waiting.
    Waiting,
    /// The serial number is registered with another key.
    OtherKey,
    /// An operator has switched the station off.
    SwitchedOff,
    /// No version of the protocol is spoken by both.
    Version,
    /// The platform has as many connections as it can serve.
    Busy,
    /// The platform has asked another station, and this one answered: its address there is wrong.
    OtherStation,
    #[serde(other)]
    Unknown,
}

impl RefusalCode {
    /// As on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::OtherKey => "other_key",
            Self::SwitchedOff => "switched_off",
            Self::Version => "version",
            Self::Busy => "busy",
            Self::OtherStation => "other_station",
            Self::Unknown => "unknown",
        }
    }
}

impl Refusal {
    pub fn new(code: RefusalCode) -> Self {
        Self { code, versions: (code == RefusalCode::Version).then_some(VERSIONS) }
    }

    pub fn retry(&self) -> Retry {
        match self.code {
            RefusalCode::Busy => Retry::After(Duration::from_secs(10)),
            _ => Retry::WhenChanged,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.code, self.versions) {
            (RefusalCode::Waiting, _) => {
                f.write_str("the platform does not know this serial number yet: add it there")
            }
            (RefusalCode::OtherKey, _) => f.write_str(
                "the platform knows this serial number with another key: compare the fingerprints, then accept \
                 this one there",
            ),
            (RefusalCode::SwitchedOff, _) => f.write_str("the platform has this station switched off"),
            (RefusalCode::Version, Some(Versions { from, to })) => write!(
                f,
                "the platform speaks versions {from} to {to} of the protocol, this box {} to {}: upgrade the older one",
                VERSIONS.from, VERSIONS.to
            ),
            (RefusalCode::Version, None) => {
                f.write_str("the platform speaks no version of the protocol that this box does: upgrade the older one")
            }
            (RefusalCode::Busy, _) => f.write_str("the platform has no room for another connection now"),
            (RefusalCode::OtherStation, _) => f.write_str(
                "the platform takes this address for another station's: correct the address there",
            ),
            (RefusalCode::Unknown, _) => {
                f.write_str("the platform refuses for a reason that this release does not know: upgrade this box")
            }
        }
    }
}

/// Why a platform takes nothing for now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    pub code: HeldCode,
    pub retry_after_s: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HeldCode {
    DiskFull,
    DiskUnwritable,
    Overloaded,
    #[serde(other)]
    Unknown,
}

/// An item that the platform will not have as it is: set aside, it stays at the station and is offered again on the next
/// connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedItem {
    pub item: u64,
    pub code: ItemRefusal,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ItemRefusal {
    /// Its number, or that of its record, is here with other facts: the station's journal has begun anew.
    OtherFacts,
    /// It cannot stand in the platform's journal: it is no text, or too long.
    Unkeepable,
    #[serde(other)]
    Unknown,
}

/// Something that the platform wants done, with an answer in time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Command {
    pub command: u64,
    /// Seconds within which an answer is expected.
    pub within_s: u32,
    /// What is wanted; `What::read` reads it.
    #[serde(flatten)]
    pub what: Value,
}

/// What became of a command.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum Outcome {
    Done {
        #[serde(default)]
        detail: Map<String, Value>,
    },
    /// Still at it: `done` of `total`.
    Progress { done: u64, total: u64 },
    /// Why not: a code with parameters, as the API's errors.
    Failed {
        code: String,
        #[serde(default)]
        params: Map<String, Value>,
    },
    #[serde(other)]
    Unknown,
}

impl ToPlatform {
    pub(crate) fn frame(&self) -> Result<Frame, UplinkError> {
        encode(self)
    }
}

impl ToStation {
    pub(crate) fn frame(&self) -> Result<Frame, UplinkError> {
        encode(self)
    }
}

fn encode(message: &impl Serialize) -> Result<Frame, UplinkError> {
    let json = serde_json::to_vec(message).map_err(|error| UplinkError::Unsendable(error.to_string()))?;
    Ok(Frame::Message(Bytes::from(json)))
}

/// Reads a message.
///
/// # Errors
/// JSON that is none, or lacks a member that every release sends.
pub fn decode<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Result<T, UplinkError> {
    serde_json::from_slice(json)
        .map_err(|error| UplinkError::Nonsense(format!("a message that cannot be read: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_newest_version_that_both_speak_is_taken() {
        let v = |from, to| Versions { from, to };
        for (a, b, common) in [
            (v(1, 1), v(1, 1), Some(1)),
            (v(1, 3), v(2, 5), Some(3)),
            (v(1, 2), v(3, 4), None),
            (v(3, 4), v(1, 2), None),
        ] {
            assert_eq!(a.common(b), common);
            assert_eq!(b.common(a), common);
        }
    }

    #[test]
    fn what_a_newer_release_adds_is_passed_over() {
        let later = br#"{"type":"send","item":4,"from":0,"urgent":true}"#;
        assert_eq!(decode::<ToStation>(later).expect("read"), ToStation::Send { item: 4, from: 0 });
        let unheard_of = br#"{"type":"sing","song":"x"}"#;
        assert_eq!(decode::<ToStation>(unheard_of).expect("read"), ToStation::Unknown);
        assert_eq!(decode::<ToPlatform>(unheard_of).expect("read"), ToPlatform::Unknown);
        let refused = br#"{"type":"refused","code":"moon_phase"}"#;
        let ToStation::Refused(refusal) = decode(refused).expect("read") else { panic!("a refusal") };
        assert_eq!(refusal.code, RefusalCode::Unknown);
        assert!(refusal.to_string().contains("upgrade"));
    }

    #[test]
    fn each_refusal_is_one_sentence() {
        use RefusalCode::*;
        for code in [Waiting, OtherKey, SwitchedOff, Version, Busy, OtherStation, Unknown] {
            let sentence = Refusal::new(code).to_string();
            assert_eq!(serde_json::to_value(code).expect("JSON"), code.name());
            assert!(sentence.len() > 20 && !sentence.contains('\n'), "{sentence}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_message_or_are_refused(bytes: Vec<u8>, text in "\\{\"type\":\"[a-z_]{3,8}\"(,\"[a-z]{4}\":[0-9]{1,3}){0,3}\\}") {
            for json in [bytes.as_slice(), text.as_bytes()] {
                let _ = decode::<ToPlatform>(json);
                let _ = decode::<ToStation>(json);
            }
        }
    }
}
