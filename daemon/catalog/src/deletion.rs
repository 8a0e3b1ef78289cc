//! Deletion of records: judged and written under one lock, in one piece with its lines in the audit trail. What has
//! been made permanent before is never deleted, however close together the two come.

use std::collections::HashSet;

use recording::RecordId;

use crate::audit::AuditEntry;
use crate::catalog::Catalog;
use crate::entry::{Body, Deletion};
use crate::error::Error;
use crate::record::{DeletionReason, Grade, RecordRow};
use crate::scope::Scope;
use crate::writing::CATALOG_MOMENT;

/// Why a record was not deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeletionRefusal {
    /// There is none of this number, or it lies outside the scope.
    NoRecord,
    /// It has been deleted before.
    Deleted,
    /// Its grade keeps it for ever (ST-10).
    Permanent,
}

/// What became of a wish to delete.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Deletions {
    /// The records as they were; their files are still there.
    pub deleted: Vec<RecordRow>,
    pub refused: Vec<(RecordId, DeletionRefusal)>,
}

impl Catalog {
    /// Marks records as deleted, those that may be; their facts stay. `trail` says what the audit trail is told of it.
    /// The files are removed by the caller, after this: `check` names those that a power cut in between left.
    ///
    /// # Errors
    /// `Behind`: the catalog does not show all that is known of the records; and those of `append`. Nothing was deleted.
    pub fn delete(
        &self,
        scope: &Scope,
        ids: &[RecordId],
        account: Option<&str>,
        reason: DeletionReason,
        trail: impl FnOnce(&Deletions) -> Vec<AuditEntry>,
    ) -> Result<Deletions, Error> {
        let _nobody_grades = self.inner.grading();
        if !self.wait_until_current(CATALOG_MOMENT) {
            return Err(Error::Behind);
        }
        let outcome = judged(self.records_by_id(scope, ids)?, ids);
        let deletion = |row: &RecordRow| {
            let (record, account) = (row.id.clone(), account.map(str::to_owned));
            Body::Deletion(Deletion { record, account, reason })
        };
        let mut bodies: Vec<Body> = outcome.deleted.iter().map(deletion).collect();
        bodies.extend(trail(&outcome).into_iter().map(Body::Audit));
        if !bodies.is_empty() {
            self.inner.store.append(bodies, true)?;
        }
        Ok(outcome)
    }
}

fn judged(rows: Vec<RecordRow>, ids: &[RecordId]) -> Deletions {
    let found: HashSet<RecordId> = rows.iter().map(|row| row.id.clone()).collect();
    let absent = ids.iter().filter(|id| !found.contains(id));
    let mut outcome = Deletions {
        deleted: Vec::with_capacity(rows.len()),
        refused: absent.map(|id| (id.clone(), DeletionRefusal::NoRecord)).collect(),
    };
    for row in rows {
        match (row.deleted.is_some(), row.grade) {
            (true, _) => outcome.refused.push((row.id, DeletionRefusal::Deleted)),
            (false, Grade::Permanent) => outcome.refused.push((row.id, DeletionRefusal::Permanent)),
            (false, _) => outcome.deleted.push(row),
        }
    }
    outcome
}
