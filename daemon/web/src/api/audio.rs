//! Recordings as sound: to be heard, as the kept file, and as a waveform.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::response::Response;
use catalog::{Body as Entry, Change, RecordRow, record_id_text};
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Method, StatusCode};
use recording::{Reader, RecordId};
use serde_json::json;

use super::download::{content_disposition, file_name};
use super::recordings::{id_of, row_of};
use super::{Answer, json_answer};
use crate::app::App;
use crate::problem::{Code, Problem};
use crate::query::Query;
use crate::range::{Wanted, wanted};
use crate::session::Caller;
use crate::stream::{self, Pieces};
use crate::trail::Trail;
use crate::wav::{LinearWav, Mix};

/// Bytes made and sent at a time: two seconds of linear audio.
const PIECE_BYTES: usize = 32 * 1024;

/// The kept file of a recording.
///
/// # Errors
/// Why there is nothing to hear: `audio_absent`, `recording_deleted`, `file_missing`.
pub fn kept_file(app: &App, row: &RecordRow) -> Result<PathBuf, Problem> {
    let id = record_id_text(&row.id).to_string();
    if row.deleted.is_some() {
        return Err(Problem::new(Code::RecordingDeleted, format!("{id} has been deleted.")).with("id", id));
    }
    if let Some(reason) = row.unavailable.as_deref().filter(|_| row.file.is_none()) {
        let title = format!("The station has not sent the sound of {id}: have it fetched.");
        let problem = Problem::new(Code::AudioNotHere, title).with("id", id);
        return Err(problem.with("serial", row.id.serial.as_str()).with("reason", reason));
    }
    let Some(file) = row.file.as_deref() else {
        return Err(Problem::new(Code::AudioAbsent, format!("{id} was a call without audio.")).with("id", id));
    };
    app.served.data_dir().recording(file).filter(|path| path.is_file()).ok_or_else(|| {
        Problem::new(Code::FileMissing, format!("The file of {id} is not there: see the alarms."))
            .with("id", id)
    })
}

fn opened(app: &App, row: &RecordRow) -> Result<Reader, Problem> {
    Reader::open(kept_file(app, row)?).map_err(|error| unreadable(&row.id, &error))
}

fn unreadable(id: &RecordId, error: &dyn std::fmt::Display) -> Problem {
    let id = record_id_text(id).to_string();
    eprintln!("web: the file of {id} cannot be read: {error}");
    Problem::new(Code::FileMissing, format!("The file of {id} cannot be read: see the alarms."))
        .with("id", id)
}

struct WavPieces {
    wav: LinearWav,
    at: u64,
    end: u64,
}

impl Pieces for WavPieces {
    fn next(&mut self) -> Result<Bytes, Problem> {
        let most = (self.end - self.at).min(PIECE_BYTES as u64) as usize;
        let bytes = if most == 0 { Vec::new() } else { self.wav.read(self.at, most)? };
        self.at += bytes.len() as u64;
        Ok(bytes.into())
    }
}

struct FilePieces {
    file: File,
    at: u64,
    end: u64,
}

impl Pieces for FilePieces {
    fn next(&mut self) -> Result<Bytes, Problem> {
        let mut bytes = vec![0; (self.end - self.at).min(PIECE_BYTES as u64) as usize];
        let read = self.file.read_exact_at(&mut bytes, self.at);
        read.map_err(|error| Problem::storage("read the recording", error))?;
        self.at += bytes.len() as u64;
        Ok(bytes.into())
    }
}

/// Head of the answer, and the range of bytes that follow.
fn head(wanted: &Wanted, length: u64, etag: &str) -> (Response, std::ops::Range<u64>) {
    let mut response = Response::new(Body::empty());
    let range = match wanted {
        Wanted::All => 0..length,
        Wanted::Part(range) => {
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            let value = format!("bytes {}-{}/{length}", range.start, range.end - 1);
            put(&mut response, header::CONTENT_RANGE, &value);
            range.clone()
        }
    };
    put(&mut response, header::CONTENT_TYPE, "audio/wav");
    put(&mut response, header::ACCEPT_RANGES, "bytes");
    put(&mut response, header::ETAG, etag);
    put(&mut response, header::CONTENT_LENGTH, &(range.end - range.start).to_string());
    // Nothing is heard a second time without asking: each hearing stands in the audit trail (EV-03).
    put(&mut response, header::CACHE_CONTROL, "no-store");
    (response, range)
}

