//! Lanes, countries and frames; accuracy is measured in `tests/tones.rs`.

use super::*;
use crate::dbm0::sine_peak_from_dbm0;
use crate::hop::{Hops, same_in_all_lanes};
use proptest::prelude::*;

/// Stretches of (hertz, dBm0, ms), one behind the other.
fn play(stretches: &[(f32, f32, u32)]) -> Vec<i16> {
    let mut audio = Vec::new();
    for &(hertz, dbm0, ms) in stretches {
        let peak = sine_peak_from_dbm0(dbm0);
        let step = std::f32::consts::TAU * hertz / 8000.0;
        audio.extend((0..ms * 8).map(|n| (peak * (step * n as f32).sin()) as i16));
    }
    audio
}

fn hear(audio: &[i16], cuts: &[usize]) -> Vec<(usize, Detection)> {
    let frames = same_in_all_lanes(audio);
    let (mut hops, mut tones, mut out) = (Hops::default(), ToneDetector::default(), Vec::new());
    let mut at = 0;
    let mut cuts = cuts.iter().cycle();
    while at < frames.len() {
        let size = cuts.next().map_or(frames.len(), |&cut| cut).min(frames.len() - at);
        hops.process(&frames[at..at + size], SampleIndex(at as u64), &mut |hop| {
            tones.hop(hop, &mut |lane, what| out.push((lane, what)));
        });
        at += size;
    }
    out
}

#[test]
fn lanes_have_their_own_countries() {
    let (mut hops, mut tones) = (Hops::default(), ToneDetector::default());
    let de = crate::tone_table::country("de").unwrap_or(china());
    tones.set_country(3, de);
    tones.set_country(4, de);
    tones.set_country(4, china());
    let mut busy: Vec<(f32, f32, u32)> =
        (0..6).flat_map(|_| [(437.0, -12.0, 480), (0.0, 0.0, 480)]).collect();
    busy.push((0.0, 0.0, 2000));
    let mut heard = Vec::new();
    hops.process(&same_in_all_lanes(&play(&busy)), SampleIndex(0), &mut |hop| {
        tones.hop(hop, &mut |lane, what| heard.push((lane, what)));
    });
    // 480 ms on and off is busy in Germany and nothing in China.
    let [
        (3, Detection::ToneStart { tone: Tone::Busy, .. }),
        (3, Detection::ToneStop { tone: Tone::Busy, .. }),
    ] = heard[..]
    else {
        panic!("{heard:?}")
    };
}

#[test]
fn another_country_forgets_and_the_same_one_does_not() {
    let audio = same_in_all_lanes(&play(&[(450.0, -10.0, 1000)]));
    for (code, expected) in [("cn", 1), ("de", 0)] {
        let (mut hops, mut tones, mut heard) = (Hops::default(), ToneDetector::default(), 0);
        let mut at = SampleIndex(0);
        for part in 0..2 {
            if part == 1 {
                tones.set_country(0, crate::tone_table::country(code).unwrap_or(china()));
            }
            hops.process(&audio, at, &mut |hop| {
                tones.hop(hop, &mut |lane, _| heard += usize::from(lane == 0));
            });
            at = at.plus(audio.len() as u64);
        }
        assert_eq!(heard, expected, "{code}");
    }
}

#[test]
fn a_click_while_the_wait_for_a_burst_ends_does_not_keep_the_tone() {
    for before in (4300..4420).step_by(10) {
        let ringback = [(450.0, -10.0, 1000), (0.0, 0.0, 4000), (450.0, -10.0, 1000), (0.0, 0.0, before)];
        let audio = play(&[&ringback[..], &[(450.0, -10.0, 40), (0.0, 0.0, 3000)]].concat());
        let heard: Vec<Detection> =
            hear(&audio, &[80]).into_iter().filter(|&(lane, _)| lane == 0).map(|(_, what)| what).collect();
        let [Detection::ToneStart { .. }, Detection::ToneStop { at, .. }] = heard[..] else {
            panic!("{before} ms: {heard:?}")
        };
        assert!(at.0.abs_diff(48_000) < 80, "{before} ms: {at:?}");
    }
}

/// Two frequencies of `dbm0` each.
fn pair(low: f32, high: f32, dbm0: f32, ms: u32) -> Vec<i16> {
    let (low, high) = (play(&[(low, dbm0, ms)]), play(&[(high, dbm0, ms)]));
    low.iter().zip(high).map(|(low, high)| low + high).collect()
}

