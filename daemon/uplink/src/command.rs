//! What a platform can ask of a station, typed at both ends. On the wire it stands in the members of
//! `message::Command` beside its number and time limit, with a member `what`; one that this release does not know is
//! answered, never passed over in silence.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::UplinkError;
use crate::frame::MAX_PAYLOAD_BYTES;
use crate::message::{Command, Outcome};

/// For the member `type` of the message.
const TYPE_BYTES: usize = 64;

/// A command. Later releases add kinds and members.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum What {
    /// Offers again every record whose start lies in the window (microseconds of UTC since 1970, `to_us` not included),
    /// with its file. Answered with progress, and done when the platform has them all.
    Synchronise {
        from_us: i64,
        to_us: i64,
    },
    /// Sends the record with this number of the station's now, before the backlog.
    Fetch {
        sequence: u64,
    },
    /// Sets members of the channels of these ports, all or none, as the station's own page does.
    SetChannels {
        ports: Vec<u16>,
        settings: Map<String, Value>,
    },
    /// Adds contacts, and changes those whose number is known; others stay as they are.
    SetContacts {
        contacts: Vec<ContactToSet>,
    },
    /// Sets members of the box's settings, all or none, as the station's own page does.
    SetBox {
        settings: Map<String, Value>,
    },
    /// Starts the box again.
    Restart,
    /// Sets the clock, microseconds of UTC since 1970.
    SetTime {
        utc_us: i64,
    },
    /// Fetches this bundle from the platform (`message::ToPlatform::Want`), checks it and installs it. Answered with
    /// progress in bytes while it comes, then in percent; done when it is installed: it counts from the next start on.
    Upgrade {
        /// As the platform's page calls it.
        release: String,
        /// Of the whole bundle.
        bytes: u64,
        /// In hexadecimal.
        sha256: String,
        /// Start again at once when it is installed.
        #[serde(default)]
        restart: bool,
    },
    /// Sends what is heard on a port as live audio with this listener's number, until `StopListening` or the end of
    /// the connection. Answered as soon as it begins.
    Listen {
        port: u16,
        listener: u64,
    },
    StopListening {
        listener: u64,
    },
}

/// The name of `What::Upgrade`.
pub const UPGRADE: &str = "upgrade";

/// A SHA-256 as it stands on the wire and in names of files: 64 hexadecimal digits in lower case.
pub fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Who is behind a number.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContactToSet {
    /// As it appears in records.
    pub number: String,
    pub name: String,
    #[serde(default)]
    pub department: String,
    #[serde(default)]
    pub note: String,
    /// Of a platform that knows more of people; `None`, from an older one: what the station has stays as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub more: Option<MoreOfContact>,
}

/// What later releases say of a person beside number, name, department and note.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MoreOfContact {
    /// Internal extension.
    #[serde(default)]
    pub extension: String,
    #[serde(default)]
    pub outside_number: String,
    #[serde(default)]
    pub position: String,
    #[serde(default)]
    pub email: String,
    /// The port of the station whose user this is.
    #[serde(default)]
    pub port: Option<u16>,
}

/// Codes of `Outcome::Failed` that any command can have. Those of settings and records are the codes of the station's
/// own API.
pub mod code {
    /// This release does not know the command.
    pub const UNKNOWN_COMMAND: &str = "unknown_command";
    /// Its members cannot be read; `reason` says which.
    pub const COMMAND_INVALID: &str = "command_invalid";
    /// This box has nothing to do it with.
    pub const NOT_AVAILABLE: &str = "not_available";
    /// The time limit has passed; what was done by then stays done.
    pub const TOO_LATE: &str = "too_late";
    pub const CANCELLED: &str = "cancelled";
    /// What came of the bundle does not have the SHA-256 that was said.
    pub const BUNDLE_CORRUPT: &str = "bundle_corrupt";
    /// Another upgrade is being installed.
    pub const UPGRADE_RUNNING: &str = "upgrade_running";
}

