//! Work on a data folder while no station runs on it.

use std::ops::ControlFlow;
use std::path::Path;

use catalog::{AudioFilter, Catalog, DeletedFilter, RecordQuery, Scope};
use recording::DataDir;
use recording::check::{Depth, Journalled};

use crate::error::StationError;
use crate::identity;

/// Makes the catalog again from journal and recordings, and mends what lies in the folder of recordings. Returns
/// sentences on what was done.
pub fn reindex(path: &Path) -> Result<String, StationError> {
    let data = DataDir::open_existing(path)?;
    let serial = identity::serial(&data)?;
    let report = catalog::reindex(data.path(), &serial)?;
    let (catalog, _) = Catalog::open(data.path(), catalog::Options::new(serial))?;
    let mended = recording::mend(&data, catalog.next_sequence(), deleted_files(&catalog)?)?;
    let mut sentences = vec![report.to_string()];
    sentences.extend(mended.removed.iter().map(|file| format!("{file} was left behind and is removed")));
    sentences.extend(
        mended.moved_away.iter().map(|file| format!("{file} is damaged and lies in recordings/damaged now")),
    );
    Ok(sentences.join("\n"))
}

/// Files that records had which are deleted.
pub(crate) fn deleted_files(catalog: &Catalog) -> Result<Vec<String>, catalog::Error> {
    let deleted =
        RecordQuery { audio: AudioFilter::All, deleted: DeletedFilter::Yes, ..RecordQuery::default() };
    let mut files = Vec::new();
    catalog.each_record(&Scope::everything(), &deleted, &mut |row| {
        files.extend(row.file);
        ControlFlow::Continue(())
    })?;
    Ok(files)
}

/// Tests the storage invariants, every byte of audio included. Returns a sentence for each that is broken.
pub fn check(path: &Path) -> Result<Vec<String>, StationError> {
    let data = DataDir::open_existing(path)?;
    let serial = identity::serial(&data)?;
    let (catalog, report) = Catalog::open(data.path(), catalog::Options::new(serial))?;
    let mut findings = report.damage;
    let files = recording::check::check(data.path(), journalled(&catalog)?, Depth::Audio)
        .map_err(|source| StationError::Check { path: path.to_owned(), source })?;
    findings.extend(files.violations.iter().map(ToString::to_string));
    findings.extend(catalog.check(&data)?);
    Ok(findings)
}

/// What the journal says of every record, in its order, by its catalog.
fn journalled(catalog: &Catalog) -> Result<Vec<Journalled>, StationError> {
    let everything =
        RecordQuery { audio: AudioFilter::All, deleted: DeletedFilter::All, ..RecordQuery::default() };
    let mut ids = Vec::new();
    catalog.each_record(&Scope::everything(), &everything, &mut |row| {
        ids.push(row.id);
        ControlFlow::Continue(())
    })?;
    ids.sort();
    let mut records = Vec::with_capacity(ids.len());
    for id in ids {
        if let Some(detail) = catalog.record(&Scope::everything(), &id)? {
            let (path, deleted) = (detail.row.file, detail.row.deleted.is_some());
            records.push(Journalled { facts: detail.facts, path, deleted });
        }
    }
    Ok(records)
}
