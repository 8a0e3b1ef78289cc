//! What a caller may see. Every query is held to it, and every thing that an address names is looked for within it: what
//! lies outside is not there.

use std::collections::BTreeSet;

use catalog::Scope;

use crate::app::App;
use crate::problem::Problem;
use crate::query::Query;
use crate::session::Caller;

/// The part of the tree that a query asks for.
#[derive(Clone, Debug, Default)]
pub struct Part {
    /// Serial numbers; none: all.
    stations: BTreeSet<String>,
    department: Option<String>,
}

impl Part {
    /// `station` (repeatable) and `department`.
    pub fn of(query: &mut Query) -> Result<Self, Problem> {
        let stations = query.many("station", "a serial number", |text| {
            (1..=64).contains(&text.len()).then(|| text.to_owned())
        })?;
        Ok(Self { stations, department: query.text("department", 1..=64)? })
    }
}

/// What the caller may see. Blocks.
pub fn scope_of(_app: &App, _caller: &Caller) -> Result<Scope, Problem> {
    // On a station everybody who has the right sees every port.
    Ok(Scope::everything())
}

/// The part of it that a query asks for. Blocks.
///
/// # Errors
/// `not_found` for a department that is not there, or not the caller's.
pub fn scope_in(app: &App, caller: &Caller, part: &Part) -> Result<Scope, Problem> {
    let mut scope = scope_of(app, caller)?;
    if let Some(department) = &part.department {
        return Err(Problem::not_found("department", department));
    }
    if !part.stations.is_empty() {
        scope = scope.within_stations(&part.stations);
    }
    Ok(scope)
}
