//! What a department sees: its own stations and ports and those of the departments below it, each for the time that it
//! belonged to them.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};

use crate::catalog::Catalog;
use crate::device::{Department, Device, Since};
use crate::error::Error;
use crate::index::stations;
use crate::scope::{Grant, Only, Scope};

/// Scopes that were put together before, until a device or a department changes.
#[derive(Default)]
pub(crate) struct DepartmentScopes(Mutex<Held>);

#[derive(Default)]
struct Held {
    /// The last change that they know.
    organisation: i64,
    of_department: HashMap<String, Scope>,
}

impl Catalog {
    /// What belongs, or belonged, to a department or one below it. One that is not there sees nothing.
    pub fn scope_of_department(&self, name: &str) -> Result<Scope, Error> {
        let pool = &self.inner.pool;
        let held = &self.inner.departments.0;
        let now = pool.read("look for changes of departments", stations::organisation)?;
        {
            let mut held = held.lock().unwrap_or_else(PoisonError::into_inner);
            if held.organisation != now {
                *held = Held { organisation: now, ..Held::default() };
            }
            if let Some(scope) = held.of_department.get(name) {
                return Ok(scope.clone());
            }
        }
        let (organisation, devices, departments) = pool.read("read the departments", |sql| {
            Ok((stations::organisation(sql)?, stations::devices(sql)?, stations::departments(sql)?))
        })?;
        let scope = scope_of(&devices, &departments, name);
        let mut held = held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.organisation == organisation {
            held.of_department.insert(name.to_owned(), scope.clone());
        }
        Ok(scope)
    }
}

fn scope_of(devices: &[Device], departments: &[Department], name: &str) -> Scope {
    let tree = with_those_below(departments, name);
    let mut grants = Vec::new();
    for device in devices {
        let except: BTreeSet<u16> = device.ports.keys().copied().collect();
        for (from_us, to_us) in times(&device.departments, &tree) {
            let of_station = Grant::of_station(&device.serial);
            grants.push(Grant { except: except.clone(), from_us, to_us, ..of_station });
        }
        for (port, departments) in &device.ports {
            for (from_us, to_us) in times(departments, &tree) {
                let ports = Only::These([*port].into());
                grants.push(Grant { ports, from_us, to_us, ..Grant::of_station(&device.serial) });
            }
        }
    }
    Scope::of(grants, Only::These(tree))
}

/// A department and those below it; none if it is not there.
fn with_those_below(departments: &[Department], name: &str) -> BTreeSet<String> {
    let mut below: HashMap<&str, Vec<&str>> = HashMap::new();
    for department in departments {
        if let Some(parent) = &department.parent {
            below.entry(parent).or_default().push(&department.name);
        }
    }
    let mut found = BTreeSet::new();
    let mut open: Vec<&str> =
        departments.iter().map(|one| one.name.as_str()).filter(|one| *one == name).collect();
    while let Some(one) = open.pop() {
        // What goes round in a circle is met once.
        if found.insert(one.to_owned()) {
            open.extend(below.get(one).into_iter().flatten());
        }
    }
    found
}

/// The spans of time for which a thing belongs to one of the departments, as `Device::department_at` has it.
fn times(since: &[Since], departments: &BTreeSet<String>) -> Vec<(i64, i64)> {
    let begins: BTreeSet<i64> = since.iter().map(|one| one.from_us).collect();
    let ends = begins.iter().copied().skip(1).chain([i64::MAX]);
    let theirs = |us: &i64| {
        let held = since.iter().rev().find(|one| one.from_us <= *us);
        held.and_then(|one| one.department.as_ref()).is_some_and(|name| departments.contains(name))
    };
    begins.iter().copied().zip(ends).filter(|(from_us, _)| theirs(from_us)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proptest::sample::select;

    const DEPARTMENTS: [&str; 5] = ["city", "east", "west", "harbour", "desk"];

    fn department() -> impl Strategy<Value = Option<String>> {
        prop::option::of(select(&DEPARTMENTS[..]).prop_map(str::to_owned))
    }

    fn since() -> impl Strategy<Value = Vec<Since>> {
        let one = (-5i64..40, department()).prop_map(|(from_us, department)| Since { from_us, department });
        prop::collection::vec(one, 0..4).prop_map(|mut all| {
            all.sort_by_key(|one| one.from_us);
            all
        })
    }

    proptest! {
        #[test]
        fn a_department_sees_what_belongs_to_it_or_to_one_below(
            parents in prop::collection::vec(department(), 5),
            station in since(), port in prop::option::of(since()), of in select(&DEPARTMENTS[..]),
        ) {
            let departments: Vec<Department> = DEPARTMENTS.iter().zip(parents).map(|(name, parent)| Department {
                name: (*name).into(), prefix: String::new(), parent, code: None,
            }).collect();
            let mut device = Device::new("S");
            device.departments = station;
            device.ports.extend(port.map(|port| (2, port)));
            let scope = scope_of(std::slice::from_ref(&device), &departments, of);
            let below = |name: &str| {
                let mut at = Some(name.to_owned());
                // Upwards, no further than there are departments.
                (0..=DEPARTMENTS.len()).any(|_| {
                    let here = at.clone();
                    at = departments.iter().find(|one| Some(&one.name) == here.as_ref()).and_then(|one| one.parent.clone());
                    here.as_deref() == Some(of)
                })
            };
            for us in -10..50 {
                for port in [1, 2] {
                    let theirs = device.department_at(Some(port), us).is_some_and(below);
                    prop_assert_eq!(scope.allows_record("S", port, us), theirs, "port {} at {}", port, us);
                }
            }
            let Only::These(seen) = scope.departments() else { panic!("a department has a limit") };
            prop_assert!(DEPARTMENTS.iter().all(|name| seen.contains(*name) == below(name)));
            prop_assert!(!scope.allows_record("T", 1, 0) && !scope.is_everything());
        }
    }
}