/// Why a command cannot be begun.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadCommand {
    #[error("this release does not know the command {0:?}; upgrade this box")]
    Unknown(String),
    #[error("the command {what:?} cannot be read: {reason}")]
    Invalid { what: String, reason: String },
}

/// The names of all kinds, as they stand on the wire.
const NAMES: [&str; 10] = [
    "synchronise",
    "fetch",
    "set_channels",
    "set_contacts",
    "set_box",
    "restart",
    "set_time",
    UPGRADE,
    "listen",
    "stop_listening",
];

impl What {
    /// # Errors
    /// A kind that this release does not know, or members that are not those of its kind.
    pub fn read(value: &Value) -> Result<Self, BadCommand> {
        let name = value.get("what").and_then(Value::as_str).unwrap_or_default();
        if !NAMES.contains(&name) {
            return Err(BadCommand::Unknown(name.chars().take(64).collect()));
        }
        Self::deserialize(value)
            .map_err(|error| BadCommand::Invalid { what: name.to_owned(), reason: error.to_string() })
    }

    /// The name of a kind, if it is one.
    pub fn known_name(name: &str) -> Option<&'static str> {
        NAMES.into_iter().find(|known| *known == name)
    }

    /// Its name on the wire and in the audit trail.
    pub fn name(&self) -> &'static str {
        let place = match self {
            Self::Synchronise { .. } => 0,
            Self::Fetch { .. } => 1,
            Self::SetChannels { .. } => 2,
            Self::SetContacts { .. } => 3,
            Self::SetBox { .. } => 4,
            Self::Restart => 5,
            Self::SetTime { .. } => 6,
            Self::Upgrade { .. } => 7,
            Self::Listen { .. } => 8,
            Self::StopListening { .. } => 9,
        };
        NAMES[place]
    }

    /// Sent twice it does what it does once. The others have ended, one way or the other, when their connection has.
    pub fn may_be_sent_again(&self) -> bool {
        match self {
            Self::Synchronise { .. }
            | Self::Fetch { .. }
            | Self::SetChannels { .. }
            | Self::SetContacts { .. }
            | Self::SetBox { .. }
            | Self::Upgrade { .. } => true,
            Self::Restart | Self::SetTime { .. } | Self::Listen { .. } | Self::StopListening { .. } => false,
        }
    }

    /// With its number and the seconds within which an answer is expected.
    ///
    /// # Errors
    /// `Unsendable`: longer than a station takes.
    pub fn command(&self, command: u64, within_s: u32) -> Result<Command, UplinkError> {
        let unsendable = |error: serde_json::Error| UplinkError::Unsendable(error.to_string());
        let command = Command { command, within_s, what: serde_json::to_value(self).map_err(unsendable)? };
        let bytes = serde_json::to_vec(&command).map_err(unsendable)?.len();
        if bytes > MAX_PAYLOAD_BYTES - TYPE_BYTES {
            let name = self.name();
            return Err(UplinkError::Unsendable(format!("a command {name} of {bytes} bytes is too long")));
        }
        Ok(command)
    }
}

