//! The organisation tree (MG-07): departments with unique names and prefixes, none above itself, none removed while
//! something belongs to it.

use std::collections::{BTreeMap, BTreeSet};

use axum::extract::{Path, State};
use catalog::entry::Name;
use catalog::{Body, ContactQuery, Department, PageRequest, Scope};
use serde_json::{Value, json};

use super::{Answer, created, done, json_answer};
use crate::app::App;
use crate::fields::{Fields, Given};
use crate::problem::{Code, Problem};
use crate::query::Query;
use crate::scope::{check_department, manages, not_yours, scope_of};
use crate::session::Caller;
use crate::trail::Trail;

const NAME: &str = "1 to 64 letters, digits, blanks, or . _ - @ ( )";
const PREFIX: &str = "1 to 4 capital letters";
const CODE: &str = "null or 1 to 32 digits and capital letters";

/// A name that can be said, typed and put into an address.
fn name_of(value: &Value) -> Option<String> {
    let name = value.as_str()?;
    let plain = name.chars().all(|c| c.is_alphanumeric() || " ._-@()".contains(c));
    let good = (1..=64).contains(&name.chars().count()) && plain && name.contains(char::is_alphanumeric);
    (good && name.trim() == name).then(|| name.to_owned())
}

fn prefix_of(value: &Value) -> Option<String> {
    let prefix = value.as_str()?;
    let good = (1..=4).contains(&prefix.len()) && prefix.bytes().all(|byte| byte.is_ascii_uppercase());
    good.then(|| prefix.to_owned())
}

fn code_of(value: &Value) -> Option<String> {
    let code = value.as_str()?;
    let plain = code.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase());
    ((1..=32).contains(&code.len()) && plain).then(|| code.to_owned())
}

/// Departments with what belongs to each.
struct Tree {
    departments: BTreeMap<String, Department>,
    devices: BTreeMap<String, usize>,
    accounts: BTreeMap<String, usize>,
}

impl Tree {
    /// Blocks.
    fn read(app: &App) -> Result<Self, Problem> {
        let platform = app.platform()?;
        let (mut devices, mut accounts) = (BTreeMap::new(), BTreeMap::new());
        for now in platform.devices() {
            // Also a department that has only one port of a station is in use.
            let ports = now.device.ports.keys().map(|port| Some(*port));
            let now_us = platform.now_us();
            let places: BTreeSet<&str> = std::iter::once(None)
                .chain(ports)
                .filter_map(|port| now.device.department_at(port, now_us))
                .collect();
            for name in places {
                *devices.entry(name.to_owned()).or_default() += 1;
            }
        }
        for row in app.catalog().accounts()? {
            if let Some(name) = row.account.department {
                *accounts.entry(name).or_default() += 1;
            }
        }
        let departments = app.catalog().departments()?;
        let departments = departments.into_iter().map(|one| (one.name.clone(), one)).collect();
        Ok(Self { departments, devices, accounts })
    }

    /// Whether `name` is `above` or lies below it.
    fn lies_within(&self, name: &str, above: &str) -> bool {
        let mut at = Some(name);
        // No tree is deeper than it has departments; a ring from a damaged journal has an end all the same.
        for _ in 0..=self.departments.len() {
            match at {
                Some(here) if here == above => return true,
                Some(here) => {
                    at = self.departments.get(here).and_then(|department| department.parent.as_deref());
                }
                None => return false,
            }
        }
        true
    }

    fn children(&self, name: &str) -> usize {
        self.departments.values().filter(|one| one.parent.as_deref() == Some(name)).count()
    }

    fn json(&self, department: &Department, scope: &Scope) -> Value {
        let parent = department.parent.as_deref().filter(|parent| manages(scope, Some(parent)));
        json!({
            "name": department.name,
            "prefix": department.prefix,
            "parent": parent,
            "code": department.code,
            "devices": self.devices.get(&department.name).copied().unwrap_or(0),
            "accounts": self.accounts.get(&department.name).copied().unwrap_or(0),
        })
    }

    /// # Errors
    /// `department_exists`: the prefix, or in another case the name, is taken.
    fn check_free(&self, name: &str, prefix: &str) -> Result<(), Problem> {
        let taken = |field: &str, value: &str| {
            let title = format!("There is already a department with {field} {value}.");
            Err(Problem::new(Code::DepartmentExists, title).with("field", field).with("value", value))
        };
        let folded = name.to_lowercase();
        for one in self.departments.values() {
            if one.name != name && one.name.to_lowercase() == folded {
                return taken("name", name);
            }
            if one.name != name && one.prefix == prefix {
                return taken("prefix", prefix);
            }
        }
        Ok(())
    }
}

/// The department an address names, if it is the caller's or below.
fn found<'a>(tree: &'a Tree, scope: &Scope, name: &str) -> Result<&'a Department, Problem> {
    let department = tree.departments.get(name).filter(|one| manages(scope, Some(&one.name)));
    department.ok_or_else(|| Problem::not_found("department", name))
}

/// Nobody moves or removes the ground they stand on.
fn check_below(caller: &Caller, name: &str) -> Result<(), Problem> {
    match caller.department.as_deref() == Some(name) {
        true => Err(not_yours().with("name", name)),
        false => Ok(()),
    }
}

