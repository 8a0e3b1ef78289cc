//! Journal, catalog and recording files held against each other: `reindex` makes them agree again, `check` only tells.

use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::path::Path;
use std::time::Duration;

use recording::{DataDir, Reader, RecordId};

use crate::catalog::{Catalog, Options};
use crate::entry::{Body, Record, RecordRef};
use crate::error::Error;
use crate::index::apply::unsigned;
use crate::index::{rows, schema, tallies};
use crate::journal::JournalReader;
use crate::record::record_id_text;
use crate::scope::Only;

/// Under `recordings`: what the recording room could not read and set aside.
const DAMAGED: &str = "recordings/damaged";
/// Entries that are written together.
const GROUP_ENTRIES: usize = 1000;

/// What a reindex found and did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reindexed {
    /// Records in the catalog now.
    pub records: u64,
    /// Recordings that the journal did not know: their facts were added to it.
    pub added: u64,
    /// Recordings whose file is gone: marked.
    pub missing: u64,
    /// Recordings marked before whose file is there again.
    pub found: u64,
    /// One sentence for each thing that somebody should look at.
    pub findings: Vec<String>,
}

impl fmt::Display for Reindexed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "{} records in the catalog; {} added from their files, {} without their file, {} found again",
            self.records, self.added, self.missing, self.found
        )?;
        self.findings.iter().try_for_each(|finding| write!(out, "\n{finding}"))
    }
}

/// Makes the catalog of a data folder again, from its journal and its recording files: the caller holds its lock, and
/// no station runs on it. What the journal lacks is added to it, so that the next time finds nothing to do.
pub fn reindex(root: &Path, serial: &str) -> Result<Reindexed, Error> {
    schema::remove(&root.join("catalog.sqlite"))?;
    let (catalog, report) = Catalog::open(root, Options::new(serial))?;
    while !catalog.wait_until_current(Duration::from_secs(60)) {
        if let Some(why) = catalog.health().failing {
            return Err(Error::Rebuild { why });
        }
    }
    let mut done = Reindexed { findings: report.damage, ..Reindexed::default() };
    for damage in catalog.health().damage {
        if !done.findings.contains(&damage) {
            done.findings.push(damage);
        }
    }
    let compared = catalog.compare(root)?;
    let mut bodies = Vec::new();
    for path in &compared.unknown {
        match Reader::open(root.join(path)) {
            Ok(reader) => {
                let facts = reader.facts().clone();
                match catalog.file_of(&facts.id)? {
                    Some(other) => done.findings.push(format!(
                        "{path} is record {}, whose file is {}",
                        record_id_text(&facts.id),
                        other.as_deref().unwrap_or("none")
                    )),
                    None => bodies.push(Body::Record(Record { facts, file: Some(path.clone()) })),
                }
            }
            Err(error) => done.findings.push(format!("{path} is not a whole recording: {error}")),
        }
    }
    done.added = bodies.len() as u64;
    done.missing = compared.missing.len() as u64;
    done.found = compared.found.len() as u64;
    bodies.extend(compared.missing.into_iter().map(|record| Body::FileMissing(RecordRef { record })));
    bodies.extend(compared.found.into_iter().map(|record| Body::FileFound(RecordRef { record })));
    done.findings
        .extend(compared.left_over.iter().map(|path| format!("{path} belongs to a deleted recording")));
    for group in bodies.chunks(GROUP_ENTRIES) {
        catalog.append(group.to_vec())?;
    }
    done.findings.extend(catalog.holes()?);
    done.records = catalog.inner.pool.read("count records", |sql| {
        sql.query_row("SELECT count(*) FROM record", [], |row| row.get(0).map(unsigned))
    })?;
    Ok(done)
}

/// Recording files against the catalog.
#[derive(Debug, Default)]
struct Compared {
    /// Files that no record names.
    unknown: Vec<String>,
    /// Records not deleted whose file is gone, and not marked so.
    missing: Vec<RecordId>,
    /// Records marked as missing whose file is there.
    found: Vec<RecordId>,
    /// Files of deleted records.
    left_over: Vec<String>,
}

struct Known {
    id: RecordId,
    missing: bool,
    deleted: bool,
}

