//! A ZIP of recordings, made while it is sent, with a manifest by which each file can be checked.

use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::io::{Read, Write};
use std::mem;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Bytes;
use catalog::{RecordRow, record_id_text};
use chrono::{DateTime, Datelike, Timelike};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use zip::write::{SimpleFileOptions, StreamWriter, ZipWriter};

use crate::api::audio::kept_file;
use crate::api::download::file_name;
use crate::api::recordings::seconds;
use crate::app::App;
use crate::problem::Problem;
use crate::random::to_hex;
use crate::session::Caller;
use crate::stream::Pieces;
use crate::table::csv_line;
use crate::time;
use crate::words::{Language, TableWords};

/// Bytes made and sent at a time.
const PIECE_BYTES: usize = 64 * 1024;

/// What the ZIP writer has made and nobody has taken yet.
#[derive(Clone, Default)]
struct Tray(Arc<Mutex<Vec<u8>>>);

impl Tray {
    fn take(&self) -> Vec<u8> {
        mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn length(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

impl Write for Tray {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A recording's line in the manifest.
struct Line {
    row: RecordRow,
    file: Option<String>,
    bytes: u64,
    file_sha256: Option<String>,
    audio_sha256: Option<String>,
    /// Error code of what is not in the archive.
    problem: Option<&'static str>,
}

/// The file that is being copied into the archive.
struct Open {
    file: File,
    hash: Sha256,
    line: Line,
}

/// The archive, made piece by piece.
pub struct Archive {
    app: App,
    serial: String,
    made_by: String,
    made_at: String,
    language: Language,
    tray: Tray,
    /// `None` when the archive is complete.
    zip: Option<ZipWriter<StreamWriter<Tray>>>,
    waiting: VecDeque<RecordRow>,
    open: Option<Open>,
    lines: Vec<Line>,
    /// How often a name was given out.
    names: HashMap<String, u32>,
}

impl Archive {
    pub fn new(
        app: &App,
        caller: &Caller,
        rows: Vec<RecordRow>,
        language: Language,
        made_at: String,
    ) -> Self {
        let tray = Tray::default();
        Self {
            app: app.clone(),
            serial: app.served.info().serial,
            made_by: caller.account.clone(),
            made_at,
            language,
            zip: Some(ZipWriter::new_stream(tray.clone())),
            tray,
            waiting: rows.into(),
            open: None,
            lines: Vec::new(),
            names: HashMap::new(),
        }
    }

    /// Equal names get a suffix.
    fn name_for(&mut self, row: &RecordRow) -> String {
        let name = file_name(row);
        let count = self.names.entry(name.clone()).or_default();
        *count += 1;
        match (*count, name.strip_suffix(".wav")) {
            (1, _) | (_, None) => name,
            (count, Some(stem)) => format!("{stem}-{count}.wav"),
        }
    }

    /// One step of work; the archive is complete when `zip` is `None`.
    fn step(&mut self) -> Result<(), Problem> {
        if let Some(open) = self.open.take() {
            return self.copy(open);
        }
        match self.waiting.pop_front() {
            Some(row) => self.begin(row),
            None => self.finish(),
        }
    }

    fn begin(&mut self, row: RecordRow) -> Result<(), Problem> {
        let file = kept_file(&self.app, &row).and_then(|path| {
            let failed = |error: &dyn std::fmt::Display| Problem::storage("read the recording", error);
            let audio_sha256 =
                recording::Reader::open(&path).map_err(|error| failed(&error))?.facts().audio_sha256.clone();
            Ok((File::open(&path).map_err(|error| failed(&error))?, audio_sha256))
        });
        let mut line =
            Line { row, file: None, bytes: 0, file_sha256: None, audio_sha256: None, problem: None };
        match file {
            Ok((file, audio_sha256)) => {
                let name = self.name_for(&line.row);
                let options = options(line.row.start_us, line.row.offset_s);
                self.writer()?.start_file(name.as_str(), options).map_err(broken)?;
                (line.file, line.audio_sha256) = (Some(name), audio_sha256);
                self.open = Some(Open { file, hash: Sha256::new(), line });
            }
            // The archive goes on; its manifest says what is not in it and why.
            Err(problem) => {
                line.problem = Some(problem.code.name());
                self.lines.push(line);
            }
        }
        Ok(())
    }

    fn copy(&mut self, mut open: Open) -> Result<(), Problem> {
        let mut bytes = [0; PIECE_BYTES];
        let count =
            open.file.read(&mut bytes).map_err(|error| Problem::storage("read the recording", error))?;
        if count > 0 {
            open.hash.update(&bytes[..count]);
            open.line.bytes += count as u64;
            self.writer()?.write_all(&bytes[..count]).map_err(broken)?;
            self.open = Some(open);
        } else {
            open.line.file_sha256 = Some(to_hex(&open.hash.finalize()));
            self.lines.push(open.line);
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Problem> {
        let (csv, json) = (self.manifest_csv(), self.manifest_json());
        let Some(mut zip) = self.zip.take() else { return Ok(()) };
        for (name, text) in [("manifest.csv", csv), ("manifest.json", json)] {
            zip.start_file(name, options(time::now_us(), 0)).map_err(broken)?;
            zip.write_all(text.as_bytes()).map_err(broken)?;
        }
        zip.finish().map_err(broken)?;
        Ok(())
    }

    fn writer(&mut self) -> Result<&mut ZipWriter<StreamWriter<Tray>>, Problem> {
        self.zip.as_mut().ok_or_else(|| Problem::internal("a finished archive was written to"))
    }

    fn manifest_csv(&self) -> String {
        const COLUMNS: [&str; 14] = [
            "file",
            "id",
            "sn",
            "start",
            "duration",
            "port",
            "line_number",
            "peer_number",
            "call_type",
            "stop_mode",
            "bytes",
            "file_sha256",
            "audio_sha256",
            "problem",
        ];
        let headings: Vec<String> =
            COLUMNS.iter().map(|column| self.language.column(column).to_owned()).collect();
        let mut text = String::from('\u{feff}') + &csv_line(&headings);
        for line in &self.lines {
            let row = &line.row;
            let optional = |text: &Option<String>| text.clone().unwrap_or_default();
            text += &csv_line(&[
                optional(&line.file),
                record_id_text(&row.id).to_string(),
                row.sn(),
                time::for_people(row.start_us, row.offset_s),
                crate::api::export::duration_text(row.duration_ms),
                row.port.to_string(),
                optional(&row.line_number),
                optional(&row.peer_number),
                self.language.value("call_type", row.call_type.name()).to_owned(),
                self.language.value("stop_mode", row.stop_mode.name()).to_owned(),
                line.bytes.to_string(),
                optional(&line.file_sha256),
                optional(&line.audio_sha256),
                line.problem.unwrap_or_default().to_owned(),
            ]);
        }
        text
    }

    fn manifest_json(&self) -> String {
        let recordings: Vec<Value> = self
            .lines
            .iter()
            .map(|line| {
                let row = &line.row;
                json!({
                    "id": record_id_text(&row.id).to_string(),
                    "sn": row.sn(),
                    "file": line.file,
                    "bytes": line.bytes,
                    "file_sha256": line.file_sha256,
                    "audio_sha256": line.audio_sha256,
                    "problem": line.problem,
                    "start": time::with_offset(row.start_us, row.offset_s),
                    "duration_s": seconds(row.duration_ms),
                    "port": row.port,
                    "call_id": row.call_id,
                    "segment": row.segment,
                    "caller": row.caller(),
                    "callee": row.callee(),
                    "line_number": row.line_number,
                    "peer_number": row.peer_number,
                    "call_type": row.call_type.name(),
                    "start_mode": row.start_mode.name(),
                    "stop_mode": row.stop_mode.name(),
                })
            })
            .collect();
        let manifest = json!({
            "version": 1,
            "serial": self.serial,
            "made_at": self.made_at,
            "made_by": self.made_by,
            "recordings": recordings,
        });
        format!("{manifest:#}\n")
    }
}

impl Pieces for Archive {
    fn next(&mut self) -> Result<Bytes, Problem> {
        while self.zip.is_some() && self.tray.length() < PIECE_BYTES {
            self.step()?;
        }
        Ok(self.tray.take().into())
    }
}

/// Kept as it is: telephone audio in A-law hardly shrinks, and a stored file can be carved out of a damaged archive.
fn options(start_us: i64, offset_s: i32) -> SimpleFileOptions {
    let options = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    let local = DateTime::from_timestamp_micros(start_us.saturating_add(i64::from(offset_s) * 1_000_000));
    let local = local.unwrap_or_default();
    let modified = u16::try_from(local.year()).ok().and_then(|year| {
        let (month, day) = (local.month() as u8, local.day() as u8);
        let (hour, minute, second) = (local.hour() as u8, local.minute() as u8, local.second() as u8);
        zip::DateTime::from_date_and_time(year, month, day, hour, minute, second).ok()
    });
    match modified {
        Some(modified) => options.last_modified_time(modified),
        None => options,
    }
}

fn broken(error: impl std::fmt::Display) -> Problem {
    Problem::internal(format!("ZIP: {error}"))
}
