//! `settings/mail.toml`: the settings in force, the secret beside them, and changes by the pages. The file's mode is
//! 0600.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Map, Value as Json, json};
use toml::{Table, Value};
use upkeep::kept::{self, Kept, KeptError};

use crate::error::MailError;
use crate::settings::{MailSettings, Secret, invalid};

/// The member of file and interface that holds the secret.
const SECRET: &str = "secret";
/// Of the settings file: its owner alone reads it.
const FILE_MODE: u32 = 0o600;

/// What is in force.
#[derive(Clone, Debug)]
pub struct InForce {
    pub settings: Arc<MailSettings>,
    pub secret: Option<Secret>,
}

/// The settings in force, and the file that keeps them.
#[derive(Debug)]
pub struct MailBook {
    file: PathBuf,
    now: Mutex<InForce>,
    /// Held while the file is read, judged and written.
    writing: Mutex<()>,
}

fn template() -> Map<String, Json> {
    let mut members = object(json!(MailSettings::default()));
    members.insert(SECRET.into(), Json::Null);
    members
}

fn object(value: Json) -> Map<String, Json> {
    match value {
        Json::Object(members) => members,
        _ => Map::new(),
    }
}

impl MailBook {
    /// Reads the file. One that is wrong is told on the console, and e-mail is off until it is put right: it keeps nobody
    /// from recording.
    pub fn open(file: PathBuf) -> Self {
        Self::load(file.clone()).unwrap_or_else(|error| {
            eprintln!("{error}; e-mail is off until that is put right");
            let now = InForce { settings: Arc::default(), secret: None };
            Self { file, now: Mutex::new(now), writing: Mutex::new(()) }
        })
    }

    /// Reads the file; an absent one is off and empty. What this release does not know is told on the console, kept,
    /// and passed over.
    ///
    /// # Errors
    /// `File`: it cannot be read, or says something that cannot be.
    fn load(file: PathBuf) -> Result<Self, MailError> {
        keep_private(&file)?;
        let kept = Kept::load(&file)?;
        let (mut known, unknown) = kept::known(&kept.table, &template());
        unknown.iter().for_each(|member| eprintln!("{}", kept.passed_over(member)));
        let secret = match known.remove(SECRET) {
            Some(Value::String(text)) => {
                Some(Secret::new(text).map_err(|error| kept.wrong(error.to_string()))?)
            }
            Some(_) => return Err(kept.wrong("secret: expected a text").into()),
            None => None,
        };
        let settings: MailSettings =
            known.try_into().map_err(|error: toml::de::Error| kept.wrong(kept::sentence(&error)))?;
        settings.validate().map_err(|error| kept.wrong(error.to_string()))?;
        let now = Mutex::new(InForce { settings: Arc::new(settings), secret });
        Ok(Self { file, now, writing: Mutex::new(()) })
    }

