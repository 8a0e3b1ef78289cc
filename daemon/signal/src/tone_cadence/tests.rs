//! Rhythms played as bare bursts.

use super::*;
use crate::tone_table::{COUNTRIES, china, country};
use proptest::prelude::*;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Heard {
    Start(Tone, u64),
    Stop(Tone, u64),
}
use Heard::{Start, Stop};

/// Plays (start ms, end ms) bursts of a sound that fits every tone in `fits`, then waits 20 s. Times are samples.
fn heard(country: &'static Country, fits: u8, bursts: &[(u32, u32)]) -> Vec<Heard> {
    let mut out = Vec::new();
    let mut rhythm = Rhythm::new(country);
    let mut say = |what: Detection| match what {
        Detection::ToneStart { at, tone } => out.push(Start(tone, at.0)),
        Detection::ToneStop { at, tone } => out.push(Stop(tone, at.0 + 1)),
        other => panic!("{other:?}"),
    };
    for &(start, end) in bursts {
        let at = |ms| SampleIndex(ms_to_samples(ms));
        let burst = Burst { start: at(start), end: at(end), fits, hertz: 450.0, level_db: 60.0, sure: true };
        let mut sounded = 0;
        while let Some(look) =
            rhythm.look_at_steady(sounded).filter(|&look| look < burst.end.since(burst.start))
        {
            rhythm.still_sounding(&Burst { end: burst.start.plus(look), ..burst }, &mut say);
            sounded = look;
        }
        rhythm.burst(burst, &mut say);
    }
    let end = bursts.last().map_or(0, |burst| burst.1) + 40_000;
    rhythm.timeout(SampleIndex(ms_to_samples(end)), &mut say);
    out
}

/// `periods` of a cadence, each length off by `scale`.
fn play(cadence: &[Step], periods: usize, scale: f64) -> Vec<(u32, u32)> {
    let mut at = 1000.0;
    let mut bursts = Vec::new();
    for step in cadence.iter().cycle().take(cadence.len() * periods) {
        let end = at + f64::from(step.on_ms) * scale;
        bursts.push((at as u32, end as u32));
        at = end + f64::from(step.off_ms) * scale;
    }
    bursts
}

#[test]
fn every_cadence_is_named_right_within_its_tolerance() {
    for country in COUNTRIES {
        for tone in country.tones {
            // Sounds that are the same cannot be told apart by anything but the cadence.
            let fits = country.tones.iter().enumerate().filter(|(_, other)| other.sound == tone.sound);
            let fits = fits.fold(0, |bits, (index, _)| bits | 1 << index);
            for scale in [0.9, 0.95, 1.0, 1.05, 1.1] {
                let bursts =
                    if tone.cadence.is_empty() { vec![(1000, 5000)] } else { play(tone.cadence, 4, scale) };
                let end = ms_to_samples(bursts[bursts.len() - 1].1);
                assert_eq!(
                    heard(country, fits, &bursts),
                    [Start(tone.tone, 8000), Stop(tone.tone, end)],
                    "{} {:?} at {scale}",
                    country.code,
                    tone.tone
                );
            }
        }
    }
}

#[test]
fn parts_of_a_ringback_tone() {
    let cn = |bursts: &[(u32, u32)]| heard(china(), 0x7f, bursts);
    // Its first burst alone.
    assert_eq!(cn(&[(0, 1000)]), [Start(Tone::Ringback, 0), Stop(Tone::Ringback, 8000)]);
    // A tail that is as long as a call-waiting burst, then whole bursts.
    assert_eq!(cn(&[(0, 400), (4400, 5400)])[0], Start(Tone::Ringback, 0));
    // A tail alone says nothing.
    assert_eq!(cn(&[(0, 400)]), []);
    assert_eq!(cn(&[(0, 600)]), []);
    // Answered within the second burst.
    assert_eq!(cn(&[(0, 1000), (5000, 5300)]), [Start(Tone::Ringback, 0), Stop(Tone::Ringback, 42_400)]);
}

