//! Setting the clock: all but the system call.

use std::io;
use std::sync::Arc;

use hookline_appliance::{EARLIEST_US, LATEST_US};

use crate::house::House;

#[test]
fn the_clock_is_set_to_what_was_asked_for() {
    let house = House::new();
    let times = [EARLIEST_US, 1_795_000_000_123_456, LATEST_US - 1];
    for utc_us in times {
        house.appliance().set_time(utc_us).expect("set");
    }
    assert_eq!(*house.clock_set.lock().expect("no panic holds it"), times);
}

#[test]
fn a_time_that_no_box_lives_in_is_refused() {
    let house = House::new();
    for utc_us in [i64::MIN, -1, 0, EARLIEST_US - 1, LATEST_US, i64::MAX] {
        let error = house.appliance().set_time(utc_us).expect_err("refused");
        assert_eq!(error.code(), "bad_request");
        assert!(error.to_string().contains(&utc_us.to_string()), "{error}");
    }
    assert!(house.clock_set.lock().expect("no panic holds it").is_empty());
}

#[test]
fn a_system_that_refuses_is_told() {
    let house = House::with(|config| {
        config.tuning.set_clock = Arc::new(|_| Err(io::Error::from(io::ErrorKind::PermissionDenied)));
    });
    let error = house.appliance().set_time(EARLIEST_US).expect_err("refused");
    assert_eq!(error.code(), "clock_failed");
    assert!(error.to_string().contains("permission denied"), "{error}");
}
