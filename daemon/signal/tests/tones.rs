//! Supervisory tones made by spandsp, and what is heard in real speech and music: figures of the README.

use hookline_signal::tone_table::{COUNTRIES, Country, Sound, SupervisoryTone, china, country};
use hookline_signal::{Bank, BankConfig, Detection, LANES, SampleIndex, Tone};
use hookline_test_kit::corpus::{self, Speech};
use hookline_test_kit::spandsp::{DtmfTone, Noise, ToneStep, dtmf, tone, two_tones};

/// What was heard of tones: the first sample, or the one behind the last.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Heard {
    Start(Tone, u64),
    Stop(Tone, u64),
}
use Heard::{Start, Stop};

/// Runs tracks side by side, [`LANES`] at a time.
fn hear<T: AsRef<[i16]>>(country: &'static Country, tracks: &[T]) -> Vec<Vec<Heard>> {
    const BLOCK: usize = 80;
    let config = BankConfig { country: country.code.into(), voice_above_dbm0: -38.0 };
    let mut all = Vec::new();
    for tracks in tracks.chunks(LANES) {
        let mut bank = Bank::new(&vec![config.clone(); tracks.len()]);
        let length = tracks.iter().map(|track| track.as_ref().len()).max().unwrap_or(0);
        let mut heard: Vec<Vec<Heard>> = tracks.iter().map(|_| Vec::new()).collect();
        let mut block = vec![0; BLOCK * tracks.len()];
        for first in (0..length).step_by(BLOCK) {
            for (samples, track) in block.chunks_mut(BLOCK).zip(tracks) {
                let track = track.as_ref();
                let track = &track[first.min(track.len())..(first + BLOCK).min(track.len())];
                samples[..track.len()].copy_from_slice(track);
                samples[track.len()..].fill(0);
            }
            bank.process(&block, SampleIndex(first as u64), &mut |track, detection| match detection {
                Detection::ToneStart { at, tone } => heard[track].push(Start(tone, at.0)),
                Detection::ToneStop { at, tone } => heard[track].push(Stop(tone, at.0 + 1)),
                _ => {}
            });
        }
        all.extend(heard);
    }
    all
}

#[derive(Clone, Copy, Debug)]
struct Way {
    off_hz: f32,
    scale: f32,
    dbm0: f32,
    noise_dbm0: Option<f32>,
}

const LEAD: usize = 4024;

fn samples(ms: f32) -> usize {
    (ms * 8.0) as usize
}

fn burst(sound: Sound, way: Way, ms: f32) -> Vec<i16> {
    let hertz = |hertz: f32| hertz + way.off_hz;
    match sound {
        Sound::One(one) => tone(&[ToneStep { hertz: hertz(one), dbm0: way.dbm0, ms: ms as u32 }]),
        Sound::Two(low, high) => {
            two_tones(hertz(low), way.dbm0 - 3.0, hertz(high), way.dbm0 - 3.0, samples(ms))
        }
        Sound::Modulated(carrier) => {
            // ITU's "f1 × f2": the carrier's amplitude swings between all and a twentieth.
            let swing = |n: usize| 0.525 + 0.475 * (std::f32::consts::TAU * 20.0 * n as f32 / 8000.0).sin();
            let carrier = two_tones(hertz(carrier), way.dbm0, 0.0, -99.0, samples(ms));
            carrier.iter().enumerate().map(|(n, &sample)| (f32::from(sample) * swing(n)) as i16).collect()
        }
    }
}

/// A tone of a table, made in some way: the track, and the samples between which the tone is heard.
fn make(of: &SupervisoryTone, way: Way, periods: usize, seed: u32) -> (Vec<i16>, u64, u64) {
    let mut audio = vec![0; LEAD];
    if of.cadence.is_empty() {
        audio.extend(burst(of.sound, way, 4000.0));
    }
    let mut end = audio.len();
    for step in of.cadence.iter().cycle().take(of.cadence.len() * periods) {
        audio.extend(burst(of.sound, way, (f32::from(step.on_ms) * way.scale).floor()));
        end = audio.len();
        audio.resize(end + samples((f32::from(step.off_ms) * way.scale).floor()), 0);
    }
    audio.resize(audio.len() + 36 * 8000, 0);
    if let Some(noise_dbm0) = way.noise_dbm0 {
        Noise::new(seed, noise_dbm0).expect("noise").add_to(&mut audio);
    }
    (audio, LEAD as u64, end as u64)
}

/// A tone that was made, how, and what `make` gave.
type Made = (Tone, Way, (Vec<i16>, u64, u64));

