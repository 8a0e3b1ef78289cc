//! DTMF against ITU-T Q.24 with digits made by spandsp, and against real speech and music: the figures of the README.

use std::path::PathBuf;

use hookline_signal::{Bank, BankConfig, Detection, LANES, SampleIndex, g711};
use hookline_test_kit::corpus::{self, CorpusError};
use hookline_test_kit::spandsp::{DtmfTone, Noise, dtmf, two_tones};

const DIGITS: &str = "0123456789*#ABCD";
/// Digits of each row of the table, spread over the lanes.
const SENT: usize = 1600;
const LEAD: usize = 800;

#[derive(Debug, PartialEq)]
struct Heard {
    at: u64,
    digit: char,
    samples: u32,
}

/// Runs up to [`LANES`] tracks side by side.
fn hear(tracks: &[Vec<i16>]) -> Vec<Vec<Heard>> {
    assert!(tracks.len() <= LANES);
    let length = tracks.iter().map(Vec::len).max().unwrap_or(0);
    let mut heard: Vec<Vec<Heard>> = tracks.iter().map(|_| Vec::new()).collect();
    let config = BankConfig { country: "cn".into(), voice_above_dbm0: -38.0 };
    let mut bank = Bank::new(&vec![config; tracks.len()]);
    for first in (0..length).step_by(80) {
        let block: Vec<i16> = tracks
            .iter()
            .flat_map(|track| (first..first + 80).map(|at| track.get(at).copied().unwrap_or(0)))
            .collect();
        bank.process(&block, SampleIndex(first as u64), &mut |lane, detection| {
            if let Detection::Digit { at, digit, samples } = detection {
                heard[lane].push(Heard { at: at.0, digit: digit.as_char(), samples });
            }
        });
    }
    heard
}

struct Row {
    name: &'static str,
    how: DtmfTone,
    noise_dbm0: Option<f32>,
}

/// The digits of a row for one lane, each lane in its own phase against the detector's hops.
fn track(digits: &str, row: &Row, lane: usize) -> Vec<i16> {
    let mut track = vec![0; LEAD + 3 * lane];
    track.extend(dtmf(digits, &row.how).unwrap_or_else(|error| panic!("{error}")));
    track.extend([0; 1600]);
    if let Some(level) = row.noise_dbm0 {
        Noise::new(lane as u32 + 1, level).unwrap_or_else(|error| panic!("{error}")).add_to(&mut track);
    }
    track
}

/// Digits heard right, of [`SENT`]; digits heard that were not sent; largest error of start and of length in ms.
#[derive(Debug)]
struct Outcome {
    right: usize,
    wrong: usize,
    start_ms: f64,
    length_ms: f64,
}

fn measure(row: &Row) -> Outcome {
    measure_changed(row, |_| {})
}

/// Measures a row whose tracks are changed before they are heard.
fn measure_changed(row: &Row, change: impl Fn(&mut [i16])) -> Outcome {
    let sent: String = DIGITS.chars().cycle().take(SENT / LANES).collect();
    let mut tracks: Vec<Vec<i16>> = (0..LANES).map(|lane| track(&sent, row, lane)).collect();
    tracks.iter_mut().for_each(|track| change(track));
    let sent: Vec<char> = sent.chars().collect();
    let mut outcome = Outcome { right: 0, wrong: 0, start_ms: 0.0, length_ms: 0.0 };
    for (lane, heard) in hear(&tracks).into_iter().enumerate() {
        let mut seen = vec![false; sent.len()];
        for Heard { at, digit, samples } in heard {
            let from_first = at as f64 - (LEAD + 3 * lane) as f64;
            let n = (from_first / row.how.period_samples() as f64).round().max(0.0) as usize;
            let start_ms = (from_first - (n * row.how.period_samples()) as f64) / 8.0;
            if sent.get(n) == Some(&digit) && !seen[n] && start_ms.abs() < 20.0 {
                seen[n] = true;
                outcome.right += 1;
                outcome.start_ms = outcome.start_ms.max(start_ms.abs());
                let length_ms = f64::from(samples) / 8.0 - f64::from(row.how.on_ms);
                outcome.length_ms = outcome.length_ms.max(length_ms.abs());
            } else {
                outcome.wrong += 1;
            }
        }
    }
    outcome
}

const NOMINAL: DtmfTone = DtmfTone {
    low_dbm0: -10.0,
    twist_db: 0.0,
    on_ms: 50.0,
    off_ms: 50.0,
    low_deviation_percent: 0.0,
    high_deviation_percent: 0.0,
};

fn tuned(low: f32, high: f32) -> DtmfTone {
    DtmfTone { low_deviation_percent: low, high_deviation_percent: high, ..NOMINAL }
}

fn show(row: &Row, outcome: &Outcome) {
    println!(
        "{:<44} {:>4} right {:>3} wrong, start within {:.2} ms, length within {:.2} ms",
        row.name, outcome.right, outcome.wrong, outcome.start_ms, outcome.length_ms
    );
}

