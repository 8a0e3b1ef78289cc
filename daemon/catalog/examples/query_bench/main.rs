//! How fast is the first page? Fills a data folder with made records, through journal and catalog as a box does, asks a
//! named mix of queries with changing values, and prints the times of each, and beside them the time the processor
//! worked on it (on a busy machine the clock runs on while others compute).
//!
//!     cargo run --release -p hookline-catalog --example query_bench -- [station|platform] [RECORDS] [FOLDER]
//!
//! `station` (so too without a word): one station's own pages. `platform`: 300 stations of 16 ports, as everybody and as
//! departments see them, and the statistics of a month; of the journal only the end is kept, since nobody asks for it.
//! Without FOLDER a temporary one is made and removed. A FOLDER filled before is used as it is. Exit status 1: a floor
//! is missed.

mod made;
mod measure;
mod platform;
mod station;

use std::path::Path;
use std::process::ExitCode;

use catalog::{Catalog, Error, Options};
use hookline_catalog as catalog;

use crate::made::settle;

const DEFAULT_RECORDS: u64 = 1_000_000;

#[derive(Clone, Copy)]
enum Form {
    Station,
    Platform,
}

fn run(form: Form, folder: &Path, records: u64) -> Result<bool, Error> {
    let mut world = match form {
        Form::Station => station::world(records),
        Form::Platform => platform::world(records),
    };
    let options = Options::new(match form {
        Form::Station => world.serial(0),
        Form::Platform => "PLATFORM".into(),
    });
    if matches!(form, Form::Platform) && !folder.join("journal").exists() {
        platform::fill(folder, &options, &world)?;
    }
    let (catalog, report) = Catalog::open(folder, options)?;
    report.damage.iter().for_each(|sentence| eprintln!("{sentence}"));
    match form {
        Form::Station => {
            match catalog.next_sequence() - 1 {
                0 => station::fill(&catalog, &world)?,
                there => world.records = there,
            }
            settle(&catalog);
            station::measure(&catalog, &world)
        }
        Form::Platform => {
            settle(&catalog);
            platform::measure(&catalog, &world)
        }
    }
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1).peekable();
    let form = match arguments.peek().map(String::as_str) {
        Some("platform") => Some(Form::Platform),
        Some("station") => Some(Form::Station),
        _ => None,
    };
    if form.is_some() {
        arguments.next();
    }
    let form = form.unwrap_or(Form::Station);
    let records = match arguments.next().map(|text| text.parse()) {
        None => DEFAULT_RECORDS,
        Some(Ok(records)) if records > 0 => records,
        Some(_) => {
            eprintln!("RECORDS must be a whole number above 0, such as {DEFAULT_RECORDS}");
            return ExitCode::from(2);
        }
    };
    let outcome = match arguments.next() {
        Some(folder) => run(form, Path::new(&folder), records),
        None => match tempfile::tempdir() {
            Ok(folder) => run(form, folder.path(), records),
            Err(error) => {
                eprintln!("cannot make a temporary folder: {error}");
                return ExitCode::from(2);
            }
        },
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}
