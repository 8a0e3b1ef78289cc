//! `hookline replay`, by its fixed interface: what goes in, what comes out, and that it is the same each time.

mod support;

use std::fs;
use std::path::Path;

use recording::{Reader, Select};
use serde_json::Value;
use support::{hookline, marked_audio, write_scenario};

fn events(out: &Path) -> Vec<Value> {
    let text = fs::read_to_string(out.join("events.jsonl")).expect("written");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn replay(scenario: &Path, out: &Path, more: &[&str]) -> String {
    let mut arguments =
        vec!["replay", scenario.to_str().expect("text"), "--out", out.to_str().expect("text")];
    arguments.extend(more);
    let output = hookline(&arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

/// Twenty ports, each with calls at its own times.
fn office(folder: &Path) {
    let ports: Vec<_> = (1..=20_u16)
        .map(|port| {
            let at = 2.5 + f64::from(port) * 0.137;
            let volts = format!(
                "seconds,volts,ring_volts\n0,48,0\n{at},8,0\n{},48,0\n{},-8,0\n{},48,0\n",
                at + 2.0,
                at + 4.0,
                at + 5.5
            );
            (port, marked_audio(port, 8000 * 12), volts)
        })
        .collect();
    write_scenario(folder, &ports);
}

#[test]
fn a_call_is_kept_sample_for_sample_with_its_pre_roll() {
    let dir = tempfile::tempdir().expect("a folder");
    let (scenario, out) = (dir.path().join("scenario"), dir.path().join("out"));
    let audio = marked_audio(1, 8000 * 10);
    write_scenario(
        &scenario,
        &[(1, audio.clone(), "seconds,volts,ring_volts\n0,48,0\n3.5,8,0\n6.25,48,0\n".into())],
    );
    let said = replay(&scenario, &out, &[]);
    assert!(said.starts_with("replayed 1 ports, 10.0 s each, in "), "{said}");
    assert!(said.trim_end().ends_with("1 recordings, 0 gaps"), "{said}");

    let events = events(&out);
    let stop = events.iter().find(|event| event["event"] == "record_stop").expect("a recording");
    assert_eq!(
        (stop["start"].as_f64(), stop["seconds"].as_f64(), stop["pre_roll_s"].as_f64()),
        (Some(3.5), Some(2.75), Some(2.0))
    );
    assert_eq!(
        (&stop["mode"], &stop["line_number"], &stop["peer_number"]),
        (&"on_hook".into(), &"8001".into(), &Value::Null)
    );
    let reader = Reader::open(out.join(stop["file"].as_str().expect("a file"))).expect("opens");
    let mut kept = vec![0; reader.samples() as usize];
    reader.read(Select::Mix, 0, &mut kept).expect("reads");
    let from = 12_000;
    assert_eq!(kept.len(), 38_000);
    assert!(kept.iter().zip(&audio[from..]).all(|(kept, line)| *kept == signal::g711::alaw_to_linear(*line)));
}

#[test]
fn the_same_input_gives_the_same_events_on_any_number_of_threads() {
    let dir = tempfile::tempdir().expect("a folder");
    let scenario = dir.path().join("scenario");
    office(&scenario);
    let toml = scenario.join("scenario.toml");
    let with_start = fs::read_to_string(&toml).expect("text").replacen(
        "rate = 8000",
        "rate = 8000\nstart = \"2026-03-01T08:00:00+08:00\"",
        1,
    );
    fs::write(&toml, with_start).expect("written");
    let mut all = Vec::new();
    for threads in ["1", "2", "7"] {
        let out = dir.path().join(threads);
        // The serial number is part of nothing in the events, but of the data folder.
        replay(&scenario, &out, &["--threads", threads]);
        all.push(fs::read_to_string(out.join("events.jsonl")).expect("text"));
    }
    assert_eq!(all[0].lines().filter(|line| line.contains("record_stop")).count(), 40);
    assert!(all.iter().all(|events| *events == all[0]));
    let times: Vec<(f64, u64)> = events(&dir.path().join("1"))
        .iter()
        .map(|event| (event["t"].as_f64().expect("a time"), event["port"].as_u64().expect("a port")))
        .collect();
    assert!(times.windows(2).all(|pair| pair[0] <= pair[1]), "events are not in the order of t, then port");
}

#[test]
fn without_writing_there_are_events_and_nothing_else() {
    let dir = tempfile::tempdir().expect("a folder");
    let (scenario, out) = (dir.path().join("scenario"), dir.path().join("out"));
    office(&scenario);
    replay(&scenario, &out, &["--no-write", "--arm", "caller-id"]);
    let left: Vec<_> =
        fs::read_dir(&out).expect("a folder").map(|entry| entry.expect("an entry").file_name()).collect();
    assert_eq!(left, ["events.jsonl"]);
    assert!(
        events(&out)
            .iter()
            .filter(|event| event["event"] == "record_stop")
            .all(|event| event["file"].is_null())
    );
}

#[test]
fn what_was_replayed_can_be_reindexed_and_checked() {
    let dir = tempfile::tempdir().expect("a folder");
    let (scenario, out) = (dir.path().join("scenario"), dir.path().join("out"));
    office(&scenario);
    replay(&scenario, &out, &[]);
    let data = out.to_str().expect("text");
    fs::remove_file(out.join("catalog.sqlite")).expect("removed");
    for command in ["reindex", "check"] {
        let output = hookline(&[command, "--data", data]);
        assert!(
            output.status.success(),
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

#[test]
fn what_an_interruption_or_a_bad_disk_left_is_mended_by_reindex() {
    let dir = tempfile::tempdir().expect("a folder");
    let (scenario, out) = (dir.path().join("scenario"), dir.path().join("out"));
    office(&scenario);
    replay(&scenario, &out, &[]);
    let files: Vec<String> = events(&out)
        .iter()
        .filter(|event| event["event"] == "record_stop")
        .map(|event| event["file"].as_str().expect("a file").to_owned())
        .collect();
    let first = out.join(&files[0]);
    let day = first.parent().expect("a folder");
    fs::write(day.join("half.wav.tmp"), "RIFF").expect("written");
    fs::write(day.join("stray.peaks"), "peaks").expect("written");
    fs::write(day.join("stranger.wav"), "no recording").expect("written");
    fs::remove_file(out.join(&files[1])).expect("removed");

    let data = out.to_str().expect("text");
    let reindexed = hookline(&["reindex", "--data", data]);
    let said = String::from_utf8_lossy(&reindexed.stdout).into_owned();
    assert!(reindexed.status.success(), "{said}{}", String::from_utf8_lossy(&reindexed.stderr));
    assert!(said.contains("40 records") && said.contains("1 without their file"), "{said}");
    assert!(!day.join("stray.peaks").exists() && !day.join("half.wav.tmp").exists());
    assert!(!day.join("stranger.wav").exists(), "a file that is no recording is moved away");
    assert!(first.exists());
}
