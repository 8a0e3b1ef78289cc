//! What a person sets of the way to the platform: `settings/platform.toml`. Provisioning may write it beforehand.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use upkeep::address::host_and_port;
use uplink::Fingerprint;

use super::token::PullToken;
use crate::kept::{self, Kept, KeptError};

/// Where a platform listens unless the address says otherwise.
pub const DEFAULT_PORT: u16 = 1311;
/// Member of the file that holds what is kept of the token.
const TOKEN: &str = "pull_token";

/// What stands in `platform.toml`; every member has a default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PlatformSettings {
    /// Off: nothing is dialled, and nothing prepared to be sent.
    pub switched_on: bool,
    /// `host`, `host:port` or `[IPv6]:port`; 1 to 255 characters. The port is 1311 when left out.
    pub address: Option<String>,
    /// Of the platform's key. Absent: nothing is sent until a person has accepted the key that it shows.
    pub fingerprint: Option<Fingerprint>,
    /// Alarm when there was no connection for this long, 1 to 86,400 seconds.
    pub unreachable_after_s: u32,
}

impl Default for PlatformSettings {
    fn default() -> Self {
        Self { switched_on: false, address: None, fingerprint: None, unreachable_after_s: 600 }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum PlatformSettingsError {
    #[error("{field}: {reason}")]
    Invalid { field: String, reason: String },
    #[error(transparent)]
    File(#[from] KeptError),
}

fn invalid(field: &str, reason: impl Into<String>) -> PlatformSettingsError {
    PlatformSettingsError::Invalid { field: field.into(), reason: reason.into() }
}

impl PlatformSettings {
    /// Reads the file. Members that this release does not know are told on the console, kept, and passed over.
    ///
    /// # Errors
    /// A file that cannot be read, or says what cannot be.
    pub fn load(path: &Path) -> Result<Self, PlatformSettingsError> {
        Ok(load(path)?.0)
    }

    fn validate(&self) -> Result<(), PlatformSettingsError> {
        if let Some(address) = &self.address
            && host_and_port(address, DEFAULT_PORT).is_none()
        {
            return Err(invalid("address", "expected a host, or a host and a port, such as 192.0.2.7:1311"));
        }
        if self.switched_on && self.address.is_none() {
            return Err(invalid("address", "expected one before it is switched on"));
        }
        if !(1..=86_400).contains(&self.unreachable_after_s) {
            return Err(invalid("unreachable_after_s", "expected 1 to 86400"));
        }
        Ok(())
    }

    /// Where to dial, with a port; `None` while there is nothing to dial.
    pub(crate) fn dials(&self) -> Option<String> {
        self.address
            .as_deref()
            .filter(|_| self.switched_on)
            .and_then(|address| host_and_port(address, DEFAULT_PORT))
    }

    fn patched(&self, patch: &Map<String, Value>) -> Result<Self, PlatformSettingsError> {
        let mut whole = object(json!(self));
        let mut result = self.clone();
        // One member at a time, so that a mistake names the member it is in.
        for (field, value) in patch {
            whole.insert(field.clone(), value.clone());
            result = serde_json::from_value(Value::Object(whole.clone()))
                .map_err(|error| invalid(field, error.to_string()))?;
        }
        result.validate()?;
        Ok(result)
    }
}

/// What the file says: the settings, and what is kept of the token.
fn load(path: &Path) -> Result<(PlatformSettings, Option<PullToken>), PlatformSettingsError> {
    let kept = Kept::load(path)?;
    let wrong = |error: toml::de::Error| kept.wrong(kept::sentence(&error));
    let (mut known, unknown) = kept::known(&kept.table, &template());
    unknown.iter().for_each(|member| eprintln!("{}", kept.passed_over(member)));
    let token = known.remove(TOKEN).map(toml::Value::try_into).transpose().map_err(wrong)?;
    let settings: PlatformSettings = known.try_into().map_err(wrong)?;
    settings.validate().map_err(|error| kept.wrong(error.to_string()))?;
    Ok((settings, token))
}

/// Every member that this release knows.
fn template() -> Map<String, Value> {
    let mut members = object(json!(PlatformSettings::default()));
    members.insert(TOKEN.into(), json!({"sha256": "", "made_us": 0}));
    members
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

/// The settings in force, and the file that keeps them.
#[derive(Debug)]
pub(crate) struct PlatformBook {
    file: PathBuf,
    now: Mutex<Arc<PlatformSettings>>,
    token: Mutex<Option<PullToken>>,
    /// Held while the file is read, judged and written.
    writing: Mutex<()>,
}

impl PlatformBook {
    pub(crate) fn load(file: PathBuf) -> Result<Self, PlatformSettingsError> {
        let (settings, token) = load(&file)?;
        let (now, token) = (Mutex::new(Arc::new(settings)), Mutex::new(token));
        Ok(Self { file, now, token, writing: Mutex::default() })
    }

    pub(crate) fn token(&self) -> Option<PullToken> {
        lock(&self.token).clone()
    }

    /// Keeps this token, or none, in the file first. Returns the one before.
    ///
    /// # Errors
    /// `File` when the disk refuses.
    pub(crate) fn set_token(
        &self,
        token: Option<PullToken>,
    ) -> Result<Option<PullToken>, PlatformSettingsError> {
        let _one_at_a_time = lock(&self.writing);
        self.write(&self.now(), token.as_ref())?;
        Ok(std::mem::replace(&mut *lock(&self.token), token))
    }

    pub(crate) fn now(&self) -> Arc<PlatformSettings> {
        lock(&self.now).clone()
    }

    /// Sets the members of `patch`, all or none, in the file first. Returns the settings before and after.
    ///
    /// # Errors
    /// `Invalid` with the member that is wrong; `File` when the disk refuses.
    pub(crate) fn change(
        &self,
        patch: &Map<String, Value>,
    ) -> Result<(Arc<PlatformSettings>, Arc<PlatformSettings>), PlatformSettingsError> {
        let _one_at_a_time = lock(&self.writing);
        let before = self.now();
        let after = Arc::new(before.patched(patch)?);
        self.write(&after, self.token().as_ref())?;
        *lock(&self.now) = after.clone();
        Ok((before, after))
    }

    fn write(
        &self,
        settings: &PlatformSettings,
        token: Option<&PullToken>,
    ) -> Result<(), PlatformSettingsError> {
        let mut kept = Kept::load(&self.file)?;
        let failed = |error: toml::ser::Error| kept.wrong(format!("the settings cannot be written: {error}"));
        let mut table = toml::Table::try_from(settings).map_err(failed)?;
        if let Some(token) = token {
            table.insert(TOKEN.into(), toml::Value::try_from(token).map_err(failed)?);
        }
        kept::overlay(&mut kept.table, table, &template());
        Ok(kept.write()?)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_kept_and_wrong_ones_change_nothing_and_are_named() {
        let dir = tempfile::tempdir().expect("a folder");
        let file = dir.path().join("platform.toml");
        std::fs::write(&file, "later = 1\n").expect("written");
        let book = PlatformBook::load(file.clone()).expect("loads");
        assert_eq!(book.now().dials(), None);
        for (change, field) in [
            (json!({"switched_on": true}), "address"),
            (json!({"address": "a b"}), "address"),
            (json!({"address": "a", "fingerprint": "12"}), "fingerprint"),
            (json!({"unreachable_after_s": 0}), "unreachable_after_s"),
            (json!({"colour": 1}), "colour"),
            (json!({"pull_token": {"sha256": "", "made_us": 0}}), "pull_token"),
        ] {
            match book.change(&object(change)) {
                Err(PlatformSettingsError::Invalid { field: named, .. }) => assert_eq!(named, field),
                other => panic!("{field}: {other:?}"),
            }
        }
        assert_eq!(*book.now(), PlatformSettings::default());
        let print = "0123 ".repeat(16);
        let change = json!({"switched_on": true, "address": "192.0.2.7", "fingerprint": print.trim()});
        book.change(&object(change)).expect("changed");
        let (token, kept) = PullToken::make(5).expect("made");
        assert_eq!(book.set_token(Some(kept)).expect("kept"), None);
        let again = PlatformBook::load(file.clone()).expect("loads");
        assert!(again.token().expect("there").is(&token));
        let again = again.now();
        assert_eq!(again, book.now());
        assert_eq!(again.dials().as_deref(), Some("192.0.2.7:1311"));
        assert_eq!(again.fingerprint.map(|print| print.to_string()).as_deref(), Some(print.trim()));
        book.change(&object(json!({"fingerprint": null, "switched_on": false}))).expect("changed");
        assert_eq!((book.now().dials(), book.now().fingerprint), (None, None));
        let text = std::fs::read_to_string(&file).expect("read");
        assert!(text.contains("[pull_token]") && !text.contains(&token));
        book.set_token(None).expect("removed");
        assert_eq!(PlatformBook::load(file.clone()).expect("loads").token(), None);
        assert!(std::fs::read_to_string(&file).expect("read").contains("later = 1"), "it is kept");
    }

    #[test]
    fn a_wrong_file_is_refused_in_one_sentence() {
        let dir = tempfile::tempdir().expect("a folder");
        let file = dir.path().join("platform.toml");
        for text in
            ["switched_on = true", "address = 3", "fingerprint = \"x\"", "unreachable_after_s = -1", "="]
        {
            std::fs::write(&file, text).expect("written");
            let error = PlatformSettings::load(&file).expect_err(text).to_string();
            assert!(error.contains("platform.toml") && !error.contains('\n'), "{error}");
        }
    }
}
