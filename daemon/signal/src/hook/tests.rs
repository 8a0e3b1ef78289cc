//! Scripts of voltages in, events out.

use proptest::prelude::*;

use super::*;

fn settings() -> HookSettings {
    HookSettings {
        off_hook_below_volts: 16.0,
        on_hook_above_volts: 18.0,
        line_lost_below_volts: 3.0,
        line_lost_after_ms: 5000,
        hook_debounce_ms: 50,
        flash_max_ms: 700,
        ring_above_volts: 20.0,
    }
}

/// One row: for so many ms the line has these volts and ring volts.
type Row = (f64, f32, f32);

/// Plays rows as changes of status (`every_ms` None) or as a unit that reads the line every so many ms.
fn play(settings: HookSettings, rows: &[Row], every_ms: Option<f64>) -> Vec<HookEvent> {
    let mut reader = HookReader::new(settings);
    let mut out = Vec::new();
    let mut ends = Vec::new();
    let mut end_ms = 0.0;
    for &(ms, volts, ring_volts) in rows {
        if every_ms.is_none() {
            reader.status(SampleIndex::from_seconds(end_ms / 1000.0), volts, ring_volts, &mut out);
        }
        end_ms += ms;
        ends.push((end_ms, volts, ring_volts));
    }
    if let Some(step_ms) = every_ms {
        let mut at_ms = 0.0;
        for (end_ms, volts, ring_volts) in ends {
            while at_ms < end_ms {
                reader.status(SampleIndex::from_seconds(at_ms / 1000.0), volts, ring_volts, &mut out);
                at_ms += step_ms;
            }
        }
    }
    reader.finish(SampleIndex::from_seconds(end_ms / 1000.0), &mut out);
    out
}

