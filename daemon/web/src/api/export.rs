//! Lists as files, as CSV while it is sent, or as a spreadsheet: here recordings and the audit trail.

use std::collections::VecDeque;
use std::fs::File;
use std::os::unix::fs::FileExt;

use axum::body::{Body, Bytes};
use axum::extract::{RawQuery, State};
use axum::response::Response;
use catalog::{AuditQuery, AuditRow, Cursor, Page, PageRequest, RecordQuery, RecordRow, Scope};
use catalog::{record_id_from_text, record_id_text};
use chrono::Offset;
use chrono_tz::Tz;
use hyper::header::{self, HeaderValue};
use recording::RecordId;

use super::download::content_disposition;
use super::recordings::MOST_IDS;
use super::{Answer, expected_names};
use crate::app::App;
use crate::filters::{audit_query, record_query};
use crate::problem::Problem;
use crate::query::Query;
use crate::role::Role;
use crate::scope::{Part, scope_in};
use crate::session::Caller;
use crate::stream::{self, Pieces};
use crate::table::{Cell, Sheet, csv_row};
use crate::time;
use crate::trail::Trail;
use crate::turns::Place;
use crate::view::View;
use crate::words::{Language, TableWords};

/// Rows read from the catalog at a time.
const ROWS_AT_ONCE: u32 = 500;
const PIECE_BYTES: u64 = 64 * 1024;

const RECORD_COLUMNS: [(&str, f64); 22] = [
    ("sn", 22.0),
    ("id", 26.0),
    ("port", 8.0),
    ("port_name", 16.0),
    ("port_contact", 14.0),
    ("start", 20.0),
    ("duration", 10.0),
    ("caller", 16.0),
    ("callee", 16.0),
    ("line_number", 14.0),
    ("peer_number", 16.0),
    ("line_contact", 14.0),
    ("peer_contact", 14.0),
    ("call_type", 14.0),
    ("start_mode", 14.0),
    ("stop_mode", 14.0),
    ("grade", 10.0),
    ("score", 8.0),
    ("tags", 24.0),
    ("note", 30.0),
    ("play_count", 10.0),
    ("deleted", 20.0),
];

/// Before the others on a platform, where rows are of many stations.
const STATION_COLUMNS: [(&str, f64); 2] = [("station", 16.0), ("serial", 24.0)];

const AUDIT_COLUMNS: [(&str, f64); 10] = [
    ("time", 20.0),
    ("account", 14.0),
    ("display_name", 14.0),
    ("ip", 16.0),
    ("item", 12.0),
    ("port", 8.0),
    ("operation", 18.0),
    ("parameters", 50.0),
    ("result", 10.0),
    ("detail", 20.0),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Csv,
    Xlsx,
}

impl Format {
    pub fn of(query: &mut Query) -> Result<Self, Problem> {
        query.required("format", "one of xlsx, csv", |text| match text {
            "csv" => Some(Self::Csv),
            "xlsx" => Some(Self::Xlsx),
            _ => None,
        })
    }

    fn ending(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Xlsx => "xlsx",
        }
    }

    fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8",
            Self::Xlsx => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        }
    }
}

/// `lang`, or what the person chose for the pages, or English.
pub fn language_of(query: &mut Query, caller: &Caller) -> Result<Language, Problem> {
    let names = expected_names(Language::ALL, Language::name);
    let asked = query.one("lang", &names, Language::from_name)?;
    Ok(asked.or_else(|| caller.language.as_deref().and_then(Language::from_name)).unwrap_or_default())
}