impl Catalog {
    /// Tests what must be true of journal, catalog and files together. One sentence for each finding:
    /// every frame of the journal is whole and follows the one before; the catalog is sound and shows all of the
    /// journal; records are numbered without a hole; each recording has its file, each file its record, and no deleted
    /// recording a file.
    pub fn check(&self, data: &DataDir) -> Result<Vec<String>, Error> {
        let mut reader = JournalReader::open(&self.inner.journal_folder, 1)?;
        while reader.next_segment()?.is_some() {}
        let mut findings: Vec<String> = reader.damage.iter().map(ToString::to_string).collect();
        if !self.wait_until_current(Duration::from_secs(600)) {
            let why = self.health().failing.unwrap_or_else(|| "it is too slow".into());
            findings.push(format!("the catalog does not show all of the journal: {why}"));
            return Ok(findings);
        }
        let sound: Vec<String> = self.inner.pool.read("check itself", |sql| {
            sql.prepare("PRAGMA integrity_check")?.query_map([], |row| row.get(0))?.collect()
        })?;
        findings.extend(
            sound.into_iter().filter(|line| line != "ok").map(|line| format!("catalog.sqlite: {line}")),
        );
        let wrong_sums = self.inner.pool.read("check its sums", tallies::differing)?;
        if wrong_sums > 0 {
            findings.push(format!(
                "catalog.sqlite: the sums of {wrong_sums} ports are not those of their records: reindex makes them again"
            ));
        }
        findings.extend(self.holes()?);
        let compared = self.compare(data.path())?;
        findings.extend(compared.unknown.iter().map(|path| format!("{path} has no record")));
        findings.extend(
            compared.missing.iter().map(|id| format!("record {} has lost its file", record_id_text(id))),
        );
        findings.extend(
            compared
                .found
                .iter()
                .map(|id| format!("record {} is marked as lost and has its file", record_id_text(id))),
        );
        findings
            .extend(compared.left_over.iter().map(|path| format!("{path} belongs to a deleted recording")));
        Ok(findings)
    }

    /// Numbers that this box's records leave out.
    fn holes(&self) -> Result<Vec<String>, Error> {
        let serial = &self.inner.serial;
        let gaps: Vec<(i64, i64)> = self.inner.pool.read("look for holes", |sql| {
            let sql_text = "SELECT before + 1, sequence - 1 FROM (
                     SELECT sequence, lag(sequence, 1, 0) OVER (ORDER BY sequence) AS before
                     FROM record WHERE station = (SELECT id FROM station WHERE serial = ?1))
                 WHERE sequence > before + 1";
            sql.prepare(sql_text)?.query_map([serial], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
        })?;
        Ok(gaps
            .iter()
            .map(|(first, last)| format!("records {serial}:{first} to {last} are missing"))
            .collect())
    }

    /// The file of a record: outer `None` without such a record.
    fn file_of(&self, id: &RecordId) -> Result<Option<Option<String>>, Error> {
        self.inner.pool.read("look for a record", |sql| {
            let Some(found) = rows::locate(sql, id)? else { return Ok(None) };
            Ok(rows::fetch(sql, &[found.key], &Only::All)?.pop().map(|row| row.file))
        })
    }

    fn compare(&self, root: &Path) -> Result<Compared, Error> {
        let mut known: HashMap<String, Known> = self.inner.pool.read("list the files of records", |sql| {
            let sql_text = "SELECT r.file, st.serial, r.sequence, r.file_missing, d.key IS NOT NULL
                 FROM record r JOIN station st ON st.id = r.station LEFT JOIN deletion d ON d.key = r.key
                 WHERE r.file IS NOT NULL";
            sql.prepare(sql_text)?
                .query_map([], |row| {
                    let id = RecordId { serial: row.get(1)?, sequence: unsigned(row.get(2)?) };
                    Ok((row.get(0)?, Known { id, missing: row.get(3)?, deleted: row.get(4)? }))
                })?
                .collect()
        })?;
        let mut compared = Compared::default();
        walk(root, "recordings", &mut |path| match known.remove(&path) {
            None => compared.unknown.push(path),
            Some(record) if record.deleted => compared.left_over.push(path),
            Some(record) if record.missing => compared.found.push(record.id),
            Some(_) => {}
        })?;
        let lost = known.into_values().filter(|record| !record.deleted && !record.missing);
        compared.missing = lost.map(|record| record.id).collect();
        compared.missing.sort();
        compared.unknown.sort();
        compared.found.sort();
        compared.left_over.sort();
        Ok(compared)
    }
}

/// Tells each recording file below a folder, relative to the data folder with `/`.
fn walk(root: &Path, folder: &str, each: &mut dyn FnMut(String)) -> Result<(), Error> {
    let path = root.join(folder);
    let listing = match fs::read_dir(&path) {
        Ok(listing) => listing,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Error::io("list", path)(error)),
    };
    for item in listing {
        let item = item.map_err(Error::io("list", &path))?;
        // A name that is no text is none that a recording ever had.
        let Ok(name) = item.file_name().into_string() else { continue };
        let below = format!("{folder}/{name}");
        let kind = item.file_type().map_err(Error::io("look at", item.path()))?;
        if kind.is_dir() && below != DAMAGED {
            walk(root, &below, each)?;
        } else if kind.is_file() && name.ends_with(".wav") {
            each(below);
        }
    }
    Ok(())
}
