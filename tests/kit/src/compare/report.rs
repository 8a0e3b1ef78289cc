//! What the judge found, class by class, and whether it passes.

use std::collections::BTreeMap;
use std::fmt;

use super::vocabulary::Kind;
use crate::event::Event;

/// One class of events: hook and ring, digits, recordings…
#[derive(Clone, Debug, Default)]
pub struct ClassResult {
    pub expected: usize,
    pub found: usize,
    pub missed: usize,
    pub extra: usize,
    /// Members with a wrong value.
    pub wrong: usize,
    pub times: usize,
    pub worst_ms: f64,
    /// What was that far off.
    pub worst: String,
    pub sum_ms: f64,
    pub floor_ms: Option<f64>,
    pub aim_ms: Option<f64>,
}

impl ClassResult {
    pub(super) fn note_time(&mut self, error_s: f64, what: impl FnOnce() -> String) {
        if self.aim_ms.is_some() {
            let error_ms = error_s.abs() * 1000.0;
            self.times += 1;
            self.sum_ms += error_ms;
            if error_ms > self.worst_ms {
                (self.worst_ms, self.worst) = (error_ms, what());
            }
        }
    }

    /// The worst time and what had it: `13.8 ms (tone_stop dial)`.
    pub fn worst_told(&self) -> String {
        let what = if self.worst.is_empty() { String::new() } else { format!(" ({})", self.worst) };
        format!("{:.1} ms{what}", self.worst_ms)
    }

    /// A hundredth of a millisecond is left for the decimals of the file.
    pub(super) fn is_late(&self, error_s: f64) -> bool {
        self.floor_ms.is_some_and(|floor_ms| error_s.abs() * 1000.0 > floor_ms + 0.01)
    }

    /// Beyond the floor, or, where there is none, far beyond the aim.
    pub(super) fn is_worth_telling(&self, error_s: f64) -> bool {
        let limit_ms = self.floor_ms.or(self.aim_ms.map(|aim_ms| 10.0 * aim_ms));
        limit_ms.is_some_and(|limit_ms| error_s.abs() * 1000.0 > limit_ms + 0.01)
    }

    pub fn passes(&self) -> bool {
        self.missed + self.extra + self.wrong == 0 && !self.is_late(self.worst_ms / 1000.0)
    }

    pub fn meets_aim(&self) -> bool {
        self.passes() && self.aim_ms.is_none_or(|aim_ms| self.worst_ms <= aim_ms + 0.01)
    }
}

/// Everything found. `Display` prints a Markdown table and then the findings.
#[derive(Clone, Debug, Default)]
pub struct Report {
    pub classes: BTreeMap<&'static str, ClassResult>,
    /// Against the form of `events.jsonl`.
    pub faults: Vec<String>,
    /// The event of truth (or the extra one) and what is wrong with it.
    pub findings: Vec<(Event, String)>,
}

impl Report {
    pub(super) fn class(&mut self, kind: &Kind) -> &mut ClassResult {
        let result = self.classes.entry(kind.class).or_default();
        (result.floor_ms, result.aim_ms) = (kind.floor_ms, kind.aim_ms);
        result
    }

    pub fn passes(&self) -> bool {
        self.faults.is_empty() && self.classes.values().all(ClassResult::passes)
    }
}

/// Findings that are printed; the rest is counted.
const PRINTED: usize = 40;

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| events | expected | missed | extra | wrong members | worst time | mean ms | floor / aim ms | |"
        )?;
        writeln!(f, "|---|---|---|---|---|---|---|---|---|")?;
        for (class, result) in &self.classes {
            if result.expected + result.extra == 0 {
                continue;
            }
            let verdict = match (result.passes(), result.meets_aim()) {
                (false, _) => "**FAILED**",
                (true, false) => "floor",
                (true, true) => "aim",
            };
            write!(
                f,
                "| {class} | {} | {} | {} | {} ",
                result.expected, result.missed, result.extra, result.wrong
            )?;
            let mean_ms = result.sum_ms / result.times.max(1) as f64;
            match (result.floor_ms, result.aim_ms) {
                (Some(floor_ms), Some(aim_ms)) => {
                    write!(f, "| {} | {mean_ms:.1} | {floor_ms:.0} / {aim_ms:.0} ", result.worst_told())?;
                }
                (None, Some(aim_ms)) => {
                    write!(f, "| {} | {mean_ms:.1} | – / {aim_ms:.0} ", result.worst_told())?;
                }
                (_, None) => write!(f, "| – | – | – ")?,
            }
            writeln!(f, "| {verdict} |")?;
        }
        for fault in &self.faults {
            writeln!(f, "form: {fault}")?;
        }
        for (event, complaint) in self.findings.iter().take(PRINTED) {
            let members = serde_json::Value::from(event.members.clone());
            writeln!(f, "port {} at {:.3} s, {} {members}: {complaint}", event.port, event.t, event.event)?;
        }
        if self.findings.len() > PRINTED {
            writeln!(f, "… and {} more", self.findings.len() - PRINTED)?;
        }
        Ok(())
    }
}