/// How many were not named right; the largest errors of start and stop in samples.
fn judge(country: &'static Country, made: &[Made]) -> (usize, u64, u64) {
    let (mut wrong, mut worst_start, mut worst_stop) = (0, 0, 0);
    let tracks: Vec<&[i16]> = made.iter().map(|(_, _, (audio, ..))| audio.as_slice()).collect();
    for ((tone, way, (_, start, end)), heard) in made.iter().zip(hear(country, &tracks)) {
        match heard[..] {
            [Start(started, from), Stop(stopped, to)] if started == *tone && stopped == *tone => {
                worst_start = worst_start.max(from.abs_diff(*start));
                worst_stop = worst_stop.max(to.abs_diff(*end));
                if from.abs_diff(*start).max(to.abs_diff(*end)) > 120 {
                    println!("{} {tone:?} {way:?}: {from} for {start}, {to} for {end}", country.code);
                }
            }
            _ => {
                wrong += 1;
                println!("{} {tone:?} {way:?}: {heard:?}", country.code);
            }
        }
    }
    (wrong, worst_start, worst_stop)
}

#[test]
fn chinese_tones_at_every_limit() {
    let mut made = Vec::new();
    let levels =
        [(-10.0, None), (-10.0, Some(-30.0)), (-10.0, Some(-27.0)), (0.0, None), (-30.0, Some(-50.0))];
    for of in china().tones {
        for off_hz in [-25.0, -12.0, 0.0, 25.0] {
            for scale in [0.9, 1.0, 1.1] {
                for (dbm0, noise_dbm0) in levels {
                    let way = Way { off_hz, scale, dbm0, noise_dbm0 };
                    made.push((of.tone, way, make(of, way, 5, made.len() as u32 + 1)));
                }
            }
        }
    }
    let (wrong, start, stop) = judge(china(), &made);
    let ms = |samples: u64| samples as f64 / 8.0;
    println!(
        "cn: {} tones, {wrong} wrong; start within {} ms, stop within {} ms",
        made.len(),
        ms(start),
        ms(stop)
    );
    assert_eq!(wrong, 0);
    assert!(start.max(stop) <= 10 * 8);
}

/// A howler as exchanges send it: louder every half second, and each step begins with a phase of its own.
#[test]
fn howlers_that_rise() {
    let ways: Vec<(f32, f32, usize)> = [-25.0, -20.0, -12.0, -4.0, 0.0, 8.0, 12.0, 21.0, 25.0]
        .into_iter()
        .flat_map(|off_hz| [0.0, -7.0, -10.0, -13.0].map(|dbm0| (off_hz, dbm0)))
        .flat_map(|(off_hz, dbm0)| [0, 13, 27].map(|shift| (off_hz, dbm0, shift)))
        .collect();
    let tracks: Vec<Vec<i16>> = ways
        .iter()
        .map(|&(off_hz, dbm0, shift)| {
            let step = |half| ToneStep {
                hertz: 950.0 + off_hz,
                dbm0: dbm0 - 15.0 + 15.0 * half as f32 / 7.0,
                ms: 500,
            };
            let mut audio = vec![0; LEAD + shift];
            audio.extend(tone(&(0..8).map(step).collect::<Vec<_>>()));
            audio.resize(audio.len() + 8000, 0);
            audio
        })
        .collect();
    for ((off_hz, dbm0, shift), heard) in ways.iter().zip(hear(china(), &tracks)) {
        let first = (LEAD + shift) as u64;
        let [Start(Tone::Howler, from), Stop(Tone::Howler, to)] = heard[..] else {
            panic!("{off_hz:+} Hz, {dbm0} dBm0, from sample {first} on: {heard:?}")
        };
        assert!(
            from.abs_diff(first) <= 160 && to.abs_diff(first + 32_000) <= 160,
            "{off_hz:+} Hz: {heard:?}"
        );
    }
}

#[test]
fn tones_of_every_country() {
    let (mut all_wrong, mut worst) = (0, 0);
    for country in COUNTRIES {
        let mut made = Vec::new();
        for of in country.tones {
            for (off, scale, noise_dbm0) in
                [(0.0, 1.0, None), (-0.6, 0.95, Some(-40.0)), (0.6, 1.05, Some(-35.0))]
            {
                let way = Way { off_hz: off * country.tolerance_hz, scale, dbm0: -12.0, noise_dbm0 };
                made.push((of.tone, way, make(of, way, 5, made.len() as u32 + 1)));
            }
        }
        let (wrong, start, stop) = judge(country, &made);
        let ms = |samples: u64| samples as f64 / 8.0;
        println!(
            "{}: {} tones, {wrong} wrong; start within {} ms, stop within {} ms",
            country.code,
            made.len(),
            ms(start),
            ms(stop)
        );
        all_wrong += wrong;
        worst = worst.max(start).max(stop);
    }
    assert_eq!(all_wrong, 0);
    assert!(worst <= 30 * 8);
}

const CLEAR: Way = Way { off_hz: 0.0, scale: 1.0, dbm0: -10.0, noise_dbm0: None };

/// Bursts of 450 Hz by (on ms, off ms), then silence.
fn bursts(lengths: &[(f32, f32)]) -> Vec<i16> {
    let mut audio = Vec::new();
    for &(on, off) in lengths {
        audio.extend(burst(Sound::One(450.0), CLEAR, on));
        audio.resize(audio.len() + samples(off), 0);
    }
    audio.resize(audio.len() + 16 * 8000, 0);
    audio
}

fn names(heard: &[Heard]) -> Vec<Tone> {
    heard.iter().filter_map(|heard| if let Start(tone, _) = heard { Some(*tone) } else { None }).collect()
}