impl BadCommand {
    /// As the platform is told.
    pub fn outcome(&self) -> Outcome {
        let (code, reason) = match self {
            Self::Unknown(_) => (code::UNKNOWN_COMMAND, None),
            Self::Invalid { reason, .. } => (code::COMMAND_INVALID, Some(reason.clone())),
        };
        let params = reason.into_iter().map(|reason| ("reason".to_owned(), Value::String(reason))).collect();
        Outcome::Failed { code: code.to_owned(), params }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{ToStation, decode};
    use proptest::prelude::*;
    use serde_json::json;

    fn object(value: Value) -> Map<String, Value> {
        value.as_object().expect("an object").clone()
    }

    fn every_kind() -> Vec<What> {
        let contact = ContactToSet {
            number: "8001".into(),
            name: "Duty room".into(),
            department: "1st".into(),
            note: String::new(),
            more: Some(MoreOfContact { extension: "801".into(), port: Some(3), ..MoreOfContact::default() }),
        };
        vec![
            What::Synchronise { from_us: -5, to_us: i64::MAX },
            What::Fetch { sequence: u64::MAX },
            What::SetChannels {
                ports: vec![1, 65535],
                settings: object(json!({"name": "x", "schedule": []})),
            },
            What::SetContacts { contacts: vec![contact] },
            What::SetBox { settings: object(json!({"time_zone": null})) },
            What::Restart,
            What::SetTime { utc_us: 1_763_000_000_000_000 },
            What::Upgrade {
                release: "0.2.0".into(),
                bytes: 50_000_000,
                sha256: "ab".repeat(32),
                restart: true,
            },
            What::Listen { port: 3, listener: 1 << 63 },
            What::StopListening { listener: 7 },
        ]
    }

    #[test]
    fn every_command_comes_over_as_it_was_sent() {
        let all = every_kind();
        assert_eq!(all.iter().map(What::name).collect::<Vec<_>>(), NAMES);
        for what in all {
            let command = what.command(9, 30).expect("written");
            assert_eq!(command.what["what"], what.name());
            let json = serde_json::to_vec(&ToStation::Command(command)).expect("JSON");
            let ToStation::Command(read) = decode(&json).expect("read") else { panic!("a command") };
            assert_eq!((read.command, read.within_s), (9, 30));
            assert_eq!(What::read(&read.what), Ok(what));
        }
    }

    #[test]
    fn a_sha256_is_no_path_and_has_one_spelling() {
        assert!(is_sha256(&"0f".repeat(32)));
        for other in ["", "../x", &"0F".repeat(32), &"0f".repeat(31), &"0f".repeat(33), &"0g".repeat(32)] {
            assert!(!is_sha256(other), "{other}");
        }
    }

    #[test]
    fn what_is_not_known_is_answered_and_what_is_added_is_passed_over() {
        let unknown = What::read(&json!({"what": "sing", "song": "x"})).expect_err("unknown");
        assert!(matches!(unknown.outcome(), Outcome::Failed { code, .. } if code == "unknown_command"));
        assert!(matches!(What::read(&json!({})), Err(BadCommand::Unknown(name)) if name.is_empty()));
        let wrong = What::read(&json!({"what": "fetch", "sequence": "one"})).expect_err("wrong");
        assert!(!wrong.to_string().contains('\n'), "{wrong}");
        let Outcome::Failed { code, params } = wrong.outcome() else { panic!("a failure") };
        assert!(code == "command_invalid" && params["reason"].is_string());
        let later = json!({"what": "fetch", "sequence": 4, "urgent": true});
        assert_eq!(What::read(&later), Ok(What::Fetch { sequence: 4 }));
        let least = json!({"what": "set_contacts", "contacts": [{"number": "1", "name": "a"}]});
        let Ok(What::SetContacts { contacts }) = What::read(&least) else {
            panic!("the rest may be left out")
        };
        assert_eq!(contacts[0].more, None, "an older platform says no more");
    }

    #[test]
    fn a_command_that_no_station_takes_is_not_sent() {
        let contact = |note: &str| ContactToSet {
            number: "8001".into(),
            name: "Duty room".into(),
            department: String::new(),
            note: note.into(),
            more: None,
        };
        let all = |count: usize, note: &str| What::SetContacts { contacts: vec![contact(note); count] };
        let most = all(10_000, &"x".repeat(500)).command(9, 30).expect("ten thousand with long notes");
        assert!(ToStation::Command(most).frame().expect("JSON").encode(&mut bytes::BytesMut::new()).is_ok());
        let error = all(10_000, &"\u{1}".repeat(500)).command(9, 30).expect_err("six bytes each");
        assert!(matches!(&error, UplinkError::Unsendable(why) if why.contains("set_contacts")), "{error}");
    }

    proptest! {
        #[test]
        fn any_members_are_a_command_or_are_refused(at in 0..NAMES.len(), member in "[a-z_]{1,8}", number: i64) {
            let _ = What::read(&json!({"what": NAMES[at], member: number, "port": number, "listener": number}));
        }
    }
}
