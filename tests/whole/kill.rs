//! `kill -9` over a running station with 16 live ports, again and again on one data folder: at most the last second of
//! open calls is missing, no finished call, and every storage invariant holds. `HOOKLINE_KILLS` sets how often.

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use line::StopMode;
use recording::{Facts, Reader};
use support::{hookline, marked_audio, start_station, write_scenario};

const PORTS: u16 = 16;
/// Length of the loop, in samples.
const LOOP: u64 = 30 * 8000;
/// What may be missing of an open call, and the time the machine may take from sample to log.
const LAST_SECOND: u64 = 8000 + 1600;
/// From hanging up to the file: flash time, debounce, and the second of the log.
const SETTLED: u64 = 8000 * 3;

/// A call on the looped line: off-hook, on-hook, in samples of the loop.
type Call = (u64, u64);

fn calls_of(port: u16) -> Vec<Call> {
    let mut random = fastrand::Rng::with_seed(u64::from(port));
    let (mut calls, mut at) = (Vec::new(), 8000 * random.u64(2..5));
    loop {
        let end = at + 80 * random.u64(150..900);
        if end + 8000 * 3 > LOOP {
            return calls;
        }
        calls.push((at, end));
        // Longer than a hook flash.
        at = end + 80 * random.u64(120..300);
    }
}

fn volts_of(calls: &[Call]) -> String {
    let mut rows = "seconds,volts,ring_volts\n0,48,0\n".to_owned();
    for (off_hook, on_hook) in calls {
        rows += &format!("{},8,0\n{},48,0\n", *off_hook as f64 / 8000.0, *on_hook as f64 / 8000.0);
    }
    rows
}

/// A recording as it lies on the disk, and where in its port's loop it begins.
struct Kept {
    path: PathBuf,
    facts: Facts,
    loop_at: u64,
}

fn recordings(data: &Path, sources: &BTreeMap<u16, Vec<u8>>) -> Vec<Kept> {
    let mut kept = Vec::new();
    let mut folders = vec![data.join("recordings")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
            if entry.is_dir() {
                assert!(
                    !entry.ends_with("damaged") || fs::read_dir(&entry).expect("a folder").next().is_none()
                );
                folders.push(entry);
            } else if entry.extension().is_some_and(|extension| extension == "wav") {
                kept.push(compare_with_source(entry, sources));
            } else {
                assert!(entry.extension().is_some_and(|e| e == "peaks"), "{} is left over", entry.display());
            }
        }
    }
    kept.sort_by_key(|kept| kept.facts.id.sequence);
    kept
}

/// Every byte of the file is what was on the line, sample for sample.
fn compare_with_source(path: PathBuf, sources: &BTreeMap<u16, Vec<u8>>) -> Kept {
    let reader = Reader::open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    reader.verify_audio().expect("the audio has its checksum");
    let facts = reader.facts().clone();
    assert!(facts.samples > 0, "{} has no audio in it", path.display());
    assert!(
        facts.marks.iter().all(|mark| !matches!(mark.kind, recording::MarkKind::Gap { .. })),
        "a gap in {}",
        path.display()
    );
    let mut linear = vec![0; facts.samples as usize];
    assert_eq!(reader.read(recording::Select::Mix, 0, &mut linear).expect("reads"), linear.len());
    let kept: Vec<u8> = linear.iter().map(|sample| signal::g711::linear_to_alaw(*sample)).collect();
    let source = &sources[&facts.port];
    let probe = kept.len().min(64);
    let twice: Vec<u8> = [source.as_slice(), source.as_slice()].concat();
    let place = (0..source.len()).find(|&at| twice[at..at + probe] == kept[..probe]);
    let loop_at =
        place.unwrap_or_else(|| panic!("{} begins with what was never on the line", path.display()));
    let differs = kept.iter().zip(source.iter().cycle().skip(loop_at)).position(|(a, b)| a != b);
    assert_eq!(differs, None, "{} differs from the line", path.display());
    Kept { path, facts, loop_at: loop_at as u64 }
}

fn monotonic_us() -> i64 {
    let now = nix::time::clock_gettime(nix::time::ClockId::CLOCK_BOOTTIME).expect("there is a clock");
    now.tv_sec() * 1_000_000 + now.tv_nsec() / 1000
}