pub async fn list_departments(State(app): State<App>, caller: Caller, query: Query) -> Answer {
    query.finish()?;
    app.blocking(move |app| {
        let (tree, scope) = (Tree::read(app)?, scope_of(app, &caller)?);
        let own = tree.departments.values().filter(|one| manages(&scope, Some(&one.name)));
        let items: Vec<Value> = own.map(|one| tree.json(one, &scope)).collect();
        Ok(json_answer(&json!({ "items": items })))
    })
    .await
}

pub async fn create_department(State(app): State<App>, caller: Caller, mut fields: Fields) -> Answer {
    let department = Department {
        name: fields.required("name", NAME, |value| name_of(&value))?,
        prefix: fields.required("prefix", PREFIX, |value| prefix_of(&value))?,
        parent: given(fields.nullable_text("parent", 1..=64)?),
        code: given(fields.optional("code", CODE, |value| code_of(&value))?),
    };
    fields.finish()?;
    app.blocking(move |app| {
        let _one_at_a_time = app.one_at_a_time();
        let (tree, scope) = (Tree::read(app)?, scope_of(app, &caller)?);
        let trail = Trail::of(&caller, "department", "create").with("after", json!(department));
        let allowed = check_department(app, &scope, department.parent.as_deref()).and_then(|()| {
            if tree.departments.contains_key(&department.name) {
                let title = format!("There is already a department {}.", department.name);
                let problem = Problem::new(Code::DepartmentExists, title);
                return Err(problem.with("field", "name").with("value", department.name.as_str()));
            }
            tree.check_free(&department.name, &department.prefix)
        });
        if let Err(problem) = allowed {
            return trail.ended(app.catalog(), Err(problem));
        }
        let name = department.name.clone();
        app.catalog().append(vec![Body::DepartmentSet(department), trail.body()])?;
        app.tree_changed();
        department_answer(app, &caller, &name).map(|department| created(&department))
    })
    .await
}

fn given<T>(given: Given<T>) -> Option<T> {
    match given {
        Given::Value(value) => Some(value),
        Given::Absent | Given::Null => None,
    }
}

/// Blocks.
fn department_answer(app: &App, caller: &Caller, name: &str) -> Result<Value, Problem> {
    let (tree, scope) = (Tree::read(app)?, scope_of(app, caller)?);
    found(&tree, &scope, name).map(|department| tree.json(department, &scope))
}

pub async fn change_department(
    State(app): State<App>,
    caller: Caller,
    Path(name): Path<String>,
    mut fields: Fields,
) -> Answer {
    let prefix = fields.maybe("prefix", PREFIX, |value| prefix_of(&value))?;
    let parent = fields.nullable_text("parent", 1..=64)?;
    let code = fields.optional("code", CODE, |value| code_of(&value))?;
    fields.finish()?;
    if prefix.is_none() && parent == Given::Absent && code == Given::Absent {
        return Err(Problem::field_missing("prefix"));
    }
    app.blocking(move |app| {
        let _one_at_a_time = app.one_at_a_time();
        let (tree, scope) = (Tree::read(app)?, scope_of(app, &caller)?);
        let before = found(&tree, &scope, &name)?.clone();
        let mut after = before.clone();
        after.prefix = prefix.unwrap_or(after.prefix);
        match parent {
            Given::Absent => {}
            Given::Null => after.parent = None,
            Given::Value(parent) => after.parent = Some(parent),
        }
        match code {
            Given::Absent => {}
            Given::Null => after.code = None,
            Given::Value(code) => after.code = Some(code),
        }
        let trail = Trail::of(&caller, "department", "change").with("name", name.as_str());
        let trail = trail.with("before", json!(before)).with("after", json!(after));
        if let Err(problem) = may_change(app, &caller, &scope, &tree, &before, &after) {
            return trail.ended(app.catalog(), Err(problem));
        }
        app.catalog().append(vec![Body::DepartmentSet(after), trail.body()])?;
        app.tree_changed();
        department_answer(app, &caller, &name).map(|department| json_answer(&department))
    })
    .await
}

fn may_change(
    app: &App,
    caller: &Caller,
    scope: &Scope,
    tree: &Tree,
    before: &Department,
    after: &Department,
) -> Result<(), Problem> {
    tree.check_free(&after.name, &after.prefix)?;
    if after.parent == before.parent {
        return Ok(());
    }
    check_below(caller, &before.name)?;
    check_department(app, scope, after.parent.as_deref())?;
    match &after.parent {
        Some(parent) if tree.lies_within(parent, &before.name) => {
            let title = format!("{parent} lies below {}, and so cannot be above it.", before.name);
            Err(Problem::new(Code::DepartmentCycle, title)
                .with("name", before.name.as_str())
                .with("parent", parent.as_str()))
        }
        _ => Ok(()),
    }
}

