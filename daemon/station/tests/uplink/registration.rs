//! Who is who: nothing is sent to a platform that nobody has accepted here, and a platform may refuse.

use std::time::Duration;

use hookline_station::LinkState;
use serde_json::{Value, json};
use uplink::{DeviceKey, Fingerprint};

use crate::house::{Platform, TestBox, change_link, lock, wait_for, wait_for_records, wait_until};

#[test]
fn a_platform_is_told_nothing_before_its_key_is_accepted() {
    let (test_box, platform) = (TestBox::new(), Platform::start());
    let station = test_box.start();
    platform.register(&station);
    change_link(&station, json!({"switched_on": true, "address": platform.address.to_string()}));
    wait_for(&station, LinkState::NotPinned);
    let now = station.platform_link();
    assert_eq!(now.offered, Some(platform.key.fingerprint()));
    assert_eq!(now.trouble.expect("a sentence").code, "not_pinned");
    assert!(lock(&platform.kept.hellos).is_empty(), "not even its name");
    assert_eq!(now.settings.fingerprint, None, "time alone accepts nothing");

    change_link(&station, json!({"fingerprint": now.offered}));
    wait_for(&station, LinkState::Connected);
    let now = station.platform_link();
    assert_eq!((now.offered, now.trouble), (None, None));

    let other = DeviceKey::make().expect("a key").fingerprint();
    change_link(&station, json!({"fingerprint": other}));
    wait_until("the other key is told", || {
        let now = station.platform_link();
        now.state == LinkState::Connecting
            && now.trouble.is_some_and(|trouble| trouble.code == "platform_other_key")
    });
    change_link(&station, json!({"switched_on": false}));
    wait_for(&station, LinkState::Off);
    assert_eq!((station.platform_link().trouble, station.platform_link().waiting), (None, 0));
    station.stop().expect("it stops");
}

#[test]
fn a_station_waits_until_it_is_registered_and_says_why_it_is_refused() {
    let (test_box, platform) = (TestBox::new(), Platform::start());
    std::fs::create_dir_all(test_box.data().join("settings")).expect("a folder");
    // As provisioning writes it.
    let settings = format!(
        "switched_on = true\naddress = \"{}\"\nfingerprint = \"{}\"\n",
        platform.address,
        platform.key.fingerprint()
    );
    std::fs::write(test_box.data().join("settings/platform.toml"), settings).expect("written");
    let station = test_box.start();
    wait_for(&station, LinkState::WaitingForPlatform);
    let sentence = station.platform_link().trouble.expect("a sentence").sentence;
    assert!(sentence.contains("add it there"), "{sentence}");

    let own = station.platform_link().own_fingerprint;
    assert_eq!(Some(lock(&platform.kept.hellos)[0].fingerprint), own);
    let other = DeviceKey::make().expect("a key").fingerprint();
    lock(&platform.kept.known).insert(station.info().serial, other);
    wait_for(&station, LinkState::Refused);
    assert_eq!(station.platform_link().trouble.expect("a sentence").code, "other_key");

    platform.register(&station);
    wait_for(&station, LinkState::Connected);
    station.stop().expect("it stops");
    drop(station);
    let station = test_box.start_idle();
    assert_eq!(station.platform_link().own_fingerprint, own, "the key stays");
    wait_for(&station, LinkState::Connected);
    station.stop().expect("it stops");
}

#[test]
fn a_damaged_key_costs_the_platform_and_no_recording() {
    let (test_box, platform) = (TestBox::new(), Platform::start());
    let key_file = test_box.data().join("identity/device-key.pem");
    std::fs::create_dir_all(test_box.data().join("identity")).expect("a folder");
    std::fs::write(&key_file, "torn").expect("written");
    let station = test_box.start();
    assert_eq!(station.platform_link().own_fingerprint, None);
    let pin = platform.key.fingerprint();
    let address = platform.address.to_string();
    change_link(&station, json!({"switched_on": true, "address": address, "fingerprint": pin}));
    wait_until("it says so", || station.platform_link().trouble.is_some_and(|t| t.code == "own_key"));
    wait_for_records(&station, 2);
    assert_eq!(std::fs::read_to_string(&key_file).expect("there"), "torn", "it is never replaced");
    // A person puts the kept copy back, or has a new one made.
    std::fs::remove_file(&key_file).expect("removed");
    wait_for(&station, LinkState::WaitingForPlatform);
    platform.register(&station);
    wait_for(&station, LinkState::Connected);
    station.stop().expect("it stops");
}

#[test]
fn what_cannot_be_a_setting_is_refused_and_changes_nothing() {
    let test_box = TestBox::new();
    let station = test_box.start_idle();
    let refused = |change: Value| {
        let error = station.change_platform_link(change.as_object().expect("an object"));
        error.expect_err("refused").code()
    };
    assert_eq!(refused(json!({"switched_on": true})), "setting_invalid");
    assert_eq!(refused(json!({"fingerprint": "12"})), "setting_invalid");
    assert_eq!(station.platform_link().settings.fingerprint, None::<Fingerprint>);
    assert_eq!(station.platform_link().state, LinkState::Off);
    change_link(&station, json!({"switched_on": true, "address": "127.0.0.1:1"}));
    wait_until("it says that nobody answers", || {
        station.platform_link().trouble.is_some_and(|trouble| trouble.code == "unreachable")
    });
    let begun = std::time::Instant::now();
    station.stop().expect("it stops");
    assert!(begun.elapsed() < Duration::from_secs(5), "a station stops whatever its platform does");
}
