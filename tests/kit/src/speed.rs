//! Detection speed: the product and spandsp's receivers on the same audio in the same run, one thread each, by the
//! CPU time that the operating system counts for each process, reading of the files included.

use std::fs;
use std::path::{Path, PathBuf};

use crate::audio::{RATE_HZ, seconds};
use crate::corpus::Speech;
use crate::measure::{MeasureError, Verdict};
use crate::replay::{detect, run};
use crate::scenario::{LineKind, ScenarioFolder, busy_line};
use crate::spandsp::{CallerIdForm, Receiver, ReceiverParts, SupervisoryTone};
use crate::wav;

/// Samples that the peer gets at a time: 20 ms, as telephony passes them around.
const PEER_BLOCK: usize = 160;

/// Runs spandsp's receivers over every WAV file of a scenario, one channel after the other, which is the kindest order
/// for the caches; answers the channel-seconds heard.
pub fn peer(scenario: &Path, with_adsi: bool) -> Result<f64, MeasureError> {
    let entries =
        fs::read_dir(scenario).map_err(|source| MeasureError::Folder { path: scenario.into(), source })?;
    let mut files: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "wav"));
    files.sort();
    let mut heard_samples = 0;
    let mut loudest = f32::MIN;
    for path in files {
        for track in wav::read(&path)? {
            let mut receiver = Receiver::new(ReceiverParts {
                dtmf: true,
                tones: SupervisoryTone::china(),
                caller_id: with_adsi.then_some(CallerIdForm::Bell202Mdmf),
                power_meter: true,
            })?;
            for block in track.chunks(PEER_BLOCK) {
                receiver.hear(block);
            }
            loudest = loudest.max(receiver.level_dbm0());
            heard_samples += track.len();
        }
    }
    std::hint::black_box(loudest);
    Ok(seconds(heard_samples))
}

/// The audio: dense dialling, tones and speech on lines that are off-hook throughout.
fn make_audio(folder: &Path, ports: u16, length_s: f64) -> Result<(), MeasureError> {
    let speech = Speech::load("en")?;
    let mut scenario = ScenarioFolder::create(folder)?;
    for port in 1..=ports {
        scenario.add(busy_line(LineKind::Plain, port, 64, &speech, length_s)?, length_s)?;
    }
    Ok(scenario.finish()?)
}

/// One figure: channel-seconds per CPU-second.
struct Speed {
    channel_s: f64,
    cpu_s: f64,
}

impl Speed {
    fn value(&self) -> f64 {
        self.channel_s / self.cpu_s.max(1e-9)
    }
}

/// Median of the runs: other work on the machine disturbs one or another.
fn median(mut speeds: Vec<Speed>) -> Option<Speed> {
    speeds.sort_by(|a, b| a.value().total_cmp(&b.value()));
    let middle = speeds.len() / 2;
    (!speeds.is_empty()).then(|| speeds.swap_remove(middle))
}

/// What a run needs.
#[derive(Clone, Debug)]
pub struct SpeedBench {
    pub hookline: PathBuf,
    /// This program, run anew so that its CPU time is counted alone.
    pub kit: PathBuf,
    pub work: PathBuf,
    pub ports: u16,
    pub length_s: f64,
    pub runs: u32,
}

/// The ratio that must be reached in both comparisons.
const FLOOR: f64 = 2.0;
const AIM: f64 = 4.0;

/// Prints the table; true when both ratios reach the floor.
pub fn detection(bench: &SpeedBench) -> Result<bool, MeasureError> {
    let scenario = bench.work.join("detection");
    make_audio(&scenario, bench.ports, bench.length_s)?;
    let channel_s = f64::from(bench.ports) * (bench.length_s * RATE_HZ as f64).round() / RATE_HZ as f64;

    let ours = |options: &[&str]| -> Result<Speed, MeasureError> {
        let mut all = vec!["--threads", "1"];
        all.extend(options);
        Ok(Speed { channel_s, cpu_s: detect(&bench.hookline, &scenario, &all)?.1.cpu_s })
    };
    let theirs = |options: &[&str]| -> Result<Speed, MeasureError> {
        let folder = scenario.display().to_string();
        let mut all = vec!["peer", folder.as_str()];
        all.extend(options);
        let ran = run(&bench.kit, &all)?;
        let line = ran.output.trim();
        let heard = line.strip_prefix("heard ").and_then(|rest| rest.split(' ').next()?.parse().ok());
        let heard: f64 = heard.ok_or_else(|| MeasureError::PeerLine { line: line.into() })?;
        Ok(Speed { channel_s: heard, cpu_s: ran.cpu_s })
    };

    println!("| | ours: channel-seconds per CPU-second | spandsp | ratio | floor / aim | |");
    println!("|---|---|---|---|---|---|");
    let mut passed = true;
    let sets: [(&str, &[&str], &[&str]); 2] = [
        ("all, caller ID armed / dtmf_rx, super_tone_rx, adsi_rx, power_meter", &["--arm", "caller-id"], &[]),
        ("off-hook set / dtmf_rx, super_tone_rx, power_meter", &[], &["--without-adsi"]),
    ];
    for (name, our_options, their_options) in sets {
        let (mut our_runs, mut their_runs) = (Vec::new(), Vec::new());
        for _ in 0..bench.runs {
            our_runs.push(ours(our_options)?);
            their_runs.push(theirs(their_options)?);
        }
        let (Some(ours), Some(theirs)) = (median(our_runs), median(their_runs)) else { continue };
        let ratio = ours.value() / theirs.value();
        let verdict = Verdict::of(ratio, FLOOR, AIM);
        passed &= verdict != Verdict::Failed;
        println!(
            "| {name} | {:.0} | {:.0} | {ratio:.2} | {FLOOR} / {AIM} | {verdict} |",
            ours.value(),
            theirs.value()
        );
    }
    println!(
        "\n{} ports of {:.0} s each: dialling, tones and speech, off-hook throughout; one thread each; median of {} runs \
         that took turns; user and system time of the whole process, files and events included.",
        bench.ports, bench.length_s, bench.runs
    );
    Ok(passed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peer_hears_every_track_of_a_scenario() {
        let folder = tempfile::tempdir().unwrap();
        make_audio(folder.path(), 2, 100.0).unwrap();
        assert_eq!(peer(folder.path(), true).unwrap(), 200.0);
        assert!(peer(Path::new("/nonexistent"), true).is_err());
    }

    #[test]
    fn the_median_run_counts() {
        let speeds = [3.0, 1.0, 2.0].map(|cpu_s| Speed { channel_s: 6.0, cpu_s });
        assert_eq!(median(speeds.into()).unwrap().value(), 3.0);
        assert!(median(Vec::new()).is_none());
    }
}
