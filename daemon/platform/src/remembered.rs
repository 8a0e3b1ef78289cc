//! What a station last said and did, kept over a restart of the platform in a file beside the journal. The journal does
//! not need it: without the file the pages show it when the station has come again.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use recording::write_atomically;
use serde::{Deserialize, Serialize};

/// Of one station; times are microseconds of UTC since 1970.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Remembered {
    pub address: Option<SocketAddr>,
    pub last_received_us: Option<i64>,
    pub last_synchronised_us: Option<i64>,
    pub release: Option<String>,
    pub own_name: Option<String>,
    pub disk_free_bytes: Option<u64>,
    pub disk_total_bytes: Option<u64>,
}

/// By serial number.
pub(crate) type All = BTreeMap<String, Remembered>;

/// Reads the file; one that is not there, or cannot be read, says nothing.
pub(crate) fn read(file: &Path) -> All {
    match std::fs::read(file) {
        Ok(bytes) => serde_json::from_slice(&bytes).unwrap_or_else(|error| {
            eprintln!("{}: {error}; when stations were last here is shown as they come", file.display());
            All::new()
        }),
        Err(_) => All::new(),
    }
}

/// Writes the file, not more often than it is of use.
pub(crate) struct Memory {
    file: PathBuf,
    written: All,
    next: Instant,
}

impl Memory {
    pub fn of(file: PathBuf) -> Self {
        Self { file, written: All::new(), next: Instant::now() }
    }

    /// Writes what is new, once in `every`. Waits for the disk.
    pub fn keep(&mut self, every: Duration, now: impl FnOnce() -> All) {
        if Instant::now() >= self.next {
            self.write(now());
            self.next = Instant::now() + every;
        }
    }

    /// Writes what is new.
    pub fn write(&mut self, now: All) {
        if now == self.written {
            return;
        }
        let text = serde_json::to_vec(&now).map_err(std::io::Error::from);
        match text.and_then(|text| write_atomically(&self.file, &text)) {
            Ok(()) => self.written = now,
            Err(error) => eprintln!("{}: {error}", self.file.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_what_is_damaged_says_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("stations.json");
        let one =
            Remembered { last_received_us: Some(5), release: Some("1".into()), ..Remembered::default() };
        let all = All::from([("A".to_owned(), one)]);
        let mut memory = Memory::of(file.clone());
        memory.keep(Duration::from_secs(600), || all.clone());
        assert_eq!(read(&file), all);
        memory.keep(Duration::from_secs(600), || panic!("it is not asked so soon"));
        memory.write(All::new());
        assert_eq!(read(&file), All::new());
        std::fs::write(&file, r#"{"A": {"release": "2", "later": 1}}"#).expect("written");
        assert_eq!(
            read(&file)["A"].release.as_deref(),
            Some("2"),
            "members of a newer release are passed over"
        );
        std::fs::write(&file, "{").expect("written");
        assert_eq!(read(&file), All::new());
    }
}