/// Events as one readable line: names, times in ms.
fn said(events: &[HookEvent]) -> String {
    let words = events.iter().map(|event| {
        let at_ms = event.at.seconds() * 1000.0;
        match event.kind {
            HookEventKind::RingStart => format!("ring_start@{at_ms:.0}"),
            HookEventKind::RingStop => format!("ring_stop@{at_ms:.0}"),
            HookEventKind::OffHook { .. } => format!("off_hook@{at_ms:.0}"),
            HookEventKind::OnHook { .. } => format!("on_hook@{at_ms:.0}"),
            HookEventKind::PolarityReversed { .. } => format!("reversed@{at_ms:.0}"),
            HookEventKind::HookFlash { ms } => format!("flash:{ms}@{at_ms:.0}"),
            HookEventKind::LineLost { .. } => format!("lost@{at_ms:.0}"),
            HookEventKind::LineRestored { .. } => format!("restored@{at_ms:.0}"),
            HookEventKind::PulseDigit { digit } => format!("pulse:{}@{at_ms:.0}", digit.as_char()),
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

#[test]
fn scripts() {
    let table: &[(&str, &[Row], &str)] = &[
        ("an idle line says nothing", &[(9000.0, 48.0, 0.0)], ""),
        ("off-hook from the first sample on", &[(1000.0, 8.0, 0.0)], "off_hook@0"),
        (
            "a call",
            &[(1000.0, 48.0, 0.0), (2000.0, 8.0, 0.0), (2000.0, 48.0, 0.0)],
            "off_hook@1000 on_hook@3000",
        ),
        (
            "a call on a line of the other polarity",
            &[(1000.0, -48.0, 0.0), (2000.0, -8.0, 0.0), (2000.0, -48.0, 0.0)],
            "off_hook@1000 on_hook@3000",
        ),
        (
            "between the thresholds the hook stays as it was",
            &[
                (500.0, 48.0, 0.0),
                (500.0, 17.0, 0.0),
                (500.0, 15.9, 0.0),
                (500.0, 17.9, 0.0),
                (999.0, 18.1, 0.0),
            ],
            "off_hook@1000 on_hook@2000",
        ),
        ("a dip shorter than the debounce", &[(500.0, 48.0, 0.0), (49.0, 8.0, 0.0), (900.0, 48.0, 0.0)], ""),
        (
            "a dip as long as the debounce",
            &[(500.0, 48.0, 0.0), (59.0, 8.0, 0.0), (900.0, 48.0, 0.0)],
            "off_hook@500 on_hook@559",
        ),
        (
            "bouncing contacts on the way up and down",
            &[
                (500.0, 48.0, 0.0),
                (4.0, 8.0, 0.0),
                (3.0, 48.0, 0.0),
                (500.0, 8.0, 0.0),
                (20.0, 48.0, 0.0),
                (10.0, 8.0, 0.0),
                (900.0, 48.0, 0.0),
            ],
            "off_hook@500 on_hook@1007",
        ),
        (
            "contacts that touch, part and rub for 12 ms",
            &[
                (500.0, 48.0, 0.0),
                (3.0, 8.0, 0.0),
                (2.0, 48.0, 0.0),
                (6.0, 8.0, 0.0),
                (1.0, 48.0, 0.0),
                (488.0, 8.0, 0.0),
                (3.0, 48.0, 0.0),
                (2.0, 8.0, 0.0),
                (6.0, 48.0, 0.0),
                (1.0, 8.0, 0.0),
                (900.0, 48.0, 0.0),
            ],
            "off_hook@500 on_hook@1000",
        ),
        (
            "a short spike in a call is no digit",
            &[
                (1000.0, 8.0, 0.0),
                (10.0, 48.0, 0.0),
                (1000.0, 8.0, 0.0),
                (30.0, 48.0, 0.0),
                (9000.0, 8.0, 0.0),
            ],
            "off_hook@0",
        ),
        (
            "the shortest and the longest flash",
            &[
                (500.0, 8.0, 0.0),
                (110.0, 48.0, 0.0),
                (890.0, 8.0, 0.0),
                (700.0, 48.0, 0.0),
                (900.0, 8.0, 0.0),
            ],
            "off_hook@0 flash:110@500 flash:700@1500",
        ),
        (
            "longer than a flash is the end of the call",
            &[(500.0, 8.0, 0.0), (720.0, 48.0, 0.0), (900.0, 8.0, 0.0)],
            "off_hook@0 on_hook@500 off_hook@1220",
        ),
        (
            "on-hook just before the input ends",
            &[(500.0, 8.0, 0.0), (120.0, 48.0, 0.0)],
            "off_hook@0 on_hook@500",
        ),
        ("too little before the input ends to know", &[(500.0, 8.0, 0.0), (60.0, 48.0, 0.0)], "off_hook@0"),
        (
            "no voltage is never off-hook; held, it is line lost, from the moment it went",
            &[(1000.0, 48.0, 0.0), (5200.0, 0.4, 0.0), (1000.0, 48.0, 0.0)],
            "lost@1000 restored@6200",
        ),
        ("dead for less than the wait", &[(1000.0, 48.0, 0.0), (4980.0, 0.4, 0.0), (1000.0, 48.0, 0.0)], ""),
        ("dead from the first sample on", &[(6000.0, -0.2, 0.0)], "lost@0"),
        (
            "a call cut off by a broken wire, found on-hook",
            &[(1000.0, 48.0, 0.0), (2000.0, 8.0, 0.0), (6000.0, 0.1, 0.0), (1000.0, 48.0, 0.0)],
            "off_hook@1000 lost@3000 restored@9000 on_hook@9000",
        ),
        (
            "a call that outlasts a broken wire",
            &[(2000.0, 8.0, 0.0), (6000.0, 0.1, 0.0), (1000.0, 8.0, 0.0)],
            "off_hook@0 lost@2000 restored@8000",
        ),
        (
            "answered while the wire was broken",
            &[(2000.0, 48.0, 0.0), (6000.0, 0.1, 0.0), (1000.0, 8.0, 0.0)],
            "lost@2000 restored@8000 off_hook@8000",
        ),
        (
            "a lost line that flickers stays lost",
            &[(6000.0, 0.1, 0.0), (30.0, 48.0, 0.0), (500.0, 0.1, 0.0), (500.0, 3.2, 0.0)],
            "lost@0",
        ),
        (
            "ringing, one start and stop a burst",
            &[
                (500.0, 48.0, 0.0),
                (1000.0, 48.0, 75.0),
                (4000.0, 48.0, 0.0),
                (1000.0, 48.0, 75.0),
                (900.0, 48.0, 0.0),
            ],
            "ring_start@500 ring_stop@1500 ring_start@5500 ring_stop@6500",
        ),
        ("a kick of AC is no ringing", &[(500.0, 48.0, 0.0), (90.0, 48.0, 75.0), (900.0, 48.0, 0.0)], ""),
        (
            "answered in a burst: ringing is tripped a little later",
            &[(500.0, 48.0, 0.0), (600.0, 48.0, 75.0), (150.0, 8.0, 60.0), (900.0, 8.0, 0.0)],
            "ring_start@500 off_hook@1100 ring_stop@1250",
        ),
        (
            "answered in a burst, tripped at once",
            &[(500.0, 48.0, 0.0), (600.0, 48.0, 75.0), (900.0, 8.0, 0.0)],
            "ring_start@500 off_hook@1100 ring_stop@1100",
        ),
        (
            "AC on an off-hook line is no ringing",
            &[(1000.0, 8.0, 0.0), (500.0, 8.0, 40.0), (900.0, 8.0, 0.0)],
            "off_hook@0",
        ),
        (
            "reversal at answer, and back",
            &[(1000.0, -8.0, 0.0), (1000.0, 8.0, 0.0), (1000.0, -8.0, 0.0)],
            "off_hook@0 reversed@1000 reversed@2000",
        ),
        (
            "a reversal that passes through zero, on an idle line",
            &[(1000.0, -48.0, 0.0), (9.0, -1.0, 0.0), (1000.0, 48.0, 0.0)],
            "reversed@1009",
        ),
        (
            "a reversal too short to be one",
            &[(1000.0, -8.0, 0.0), (40.0, 8.0, 0.0), (1000.0, -8.0, 0.0)],
            "off_hook@0",
        ),
    ];
    for (name, rows, expected) in table {
        assert_eq!(said(&play(settings(), rows, None)), *expected, "{name}");
    }
}

/// A unit that does not filter the ringing out of its DC reading: 48 V with 75 V RMS of 16 to 68 Hz on it.
#[test]
fn ringing_in_the_dc_reading_is_neither_hook_nor_reversal() {
    for hertz in [16.0, 25.0, 50.0, 68.0] {
        for step_ms in [1.0, 10.0] {
            let mut reader = HookReader::new(settings());
            let mut out = Vec::new();
            let mut at_ms = 0.0_f64;
            while at_ms < 3000.0 {
                let ringing = (1000.0..2000.0).contains(&at_ms);
                let swing = if ringing {
                    106.0 * (at_ms / 1000.0 * hertz * std::f64::consts::TAU).sin()
                } else {
                    0.0
                };
                let at = SampleIndex::from_seconds(at_ms / 1000.0);
                reader.status(at, (48.0 + swing) as f32, if ringing { 75.0 } else { 0.0 }, &mut out);
                at_ms += step_ms;
            }
            assert_eq!(said(&out), "ring_start@1000 ring_stop@2000", "{hertz} Hz read every {step_ms} ms");
        }
    }
}

fn dialled(number: &str, pps: f64, break_ratio: f64, pause_ms: f64) -> Vec<Row> {
    let mut rows = vec![(500.0, 48.0, 0.0), (1500.0, 8.0, 0.0)];
    for digit in number.bytes() {
        let pulses = if digit == b'0' { 10 } else { digit - b'0' };
        for _ in 0..pulses {
            rows.push((1000.0 / pps * break_ratio, 48.0, 0.0));
            rows.push((1000.0 / pps * (1.0 - break_ratio), 8.0, 0.0));
        }
        rows.push((pause_ms, 8.0, 0.0));
    }
    rows.push((2000.0, 8.0, 0.0));
    rows
}

fn pulse_digits(events: &[HookEvent]) -> String {
    let digit = |event: &HookEvent| match event.kind {
        HookEventKind::PulseDigit { digit } => Some(digit.as_char()),
        _ => None,
    };
    events.iter().filter_map(digit).collect()
}

#[test]
fn pulse_dialling_from_8_to_22_pps_and_50_to_75_percent_break() {
    for every_ms in [None, Some(10.0)] {
        for pps in [8.0, 9.0, 10.0, 11.0, 14.0, 16.0, 18.0, 20.0, 22.0] {
            for break_ratio in [0.50, 0.60, 0.6667, 0.75] {
                // Read every 10 ms, the longest lone break may look like the shortest flash.
                let number = if every_ms.is_some() && pps == 8.0 { "234567890" } else { "1234567890" };
                let events = play(settings(), &dialled(number, pps, break_ratio, 250.0), every_ms);
                let case = format!("{pps} pps, {break_ratio}, {every_ms:?}: {}", said(&events));
                assert_eq!(pulse_digits(&events), number, "{case}");
                assert_eq!(events.len(), number.len() + 1, "only the off-hook beside the digits: {case}");
            }
        }
    }
}

#[test]
fn a_pulse_digit_is_where_its_first_break_is() {
    let events = play(settings(), &dialled("31", 10.0, 0.6, 500.0), None);
    assert_eq!(said(&events), "off_hook@500 pulse:3@2000 pulse:1@2800");
}

#[test]
fn ones_of_a_fast_dial_are_believed_when_a_digit_bears_them_out() {
    // 20 pps, 60 %: one break is 30 ms, as short as a bad contact's.
    assert_eq!(pulse_digits(&play(settings(), &dialled("110", 20.0, 0.6, 600.0), None)), "110");
    assert_eq!(pulse_digits(&play(settings(), &dialled("0111", 20.0, 0.6, 600.0), None)), "0111");
    assert_eq!(pulse_digits(&play(settings(), &dialled("1", 20.0, 0.6, 600.0), None)), "");
    assert_eq!(pulse_digits(&play(settings(), &dialled("1", 10.0, 0.6, 600.0), None)), "1");
}

#[test]
fn shorting_telephones_dial_too() {
    // Between the breaks the telephone shorts the line under the line-lost threshold.
    let mut rows = vec![(500.0, 48.0, 0.0), (900.0, 8.0, 0.0), (200.0, 1.5, 0.0)];
    for _ in 0..4 {
        rows.extend([(60.0, 48.0, 0.0), (40.0, 1.5, 0.0)]);
    }
    rows.extend([(200.0, 1.5, 0.0), (1000.0, 8.0, 0.0)]);
    assert_eq!(said(&play(settings(), &rows, None)), "off_hook@500 pulse:4@1600");
}

#[test]
fn eleven_pulses_and_uneven_ones_are_no_digit() {
    let mut rows = vec![(1000.0, 8.0, 0.0)];
    for _ in 0..11 {
        rows.extend([(60.0, 48.0, 0.0), (40.0, 8.0, 0.0)]);
    }
    rows.push((900.0, 8.0, 0.0));
    for make_ms in [20.0, 90.0, 30.0] {
        rows.extend([(40.0, 48.0, 0.0), (make_ms, 8.0, 0.0)]);
    }
    rows.push((900.0, 8.0, 0.0));
    assert_eq!(said(&play(settings(), &rows, None)), "off_hook@0");
}

#[test]
fn readings_that_are_no_number_are_passed_over() {
    let rows = [(500.0, 48.0, 0.0), (500.0, f32::NAN, f32::NAN), (500.0, f32::INFINITY, f32::NEG_INFINITY)];
    assert_eq!(said(&play(settings(), &rows, None)), "");
}

fn any_volts() -> impl Strategy<Value = f32> {
    prop_oneof![
        Just(48.0f32),
        Just(-48.0),
        Just(8.0),
        Just(-8.0),
        Just(0.1),
        Just(17.0),
        -120.0f32..120.0,
        Just(f32::NAN)
    ]
}

fn any_ms() -> impl Strategy<Value = u64> {
    prop_oneof![1u64..30, 20u64..110, 90u64..900, 500u64..7000]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// The same line gives the same events however often time is told; they pair up, in the past, and what has been
    /// called settled stays so.
    #[test]
    fn events_do_not_depend_on_how_time_is_cut(
        rows in prop::collection::vec((any_ms(), any_volts(), prop_oneof![Just(0.0f32), Just(75.0), 0.0f32..100.0]), 1..60),
        cuts in prop::collection::vec(1u64..4000, 1..40),
    ) {
        let mut coarse = (HookReader::new(settings()), Vec::new());
        let mut fine = (HookReader::new(settings()), Vec::new());
        let mut at = 0;
        let mut cut = cuts.iter().cycle();
        for (ms, volts, ring_volts) in &rows {
            for (reader, out) in [&mut coarse, &mut fine] {
                reader.status(SampleIndex(at), *volts, *ring_volts, out);
            }
            let end = at + ms * 8;
            let mut now = at;
            while now < end {
                let (reader, out) = &mut fine;
                let (said, settled) = (out.len(), reader.settled_before());
                now = (now + cut.next().copied().unwrap_or(80)).min(end);
                reader.advance(SampleIndex(now), out);
                for event in &out[said..] {
                    prop_assert!(event.at <= SampleIndex(now));
                    let late = matches!(event.kind, HookEventKind::PulseDigit { .. });
                    prop_assert!(late || event.at >= settled, "{event:?} lies before {settled:?}");
                }
            }
            at = end;
        }
        for (reader, out) in [&mut coarse, &mut fine] {
            reader.finish(SampleIndex(at), out);
        }
        prop_assert_eq!(&coarse.1, &fine.1);

        let (mut off_hook, mut lost, mut ringing) = (false, false, false);
        for event in &fine.1 {
            match event.kind {
                HookEventKind::OffHook { volts } => {
                    prop_assert!(!off_hook && volts.abs() >= 3.0);
                    off_hook = true;
                }
                HookEventKind::OnHook { .. } => {
                    prop_assert!(off_hook);
                    off_hook = false;
                }
                HookEventKind::LineLost { volts } => {
                    prop_assert!(!lost && volts.abs() < 3.5);
                    lost = true;
                }
                HookEventKind::LineRestored { .. } => {
                    prop_assert!(lost);
                    lost = false;
                }
                HookEventKind::RingStart => {
                    prop_assert!(!ringing);
                    ringing = true;
                }
                HookEventKind::RingStop => {
                    prop_assert!(ringing);
                    ringing = false;
                }
                HookEventKind::HookFlash { ms } => prop_assert!(off_hook && (95..=700).contains(&ms)),
                HookEventKind::PulseDigit { digit } => prop_assert!(digit.as_char().is_ascii_digit()),
                HookEventKind::PolarityReversed { .. } => {}
            }
        }
    }
}
