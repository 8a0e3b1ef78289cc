//! Starting the box again.

use std::time::{Duration, Instant};

use crate::bus::Logind;
use crate::house::{House, RESTART_AFTER, wait_until};

#[test]
fn a_restart_is_answered_first_and_done_once() {
    let house = House::new();
    let (logind, _connection) = house.runtime.block_on(Logind::serve(&house.bus, "yes"));
    house.appliance().restart().expect("promised");
    let answered = Instant::now();
    assert!(logind.reboots().is_empty(), "whoever asked puts the answer away first");
    house.appliance().restart().expect("promised already");
    wait_until("the restart", || !logind.reboots().is_empty());
    std::thread::sleep(RESTART_AFTER + Duration::from_millis(100));
    let reboots = logind.reboots();
    let (at, interactive) = reboots[0];
    assert_eq!((reboots.len(), interactive), (1, false));
    let waited = at.duration_since(answered);
    assert!(waited > RESTART_AFTER / 2, "{waited:?}");
    house.appliance().restart().expect("and another time");
    wait_until("the next restart", || logind.reboots().len() == 2);
}

#[test]
fn a_restart_that_was_promised_is_done_by_a_process_that_ends() {
    let mut house = House::new();
    let (logind, _connection) = house.runtime.block_on(Logind::serve(&house.bus, "yes"));
    house.appliance().restart().expect("promised");
    house.stop();
    assert_eq!(logind.reboots().len(), 1);
}

#[test]
fn a_system_that_does_not_let_it_is_not_asked_to() {
    for answer in ["no", "challenge", "na"] {
        let mut house = House::new();
        let (logind, _connection) = house.runtime.block_on(Logind::serve(&house.bus, answer));
        let error = house.appliance().restart().expect_err("refused");
        assert_eq!(error.code(), "restart_refused");
        assert!(error.to_string().contains(answer), "{error}");
        house.stop();
        assert!(logind.reboots().is_empty());
    }
}

#[test]
fn a_box_without_logind_or_without_a_bus_says_so() {
    let house = House::new();
    let error = house.appliance().restart().expect_err("nobody does it");
    assert_eq!(error.code(), "not_available");
    assert!(error.to_string().contains("logind"), "{error}");

    let house = House::with(|config| config.bus = Some("unix:path=/nonexistent/bus".into()));
    let error = house.appliance().restart().expect_err("nobody does it");
    assert_eq!(error.code(), "not_available");
    assert!(error.to_string().contains("bus"), "{error}");
}
