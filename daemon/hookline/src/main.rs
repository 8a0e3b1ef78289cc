//! The binary: reads the command line and wires a role. Exit status: 0 done, 1 failed while running, 2 asked for
//! something that cannot be.

mod appliance;
mod arguments;
mod platform;
mod proof;
mod role;
mod service;
mod station;

use std::path::Path;
use std::process::ExitCode;

use arguments::Command;
use upkeep::identity::Role;

/// One sentence for the person at the command line, and the exit status.
struct Failure {
    sentence: String,
    status: u8,
}

impl Failure {
    /// What was asked for cannot be: bad input, a folder in use, a wrong setting.
    fn refused(error: impl std::fmt::Display) -> Self {
        Self { sentence: error.to_string(), status: 2 }
    }

    fn failed(error: impl std::fmt::Display) -> Self {
        Self { sentence: error.to_string(), status: 1 }
    }
}

fn main() -> ExitCode {
    let result =
        arguments::parse(std::env::args_os().skip(1)).map_err(Failure::refused).and_then(|command| {
            match command {
                Command::Help => {
                    print!("{}", arguments::HELP);
                    Ok(())
                }
                Command::Version => {
                    println!("hookline {}", env!("CARGO_PKG_VERSION"));
                    Ok(())
                }
                Command::Station(options) => station::run(options),
                Command::Platform(options) => platform::run(options),
                Command::Appliance(options) => appliance::run(options),
                Command::Replay(options) => replay(&options),
                Command::Reindex { data } => reindex(&data),
                Command::Check { data } => check(&data),
            }
        });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("hookline: {}", failure.sentence.replace('\n', " "));
            ExitCode::from(failure.status)
        }
    }
}

fn replay(options: &::station::replay::ReplayOptions) -> Result<(), Failure> {
    let summary = ::station::replay::run(options)
        .map_err(|error| if error.is_failure() { Failure::failed(error) } else { Failure::refused(error) })?;
    let cpu_s = cpu_seconds();
    println!(
        "replayed {} ports, {:.1} s each, in {:.2} s CPU ({:.0} channel-seconds per CPU-second), {} recordings, {} gaps",
        summary.ports,
        summary.seconds,
        cpu_s,
        summary.channel_seconds / cpu_s.max(0.001),
        summary.recordings,
        summary.gaps
    );
    Ok(())
}

/// User and system time of this process so far.
fn cpu_seconds() -> f64 {
    use nix::sys::resource::{UsageWho, getrusage};
    use nix::sys::time::TimeValLike;
    getrusage(UsageWho::RUSAGE_SELF)
        .map_or(0.0, |usage| (usage.user_time() + usage.system_time()).num_microseconds() as f64 / 1e6)
}

/// What a data folder is of; one that cannot be looked into is told by the role that is asked then.
fn role_of(data: &Path) -> Result<Role, Failure> {
    let data = recording::DataDir::open_existing(data).map_err(Failure::refused)?;
    upkeep::identity::role(&data).map_err(Failure::refused)
}

fn reindex(data: &Path) -> Result<(), Failure> {
    let report = match role_of(data)? {
        Role::Station => ::station::maintenance::reindex(data).map_err(Failure::refused)?,
        Role::Platform => ::platform::maintenance::reindex(data).map_err(Failure::refused)?,
    };
    println!("{report}");
    Ok(())
}

fn check(data: &Path) -> Result<(), Failure> {
    let findings = match role_of(data)? {
        Role::Station => ::station::maintenance::check(data).map_err(Failure::refused)?,
        Role::Platform => ::platform::maintenance::check(data).map_err(Failure::refused)?,
    };
    for finding in &findings {
        println!("{finding}");
    }
    match findings.len() {
        0 => {
            println!("{}: every storage invariant holds", data.display());
            Ok(())
        }
        count => Err(Failure::failed(format!("{}: {count} storage invariants are broken", data.display()))),
    }
}
