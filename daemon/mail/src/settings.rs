//! What is set about e-mail: whether, from where, to whom, of what. The secret is not among it: it is a type of its own
//! that nothing prints.

use std::fmt;

use catalog::AlarmCode;
use lettre::Address;
use lettre::transport::smtp::client::Certificate;
use line::Severity;
use locales::Language;
use serde::{Deserialize, Serialize};

use crate::error::MailError;

/// PF-12: so many addresses receive mail.
pub const MOST_RECIPIENTS: usize = 5;
/// Longest time for which alarms are collected into one message, in seconds.
pub const MOST_COLLECT_S: u32 = 3600;
const LONGEST_NAME: usize = 253;
const LONGEST_SECRET: usize = 512;
const LONGEST_CERTIFICATES: usize = 64 * 1024;

line::names! {
    /// How the connection to the server is protected. The server's certificate is checked in both ways of TLS.
    Security {
        /// TLS from the first byte (RFC 8314), usually port 465.
        Tls = "tls",
        /// TLS after the greeting (RFC 3207), usually port 587; nothing is sent to a server that does not offer it.
        StartTls = "starttls",
        /// Everybody on the way can read mail and secret.
        None = "none",
    }
}

/// What stands in `mail.toml` beside the secret; every member has a default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MailSettings {
    pub switched_on: bool,
    /// Name or address of the SMTP server; empty: not configured.
    pub server: String,
    pub port: u16,
    pub security: Security,
    /// PEM of authorities that are trusted beside the public ones, for a mail server of a closed network.
    pub ca_certificate: Option<String>,
    /// Name to log in with; absent: the sender's address. There is no login without a secret.
    pub account: Option<String>,
    /// Address that mail comes from; empty: not configured.
    pub sender: String,
    /// At most five addresses.
    pub recipients: Vec<String>,
    /// Of the messages: `zh-CN`, `zh-TW` or `en`.
    pub language: String,
    /// Names of the kinds of alarms that are sent.
    pub alarms: Vec<String>,
    /// Whether it is also sent that an alarm has cleared.
    pub cleared: bool,
    /// For how long alarms are collected into one message, 0 to 3600 seconds.
    pub collect_s: u32,
    /// Whether a summary is sent every day.
    pub summary: bool,
    /// When, `HH:MM` in the box's zone; it tells of the day until then.
    pub summary_at: String,
}

impl Default for MailSettings {
    fn default() -> Self {
        let critical = AlarmCode::ALL
            .iter()
            .filter(|code| code.severity() == Severity::Critical && **code != AlarmCode::EmailFailed);
        Self {
            switched_on: false,
            server: String::new(),
            port: 465,
            security: Security::Tls,
            ca_certificate: None,
            account: None,
            sender: String::new(),
            recipients: Vec::new(),
            language: Language::default().name().into(),
            alarms: critical.map(|code| code.name().to_owned()).collect(),
            cleared: true,
            collect_s: 60,
            summary: false,
            summary_at: "08:00".into(),
        }
    }
}

pub(crate) fn invalid(field: impl Into<String>, reason: impl Into<String>) -> MailError {
    MailError::Invalid { field: field.into(), reason: reason.into() }
}

/// Whether it is one address that mail can be sent to, in ASCII.
fn is_address(text: &str) -> bool {
    text.is_ascii() && text.len() <= LONGEST_NAME && text.parse::<Address>().is_ok()
}

/// Hour and minute of `HH:MM`.
pub(crate) fn time_of_day(text: &str) -> Option<(u32, u32)> {
    let (hour, minute) = text.split_once(':')?;
    let number = |text: &str, below: u32| {
        let plain = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|number| plain && *number < below)
    };
    Some((number(hour, 24)?, number(minute, 60)?))
}

impl MailSettings {
    /// # Errors
    /// `Invalid` with the first setting that is wrong.
    pub fn validate(&self) -> Result<(), MailError> {
        let host = |byte: u8| byte.is_ascii_alphanumeric() || b".-:_".contains(&byte);
        if self.server.len() > LONGEST_NAME || !self.server.bytes().all(host) {
            return Err(invalid("server", "expected the name or address of a server"));
        }
        if self.port == 0 {
            return Err(invalid("port", "expected 1 to 65535"));
        }
        if let Some(pem) = &self.ca_certificate {
            let read = Certificate::from_pem(pem.as_bytes());
            if pem.len() > LONGEST_CERTIFICATES
                || !pem.contains("-----BEGIN CERTIFICATE-----")
                || read.is_err()
            {
                return Err(invalid("ca_certificate", "expected certificates as PEM text"));
            }
        }
        if let Some(account) = &self.account
            && (account.is_empty() || account.len() > LONGEST_NAME || account.contains(char::is_control))
        {
            return Err(invalid("account", format!("expected 1 to {LONGEST_NAME} characters on one line")));
        }
        if !self.sender.is_empty() && !is_address(&self.sender) {
            return Err(invalid("sender", "expected one e-mail address"));
        }
        self.validate_recipients()?;
        if Language::from_name(&self.language).is_none() {
            return Err(invalid("language", "expected zh-CN, zh-TW or en"));
        }
        if self.collect_s > MOST_COLLECT_S {
            return Err(invalid("collect_s", format!("expected 0 to {MOST_COLLECT_S}")));
        }
        if time_of_day(&self.summary_at).is_none() {
            return Err(invalid("summary_at", "expected 00:00 to 23:59"));
        }
        if self.switched_on {
            self.ready()?;
        }
        Ok(())
    }

