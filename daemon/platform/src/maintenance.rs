//! Work on a platform's data folder while no platform runs on it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::Path;

use catalog::{AudioFilter, Body, Catalog, DeletedFilter, Options, Ranges, RecordQuery, Scope};
use recording::{DataDir, Reader};
use upkeep::identity::{self, Role};

use crate::error::PlatformError;
use crate::keeping;

/// Entries of the journal that are read at a time.
const ENTRIES: usize = 1000;

/// Makes the catalog again from the journal. Returns sentences on what was done.
pub fn reindex(path: &Path) -> Result<String, PlatformError> {
    let data = DataDir::open_existing(path)?;
    let serial = identity::serial(&data, Role::Platform)?;
    let (catalog, _) = Catalog::open(data.path(), Options::new(serial.as_str()))?;
    // What has no entry because a power cut came in between comes again from its station; it is no lost record.
    let entries = read_journal(&catalog)?.entries;
    let has = |serial: &str, item| entries.get(serial).is_some_and(|entries| entries.contains(item));
    let mut sentences = keeping::clear_up(&data, |_| true, has);
    drop(catalog);
    sentences.insert(0, catalog::reindex(data.path(), &serial)?.to_string());
    Ok(sentences.join("\n"))
}

/// Tests what must be true of a platform's data folder, every byte of audio included. Returns a sentence for each
/// finding: journal and catalog are sound; what has come of each station is in the journal; each recording that is not
/// deleted has its file, whole, and every file its entry.
pub fn check(path: &Path) -> Result<Vec<String>, PlatformError> {
    let data = DataDir::open_existing(path)?;
    let serial = identity::serial(&data, Role::Platform)?;
    let (catalog, report) = Catalog::open(data.path(), Options::new(serial))?;
    let mut findings = report.damage;
    let journal = read_journal(&catalog)?;
    for finding in catalog.check(&data)? {
        let file = finding.split(' ').next().unwrap_or_default();
        // Of entries that this release cannot read, or of one that was being kept when the power was cut.
        let expected = journal.unread_files.contains(file) || keeping::has_part(&data, file);
        if !expected && !findings.contains(&finding) {
            findings.push(finding);
        }
    }
    for (serial, entries) in &journal.entries {
        if catalog.arrived(serial)? != *entries {
            findings.push(format!("the catalog has other entries of {serial} than the journal"));
        }
    }
    check_files(&catalog, &data, &mut findings)?;
    Ok(findings)
}

struct Journal {
    /// Entries of each station.
    entries: BTreeMap<String, Ranges>,
    /// Files of entries that cannot be read.
    unread_files: BTreeSet<String>,
}

fn read_journal(catalog: &Catalog) -> Result<Journal, PlatformError> {
    let mut journal = Journal { entries: BTreeMap::new(), unread_files: BTreeSet::new() };
    let mut tail = catalog.journal_tail(1);
    loop {
        let entries = tail.read(ENTRIES)?;
        if entries.is_empty() {
            return Ok(journal);
        }
        for entry in entries {
            if let Ok(Body::FromStation(from)) = Body::from_payload(entry.layout, &entry.payload) {
                let first = from.covers_from.unwrap_or(from.entry).clamp(1, from.entry.max(1));
                journal.entries.entry(from.serial.clone()).or_default().insert_range(first, from.entry);
                if !matches!(from.body(), Some(Body::Record(_))) {
                    journal.unread_files.extend(from.file);
                }
            }
        }
    }
}

/// Each file is the recording that its record says.
fn check_files(catalog: &Catalog, data: &DataDir, findings: &mut Vec<String>) -> Result<(), PlatformError> {
    let everything =
        RecordQuery { audio: AudioFilter::With, deleted: DeletedFilter::No, ..RecordQuery::default() };
    let mut files = Vec::new();
    catalog.each_record(&Scope::everything(), &everything, &mut |row| {
        files.extend(row.file.map(|file| (row.id, file)));
        ControlFlow::Continue(())
    })?;
    for (id, file) in files {
        // A file that is gone has been told by the catalog's own check.
        let Some(path) = data.recording(&file).filter(|path| path.exists()) else { continue };
        let sound = Reader::open(&path).and_then(|reader| {
            reader.verify_audio()?;
            Ok(reader.facts().id == id)
        });
        match sound {
            Ok(true) => {}
            Ok(false) => {
                findings.push(format!("{file} is another record than {}:{}", id.serial, id.sequence))
            }
            Err(error) => findings.push(error.to_string()),
        }
    }
    Ok(())
}