#[test]
fn a_digit_ends_the_dial_tone_although_the_howler_is_near_its_row() {
    for (high, row) in [(1209.0, 697.0), (1336.0, 941.0), (1633.0, 941.0)] {
        for (bursts, tone) in
            [(vec![(450.0, -10.0, 2000)], Tone::Dial), (SPECIAL.repeat(5), Tone::SpecialDial)]
        {
            let mut audio = play(&bursts);
            let dial_end = audio.len() as u64 - if tone == Tone::SpecialDial { 320 } else { 0 };
            audio.truncate(dial_end as usize);
            audio.extend(pair(row, high, -10.0, 100));
            audio.extend(play(&[(0.0, 0.0, 3000)]));
            let heard: Vec<Detection> = hear(&audio, &[80])
                .into_iter()
                .filter(|&(lane, _)| lane == 0)
                .map(|(_, what)| what)
                .collect();
            let [Detection::ToneStart { at: start, tone: started }, Detection::ToneStop { at, .. }] =
                heard[..]
            else {
                panic!("{tone:?}, {row} Hz: {heard:?}")
            };
            assert!(started == tone && start.0 < 80, "{tone:?}, {row} Hz: {heard:?}");
            assert!(at.0.abs_diff(dial_end) <= 80, "{tone:?}, {row} Hz: {at:?}, not {dial_end}");
        }
    }
}

/// A turn of special dial tone.
const SPECIAL: [(f32, f32, u32); 2] = [(450.0, -10.0, 400), (0.0, 0.0, 40)];

#[test]
fn a_howler_follows_a_dial_tone_at_once() {
    let audio = play(&[(450.0, -10.0, 3000), (950.0, -10.0, 4000), (0.0, 0.0, 1000)]);
    let heard: Vec<Detection> =
        hear(&audio, &[80]).into_iter().filter(|&(lane, _)| lane == 0).map(|(_, what)| what).collect();
    let [
        Detection::ToneStart { tone: Tone::Dial, .. },
        Detection::ToneStop { at: dial_stop, .. },
        Detection::ToneStart { at: howler_start, tone: Tone::Howler },
        Detection::ToneStop { at: howler_stop, .. },
    ] = heard[..]
    else {
        panic!("{heard:?}")
    };
    assert!(dial_stop.0.abs_diff(24_000) <= 80 && howler_start.0.abs_diff(24_000) <= 80, "{heard:?}");
    assert!(howler_stop.0.abs_diff(56_000) <= 80, "{heard:?}");
}

/// Harmonics of 180 Hz whose level moves with syllables: a voice that goes on and on.
fn babble(dbm0: f32, ms: u32) -> Vec<i16> {
    let peak = sine_peak_from_dbm0(dbm0);
    let voice = |n: u32| {
        let t = n as f32 / 8000.0;
        let tone = |harmonic: f32| (std::f32::consts::TAU * 180.0 * harmonic * t).sin() / harmonic.sqrt();
        let syllable = 0.6 + 0.4 * (std::f32::consts::TAU * 4.3 * t).cos();
        peak * syllable * (1..12).map(|harmonic| tone(harmonic as f32)).sum::<f32>() / 2.0
    };
    (0..ms * 8).map(|n| voice(n) as i16).collect()
}

#[test]
fn call_waiting_is_heard_while_people_talk() {
    let mut audio = babble(-13.0, 22_000);
    for turn in 0..4 {
        let at = 24_000 + turn * 32_000;
        for (sample, wave) in audio[at..].iter_mut().zip(play(&[(450.0, -10.0, 400)])) {
            *sample += wave;
        }
    }
    audio.extend(play(&[(0.0, 0.0, 14_000)]));
    let heard: Vec<Detection> =
        hear(&audio, &[80]).into_iter().filter(|&(lane, _)| lane == 0).map(|(_, what)| what).collect();
    let [
        Detection::ToneStart { at: start, tone: Tone::CallWaiting },
        Detection::ToneStop { at: stop, tone: Tone::CallWaiting },
    ] = heard[..]
    else {
        panic!("{heard:?}")
    };
    assert!(start.0.abs_diff(24_000) <= 160 && stop.0.abs_diff(123_200) <= 160, "{heard:?}");
    assert!(hear(&babble(-13.0, 22_000), &[80]).is_empty());
}

proptest! {
    #[test]
    fn tones_do_not_depend_on_the_frames(
        stretches in prop::collection::vec(
            (prop::sample::select(vec![0.0f32, 437.0, 450.0, 470.0, 950.0, 1004.0]), -35.0f32..3.0, 20u32..1500),
            0..12,
        ),
        noise in prop::collection::vec(any::<i16>(), 0..800),
        cuts in prop::collection::vec(1usize..700, 1..6),
    ) {
        let mut audio = play(&stretches);
        audio.extend(noise);
        audio.extend(play(&stretches));
        prop_assert_eq!(hear(&audio, &cuts), hear(&audio, &[usize::MAX]));
    }
}
