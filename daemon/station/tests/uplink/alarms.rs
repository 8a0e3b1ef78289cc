//! Alarms of the way to the platform, from their real causes.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;

use catalog::{AlarmCode, AlarmState};
use hookline_station::{LinkState, Station};
use serde_json::json;
use uplink::DeviceKey;

use crate::house::{Platform, TestBox, alarms, change_link, connected, wait_for, wait_until};

#[track_caller]
fn raised(station: &Station, code: AlarmCode) -> catalog::AlarmRow {
    wait_until(&format!("{} is raised", code.name()), || {
        !alarms(station, code, AlarmState::Current).is_empty()
    });
    alarms(station, code, AlarmState::Current).remove(0)
}

#[track_caller]
fn cleared(station: &Station, code: AlarmCode) {
    wait_until(&format!("{} is cleared", code.name()), || {
        alarms(station, code, AlarmState::Current).is_empty()
            && !alarms(station, code, AlarmState::History).is_empty()
    });
}

#[test]
fn a_platform_that_does_not_answer_is_an_alarm_until_it_does() {
    let test_box = TestBox::new();
    let station = test_box.start_idle();
    let key = Arc::new(DeviceKey::make().expect("a key"));
    // A port at which nobody listens.
    let address = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    change_link(
        &station,
        json!({
            "switched_on": true, "address": address.to_string(), "fingerprint": key.fingerprint(),
            "unreachable_after_s": 1,
        }),
    );
    let alarm = raised(&station, AlarmCode::PlatformUnreachable);
    assert_eq!(alarm.params["code"], "unreachable");
    assert_eq!(alarm.params["address"], address.to_string());
    let platform = Platform::start_as(&address.to_string(), Arc::default(), key.clone());
    wait_for(&station, LinkState::WaitingForPlatform);
    assert!(!alarms(&station, AlarmCode::PlatformUnreachable, AlarmState::Current).is_empty());
    platform.register(&station);
    cleared(&station, AlarmCode::PlatformUnreachable);

    drop(platform);
    raised(&station, AlarmCode::PlatformUnreachable);
    station.stop().expect("it stops");
    drop(station);
    let station = test_box.start_idle();
    std::thread::sleep(std::time::Duration::from_millis(800));
    raised(&station, AlarmCode::PlatformUnreachable);
    change_link(&station, json!({"switched_on": false}));
    cleared(&station, AlarmCode::PlatformUnreachable);
    station.stop().expect("it stops");
}

#[test]
fn a_clock_that_differs_from_the_platforms_is_wrong_until_something_keeps_it_in_step() {
    let (test_box, platform) = (TestBox::new(), Platform::start());
    test_box.clock.wrong_ms.store(-3_600_000, SeqCst);
    let station = connected(&test_box, &platform);
    let offset = station.platform_link().clock_offset_ms.expect("measured");
    assert!((3_599_000..3_601_000).contains(&offset), "{offset} ms");
    std::thread::sleep(std::time::Duration::from_millis(200));
    assert!(alarms(&station, AlarmCode::ClockWrong, AlarmState::All).is_empty(), "it is kept in step");
    test_box.clock.unsynchronised.store(true, SeqCst);
    let alarm = raised(&station, AlarmCode::ClockWrong);
    assert_eq!(alarm.params["platform_quality"], "synchronised");
    assert!(alarm.params["offset_s"].as_f64().is_some_and(|offset| (3599.0..3601.0).contains(&offset)));
    // Somebody sets it.
    test_box.clock.wrong_ms.store(0, SeqCst);
    cleared(&station, AlarmCode::ClockWrong);
    station.stop().expect("it stops");
}
