//! What outlives a restart, in one file, so that each step is one write: the settings that count, a change that waits for
//! its confirmation, and how the last one ended.

use std::fs;
use std::io;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::files::{FileError, make_folder, write_whole};
use super::places::Places;
use super::settings::{InterfaceSettings, NetworkSettings};

const NAME: &str = "network.json";
const UNREADABLE: &str = "network.json.unreadable";
const FOLDER_MODE: u32 = 0o700;
/// There are passwords in it.
const FILE_MODE: u32 = 0o600;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Kept {
    /// Those that count after a restart.
    pub(super) settings: NetworkSettings,
    /// Number of the change that is being tried.
    pub(super) trying: Option<u64>,
    pub(super) last: Option<Ended>,
    /// How many changes there have been.
    pub(super) changes: u64,
}

/// How a change ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    pub id: u64,
    pub outcome: Outcome,
    /// Microseconds of UTC since 1970, by the box's clock.
    pub utc_us: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Confirmed,
    /// Taken back: nobody confirmed it in time.
    NotConfirmed,
    /// Taken back by a person.
    Reverted,
    /// Taken back: the box, or the process that waited, ended meanwhile.
    Interrupted,
    /// Taken back: it could not be carried out.
    Failed,
}

impl Outcome {
    pub fn name(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::NotConfirmed => "not_confirmed",
            Self::Reverted => "reverted",
            Self::Interrupted => "interrupted",
            Self::Failed => "failed",
        }
    }
}

/// As another release may have written it: what this one does not know is passed over.
#[derive(Deserialize)]
struct Read {
    settings: ReadSettings,
    #[serde(default)]
    trying: Option<u64>,
    #[serde(default)]
    last: Option<Value>,
    #[serde(default)]
    changes: u64,
}

#[derive(Deserialize)]
struct ReadSettings {
    interfaces: Vec<Value>,
}

impl Kept {
    /// What stands there. A file that cannot be read is put aside, and the factory settings count: a box that answers
    /// somewhere is worth more than one that does not start its network.
    pub(super) fn read(places: &Places) -> Self {
        let path = places.kept().join(NAME);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Self::default(),
            Err(error) => {
                eprintln!(
                    "{} cannot be read: {error}; the factory settings of the network count",
                    path.display()
                );
                return Self::default();
            }
        };
        match serde_json::from_str::<Read>(&text) {
            Ok(read) => Self::of(read),
            Err(error) => {
                let aside = places.kept().join(UNREADABLE);
                eprintln!(
                    "{} is no settings file: {error}; it is kept as {UNREADABLE}, and the factory settings count",
                    path.display()
                );
                // If it stays in its place, the next change replaces it.
                let _ = fs::rename(&path, aside);
                Self::default()
            }
        }
    }

    fn of(read: Read) -> Self {
        let interfaces = read.settings.interfaces.into_iter().filter_map(
            |value| match serde_json::from_value::<InterfaceSettings>(value) {
                Ok(interface) => Some(interface),
                Err(error) => {
                    eprintln!(
                        "settings of an interface that this release does not know are passed over: {error}"
                    );
                    None
                }
            },
        );
        let settings = NetworkSettings { interfaces: interfaces.collect() };
        let last = read.last.and_then(|last| serde_json::from_value(last).ok());
        Self { settings, trying: read.trying, last, changes: read.changes }
    }

    /// # Errors
    /// The file or folder that refused; what stood there stands.
    pub(super) fn write(&self, places: &Places) -> Result<(), FileError> {
        let folder = places.kept();
        make_folder(folder, FOLDER_MODE)?;
        let text = serde_json::to_string_pretty(self).map_err(|error| FileError {
            step: "write",
            path: folder.join(NAME),
            source: error.into(),
        })?;
        write_whole(folder, NAME, &text, FILE_MODE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_another_release_wrote_is_read_as_far_as_it_is_known() {
        let folder = tempfile::tempdir().expect("a folder");
        let places = Places::new(folder.path(), &folder.path().join("kept"));
        assert_eq!(Kept::read(&places), Kept::default());
        let known = json!({
            "interface": "eth0", "vlan": null, "ipv4": {"method": "dhcp", "colour": 3},
            "ipv6": {"method": "off"}, "dns": [], "mtu": null, "later": true,
        });
        let text = json!({
            "settings": {"interfaces": [known, {"interface": "wlan0", "ipv4": {"method": "telepathy"}}]},
            "trying": null, "last": {"id": 3, "outcome": "dreamt", "utc_us": 5}, "changes": 3, "more": [],
        });
        fs::create_dir_all(places.kept()).expect("a folder");
        fs::write(places.kept().join(NAME), text.to_string()).expect("written");
        let kept = Kept::read(&places);
        assert_eq!((kept.settings.interfaces.len(), kept.last.clone(), kept.changes), (1, None, 3));
        kept.write(&places).expect("written");
        assert_eq!(Kept::read(&places), kept);
    }

    #[test]
    fn a_file_that_cannot_be_read_is_put_aside() {
        let folder = tempfile::tempdir().expect("a folder");
        let places = Places::new(folder.path(), &folder.path().join("kept"));
        fs::create_dir_all(places.kept()).expect("a folder");
        fs::write(places.kept().join(NAME), "{\"settings\": {\"inter").expect("written");
        assert_eq!(Kept::read(&places), Kept::default());
        let aside = fs::read_to_string(places.kept().join(UNREADABLE)).expect("kept");
        assert_eq!(aside, "{\"settings\": {\"inter");
    }
}
