//! CSV files that people bring: a heading that names known columns, and the lines below it.

use std::collections::HashSet;

use axum::body::Bytes;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use csv::StringRecord;
use hyper::header;

use crate::api::download::content_disposition;
use crate::body::{self, media_type};
use crate::problem::{Code, Problem};

pub const CSV: &str = "text/csv";
/// Lines below the heading.
pub const MOST_LINES: usize = 10_000;

/// A file of which each line can be asked for its values.
pub struct CsvFile {
    columns: Vec<&'static str>,
    lines: Vec<CsvLine>,
}

pub struct CsvLine {
    /// Of the file; the heading is line 1.
    pub number: u64,
    values: StringRecord,
}

/// Takes a request's file.
///
/// # Errors
/// `media_type_wrong`, and those of `body::whole`.
pub async fn whole(request: Request) -> Result<Bytes, Problem> {
    if media_type(request.headers()) != CSV {
        return Err(body::wrong_media_type(CSV));
    }
    body::whole(request.into_body()).await
}

/// A file with nothing but these columns, for people to fill in.
pub fn template<'a>(name: &str, columns: impl IntoIterator<Item = &'a str>) -> Response {
    let columns: Vec<&str> = columns.into_iter().collect();
    let headers = [
        (header::CONTENT_TYPE, format!("{CSV}; charset=utf-8")),
        (header::CONTENT_DISPOSITION, content_disposition(name)),
    ];
    (headers, format!("\u{feff}{}\r\n", columns.join(","))).into_response()
}

impl CsvFile {
    /// `known` finds the column that a heading names, given in lower case; `required` must be among them.
    ///
    /// # Errors
    /// `field_unknown` for a column that there is not, so that a misspelt one is not passed over; `field_missing`;
    /// `field_invalid` for what is no such file.
    pub fn read(
        bytes: &[u8],
        known: impl Fn(&str) -> Option<&'static str>,
        required: &'static str,
    ) -> Result<Self, Problem> {
        let text = std::str::from_utf8(bytes).map_err(|_| Problem::field_invalid("file", "text in UTF-8"))?;
        // The reader counts a line end of two characters before its second one.
        let text = text.trim_start_matches('\u{feff}').replace("\r\n", "\n");
        let mut reader =
            csv::ReaderBuilder::new().flexible(true).trim(csv::Trim::All).from_reader(text.as_bytes());
        let columns = columns_of(reader.headers().map_err(|error| unreadable(&error))?, known, required)?;
        let mut lines = Vec::new();
        for record in reader.records() {
            let values = record.map_err(|error| unreadable(&error))?;
            // Spreadsheets leave such lines behind.
            if values.iter().all(str::is_empty) {
                continue;
            }
            if lines.len() >= MOST_LINES {
                let most = format!("at most {MOST_LINES} lines below the heading");
                return Err(Problem::field_invalid("file", &most));
            }
            lines.push(CsvLine { number: number_of(&values, &text), values });
        }
        Ok(Self { columns, lines })
    }

    pub fn lines(&self) -> &[CsvLine] {
        &self.lines
    }

    /// The value in a column, without the apostrophe that files of ours keep formulas off with; `None` if the file does
    /// not have the column.
    pub fn value<'a>(&self, line: &'a CsvLine, column: &str) -> Option<&'a str> {
        let place = self.columns.iter().position(|name| *name == column)?;
        let value = line.values.get(place).unwrap_or_default();
        let bare = value.strip_prefix('\'').filter(|rest| rest.starts_with(crate::table::FORMULA));
        Some(bare.unwrap_or(value))
    }

    /// # Errors
    /// `field_invalid` for a line that is shorter or longer than the heading.
    pub fn check_length(&self, line: &CsvLine) -> Result<(), Problem> {
        if line.values.len() == self.columns.len() {
            return Ok(());
        }
        Err(Problem::field_invalid("line", &format!("{} values, as the heading", self.columns.len())))
    }
}