#[test]
fn one_tone_after_another() {
    let mut bursts = play(&[Step { on_ms: 1000, off_ms: 4000 }], 2, 1.0);
    let busy = play(&[Step { on_ms: 350, off_ms: 350 }], 4, 1.0);
    bursts.extend(busy.iter().map(|&(start, end)| (start + 7500, end + 7500)));
    assert_eq!(
        heard(china(), 0x7f, &bursts),
        [
            Start(Tone::Ringback, 8000),
            Stop(Tone::Ringback, 56_000),
            Start(Tone::Busy, 68_000),
            Stop(Tone::Busy, 87_600)
        ]
    );
}

#[test]
fn the_first_burst_of_busy_may_come_when_call_waiting_is_due() {
    let mut bursts = vec![(0, 400), (4000, 4400), (8000, 8400)];
    bursts.extend((0..4).map(|turn| (15_800 + turn * 700, 16_150 + turn * 700)));
    assert_eq!(
        heard(china(), 0x7f, &bursts),
        [
            Start(Tone::CallWaiting, 0),
            Stop(Tone::CallWaiting, 67_200),
            Start(Tone::Busy, 126_400),
            Stop(Tone::Busy, 146_000)
        ]
    );
}

#[test]
fn the_wait_for_call_waiting_may_end_between_the_first_bursts_of_a_louder_busy() {
    let mut rhythm = Rhythm::new(china());
    let mut starts = Vec::new();
    let bursts = [(0, 400, 50.0), (4000, 4400, 50.0), (8000, 8400, 50.0)];
    let busy = (0..4).map(|turn| (20_725 + turn * 700, 21_075 + turn * 700, 60.0));
    for (start, end, level_db) in bursts.into_iter().chain(busy) {
        let at = |ms| SampleIndex(ms_to_samples(ms));
        let burst = Burst { start: at(start), end: at(end), fits: 0x7f, hertz: 450.0, level_db, sure: true };
        rhythm.burst(burst, &mut |what| {
            if let Detection::ToneStart { at, tone } = what {
                starts.push((tone, at.0));
            }
        });
    }
    assert_eq!(starts, [(Tone::CallWaiting, 0), (Tone::Busy, 165_800)]);
}

#[test]
fn call_waiting_may_begin_when_the_next_burst_of_ringback_is_due() {
    let bursts = [(0, 1000), (5000, 6000), (10_000, 10_400), (14_000, 14_400), (18_000, 18_400)];
    assert_eq!(
        heard(china(), 0x7f, &bursts),
        [
            Start(Tone::Ringback, 0),
            Stop(Tone::Ringback, 48_000),
            Start(Tone::CallWaiting, 80_000),
            Stop(Tone::CallWaiting, 147_200)
        ]
    );
}

#[test]
fn ringback_goes_on_behind_a_burst_that_was_covered_in_part() {
    let bursts = [(0, 1000), (5000, 5600), (10_000, 11_000), (15_000, 16_000)];
    assert_eq!(heard(china(), 0x7f, &bursts), [Start(Tone::Ringback, 0), Stop(Tone::Ringback, 128_000)]);
}

#[test]
fn a_moment_of_speech_when_call_waiting_is_due_is_no_burst_of_it() {
    let bursts = [(0, 400), (4000, 4400), (8000, 8400), (12_000, 12_080)];
    assert_eq!(heard(china(), 0x7f, &bursts), [Start(Tone::CallWaiting, 0), Stop(Tone::CallWaiting, 67_200)]);
}

#[test]
fn a_covered_call_waiting_burst_is_bridged() {
    let bursts = [(0, 400), (4400, 4800), (13_200, 13_600)];
    assert_eq!(
        heard(china(), 0x7f, &bursts),
        [Start(Tone::CallWaiting, 0), Stop(Tone::CallWaiting, 108_800)]
    );
}

