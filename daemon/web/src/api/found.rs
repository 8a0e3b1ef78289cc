//! Everything that a query finds: counted, deleted in steps, taken away as one archive (PF-05).

use std::sync::Arc;

use axum::extract::{RawQuery, Request, State};
use axum::response::Response;
use catalog::{
    Body as Entry, DeletedFilter, GroupBy, PageRequest, RecordQuery, RecordRow, Right, Scope, record_id_text,
};
use hyper::{HeaderMap, StatusCode};
use recording::RecordId;
use serde_json::{Value, json};

use super::download::zip_response;
use super::export::language_of;
use super::recordings::{delete_some, seconds};
use super::{Answer, json_answer};
use crate::app::App;
use crate::archive::Archive;
use crate::body::{self, FORM, JSON, media_type};
use crate::fields::Fields;
use crate::filters::record_query;
use crate::guard::{check_csrf, not_logged_in, right_missing};
use crate::jobs::{Job, State as JobState};
use crate::problem::{Code, Problem};
use crate::query::{Query, whole_of};
use crate::scope::{Part, scope_in};
use crate::session::Caller;
use crate::time;
use crate::trail::Trail;

/// Recordings that are looked at in a step.
const AT_ONCE: u32 = 200;
/// Recordings of one archive: its manifest is held in memory until the end.
const MOST_ARCHIVED: u64 = 20_000;

/// What was counted, by the entry of the journal that it was counted at: nothing that came since belongs to it.
fn counted(query: &mut Query) -> Result<(RecordQuery, Part), Problem> {
    let through = query.required("through", "the number that the count gave", whole_of)?;
    let (mut filters, part) = asked(query)?;
    filters.through_entry = Some(through);
    Ok((filters, part))
}

fn asked(query: &mut Query) -> Result<(RecordQuery, Part), Problem> {
    let mut filters = record_query(query)?;
    let part = Part::of(query)?;
    filters.stations = part.stations.clone();
    Ok((filters, part))
}

/// How many, and how long. Blocks.
fn tally(app: &App, scope: &Scope, filters: &RecordQuery) -> Result<(u64, u64), Problem> {
    let statistics = app.catalog().statistics(scope, filters, GroupBy::Month, app.zone())?;
    let total = statistics.totals.total();
    Ok((total.count, total.duration_ms))
}

pub async fn count_found(State(app): State<App>, caller: Caller, mut query: Query) -> Answer {
    let (mut filters, part) = asked(&mut query)?;
    query.finish()?;
    app.blocking(move |app| {
        // First, so that what is counted stands there already.
        let through = app.catalog().health().indexed_sequence;
        filters.through_entry = Some(through);
        let (count, duration_ms) = tally(app, &scope_in(app, &caller, &part)?, &filters)?;
        Ok(json_answer(&json!({
            "count": count,
            "duration_s": seconds(duration_ms),
            "through": through,
        })))
    })
    .await
}

pub async fn delete_found(
    State(app): State<App>,
    caller: Caller,
    RawQuery(text): RawQuery,
    mut query: Query,
    mut fields: Fields,
) -> Answer {
    let (mut filters, part) = counted(&mut query)?;
    query.finish()?;
    let count =
        fields.required("count", "a whole number from 1", |value| value.as_u64().filter(|n| *n > 0))?;
    fields.finish()?;
    filters.deleted = DeletedFilter::No;
    let job = app
        .blocking(move |app| {
            let (found, _) = tally(app, &scope_in(app, &caller, &part)?, &filters)?;
            let trail = Trail::of(&caller, "recording", "delete_found").with("query", text);
            let trail = trail.with("count", count);
            if found != count {
                let title = format!("{count} was typed, but the query finds {found} recordings.");
                let problem = Problem::new(Code::CountMismatch, title);
                let problem = problem.with("count", count).with("found", found);
                return trail.ended(app.catalog(), Err(problem));
            }
            let job = app.jobs.begin(&caller.account, count, time::now_us())?;
            trail.clone().with("job", job.id).ok(app.catalog())?;
            let app = app.clone();
            let begun = job.clone();
            tokio::runtime::Handle::current().spawn(delete_all(app, caller, begun, filters, part, trail));
            Ok(job)
        })
        .await?;
    let mut response = json_answer(&job_json(&app, &job));
    *response.status_mut() = StatusCode::ACCEPTED;
    Ok(response)
}