/// The reader tells where it began to look for a line; those that are empty it has passed over.
fn number_of(values: &StringRecord, text: &str) -> u64 {
    values.position().map_or(0, |begin| {
        let at = usize::try_from(begin.byte()).unwrap_or(usize::MAX);
        let rest = text.as_bytes().get(at..).unwrap_or_default();
        begin.line() + rest.iter().take_while(|byte| **byte == b'\n').count() as u64
    })
}

fn unreadable(error: &csv::Error) -> Problem {
    let line = error.position().map_or(0, csv::Position::line);
    Problem::field_invalid("file", &format!("CSV; line {line} cannot be read")).with("line", line)
}

fn columns_of(
    heading: &StringRecord,
    known: impl Fn(&str) -> Option<&'static str>,
    required: &'static str,
) -> Result<Vec<&'static str>, Problem> {
    let column = |name: &str| {
        known(&name.to_lowercase())
            .ok_or_else(|| Problem::field_unknown(&name.chars().take(64).collect::<String>()))
    };
    let columns = heading.iter().map(column).collect::<Result<Vec<_>, _>>()?;
    let different: HashSet<_> = columns.iter().collect();
    if different.len() != columns.len() {
        return Err(Problem::new(Code::FieldInvalid, "A column stands twice in the heading.")
            .with("field", "file")
            .with("expected", "each column once"));
    }
    if columns.contains(&required) { Ok(columns) } else { Err(Problem::field_missing(required)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::csv_line;
    use proptest::prelude::*;

    fn known(name: &str) -> Option<&'static str> {
        ["serial", "name"].into_iter().find(|column| *column == name)
    }

    fn read(text: &str) -> Result<CsvFile, Problem> {
        CsvFile::read(text.as_bytes(), known, "serial")
    }

    #[test]
    fn a_heading_names_known_columns_each_once_and_what_is_required() {
        let file = read("Serial,NAME\r\n1,a\r\n,\r\n\r\n2,\"b\nc\"\r\n3,d").expect("read");
        let seen = |line| (line, file.value(line, "serial"), file.value(line, "name"));
        let lines: Vec<_> =
            file.lines().iter().map(seen).map(|(line, serial, name)| (line.number, serial, name)).collect();
        let expected = [(2, Some("1"), Some("a")), (5, Some("2"), Some("b\nc")), (7, Some("3"), Some("d"))];
        assert_eq!(lines, expected);
        for (heading, code) in [
            ("serial,colour", Code::FieldUnknown),
            ("name", Code::FieldMissing),
            ("serial,serial", Code::FieldInvalid),
            ("", Code::FieldMissing),
        ] {
            assert_eq!(read(heading).err().expect("refused").code, code, "{heading}");
        }
    }

    #[test]
    fn lines_are_as_long_as_the_heading_and_not_too_many() {
        let file = read("serial,name\n1\n2,b,c\n3,d\n").expect("read");
        let good: Vec<bool> = file.lines().iter().map(|line| file.check_length(line).is_ok()).collect();
        assert_eq!(good, [false, false, true]);
        let many = format!("serial\n{}", "1\n".repeat(MOST_LINES));
        assert_eq!(read(&many).expect("read").lines().len(), MOST_LINES);
        assert_eq!(read(&format!("{many}1\n")).err().expect("refused").code, Code::FieldInvalid);
        assert!(CsvFile::read(b"serial\n\xff", known, "serial").is_err());
    }

    proptest! {
        #[test]
        fn what_our_files_say_is_read_back(value in "[=+@'a-z\", ]{1,12}") {
            // The reader takes blanks off both ends, and an apostrophe may have been there before.
            prop_assume!(!value.trim().is_empty() && !value.trim().starts_with('\''));
            let value = value.trim();
            let text = format!("serial\r\n{}", csv_line(&[value.to_owned()]));
            let file = read(&text).expect("read");
            prop_assert_eq!(file.value(&file.lines()[0], "serial"), Some(value));
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = CsvFile::read(&[b"serial\n".as_slice(), &bytes].concat(), known, "serial");
        }
    }
}
