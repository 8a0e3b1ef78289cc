//! The people behind numbers.

use axum::extract::{Path, State};
use catalog::{Contact, Scope};
use serde_json::{Value, json};

use super::{Answer, created, done, json_answer, page_json, page_request};
use crate::app::App;
use crate::fields::Fields;
use crate::problem::{Code, Problem};
use crate::query::Query;
use crate::role::Role;
use crate::scope::{check_department, manages, not_yours, scope_of};
use crate::session::Caller;
use crate::trail::Trail;
use crate::view::may_read;

fn contact_json(contact: &Contact) -> Value {
    json!({
        "number": contact.number,
        "name": contact.name,
        "department": contact.department,
        "note": contact.note,
    })
}

pub async fn list_contacts(State(app): State<App>, caller: Caller, mut query: Query) -> Answer {
    let page = page_request(&mut query)?;
    let text = query.text("text", 1..=64)?;
    query.finish()?;
    let find = move |app: &App| {
        let scope = scope_of(app, &caller)?;
        Ok(app.catalog().contacts(&scope, text.as_deref(), page)?)
    };
    let page = app.blocking(find).await?;
    Ok(json_answer(&page_json(&page, contact_json)))
}

pub async fn create_contact(State(app): State<App>, caller: Caller, mut fields: Fields) -> Answer {
    let number = fields.required("number", "1 to 32 digits, or * # +", |value| {
        let number = value.as_str()?;
        let plain = number.bytes().all(|byte| byte.is_ascii_digit() || b"*#+".contains(&byte));
        ((1..=32).contains(&number.len()) && plain).then(|| number.to_owned())
    })?;
    let contact = Contact {
        number,
        name: fields.required_text("name", 1..=64)?,
        department: fields.text("department", 0..=64)?.unwrap_or_default(),
        note: fields.text("note", 0..=500)?.unwrap_or_default(),
    };
    fields.finish()?;
    let answer = contact_json(&contact);
    app.blocking(move |app| {
        let _one_at_a_time = app.one_at_a_time();
        if app.catalog().contact(&contact.number)?.is_some() {
            let title = format!("There is already a contact for {}.", contact.number);
            return Err(Problem::new(Code::ContactExists, title).with("number", contact.number));
        }
        may_keep(app, &caller, &contact)?;
        let trail = Trail::of(&caller, "contact", "create").with("after", contact_json(&contact));
        trail.ended(app.catalog(), app.catalog().set_contact(contact).map_err(Problem::from))
    })
    .await?;
    Ok(created(&answer))
}

pub async fn change_contact(
    State(app): State<App>,
    caller: Caller,
    Path(number): Path<String>,
    mut fields: Fields,
) -> Answer {
    let name = fields.text("name", 1..=64)?;
    let department = fields.text("department", 0..=64)?;
    let note = fields.text("note", 0..=500)?;
    fields.finish()?;
    if name.is_none() && department.is_none() && note.is_none() {
        return Err(Problem::field_missing("name"));
    }
    let contact = app
        .blocking(move |app| {
            let _one_at_a_time = app.one_at_a_time();
            let before = found(app, &caller, &number)?;
            let after = Contact {
                number,
                name: name.unwrap_or_else(|| before.name.clone()),
                department: department.unwrap_or_else(|| before.department.clone()),
                note: note.unwrap_or_else(|| before.note.clone()),
            };
            may_keep(app, &caller, &after)?;
            let trail = Trail::of(&caller, "contact", "change");
            let trail = trail.with("before", contact_json(&before)).with("after", contact_json(&after));
            let set = app.catalog().set_contact(after.clone()).map_err(Problem::from);
            trail.ended(app.catalog(), set.map(|()| after))
        })
        .await?;
    Ok(json_answer(&contact_json(&contact)))
}

pub async fn delete_contact(State(app): State<App>, caller: Caller, Path(number): Path<String>) -> Answer {
    app.blocking(move |app| {
        let _one_at_a_time = app.one_at_a_time();
        let before = found(app, &caller, &number)?;
        let trail = Trail::of(&caller, "contact", "delete").with("before", contact_json(&before));
        trail.ended(app.catalog(), app.catalog().remove_contact(&number).map_err(Problem::from))
    })
    .await?;
    Ok(done())
}

/// The contact an address names, if it is the caller's to change: one of no department is everybody's to read, and on a
/// platform for those of the whole tree to change.
fn found(app: &App, caller: &Caller, number: &str) -> Result<Contact, Problem> {
    let scope = scope_of(app, caller)?;
    let contact = app.catalog().contact(number)?.filter(|contact| may_read(&scope, contact));
    let contact = contact.ok_or_else(|| Problem::not_found("contact", number))?;
    check_own(&scope, &contact)?;
    Ok(contact)
}

fn check_own(scope: &Scope, contact: &Contact) -> Result<(), Problem> {
    let department = Some(contact.department.as_str()).filter(|name| !name.is_empty());
    if manages(scope, department) { Ok(()) } else { Err(not_yours().with("number", contact.number.as_str())) }
}

/// A contact of a platform belongs to a department of the caller's. On a station its department is a word.
fn may_keep(app: &App, caller: &Caller, contact: &Contact) -> Result<(), Problem> {
    if app.served.role() == Role::Station {
        return Ok(());
    }
    let department = Some(contact.department.as_str()).filter(|name| !name.is_empty());
    check_department(app, &scope_of(app, caller)?, department)
}