/// Deletes in steps until nothing is left, somebody stops it, or the account may not any more.
async fn delete_all(app: App, caller: Caller, job: Arc<Job>, filters: RecordQuery, part: Part, trail: Trail) {
    let mut after = None;
    let state = loop {
        if job.is_to_stop() {
            break JobState::Cancelled;
        }
        let (who, filters, part, running) = (caller.clone(), filters.clone(), part.clone(), job.clone());
        let step = move |app: &App| {
            // What the account may and sees now counts, not what it was when it began.
            let who = still_may(app, who)?;
            let scope = scope_in(app, &who, &part)?;
            let page = PageRequest { after, limit: AT_ONCE, count_up_to: 0 };
            let page = app.catalog().records(&scope, &filters, page)?;
            let ids: Vec<RecordId> = page.items.iter().map(|row| row.id.clone()).collect();
            if !ids.is_empty() {
                let (changed, refused) = delete_some(app, &who, &scope, &ids)?;
                running.moved(changed as u64, refused.len() as u64);
            }
            Ok(page.next)
        };
        match app.blocking(step).await {
            Ok(None) => break JobState::Done,
            Ok(next) => after = next,
            Err(problem) => {
                eprintln!("web: deleting what a query found stopped: {}", problem.title);
                break JobState::Failed(problem.code);
            }
        }
    };
    let count = |counter: &std::sync::atomic::AtomicU64| counter.load(std::sync::atomic::Ordering::Relaxed);
    let trail = trail.with("job", job.id).with("state", state.name());
    let trail = trail.with("changed", count(&job.changed)).with("refused", count(&job.refused));
    let written = app.blocking(move |app| match state {
        JobState::Failed(code) => Ok(app.catalog().audit(trail.refused(code))?),
        _ => trail.ok(app.catalog()),
    });
    if let Err(problem) = written.await {
        eprintln!("web: the end of job {} could not be written down: {}", job.id, problem.title);
    }
    // Over when its end is written down.
    job.end(state, time::now_us());
}

/// The caller as the account is now, also when its session has ended meanwhile. Blocks.
fn still_may(app: &App, mut caller: Caller) -> Result<Caller, Problem> {
    let account = app.catalog().account(&caller.account)?.map(|row| row.account);
    let account = account.filter(|account| !account.disabled).ok_or_else(not_logged_in)?;
    if !account.has(Right::Delete) {
        return Err(right_missing(Right::Delete));
    }
    caller.rights = account.known_rights();
    caller.department = account.department;
    Ok(caller)
}

pub async fn download_found(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    RawQuery(text): RawQuery,
    mut query: Query,
    request: Request,
) -> Answer {
    let language = language_of(&mut query, &caller)?;
    let (filters, part) = counted(&mut query)?;
    query.finish()?;
    check_form(&caller, &headers, request).await?;
    let place = app.turns.export().await?;
    let who = caller.clone();
    let rows = app.blocking(move |app| archived_rows(app, &who, &filters, &part, text)).await?;
    let now = time::in_zone(time::now_us(), app.zone());
    let archive = Archive::new(&app, &caller, rows, language, now.clone());
    Ok(zip_response(&app, archive, place, &now))
}