#[test]
fn speech_between_and_over_bursts_of_call_waiting_does_not_hide_them() {
    // The third burst is covered; moments of speech sound like parts of others.
    let bursts = [(0, 400), (1500, 1580), (4000, 4400), (5000, 5900), (12_000, 12_400), (16_000, 16_390)];
    let waiting = 1 << 6;
    assert_eq!(
        heard(china(), waiting, &bursts),
        [Start(Tone::CallWaiting, 0), Stop(Tone::CallWaiting, 131_120)]
    );
}

#[test]
fn notes_of_music_are_no_call_waiting() {
    let mut rhythm = Rhythm::new(china());
    for turn in 0..5 {
        let start = SampleIndex(turn * 32_000);
        let note = Burst {
            start,
            end: start.plus(3000),
            fits: 1 << 6,
            hertz: 448.0,
            level_db: 60.0,
            sure: turn == 2,
        };
        rhythm.burst(note, &mut |what| panic!("{what:?}"));
    }
}

#[test]
fn a_dial_tone_cut_by_a_digit_is_no_ringback() {
    let mut out = 0;
    let mut rhythm = Rhythm::new(china());
    let burst = Burst {
        start: SampleIndex(0),
        end: SampleIndex(8000),
        fits: 0x7f,
        hertz: 450.0,
        level_db: 60.0,
        sure: true,
    };
    rhythm.burst(burst, &mut |_| out += 1);
    rhythm.cut_off();
    rhythm.timeout(SampleIndex(80_000), &mut |_| out += 1);
    assert_eq!(out, 0);
}

#[test]
fn bursts_of_unlike_frequency_or_level_are_no_rhythm() {
    let busy = play(&[Step { on_ms: 350, off_ms: 350 }], 6, 1.0);
    for (hertz, level_db) in [(12.0, 0.0), (0.0, 6.0)] {
        let mut rhythm = Rhythm::new(china());
        let mut out = 0;
        for (i, &(start, end)) in busy.iter().enumerate() {
            let odd = (i % 2) as f32;
            let burst = Burst {
                start: SampleIndex(ms_to_samples(start)),
                end: SampleIndex(ms_to_samples(end)),
                fits: 0x7f,
                hertz: 450.0 + odd * hertz,
                level_db: 60.0 + odd * level_db,
                sure: true,
            };
            rhythm.burst(burst, &mut |_| out += 1);
        }
        assert_eq!(out, 0);
    }
}

#[test]
fn a_shared_rhythm_is_named_when_it_is_told_apart() {
    let es = country("es").map(|es| heard(es, 0x1f, &play(&[Step { on_ms: 200, off_ms: 200 }], 5, 1.0)));
    assert_eq!(es.and_then(|out| out.first().copied()), Some(Start(Tone::Busy, 8000)));
}

proptest! {
    #[test]
    fn starts_and_stops_alternate_for_any_bursts(
        lengths in prop::collection::vec((20u32..1500, 20u32..5000, any::<u8>()), 0..60),
        which in 0..COUNTRIES.len(),
    ) {
        let mut rhythm = Rhythm::new(&COUNTRIES[which]);
        let mut going: Option<Tone> = None;
        let mut last = SampleIndex(0);
        let mut at = 0;
        let mut say = |what: Detection| match what {
            Detection::ToneStart { at, tone } => {
                assert!(going.is_none() && at >= last);
                (going, last) = (Some(tone), at);
            }
            Detection::ToneStop { at, tone } => {
                assert_eq!(going.take(), Some(tone));
                assert!(at >= last);
                last = at;
            }
            other => panic!("{other:?}"),
        };
        for (on, off, fits) in lengths {
            let start = SampleIndex(ms_to_samples(at));
            let end = start.plus(ms_to_samples(on));
            rhythm.burst(Burst { start, end, fits, hertz: 450.0, level_db: 60.0, sure: true }, &mut say);
            at += on + off;
        }
        rhythm.timeout(SampleIndex(ms_to_samples(at + 100_000)), &mut say);
        assert!(going.is_none());
    }
}
