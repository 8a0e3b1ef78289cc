//! `fleet`, the command line. Exit status: 0 well, 1 a limit was missed, 2 bad use or bad input.

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use hookline_test_fleet::load::{self, LoadOptions};
use hookline_test_fleet::upload::{self, UploadOptions};
use hookline_test_fleet::{enrol, fill, judge};
use lexopt::prelude::*;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

const USAGE: &str = "\
fleet enrol --data DIR --stations N
fleet fill --data DIR --rows N
fleet load --platform ADDRESS --stations N --seconds S --files DIR [--data DIR] [--pid PID]
fleet upload --platform ADDRESS --recordings N --seconds S --files DIR [--only-make]
fleet judge --platform DIR --station DIR...";

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("fleet: {error}");
            ExitCode::from(2)
        }
    }
}

#[derive(Default)]
struct Options {
    data: Option<PathBuf>,
    files: Option<PathBuf>,
    platform: Option<String>,
    folders: Vec<PathBuf>,
    stations: usize,
    rows: usize,
    recordings: u64,
    seconds: u32,
    pid: Option<u32>,
    only_make: bool,
}

impl Options {
    fn read(mut args: lexopt::Parser) -> Result<Self, lexopt::Error> {
        let mut options = Self { stations: 1, rows: 10_000, recordings: 100, seconds: 60, ..Self::default() };
        while let Some(arg) = args.next()? {
            match arg {
                Long("data") => options.data = Some(args.value()?.into()),
                Long("files") => options.files = Some(args.value()?.into()),
                Long("platform") => options.platform = Some(args.value()?.string()?),
                Long("station") => {
                    options.folders.extend(args.values()?.map(PathBuf::from));
                }
                Long("stations") => options.stations = args.value()?.parse()?,
                Long("rows") => options.rows = args.value()?.parse()?,
                Long("recordings") => options.recordings = args.value()?.parse()?,
                Long("seconds") => options.seconds = args.value()?.parse()?,
                Long("pid") => options.pid = Some(args.value()?.parse()?),
                Long("only-make") => options.only_make = true,
                other => return Err(other.unexpected()),
            }
        }
        Ok(options)
    }
}

fn run() -> Result<ExitCode, Box<dyn Error>> {
    let mut args = lexopt::Parser::from_env();
    let name = match args.next()? {
        Some(Value(name)) => name.string()?,
        _ => return Err(format!("name what to do:\n{USAGE}").into()),
    };
    let options = Options::read(args)?;
    let platform = options.platform.ok_or("--platform is missing");
    let files = options.files.ok_or("--files DIR is missing");
    let well = match name.as_str() {
        "enrol" => {
            enrol::enrol(&options.data.ok_or("--data DIR is missing")?, options.stations)?;
            true
        }
        "fill" => {
            fill::fill(&options.data.ok_or("--data DIR is missing")?, options.rows)?;
            true
        }
        "load" => {
            let (most, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
            setrlimit(Resource::RLIMIT_NOFILE, hard.max(most), hard)?;
            let load = runtime()?.block_on(load::run(&LoadOptions {
                platform: platform?,
                stations: options.stations,
                seconds: options.seconds.into(),
                files: files?,
                data: options.data,
                pid: options.pid,
            }))?;
            print!("{load}");
            load.passes()
        }
        "upload" => {
            let upload = runtime()?.block_on(upload::run(&UploadOptions {
                platform: if options.only_make { String::new() } else { platform? },
                recordings: options.recordings,
                seconds: options.seconds,
                files: files?,
                only_make: options.only_make,
            }))?;
            if !options.only_make {
                println!("{upload}");
            }
            true
        }
        "judge" => {
            let judgement = judge::judge(&PathBuf::from(platform?), &options.folders)?;
            println!("{judgement}");
            judgement.findings.is_empty()
        }
        _ => return Err(format!("there is no command '{name}':\n{USAGE}").into()),
    };
    Ok(if well { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()
}
