//! The people behind numbers.

use axum::extract::{Path, State};

use super::{Answer, created, done, json_answer, page_json, page_request};
use crate::app::App;
use crate::contacts::{Asked, Filters, Judge, contact_json, contact_trail};
use crate::fields::Fields;
use crate::problem::Problem;
use crate::query::Query;
use crate::session::Caller;
use crate::trail::Trail;
use crate::view::View;

pub async fn list_contacts(State(app): State<App>, caller: Caller, mut query: Query) -> Answer {
    let page = page_request(&mut query)?;
    let filters = Filters::of(&mut query)?;
    query.finish()?;
    let find = move |app: &App| {
        let (scope, query) = filters.asked_by(app, &caller)?;
        let page = app.catalog().contacts(&scope, &query, page)?;
        let view = View::within(app, scope);
        Ok(json_answer(&page_json(&page, |contact| contact_json(contact, &view))))
    };
    app.blocking(find).await
}

pub async fn create_contact(State(app): State<App>, caller: Caller, mut fields: Fields) -> Answer {
    let number = fields.required("number", "text", |value| value.as_str().map(str::to_owned))?;
    let asked = Asked::of(&app, &mut fields)?;
    fields.finish()?;
    app.blocking(move |app| {
        let _one_at_a_time = app.one_at_a_time();
        let judge = Judge::of(app, &caller)?;
        let contact = judge.made(number.clone(), judge.known(&number)?.as_ref(), asked)?;
        let answer = created(&contact_json(&contact, &View::of(app, &caller)?));
        let trail = Trail::of(&caller, "contact", "create").with("after", contact_trail(&contact));
        let set = app.catalog().set_contact(contact).map_err(Problem::from);
        trail.ended(app.catalog(), set.map(|()| answer))
    })
    .await
}

pub async fn change_contact(
    State(app): State<App>,
    caller: Caller,
    Path(number): Path<String>,
    mut fields: Fields,
) -> Answer {
    let asked = Asked::of(&app, &mut fields)?;
    fields.finish()?;
    if asked.is_nothing() {
        return Err(Problem::field_missing("name"));
    }
    app.blocking(move |app| {
        let _one_at_a_time = app.one_at_a_time();
        let judge = Judge::of(app, &caller)?;
        let before = judge.found(&number)?;
        let after = judge.changed(&before, asked)?;
        let answer = json_answer(&contact_json(&after, &View::of(app, &caller)?));
        let trail = Trail::of(&caller, "contact", "change");
        let trail = trail.with("before", contact_trail(&before)).with("after", contact_trail(&after));
        let set = app.catalog().set_contact(after).map_err(Problem::from);
        trail.ended(app.catalog(), set.map(|()| answer))
    })
    .await
}

pub async fn delete_contact(State(app): State<App>, caller: Caller, Path(number): Path<String>) -> Answer {
    app.blocking(move |app| {
        let _one_at_a_time = app.one_at_a_time();
        let before = Judge::of(app, &caller)?.found(&number)?;
        let trail = Trail::of(&caller, "contact", "delete").with("before", contact_trail(&before));
        trail.ended(app.catalog(), app.catalog().remove_contact(&number).map_err(Problem::from))
    })
    .await?;
    Ok(done())
}