/// `0:05:06`
pub fn duration_text(ms: u64) -> String {
    let seconds = ms / 1000;
    format!("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// Gives the rows of a table, some at a time. No rows are the end.
pub trait Rows: Send + 'static {
    fn next(&mut self, app: &App) -> Result<Vec<Vec<Cell>>, Problem>;
}

/// Where a walk through the pages of a list stands.
#[derive(Default)]
pub struct Walk {
    after: Option<Cursor>,
    at_end: bool,
}

impl Walk {
    /// What is next of what `page` gives; nothing behind the last page.
    pub fn next<T>(
        &mut self,
        page: impl FnOnce(PageRequest) -> Result<Page<T>, catalog::Error>,
    ) -> Result<Vec<T>, Problem> {
        if self.at_end {
            return Ok(Vec::new());
        }
        let page = page(PageRequest { after: self.after, limit: ROWS_AT_ONCE, count_up_to: 0 })?;
        (self.after, self.at_end) = (page.next, page.next.is_none());
        Ok(page.items)
    }
}

struct RecordRows {
    scope: Scope,
    view: View,
    filters: RecordQuery,
    /// Instead of the filters.
    ids: Option<VecDeque<RecordId>>,
    walk: Walk,
    language: Language,
}

impl Rows for RecordRows {
    fn next(&mut self, app: &App) -> Result<Vec<Vec<Cell>>, Problem> {
        let rows = if let Some(ids) = &mut self.ids {
            let mut rows = Vec::new();
            // Ids that do not exist any more give no row; only no ids are the end.
            while rows.is_empty() && !ids.is_empty() {
                let some: Vec<RecordId> = ids.drain(..ids.len().min(ROWS_AT_ONCE as usize)).collect();
                rows = app.catalog().records_by_id(&self.scope, &some)?;
            }
            rows
        } else {
            self.walk.next(|page| app.catalog().records(&self.scope, &self.filters, page))?
        };
        let cells = |row: &RecordRow| {
            let mut cells = station_cells(app, &self.view, &row.id.serial);
            cells.extend(record_cells(row, self.language));
            cells
        };
        Ok(rows.iter().map(cells).collect())
    }
}

/// Name and serial number of the station of a row, on a platform.
pub fn station_cells(app: &App, view: &View, serial: &str) -> Vec<Cell> {
    match app.served.role() {
        Role::Station => Vec::new(),
        Role::Platform => vec![Cell::optional(view.station_name(serial)), Cell::Text(serial.to_owned())],
    }
}

fn record_cells(row: &RecordRow, language: Language) -> Vec<Cell> {
    let word = |column, code: &str| Cell::Text(language.value(column, code).to_owned());
    let tags: Vec<&str> = row.tags.iter().map(|tag| tag.text.as_str()).collect();
    vec![
        Cell::Text(row.sn()),
        Cell::Text(record_id_text(&row.id).to_string()),
        Cell::Number(f64::from(row.port)),
        Cell::Text(row.port_name.clone()),
        Cell::optional(row.port_contact.as_deref()),
        Cell::Time { us: row.start_us, offset_s: row.offset_s },
        Cell::DurationMs(row.duration_ms),
        Cell::optional(row.caller()),
        Cell::optional(row.callee()),
        Cell::optional(row.line_number.as_deref()),
        Cell::optional(row.peer_number.as_deref()),
        Cell::optional(row.line_contact.as_deref()),
        Cell::optional(row.peer_contact.as_deref()),
        word("call_type", row.call_type.name()),
        word("start_mode", row.start_mode.name()),
        word("stop_mode", row.stop_mode.name()),
        word("grade", row.grade.name()),
        row.score.map_or(Cell::Empty, |score| Cell::Number(f64::from(score))),
        Cell::Text(tags.join(", ")),
        Cell::optional(row.note.as_deref()),
        Cell::Number(row.play_count as f64),
        row.deleted
            .as_ref()
            .map_or(Cell::Empty, |deleted| Cell::Time { us: deleted.utc_us, offset_s: row.offset_s }),
    ]
}

struct AuditRows {
    scope: Scope,
    view: View,
    filters: AuditQuery,
    walk: Walk,
    language: Language,
}

impl Rows for AuditRows {
    fn next(&mut self, app: &App) -> Result<Vec<Vec<Cell>>, Problem> {
        let rows = self.walk.next(|page| app.catalog().audit_trail(&self.scope, &self.filters, page))?;
        let cells = |row: &AuditRow| {
            let mut cells = station_cells(app, &self.view, self.view.station(row.station.as_deref()));
            cells.extend(audit_cells(row, app.zone(), self.language));
            cells
        };
        Ok(rows.iter().map(cells).collect())
    }
}

fn audit_cells(row: &AuditRow, zone: Tz, language: Language) -> Vec<Cell> {
    let entry = &row.entry;
    let word = |column, code: &str| Cell::Text(language.value(column, code).to_owned());
    let parameters = match entry.params.is_empty() {
        true => Cell::Empty,
        false => Cell::Text(serde_json::Value::Object(entry.params.clone()).to_string()),
    };
    vec![
        Cell::Time { us: row.utc_us, offset_s: offset_s(row.utc_us, zone) },
        Cell::optional(entry.account.as_deref()),
        Cell::optional(entry.display_name.as_deref()),
        Cell::optional(entry.ip.as_deref()),
        word("item", &entry.item),
        entry.port.map_or(Cell::Empty, |port| Cell::Number(f64::from(port))),
        word("operation", &entry.operation),
        parameters,
        word("result", entry.result.name()),
        Cell::optional(entry.detail.as_deref()),
    ]
}

fn offset_s(us: i64, zone: Tz) -> i32 {
    let moment = chrono::DateTime::from_timestamp_micros(us).unwrap_or_default();
    moment.with_timezone(&zone).offset().fix().local_minus_utc()
}

async fn asked_scope(app: &App, caller: &Caller, part: Part) -> Result<(Scope, View), Problem> {
    let caller = caller.clone();
    app.blocking(move |app| Ok((scope_in(app, &caller, &part)?, View::of(app, &caller)?))).await
}

pub async fn export_recordings(
    State(app): State<App>,
    caller: Caller,
    RawQuery(asked): RawQuery,
    mut query: Query,
) -> Answer {
    let format = Format::of(&mut query)?;
    let language = language_of(&mut query, &caller)?;
    let expected = format!("at most {MOST_IDS} ids of recordings");
    let ids: VecDeque<RecordId> = query.many("ids", &expected, record_id_from_text)?;
    if ids.len() > MOST_IDS {
        return Err(Problem::field_invalid("ids", &expected));
    }
    let mut filters = record_query(&mut query)?;
    let part = Part::of(&mut query)?;
    filters.stations = part.stations.clone();
    query.finish()?;
    let ids = Some(ids).filter(|ids| !ids.is_empty());
    let (scope, view) = asked_scope(&app, &caller, part).await?;
    let rows = RecordRows { scope, view, filters, ids, walk: Walk::default(), language };
    file(app, caller, "recording", format, language, &RECORD_COLUMNS, rows, asked).await
}

pub async fn export_audit(
    State(app): State<App>,
    caller: Caller,
    RawQuery(asked): RawQuery,
    mut query: Query,
) -> Answer {
    let format = Format::of(&mut query)?;
    let language = language_of(&mut query, &caller)?;
    let mut filters = audit_query(&mut query)?;
    let part = Part::of(&mut query)?;
    filters.stations = part.stations.clone();
    query.finish()?;
    let (scope, view) = asked_scope(&app, &caller, part).await?;
    let rows = AuditRows { scope, view, filters, walk: Walk::default(), language };
    file(app, caller, "audit", format, language, &AUDIT_COLUMNS, rows, asked).await
}

#[allow(clippy::too_many_arguments)] // one file, described
pub async fn file(
    app: App,
    caller: Caller,
    item: &str,
    format: Format,
    language: Language,
    columns: &'static [(&'static str, f64)],
    rows: impl Rows,
    asked: Option<String>,
) -> Answer {
    let place = app.turns.export().await?;
    let trail = Trail::of(&caller, item, "export").with("format", format.ending()).with("query", asked);
    app.blocking(move |app| trail.ok(app.catalog())).await?;
    let stations: &[(&str, f64)] = match app.served.role() {
        Role::Station => &[],
        Role::Platform => &STATION_COLUMNS,
    };
    let columns: Vec<(&'static str, f64)> = stations.iter().chain(columns).copied().collect();
    let headings: Vec<&'static str> = columns.iter().map(|(code, _)| language.column(code)).collect();
    let body = match format {
        Format::Csv => csv_body(&app, &headings, rows, place),
        Format::Xlsx => {
            let widths: Vec<f64> = columns.iter().map(|(_, width)| *width).collect();
            let make = move |app: &App| Ok((sheet(app, &headings, &widths, rows)?, place));
            // The place goes along: a client that leaves does not make room for another while its sheet is made.
            let (sheet, place) = app.apart((), make).await?;
            stream::export(&app, sheet, place)
        }
    };
    let now = time::in_zone(time::now_us(), app.zone());
    let day = now.get(..10).unwrap_or_default();
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(format.media_type()));
    let name = format!("{item}s-{day}.{}", format.ending()).replace("audits", "audit");
    if let Ok(value) = HeaderValue::from_str(&content_disposition(&name)) {
        headers.insert(header::CONTENT_DISPOSITION, value);
    }
    Ok(response)
}

