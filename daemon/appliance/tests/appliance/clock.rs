//! The clock without a time server: set by a person, refused by the system, found standing where it cannot.

use std::fs;

use hookline_appliance::{ClockSettings, ClockState, EARLIEST_US, LATEST_US, Machine, RtcNow, ServerState};

use crate::house::{House, wait_until};
use crate::machine::{FakeMachine, true_us};

#[test]
fn the_clock_is_set_to_what_was_asked_for_and_the_real_time_clock_with_it() {
    let house = House::new();
    house.machine.set_rtc(true_us());
    let times = [EARLIEST_US, 1_795_000_000_123_456, LATEST_US - 1];
    for utc_us in times {
        house.appliance().set_time(utc_us).expect("set");
    }
    let told = house.machine.told();
    assert_eq!(told.set_us, times);
    assert_eq!(told.rtc_us.len(), times.len());
    assert!(
        times.iter().zip(&told.rtc_us).all(|(set, written)| (written - set).abs() < 10_000_000),
        "{times:?}"
    );
    let now = house.appliance().clock().expect("told");
    assert_eq!((now.state, now.rtc, now.synchronised), (ClockState::Off, RtcNow::Good, false));
    assert!(told.tuned.is_none(), "another program may keep the clock");
}

#[test]
fn a_time_that_no_box_lives_in_is_refused() {
    let house = House::new();
    for utc_us in [i64::MIN, -1, 0, EARLIEST_US - 1, LATEST_US, i64::MAX] {
        let error = house.appliance().set_time(utc_us).expect_err("refused");
        assert_eq!(error.code(), "bad_request");
        assert!(error.to_string().contains(&utc_us.to_string()), "{error}");
    }
    assert!(house.clock_set().is_empty());
}

#[test]
fn a_system_that_refuses_is_told() {
    let house = House::new();
    house.machine.refuse(true);
    let error = house.appliance().set_time(EARLIEST_US).expect_err("refused");
    assert_eq!(error.code(), "clock_failed");
    assert!(error.to_string().contains("permission denied"), "{error}");
}

#[test]
fn servers_that_cannot_be_are_refused_and_all_stays_as_it_was() {
    let house = House::new();
    for (on, servers, part) in [
        (true, &[][..], "none is named"),
        (false, &["no server"], "\"no server\""),
        (true, &["a.cn", "A.cn"], "twice"),
    ] {
        let servers = servers.iter().map(|&server| server.to_owned()).collect();
        let error = house.appliance().change_clock(&ClockSettings { on, servers }).expect_err("refused");
        assert_eq!(error.code(), "bad_request");
        assert!(error.to_string().contains(part), "{error}");
    }
    assert_eq!(house.appliance().clock().expect("told").settings, ClockSettings::default());
    let error = house.appliance().step_clock().expect_err("to what time?");
    assert_eq!(error.code(), "no_time");
}

#[test]
fn servers_that_are_not_to_be_asked_are_kept() {
    let mut house = House::new();
    let settings = ClockSettings { on: false, servers: vec!["192.0.2.1".to_owned(), "ntp.test".to_owned()] };
    house.appliance().change_clock(&settings).expect("kept");
    house.stop();
    house.start(house.config()).expect("it starts again");
    let now = house.appliance().clock().expect("told");
    assert_eq!(now.settings, settings);
    assert!(now.servers.len() == 2 && now.servers.iter().all(|server| server.state == ServerState::Off));
}

#[test]
fn settings_that_cannot_be_kept_do_not_count() {
    let mut house = House::new();
    house.stop();
    let mut config = house.config();
    config.folder = "/proc/nowhere".into();
    house.start(config).expect("it starts all the same");
    let settings = ClockSettings { on: true, servers: vec!["192.0.2.1".to_owned()] };
    let error = house.appliance().change_clock(&settings).expect_err("nowhere to keep them");
    assert_eq!(error.code(), "not_kept");
    assert_eq!(house.appliance().clock().expect("told").settings, ClockSettings::default());
}

#[test]
fn a_clock_file_that_cannot_be_is_told_and_keeps_nothing_else_from_working() {
    let mut house = House::new();
    house.stop();
    let config = house.config();
    fs::create_dir_all(&config.folder).expect("made");
    fs::write(config.folder.join("clock.toml"), "on = perhaps").expect("written");
    house.start(config).expect("it starts");
    let now = house.appliance().clock().expect("told");
    assert_eq!(now.state, ClockState::Off);
    let trouble = now.trouble.expect("told");
    assert!(trouble.contains("clock.toml") && !trouble.contains('\n'), "{trouble}");
    house.appliance().change_clock(&ClockSettings::default()).expect("made again");
    assert_eq!(house.appliance().clock().expect("told").trouble, None);
}

#[test]
fn the_clock_never_stands_before_the_build_nor_before_a_time_that_has_been() {
    let mut house = House::new();
    wait_until("the time is put away", || house.folder.path().join("kept/clock-state.json").exists());
    house.stop();
    let ended_us = house.machine.reading().utc_us;

    // The battery is dead: both clocks begin in 1970.
    house.machine = FakeMachine::off_by(-true_us());
    house.machine.set_rtc(0);
    house.start(house.config()).expect("it starts");
    let set_us = house.clock_set();
    assert!(set_us.len() == 1 && (ended_us - set_us[0]).abs() < 1_000_000, "{set_us:?} of {ended_us}");
    assert_eq!(house.appliance().clock().expect("told").rtc, RtcNow::Dead);
    house.stop();

    fs::remove_file(house.folder.path().join("kept/clock-state.json")).expect("removed");
    house.machine = FakeMachine::off_by(-true_us());
    house.start(house.config()).expect("it starts");
    assert_eq!(house.clock_set(), [EARLIEST_US], "the date of the build");
    assert_eq!(house.appliance().clock().expect("told").rtc, RtcNow::Absent);
}

#[test]
fn a_real_time_clock_that_does_not_go_along_is_told() {
    let house = House::new();
    house.machine.set_rtc(true_us() - 3_600_000_000);
    wait_until("it is looked at", || house.appliance().clock().expect("told").rtc == RtcNow::Wrong);
}
