//! Live units: what they give is recorded to the bit; what they do not give is told, and ends what it must.

extern crate hookline_station as station;

mod played;

use std::time::Duration;

use catalog::{AlarmCode, AlarmState};
use line::{PortState, StopMode};
use played::{Box, LOSS_STANDS, alarms, recordings, voices, wait_until};
use station::UnitState;

#[test]
fn a_call_is_recorded_to_the_bit_on_the_port_of_its_line() {
    let test_box = Box::new(&[("tap-a", 11, 20), ("tap-b", 101, 4)]);
    let station = test_box.start();
    let mut unit = test_box.unit("tap-a");
    unit.present();
    unit.play(Duration::from_secs(1), |_| 48.0);
    // Two calls at once, on lines of both groups.
    let called = |line| if line == 3 || line == 19 { 8.0 } else { 48.0 };
    unit.play(Duration::from_secs(3), called);
    unit.play(Duration::from_secs(2), |_| 48.0);
    let rows = recordings(&station, 2);
    let ports: Vec<u16> = rows.iter().map(|row| row.port).collect();
    assert_eq!(ports, [14, 30]);
    for row in &rows {
        assert_eq!((row.stop_mode, row.duration_ms), (StopMode::OnHook, 3000));
        // The pre-roll is what there was: a second.
        let heard = voices(&station, row);
        assert_eq!(heard.len(), 4 * 8000);
        assert_eq!(heard, unit.given(row.port - 11)[..4 * 8000], "port {}", row.port);
    }
    assert!(alarms(&station, AlarmCode::UnitLost, AlarmState::Current).is_empty());
    let units = station.units();
    assert_eq!((units[0].state, units[1].state), (UnitState::Present, UnitState::Starting));
    assert_eq!(units[0].identity.as_ref().map(|unit| unit.model.as_str()), Some("played"));
    station.stop().expect("stopped");
}

#[test]
fn a_unit_that_is_pulled_out_ends_its_calls_and_comes_back_on_the_same_ports() {
    let test_box = Box::new(&[("tap-a", 1, 2)]);
    let station = test_box.start();
    let mut unit = test_box.unit("tap-a");
    unit.present();
    unit.play(Duration::from_millis(500), |_| 48.0);
    unit.play(Duration::from_secs(1), |_| 8.0);
    unit.pulled_out();
    wait_until("it is told", || {
        !alarms(&station, AlarmCode::UnitLost, AlarmState::Current).is_empty()
            && station.live().ports().iter().all(|port| port.state == PortState::LineLost)
    });
    let rows = recordings(&station, 2);
    assert!(rows.iter().all(|row| row.stop_mode == StopMode::LineLost && row.duration_ms == 1000));
    let alarm = &alarms(&station, AlarmCode::UnitLost, AlarmState::Current)[0];
    assert_eq!(alarm.thing.as_deref(), Some("tap-a"));
    let unit_now = &station.units()[0];
    assert_eq!(
        (unit_now.state, unit_now.fault.as_ref().map(|fault| fault.code)),
        (UnitState::Absent, Some("unplugged"))
    );
    assert!(!station.health().capturing);

    unit.present();
    unit.play(Duration::from_secs(1), |line| if line == 1 { 8.0 } else { 48.0 });
    unit.play(Duration::from_secs(2), |_| 48.0);
    let rows = recordings(&station, 3);
    let back = &rows[2];
    assert_eq!((back.port, back.stop_mode, back.duration_ms), (2, StopMode::OnHook, 1000));
    let apart_us = back.start_us - rows[1].start_us - 1_000_000;
    assert!(apart_us > 2_000_000, "it was away for more than two seconds, not {apart_us} us");
    assert_eq!(voices(&station, back), unit.given(1)[..8000]);
    wait_until("the alarm is over", || alarms(&station, AlarmCode::UnitLost, AlarmState::Current).is_empty());
    assert!(station.health().capturing);
    station.stop().expect("stopped");
}

#[test]
fn a_unit_that_works_in_part_says_what_is_wrong() {
    let test_box = Box::new(&[("tap-a", 1, 1)]);
    let station = test_box.start();
    let mut unit = test_box.unit("tap-a");
    let fault = || station.units()[0].fault.as_ref().map(|fault| fault.code);
    // Before it gives samples, it tells what it has found out about itself.
    unit.complains("self_test");
    unit.present();
    unit.play(Duration::from_millis(200), |_| 48.0);
    wait_until("it is told", || !alarms(&station, AlarmCode::UnitDefect, AlarmState::Current).is_empty());
    assert_eq!((station.units()[0].state, fault()), (UnitState::Present, Some("self_test")));
    std::thread::sleep(LOSS_STANDS + Duration::from_millis(500));
    assert!(!alarms(&station, AlarmCode::UnitDefect, AlarmState::Current).is_empty(), "it does not heal");

    unit.pulled_out();
    unit.present();
    wait_until("another one is fine", || {
        alarms(&station, AlarmCode::UnitDefect, AlarmState::Current).is_empty()
    });
    assert_eq!(fault(), None);
    unit.complains("packet_repeated");
    wait_until("it is told", || !alarms(&station, AlarmCode::UnitDefect, AlarmState::Current).is_empty());
    wait_until("it is over", || alarms(&station, AlarmCode::UnitDefect, AlarmState::Current).is_empty());
    station.stop().expect("stopped");
}

#[test]
fn samples_that_are_missing_are_a_gap_in_the_recording_and_an_alarm() {
    let test_box = Box::new(&[("tap-a", 1, 1)]);
    let station = test_box.start();
    let mut unit = test_box.unit("tap-a");
    unit.present();
    unit.play(Duration::from_millis(500), |_| 48.0);
    unit.play(Duration::from_millis(500), |_| 8.0);
    unit.lose(800);
    unit.play(Duration::from_millis(500), |_| 8.0);
    unit.play(Duration::from_secs(2), |_| 48.0);
    let row = &recordings(&station, 1)[0];
    assert_eq!(row.duration_ms, 1100);
    let heard = voices(&station, row);
    let given = unit.given(0);
    assert_eq!(heard[..8000], given[..8000]);
    assert!(heard[8000..8800].iter().all(|sample| sample.unsigned_abs() <= 8), "what is missing is silence");
    assert_eq!(heard[8800..12_800], given[8000..12_000]);
    wait_until("the unit and the recording both tell of it", || {
        // Told, and over again by now.
        let told = alarms(&station, AlarmCode::AudioGap, AlarmState::All);
        let is_there = |port, thing: Option<&str>| {
            told.iter().any(|alarm| alarm.port == port && alarm.thing.as_deref() == thing)
        };
        is_there(None, Some("tap-a")) && is_there(Some(1), None)
    });
    assert_eq!(station.units()[0].lost_samples, 800);
    station.stop().expect("stopped");
}

#[test]
fn units_are_set_for_the_next_start() {
    let test_box = Box::new(&[]);
    let station = test_box.start();
    assert!(station.live().ports().is_empty() && station.units().is_empty());
    let wanted = Box::settings("tap-a", 1, 4);
    station.change_unit_settings(vec![wanted.clone()]).expect("set");
    assert_eq!(station.unit_settings(), (vec![wanted], true));
    station.stop().expect("stopped");
    drop(station);
    let station = test_box.start();
    assert_eq!(station.live().ports().len(), 4);
    assert!(!station.unit_settings().1);
    station.stop().expect("stopped");
}
