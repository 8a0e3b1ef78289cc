//! Tables that people open in a spreadsheet: CSV (RFC 4180) and Office Open XML.

use std::fs::File;
use std::path::{Path, PathBuf};

use rust_xlsxwriter::{ExcelDateTime, Format, Workbook, Worksheet, XlsxError};

use crate::problem::Problem;
use crate::time;

/// Rows a sheet can have under its heading.
pub const MOST_SHEET_ROWS: u32 = 1_048_575;
/// Characters a cell can have.
const MOST_CELL_CHARACTERS: usize = 32_767;

/// A cell by what it means; each file format writes it in its own way.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    Text(String),
    Number(f64),
    /// Microseconds of UTC, and the offset in force at the box.
    Time {
        us: i64,
        offset_s: i32,
    },
    DurationMs(u64),
    Empty,
}

impl Cell {
    pub fn optional(text: Option<impl Into<String>>) -> Self {
        text.map_or(Self::Empty, |text| Self::Text(text.into()))
    }

    fn csv(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Number(number) => number.to_string(),
            Self::Time { us, offset_s } => time::for_people(*us, *offset_s),
            Self::DurationMs(ms) => crate::api::export::duration_text(*ms),
            Self::Empty => String::new(),
        }
    }
}

/// A row as CSV, with its line end.
pub fn csv_row(cells: &[Cell]) -> String {
    csv_line(&cells.iter().map(Cell::csv).collect::<Vec<_>>())
}

/// With these a spreadsheet takes a text for a formula, or may.
pub const FORMULA: [char; 7] = ['=', '+', '-', '@', '\t', '\r', '\n'];

