//! The recorder as a process, killed with SIGKILL in the middle of 16 live ports, again and again on one data folder.
//! After each kill every invariant holds, every ended call is whole, and an open one lacks at most its last second.
//! `HOOKLINE_KILL_ROUNDS=50 cargo test --release -p hookline-recording --test kill` for more rounds.

mod common;

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::{BLOCK, Journal, SERIAL, begin, block, call_of, kept, stop};
use hookline_recording as recording;
use line::StopMode;
use recording::check::{Depth, check};
use recording::{DataDir, Reader, Select, Settings};
use signal::SampleIndex;

const PORTS: u16 = 16;
const NAME: &str = "kill_nine_costs_at_most_the_last_second_of_open_calls";
const CHILD: &str = "HOOKLINE_KILL_CHILD";
/// A second, and what a busy test machine may add before it runs the thread that syncs.
const MOST_LOST_SAMPLES: u64 = 8000 + 8000;

#[test]
fn kill_nine_costs_at_most_the_last_second_of_open_calls() {
    if let Ok(folder) = std::env::var(CHILD) {
        return record(Path::new(&folder));
    }
    let rounds = std::env::var("HOOKLINE_KILL_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(10);
    let data = tempfile::tempdir().expect("a folder");
    let mut most_lost = 0;
    let mut open_calls = 0;
    for round in 0..rounds {
        let given = run_and_kill(data.path(), Duration::from_millis(700 + round * 397 % 1900));
        let (lost, open) = recover(data.path(), &given, round);
        most_lost = most_lost.max(lost);
        open_calls += open;
    }
    assert!(open_calls > 0, "no call was open at any kill");
    println!("{rounds} kills, {open_calls} calls open; most lost: {:.2} s", most_lost as f64 / 8000.0);
}

/// The child: 16 ports in real time, calls of 0.4 to 3 s without a pause, told as they go on.
fn record(folder: &Path) {
    let data = DataDir::open(folder).expect("the folder is free");
    let journal = Arc::new(Journal::open(folder));
    // Positions go on over the rounds, so that no two calls have one name.
    let past = journal.records().iter().map(|(facts, _)| call_of(facts).1 + facts.samples).max().unwrap_or(0);
    let from = past.next_multiple_of(BLOCK) + 10 * BLOCK;
    let settings = Settings::analog(SERIAL, usize::from(PORTS));
    let (recorder, _service) = recording::start(&data, settings, journal).expect("it starts");
    let mut opens: Vec<_> = (1..=PORTS).map(|port| (port, from, begin(&recorder, port, from))).collect();
    let began = Instant::now();
    let mut at = from;
    loop {
        let mut told = String::new();
        for (port, first, open) in &mut opens {
            let length = 3200 + u64::from(*port) * 1440;
            if at - *first >= length {
                recorder.end(*open, stop(at));
                told += &format!("ended {port} {first} {at}\n");
                *first = at;
                *open = begin(&recorder, *port, at);
            }
            recorder.audio(*open, SampleIndex(at), &[&block(*port, at)]);
            told += &format!("given {port} {first} {}\n", at + BLOCK);
        }
        at += BLOCK;
        std::io::stdout().write_all(told.as_bytes()).expect("somebody listens");
        let due = Duration::from_micros((at - from) * 125);
        std::thread::sleep(due.saturating_sub(began.elapsed()));
    }
}

/// For each call (port and first sample) how far it was given, and whether it had ended.
type Given = HashMap<(u16, u64), (u64, bool)>;

fn run_and_kill(folder: &Path, after: Duration) -> Given {
    let mut child = Command::new(std::env::current_exe().expect("this test"))
        .args([NAME, "--exact", "--nocapture"])
        .env(CHILD, folder)
        .stdout(Stdio::piped())
        .spawn()
        .expect("the child starts");
    let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let mut given = Given::new();
    let mut first = None;
    let mut killed = false;
    for line in lines {
        let line = line.expect("text");
        let words: Vec<&str> = line.split(' ').collect();
        if let [what @ ("given" | "ended"), port, from, to] = words[..]
            && let (Ok(port), Ok(from), Ok(to)) = (port.parse(), from.parse(), to.parse())
        {
            first.get_or_insert_with(Instant::now);
            given.insert((port, from), (to, what == "ended"));
        }
        if !killed && first.is_some_and(|first| first.elapsed() >= after) {
            child.kill().expect("it runs");
            killed = true;
        }
    }
    child.wait().expect("it ended");
    given
}

/// Starts on what the kill left, and compares with what had been given. Most samples lost, and calls that were open.
fn recover(folder: &Path, given: &Given, round: u64) -> (u64, usize) {
    let data = DataDir::open(folder).expect("the lock went with the process");
    let journal = Arc::new(Journal::open(folder));
    let settings = Settings::analog(SERIAL, usize::from(PORTS));
    let (_, service) = recording::start(&data, settings, journal.clone()).expect("it starts");
    assert!(service.close(Duration::from_secs(60)), "round {round}: recovery ends");
    let report = check(folder, journal.journalled(), Depth::Audio).expect("the folder can be read");
    assert_eq!((report.violations, report.unfinished, report.damaged), (vec![], 0, 0), "round {round}");

    let mut found = HashMap::new();
    for (facts, path) in journal.records().iter() {
        let (port, first) = call_of(facts);
        assert!(found.insert((port, first), facts.clone()).is_none(), "round {round}: one call, two records");
        if !given.contains_key(&(port, first)) {
            continue;
        }
        assert!(facts.marks.is_empty(), "round {round}: {:?}", facts.marks);
        let Some(path) = path else { continue };
        let reader = Reader::open(folder.join(path)).expect("checked above");
        let mut heard = vec![0; facts.samples as usize];
        reader.read(Select::Track(0), 0, &mut heard).expect("checked above");
        let right = heard.iter().zip(first..).all(|(&sample, at)| sample == kept(port, at));
        assert!(right, "round {round}: port {port} has another sound than it was given");
    }
    let (mut most_lost, mut open) = (0, 0);
    for ((port, first), (to, ended)) in given {
        let length = to - first;
        let samples = found.get(&(*port, *first)).map_or(0, |facts| facts.samples);
        let lost = length.saturating_sub(samples);
        let cut = found.get(&(*port, *first)).is_none_or(|facts| facts.stop_mode == StopMode::PowerLoss);
        assert!(lost <= MOST_LOST_SAMPLES, "round {round}: port {port} lost {lost} of {length} samples");
        assert!(cut || lost == 0, "round {round}: an ended call of port {port} lost {lost} samples");
        // Ended a moment before the kill, it may be cut too; one that ended earlier is whole.
        open += usize::from(cut && !ended);
        most_lost = most_lost.max(lost);
    }
    (most_lost, open)
}
