//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use lexopt::prelude::{Long, Short, Value};
use station::replay::ReplayOptions;

pub const HELP: &str = "\
hookline: a telephone recorder

  hookline station --data DIR [--scenario SCENARIO] [--https ADDRESS] [--http ADDRESS] [--appliance SOCKET]
                   [--good-after SECONDS]
      Records, and serves the pages. With a scenario, recorded line input is played in real time, looped.
      Addresses are such as 0.0.0.0:8443 (the default); --http none serves no redirect. What needs root is asked of
      'hookline appliance' at SOCKET. A new release that has worked for 60 s, or SECONDS, is one to start from.

  hookline platform --data DIR [--intake ADDRESS] [--https ADDRESS] [--http ADDRESS] [--appliance SOCKET]
                    [--good-after SECONDS]
      Takes what stations send, and serves the pages of all of them. Stations dial in at 0.0.0.0:1311, if --intake says
      no other address; --https none serves no pages.

  hookline appliance [--socket SOCKET] [--for UID] [--data DIR] [--root DIR] [--confirm-within SECONDS]
      Does what needs root, for this user and the one given: starts the box again, keeps its clock, sets its network,
      installs upgrades. Answers at /run/hookline/appliance.sock, if --socket says no other; what it is told it keeps in
      DIR, or in /data/hookline-appliance. A change of the network is taken back unless it is confirmed within 60 s. With
      --root it looks at the system below that folder, and sets that one's network.

  hookline replay SCENARIO --out DIR [--threads N] [--no-write] [--arm caller-id]
      Runs recorded line input through the same path as fast as it goes; DIR/events.jsonl says what happened.

  hookline reindex --data DIR
      Makes the catalog again from the journal and the recordings.

  hookline check --data DIR
      Tests the storage invariants on a data folder.

  hookline --help | --version
";

/// How long a new release has to work until it is one to start from.
const GOOD_AFTER: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub enum Command {
    Help,
    Version,
    Station(StationOptions),
    Platform(PlatformOptions),
    Appliance(ApplianceOptions),
    Replay(ReplayOptions),
    Reindex { data: PathBuf },
    Check { data: PathBuf },
}

#[derive(Debug)]
pub struct StationOptions {
    pub data: PathBuf,
    pub scenario: Option<PathBuf>,
    pub https: String,
    pub http: Option<String>,
    /// Socket of the appliance process.
    pub appliance: PathBuf,
    pub good_after: Duration,
}

#[derive(Debug)]
pub struct PlatformOptions {
    pub data: PathBuf,
    pub intake: String,
    /// `None`: no pages.
    pub https: Option<String>,
    pub http: Option<String>,
    /// Socket of the appliance process.
    pub appliance: PathBuf,
    pub good_after: Duration,
}

#[derive(Debug)]
pub struct ApplianceOptions {
    pub socket: PathBuf,
    pub data: PathBuf,
    pub for_uid: Option<u32>,
    pub root: PathBuf,
    pub confirm_within: Duration,
}

/// One sentence on what is wrong with the command line.
#[derive(Debug)]
pub struct UsageError(String);

impl std::fmt::Display for UsageError {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}; see 'hookline --help'", self.0)
    }
}

impl From<lexopt::Error> for UsageError {
    fn from(error: lexopt::Error) -> Self {
        Self(error.to_string())
    }
}

fn usage(text: impl Into<String>) -> UsageError {
    UsageError(text.into())
}

pub fn parse(arguments: impl Iterator<Item = OsString>) -> Result<Command, UsageError> {
    let mut parser = lexopt::Parser::from_args(arguments);
    match parser.next()? {
        None | Some(Short('h') | Long("help")) => Ok(Command::Help),
        Some(Short('V') | Long("version")) => Ok(Command::Version),
        Some(Value(name)) => match name.to_str() {
            Some("station") => station(parser),
            Some("platform") => platform(parser),
            Some("appliance") => appliance(parser),
            Some("replay") => replay(parser),
            Some("reindex") => Ok(Command::Reindex { data: data_only(parser)? }),
            Some("check") => Ok(Command::Check { data: data_only(parser)? }),
            _ => Err(usage(format!("there is no command '{}'", name.to_string_lossy()))),
        },
        Some(other) => Err(other.unexpected().into()),
    }
}

fn station(mut parser: lexopt::Parser) -> Result<Command, UsageError> {
    let (mut data, mut scenario) = (None, None);
    let (mut https, mut http) = ("0.0.0.0:8443".to_owned(), Some("0.0.0.0:8080".to_owned()));
    let (mut appliance, mut good_after) = (PathBuf::from(appliance::DEFAULT_SOCKET), GOOD_AFTER);
    while let Some(argument) = parser.next()? {
        match argument {
            Long("data") => data = Some(PathBuf::from(parser.value()?)),
            Long("scenario") => scenario = Some(PathBuf::from(parser.value()?)),
            Long("https") => https = text(parser.value()?, "--https")?,
            Long("http") => http = Some(text(parser.value()?, "--http")?).filter(|address| address != "none"),
            Long("appliance") => appliance = PathBuf::from(parser.value()?),
            Long("good-after") => good_after = seconds(parser.value()?, "--good-after")?,
            other => return Err(other.unexpected().into()),
        }
    }
    let data = data.ok_or_else(|| usage("--data DIR is missing"))?;
    Ok(Command::Station(StationOptions { data, scenario, https, http, appliance, good_after }))
}

