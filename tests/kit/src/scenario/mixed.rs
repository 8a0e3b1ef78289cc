//! Whole scenarios: a random mix of every kind of line, and the demo that `scripts/run` plays.

use std::path::Path;

use super::kinds::{LineKind, call, fill, line_of};
use super::{ScenarioError, ScenarioFolder};
use crate::corpus::Speech;

/// A mix of every kind of line, the same for the same seed. Under about 120 s the lines hardly get a call in.
pub fn mixed(folder: &Path, seed: u64, ports: u16, length_s: f64) -> Result<(), ScenarioError> {
    if !(1..=480).contains(&ports) {
        return Err(ScenarioError::Ports { count: ports });
    }
    let speech = Speech::load("en")?;
    let mut scenario = ScenarioFolder::create(folder)?;
    for port in 1..=ports {
        let kind = LineKind::ALL[usize::from(port - 1) % LineKind::ALL.len()];
        let mut line = line_of(kind, port, seed);
        let first_s = line.between(1.0, 6.0);
        // Each port ends with its own audio.
        let own_s = if kind == LineKind::OffHookAtEdges { length_s - 2.37 } else { length_s };
        fill(&mut line, kind, &speech, first_s, own_s)?;
        scenario.add(line, own_s)?;
    }
    scenario.finish()
}

/// Length of the demo, after which it begins again.
pub const DEMO_S: f64 = 300.0;

/// Sixteen ports of a police station: name, kind, first call of the round, when it begins.
const DEMO: [(&str, LineKind, u32, f64); 16] = [
    ("接警台1", LineKind::Plain, 0, 2.0),
    ("接警台2", LineKind::ALaw, 1, 4.0),
    ("接警台3", LineKind::TwoTracks, 4, 6.5),
    ("值班室", LineKind::LowVoltage, 6, 3.2),
    ("值班领导", LineKind::Reversed, 1, 9.0),
    ("无线电台", LineKind::VoiceActivated, 0, 5.0),
    ("会议电话", LineKind::LongCalls, 0, 7.5),
    ("内部专线", LineKind::DoNotRecord, 3, 12.0),
    ("门卫室", LineKind::Breaking, 0, 10.0),
    ("档案室", LineKind::DialPhone, 2, 8.0),
    ("公路岗亭", LineKind::Noisy, 7, 14.0),
    ("备用线路", LineKind::Idle, 0, 0.0),
    ("户籍窗口", LineKind::Plain, 5, 20.0),
    ("社区警务室", LineKind::ALaw, 8, 27.0),
    ("调度台1", LineKind::TwoTracks, 3, 34.0),
    ("调度台2", LineKind::Plain, 9, 42.0),
];

/// The demo: about five minutes that end as they began, all lines on-hook, so that it can be played in a loop.
pub fn demo(folder: &Path) -> Result<(), ScenarioError> {
    let speech = Speech::load("en")?;
    let mut scenario = ScenarioFolder::create(folder)?;
    for (index, (name, kind, first_turn, first_s)) in DEMO.into_iter().enumerate() {
        let mut line = line_of(kind, index as u16 + 1, 20_260_301);
        line.set("name", &format!("\"{name}\""));
        match kind {
            LineKind::Idle | LineKind::VoiceActivated => fill(&mut line, kind, &speech, first_s, DEMO_S)?,
            _ => {
                line.begin();
                line.wait(first_s);
                let mut turn = first_turn;
                while line.now_s() + 75.0 < DEMO_S {
                    call(&mut line, kind, &speech, turn)?;
                    turn += 1;
                    let pause_s = line.between(4.0, 20.0);
                    line.wait(pause_s);
                }
            }
        }
        scenario.add(line, DEMO_S)?;
    }
    scenario.finish()
}