/// An empty JSON object with the token in the header, or a form with the token as a field.
async fn check_form(caller: &Caller, headers: &HeaderMap, request: Request) -> Result<(), Problem> {
    let kind = media_type(headers);
    let bytes = body::whole(request.into_body()).await?;
    match kind.as_str() {
        JSON => Fields::parse(&bytes)?.finish(),
        FORM => {
            let mut form = Query::parse(&String::from_utf8_lossy(&bytes));
            let token = form.one("csrf", "the token of the session", |text| Some(text.to_owned()))?;
            check_csrf(caller, &token.unwrap_or_default())?;
            form.finish()
        }
        _ => Err(body::wrong_media_type(FORM)),
    }
}

/// What goes into the archive, written down before the first byte leaves the box. Blocks.
fn archived_rows(
    app: &App,
    caller: &Caller,
    filters: &RecordQuery,
    part: &Part,
    text: Option<String>,
) -> Result<Vec<RecordRow>, Problem> {
    let scope = scope_in(app, caller, part)?;
    let (found, _) = tally(app, &scope, filters)?;
    let trail = Trail::of(caller, "recording", "archive").with("query", text).with("count", found);
    if found > MOST_ARCHIVED {
        let title = format!(
            "{found} recordings were found, and {MOST_ARCHIVED} at once are possible: narrow the query."
        );
        let problem = Problem::new(Code::TooManyFound, title);
        let problem = problem.with("found", found).with("most", MOST_ARCHIVED);
        return trail.ended(app.catalog(), Err(problem));
    }
    let (mut rows, mut after) = (Vec::new(), None);
    loop {
        let page = PageRequest { after, limit: AT_ONCE, count_up_to: 0 };
        let page = app.catalog().records(&scope, filters, page)?;
        let entries = page.items.iter().map(|row| {
            let trail = Trail::of(caller, "recording", "download").port(row.port);
            trail.with("id", record_id_text(&row.id).to_string()).with("zip_of", found).body()
        });
        let entries: Vec<Entry> = entries.collect();
        if !entries.is_empty() {
            app.catalog().append(entries)?;
        }
        rows.extend(page.items);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    trail.ok(app.catalog())?;
    Ok(rows)
}

fn job_json(app: &App, job: &Job) -> Value {
    let count = |counter: &std::sync::atomic::AtomicU64| counter.load(std::sync::atomic::Ordering::Relaxed);
    let state = job.state();
    let code = match state {
        JobState::Failed(code) => Some(code.name()),
        _ => None,
    };
    json!({
        "id": job.id.to_string(),
        "kind": "delete",
        "account": job.account,
        "state": state.name(),
        "done": count(&job.done),
        "total": job.total,
        "changed": count(&job.changed),
        "refused": count(&job.refused),
        "code": code,
        "started_at": time::in_zone(job.started_us, app.zone()),
        "finished_at": job.finished_us().map(|us| time::in_zone(us, app.zone())),
    })
}

pub async fn list_jobs(State(app): State<App>, caller: Caller, query: Query) -> Answer {
    query.finish()?;
    let items: Vec<Value> = app.jobs.of(&caller.account).iter().map(|job| job_json(&app, job)).collect();
    Ok(json_answer(&json!({ "items": items })))
}

/// The job an address names, if it is the caller's own.
fn job_of(app: &App, caller: &Caller, id: &str) -> Result<Arc<Job>, Problem> {
    let jobs = app.jobs.of(&caller.account);
    let job = jobs.into_iter().find(|job| job.id.to_string() == id);
    job.ok_or_else(|| Problem::not_found("job", id))
}

pub async fn get_job(
    State(app): State<App>,
    caller: Caller,
    axum::extract::Path(id): axum::extract::Path<String>,
    query: Query,
) -> Answer {
    query.finish()?;
    Ok(json_answer(&job_json(&app, &*job_of(&app, &caller, &id)?)))
}

pub async fn cancel_job(
    State(app): State<App>,
    caller: Caller,
    axum::extract::Path(id): axum::extract::Path<String>,
) -> Result<Response, Problem> {
    let job = job_of(&app, &caller, &id)?;
    job.cancel()?;
    Ok(json_answer(&job_json(&app, &job)))
}
