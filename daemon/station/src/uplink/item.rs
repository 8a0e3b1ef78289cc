//! Which entries of the journal go up to the platform, and how one is made ready: with the file of a recording, its size
//! and its SHA-256.

use std::io;
use std::path::PathBuf;

use bytes::Bytes;
use catalog::RawEntry;
use recording::DataDir;
use serde::Deserialize;
use uplink::station_end::{Item, ItemFile};

use super::hashes::Hashes;

/// What becomes of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// It is the box's own affair: accounts with their passwords, and what the platform has said.
    Stays,
    /// Alarms: they overtake the backlog, in their own order.
    Urgent,
    Goes,
}

#[derive(Deserialize)]
struct Head {
    kind: String,
}

#[derive(Deserialize)]
struct RecordHead {
    body: RecordBody,
}

#[derive(Deserialize)]
struct RecordBody {
    file: Option<String>,
}

/// A kind is named here to go up; one that a newer release wrote stays.
pub(super) fn way_of(entry: &RawEntry) -> Way {
    let Ok(head) = serde_json::from_slice::<Head>(&entry.payload) else { return Way::Stays };
    match head.kind.as_str() {
        "alarm_raised" | "alarm_cleared" | "alarm_acknowledged" => Way::Urgent,
        "record" | "annotation" | "deletion" | "file_missing" | "file_found" | "audit" | "contact_set"
        | "contact_removed" => Way::Goes,
        _ => Way::Stays,
    }
}

/// What an entry has beside its bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Sound {
    None,
    File(ItemFile),
    /// The entry names a file, and there is none any more: why.
    Gone(String),
    /// Its file is long, and being read: ask again.
    Later,
}

/// The file of a recording; it is gone if it was deleted or lost.
///
/// # Errors
/// A file that cannot be read now: that says nothing of what is in it.
pub(super) fn sound_of(entry: &RawEntry, data: &DataDir, hashes: &mut Hashes) -> io::Result<Sound> {
    let Some(path) = path_of(entry, data) else { return Ok(Sound::None) };
    match hashes.head_of(&path) {
        Ok(Some(head)) => Ok(Sound::File(ItemFile { path, head })),
        Ok(None) => Ok(Sound::Later),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Ok(Sound::Gone("the station has no file of it any more".to_owned()))
        }
        Err(error) => Err(error),
    }
}

/// Makes an entry ready to be offered.
pub(super) fn item_of(entry: RawEntry, covers_from: Option<u64>, sound: Sound) -> Item {
    let (file, unavailable) = match sound {
        Sound::None | Sound::Later => (None, None),
        Sound::File(file) => (Some(file), None),
        Sound::Gone(why) => (None, Some(why)),
    };
    Item {
        item: entry.sequence,
        written_us: entry.utc_us,
        layout: entry.layout,
        payload: Bytes::from(entry.payload),
        file,
        unavailable,
        covers_from,
    }
}

fn path_of(entry: &RawEntry, data: &DataDir) -> Option<PathBuf> {
    let head: Head = serde_json::from_slice(&entry.payload).ok()?;
    if head.kind != "record" {
        return None;
    }
    let record: RecordHead = serde_json::from_slice(&entry.payload).ok()?;
    data.recording(&record.body.file?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use catalog::{Body, Place};
    use sha2::{Digest, Sha256};
    use uplink::frame::AudioHead;

    fn entry(payload: &str) -> RawEntry {
        let place = Place { segment: 1, offset: 40 };
        RawEntry { sequence: 7, utc_us: 5, layout: 1, payload: payload.into(), place }
    }

    #[test]
    fn passwords_stay_and_so_does_what_is_not_known() {
        for kind in Body::KINDS.iter().chain(&["legal_hold"]) {
            let expected = match *kind {
                "account_set" | "account_removed" | "device_set" | "device_removed" | "department_set"
                | "department_removed" | "from_station" | "synchronised" | "legal_hold" => Way::Stays,
                alarm if alarm.starts_with("alarm_") => Way::Urgent,
                _ => Way::Goes,
            };
            assert_eq!(way_of(&entry(&format!("{{\"kind\":\"{kind}\",\"body\":{{}}}}"))), expected, "{kind}");
        }
        assert_eq!(way_of(&entry("not JSON")), Way::Stays);
    }

    #[test]
    fn a_recording_goes_with_its_file_and_only_with_one_below_recordings() {
        let dir = tempfile::tempdir().expect("a folder");
        let data = DataDir::open(dir.path()).expect("opens");
        let content = vec![7; 600_000];
        std::fs::write(dir.path().join("recordings/a.wav"), &content).expect("written");
        std::fs::write(dir.path().join("settings/box.toml"), "name = \"x\"").expect("written");
        let mut hashes = Hashes::new();
        let mut item = |kind: &str, file: &str| {
            let entry = entry(&format!("{{\"kind\":\"{kind}\",\"body\":{{\"file\":{file}}}}}"));
            let sound = sound_of(&entry, &data, &mut hashes).expect("looked at");
            item_of(entry, Some(5), sound)
        };
        let file = item("record", "\"recordings/a.wav\"").file.expect("a file");
        let sha256: String = Sha256::digest(&content).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(file.head, AudioHead { bytes: 600_000, sha256 });
        for (kind, file) in [
            ("record", "null"),
            ("record", "\"recordings/gone.wav\""),
            ("record", "\"settings/box.toml\""),
            ("record", "\"recordings/../settings/box.toml\""),
            ("record", "\"/etc/passwd\""),
            ("record", "7"),
            ("audit", "\"recordings/a.wav\""),
        ] {
            assert_eq!(item(kind, file).file, None, "{kind} {file}");
        }
        let lost = item("record", "\"recordings/gone.wav\"");
        assert!(lost.unavailable.is_some_and(|why| why.contains("no file")) && lost.covers_from == Some(5));
        assert_eq!(item("record", "null").unavailable, None, "it never had one");
    }
}
