//! Hook, ring, digits, recordings: random lines and calls against their truth.

use super::{Bench, MeasureError, Row, Section, Verdict, folder};
use crate::compare::compare;
use crate::event;
use crate::replay::detect;
use crate::scenario;

pub fn run(bench: &Bench) -> Result<Section, MeasureError> {
    let (seeds, ports, length_s) = if bench.short { (1, 14, 300.0) } else { (4, 28, 600.0) };
    let mut section = Section::default();
    for seed in 1..=seeds {
        let scenario = folder(bench, &format!("lines-{seed}"));
        scenario::mixed(&scenario, seed, ports, length_s)?;
        let (events, _) = detect(&bench.hookline, &scenario, &[])?;
        let report = compare(&event::read(&scenario.join("truth.jsonl"))?, &events);
        for (class, result) in &report.classes {
            if result.expected + result.extra == 0 {
                continue;
            }
            let limit = |ms: Option<f64>| ms.map_or(String::new(), |ms| format!(", ≤ {ms:.0} ms"));
            let worst = result.aim_ms.map_or(String::new(), |_| format!(", worst {}", result.worst_told()));
            section.rows.push(Row {
                condition: format!("{class}, seed {seed}: {} events", result.expected),
                floor: format!("all{}", limit(result.floor_ms)),
                aim: format!("all{}", limit(result.aim_ms)),
                ours: format!(
                    "{} missed, {} extra, {} wrong{worst}",
                    result.missed, result.extra, result.wrong
                ),
                peer: "–".into(),
                verdict: match (result.passes(), result.meets_aim()) {
                    (false, _) => Verdict::Failed,
                    (true, false) => Verdict::Floor,
                    (true, true) => Verdict::Aim,
                },
            });
        }
        let form_holds = report.faults.is_empty();
        section.rows.push(Row {
            condition: format!("form of events.jsonl, seed {seed}"),
            floor: "as the scenario page".into(),
            aim: "–".into(),
            ours: if form_holds { "holds".into() } else { report.faults.join("; ") },
            peer: "–".into(),
            verdict: if form_holds { Verdict::Aim } else { Verdict::Failed },
        });
        if !report.passes() {
            section.notes.push(format!("seed {seed}:\n\n```\n{report}```"));
        }
    }
    section.notes.push(format!(
        "{seeds} scenarios of {ports} ports, {length_s} s each: every kind of line (A-law, two tracks, 24 V, reversed, voice-started, \
         long, do-not-record, breaking, dial phone, off-hook at the edges, noisy, continuous, idle) with random calls."
    ));
    Ok(section)
}