fn platform(mut parser: lexopt::Parser) -> Result<Command, UsageError> {
    let (mut data, mut intake) = (None, "0.0.0.0:1311".to_owned());
    let (mut https, mut http) = (Some("0.0.0.0:8443".to_owned()), Some("0.0.0.0:8080".to_owned()));
    let (mut appliance, mut good_after) = (PathBuf::from(appliance::DEFAULT_SOCKET), GOOD_AFTER);
    while let Some(argument) = parser.next()? {
        match argument {
            Long("data") => data = Some(PathBuf::from(parser.value()?)),
            Long("appliance") => appliance = PathBuf::from(parser.value()?),
            Long("good-after") => good_after = seconds(parser.value()?, "--good-after")?,
            Long("intake") => intake = text(parser.value()?, "--intake")?,
            Long("https") => {
                https = Some(text(parser.value()?, "--https")?).filter(|address| address != "none")
            }
            Long("http") => http = Some(text(parser.value()?, "--http")?).filter(|address| address != "none"),
            other => return Err(other.unexpected().into()),
        }
    }
    let data = data.ok_or_else(|| usage("--data DIR is missing"))?;
    Ok(Command::Platform(PlatformOptions { data, intake, https, http, appliance, good_after }))
}

fn appliance(mut parser: lexopt::Parser) -> Result<Command, UsageError> {
    let (mut socket, mut for_uid) = (PathBuf::from(appliance::DEFAULT_SOCKET), None);
    let (mut data, mut root) = (PathBuf::from(appliance::DEFAULT_FOLDER), PathBuf::from("/"));
    let mut confirm_within = appliance::NetworkTuning::default().confirm_within;
    while let Some(argument) = parser.next()? {
        match argument {
            Long("socket") => socket = PathBuf::from(parser.value()?),
            Long("data") => data = PathBuf::from(parser.value()?),
            Long("for") => {
                let value = text(parser.value()?, "--for")?;
                let uid = value.parse().map_err(|_| {
                    usage(format!("--for {value}: expected the number of a user, as 'id -u' says it"))
                })?;
                for_uid = Some(uid);
            }
            Long("root") => root = PathBuf::from(parser.value()?),
            Long("confirm-within") => confirm_within = seconds(parser.value()?, "--confirm-within")?,
            other => return Err(other.unexpected().into()),
        }
    }
    Ok(Command::Appliance(ApplianceOptions { socket, for_uid, data, root, confirm_within }))
}

fn replay(mut parser: lexopt::Parser) -> Result<Command, UsageError> {
    let (mut scenario, mut out) = (None, None);
    let mut threads = std::thread::available_parallelism().map_or(1, usize::from);
    let (mut no_write, mut caller_id_always) = (false, false);
    while let Some(argument) = parser.next()? {
        match argument {
            Value(path) if scenario.is_none() => scenario = Some(PathBuf::from(path)),
            Long("out") => out = Some(PathBuf::from(parser.value()?)),
            Long("threads") => {
                let value = text(parser.value()?, "--threads")?;
                threads =
                    value.parse().ok().filter(|threads| (1..=1024).contains(threads)).ok_or_else(|| {
                        usage(format!("--threads {value}: expected a number from 1 to 1024"))
                    })?;
            }
            Long("no-write") => no_write = true,
            Long("arm") => match text(parser.value()?, "--arm")?.as_str() {
                "caller-id" => caller_id_always = true,
                other => return Err(usage(format!("--arm {other}: expected caller-id"))),
            },
            other => return Err(other.unexpected().into()),
        }
    }
    let scenario = scenario.ok_or_else(|| usage("the SCENARIO folder is missing"))?;
    let out = out.ok_or_else(|| usage("--out DIR is missing"))?;
    Ok(Command::Replay(ReplayOptions { scenario, out, threads, no_write, caller_id_always }))
}

fn data_only(mut parser: lexopt::Parser) -> Result<PathBuf, UsageError> {
    let mut data = None;
    while let Some(argument) = parser.next()? {
        match argument {
            Long("data") => data = Some(PathBuf::from(parser.value()?)),
            other => return Err(other.unexpected().into()),
        }
    }
    data.ok_or_else(|| usage("--data DIR is missing"))
}

fn seconds(value: OsString, option: &str) -> Result<Duration, UsageError> {
    let value = text(value, option)?;
    let seconds = value.parse().ok().filter(|seconds| (1..=3600).contains(seconds));
    let seconds = seconds.ok_or_else(|| usage(format!("{option} {value}: expected 1 to 3600 seconds")))?;
    Ok(Duration::from_secs(seconds))
}

fn text(value: OsString, option: &str) -> Result<String, UsageError> {
    value.into_string().map_err(|_| usage(format!("{option}: the value is not text")))
}
