//! Work on a data folder while no station runs on it.

use std::path::Path;

use catalog::Catalog;
use recording::DataDir;

use crate::error::StationError;
use crate::identity;

/// Makes the catalog again from journal and recordings. Returns a sentence on what was done.
pub fn reindex(path: &Path) -> Result<String, StationError> {
    let data = DataDir::open_existing(path)?;
    let serial = identity::serial(&data)?;
    let report = catalog::reindex(data.path(), &serial)?;
    Ok(report.to_string())
}

/// Tests the storage invariants. Returns a sentence for each that is broken.
pub fn check(path: &Path) -> Result<Vec<String>, StationError> {
    let data = DataDir::open_existing(path)?;
    let serial = identity::serial(&data)?;
    let (catalog, report) = Catalog::open(data.path(), catalog::Options::new(serial))?;
    let mut findings = report.damage;
    findings.extend(recording::check(&data)?.iter().map(ToString::to_string));
    findings.extend(catalog.check(&data)?);
    Ok(findings)
}
