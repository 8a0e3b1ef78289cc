//! How far each address has been told, and how its last sending went: `DIR/mail.json`. A restart goes on from here, so
//! that nothing is told twice, and nothing is left out.

use std::io;
use std::path::{Path, PathBuf};

use recording::write_atomically;
use serde::{Deserialize, Serialize};

use crate::smtp::Failure;

line::names! {
    /// What a message is about.
    Kind { Alarms = "alarms", Summary = "summary", Test = "test" }
}

/// One address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recipient {
    pub address: String,
    /// It knows of alarms up to this entry of the journal.
    pub told: u64,
    /// It knows of everything up to then by daily summaries, microseconds of UTC.
    pub summarised_us: i64,
    /// `None`: nothing was sent yet.
    pub last: Option<Last>,
    /// No message but tests has reached it since then.
    pub failing: Option<Failing>,
}

/// An address that mail does not reach.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failing {
    /// Microseconds of UTC.
    pub since_us: i64,
    /// Why the last try failed.
    pub failure: Failure,
}

/// The last sending to an address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Last {
    pub utc_us: i64,
    pub kind: Kind,
    /// Why it failed; `None`: the server took it.
    pub failure: Option<Failure>,
}

#[derive(Default, Serialize, Deserialize)]
struct OnDisk {
    recipients: Vec<Recipient>,
}

/// All addresses, in the order of the settings.
#[derive(Debug)]
pub struct Progress {
    file: PathBuf,
    pub recipients: Vec<Recipient>,
    /// What the disk has.
    written: Vec<Recipient>,
    refused: bool,
}

impl Progress {
    /// What the file says. One that cannot be read is told on the console; everybody is then told of what comes.
    pub fn load(file: &Path) -> Self {
        let read = std::fs::read(file).and_then(|bytes| {
            serde_json::from_slice::<OnDisk>(&bytes).map_err(|error| io::Error::other(error.to_string()))
        });
        let recipients = match read {
            Ok(on_disk) => on_disk.recipients,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => {
                eprintln!("{}: {error}; e-mail goes on with what happens from now on", file.display());
                Vec::new()
            }
        };
        Self { file: file.to_owned(), written: recipients.clone(), recipients, refused: false }
    }

    /// These addresses and no others; one that is new knows of everything up to now.
    pub fn keep(&mut self, addresses: &[String], journal_end: u64, summarised_us: i64) {
        let known = std::mem::take(&mut self.recipients);
        let of = |address: &String| {
            let found = known.iter().find(|one| one.address.eq_ignore_ascii_case(address)).cloned();
            let fresh = Recipient {
                address: address.clone(),
                told: journal_end,
                summarised_us,
                last: None,
                failing: None,
            };
            Recipient { address: address.clone(), ..found.unwrap_or(fresh) }
        };
        self.recipients = addresses.iter().map(of).collect();
    }

    /// The entry up to which everybody has been told.
    pub fn told(&self) -> Option<u64> {
        self.recipients.iter().map(|one| one.told).min()
    }

    /// Writes what has changed; a disk that refuses is told once, and tried again with the next change.
    pub fn write(&mut self) {
        if self.recipients == self.written {
            return;
        }
        let text = serde_json::to_vec_pretty(&OnDisk { recipients: self.recipients.clone() });
        match text.map_err(io::Error::other).and_then(|text| write_atomically(&self.file, &text)) {
            Ok(()) => {
                self.written.clone_from(&self.recipients);
                self.refused = false;
            }
            Err(error) => {
                if !self.refused {
                    eprintln!("{}: {error}; e-mail may be sent twice after a restart", self.file.display());
                }
                self.refused = true;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_told_is_known_after_a_restart_and_new_addresses_begin_now() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("mail.json");
        let mut progress = Progress::load(&file);
        let addresses = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        progress.keep(&addresses(&["a@b.c"]), 7, 70);
        progress.write();
        let mut again = Progress::load(&file);
        again.keep(&addresses(&["new@b.c", "A@b.c"]), 9, 90);
        let told: Vec<_> = again.recipients.iter().map(|one| (one.told, one.summarised_us)).collect();
        assert_eq!(told, [(9, 90), (7, 70)]);
        assert_eq!(again.told(), Some(7));
    }

    #[test]
    fn a_damaged_file_keeps_nobody_from_mail() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("mail.json");
        std::fs::write(&file, "{").expect("written");
        let mut progress = Progress::load(&file);
        progress.keep(&["a@b.c".to_owned()], 7, 70);
        progress.write();
        assert_eq!(Progress::load(&file).recipients.len(), 1);
    }
}
