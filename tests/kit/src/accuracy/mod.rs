//! The accuracy table: each row is a condition that spandsp or real speech made, run through the whole product by
//! `hookline replay`, beside what spandsp's own receiver makes of the same audio.

mod caller_id;
mod crosscheck;
mod dtmf;
mod false_alarms;
mod files;
mod lines;
mod tones;

use std::path::{Path, PathBuf};

pub use crate::measure::{MeasureError, Verdict};
use crate::scenario::Line;

/// One row of the table.
#[derive(Clone, Debug)]
pub struct Row {
    pub condition: String,
    pub floor: String,
    pub aim: String,
    pub ours: String,
    pub peer: String,
    pub verdict: Verdict,
}

impl Row {
    fn markdown(&self) -> String {
        let Self { condition, floor, aim, ours, peer, verdict } = self;
        format!("| {condition} | {floor} | {aim} | {ours} | {peer} | {verdict} |")
    }
}

/// A section's rows and what else there is to say about it.
#[derive(Clone, Debug, Default)]
pub struct Section {
    pub rows: Vec<Row>,
    pub notes: Vec<String>,
}

/// What a run needs.
#[derive(Clone, Debug)]
pub struct Bench {
    pub hookline: PathBuf,
    /// Scenarios are made in here and left for a look.
    pub work: PathBuf,
    /// Fewer messages, tones and minutes, for continuous integration.
    pub short: bool,
}

pub const SECTIONS: [&str; 7] =
    ["dtmf", "caller-id", "tones", "false-alarms", "lines", "files", "cross-check"];

/// Runs one section.
pub fn run(bench: &Bench, section: &str) -> Result<Section, MeasureError> {
    match section {
        "dtmf" => dtmf::run(bench),
        "caller-id" => caller_id::run(bench),
        "tones" => tones::run(bench),
        "false-alarms" => false_alarms::run(bench),
        "lines" => lines::run(bench),
        "files" => files::run(bench),
        "cross-check" => crosscheck::run(bench),
        _ => Err(MeasureError::Section { name: section.into(), known: &SECTIONS }),
    }
}

/// Prints a section as Markdown; true when no floor was missed.
pub fn print(name: &str, section: &Section) -> bool {
    println!("\n### {name}\n\n| condition | floor | aim | ours | spandsp | |\n|---|---|---|---|---|---|");
    for row in &section.rows {
        println!("{}", row.markdown());
    }
    if !section.notes.is_empty() {
        println!();
    }
    for note in &section.notes {
        println!("{note}");
    }
    section.rows.iter().all(|row| row.verdict != Verdict::Failed)
}

/// A port that is off-hook from its first sample on, where digits and tones count.
fn off_hook_line(port: u16, seed: u64) -> Line {
    let mut line = Line::new(port, "", seed);
    line.noise_dbm0 = None;
    line.begin_off_hook();
    line
}

fn folder(bench: &Bench, name: &str) -> PathBuf {
    Path::new(&bench.work).join(name)
}

/// `1600 of 1600`, with what was wrong or too many behind it.
fn share(right: usize, sent: usize, wrong: usize) -> String {
    let percent = 100.0 * right as f64 / sent.max(1) as f64;
    let wrong = if wrong > 0 { format!(", {wrong} wrong") } else { String::new() };
    if right == sent { format!("100 %{wrong}") } else { format!("{percent:.2} % ({right} of {sent}){wrong}") }
}

/// Judges a share: `floor` and `aim` in per cent, no floor meaning that only the aim is asked for.
fn verdict_of_share(right: usize, sent: usize, wrong: usize, floor_percent: Option<f64>) -> Verdict {
    let percent = 100.0 * right as f64 / sent.max(1) as f64;
    match floor_percent {
        _ if right == sent && wrong == 0 && sent > 0 => Verdict::Aim,
        Some(floor) if percent < floor || sent == 0 => Verdict::Failed,
        Some(_) => Verdict::Floor,
        None => Verdict::BelowAim,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_judged_at_their_limits() {
        assert_eq!(verdict_of_share(1600, 1600, 0, Some(99.9)), Verdict::Aim);
        assert_eq!(verdict_of_share(1599, 1600, 0, Some(99.9)), Verdict::Floor);
        assert_eq!(verdict_of_share(1598, 1600, 0, Some(99.9)), Verdict::Failed);
        assert_eq!(verdict_of_share(1600, 1600, 1, Some(99.9)), Verdict::Floor);
        assert_eq!(verdict_of_share(0, 0, 0, Some(99.9)), Verdict::Failed);
        assert_eq!(verdict_of_share(5, 10, 0, None), Verdict::BelowAim);
    }
}
