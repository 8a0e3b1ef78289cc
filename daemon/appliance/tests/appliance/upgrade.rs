//! Installing an upgrade: what is found out before anything is written, progress, and each way in which it fails.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use hookline_appliance::{ApplianceError, Installed};

use crate::house::{House, wait_until};
use crate::rauc::{Play, Rauc};

/// What came of it, and the progress that was told.
fn upgrade(house: &House) -> (Result<Installed, ApplianceError>, Vec<u8>) {
    let mut told = Vec::new();
    let result = house.appliance().upgrade(&house.bundle(), "2026-11", &mut |percent| told.push(percent));
    (result, told)
}

#[track_caller]
fn assert_fails(house: &House, code: &str, part: &str) {
    let error = upgrade(house).0.expect_err("it fails");
    let sentence = error.to_string();
    assert_eq!(error.code(), code, "{sentence}");
    assert!(sentence.contains(part) && !sentence.contains('\n'), "{part:?} is not in: {sentence}");
}

fn calls(rauc: &Rauc) -> Vec<String> {
    rauc.play().calls.clone()
}

#[test]
fn a_bundle_is_looked_at_then_installed_with_progress() {
    let house = House::new();
    let (rauc, _connection) = house.runtime.block_on(Rauc::serve(&house.bus, Play::default()));
    for round in 1..=2 {
        let (result, told) = upgrade(&house);
        assert_eq!(result.expect("installed"), Installed { version: "0.2.0".into() });
        assert!(told.contains(&40) && told.is_sorted(), "{told:?}");
        let bundle = house.bundle();
        let expected = ["InspectBundle", "InstallBundle"].map(|call| format!("{call} {}", bundle.display()));
        let expected: Vec<_> = expected.iter().cycle().take(2 * round).cloned().collect();
        assert_eq!(calls(&rauc), expected);
        wait_until("it is idle", || rauc.play().operation == "idle");
    }
}

#[test]
fn the_slot_that_runs_is_marked_good() {
    let house = House::new();
    let (rauc, _connection) = house.runtime.block_on(Rauc::serve(&house.bus, Play::default()));
    house.appliance().mark_good().expect("marked");
    assert_eq!(calls(&rauc), ["Mark good booted"]);
    rauc.play().last_error = "Failed marking slot rootfs.0 as good";
    let error = house.appliance().mark_good().expect_err("refused");
    assert_eq!(error.code(), "mark_refused", "{error}");
    assert!(error.to_string().contains("Failed marking slot"), "{error}");
}

#[test]
fn an_older_rauc_is_asked_in_its_own_way() {
    let house = House::new();
    let play = Play { old: true, ..Play::default() };
    let (rauc, _connection) = house.runtime.block_on(Rauc::serve(&house.bus, play));
    assert_eq!(upgrade(&house).0.expect("installed"), Installed { version: "0.2.0".into() });
    assert!(calls(&rauc)[0].starts_with("Info "), "{:?}", calls(&rauc));
}

#[test]
fn progress_never_falls() {
    let house = House::new();
    let play = Play { steps: vec![-5, 60, 20, 300, 80], ..Play::default() };
    let (_rauc, _connection) = house.runtime.block_on(Rauc::serve(&house.bus, play));
    let (result, told) = upgrade(&house);
    result.expect("installed");
    assert!(told.is_sorted() && told.contains(&60) && told.last() == Some(&100), "{told:?}");
}

#[test]
fn a_bundle_for_another_kind_of_box_is_never_installed() {
    for (old, theirs) in [(false, "hookline-aarch64"), (true, "hookline-aarch64"), (false, "")] {
        let house = House::new();
        let play = Play { bundle: Ok((theirs, "0.2.0")), old, ..Play::default() };
        let (rauc, _connection) = house.runtime.block_on(Rauc::serve(&house.bus, play));
        assert_fails(&house, "not_for_this_box", &format!("{theirs:?}"));
        assert_eq!(calls(&rauc).len(), 1, "{:?}", calls(&rauc));
    }
}

#[test]
fn a_damaged_bundle_is_never_installed() {
    for old in [false, true] {
        let house = House::new();
        let play = Play { bundle: Err("signature verification failed"), old, ..Play::default() };
        let (rauc, _connection) = house.runtime.block_on(Rauc::serve(&house.bus, play));
        assert_fails(&house, "bundle_corrupt", "signature verification failed");
        assert_eq!(calls(&rauc).len(), 1, "{:?}", calls(&rauc));
    }
}

#[test]
fn an_installation_that_fails_says_why() {
    let house = House::new();
    let error = "No space left on device";
    let play = Play { result: Some(1), last_error: error, ..Play::default() };
    let (rauc, _connection) = house.runtime.block_on(Rauc::serve(&house.bus, play));
    assert_fails(&house, "upgrade_failed", error);
    wait_until("it is idle", || rauc.play().operation == "idle");
    // The next one is not held up by it.
    rauc.play().result = Some(0);
    upgrade(&house).0.expect("installed");
}

