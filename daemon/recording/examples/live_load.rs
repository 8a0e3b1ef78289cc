//! What recording costs: PORTS live ports in real time for SECONDS, in calls of 20 s, and then processor time, memory
//! and the longest call into the recorder.
//!     cargo run --release -p hookline-recording --example live_load -- [PORTS] [SECONDS]

#[path = "../tests/common/mod.rs"]
mod common;

use std::sync::Arc;
use std::time::{Duration, Instant};

use common::{BLOCK, Journal, SERIAL, begin, block, stop};
use hookline_recording as recording;
use recording::{DataDir, Settings};
use signal::SampleIndex;

const CALL_SAMPLES: u64 = 20 * 8000;

fn main() {
    let mut numbers = std::env::args().skip(1).map(|text| text.parse::<u64>());
    let mut next = |or: u64| numbers.next().map_or(or, |number| number.unwrap_or(or));
    let (ports, seconds) = (next(64) as u16, next(60));

    let folder = tempfile::tempdir().expect("a folder");
    let data = DataDir::open(folder.path()).expect("an empty folder");
    let journal = Arc::new(Journal::open(folder.path()));
    let settings = Settings::analog(SERIAL, usize::from(ports));
    let (recorder, service) = recording::start(&data, settings, journal.clone()).expect("it starts");
    // Audio is made beforehand, so that its making is not counted.
    let audio: Vec<_> = (0..ports).map(|port| block(port, 0)).collect();
    let mut opens: Vec<_> = (0..ports).map(|port| (begin(&recorder, port, 0), 0)).collect();

    let (began, cpu_began) = (Instant::now(), cpu_seconds());
    let mut longest = Duration::ZERO;
    for number in 0..seconds * 100 {
        let at = number * BLOCK;
        for (port, (open, first)) in (0..ports).zip(&mut opens) {
            // Calls end one after another, not all at once.
            if at - *first >= CALL_SAMPLES && number % u64::from(ports) == u64::from(port) {
                recorder.end(*open, stop(at));
                (*open, *first) = (begin(&recorder, port, at), at);
            }
            let before = Instant::now();
            recorder.audio(*open, SampleIndex(at), &[&audio[usize::from(port)]]);
            longest = longest.max(before.elapsed());
        }
        std::thread::sleep(Duration::from_millis((number + 1) * 10).saturating_sub(began.elapsed()));
    }
    let (wall, cpu) = (began.elapsed().as_secs_f64(), cpu_seconds() - cpu_began);
    let memory = status_kib("VmRSS:");
    opens.iter().for_each(|(open, _)| recorder.end(*open, stop(seconds * 8000)));
    assert!(service.close(Duration::from_secs(60)), "everything is finished");
    println!(
        "{ports} ports, {wall:.0} s: {:.2} % of one core, {:.1} MiB resident, longest call {} µs, {} recordings, {} gaps",
        100.0 * cpu / wall,
        memory as f64 / 1024.0,
        longest.as_micros(),
        journal.records().len(),
        journal.gaps.lock().expect("no panic").len(),
    );
}

/// Processor time of this process by now, user and system.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks: f64 = fields[11..13].iter().filter_map(|ticks| ticks.parse::<f64>().ok()).sum();
    ticks / 100.0
}

fn status_kib(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}
