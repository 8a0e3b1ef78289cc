//! Work on a data folder while no station runs on it.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use catalog::{
    AlarmCode, AlarmKey, AlarmQuery, AlarmState, AudioFilter, Catalog, DeletedFilter, RecordQuery, Scope,
};
use recording::DataDir;
use recording::check::{Depth, Journalled};
use serde_json::json;
use upkeep::alarm_states::alarm_keys;
use upkeep::deletions::deleted_files;
use upkeep::params;

use crate::error::StationError;
use crate::identity::{self, Role};

/// A catalog that has just been made again follows at once; one that fails is told by its own alarm.
const CATALOG_FOLLOWS: Duration = Duration::from_secs(10);

/// Makes the catalog again from journal and recordings, and mends what lies in the folder of recordings. Returns
/// sentences on what was done.
pub fn reindex(path: &Path) -> Result<String, StationError> {
    let data = DataDir::open_existing(path)?;
    let serial = identity::serial(&data, Role::Station)?;
    let report = catalog::reindex(data.path(), &serial)?;
    let (catalog, _) = Catalog::open(data.path(), catalog::Options::new(serial))?;
    end_damage_alarms(&catalog)?;
    let mended = recording::mend(&data, catalog.next_sequence(), deleted_files(&catalog)?)?;
    let mut sentences = vec![report.to_string()];
    sentences.extend(mended.removed.iter().map(|file| format!("{file} was left behind and is removed")));
    sentences.extend(
        mended.moved_away.iter().map(|file| format!("{file} is damaged and lies in recordings/damaged now")),
    );
    Ok(sentences.join("\n"))
}

/// What can be had back of damaged entries is back: their alarms are over. Damage that no station has told yet goes
/// into the history at once, so that the next start does not tell it as new.
fn end_damage_alarms(catalog: &Catalog) -> Result<(), catalog::Error> {
    let codes: BTreeSet<String> = [AlarmCode::JournalDamaged.name().to_owned()].into();
    let told = alarm_keys(
        catalog,
        &AlarmQuery { state: AlarmState::All, codes: codes.clone(), ..AlarmQuery::default() },
    )?;
    for loss in catalog.health().losses {
        let key = AlarmKey::of_thing(AlarmCode::JournalDamaged, loss.place);
        if !told.contains(&key) {
            catalog.raise(&key, params(json!({"detail": loss.sentence})))?;
        }
    }
    if !catalog.wait_until_current(CATALOG_FOLLOWS) {
        return Ok(());
    }
    for key in alarm_keys(catalog, &AlarmQuery { codes, ..AlarmQuery::default() })? {
        catalog.clear(&key)?;
    }
    Ok(())
}

/// Tests the storage invariants, every byte of audio included. Returns a sentence for each that is broken.
pub fn check(path: &Path) -> Result<Vec<String>, StationError> {
    let data = DataDir::open_existing(path)?;
    let serial = identity::serial(&data, Role::Station)?;
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