    fn validate_recipients(&self) -> Result<(), MailError> {
        if self.recipients.len() > MOST_RECIPIENTS {
            return Err(invalid("recipients", format!("expected at most {MOST_RECIPIENTS} addresses")));
        }
        for (index, address) in self.recipients.iter().enumerate() {
            let field = || format!("recipients[{index}]");
            if !is_address(address) {
                return Err(invalid(field(), "expected one e-mail address"));
            }
            if self.recipients[..index].iter().any(|other| other.eq_ignore_ascii_case(address)) {
                return Err(invalid(field(), "this address stands here twice"));
            }
        }
        Ok(())
    }

    /// # Errors
    /// `Invalid` with the first setting without which nothing can be sent.
    pub fn ready(&self) -> Result<(), MailError> {
        for (field, missing) in [
            ("server", self.server.is_empty()),
            ("sender", self.sender.is_empty()),
            ("recipients", self.recipients.is_empty()),
        ] {
            if missing {
                return Err(invalid(field, "nothing can be sent without it"));
            }
        }
        Ok(())
    }

    /// # Errors
    /// `Invalid`: a kind of alarm that this release does not have.
    pub(crate) fn check_kinds(&self) -> Result<(), MailError> {
        match self.alarms.iter().find(|code| AlarmCode::from_name(code).is_none()) {
            Some(code) => Err(invalid("alarms", format!("there is no alarm {code:?}"))),
            None => Ok(()),
        }
    }

    pub fn language(&self) -> Language {
        Language::from_name(&self.language).unwrap_or_default()
    }

    /// Whether what a secret is sent to, or how, differs: whoever changes that has to know the secret.
    pub(crate) fn leads_elsewhere(&self, before: &Self) -> bool {
        self.server != before.server
            || self.port != before.port
            || self.ca_certificate != before.ca_certificate
            || (self.security != before.security && self.security == Security::None)
    }
}

/// The sender's password, or the code that its provider gave for programs. It is in the settings file and in what is
/// sent to the server, and nowhere else.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// # Errors
    /// `Invalid`: empty, too long, or not on one line.
    pub fn new(text: String) -> Result<Self, MailError> {
        if text.is_empty() || text.len() > LONGEST_SECRET || text.contains(char::is_control) {
            return Err(invalid("secret", format!("expected 1 to {LONGEST_SECRET} characters on one line")));
        }
        Ok(Self(text))
    }

    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Secret")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> MailSettings {
        MailSettings {
            switched_on: true,
            server: "smtp.example.org".into(),
            sender: "recorder@example.org".into(),
            recipients: vec!["duty@example.org".into()],
            ..MailSettings::default()
        }
    }

    #[test]
    fn nothing_is_sent_until_it_is_configured() {
        let fresh = MailSettings::default();
        assert!(!fresh.switched_on && fresh.validate().is_ok());
        assert!(MailSettings { switched_on: true, ..fresh }.validate().is_err());
        assert!(good().validate().is_ok());
    }

    #[test]
    fn a_wrong_setting_is_named() {
        let many: Vec<String> = (0..6).map(|n| format!("a{n}@example.org")).collect();
        let wrong: [(MailSettings, &str); 16] = [
            (MailSettings { server: "smtp example".into(), ..good() }, "server"),
            (MailSettings { server: String::new(), ..good() }, "server"),
            (MailSettings { port: 0, ..good() }, "port"),
            (MailSettings { ca_certificate: Some("x".into()), ..good() }, "ca_certificate"),
            (MailSettings { account: Some(String::new()), ..good() }, "account"),
            (MailSettings { account: Some("a\r\nb".into()), ..good() }, "account"),
            (MailSettings { sender: "recorder".into(), ..good() }, "sender"),
            (MailSettings { sender: "a@b>\r\nRCPT TO:<c@d".into(), ..good() }, "sender"),
            (MailSettings { recipients: many, ..good() }, "recipients"),
            (MailSettings { recipients: Vec::new(), ..good() }, "recipients"),
            (MailSettings { recipients: vec!["a@b.c".into(), "A@b.c".into()], ..good() }, "recipients[1]"),
            (MailSettings { recipients: vec!["值班@example.org".into()], ..good() }, "recipients[0]"),
            (MailSettings { language: "fr".into(), ..good() }, "language"),
            (MailSettings { collect_s: 3601, ..good() }, "collect_s"),
            (MailSettings { summary_at: "8:00".into(), ..good() }, "summary_at"),
            (MailSettings { summary_at: "24:00".into(), ..good() }, "summary_at"),
        ];
        for (settings, field) in wrong {
            match settings.validate() {
                Err(MailError::Invalid { field: named, .. }) => assert_eq!(named, field),
                other => panic!("{field}: {other:?}"),
            }
        }
    }

    #[test]
    fn a_secret_is_never_printed() {
        let secret = Secret::new("hunter2".into()).expect("a secret");
        assert!(!format!("{secret:?}").contains("hunter2"));
        for wrong in ["", "a\nb"] {
            assert!(Secret::new(wrong.into()).is_err());
        }
    }
}
