//! Runs `hookline replay`, the product's fixed interface, and measures what it cost.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::resource::{UsageWho, getrusage};

use crate::event::{self, Event, EventFileError};

#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    #[error("cannot start {}: {source}; build it with 'cargo build --release -p hookline'", program.display())]
    Start { program: PathBuf, source: io::Error },
    #[error("cannot remove {}: {source}", path.display())]
    Clear { path: PathBuf, source: io::Error },
    #[error("{command} ended with {status}: {said}")]
    Failed { command: String, status: std::process::ExitStatus, said: String },
    #[error("replay's last line is not as the scenario page has it: {line:?}")]
    LastLine { line: String },
    #[error("replay reports {gaps} gaps in what it recorded")]
    Gaps { gaps: u64 },
    #[error(transparent)]
    Events(#[from] EventFileError),
}

/// What a program printed, and the user and system seconds it took.
#[derive(Clone, Debug)]
pub struct Ran {
    pub output: String,
    pub cpu_s: f64,
}

/// CPU seconds of all children that have ended.
fn children_cpu_s() -> f64 {
    getrusage(UsageWho::RUSAGE_CHILDREN).map_or(0.0, |usage| {
        [usage.user_time(), usage.system_time()]
            .iter()
            .map(|time| time.tv_sec() as f64 + time.tv_usec() as f64 * 1e-6)
            .sum()
    })
}

/// Runs a program to its end. Only one at a time: the CPU time is that of all children.
pub fn run(program: &Path, arguments: &[&str]) -> Result<Ran, ReplayError> {
    let before = children_cpu_s();
    let done = Command::new(program)
        .args(arguments)
        .output()
        .map_err(|source| ReplayError::Start { program: program.into(), source })?;
    let cpu_s = children_cpu_s() - before;
    if !done.status.success() {
        let command = format!("{} {}", program.display(), arguments.join(" "));
        let said = String::from_utf8_lossy(&done.stderr).trim().to_string();
        return Err(ReplayError::Failed { command, status: done.status, said });
    }
    Ok(Ran { output: String::from_utf8_lossy(&done.stdout).into_owned(), cpu_s })
}

/// Detection of a whole scenario: `hookline replay SCENARIO --out … --no-write` with further `options`.
pub fn detect(hookline: &Path, scenario: &Path, options: &[&str]) -> Result<(Vec<Event>, Ran), ReplayError> {
    let mut all = vec!["--no-write"];
    all.extend(options);
    replay(hookline, scenario, &scenario.join("replayed"), &all)
}

/// A whole replay into the data folder `out`, which is made anew.
pub fn replay(
    hookline: &Path,
    scenario: &Path,
    out: &Path,
    options: &[&str],
) -> Result<(Vec<Event>, Ran), ReplayError> {
    // What an earlier run left must not be read as this one's.
    if let Err(source) = fs::remove_dir_all(out)
        && source.kind() != io::ErrorKind::NotFound
    {
        return Err(ReplayError::Clear { path: out.into(), source });
    }
    let (scenario, out_text) = (scenario.display().to_string(), out.display().to_string());
    let mut arguments = vec!["replay", &scenario, "--out", &out_text];
    arguments.extend(options);
    let ran = run(hookline, &arguments)?;
    let gaps = gaps_of(&ran.output)?;
    if gaps > 0 {
        return Err(ReplayError::Gaps { gaps });
    }
    Ok((event::read(&out.join("events.jsonl"))?, ran))
}

/// Reads `replayed 32 ports, … 41 recordings, 0 gaps`.
fn gaps_of(output: &str) -> Result<u64, ReplayError> {
    let line = output.lines().next_back().unwrap_or_default();
    let gaps = line.strip_suffix(" gaps").or_else(|| line.strip_suffix(" gap"));
    let gaps = gaps.and_then(|rest| rest.rsplit(' ').next()?.parse().ok());
    gaps.filter(|_| line.starts_with("replayed ")).ok_or_else(|| ReplayError::LastLine { line: line.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_is_read_and_anything_else_refused() {
        let line = "replayed 32 ports, 3600.0 s each, in 1.92 s CPU (60000 channel-seconds per CPU-second), 41 recordings, 0 gaps";
        assert_eq!(gaps_of(&format!("hello\n{line}\n")).unwrap(), 0);
        assert_eq!(gaps_of(&line.replace("0 gaps", "3 gaps")).unwrap(), 3);
        for wrong in ["", "done", "12 gaps", "replayed 1 port"] {
            assert!(gaps_of(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_program_that_fails_is_named_with_what_it_said() {
        let error =
            run(Path::new("/bin/sh"), &["-c", "echo no such line >&2; exit 2"]).unwrap_err().to_string();
        assert!(error.contains("no such line") && error.contains('2'), "{error}");
        assert!(run(Path::new("/nonexistent"), &[]).unwrap_err().to_string().contains("cannot start"));
    }

    #[test]
    fn cpu_time_of_a_busy_child_is_seen() {
        let ran =
            run(Path::new("/bin/sh"), &["-c", "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; echo $i"])
                .unwrap();
        assert_eq!(ran.output.trim(), "200000");
        assert!(ran.cpu_s > 0.01, "{}", ran.cpu_s);
    }
}