/// What this round's recordings must be: every call that began before the kill, whole or up to the last second.
fn judge(round: usize, kept: &[Kept], killed_us: i64, calls: &BTreeMap<u16, Vec<Call>>) {
    let Some(first) = kept.first() else { return };
    // Each recording tells when sample 0 of this run was: the start's time, less its place on the line.
    let start_in_loop = first.loop_at + u64::from(first.facts.pre_roll_samples);
    let turns = 0; // Each round is shorter than the loop.
    let zero_us = first.facts.start.monotonic_us - ((start_in_loop + turns * LOOP) * 125) as i64;
    let killed_at = ((killed_us - zero_us) / 125) as u64;
    assert!(killed_at < LOOP, "the round was longer than its loop");
    for (port, calls) in calls {
        for &(off_hook, on_hook) in calls.iter().filter(|call| call.0 + LAST_SECOND < killed_at) {
            let found = kept.iter().find(|k| {
                k.facts.port == *port && k.loop_at + u64::from(k.facts.pre_roll_samples) == off_hook
            });
            let found = found
                .unwrap_or_else(|| panic!("round {round}: the call of port {port} at {off_hook} is missing"));
            let end = found.loop_at + found.facts.samples;
            if on_hook + SETTLED < killed_at {
                assert_eq!(
                    (end, found.facts.stop_mode),
                    (on_hook, StopMode::OnHook),
                    "round {round}: {}",
                    found.path.display()
                );
            } else {
                assert!(
                    end + LAST_SECOND >= on_hook.min(killed_at),
                    "round {round}: {} lost more than a second",
                    found.path.display()
                );
                assert!(
                    end <= on_hook.max(killed_at),
                    "round {round}: {} goes on behind its end",
                    found.path.display()
                );
            }
        }
    }
}

#[test]
fn nothing_but_the_last_second_of_open_calls_is_lost_by_kill_9() {
    let kills: usize = std::env::var("HOOKLINE_KILLS").map_or(10, |text| text.parse().expect("a number"));
    let dir = tempfile::tempdir().expect("a folder");
    let (scenario, data) = (dir.path().join("scenario"), dir.path().join("data"));
    let calls: BTreeMap<u16, Vec<Call>> = (1..=PORTS).map(|port| (port, calls_of(port))).collect();
    let sources: BTreeMap<u16, Vec<u8>> =
        (1..=PORTS).map(|port| (port, marked_audio(port, LOOP as usize))).collect();
    let ports: Vec<_> =
        calls.iter().map(|(port, calls)| (*port, sources[port].clone(), volts_of(calls))).collect();
    write_scenario(&scenario, &ports);

    let seed = std::env::var("HOOKLINE_SEED")
        .map_or_else(|_| fastrand::u64(..), |text| text.parse().expect("a number"));
    println!("HOOKLINE_SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let mut rounds = Vec::new();
    for _ in 0..kills {
        let station = start_station(&data, &scenario);
        std::thread::sleep(Duration::from_millis(random.u64(500..9000)));
        let killed_us = monotonic_us();
        station.kill_9();
        rounds.push(killed_us);
    }
    start_station(&data, &scenario).stop();

    let kept = recordings(&data, &sources);
    let sequences: Vec<u64> = kept.iter().map(|k| k.facts.id.sequence).collect();
    assert!(sequences.windows(2).all(|pair| pair[0] < pair[1]), "a number was given twice: {sequences:?}");
    let mut from_us = i64::MIN;
    for (round, killed_us) in rounds.iter().enumerate() {
        let mine =
            |k: &&Kept| k.facts.start.monotonic_us > from_us && k.facts.start.monotonic_us <= *killed_us;
        let of_round: Vec<Kept> = kept
            .iter()
            .filter(mine)
            .map(|k| Kept { path: k.path.clone(), facts: k.facts.clone(), loop_at: k.loop_at })
            .collect();
        judge(round, &of_round, *killed_us, &calls);
        from_us = *killed_us;
    }
    assert!(
        kept.iter().any(|k| k.facts.stop_mode == StopMode::PowerLoss),
        "no call was open at any kill: the test tests nothing"
    );
    let check = hookline(&["check", "--data", data.to_str().expect("text")]);
    assert!(
        check.status.success(),
        "{}{}",
        String::from_utf8_lossy(&check.stdout),
        String::from_utf8_lossy(&check.stderr)
    );
    println!("{} recordings after {kills} kills", kept.len());
}
