//! Supervisory tones made by spandsp, and what is heard in real speech and music: figures of the README.

use hookline_signal::tone_table::{Country, Sound, china, country};
use hookline_signal::{Bank, BankConfig, Detection, LANES, SampleIndex, Tone};
use hookline_test_kit::corpus;
use hookline_test_kit::spandsp::{Noise, ToneStep, tone};

/// Runs up to [`LANES`] tracks side by side.
fn hear(country: &'static Country, tracks: &[&[i16]]) -> Vec<Vec<Detection>> {
    const BLOCK: usize = 80;
    let config = BankConfig { country: country.code.into(), voice_above_dbm0: -38.0 };
    let mut bank = Bank::new(&vec![config; tracks.len()]);
    let length = tracks.iter().map(|track| track.len()).max().unwrap_or(0);
    let mut heard: Vec<Vec<Detection>> = tracks.iter().map(|_| Vec::new()).collect();
    let mut block = vec![0; BLOCK * tracks.len()];
    for first in (0..length).step_by(BLOCK) {
        for (samples, track) in block.chunks_mut(BLOCK).zip(tracks) {
            let track = &track[first.min(track.len())..(first + BLOCK).min(track.len())];
            samples[..track.len()].copy_from_slice(track);
            samples[track.len()..].fill(0);
        }
        bank.process(&block, SampleIndex(first as u64), &mut |track, detection| {
            if matches!(detection, Detection::ToneStart { .. } | Detection::ToneStop { .. }) {
                heard[track].push(detection);
            }
        });
    }
    heard
}

#[derive(Clone, Copy, Debug)]
struct Way {
    off_hz: f32,
    scale: f32,
    dbm0: f32,
    noise_dbm0: Option<f32>,
}

const LEAD_MS: u32 = 503;

/// A tone of the table, made in some way: the track, and the true first sample and the sample behind the last.
fn make(
    of: &hookline_signal::tone_table::SupervisoryTone,
    way: Way,
    periods: usize,
    seed: u32,
) -> (Vec<i16>, u64, u64) {
    let Sound::One(hertz) = of.sound else { panic!("only single frequencies are made here") };
    let mut steps = vec![ToneStep { hertz: 0.0, dbm0: 0.0, ms: LEAD_MS }];
    let sound = |ms: f32| ToneStep { hertz: hertz + way.off_hz, dbm0: way.dbm0, ms: ms as u32 };
    if of.cadence.is_empty() {
        steps.push(sound(4000.0));
    }
    for step in of.cadence.iter().cycle().take(of.cadence.len() * periods) {
        steps.push(sound(f32::from(step.on_ms) * way.scale));
        steps.push(ToneStep { hertz: 0.0, dbm0: 0.0, ms: (f32::from(step.off_ms) * way.scale) as u32 });
    }
    let behind = if of.cadence.is_empty() { 0 } else { steps.pop().map_or(0, |last| last.ms) };
    let length: u32 = steps.iter().map(|step| step.ms).sum();
    steps.push(ToneStep { hertz: 0.0, dbm0: 0.0, ms: behind.max(14_000) + 1000 });
    let mut audio = tone(&steps);
    if let Some(noise_dbm0) = way.noise_dbm0 {
        Noise::new(seed, noise_dbm0).expect("noise").add_to(&mut audio);
    }
    (audio, u64::from(LEAD_MS) * 8, u64::from(length) * 8)
}

#[test]
fn chinese_tones_at_every_limit() {
    let mut made = Vec::new();
    for of in china().tones {
        for off_hz in [-25.0, -12.0, 0.0, 25.0] {
            for scale in [0.9, 1.0, 1.1] {
                for (dbm0, noise_dbm0) in
                    [(-10.0, None), (-10.0, Some(-30.0)), (0.0, None), (-30.0, Some(-55.0))]
                {
                    let way = Way { off_hz, scale, dbm0, noise_dbm0 };
                    made.push((of.tone, way, make(of, way, 5, made.len() as u32 + 1)));
                }
            }
        }
    }
    let (mut wrong, mut worst_start, mut worst_stop) = (0, 0, 0);
    for group in made.chunks(LANES) {
        let tracks: Vec<&[i16]> = group.iter().map(|(_, _, (audio, ..))| audio.as_slice()).collect();
        for ((tone, way, (_, start, end)), heard) in group.iter().zip(hear(china(), &tracks)) {
            match heard[..] {
                [
                    Detection::ToneStart { at, tone: started },
                    Detection::ToneStop { at: to, tone: stopped },
                ] if started == *tone && stopped == *tone => {
                    if at.0.abs_diff(*start).max((to.0 + 1).abs_diff(*end)) > 15 * 8 {
                        println!("{tone:?} {way:?}: edges at {} and {}", at.0, to.0);
                    }
                    worst_start = worst_start.max(at.0.abs_diff(*start));
                    worst_stop = worst_stop.max((to.0 + 1).abs_diff(*end));
                }
                _ => {
                    wrong += 1;
                    println!("{tone:?} {way:?}: {heard:?}");
                }
            }
        }
    }
    println!(
        "{} tones, {wrong} wrong; start within {} ms, stop within {} ms",
        made.len(),
        worst_start as f64 / 8.0,
        worst_stop as f64 / 8.0
    );
    assert_eq!(wrong, 0);
    assert!(worst_start.max(worst_stop) <= 15 * 8);
}

/// Tones heard in real speech or music, by country: (hours, tones).
fn false_tones(country: &'static Country, material: &[(std::path::PathBuf, Vec<i16>)]) -> (f64, usize) {
    let mut found = 0;
    // Long ones first, so that tracks side by side are about as long as each other.
    let mut order: Vec<usize> = (0..material.len()).collect();
    order.sort_by_key(|&i| std::cmp::Reverse(material[i].1.len()));
    for group in order.chunks(LANES) {
        let tracks: Vec<&[i16]> = group.iter().map(|&i| material[i].1.as_slice()).collect();
        for (&i, heard) in group.iter().zip(hear(country, &tracks)) {
            for detection in heard {
                if let Detection::ToneStart { at, tone } = detection {
                    found += 1;
                    println!(
                        "{}: {tone:?} at {:.2} s ({})",
                        material[i].0.display(),
                        at.seconds(),
                        country.code
                    );
                }
            }
        }
    }
    (material.iter().map(|(_, audio)| audio.len()).sum::<usize>() as f64 / 8000.0 / 3600.0, found)
}

#[test]
fn no_tones_in_real_speech_and_music() {
    let mut material = Vec::new();
    for language in corpus::LANGUAGES {
        material.extend(corpus::prompts(language).expect("speech"));
    }
    material.extend(corpus::music().expect("music"));
    let (hours, found) = false_tones(china(), &material);
    println!("cn: {found} false tones in {hours:.2} h");
    for code in ["us", "gb", "de", "fr", "jp"] {
        let (hours, found) = false_tones(country(code).expect(code), &material);
        println!("{code}: {found} tones in {hours:.2} h");
    }
    assert!(found <= 2);
    assert_ne!(Tone::Dial, Tone::Busy);
}