#[test]
fn one_installation_at_a_time() {
    let house = House::new();
    let play = Play { operation: "installing", ..Play::default() };
    let (rauc, _connection) = house.runtime.block_on(Rauc::serve(&house.bus, play));
    assert_fails(&house, "upgrade_running", "running");
    assert!(calls(&rauc).is_empty(), "begun by somebody else, who is not disturbed");

    rauc.play().operation = "idle";
    rauc.play().busy_meanwhile = true;
    assert_fails(&house, "upgrade_running", "running");

    let mut play = rauc.play();
    (play.operation, play.busy_meanwhile, play.inspect_for) = ("idle", false, Duration::from_millis(600));
    drop(play);
    std::thread::scope(|scope| {
        let first = scope.spawn(|| upgrade(&house).0);
        std::thread::sleep(Duration::from_millis(200));
        assert_fails(&house, "upgrade_running", "running");
        first.join().expect("no panic").expect("installed");
    });
}

#[test]
fn a_rauc_that_ends_or_falls_silent_is_told() {
    let house = House::new();
    let play = Play { result: None, ..Play::default() };
    let (rauc, connection) = house.runtime.block_on(Rauc::serve(&house.bus, play));
    std::thread::scope(|scope| {
        let asked = scope.spawn(|| assert_fails(&house, "appliance_failed", "ended"));
        wait_until("it installs", || calls(&rauc).len() == 2);
        house.runtime.block_on(connection.close()).expect("closed");
        asked.join().expect("it was told");
    });

    let house = House::with(|config| config.tuning.install_silent_for = Duration::from_millis(300));
    let play = Play { result: None, ..Play::default() };
    let (_rauc, _connection) = house.runtime.block_on(Rauc::serve(&house.bus, play));
    assert_fails(&house, "appliance_failed", "nothing for 0.3 s");
}

#[test]
fn a_box_without_rauc_says_so() {
    let house = House::new();
    assert_fails(&house, "not_available", "RAUC");
}

#[test]
fn what_is_no_bundle_is_refused_before_rauc_is_asked() {
    let house = House::new();
    let (rauc, _connection) = house.runtime.block_on(Rauc::serve(&house.bus, Play::default()));
    let here = house.folder.path();
    for (bundle, release, part) in [
        ("hookline.raucb".into(), "1".to_owned(), "absolute"),
        ("https://example.com/b.raucb".into(), "1".to_owned(), "absolute"),
        (here.join("nowhere.raucb"), "1".to_owned(), "nowhere.raucb"),
        (here.to_owned(), "1".to_owned(), "no file"),
        (house.bundle(), "x".repeat(201), "200"),
    ] {
        let error = house.appliance().upgrade(&bundle, &release, &mut |_| {}).expect_err("refused");
        assert_eq!(error.code(), "bad_request", "{error}");
        assert!(error.to_string().contains(part), "{error}");
    }
    assert!(calls(&rauc).is_empty());
}

#[test]
fn whoever_waits_hears_that_somebody_works() {
    let house = House::with(|config| config.tuning.heartbeat = Duration::from_millis(50));
    let play = Play { inspect_for: Duration::from_millis(500), ..Play::default() };
    let (_rauc, _connection) = house.runtime.block_on(Rauc::serve(&house.bus, play));
    let (result, told) = upgrade(&house);
    result.expect("installed");
    assert!(told.iter().filter(|percent| **percent == 0).count() >= 5, "{told:?}");
}

#[test]
fn what_was_begun_goes_on_when_nobody_listens_any_more() {
    let house = House::with(|config| config.tuning.heartbeat = Duration::from_millis(20));
    let play = Play { steps: (1..=50).collect(), ..Play::default() };
    let (rauc, _connection) = house.runtime.block_on(Rauc::serve(&house.bus, play));
    let mut stream = UnixStream::connect(house.socket()).expect("it listens");
    let bundle = house.bundle();
    writeln!(stream, r#"{{"request":"upgrade","bundle":"{}","release":"1"}}"#, bundle.display())
        .expect("written");
    stream.read_exact(&mut [0]).expect("progress");
    wait_until("it installs", || calls(&rauc).len() == 2);
    drop(stream);
    std::thread::sleep(Duration::from_millis(200));
    assert_fails(&house, "upgrade_running", "running");
    wait_until("it has been installed", || rauc.play().operation == "idle");
    upgrade(&house).0.expect("installed");
}

#[test]
fn whether_an_upgrade_is_possible_is_known_beforehand() {
    let house = House::new();
    let code = || house.appliance().can_upgrade().expect_err("it is not").code().to_owned();
    assert_eq!(code(), "not_available", "there is no RAUC");
    let (rauc, _connection) = house.runtime.block_on(Rauc::serve(&house.bus, Play::default()));
    house.appliance().can_upgrade().expect("it is idle");
    rauc.play().operation = "installing";
    assert_eq!(code(), "upgrade_running");
    assert!(calls(&rauc).is_empty(), "it was not asked to do anything");
}