struct CsvPieces<R> {
    app: App,
    /// A byte order mark, by which spreadsheets know UTF-8, and the headings.
    head: Option<String>,
    rows: R,
}

impl<R: Rows> Pieces for CsvPieces<R> {
    fn next(&mut self) -> Result<Bytes, Problem> {
        if let Some(head) = self.head.take() {
            return Ok(head.into());
        }
        let rows = self.rows.next(&self.app)?;
        Ok(rows.iter().map(|cells| csv_row(cells)).collect::<String>().into())
    }
}

fn csv_body(app: &App, headings: &[&'static str], rows: impl Rows, place: Place) -> Body {
    let headings: Vec<Cell> = headings.iter().map(|heading| Cell::Text((*heading).to_owned())).collect();
    let head = Some(format!("\u{feff}{}", csv_row(&headings)));
    stream::export(app, CsvPieces { app: app.clone(), head, rows }, place)
}

struct SheetPieces {
    file: File,
    at: u64,
    length: u64,
}

impl Pieces for SheetPieces {
    fn next(&mut self) -> Result<Bytes, Problem> {
        let mut bytes = vec![0; (self.length - self.at).min(PIECE_BYTES) as usize];
        let read = self.file.read_exact_at(&mut bytes, self.at);
        read.map_err(|error| Problem::storage("read a temporary file", error))?;
        self.at += bytes.len() as u64;
        Ok(bytes.into())
    }
}

/// Blocks until the whole sheet is written: a spreadsheet cannot be sent while it grows.
fn sheet(
    app: &App,
    headings: &[&'static str],
    widths: &[f64],
    mut rows: impl Rows,
) -> Result<SheetPieces, Problem> {
    let mut sheet = Sheet::new(headings, widths, &app.temporary)?;
    loop {
        let some = rows.next(app)?;
        if some.is_empty() {
            break;
        }
        some.iter().try_for_each(|cells| sheet.add(cells))?;
    }
    let file = sheet.finish()?;
    let length = file.metadata().map_err(|error| Problem::storage("read a temporary file", error))?.len();
    Ok(SheetPieces { file, at: 0, length })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_hours_minutes_seconds() {
        assert_eq!(duration_text(306_999), "0:05:06");
        assert_eq!(duration_text(0), "0:00:00");
        assert_eq!(duration_text(90_061_000), "25:01:01");
    }

    #[test]
    fn every_column_has_a_word_in_every_language() {
        let contacts = super::super::contact_export::COLUMNS;
        let columns = STATION_COLUMNS.iter().chain(&RECORD_COLUMNS).chain(&AUDIT_COLUMNS).chain(&contacts);
        for (code, _) in columns {
            assert!(!Language::Simplified.column(code).is_ascii(), "{code}");
            assert!(!Language::Traditional.column(code).is_ascii(), "{code}");
            assert_ne!(Language::English.column(code), *code, "{code}");
        }
    }
}