#[test]
fn every_digit_within_the_limits_is_heard() {
    let shortest = DtmfTone { on_ms: 40.0, off_ms: 40.0, ..NOMINAL };
    let rows = [
        Row { name: "nominal", how: NOMINAL, noise_dbm0: None },
        Row { name: "40 ms on, 40 ms off", how: shortest, noise_dbm0: None },
        Row { name: "both tones +1.5 %", how: tuned(1.5, 1.5), noise_dbm0: None },
        Row { name: "both tones -1.5 %", how: tuned(-1.5, -1.5), noise_dbm0: None },
        Row { name: "low +1.5 %, high -1.5 %", how: tuned(1.5, -1.5), noise_dbm0: None },
        Row { name: "low -1.5 %, high +1.5 %", how: tuned(-1.5, 1.5), noise_dbm0: None },
        Row { name: "NTT: both +1.8 %", how: tuned(1.8, 1.8), noise_dbm0: None },
        Row { name: "twist +4 dB", how: DtmfTone { twist_db: 4.0, ..NOMINAL }, noise_dbm0: None },
        Row { name: "twist -8 dB", how: DtmfTone { twist_db: -8.0, ..NOMINAL }, noise_dbm0: None },
        Row { name: "0 dBm0 a tone", how: DtmfTone { low_dbm0: 0.0, ..NOMINAL }, noise_dbm0: None },
        Row { name: "-25 dBm0 a tone", how: DtmfTone { low_dbm0: -25.0, ..NOMINAL }, noise_dbm0: None },
        Row { name: "noise -23 dBm0", how: NOMINAL, noise_dbm0: Some(-23.0) },
        Row { name: "noise -16 dBm0", how: NOMINAL, noise_dbm0: Some(-16.0) },
        Row { name: "noise -13 dBm0", how: NOMINAL, noise_dbm0: Some(-13.0) },
        Row { name: "noise -13 dBm0, 40/40 ms", how: shortest, noise_dbm0: Some(-13.0) },
    ];
    let mut missed = 0;
    for row in &rows {
        let outcome = measure(row);
        show(row, &outcome);
        missed += SENT - outcome.right + outcome.wrong;
    }
    assert_eq!(missed, 0);
}

#[test]
fn all_limits_taken_together_are_heard() {
    let mut missed = 0;
    for (low, high) in [(1.5, 1.5), (-1.5, -1.5), (1.5, -1.5), (-1.5, 1.5)] {
        for twist_db in [4.0f32, -8.0] {
            for low_dbm0 in [0.0f32, -25.0] {
                // The louder tone at 0 dBm0 when loud; the low tone at −25 dBm0 when quiet.
                let low_dbm0 = if low_dbm0 == 0.0 { -twist_db.max(0.0) } else { low_dbm0 };
                let how = DtmfTone { low_dbm0, twist_db, on_ms: 40.0, off_ms: 40.0, ..tuned(low, high) };
                let row =
                    Row { name: "40/40 ms, deviation, twist and level together", how, noise_dbm0: None };
                let outcome = measure(&row);
                print!("{low:+} % {high:+} % twist {twist_db:+} level {low_dbm0}: ");
                show(&row, &outcome);
                missed += SENT - outcome.right + outcome.wrong;
            }
        }
    }
    assert_eq!(missed, 0);
}

#[test]
fn dial_tone_and_other_coding_do_no_harm() {
    let row = |name| Row { name, how: NOMINAL, noise_dbm0: None };
    let under_tone = |first_hz, first_dbm0, second_hz, second_dbm0| {
        move |track: &mut [i16]| {
            let tone = two_tones(first_hz, first_dbm0, second_hz, second_dbm0, track.len());
            track.iter_mut().zip(tone).for_each(|(sample, tone)| *sample = sample.saturating_add(tone));
        }
    };
    let coded = |track: &mut [i16]| {
        track.iter_mut().for_each(|sample| *sample = g711::alaw_to_linear(g711::linear_to_alaw(*sample)));
    };
    let quiet = DtmfTone { low_dbm0: -25.0, twist_db: -8.0, on_ms: 40.0, off_ms: 40.0, ..tuned(1.5, -1.5) };
    let outcomes = [
        ("dial tone 450 Hz, -10 dBm0", measure_changed(&row(""), under_tone(450.0, -10.0, 0.0, -99.0))),
        ("dial tone 425 Hz, -10 dBm0", measure_changed(&row(""), under_tone(425.0, -10.0, 0.0, -99.0))),
        (
            "dial tone 350 + 440 Hz, -13 dBm0 each",
            measure_changed(&row(""), under_tone(350.0, -13.0, 440.0, -13.0)),
        ),
        ("all limits, A-law", measure_changed(&Row { name: "", how: quiet, noise_dbm0: None }, coded)),
    ];
    let mut missed = 0;
    for (name, outcome) in outcomes {
        show(&row(name), &outcome);
        missed += SENT - outcome.right + outcome.wrong;
    }
    assert_eq!(missed, 0);
}