    pub fn now(&self) -> InForce {
        self.now.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sets the members of `patch`, all or none, in the file first. `secret` is a text or `null`; where the secret
    /// would go to another server than before, it has to be given again. Returns the settings before and after.
    ///
    /// # Errors
    /// `Invalid` with the member that is wrong; `File` when the disk refuses.
    pub fn change(
        &self,
        patch: &Map<String, Json>,
    ) -> Result<(Arc<MailSettings>, Arc<MailSettings>), MailError> {
        let _one_at_a_time = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.now();
        let settings = patched(&before.settings, patch)?;
        let secret = match patch.get(SECRET) {
            None if before.secret.is_some() && settings.leads_elsewhere(&before.settings) => {
                return Err(invalid(SECRET, "expected once more, because it would go to another server"));
            }
            None => before.secret.clone(),
            Some(Json::Null) => None,
            Some(Json::String(text)) => Some(Secret::new(text.clone())?),
            Some(_) => return Err(invalid(SECRET, "expected a text or null")),
        };
        let mut kept = Kept::load(&self.file)?;
        let mut table = Table::try_from(&settings)
            .map_err(|error| kept.wrong(format!("the settings cannot be written: {error}")))?;
        if let Some(secret) = &secret {
            table.insert(SECRET.into(), Value::String(secret.reveal().to_owned()));
        }
        kept::overlay(&mut kept.table, table, &template());
        kept.write()?;
        let after = Arc::new(settings);
        let now = InForce { settings: after.clone(), secret };
        *self.now.lock().unwrap_or_else(PoisonError::into_inner) = now;
        Ok((before.settings, after))
    }
}

/// The settings with the members of `patch`, the secret aside.
fn patched(before: &MailSettings, patch: &Map<String, Json>) -> Result<MailSettings, MailError> {
    let mut whole = object(json!(before));
    let mut settings = before.clone();
    // One member at a time, so that a mistake names the member it is in.
    for (field, value) in patch.iter().filter(|(field, _)| *field != SECRET) {
        whole.insert(field.clone(), value.clone());
        settings = serde_json::from_value(Json::Object(whole.clone()))
            .map_err(|error| invalid(field, error.to_string()))?;
    }
    settings.validate()?;
    if patch.contains_key("alarms") {
        settings.check_kinds()?;
    }
    Ok(settings)
}

/// A file that somebody made readable for others is made private again.
fn keep_private(file: &Path) -> Result<(), KeptError> {
    let wrong = |error: std::io::Error| KeptError { path: file.to_owned(), reason: error.to_string() };
    match fs::metadata(file) {
        Ok(metadata) if metadata.permissions().mode() & 0o777 != FILE_MODE => {
            fs::set_permissions(file, Permissions::from_mode(FILE_MODE)).map_err(wrong)
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patch(value: Json) -> Map<String, Json> {
        object(value)
    }

    fn configured(folder: &Path) -> MailBook {
        let book = MailBook::load(folder.join("mail.toml")).expect("loads");
        let change = json!({"server": "mail.example.org", "sender": "box@example.org", "secret": "hunter2"});
        book.change(&patch(change)).expect("changed");
        book
    }

    fn mode(file: &Path) -> u32 {
        fs::metadata(file).expect("there").permissions().mode() & 0o777
    }

    #[test]
    fn the_secret_is_in_the_file_alone_and_the_file_is_private() {
        let folder = tempfile::tempdir().expect("a folder");
        let book = configured(folder.path());
        let file = folder.path().join("mail.toml");
        assert_eq!(mode(&file), FILE_MODE);
        assert!(fs::read_to_string(&file).expect("read").contains("secret = \"hunter2\""));
        let shown = format!("{book:?}{:?}{}", book.now(), json!(&*book.now().settings));
        assert!(!shown.contains("hunter2"), "{shown}");

        fs::set_permissions(&file, Permissions::from_mode(0o644)).expect("set");
        let again = MailBook::load(file.clone()).expect("loads");
        assert_eq!(mode(&file), FILE_MODE, "it is private again");
        assert_eq!(again.now().secret, book.now().secret);
        assert_eq!(again.now().settings, book.now().settings);
        again.change(&patch(json!({"secret": null}))).expect("changed");
        assert!(!fs::read_to_string(&file).expect("read").contains("hunter2"));
    }

    /// Who may change settings shall not learn the secret by having it sent to a server of their own.
    #[test]
    fn whoever_sends_the_secret_elsewhere_has_to_know_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let book = configured(folder.path());
        for change in
            [json!({"server": "mine.example.net"}), json!({"port": 2525}), json!({"security": "none"})]
        {
            match book.change(&patch(change.clone())) {
                Err(MailError::Invalid { field, .. }) => assert_eq!(field, "secret"),
                other => panic!("{change}: {other:?}"),
            }
        }
        book.change(&patch(json!({"server": "mine.example.net", "secret": "known"}))).expect("changed");
        book.change(&patch(json!({"collect_s": 5, "security": "starttls"}))).expect("it stays where it was");
    }

    #[test]
    fn a_wrong_member_changes_nothing_and_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let book = MailBook::load(folder.path().join("mail.toml")).expect("loads");
        for (change, field) in [
            (json!({"colour": 1}), "colour"),
            (json!({"port": 70_000}), "port"),
            (json!({"security": "ssl"}), "security"),
            (json!({"alarms": ["line_lost", "of_mars"]}), "alarms"),
            (json!({"secret": 7}), "secret"),
            (json!({"switched_on": true}), "server"),
        ] {
            match book.change(&patch(change)) {
                Err(MailError::Invalid { field: named, .. }) => assert_eq!(named, field),
                other => panic!("{field}: {other:?}"),
            }
        }
        assert!(!folder.path().join("mail.toml").exists());
    }

    #[test]
    fn a_wrong_file_is_off_until_it_is_put_right() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("mail.toml");
        fs::write(&file, "port = \"smtp\"\n").expect("written");
        assert!(MailBook::load(file.clone()).expect_err("wrong").to_string().contains("mail.toml"));
        let book = MailBook::open(file.clone());
        assert_eq!(*book.now().settings, MailSettings::default());
        book.change(&patch(json!({"port": 25}))).expect("changed");
        assert_eq!(MailBook::load(file).expect("loads").now().settings.port, 25);
    }

    #[test]
    fn a_file_of_a_newer_release_is_read_and_loses_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("mail.toml");
        fs::write(&file, "colour = 1\nalarms = [\"line_lost\", \"of_mars\"]\n").expect("written");
        let book = MailBook::load(file.clone()).expect("loads");
        book.change(&patch(json!({"collect_s": 5}))).expect("changed");
        let text = fs::read_to_string(&file).expect("read");
        assert!(text.contains("colour = 1") && text.contains("of_mars"), "{text}");
    }
}
