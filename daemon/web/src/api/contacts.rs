//! The people behind numbers.

use axum::extract::{Path, State};
use catalog::{Contact, Scope};
use serde_json::{Value, json};

use super::{Answer, created, done, json_answer, page_json, page_request};
use crate::app::App;
use crate::fields::Fields;
use crate::problem::{Code, Problem};
use crate::query::Query;
use crate::session::Caller;
use crate::trail::Trail;

fn contact_json(contact: &Contact) -> Value {
    json!({
        "number": contact.number,
        "name": contact.name,
        "department": contact.department,
        "note": contact.note,
    })
}

pub async fn list_contacts(State(app): State<App>, mut query: Query) -> Answer {
    let page = page_request(&mut query)?;
    let text = query.text("text", 1..=64)?;
    query.finish()?;
    let page = app
        .blocking(move |app| Ok(app.catalog().contacts(&Scope::everything(), text.as_deref(), page)?))
        .await?;
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
            let before = found(app, &number)?;
            let after = Contact {
                number,
                name: name.unwrap_or_else(|| before.name.clone()),
                department: department.unwrap_or_else(|| before.department.clone()),
                note: note.unwrap_or_else(|| before.note.clone()),
            };
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
        let before = found(app, &number)?;
        let trail = Trail::of(&caller, "contact", "delete").with("before", contact_json(&before));
        trail.ended(app.catalog(), app.catalog().remove_contact(&number).map_err(Problem::from))
    })
    .await?;
    Ok(done())
}

fn found(app: &App, number: &str) -> Result<Contact, Problem> {
    app.catalog().contact(number)?.ok_or_else(|| Problem::not_found("contact", number))
}
