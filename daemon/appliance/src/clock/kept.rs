//! What the clock keeps on the disk, in a folder of the appliance process's own: `clock.toml`, which people set, and
//! `clock-state.json`, so that the next start knows how the oscillator runs and which time has been.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use super::line::Frequency;
use super::settings::ClockSettings;
use crate::error::ApplianceError;

const SETTINGS: &str = "clock.toml";
const STATE: &str = "clock-state.json";
/// Of a crystal that has cooled down or warmed up meanwhile.
const BETWEEN_STARTS_PPM: f64 = 1.0;
/// The kernel takes no more.
const MOST_PPM: f64 = 500.0;

/// What is known from the run before.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct State {
    pub(crate) frequency_ppm: Option<f64>,
    pub(crate) frequency_sigma_ppm: Option<f64>,
    /// A time that has been: microseconds of UTC since 1970.
    pub(crate) last_known_us: i64,
    /// The run of the machine in which the clock was followed.
    pub(crate) followed_in_boot: Option<String>,
}

impl State {
    pub(crate) fn frequency(&self) -> Frequency {
        match (self.frequency_ppm, self.frequency_sigma_ppm) {
            (Some(ppm), Some(sigma_ppm)) if ppm.abs() <= MOST_PPM && sigma_ppm >= 0.0 => {
                Frequency { ppm, sigma_ppm: sigma_ppm.hypot(BETWEEN_STARTS_PPM) }
            }
            _ => Frequency::UNKNOWN,
        }
    }
}

/// The folder.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    folder: PathBuf,
}

impl Kept {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Without a file, off. Members that this release does not know are told and passed over.
    ///
    /// # Errors
    /// One sentence: a file that cannot be read, or says what cannot be.
    pub(crate) fn settings(&self) -> Result<ClockSettings, String> {
        let path = self.folder.join(SETTINGS);
        let wrong = |what: &dyn std::fmt::Display| {
            let what = what.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
            format!(
                "{}: {what}; no time server is followed until the settings are made again",
                path.display()
            )
        };
        let mut table = read_table(&path).map_err(|error| wrong(&error))?;
        let known = Table::try_from(ClockSettings::default()).map_err(|error| wrong(&error))?;
        table.retain(|member, _| {
            let is_known = known.contains_key(member);
            if !is_known {
                eprintln!(
                    "{}: {member} is not known to this release: it is passed over, and stays in the file",
                    path.display()
                );
            }
            is_known
        });
        let mut whole = known;
        whole.extend(table);
        let settings: ClockSettings = Value::Table(whole).try_into().map_err(|error| wrong(&error))?;
        settings.addresses().map_err(|error| wrong(&error))?;
        Ok(settings)
    }

    /// What a newer release has put into the file stays there.
    ///
    /// # Errors
    /// `NotKept`; the file is then as it was.
    pub(crate) fn keep_settings(&self, settings: &ClockSettings) -> Result<(), ApplianceError> {
        let path = self.folder.join(SETTINGS);
        let failed = |reason: String| ApplianceError::NotKept { path: path.clone(), reason };
        // One that cannot be read is replaced: that is what the person was told to do about it.
        let mut table = read_table(&path).unwrap_or_default();
        table.extend(Table::try_from(settings).map_err(|error| failed(error.to_string()))?);
        let text = toml::to_string(&table).map_err(|error| failed(error.to_string()))?;
        self.write(SETTINGS, text.as_bytes()).map_err(|error| failed(error.to_string()))
    }

    /// One that is missing or cannot be read is an empty one.
    pub(crate) fn state(&self) -> State {
        let path = self.folder.join(STATE);
        match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).unwrap_or_else(|error| {
                eprintln!("{}: {error}; how the clock ran before is not known", path.display());
                State::default()
            }),
            Err(_) => State::default(),
        }
    }

    /// # Errors
    /// When the disk refuses; the file is then as it was.
    pub(crate) fn keep_state(&self, state: &State) -> io::Result<()> {
        self.write(STATE, &serde_json::to_vec(state)?)
    }

    /// Whole or not at all, and on the disk when it returns.
    fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        match DirBuilder::new().mode(0o700).create(&self.folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        let (path, new) = (self.folder.join(name), self.folder.join(format!("{name}.new")));
        let mut file = File::create(&new)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&new, &path)?;
        File::open(&self.folder)?.sync_all()
    }
}

