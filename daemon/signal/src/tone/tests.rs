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
