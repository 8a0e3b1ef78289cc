//! The scenario builder keeps its own promises: what truth says is really in the audio and the volts, and the same
//! seed makes the same scenario.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test they serve")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use hookline_test_kit::audio::{level_dbm0, samples};
use hookline_test_kit::corpus::Speech;
use hookline_test_kit::event::{self, Event};
use hookline_test_kit::scenario;
use hookline_test_kit::spandsp::{Heard, Receiver, ReceiverParts};
use hookline_test_kit::wav;

/// The demo, made once for all tests that look at it, in a folder that every run writes over.
fn demo() -> &'static (PathBuf, Vec<Event>) {
    static DEMO: LazyLock<(PathBuf, Vec<Event>)> = LazyLock::new(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("kit-demo");
        scenario::demo(&folder).unwrap();
        let truth = event::read(&folder.join("truth.jsonl")).unwrap();
        (folder, truth)
    });
    &DEMO
}

fn of_port<'a>(truth: &'a [Event], port: u16, kind: &'a str) -> impl Iterator<Item = &'a Event> {
    truth.iter().filter(move |event| event.port == port && event.event == kind && !event.is_optional())
}

#[test]
fn something_rings_within_five_seconds_and_every_kind_of_event_is_there() {
    let (_, truth) = demo();
    assert!(truth.iter().any(|event| event.event == "ring_start" && event.t < 5.0));
    let kinds: BTreeSet<_> = truth.iter().map(|event| event.event.as_str()).collect();
    for kind in [
        "off_hook",
        "on_hook",
        "polarity_reversed",
        "hook_flash",
        "line_lost",
        "line_restored",
        "digit",
        "pulse_digit",
        "caller_id",
        "tone_start",
        "tone_stop",
        "record_start",
        "record_stop",
        "alarm_raised",
        "alarm_cleared",
    ] {
        assert!(kinds.contains(kind), "no {kind} in the demo");
    }
    let said = |kind: &str, member: &str| -> BTreeSet<String> {
        let of_kind = truth.iter().filter(|event| event.event == kind);
        of_kind.filter_map(|event| event.text(member).map(String::from)).collect()
    };
    assert_eq!(said("tone_start", "tone").len(), 8, "all eight tones");
    assert_eq!(said("caller_id", "standard").len(), 3, "all three standards");
    for call_type in ["incoming_answered", "outgoing_answered", "outgoing_unanswered"] {
        assert!(said("record_stop", "call_type").contains(call_type), "no {call_type}");
    }
    assert!(said("call_without_audio", "call_type").contains("incoming_missed"));
}

#[test]
fn every_port_ends_as_it_began_so_that_the_demo_loops() {
    let (folder, truth) = demo();
    for port in 1..=16 {
        let tracks = wav::read(&folder.join(format!("port{port:02}.wav"))).unwrap();
        assert!(tracks.iter().all(|track| track.len() == samples(scenario::DEMO_S)), "port {port}");
        let up = of_port(truth, port, "off_hook").count();
        let down = of_port(truth, port, "on_hook").count()
            + truth
                .iter()
                .filter(|event| {
                    event.port == port
                        && event.event == "record_stop"
                        && event.text("mode") == Some("line_lost")
                })
                .count();
        assert_eq!(up, down, "port {port} does not end on-hook");
        assert!(truth.iter().filter(|event| event.port == port).all(|event| event.t < scenario::DEMO_S));
    }
}

#[test]
fn hook_changes_alternate_and_recordings_follow_them() {
    let (_, truth) = demo();
    for port in 1..=16 {
        let mut up = None;
        for event in truth.iter().filter(|event| event.port == port) {
            match event.event.as_str() {
                "off_hook" => assert_eq!(up.replace(event.t), None, "port {port} at {}", event.t),
                "on_hook" if !event.is_optional() => {
                    assert!(up.take().is_some(), "port {port} at {}", event.t)
                }
                "line_lost" => up = None,
                _ => {}
            }
        }
        for stop in of_port(truth, port, "record_stop") {
            let end = stop.number("start").unwrap() + stop.number("seconds").unwrap();
            assert!((end - stop.t).abs() < 1e-6, "port {port}: start + seconds is the stop");
            assert!(stop.number("seconds").unwrap() > 0.0);
        }
    }
}

#[test]
fn the_digits_of_the_truth_are_heard_by_an_independent_receiver() {
    let (folder, truth) = demo();
    let mut digits = 0;
    for port in [1, 2, 5, 13] {
        let tracks = wav::read(&folder.join(format!("port{port:02}.wav"))).unwrap();
        for event in of_port(truth, port, "digit") {
            let length = event.number("duration_ms").unwrap() / 1000.0;
            let from = samples(event.t);
            let mut receiver = Receiver::new(ReceiverParts { dtmf: true, ..Default::default() }).unwrap();
            receiver.hear(&tracks[0][from..from + samples(length + 0.05)]);
            let heard = receiver.heard();
            let [Heard::Digit { digit, .. }] = heard[..] else {
                panic!("port {port} at {}: {heard:?}", event.t)
            };
            assert_eq!(Some(digit.to_string().as_str()), event.text("digit"), "port {port} at {}", event.t);
            digits += 1;
        }
    }
    assert!(digits > 40, "only {digits} digits were looked at");
}

#[test]
fn tones_stand_where_the_truth_says() {
    let (folder, truth) = demo();
    for port in [1, 5, 13] {
        let audio = &wav::read(&folder.join(format!("port{port:02}.wav"))).unwrap()[0];
        for event in of_port(truth, port, "tone_start") {
            let (before, after) = (samples(event.t - 0.05), samples(event.t + 0.05));
            let quiet = level_dbm0(&audio[before..samples(event.t)]);
            let loud = level_dbm0(&audio[samples(event.t)..after]);
            assert!(quiet < -45.0 && loud > -25.0, "port {port} at {}: {quiet} then {loud} dBm0", event.t);
        }
    }
}

#[test]
fn the_same_seed_makes_the_same_scenario_and_another_seed_another() {
    let read = |folder: &Path, name: &str| fs::read(folder.join(name)).unwrap();
    let made: Vec<_> = [5, 5, 6]
        .map(|seed| {
            let folder = tempfile::tempdir().unwrap();
            scenario::mixed(folder.path(), seed, 4, 120.0).unwrap();
            folder
        })
        .into();
    for name in ["scenario.toml", "truth.jsonl", "port01.wav", "port02.volts.csv", "port03.wav"] {
        assert_eq!(read(made[0].path(), name), read(made[1].path(), name), "{name}");
    }
    assert_ne!(read(made[0].path(), "truth.jsonl"), read(made[2].path(), "truth.jsonl"));
}

#[test]
fn any_seed_makes_a_scenario() {
    for seed in 0..3 {
        let folder = tempfile::tempdir().unwrap();
        scenario::mixed(folder.path(), seed, 14, 200.0).unwrap();
    }
    assert!(scenario::mixed(tempfile::tempdir().unwrap().path(), 1, 0, 10.0).is_err());
}

#[test]
fn pauses_inside_clips_do_not_end_a_voice_recording() {
    let pause = Speech::load("en").unwrap().longest_pause_s();
    assert!(pause < 3.0, "a clip pauses for {pause} s");
}