fn read_table(path: &Path) -> Result<Table, String> {
    match fs::read_to_string(path) {
        Ok(text) => toml::from_str(&text).map_err(|error| error.message().to_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Table::new()),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept() -> (tempfile::TempDir, Kept) {
        let folder = tempfile::tempdir().expect("a folder");
        let kept = Kept::new(folder.path().join("appliance"));
        (folder, kept)
    }

    fn settings() -> ClockSettings {
        ClockSettings { on: true, servers: vec!["ntp.example.cn".to_owned(), "192.0.2.1".to_owned()] }
    }

    #[test]
    fn what_is_kept_is_found_again_and_an_empty_folder_is_off() {
        let (_folder, kept) = kept();
        assert_eq!(kept.settings().expect("none yet"), ClockSettings::default());
        assert_eq!(kept.state(), State::default());
        kept.keep_settings(&settings()).expect("kept");
        let state = State {
            frequency_ppm: Some(-12.5),
            frequency_sigma_ppm: Some(0.5),
            last_known_us: 1_795_000_000_000_000,
            followed_in_boot: Some("a-b".to_owned()),
        };
        kept.keep_state(&state).expect("kept");
        assert_eq!(kept.settings().expect("read"), settings());
        assert_eq!(kept.state(), state);
        assert_eq!(fs::read_dir(&kept.folder).expect("read").count(), 2, "nothing else lies there");
    }

    #[test]
    fn what_a_newer_release_wrote_stays_in_the_file() {
        let (_folder, kept) = kept();
        kept.keep_settings(&ClockSettings::default()).expect("kept");
        let path = kept.folder.join(SETTINGS);
        fs::write(&path, "on = true\nservers = [\"a.cn\"]\nkeys = \"k\"\n").expect("written");
        assert_eq!(kept.settings().expect("read").servers, ["a.cn"]);
        kept.keep_settings(&settings()).expect("kept");
        let text = fs::read_to_string(&path).expect("read");
        assert!(text.contains("keys = \"k\"") && text.contains("192.0.2.1"), "{text}");
    }

    #[test]
    fn settings_that_cannot_be_are_told_in_one_sentence_and_can_be_made_again() {
        let (_folder, kept) = kept();
        kept.keep_settings(&settings()).expect("kept");
        let path = kept.folder.join(SETTINGS);
        for text in ["on = maybe", "on = 1", "on = true", "servers = [\"no server\"]", "servers = 7", "\u{1}"]
        {
            fs::write(&path, text).expect("written");
            let sentence = kept.settings().expect_err(text);
            assert!(sentence.contains("clock.toml") && !sentence.contains('\n'), "{sentence}");
            kept.keep_settings(&settings()).expect("kept");
            assert_eq!(kept.settings().expect("read"), settings());
        }
    }

    #[test]
    fn a_frequency_that_no_clock_has_is_not_believed() {
        let state = |ppm, sigma| State {
            frequency_ppm: Some(ppm),
            frequency_sigma_ppm: Some(sigma),
            ..State::default()
        };
        assert_eq!(state(-20.0, 0.0).frequency(), Frequency { ppm: -20.0, sigma_ppm: 1.0 });
        for wrong in [state(501.0, 1.0), state(f64::NAN, 1.0), state(1.0, -1.0), State::default()] {
            assert_eq!(wrong.frequency(), Frequency::UNKNOWN);
        }
        let (_folder, kept) = kept();
        kept.keep_state(&State::default()).expect("kept");
        fs::write(kept.folder.join(STATE), "{\"last_known_us\": \"soon\"}").expect("written");
        assert_eq!(kept.state(), State::default());
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_told() {
        let kept = Kept::new("/proc/nowhere/appliance".into());
        let error = kept.keep_settings(&settings()).expect_err("nowhere");
        assert_eq!(error.code(), "not_kept");
        assert!(error.to_string().contains("/proc/nowhere/appliance/clock.toml"), "{error}");
    }
}