fn put(response: &mut Response, name: header::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

/// What the range says; a range outside says how long the file is. There is no 304: what a player kept would be heard
/// without a trace.
fn judged(headers: &HeaderMap, etag: &str, length: u64) -> Result<Wanted, Box<Response>> {
    wanted(headers, etag, length).map_err(|problem| {
        let mut response = axum::response::IntoResponse::into_response(problem);
        put(&mut response, header::CONTENT_RANGE, &format!("bytes */{length}"));
        Box::new(response)
    })
}

pub async fn recording_audio(
    State(app): State<App>,
    caller: Caller,
    method: Method,
    Path(id): Path<String>,
    headers: HeaderMap,
    mut query: Query,
) -> Answer {
    let mix = query.one("mix", "one of mono, tracks", |text| match text {
        "mono" => Some(Mix::Mono),
        "tracks" => Some(Mix::Tracks),
        _ => None,
    })?;
    query.finish()?;
    let (id, mix) = (id_of(&id)?, mix.unwrap_or(Mix::Mono));
    let who = caller.clone();
    let (row, reader) = app
        .blocking(move |app| {
            let row = row_of(app, &who, &id)?;
            let reader = opened(app, &row)?;
            Ok((row, reader))
        })
        .await?;
    let sha256 = reader.facts().audio_sha256.clone().unwrap_or_default();
    let etag = format!("\"{}-{}\"", sha256.get(..32).unwrap_or(&sha256), mix.name());
    let wav = LinearWav::new(reader, mix);
    let wanted = match judged(&headers, &etag, wav.length()) {
        Ok(wanted) => wanted,
        Err(response) => return Ok(*response),
    };
    let (mut response, range) = head(&wanted, wav.length(), &etag);
    if method == Method::HEAD {
        return Ok(response);
    }
    if app.plays.is_new(caller.key, &row.id, range.start == 0) {
        app.blocking(move |app| count_play(app, &caller, &row)).await?;
    }
    *response.body_mut() = stream::body(&app, WavPieces { wav, at: range.start, end: range.end });
    Ok(response)
}

/// The play and who played, written down before the first sample is heard.
fn count_play(app: &App, caller: &Caller, row: &RecordRow) -> Result<(), Problem> {
    let trail = Trail::of(caller, "recording", "play").port(row.port);
    let trail = trail.with("id", record_id_text(&row.id).to_string());
    let play = catalog::entry::Annotation {
        record: row.id.clone(),
        account: Some(caller.account.clone()),
        change: Change::Play,
    };
    app.catalog().append(vec![Entry::Annotation(play), trail.body()])?;
    Ok(())
}

pub async fn recording_file(
    State(app): State<App>,
    caller: Caller,
    method: Method,
    Path(id): Path<String>,
    headers: HeaderMap,
    query: Query,
) -> Answer {
    query.finish()?;
    let id = id_of(&id)?;
    let who = caller.clone();
    let (row, file, length) = app
        .blocking(move |app| {
            let row = row_of(app, &who, &id)?;
            let file = File::open(kept_file(app, &row)?).map_err(|error| unreadable(&row.id, &error))?;
            let length = file.metadata().map_err(|error| unreadable(&row.id, &error))?.len();
            Ok((row, file, length))
        })
        .await?;
    // A finished file never changes, and its name in the world is its id.
    let etag = format!("\"{}-{length}\"", record_id_text(&row.id));
    let wanted = match judged(&headers, &etag, length) {
        Ok(wanted) => wanted,
        Err(response) => return Ok(*response),
    };
    let (mut response, range) = head(&wanted, length, &etag);
    put(&mut response, header::CONTENT_DISPOSITION, &content_disposition(&file_name(&row)));
    if method == Method::HEAD {
        return Ok(response);
    }
    let trail = Trail::of(&caller, "recording", "download").port(row.port);
    let trail = trail.with("id", record_id_text(&row.id).to_string());
    app.blocking(move |app| trail.ok(app.catalog())).await?;
    *response.body_mut() = stream::body(&app, FilePieces { file, at: range.start, end: range.end });
    Ok(response)
}

pub async fn recording_peaks(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    query: Query,
) -> Answer {
    query.finish()?;
    let id = id_of(&id)?;
    app.blocking(move |app| {
        let row = row_of(app, &caller, &id)?;
        let rate_hz = opened(app, &row)?.facts().rate_hz;
        let peaks =
            recording::peaks::load(&kept_file(app, &row)?).map_err(|error| unreadable(&row.id, &error))?;
        Ok(json_answer(&json!({
            "samples_per_peak": peaks.samples_per_peak,
            "rate_hz": rate_hz,
            "tracks": peaks.tracks,
        })))
    })
    .await
}
