//! The people behind telephone numbers (PF-10): the user of a port, or somebody outside; and what may be said of one.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Who is behind a number; the name is shown beside it in every list. Kept whole in the journal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    /// As it appears in records; unique.
    pub number: String,
    pub name: String,
    #[serde(default)]
    pub department: String,
    #[serde(default)]
    pub note: String,
    /// Internal extension, another number of the same person.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub extension: String,
    /// Number outside, another one of the same person.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub outside_number: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub position: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub email: String,
    /// The port whose user this is; `None`: somebody outside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<ContactPort>,
    /// Members of a newer release: kept, not read.
    #[serde(flatten)]
    pub newer: Map<String, Value>,
}

/// A port of a station.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContactPort {
    /// Serial number.
    pub station: String,
    pub port: u16,
}

/// A member that cannot be as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{field}` must be {expected}")]
pub struct WrongMember {
    pub field: &'static str,
    /// Completes "must be …".
    pub expected: &'static str,
}

pub const LONGEST_NUMBER: usize = 32;
/// Of names, departments and positions, in characters.
pub const LONGEST_NAME: usize = 64;
/// RFC 5321, 4.5.3.1.3: a path has at most 256 octets, two of them brackets.
pub const LONGEST_EMAIL: usize = 254;
pub const LONGEST_NOTE: usize = 500;

impl Contact {
    /// # Errors
    /// The first member that is out of its limits.
    pub fn check(&self) -> Result<(), WrongMember> {
        let rules = [
            ("number", "1 to 32 digits, or * # +", !self.number.is_empty() && is_number(&self.number)),
            ("name", "1 to 64 characters in one line", !self.name.trim().is_empty() && is_line(&self.name)),
            ("department", "at most 64 characters in one line", is_line(&self.department)),
            ("extension", "at most 32 digits, or * # +", is_number(&self.extension)),
            ("outside_number", "at most 32 digits, or * # +", is_number(&self.outside_number)),
            ("position", "at most 64 characters in one line", is_line(&self.position)),
            ("email", "an address such as name@example.org", self.email.is_empty() || is_email(&self.email)),
            ("note", "at most 500 characters", is_note(&self.note)),
            ("port", "a port number from 1 to 65535", self.port.as_ref().is_none_or(|at| at.port > 0)),
        ];
        match rules.into_iter().find(|(.., good)| !good) {
            Some((field, expected, _)) => Err(WrongMember { field, expected }),
            None => Ok(()),
        }
    }

    /// The numbers that it may be known by.
    pub fn numbers(&self) -> impl Iterator<Item = &str> {
        [&self.number, &self.extension, &self.outside_number]
            .into_iter()
            .map(String::as_str)
            .filter(|number| !number.is_empty())
    }
}

fn is_number(text: &str) -> bool {
    text.len() <= LONGEST_NUMBER && text.bytes().all(|byte| byte.is_ascii_digit() || b"*#+".contains(&byte))
}

fn is_line(text: &str) -> bool {
    text.chars().count() <= LONGEST_NAME && !text.contains(char::is_control)
}

fn is_note(text: &str) -> bool {
    text.chars().count() <= LONGEST_NOTE
        && !text.chars().any(|character| character.is_control() && !"\n\t".contains(character))
}

/// Whether mail could be sent there: no more can be told without sending some.
fn is_email(text: &str) -> bool {
    let plain = !text.chars().any(|character| character.is_whitespace() || character.is_control());
    let parts: Vec<&str> = text.split('@').collect();
    text.len() <= LONGEST_EMAIL && plain && parts.len() == 2 && parts.iter().all(|part| !part.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn contact() -> Contact {
        Contact { number: "8001".into(), name: "Duty room".into(), ..Contact::default() }
    }

    #[test]
    fn each_member_has_its_limits() {
        assert_eq!(contact().check(), Ok(()));
        let whole = Contact {
            number: "+*#0123456789".into(),
            name: "名".repeat(64),
            department: "部".repeat(64),
            note: format!("{}\n", "注".repeat(499)),
            extension: "1".repeat(32),
            outside_number: "2".repeat(32),
            position: "职".repeat(64),
            email: "a@b".into(),
            port: Some(ContactPort { station: "S".into(), port: 65_535 }),
            newer: Map::new(),
        };
        assert_eq!(whole.check(), Ok(()));
        let wrong: [(&str, Contact); 13] = [
            ("number", Contact { number: String::new(), ..contact() }),
            ("number", Contact { number: "1".repeat(33), ..contact() }),
            ("number", Contact { number: "a/b".into(), ..contact() }),
            ("name", Contact { name: " ".into(), ..contact() }),
            ("name", Contact { name: "two\nlines".into(), ..contact() }),
            ("department", Contact { department: "x".repeat(65), ..contact() }),
            ("extension", Contact { extension: "80 01".into(), ..contact() }),
            ("outside_number", Contact { outside_number: "1-2".into(), ..contact() }),
            ("position", Contact { position: "x".repeat(65), ..contact() }),
            ("email", Contact { email: "nobody".into(), ..contact() }),
            ("email", Contact { email: format!("a@{}", "b".repeat(253)), ..contact() }),
            ("note", Contact { note: "\u{0}".into(), ..contact() }),
            ("port", Contact { port: Some(ContactPort { station: "S".into(), port: 0 }), ..contact() }),
        ];
        for (field, contact) in wrong {
            assert_eq!(contact.check().expect_err("refused").field, field, "{contact:?}");
        }
    }

    #[test]
    fn entries_of_older_and_of_newer_releases_are_read_and_kept() {
        let old = json!({"number": "110", "name": "Police", "department": "", "note": "x"});
        let read: Contact = serde_json::from_value(old.clone()).expect("read");
        assert_eq!((read.note.as_str(), read.extension.as_str(), &read.port), ("x", "", &None));
        assert_eq!(serde_json::to_value(&read).expect("written"), old, "as an older release would write it");
        let new = json!({
            "number": "110", "name": "Police", "department": "", "note": "",
            "port": {"station": "S", "port": 3}, "photo": {"sha256": "ab"},
        });
        let read: Contact = serde_json::from_value(new.clone()).expect("read");
        assert_eq!(read.newer, json!({"photo": {"sha256": "ab"}}).as_object().expect("members").clone());
        assert_eq!(serde_json::to_value(&read).expect("written"), new);
    }

    proptest! {
        #[test]
        fn any_text_is_judged(text in ".{0,80}") {
            for contact in [
                Contact { number: text.clone(), ..contact() },
                Contact { email: text.clone(), ..contact() },
                Contact { note: text.clone(), ..contact() },
            ] {
                let _ = contact.check();
            }
        }
    }
}
