//! spandsp hears what spandsp sent: the wrappers pass signals through unharmed, at the levels they name.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test they serve")]

use hookline_test_kit::audio::level_dbm0;
use hookline_test_kit::spandsp::{
    CallerIdForm, CallerIdMessage, CallerIdOptions, DtmfTone, Heard, Noise, Receiver, ReceiverParts,
    SupervisoryTone, ToneStep, caller_id, dtmf, dtmf_by_dtmf_tx, tone, two_tones,
};

const ALL_DIGITS: &str = "0123456789ABCD*#";

fn hear(parts: ReceiverParts, audio: &[i16]) -> Vec<Heard> {
    let mut receiver = Receiver::new(parts).unwrap();
    for block in audio.chunks(80) {
        receiver.hear(block);
    }
    receiver.heard()
}

fn digits_heard(audio: &[i16]) -> String {
    let heard = hear(ReceiverParts { dtmf: true, ..Default::default() }, audio);
    heard
        .iter()
        .filter_map(|heard| if let Heard::Digit { digit, .. } = heard { Some(*digit) } else { None })
        .collect()
}

#[test]
fn both_dtmf_senders_are_understood() {
    assert_eq!(digits_heard(&dtmf(ALL_DIGITS, &DtmfTone::default()).unwrap()), ALL_DIGITS);
    assert_eq!(digits_heard(&dtmf_by_dtmf_tx(ALL_DIGITS, -10, 0, 50, 55).unwrap()), ALL_DIGITS);
}

#[test]
fn dtmf_has_the_length_and_level_it_names() {
    for (low_dbm0, twist_db) in [(0.0, 0.0), (-10.0, 4.0), (-17.0, -8.0), (-25.0, 0.0)] {
        let how = DtmfTone { low_dbm0, twist_db, on_ms: 40.0, off_ms: 40.0, ..Default::default() };
        let audio = dtmf("5", &how).unwrap();
        assert_eq!(audio.len(), 640);
        assert!(audio[320..].iter().all(|&sample| sample == 0));
        let expected = 10.0
            * (10f64.powf(f64::from(low_dbm0) / 10.0) + 10f64.powf(f64::from(low_dbm0 + twist_db) / 10.0))
                .log10();
        let got = level_dbm0(&audio[..320]);
        // Two tones at 0 dBm0 each lose a little to clipping.
        assert!(
            (got - expected).abs() < 1.0,
            "{low_dbm0} dBm0, twist {twist_db}: {got} instead of {expected}"
        );
    }
    assert_eq!(dtmf_by_dtmf_tx("12", -10, 0, 40, 60).unwrap().len(), 1600);
}

#[test]
fn clipping_saturates_and_does_not_wrap() {
    let audio = two_tones(697.0, 0.0, 1209.0, 0.0, 8000);
    assert_eq!(audio.iter().max(), Some(&i16::MAX));
    let steepest = audio.windows(2).map(|pair| (i32::from(pair[1]) - i32::from(pair[0])).abs()).max();
    assert!(steepest < Some(45_000), "a wrapped sample jumps by 65536");
}

#[test]
fn caller_id_comes_back_in_each_form() {
    for form in CallerIdForm::ALL {
        let typed = !form.is_dtmf();
        let message = CallerIdMessage {
            number: Some("02155501234".into()),
            name: (typed && form != CallerIdForm::Bell202Sdmf).then(|| "LI WEI".into()),
            time: typed.then(|| "03010805".into()),
        };
        for level_dbm0 in [-4.0, -14.0, -28.0] {
            let mut audio =
                caller_id(form, &message, &CallerIdOptions { level_dbm0, ..Default::default() }).unwrap();
            let got = level_dbm0_of_signal(&audio, form);
            assert!(
                (got - f64::from(level_dbm0)).abs() < 0.7,
                "{}: {got} instead of {level_dbm0}",
                form.name()
            );
            audio.extend([0; 1600]);
            let heard = hear(ReceiverParts { caller_id: Some(form), ..Default::default() }, &audio);
            let [Heard::CallerId { caller_id, .. }] = &heard[..] else {
                panic!("{}: {heard:?}", form.name())
            };
            assert_eq!(
                (&caller_id.number, &caller_id.name, &caller_id.time),
                (&message.number, &message.name, &message.time),
                "{}",
                form.name()
            );
        }
    }
}

fn level_dbm0_of_signal(audio: &[i16], form: CallerIdForm) -> f64 {
    // A DTMF form begins with 70 ms of tone, the only part without a pause.
    level_dbm0(if form.is_dtmf() { &audio[..560] } else { &audio[..audio.len() - 200] })
}

#[test]
fn caller_id_that_cannot_be_sent_is_refused_in_a_sentence() {
    let sixteen = CallerIdMessage { name: Some("SIXTEEN LETTERS!".into()), ..Default::default() };
    let error = caller_id(CallerIdForm::Bell202Mdmf, &sixteen, &CallerIdOptions::default()).unwrap_err();
    assert!(error.to_string().contains("16 bytes long"), "{error}");
    let letters = CallerIdMessage { number: Some("12A".into()), ..Default::default() };
    assert!(caller_id(CallerIdForm::DtmfDc, &letters, &CallerIdOptions::default()).is_err());
    assert!(dtmf("12x", &DtmfTone::default()).is_err());
}

#[test]
fn supervisory_tones_are_named() {
    let cadence = |on: u32, off: u32, cycles: usize| {
        [ToneStep { hertz: 450.0, dbm0: -10.0, ms: on }, ToneStep { hertz: 0.0, dbm0: 0.0, ms: off }]
            .repeat(cycles)
    };
    let cases = [
        ("dial", vec![ToneStep { hertz: 450.0, dbm0: -10.0, ms: 3000 }]),
        ("busy", cadence(350, 350, 6)),
        ("congestion", cadence(700, 700, 5)),
        ("ringback", cadence(1000, 4000, 3)),
    ];
    for (name, steps) in cases {
        let mut audio = vec![0; 1600];
        let made = tone(&steps);
        assert_eq!(made.len(), steps.iter().map(|step| step.ms as usize * 8).sum::<usize>());
        let burst = &made[..steps[0].ms as usize * 8];
        assert!((level_dbm0(burst) + 10.0).abs() < 0.3, "{name}: {} dBm0", level_dbm0(burst));
        audio.extend(made);
        audio.extend([0; 8000]);
        let heard = hear(ReceiverParts { tones: SupervisoryTone::china(), ..Default::default() }, &audio);
        assert!(
            heard.iter().any(|heard| matches!(heard, Heard::Tone { name: got, .. } if *got == name)),
            "{name}: {heard:?}"
        );
    }
}

#[test]
fn noise_has_its_level_and_repeats_with_its_seed() {
    let make = |seed| {
        let mut audio = vec![0; 80_000];
        Noise::new(seed, -23.0).unwrap().add_to(&mut audio);
        audio
    };
    assert!((level_dbm0(&make(1)) + 23.0).abs() < 0.2, "{}", level_dbm0(&make(1)));
    assert_eq!(make(7), make(7));
    assert_ne!(make(7), make(8));
}

#[test]
fn the_power_meter_reads_the_level() {
    let mut receiver = Receiver::new(ReceiverParts { power_meter: true, ..Default::default() }).unwrap();
    receiver.hear(&tone(&[ToneStep { hertz: 1000.0, dbm0: -20.0, ms: 1000 }]));
    assert!((receiver.level_dbm0() + 20.0).abs() < 1.0, "{}", receiver.level_dbm0());
}
