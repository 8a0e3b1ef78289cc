//! What a caller may see and manage. Every query is held to it, and every thing that an address names is looked for
//! within it: what lies outside is not there.

use std::collections::BTreeSet;

use catalog::Scope;

use crate::app::App;
use crate::problem::{Code, Problem};
use crate::query::Query;
use crate::role::Served;
use crate::session::Caller;

/// The part of the tree that a query asks for.
#[derive(Clone, Debug, Default)]
pub struct Part {
    /// Serial numbers; none: all.
    pub stations: BTreeSet<String>,
    department: Option<String>,
}

impl Part {
    /// `station` (repeatable) and `department`.
    pub fn of(query: &mut Query) -> Result<Self, Problem> {
        let stations = query.many("station", "a serial number", |text| {
            (1..=64).contains(&text.len()).then(|| text.to_owned())
        })?;
        Ok(Self { stations, ..Self::department_only(query)? })
    }

    /// `department` alone, for lists of stations.
    pub fn department_only(query: &mut Query) -> Result<Self, Problem> {
        Ok(Self { stations: BTreeSet::new(), department: query.text("department", 1..=64)? })
    }
}

impl App {
    /// A station, a port or a department belongs elsewhere now: open sockets look whether they may go on.
    pub fn tree_changed(&self) {
        self.sessions.look_again();
    }
}

/// What the caller may see. On a station everybody who has the right sees every port. Blocks.
///
/// # Errors
/// When the catalog cannot be read.
pub fn scope_of(app: &App, caller: &Caller) -> Result<Scope, Problem> {
    match (&app.served, &caller.department) {
        (Served::Platform(_), Some(department)) => Ok(app.catalog().scope_of_department(department)?),
        (Served::Platform(_), None) | (Served::Station(_), _) => Ok(Scope::everything()),
    }
}

/// The part of it that a query asks for. Blocks.
///
/// # Errors
/// `not_found` for a department that is not there, or not the caller's.
pub fn scope_in(app: &App, caller: &Caller, part: &Part) -> Result<Scope, Problem> {
    let scope = scope_of(app, caller)?;
    match &part.department {
        None => Ok(scope),
        Some(department) => {
            check_department(app, &scope, Some(department))?;
            Ok(app.catalog().scope_of_department(department)?.with_contacts_of(&scope))
        }
    }
}

/// Whether what belongs to `department` (`None`: to nobody but those who see the whole tree) is the caller's to manage.
pub fn manages(scope: &Scope, department: Option<&str>) -> bool {
    scope.is_everything() || department.is_some_and(|name| scope.departments().allows(&name.to_owned()))
}

/// Where the caller would put something. Blocks.
///
/// # Errors
/// `not_found` for a department that is not there or not the caller's; `department_not_yours` for the top of the tree.
pub fn check_department(app: &App, scope: &Scope, department: Option<&str>) -> Result<(), Problem> {
    let Some(name) = department else {
        return if scope.is_everything() { Ok(()) } else { Err(not_yours()) };
    };
    let there = app.catalog().departments()?.iter().any(|one| one.name == name);
    if there && manages(scope, department) {
        return Ok(());
    }
    Err(Problem::not_found("department", name))
}

/// What is everybody's is for those who see the whole tree to change.
///
/// # Errors
/// `department_not_yours`.
pub fn check_whole(caller: &Caller) -> Result<(), Problem> {
    if caller.department.is_none() { Ok(()) } else { Err(not_yours()) }
}

pub fn not_yours() -> Problem {
    let title = "Only somebody of a department above can do that: ask there.";
    Problem::new(Code::DepartmentNotYours, title)
}
