//! Many recordings as one ZIP: who asks for which, and the names of files that leave the box.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use catalog::{Body as Entry, RecordRow, record_id_from_text, record_id_text};
use hyper::HeaderMap;
use hyper::header::{self, HeaderValue};
use recording::RecordId;

use super::Answer;
use super::export::language_of;
use super::recordings::{MOST_IDS, ids_of, rows_of};
use crate::app::App;
use crate::archive::Archive;
use crate::body::{self, FORM, JSON, media_type};
use crate::fields::Fields;
use crate::guard::check_csrf;
use crate::problem::Problem;
use crate::query::Query;
use crate::session::Caller;
use crate::stream;
use crate::time;
use crate::trail::Trail;
use crate::turns::Place;

/// `caller-callee-time.wav`; by line and peer where the direction is unknown.
pub fn file_name(row: &RecordRow) -> String {
    let (first, second) = match (row.caller(), row.callee()) {
        (None, None) => (row.line_number.as_deref(), row.peer_number.as_deref()),
        by_direction => by_direction,
    };
    let part = |number: Option<&str>| match number {
        Some(number) if !number.is_empty() => plain(number),
        _ => "unknown".to_owned(),
    };
    let start = time::for_people(row.start_us, row.offset_s).replace(['-', ':'], "").replace(' ', "_");
    format!("{}-{}-{start}.wav", part(first), part(second))
}

/// Only what every file system takes; the rest is `_`.
fn plain(number: &str) -> String {
    number.chars().take(40).map(|c| if c.is_ascii_alphanumeric() || c == '+' { c } else { '_' }).collect()
}

pub fn content_disposition(file_name: &str) -> String {
    format!("attachment; filename=\"{file_name}\"")
}

pub async fn download_recordings(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    mut query: Query,
    request: Request,
) -> Answer {
    let language = language_of(&mut query, &caller)?;
    query.finish()?;
    let ids = asked_ids(&caller, &headers, request).await?;
    let place = app.turns.export().await?;
    let who = caller.clone();
    let rows = app
        .blocking(move |app| {
            let (rows, absent) = rows_of(app, &who, &ids)?;
            if let Some(id) = absent.first() {
                return Err(Problem::not_found("recording", record_id_text(id)));
            }
            let entries = rows.iter().map(|row| {
                let trail = Trail::of(&who, "recording", "download").port(row.port);
                trail.with("id", record_id_text(&row.id).to_string()).with("zip_of", rows.len()).body()
            });
            // Written down before the first byte leaves the box.
            let entries: Vec<Entry> = entries.collect();
            app.catalog().append(entries)?;
            Ok(rows)
        })
        .await?;
    let now = time::in_zone(time::now_us(), app.zone());
    let archive = Archive::new(&app, &caller, rows, language, now.clone());
    Ok(zip_response(&app, archive, place, &now))
}

/// `now`: RFC 3339, for the name of the file.
pub fn zip_response(app: &App, archive: Archive, place: Place, now: &str) -> Response {
    let moment = now.get(..19).unwrap_or(now).replace([':', '-'], "").replace('T', "_");
    let mut response = Response::new(stream::export(app, archive, place));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/zip"));
    if let Ok(value) = HeaderValue::from_str(&content_disposition(&format!("recordings-{moment}.zip"))) {
        headers.insert(header::CONTENT_DISPOSITION, value);
    }
    response
}

/// Ids from JSON, or from a form with the CSRF token as a field of its own.
async fn asked_ids(
    caller: &Caller,
    headers: &HeaderMap,
    request: Request<Body>,
) -> Result<Vec<RecordId>, Problem> {
    let kind = media_type(headers);
    let bytes = body::whole(request.into_body()).await?;
    if kind == JSON {
        let mut fields = Fields::parse(&bytes)?;
        let ids = ids_of(&mut fields)?;
        fields.finish()?;
        return Ok(ids);
    }
    if kind != FORM {
        return Err(body::wrong_media_type(JSON));
    }
    let mut form = Query::parse(&String::from_utf8_lossy(&bytes));
    let token = form.one("csrf", "the token of the session", |text| Some(text.to_owned()))?;
    check_csrf(caller, &token.unwrap_or_default())?;
    let expected = format!("1 to {MOST_IDS} ids of recordings");
    let ids: Vec<RecordId> = form.many("ids", &expected, record_id_from_text)?;
    form.finish()?;
    let different: std::collections::HashSet<&RecordId> = ids.iter().collect();
    if ids.is_empty() || ids.len() > MOST_IDS || different.len() != ids.len() {
        return Err(Problem::field_invalid("ids", &expected));
    }
    Ok(ids)
}