pub async fn remove_department(State(app): State<App>, caller: Caller, Path(name): Path<String>) -> Answer {
    app.blocking(move |app| {
        let _one_at_a_time = app.one_at_a_time();
        let (tree, scope) = (Tree::read(app)?, scope_of(app, &caller)?);
        let before = found(&tree, &scope, &name)?.clone();
        let trail = Trail::of(&caller, "department", "delete").with("before", json!(before));
        let allowed = check_below(&caller, &name).and_then(|()| check_empty(app, &tree, &name));
        if let Err(problem) = allowed {
            return trail.ended(app.catalog(), Err(problem));
        }
        hand_past_on(app, &before)?;
        app.catalog().append(vec![Body::DepartmentRemoved(Name { name }), trail.body()])?;
        app.tree_changed();
        Ok(())
    })
    .await?;
    Ok(done())
}

fn check_empty(app: &App, tree: &Tree, name: &str) -> Result<(), Problem> {
    let devices = tree.devices.get(name).copied().unwrap_or(0);
    let accounts = tree.accounts.get(name).copied().unwrap_or(0);
    let departments = tree.children(name);
    let contacts = contacts_of(app, name)?;
    if devices + accounts + departments + contacts == 0 {
        return Ok(());
    }
    let title = format!(
        "{name} still has stations ({devices}), accounts ({accounts}), contacts ({contacts}) or departments below it \
         ({departments}): move them first."
    );
    Err(Problem::new(Code::DepartmentInUse, title)
        .with("name", name)
        .with("devices", devices)
        .with("accounts", accounts)
        .with("contacts", contacts)
        .with("departments", departments))
}

/// Contacts that would belong to nobody who can be asked.
fn contacts_of(app: &App, department: &str) -> Result<usize, Problem> {
    let query = ContactQuery { departments: Some([department.to_owned()].into()), ..ContactQuery::default() };
    let page = app.catalog().contacts(&Scope::everything(), &query, PageRequest::default())?;
    Ok(page.total.and_then(|total| usize::try_from(total).ok()).unwrap_or(0))
}

/// What belonged to a department that goes, at times that are past, belongs to the one above from then on.
fn hand_past_on(app: &App, gone: &Department) -> Result<(), Problem> {
    let platform = app.platform()?;
    for now in platform.devices() {
        let spans = now.device.departments.iter().chain(now.device.ports.values().flatten());
        if !spans.into_iter().any(|span| span.department.as_ref() == Some(&gone.name)) {
            continue;
        }
        let hand_on = |device: &mut catalog::Device| {
            let spans = device.departments.iter_mut().chain(device.ports.values_mut().flatten());
            for span in spans.filter(|span| span.department.as_ref() == Some(&gone.name)) {
                span.department = gone.parent.clone();
            }
        };
        platform.change_device(&now.device.serial, hand_on, |_, _| Vec::new())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tree(edges: &[(&str, Option<&str>)]) -> Tree {
        let department = |(name, parent): &(&str, Option<&str>)| {
            let one = Department {
                name: (*name).into(),
                prefix: name.to_uppercase(),
                parent: parent.map(str::to_owned),
                code: None,
            };
            (one.name.clone(), one)
        };
        let departments = edges.iter().map(department).collect();
        Tree { departments, devices: BTreeMap::new(), accounts: BTreeMap::new() }
    }

    #[test]
    fn what_lies_below_is_within() {
        let tree = tree(&[("a", None), ("b", Some("a")), ("c", Some("b")), ("d", None)]);
        assert!(tree.lies_within("c", "a") && tree.lies_within("a", "a"));
        assert!(!tree.lies_within("a", "c") && !tree.lies_within("d", "a"));
        assert_eq!(tree.children("a"), 1);
    }

    #[test]
    fn names_and_prefixes_are_taken_once() {
        let tree = tree(&[("a", None), ("b", None)]);
        assert!(tree.check_free("c", "C").is_ok() && tree.check_free("a", "A").is_ok());
        assert_eq!(tree.check_free("c", "B").expect_err("taken").params["field"], "prefix");
        assert_eq!(tree.check_free("B", "X").expect_err("taken").params["field"], "name");
    }

    #[test]
    fn names_prefixes_and_codes_are_plain() {
        for (good, text) in
            [(true, "North 1"), (true, "城中派出所"), (false, " a"), (false, ".."), (false, "a/b")]
        {
            assert_eq!(name_of(&json!(text)).is_some(), good, "{text}");
        }
        for (good, text) in
            [(true, "A"), (true, "ABCD"), (false, "ABCDE"), (false, "a"), (false, ""), (false, "Ä")]
        {
            assert_eq!(prefix_of(&json!(text)).is_some(), good, "{text}");
        }
        assert!(code_of(&json!("320100000000")).is_some() && code_of(&json!("32-1")).is_none());
    }

    proptest! {
        #[test]
        fn a_ring_has_an_end(parents in prop::collection::vec(0_usize..6, 6)) {
            let names = ["a", "b", "c", "d", "e", "f"];
            let edges: Vec<(&str, Option<&str>)> =
                names.iter().zip(&parents).map(|(name, parent)| (*name, Some(names[*parent]))).collect();
            let tree = tree(&edges);
            for name in names {
                let _ = tree.lies_within(name, "g");
            }
        }
    }
}
