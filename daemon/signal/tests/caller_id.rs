//! Caller ID by FSK and DTMF with messages made by spandsp, over the levels and noise that the standards name and
//! beyond; and against real speech and music, which hold none.

use std::path::PathBuf;

use hookline_signal::{Bank, BankConfig, CallerId, Detection, LANES, SampleIndex};
use hookline_test_kit::corpus::{self, CorpusError};
use hookline_test_kit::spandsp::{CallerIdForm, CallerIdMessage, CallerIdOptions, Noise, caller_id};

const LEAD: usize = 4000;

/// Runs up to [`LANES`] tracks side by side, caller ID armed on all.
fn hear(tracks: &[Vec<i16>]) -> Vec<Vec<(u64, CallerId)>> {
    assert!(tracks.len() <= LANES);
    let length = tracks.iter().map(Vec::len).max().unwrap_or(0);
    let mut heard: Vec<Vec<(u64, CallerId)>> = tracks.iter().map(|_| Vec::new()).collect();
    let config = BankConfig { country: "cn".into(), voice_above_dbm0: -38.0 };
    let mut bank = Bank::new(&vec![config; tracks.len()]);
    bank.arm_caller_id_always(true);
    for first in (0..length).step_by(80) {
        let block: Vec<i16> = tracks
            .iter()
            .flat_map(|track| (first..first + 80).map(|at| track.get(at).copied().unwrap_or(0)))
            .collect();
        bank.process(&block, SampleIndex(first as u64), &mut |lane, detection| {
            if let Detection::CallerId { at, caller_id } = detection {
                heard[lane].push((at.0, caller_id));
            }
        });
    }
    heard
}

/// A message of its own for each number `n`.
fn message(form: CallerIdForm, n: usize) -> CallerIdMessage {
    let number = format!("{}{:0width$}", 1 + n % 9, n * 7919 % 100_000_000, width = 6 + n % 5);
    let time = format!("{:02}{:02}{:02}{:02}", 1 + n % 12, 1 + n % 28, n % 24, n % 60);
    CallerIdMessage {
        number: Some(number),
        name: (form != CallerIdForm::Bell202Sdmf && !form.is_dtmf() && !n.is_multiple_of(3))
            .then(|| format!("Caller {n}")),
        time: (!form.is_dtmf()).then_some(time),
    }
}

/// What came of the messages of one setting.
#[derive(Debug, Default)]
struct Outcome {
    sent: usize,
    right: usize,
    wrong: usize,
    /// Largest error of the start.
    start_ms: f64,
}

type Change = fn(Vec<i16>) -> Vec<i16>;

struct Setting {
    form: CallerIdForm,
    options: CallerIdOptions,
    snr_db: f32,
    /// Changes the finished signal.
    change: Change,
}

fn setting(form: CallerIdForm, level_dbm0: f32, snr_db: f32) -> Setting {
    let options = CallerIdOptions { level_dbm0, ..CallerIdOptions::default() };
    Setting { form, options, snr_db, change: |audio| audio }
}

fn measure(setting: &Setting) -> Outcome {
    let messages: Vec<CallerIdMessage> = (0..LANES).map(|n| message(setting.form, n)).collect();
    let tracks: Vec<Vec<i16>> = messages
        .iter()
        .enumerate()
        .map(|(lane, message)| {
            let mut track = vec![0; LEAD + 3 * lane];
            let sent = caller_id(setting.form, message, &setting.options);
            track.extend((setting.change)(sent.unwrap_or_else(|error| panic!("{error}"))));
            track.extend([0; 4000]);
            let noise = Noise::new(lane as u32 + 7, setting.options.level_dbm0 - setting.snr_db);
            noise.unwrap_or_else(|error| panic!("{error}")).add_to(&mut track);
            track
        })
        .collect();
    let mut outcome = Outcome { sent: LANES, ..Outcome::default() };
    for (lane, (heard, message)) in hear(&tracks).iter().zip(&messages).enumerate() {
        let right = heard.iter().find(|(_, heard)| is_right(heard, message, setting.form));
        outcome.wrong += heard.len() - usize::from(right.is_some());
        if let Some((at, _)) = right {
            outcome.right += 1;
            let start_ms = (*at as f64 - (LEAD + 3 * lane) as f64) / 8.0;
            outcome.start_ms = outcome.start_ms.max(start_ms.abs());
        }
    }
    outcome
}

fn is_right(heard: &CallerId, sent: &CallerIdMessage, form: CallerIdForm) -> bool {
    let time = sent.time.as_ref().map(|t| format!("{}-{}T{}:{}", &t[..2], &t[2..4], &t[4..6], &t[6..]));
    let standard = serde_json::to_value(heard.standard).ok();
    heard.number.as_deref() == sent.number.as_deref()
        && heard.name.as_deref() == sent.name.as_deref()
        && heard.time.as_deref() == time.as_deref()
        && standard.as_ref().and_then(|name| name.as_str()) == Some(form.standard())
}

fn measure_all(settings: impl IntoIterator<Item = (String, Setting)>) {
    let mut missed = 0;
    for (name, setting) in settings {
        let outcome = measure(&setting);
        if outcome.right < outcome.sent || outcome.wrong > 0 || outcome.start_ms > 5.0 {
            println!("{name}: {outcome:?}");
        }
        missed += outcome.sent - outcome.right + outcome.wrong;
    }
    assert_eq!(missed, 0);
}

