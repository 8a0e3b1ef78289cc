//! Which entries of the journal go up to the platform, and how one is made ready: with the file of a recording, its size
//! and its SHA-256.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use catalog::RawEntry;
use recording::DataDir;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use uplink::frame::AudioHead;
use uplink::station_end::{Item, ItemFile};

/// Read at a time while a file is hashed.
const PIECE_BYTES: usize = 256 * 1024;

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

/// Makes an entry ready to be offered. A recording whose file is not there, because it was deleted or lost, is offered
/// without one; a file that cannot be read is told.
pub(super) fn item_of(entry: RawEntry, covers_from: Option<u64>, data: &DataDir) -> Item {
    let (file, unavailable) = match path_of(&entry, data) {
        None => (None, None),
        Some(path) => match head_of(&path) {
            Ok(head) => (Some(ItemFile { path, head }), None),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                (None, Some("the station has no file of it any more".to_owned()))
            }
            Err(error) => {
                eprintln!("{}: it cannot be read for the platform: {error}", path.display());
                (None, Some(format!("the station cannot read its file: {error}")))
            }
        },
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

/// Size and SHA-256 of a file, whole.
fn head_of(path: &Path) -> io::Result<AudioHead> {
    let mut file = File::open(path)?;
    let (mut hash, mut bytes, mut piece) = (Sha256::new(), 0, vec![0; PIECE_BYTES]);
    loop {
        match file.read(&mut piece)? {
            0 => break,
            count => {
                hash.update(&piece[..count]);
                bytes += count as u64;
            }
        }
    }
    let sha256 = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(AudioHead { bytes, sha256 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use catalog::{Body, Place};

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
        let item = |kind: &str, file: &str| {
            item_of(entry(&format!("{{\"kind\":\"{kind}\",\"body\":{{\"file\":{file}}}}}")), Some(5), &data)
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
