//! A unit that goes away, and comes back.

use line::{ChannelSettings, Command, CommandError, Line, LineEvent, LineEventKind, PortState, StopMode};
use signal::SampleIndex;

use crate::script::settings;

/// The line goes on up to `seconds`, its voltage as it was.
fn until(line: &mut Line, seconds: f64, out: &mut Vec<LineEvent>) {
    for second in (0..seconds as u32).rev().take(10).rev() {
        line.advance(SampleIndex::from_seconds(f64::from(second)), out);
    }
    line.advance(SampleIndex::from_seconds(seconds), out);
}

fn stops(out: &[LineEvent]) -> Vec<(f64, StopMode)> {
    let each = out.iter().filter_map(|event| match &event.kind {
        LineEventKind::RecordStop(stop) => Some((event.at.seconds(), stop.stop_mode)),
        _ => None,
    });
    each.collect()
}

fn starts(out: &[LineEvent]) -> Vec<f64> {
    let started = out.iter().filter(|event| matches!(event.kind, LineEventKind::RecordStart { .. }));
    started.map(|event| event.at.seconds()).collect()
}

#[test]
fn what_was_open_ends_with_the_last_sample_and_a_new_recording_begins_with_the_first() {
    let (mut line, mut out) = (Line::new(1, ChannelSettings::default()).expect("a line"), Vec::new());
    line.status(SampleIndex(0), 48.0, 0.0, &mut out);
    until(&mut line, 5.0, &mut out);
    line.status(SampleIndex::from_seconds(5.0), 8.0, 0.0, &mut out);
    until(&mut line, 10.0, &mut out);
    assert_eq!((starts(&out), line.port_state()), (vec![5.0], PortState::Recording));

    line.unit_lost(&mut out);
    line.unit_lost(&mut out);
    assert_eq!(stops(&out), [(10.0, StopMode::LineLost)]);
    assert_eq!(line.port_state(), PortState::LineLost);
    assert_eq!(
        line.command(Command::ManualStart, SampleIndex::from_seconds(10.0), &mut out),
        Err(CommandError::UnitLost)
    );
    out.clear();

    // An hour later, the receiver is still, or again, off the hook.
    line.unit_returned(SampleIndex::from_seconds(3600.0));
    line.status(SampleIndex::from_seconds(3600.0), 8.0, 0.0, &mut out);
    until(&mut line, 3605.0, &mut out);
    assert_eq!((starts(&out), stops(&out)), (vec![3600.0], vec![]));
    line.status(SampleIndex::from_seconds(3610.0), 48.0, 0.0, &mut out);
    until(&mut line, 3615.0, &mut out);
    assert_eq!(stops(&out), [(3610.0, StopMode::OnHook)]);
    assert_eq!(line.port_state(), PortState::Idle);
}

#[test]
fn a_continuous_recording_goes_on_when_the_unit_is_back() {
    let mut line = Line::new(1, settings("start_mode = \"continuous\"")).expect("a line");
    let mut out = Vec::new();
    until(&mut line, 10.0, &mut out);
    line.unit_lost(&mut out);
    line.unit_returned(SampleIndex::from_seconds(60.0));
    until(&mut line, 61.0, &mut out);
    assert_eq!((starts(&out), stops(&out)), (vec![0.0, 60.0], vec![(10.0, StopMode::LineLost)]));
}

#[test]
fn no_alarm_of_the_line_stands_while_its_unit_is_gone() {
    let mut line = Line::new(1, settings("off_hook_alarm_after_s = 5")).expect("a line");
    let mut out = Vec::new();
    line.status(SampleIndex(0), 8.0, 0.0, &mut out);
    until(&mut line, 10.0, &mut out);
    assert!(line.standing_alarms().off_hook_too_long);
    line.unit_lost(&mut out);
    assert_eq!(line.standing_alarms(), line::Standing::default());
}

#[test]
fn a_port_that_is_not_in_use_stays_so() {
    let (mut line, mut out) = (Line::new(1, ChannelSettings::default()).expect("a line"), Vec::new());
    line.set_use(line::PortUse::Unused, SampleIndex(0), &mut out);
    until(&mut line, 1.0, &mut out);
    line.unit_lost(&mut out);
    assert_eq!(line.port_state(), PortState::Unused);
    line.unit_returned(SampleIndex::from_seconds(9.0));
    until(&mut line, 10.0, &mut out);
    assert_eq!((line.port_state(), out.len()), (PortState::Unused, 0));
}