#[test]
fn an_interruption_of_10_ms_is_bridged() {
    for (on_ms, cut_after_ms) in [(50.0, 20.0), (60.0, 25.0), (100.0, 12.0), (100.0, 80.0), (200.0, 95.0)] {
        let how = DtmfTone { on_ms, off_ms: 60.0, ..NOMINAL };
        let tracks: Vec<Vec<i16>> = (0..LANES)
            .map(|lane| {
                let mut track = track(DIGITS, &Row { name: "", how, noise_dbm0: None }, lane);
                for n in 0..DIGITS.len() {
                    let digit = LEAD + 3 * lane + n * how.period_samples();
                    track[digit + (cut_after_ms * 8.0) as usize..][..80].fill(0);
                }
                track
            })
            .collect();
        for (lane, heard) in hear(&tracks).into_iter().enumerate() {
            let digits: String = heard.iter().map(|heard| heard.digit).collect();
            assert_eq!(digits, DIGITS, "{on_ms} ms cut after {cut_after_ms} ms, lane {lane}");
            for Heard { samples, .. } in heard {
                assert!((f64::from(samples) / 8.0 - f64::from(on_ms)).abs() < 3.0, "{samples} samples");
            }
        }
    }
}

#[test]
fn a_pause_of_30_ms_separates_digits() {
    let how = DtmfTone { on_ms: 40.0, off_ms: 30.0, ..NOMINAL };
    let row = Row { name: "", how, noise_dbm0: None };
    let tracks: Vec<Vec<i16>> = (0..LANES).map(|lane| track("11122233##", &row, lane)).collect();
    for heard in hear(&tracks) {
        assert_eq!(heard.iter().map(|heard| heard.digit).collect::<String>(), "11122233##");
    }
}

#[test]
fn nothing_outside_the_limits_is_heard() {
    let short = |on_ms| DtmfTone { on_ms, ..NOMINAL };
    let rows = [
        Row { name: "23 ms on", how: short(23.0), noise_dbm0: None },
        Row { name: "NTT: 24 ms on", how: short(24.0), noise_dbm0: None },
        Row { name: "23 ms on, loud", how: DtmfTone { low_dbm0: 0.0, ..short(23.0) }, noise_dbm0: None },
        Row { name: "both tones +3.5 %", how: tuned(3.5, 3.5), noise_dbm0: None },
        Row { name: "both tones -3.5 %", how: tuned(-3.5, -3.5), noise_dbm0: None },
        Row { name: "low tone +3.5 %", how: tuned(3.5, 0.0), noise_dbm0: None },
        Row { name: "low tone -3.5 %", how: tuned(-3.5, 0.0), noise_dbm0: None },
        Row { name: "high tone +3.5 %", how: tuned(0.0, 3.5), noise_dbm0: None },
        Row { name: "high tone -3.5 %", how: tuned(0.0, -3.5), noise_dbm0: None },
        Row { name: "NTT: high tone +3.0 %", how: tuned(0.0, 3.0), noise_dbm0: None },
        Row {
            name: "+3.5 %, 500 ms on",
            how: DtmfTone { on_ms: 500.0, ..tuned(3.5, 3.5) },
            noise_dbm0: None,
        },
        Row { name: "-55 dBm0 a tone", how: DtmfTone { low_dbm0: -55.0, ..NOMINAL }, noise_dbm0: None },
    ];
    let mut heard = 0;
    for row in &rows {
        let outcome = measure(row);
        show(row, &outcome);
        heard += outcome.right + outcome.wrong;
    }
    assert_eq!(heard, 0);
}

type Files = Result<Vec<(PathBuf, Vec<i16>)>, CorpusError>;

fn false_digits(name: &str, files: Files) -> usize {
    let files = files.unwrap_or_else(|error| panic!("{error}"));
    let audio: Vec<i16> = files.into_iter().flat_map(|(_, audio)| audio).collect();
    let part = audio.len().div_ceil(LANES).max(1);
    let tracks: Vec<Vec<i16>> = audio.chunks(part).map(<[i16]>::to_vec).collect();
    let heard = hear(&tracks);
    let count = heard.iter().map(Vec::len).sum();
    println!("{name}: {count} false digits in {:.1} min", audio.len() as f64 / 8000.0 / 60.0);
    for (lane, digits) in heard.iter().enumerate() {
        for digit in digits {
            println!("   lane {lane} {digit:?}");
        }
    }
    count
}

#[test]
fn speech_and_music_hold_no_digit() {
    let mut found = 0;
    for language in corpus::LANGUAGES {
        found += false_digits(language, corpus::prompts(language));
    }
    found += false_digits("music", corpus::music());
    assert_eq!(found, 0);
}