#[test]
fn parts_of_tones_are_not_taken_for_others() {
    let cases: [(&str, Vec<i16>, &[Tone]); 6] = [
        ("first ringback burst alone", bursts(&[(1000.0, 0.0)]), &[Tone::Ringback]),
        (
            "tail as long as call waiting, then ringback",
            bursts(&[(400.0, 4000.0), (1000.0, 0.0)]),
            &[Tone::Ringback],
        ),
        ("tail alone", bursts(&[(400.0, 0.0)]), &[]),
        ("two busy bursts, then nothing", bursts(&[(350.0, 350.0), (350.0, 0.0)]), &[Tone::Busy]),
        ("the toll notice", bursts(&[(200.0, 200.0), (200.0, 600.0), (200.0, 200.0), (200.0, 600.0)]), &[]),
        ("short notes", bursts(&[(100.0, 300.0), (150.0, 100.0), (250.0, 500.0), (600.0, 100.0)]), &[]),
    ];
    let tracks: Vec<&[i16]> = cases.iter().map(|(_, audio, _)| audio.as_slice()).collect();
    for ((name, _, expected), heard) in cases.iter().zip(hear(china(), &tracks)) {
        assert_eq!(names(&heard), *expected, "{name}: {heard:?}");
    }
}

#[test]
fn dialling_into_the_dial_tone() {
    let digits =
        dtmf("13912345678", &DtmfTone { on_ms: 80.0, off_ms: 80.0, ..DtmfTone::default() }).expect("dtmf");
    let mut tracks = Vec::new();
    let lengths = [700.0, 900.0, 1000.0, 1050.0, 1500.0, 2400.0];
    for ms in lengths {
        let mut audio = burst(Sound::One(450.0), CLEAR, ms);
        audio.extend(&digits);
        audio.resize(audio.len() + 6 * 8000, 0);
        tracks.push(audio);
    }
    tracks.push(digits);
    let heard = hear(china(), &tracks);
    for (ms, heard) in lengths.iter().zip(&heard) {
        if *ms < 1200.0 {
            assert_eq!(heard[..], [], "{ms} ms");
        } else {
            let [Start(Tone::Dial, from), Stop(Tone::Dial, to)] = heard[..] else {
                panic!("{ms} ms: {heard:?}")
            };
            assert!(from < 40 && to.abs_diff(samples(*ms) as u64) < 120, "{ms} ms: {heard:?}");
        }
    }
    assert_eq!(heard[lengths.len()][..], [], "digits alone");
}

#[test]
fn call_waiting_under_speech() {
    let speech = Speech::load("en").expect("speech");
    let mut random = fastrand::Rng::with_seed(11);
    let mut tracks = Vec::new();
    for _ in 0..48 {
        let mut audio = Vec::new();
        while audio.len() < 40 * 8000 {
            audio.extend(speech.clip(&mut random, 5.0));
            audio.resize(audio.len() + random.usize(2000..12_000), 0);
        }
        for n in 0..6 {
            let at = 8 * 8000 + n * 32_000;
            for (sample, wave) in audio[at..].iter_mut().zip(burst(Sound::One(450.0), CLEAR, 400.0)) {
                *sample = sample.saturating_add(wave);
            }
        }
        tracks.push(audio);
    }
    let heard = hear(china(), &tracks);
    let named = heard.iter().filter(|heard| names(heard) == [Tone::CallWaiting]).count();
    let other = heard.iter().flat_map(|heard| names(heard)).filter(|tone| *tone != Tone::CallWaiting).count();
    println!("call waiting under speech: named once in {named} of {}, {other} other tones", tracks.len());
    assert_eq!(other, 0);
    assert!(named >= 46, "one in twenty may be lost where a voice keeps to the tone's pitch");
}

/// Tones heard in real speech and music, and the hours of it.
fn false_tones(country: &'static Country, material: &[(std::path::PathBuf, Vec<i16>)]) -> (f64, usize) {
    // Long ones first, so that tracks side by side are about as long as each other.
    let mut order: Vec<&(std::path::PathBuf, Vec<i16>)> = material.iter().collect();
    order.sort_by_key(|(_, audio)| std::cmp::Reverse(audio.len()));
    let tracks: Vec<&[i16]> = order.iter().map(|(_, audio)| audio.as_slice()).collect();
    let mut found = 0;
    for ((path, _), heard) in order.iter().zip(hear(country, &tracks)) {
        for heard in heard {
            if let Start(tone, at) = heard {
                found += 1;
                println!("{}: {tone:?} at {:.2} s ({})", path.display(), at as f64 / 8000.0, country.code);
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
    let mut all = Vec::new();
    for (code, most) in [("cn", 0), ("de", 0), ("fr", 0), ("jp", 0), ("gb", 1), ("us", 1)] {
        let (hours, found) = false_tones(country(code).expect(code), &material);
        println!("{code}: {found} tones in {hours:.2} h of speech and music");
        all.push((code, found, most));
    }
    assert!(all.iter().all(|(_, found, most)| found <= most), "{all:?}");
}
