//! Recordings as things that are known: lists, one with all its facts, what people add, deletion, statistics.

use axum::extract::{Path, State};
use catalog::{
    Body, Change, DeletionRefusal, Deletions, Grade, GroupBy, RecordDetail, RecordRow, Scope, Tally,
    record_id_from_text, record_id_text,
};
use chrono_tz::Tz;
use line::CallType;
use recording::RecordId;
use serde_json::{Map, Value, json};

use super::{Answer, created, done, expected_names, json_answer, page_json, page_request};
use crate::app::App;
use crate::department_statistics::by_department;
use crate::fields::{Fields, Given};
use crate::filters::record_query;
use crate::problem::{Code, Problem};
use crate::query::{Query, whole_of};
use crate::scope::{Part, scope_in, scope_of};
use crate::session::Caller;
use crate::time;
use crate::trail::Trail;
use crate::view::View;

/// Recordings that one request may name.
pub const MOST_IDS: usize = 1000;

pub fn record_json(row: &RecordRow, view: &View) -> Value {
    Value::Object(record_members(row, view))
}

fn record_members(row: &RecordRow, view: &View) -> Map<String, Value> {
    let zone = view.zone;
    let tags: Vec<Value> = row.tags.iter().map(|tag| tag_json(tag, zone)).collect();
    let deleted = row.deleted.as_ref().map(|deleted| {
        json!({
            "time": time::in_zone(deleted.utc_us, zone),
            "account": deleted.account,
            "reason": deleted.reason.name(),
        })
    });
    let members = json!({
        "id": record_id_text(&row.id).to_string(),
        "serial": row.id.serial,
        "sequence": row.id.sequence,
        "sn": row.sn(),
        "call_id": row.call_id,
        "segment": row.segment,
        "port": row.port,
        "port_name": row.port_name,
        "port_contact": row.port_contact,
        "start": time::with_offset(row.start_us, row.offset_s),
        "clock_quality": row.clock_quality,
        "duration_s": seconds(row.duration_ms),
        "pre_roll_s": seconds(u64::from(row.pre_roll_ms)),
        "start_mode": row.start_mode.name(),
        "stop_mode": row.stop_mode.name(),
        "call_type": row.call_type.name(),
        "line_number": row.line_number,
        "peer_number": row.peer_number,
        "peer_name": row.peer_name,
        "caller": row.caller(),
        "callee": row.callee(),
        "line_contact": row.line_contact,
        "peer_contact": row.peer_contact,
        "has_audio": is_playable(row),
        "withheld": row.withheld,
        "tracks": if row.has_audio() { row.tracks } else { 0 },
        "codec": row.codec,
        "grade": row.grade.name(),
        "score": row.score,
        "note": row.note,
        "tags": tags,
        "play_count": row.play_count,
        "file_missing": row.file_missing,
        "deleted": deleted,
        "station_name": view.station_name(&row.id.serial),
        "not_here": row.unavailable.as_ref().filter(|_| row.file.is_none()),
    });
    match members {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

pub fn seconds(ms: u64) -> f64 {
    ms as f64 / 1000.0
}

fn is_playable(row: &RecordRow) -> bool {
    row.has_audio() && row.file.is_some() && row.deleted.is_none() && !row.file_missing
}

fn tag_json(tag: &catalog::Tag, zone: Tz) -> Value {
    json!({
        "id": tag.id.to_string(),
        "sample": tag.sample,
        "text": tag.text,
        "account": tag.account,
        "time": time::in_zone(tag.utc_us, zone),
    })
}

fn detail_json(detail: &RecordDetail, file_bytes: Option<u64>, view: &View) -> Value {
    let mut members = record_members(&detail.row, view);
    let facts = &detail.facts;
    let same_call: Vec<String> = detail.same_call.iter().map(|id| record_id_text(id).to_string()).collect();
    let file_name = is_playable(&detail.row).then(|| super::download::file_name(&detail.row));
    members.insert("rate_hz".into(), facts.rate_hz.into());
    members.insert("samples".into(), facts.samples.into());
    members.insert("pre_roll_samples".into(), facts.pre_roll_samples.into());
    members.insert("marks".into(), json!(facts.marks));
    members.insert("file_name".into(), file_name.into());
    members.insert("file_bytes".into(), file_bytes.into());
    members.insert("audio_sha256".into(), facts.audio_sha256.clone().into());
    members.insert("same_call".into(), same_call.into());
    Value::Object(members)
}

/// The recording an address names.
///
/// # Errors
/// `not_found`, also for what is no id.
pub fn id_of(text: &str) -> Result<RecordId, Problem> {
    record_id_from_text(text).ok_or_else(|| Problem::not_found("recording", text))
}

/// The row of a recording within the caller's scope. Blocks.
pub fn row_of(app: &App, caller: &Caller, id: &RecordId) -> Result<RecordRow, Problem> {
    let rows = app.catalog().records_by_id(&scope_of(app, caller)?, std::slice::from_ref(id))?;
    rows.into_iter().next().ok_or_else(|| Problem::not_found("recording", record_id_text(id)))
}

pub async fn list_recordings(State(app): State<App>, caller: Caller, mut query: Query) -> Answer {
    let page = page_request(&mut query)?;
    let mut filters = record_query(&mut query)?;
    let part = Part::of(&mut query)?;
    filters.stations = part.stations.clone();
    query.finish()?;
    app.blocking(move |app| {
        let scope = scope_in(app, &caller, &part)?;
        let (page, view) = (app.catalog().records(&scope, &filters, page)?, View::of(app, &caller)?);
        Ok(json_answer(&page_json(&page, |row| record_json(row, &view))))
    })
    .await
}

pub async fn get_recording(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    query: Query,
) -> Answer {
    query.finish()?;
    let id = id_of(&id)?;
    app.blocking(move |app| detail_answer(app, &caller, &id)).await
}

/// Blocks.
fn detail_answer(app: &App, caller: &Caller, id: &RecordId) -> Answer {
    let detail = app
        .catalog()
        .record(&scope_of(app, caller)?, id)?
        .ok_or_else(|| Problem::not_found("recording", record_id_text(id)))?;
    let path = detail.row.file.as_deref().and_then(|file| app.served.data_dir().recording(file));
    let file_bytes = path.and_then(|path| std::fs::metadata(path).ok()).map(|metadata| metadata.len());
    Ok(json_answer(&detail_json(&detail, file_bytes, &View::of(app, caller)?)))
}

fn grade_of(fields: &mut Fields) -> Result<Option<Grade>, Problem> {
    let expected = expected_names(Grade::ALL, Grade::name);
    fields.maybe("grade", &expected, |value| Grade::from_name(value.as_str()?))
}

pub async fn annotate_recording(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    mut fields: Fields,
) -> Answer {
    let grade = grade_of(&mut fields)?;
    let score = fields.optional("score", "null or a whole number from 1 to 10", |value| {
        value.as_u64().filter(|score| (1..=10).contains(score)).map(|score| score as u8)
    })?;
    let note = fields.nullable_text("note", 0..=2000)?;
    fields.finish()?;
    let mut changes: Vec<Change> = grade.map(Change::Grade).into_iter().collect();
    match score {
        Given::Absent => {}
        Given::Null => changes.push(Change::Score(None)),
        Given::Value(score) => changes.push(Change::Score(Some(score))),
    }
    match note {
        Given::Absent => {}
        Given::Null => changes.push(Change::Note(None)),
        Given::Value(note) => changes.push(Change::Note(Some(note).filter(|note| !note.is_empty()))),
    }
    if changes.is_empty() {
        return Err(Problem::field_missing("grade"));
    }
    let id = id_of(&id)?;
    app.blocking(move |app| {
        let row = row_of(app, &caller, &id)?;
        let bodies = changes.into_iter().flat_map(|change| annotation(&caller, &row, change)).collect();
        app.catalog().append(bodies)?;
        detail_answer(app, &caller, &id)
    })
    .await
}

/// The change of a record and its line in the audit trail, written together.
fn annotation(caller: &Caller, row: &RecordRow, change: Change) -> [Body; 2] {
    let trail = Trail::of(caller, "recording", "annotate").port(row.port);
    let trail = trail.with("id", record_id_text(&row.id).to_string()).with("change", json!(change));
    let account = Some(caller.account.clone());
    [Body::Annotation(catalog::entry::Annotation { record: row.id.clone(), account, change }), trail.body()]
}

pub async fn add_tag(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    mut fields: Fields,
) -> Answer {
    let sample = fields.required("sample", "a whole number from 0", |value| value.as_u64())?;
    let text = fields.required_text("text", 1..=100)?;
    fields.finish()?;
    let id = id_of(&id)?;
    let tag = app
        .blocking(move |app| {
            let detail = app.catalog().record(&scope_of(app, &caller)?, &id)?;
            let detail = detail.ok_or_else(|| Problem::not_found("recording", record_id_text(&id)))?;
            if sample > detail.facts.samples {
                let expected = format!("a whole number from 0 to {}", detail.facts.samples);
                return Err(Problem::field_invalid("sample", &expected));
            }
            let trail = Trail::of(&caller, "recording", "tag_add").port(detail.row.port);
            let trail = trail.with("id", record_id_text(&id).to_string()).with("text", text.as_str());
            let tag = app.catalog().add_tag(&id, Some(&caller.account), sample, &text);
            trail.with("sample", sample).ended(app.catalog(), tag.map_err(Problem::from))
        })
        .await?;
    Ok(created(&tag_json(&tag, app.zone())))
}

pub async fn remove_tag(
    State(app): State<App>,
    caller: Caller,
    Path((id, tag)): Path<(String, String)>,
) -> Answer {
    let id = id_of(&id)?;
    let number = whole_of(&tag).ok_or_else(|| Problem::not_found("tag", &tag))?;
    app.blocking(move |app| {
        let row = row_of(app, &caller, &id)?;
        let text = row.tags.iter().find(|tag| tag.id == number).map(|tag| tag.text.clone());
        let text = text.ok_or_else(|| Problem::not_found("tag", number))?;
        let trail = Trail::of(&caller, "recording", "tag_remove").port(row.port);
        let trail = trail.with("id", record_id_text(&id).to_string()).with("text", text);
        let removed = app.catalog().annotate(&id, Some(&caller.account), Change::TagRemove { tag: number });
        trail.ended(app.catalog(), removed.map(|_| ()).map_err(Problem::from))
    })
    .await?;
    Ok(done())
}

pub async fn list_tag_texts(State(app): State<App>, caller: Caller, query: Query) -> Answer {
    query.finish()?;
    let texts = app.blocking(move |app| Ok(app.catalog().tag_texts(&scope_of(app, &caller)?, 200)?)).await?;
    let items: Vec<Value> = texts.iter().map(|tag| json!({ "text": tag.text, "count": tag.count })).collect();
    Ok(json_answer(&json!({ "items": items })))
}

/// `ids` of a request's body.
pub fn ids_of(fields: &mut Fields) -> Result<Vec<RecordId>, Problem> {
    fields.list("ids", "ids of recordings", MOST_IDS, |value| record_id_from_text(value.as_str()?))
}

/// Rows of `ids`, and those that are not there. Blocks.
pub fn rows_of(
    app: &App,
    caller: &Caller,
    ids: &[RecordId],
) -> Result<(Vec<RecordRow>, Vec<RecordId>), Problem> {
    let rows = app.catalog().records_by_id(&scope_of(app, caller)?, ids)?;
    let found: std::collections::HashSet<&RecordId> = rows.iter().map(|row| &row.id).collect();
    let absent = ids.iter().filter(|id| !found.contains(id)).cloned().collect();
    Ok((rows, absent))
}

fn many_json(changed: usize, refused: &[(RecordId, Code)]) -> Value {
    let refused: Vec<Value> = refused
        .iter()
        .map(|(id, code)| json!({ "id": record_id_text(id).to_string(), "code": code.name() }))
        .collect();
    json!({ "changed": changed, "refused": refused })
}

pub async fn grade_recordings(State(app): State<App>, caller: Caller, mut fields: Fields) -> Answer {
    let ids = ids_of(&mut fields)?;
    let grade = grade_of(&mut fields)?.ok_or_else(|| Problem::field_missing("grade"))?;
    fields.finish()?;
    let answer = app.blocking(move |app| {
        let (rows, absent) = rows_of(app, &caller, &ids)?;
        let bodies: Vec<Body> =
            rows.iter().flat_map(|row| annotation(&caller, row, Change::Grade(grade))).collect();
        if !bodies.is_empty() {
            app.catalog().append(bodies)?;
        }
        let refused: Vec<_> = absent.into_iter().map(|id| (id, Code::NotFound)).collect();
        Ok(many_json(rows.len(), &refused))
    });
    Ok(json_answer(&answer.await?))
}

pub async fn delete_recordings(State(app): State<App>, caller: Caller, mut fields: Fields) -> Answer {
    let ids = ids_of(&mut fields)?;
    let count = fields.required("count", "a whole number from 1", |value| value.as_u64())?;
    fields.finish()?;
    if count != ids.len() as u64 {
        let title = format!("{count} was typed, but {} recordings are chosen.", ids.len());
        return Err(Problem::new(Code::CountMismatch, title).with("count", count).with("ids", ids.len()));
    }
    let answer = app.blocking(move |app| {
        let scope = scope_of(app, &caller)?;
        match delete_some(app, &caller, &scope, &ids) {
            Ok((deleted, refused)) => Ok(many_json(deleted, &refused)),
            Err(problem) => {
                let trail = Trail::of(&caller, "recording", "delete").with("count", count);
                trail.ended(app.catalog(), Err(problem))
            }
        }
    });
    Ok(json_answer(&answer.await?))
}

/// Deletes those that may be, each with its line in the audit trail: how many, and why not the others. Blocks.
pub fn delete_some(
    app: &App,
    caller: &Caller,
    scope: &Scope,
    ids: &[RecordId],
) -> Result<(usize, Vec<(RecordId, Code)>), Problem> {
    let of =
        |id: &RecordId| Trail::of(caller, "recording", "delete").with("id", record_id_text(id).to_string());
    let trail = |outcome: &Deletions| {
        let deleted = outcome.deleted.iter().map(|row| of(&row.id).port(row.port).entry());
        let refused = outcome.refused.iter().map(|(id, why)| of(id).refused(refusal_code(*why)));
        deleted.chain(refused).collect()
    };
    let outcome = app.served.delete_recordings(scope, ids, &caller.account, trail)?;
    let refused = outcome.refused.into_iter().map(|(id, why)| (id, refusal_code(why))).collect();
    Ok((outcome.deleted.len(), refused))
}

fn refusal_code(why: DeletionRefusal) -> Code {
    match why {
        DeletionRefusal::NoRecord => Code::NotFound,
        DeletionRefusal::Deleted => Code::RecordingDeleted,
        DeletionRefusal::Permanent => Code::RecordingPermanent,
    }
}

pub async fn recording_statistics(State(app): State<App>, caller: Caller, mut query: Query) -> Answer {
    let names = "one of hour, day, month, port, station, station_port, department";
    let (by, name) = query.required("by", names, |text| match text {
        "hour" => Some((Some(GroupBy::Hour), "hour")),
        "day" => Some((Some(GroupBy::Day), "day")),
        "month" => Some((Some(GroupBy::Month), "month")),
        "port" => Some((Some(GroupBy::Port), "port")),
        "station" => Some((Some(GroupBy::Station), "station")),
        "station_port" => Some((Some(GroupBy::StationPort), "station_port")),
        "department" => Some((None, "department")),
        _ => None,
    })?;
    let mut filters = record_query(&mut query)?;
    let part = Part::of(&mut query)?;
    filters.stations = part.stations.clone();
    query.finish()?;
    app.blocking(move |app| {
        let scope = scope_in(app, &caller, &part)?;
        let statistics = match by {
            Some(by) => app.catalog().statistics(&scope, &filters, by, app.zone())?,
            None => by_department(app, &scope, &filters)?,
        };
        let view = View::of(app, &caller)?;
        let rows: Vec<Value> = statistics
            .rows
            .iter()
            .map(|(key, totals)| {
                let name = match by {
                    Some(GroupBy::Station) => view.station_name(key),
                    Some(GroupBy::StationPort) => {
                        key.rsplit_once(':').and_then(|(serial, _)| view.station_name(serial))
                    }
                    _ => None,
                };
                json!({ "key": key, "name": name, "totals": totals_json(totals) })
            })
            .collect();
        Ok(json_answer(&json!({ "by": name, "rows": rows, "totals": totals_json(&statistics.totals) })))
    })
    .await
}

fn totals_json(totals: &catalog::CallTotals) -> Value {
    let tally = |tally: Tally| json!({ "count": tally.count, "duration_s": seconds(tally.duration_ms) });
    let mut totals = totals.clone();
    let mut members: Map<String, Value> =
        CallType::ALL.iter().map(|of| (of.name().to_owned(), tally(*totals.of(*of)))).collect();
    members.insert("total".into(), tally(totals.total()));
    Value::Object(members)
}
