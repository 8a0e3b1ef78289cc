//! A line in use allocates nothing: it runs in the sample path of every port.

extern crate hookline_line as line;

use arrayvec::ArrayString;
use line::{ChannelSettings, Line, LineEvent, Side};
use signal::{CallerId, CallerIdStandard, Detection, Digit, SampleIndex, Tone};

/// One call after the other, with everything that can happen in it.
fn calls(line: &mut Line, first: u64, out: &mut Vec<LineEvent>) -> (u64, usize) {
    let mut now = first;
    let mut said = 0;
    let mut pass = |line: &mut Line, out: &mut Vec<LineEvent>, ms: u64| {
        for _ in 0..ms / 10 {
            now += 80;
            line.advance(SampleIndex(now), out);
            said += out.len();
            out.clear();
        }
        SampleIndex(now)
    };
    for _ in 0..3 {
        let at = pass(line, out, 1000);
        line.status(at, 48.0, 75.0, out);
        let at = pass(line, out, 1000);
        line.status(at, 48.0, 0.0, out);
        let caller_id = CallerId {
            number: ArrayString::from("13800138000").ok(),
            name: ArrayString::from("Zhang").ok(),
            time: None,
            standard: CallerIdStandard::FskBell202,
        };
        line.detection(Side::Both, &Detection::CallerId { at, caller_id }, out);
        let at = pass(line, out, 1000);
        line.status(at, 8.0, 0.0, out);
        let at = pass(line, out, 1000);
        line.detection(Side::Both, &Detection::VoiceStart { at }, out);
        let at = pass(line, out, 5000);
        line.detection(Side::Both, &Detection::VoiceStop { at }, out);
        line.detection(Side::Near, &Detection::Digit { at, digit: Digit(b'5'), samples: 400 }, out);
        line.status(at, 48.0, 0.0, out);
        let at = pass(line, out, 300);
        line.status(at, 8.0, 0.0, out);
        line.detection(Side::Both, &Detection::ToneStart { at, tone: Tone::Busy }, out);
        // Past the length limit.
        let at = pass(line, out, 20_000);
        line.detection(Side::Both, &Detection::ToneStop { at, tone: Tone::Busy }, out);
        line.status(at, 0.1, 0.0, out);
        let at = pass(line, out, 10_000);
        line.status(at, 48.0, 0.0, out);
        pass(line, out, 10_000);
    }
    (now, said)
}

#[test]
fn calls_come_and_go_without_an_allocation() {
    let settings = ChannelSettings {
        do_not_record: vec!["110".into(), "1202*".into()],
        off_hook_alarm_after_s: 10,
        no_call_alarm_after_s: 5,
        max_length_s: 10.0,
        ..Default::default()
    };
    let mut line = Line::new(1, settings).expect("settings are right");
    let mut out = Vec::with_capacity(64);
    let (now, said) = calls(&mut line, 0, &mut out);
    assert!(said > 3 * 15, "the calls say something: {said}");
    let counted = allocation_counter::measure(|| {
        calls(&mut line, now, &mut out);
    });
    assert_eq!(counted.count_total, 0);
}
