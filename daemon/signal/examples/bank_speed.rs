//! How fast the detectors are, and spandsp's on the same audio: channel-seconds per CPU-second of one thread, best
//! of several rounds. `cargo run --release -p hookline-signal --example bank_speed`

use std::error::Error;
use std::fs;

use hookline_signal::{Bank, BankConfig, LANES, SampleIndex};
use hookline_test_kit::corpus;
use hookline_test_kit::spandsp::{CallerIdForm, Receiver, ReceiverParts, SupervisoryTone};

/// Samples of each track in a round, and in a block.
const TRACK: usize = 60 * 8000;
const BLOCK: usize = 80;
const ROUNDS: usize = 5;

/// Seconds that this thread has run on a CPU.
fn cpu_s() -> Result<f64, Box<dyn Error>> {
    let nanoseconds = fs::read_to_string("/proc/thread-self/schedstat")?;
    Ok(nanoseconds.split(' ').next().unwrap_or_default().parse::<f64>()? / 1e9)
}

fn channel_seconds_per_cpu_second(mut round: impl FnMut()) -> Result<f64, Box<dyn Error>> {
    let mut least_s = f64::INFINITY;
    for _ in 0..ROUNDS {
        let started_s = cpu_s()?;
        round();
        least_s = least_s.min(cpu_s()? - started_s);
    }
    Ok((LANES * TRACK) as f64 / 8000.0 / least_s)
}

fn ours(blocks: &[Vec<i16>], armed: bool) -> Result<f64, Box<dyn Error>> {
    let config = BankConfig { country: "cn".into(), voice_above_dbm0: -38.0 };
    let mut heard = 0;
    let speed = channel_seconds_per_cpu_second(|| {
        let mut bank = Bank::new(&vec![config.clone(); LANES]);
        bank.arm_caller_id_always(armed);
        for (n, block) in blocks.iter().enumerate() {
            bank.process(block, SampleIndex((n * BLOCK) as u64), &mut |_, _| heard += 1);
        }
    });
    println!("   {heard} detections in {ROUNDS} rounds");
    speed
}

fn spandsp(tracks: &[&[i16]], armed: bool) -> Result<f64, Box<dyn Error>> {
    let parts = || ReceiverParts {
        dtmf: true,
        tones: SupervisoryTone::china(),
        caller_id: armed.then_some(CallerIdForm::Bell202Mdmf),
        power_meter: true,
    };
    let mut receivers = tracks.iter().map(|_| Receiver::new(parts())).collect::<Result<Vec<_>, _>>()?;
    channel_seconds_per_cpu_second(|| {
        for (receiver, track) in receivers.iter_mut().zip(tracks) {
            for block in track.chunks(BLOCK) {
                receiver.hear(block);
            }
        }
    })
}

fn main() -> Result<(), Box<dyn Error>> {
    let audio: Vec<i16> = corpus::prompts("en")?.into_iter().flat_map(|(_, audio)| audio).collect();
    let tracks: Vec<&[i16]> = audio.chunks_exact(TRACK).take(LANES).collect();
    if tracks.len() < LANES {
        return Err("too little speech: install asterisk-core-sounds-en-wav".into());
    }
    let blocks: Vec<Vec<i16>> = (0..TRACK / BLOCK)
        .map(|n| tracks.iter().flat_map(|track| &track[n * BLOCK..][..BLOCK]).copied().collect())
        .collect();
    for (name, armed) in [("off-hook set", false), ("whole set, caller ID armed", true)] {
        let (ours, theirs) = (ours(&blocks, armed)?, spandsp(&tracks, armed)?);
        println!(
            "{name}: {ours:.0} channel-seconds per CPU-second, spandsp {theirs:.0}, {:.1} times",
            ours / theirs
        );
    }
    Ok(())
}