#[test]
fn every_form_at_every_level_and_noise() {
    measure_all(CallerIdForm::ALL.into_iter().flat_map(|form| {
        [-4.0, -10.0, -16.0, -22.0, -28.0, -34.0].into_iter().flat_map(move |level| {
            [40.0, 25.0, 20.0, 15.0].into_iter().map(move |snr| {
                (format!("{} at {level} dBm0, {snr} dB over noise", form.name()), setting(form, level, snr))
            })
        })
    }));
}

const FSK: [CallerIdForm; 3] = [CallerIdForm::Bell202Mdmf, CallerIdForm::Bell202Sdmf, CallerIdForm::V23Mdmf];

#[test]
fn short_seizures_and_marks_and_none() {
    measure_all(FSK.into_iter().flat_map(|form| {
        [(300, 180), (300, 55), (100, 80), (30, 80), (0, 180), (0, 80), (0, 55)].into_iter().map(
            move |(seizure_bits, mark_bits)| {
                let mut setting = setting(form, -16.0, 20.0);
                setting.options = CallerIdOptions { seizure_bits, mark_bits, ..setting.options };
                (format!("{}, {seizure_bits} bits of seizure, {mark_bits} of mark", form.name()), setting)
            },
        )
    }));
}

/// Plays audio `percent` faster: baud rate and frequencies go up together.
fn faster(audio: &[i16], percent: f64) -> Vec<i16> {
    let step = 1.0 + percent / 100.0;
    let length = (audio.len() as f64 / step) as usize;
    let at = |n: usize| f64::from(audio.get(n).copied().unwrap_or(0));
    let sample = |n: usize| {
        let time = n as f64 * step;
        let (i, x) = (time as usize, time.fract());
        let (p0, p1, p2, p3) = (at(i.saturating_sub(1)), at(i), at(i + 1), at(i + 2));
        // Catmull-Rom: level to 0.3 dB up to 2200 Hz.
        let curve = p1
            + 0.5
                * x
                * (p2 - p0 + x * (2.0 * p0 - 5.0 * p1 + 4.0 * p2 - p3 + x * (3.0 * (p1 - p2) + p3 - p0)));
        curve as i16
    };
    (0..length).map(sample).collect()
}

#[test]
fn senders_off_their_rate() {
    let changes: [(&str, Change); 2] =
        [("+1 %", |audio| faster(&audio, 1.0)), ("-1 %", |audio| faster(&audio, -1.0))];
    measure_all(FSK.into_iter().flat_map(|form| {
        changes.into_iter().map(move |(name, change)| {
            (format!("{} {name}", form.name()), Setting { change, ..setting(form, -16.0, 20.0) })
        })
    }));
}

/// A first-order filter: up to about ±6 dB between mark and space.
fn tilted(audio: Vec<i16>, by: f64) -> Vec<i16> {
    let mut before = 0.0;
    audio
        .into_iter()
        .map(|sample| {
            let sample = f64::from(sample);
            let out = sample + by * before;
            before = sample;
            (out / (1.0 + by.abs())) as i16
        })
        .collect()
}

#[test]
fn lines_that_bend_the_levels() {
    let changes: [(&str, Change); 3] = [
        ("space weaker", |audio| tilted(audio, 0.8)),
        ("space stronger", |audio| tilted(audio, -0.6)),
        ("A-law", |audio| {
            let coded =
                |sample| hookline_signal::g711::alaw_to_linear(hookline_signal::g711::linear_to_alaw(sample));
            audio.into_iter().map(coded).collect()
        }),
    ];
    measure_all(FSK.into_iter().flat_map(|form| {
        changes.into_iter().flat_map(move |(name, change)| {
            [-10.0, -30.0].into_iter().map(move |level| {
                (
                    format!("{} {name} {level} dBm0", form.name()),
                    Setting { change, ..setting(form, level, 26.0) },
                )
            })
        })
    }));
}

#[test]
fn too_much_noise_gives_no_wrong_number() {
    for form in FSK {
        for snr in [12.0, 9.0, 6.0, 4.0, 2.0, 0.0] {
            let outcome = measure(&setting(form, -16.0, snr));
            println!("{} {snr} dB: {} of {} read", form.name(), outcome.right, outcome.sent);
            assert_eq!(outcome.wrong, 0, "{} at {snr} dB", form.name());
        }
    }
}

fn expect_none(name: &str, files: Result<Vec<(PathBuf, Vec<i16>)>, CorpusError>) {
    let files = files.unwrap_or_else(|error| panic!("{error}"));
    let audio: Vec<i16> = files.into_iter().flat_map(|(_, audio)| audio).collect();
    let tracks: Vec<Vec<i16>> = audio.chunks(audio.len().div_ceil(LANES)).map(<[i16]>::to_vec).collect();
    assert!(hear(&tracks).iter().all(Vec::is_empty), "{name}");
}

#[test]
fn speech_and_music_hold_no_message() {
    for language in corpus::LANGUAGES {
        expect_none(language, corpus::prompts(language));
    }
    expect_none("music", corpus::music());
}