/// A line of CSV. A text that a spreadsheet would take for a formula gets an apostrophe in front.
pub fn csv_line(values: &[String]) -> String {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    let safe = values
        .iter()
        .map(|value| if value.starts_with(FORMULA) { format!("'{value}") } else { value.clone() });
    // Writing to memory cannot fail, and all lines stand alone, so that none has a wrong length.
    let _ = writer.write_record(safe);
    writer.into_inner().map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

/// A spreadsheet that grows row by row in temporary files, not in memory. The files have no name: nothing is left of
/// one that is given up.
pub struct Sheet {
    workbook: Workbook,
    folder: PathBuf,
    next_row: u32,
    time: Format,
    duration: Format,
}

impl Sheet {
    /// `folder`: where the temporary files grow.
    ///
    /// # Errors
    /// When no temporary file can be written.
    pub fn new(headings: &[&str], widths: &[f64], folder: &Path) -> Result<Self, Problem> {
        let mut workbook = Workbook::new();
        let bold = Format::new().set_bold();
        let mut begin = || -> Result<(), XlsxError> {
            workbook.set_tempdir(folder)?;
            let sheet = workbook.add_worksheet_with_constant_memory()?;
            sheet.set_freeze_panes(1, 0)?;
            for (column, width) in (0_u16..).zip(widths) {
                sheet.set_column_width(column, *width)?;
            }
            for (column, heading) in (0_u16..).zip(headings) {
                sheet.write_string_with_format(0, column, *heading, &bold)?;
            }
            Ok(())
        };
        begin().map_err(broken)?;
        let time = Format::new().set_num_format("yyyy-mm-dd hh:mm:ss");
        let duration = Format::new().set_num_format("[h]:mm:ss");
        Ok(Self { workbook, folder: folder.to_owned(), next_row: 1, time, duration })
    }

    /// # Errors
    /// When the sheet is full or the temporary file cannot be written.
    pub fn add(&mut self, cells: &[Cell]) -> Result<(), Problem> {
        if self.next_row > MOST_SHEET_ROWS {
            return Err(Problem::field_invalid("format", "csv for so many rows"));
        }
        let row = self.next_row;
        self.next_row += 1;
        let sheet = self.workbook.worksheet_from_index(0).map_err(broken)?;
        for (column, cell) in (0_u16..).zip(cells) {
            put(sheet, row, column, cell, &self.time, &self.duration).map_err(broken)?;
        }
        Ok(())
    }

    /// The whole file, from its beginning.
    ///
    /// # Errors
    /// When the temporary file cannot be written.
    pub fn finish(mut self) -> Result<File, Problem> {
        let failed = |error: std::io::Error| Problem::storage("write a temporary file", error);
        let file = tempfile::tempfile_in(&self.folder).map_err(failed)?;
        self.workbook.save_to_writer(file.try_clone().map_err(failed)?).map_err(broken)?;
        Ok(file)
    }
}

fn put(
    sheet: &mut Worksheet,
    row: u32,
    column: u16,
    cell: &Cell,
    time: &Format,
    duration: &Format,
) -> Result<(), XlsxError> {
    match cell {
        Cell::Text(text) => {
            let text: String = text.chars().take(MOST_CELL_CHARACTERS).collect();
            sheet.write_string(row, column, text)?;
        }
        Cell::Number(number) => {
            sheet.write_number(row, column, *number)?;
        }
        Cell::Time { us, offset_s } => {
            let text = time::for_people(*us, *offset_s);
            match ExcelDateTime::parse_from_str(&text) {
                Ok(moment) => sheet.write_datetime_with_format(row, column, moment, time)?,
                // Spreadsheets know no day before 1900.
                Err(_) => sheet.write_string(row, column, text)?,
            };
        }
        Cell::DurationMs(ms) => {
            let days = *ms as f64 / 86_400_000.0;
            sheet.write_number_with_format(row, column, days, duration)?;
        }
        Cell::Empty => {}
    }
    Ok(())
}

fn broken(error: XlsxError) -> Problem {
    match error {
        XlsxError::IoError(error) => Problem::storage("write a temporary file", error),
        other => Problem::internal(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Read;

    #[test]
    fn no_text_becomes_a_formula() {
        for formula in ["=1+1", "+8610", "-2", "@SUM(A1)", "\t=1", "\r=1"] {
            let line = csv_line(&[formula.to_owned()]);
            assert!(line.trim_start_matches('"').starts_with('\''), "{line}");
        }
        assert_eq!(
            csv_line(&["a,b".into(), "say \"x\"".into(), "8001".into()]),
            "\"a,b\",\"say \"\"x\"\"\",8001\r\n"
        );
    }

    #[test]
    fn a_sheet_is_a_workbook_with_its_rows() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut sheet = Sheet::new(&["开始时间", "x"], &[20.0, 5.0], folder.path()).expect("begun");
        for row in 0..1000 {
            sheet
                .add(&[
                    Cell::Time { us: 1_772_323_212_000_000, offset_s: 28_800 },
                    Cell::Number(f64::from(row)),
                    Cell::Text("=1+1".into()),
                    Cell::DurationMs(306_000),
                    Cell::Empty,
                    Cell::Time { us: i64::MIN, offset_s: 0 },
                ])
                .expect("added");
        }
        let mut file = sheet.finish().expect("finished");
        std::io::Seek::rewind(&mut file).expect("rewound");
        let mut archive = zip::ZipArchive::new(file).expect("a ZIP");
        let mut text = String::new();
        archive
            .by_name("xl/worksheets/sheet1.xml")
            .expect("a sheet")
            .read_to_string(&mut text)
            .expect("read");
        assert_eq!(text.matches("<row ").count(), 1001);
        assert!(!text.contains("<f>"), "no formula");
    }

    #[test]
    fn a_sheet_grows_in_the_folder_it_is_given_and_leaves_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut sheet = Sheet::new(&["x"], &[5.0], folder.path()).expect("begun");
        // So much that it must lie in a file by now, which has no name but is open.
        for _ in 0..20_000 {
            sheet.add(&[Cell::Text("much text ".repeat(5))]).expect("added");
        }
        let open_here = || {
            let files = std::fs::read_dir("/proc/self/fd").expect("open files");
            let links = files.filter_map(|file| std::fs::read_link(file.ok()?.path()).ok());
            links.filter(|link| link.starts_with(folder.path())).count()
        };
        assert!(open_here() > 0);
        let file = sheet.finish().expect("finished");
        assert!(file.metadata().expect("a file").len() > 10_000);
        drop(file);
        assert_eq!(open_here(), 0);
        assert_eq!(std::fs::read_dir(folder.path()).expect("read").count(), 0);
        assert!(Sheet::new(&["x"], &[5.0], &folder.path().join("absent")).is_err());
    }

    #[test]
    fn a_sheet_has_as_many_rows_as_spreadsheets_can_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut sheet = Sheet::new(&["x"], &[5.0], folder.path()).expect("begun");
        sheet.next_row = MOST_SHEET_ROWS;
        sheet.add(&[Cell::Number(1.0)]).expect("the last row");
        let problem = sheet.add(&[Cell::Number(2.0)]).expect_err("one too many");
        assert_eq!(problem.params["field"], "format");
        sheet.finish().expect("finished");
    }

    proptest! {
        #[test]
        fn every_line_is_read_back(values in prop::collection::vec("[^\u{feff}]{0,20}", 1..6)) {
            let line = csv_line(&values);
            let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(line.as_bytes());
            let read = reader.records().next().expect("a record").expect("readable");
            prop_assert_eq!(read.len(), values.len());
            for (read, value) in read.iter().zip(&values) {
                prop_assert!(read == value || read.strip_prefix('\'') == Some(value));
            }
        }
    }
}
