//! Who may come in, and what becomes of those who may not (PF-02).

mod house;

use std::time::{Duration, Instant};

use catalog::{AlarmCode, Device};
use hookline_platform::PlatformError;
use house::{Manner, OTHER, Outgoing, SERIAL, add, audit, entry, start, trail, until};
use uplink::UplinkError;
use uplink::message::{RefusalCode, VERSIONS, Versions};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_box_waits_until_it_is_added() {
    let folder = tempfile::tempdir().expect("a folder");
    let platform = start(folder.path());
    let station = Manner::new(SERIAL);
    assert_eq!(station.refused(&platform).await.code, RefusalCode::Waiting);
    assert_eq!(station.refused(&platform).await.code, RefusalCode::Waiting);
    assert_eq!(Manner::new("no serial number").refused(&platform).await.code, RefusalCode::Waiting);
    let waiting = platform.waiting();
    assert_eq!(waiting.len(), 1, "once, and no nonsense");
    assert_eq!((waiting[0].serial.as_str(), waiting[0].name.as_str()), (SERIAL, "Duty room"));
    assert_eq!(waiting[0].fingerprint, station.fingerprint());
    assert!(waiting[0].first_us < waiting[0].last_us && waiting[0].address.ip().is_loopback());
    add(&platform, SERIAL, Some(waiting[0].fingerprint));
    assert!(platform.waiting().is_empty());
    let mut talking = station.talk(&platform, &Outgoing::default());
    talking.welcomed().await;
    assert!(platform.device(SERIAL).expect("known").online);
    assert_eq!(audit(&platform, "add").len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_key_is_pinned_and_another_one_refused_until_it_is_accepted() {
    let folder = tempfile::tempdir().expect("a folder");
    let platform = start(folder.path());
    let (first, second) = (Manner::new(SERIAL), Manner::new(SERIAL));
    add(&platform, SERIAL, None);
    let mut talking = first.talk(&platform, &Outgoing::default());
    talking.welcomed().await;
    let pinned = audit(&platform, "pin_key");
    assert_eq!(pinned.len(), 1);
    assert_eq!(pinned[0].entry.params["fingerprint"], first.fingerprint().to_string());
    let kept = platform.catalog().device(SERIAL).expect("asked").expect("known").fingerprint;
    assert_eq!(kept, Some(first.fingerprint().to_string()));

    assert_eq!(second.refused(&platform).await.code, RefusalCode::OtherKey);
    until("it is told", || house::stands(&platform, AlarmCode::TwoBoxesOneSerial, SERIAL)).await;
    assert!(!talking.task.is_finished(), "the first one goes on");
    let other = platform.device(SERIAL).expect("known").other_key.expect("it knocked");
    assert_eq!(other.fingerprint, second.fingerprint());

    platform.accept_key(SERIAL, second.fingerprint(), |_, _| vec![trail("accept_key")]).expect("accepted");
    let error = talking.cut_off().await;
    assert!(matches!(error, UplinkError::Closed | UplinkError::Broken(_)), "{error}");
    let mut talking = second.talk(&platform, &Outgoing::default());
    talking.welcomed().await;
    until("it is over", || !house::stands(&platform, AlarmCode::TwoBoxesOneSerial, SERIAL)).await;
    assert_eq!(first.refused(&platform).await.code, RefusalCode::OtherKey);
    assert_eq!(audit(&platform, "accept_key").len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn switched_off_it_is_cut_off_at_once_and_removed_it_waits_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let platform = start(folder.path());
    let station = Manner::new(SERIAL);
    add(&platform, SERIAL, None);
    let mut talking = station.talk(&platform, &Outgoing::default());
    talking.welcomed().await;
    let switch = |on: bool| {
        let switched =
            platform.change_device(SERIAL, |device| device.switched_on = on, |_, _| vec![trail("switch")]);
        switched.expect("switched");
    };
    let begun = Instant::now();
    switch(false);
    talking.cut_off().await;
    assert!(begun.elapsed() < Duration::from_secs(1), "after {:?}", begun.elapsed());
    assert_eq!(station.refused(&platform).await.code, RefusalCode::SwitchedOff);
    switch(true);
    let mut talking = station.talk(&platform, &Outgoing::default());
    talking.welcomed().await;
    platform.remove_device(SERIAL, vec![trail("remove")]).expect("removed");
    talking.cut_off().await;
    assert_eq!(station.refused(&platform).await.code, RefusalCode::Waiting);
    assert!(matches!(platform.remove_device(SERIAL, Vec::new()), Err(PlatformError::NoDevice(_))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn releases_that_share_a_version_talk_and_others_part_in_a_sentence() {
    let folder = tempfile::tempdir().expect("a folder");
    let platform = start(folder.path());
    let known = Manner::new(SERIAL);
    add(&platform, SERIAL, Some(known.fingerprint()));
    for (from, to) in [(VERSIONS.to + 1, VERSIONS.to + 9), (0, VERSIONS.from - 1)] {
        let refusal = Manner { versions: Versions { from, to }, ..known.clone() }.refused(&platform).await;
        assert_eq!(refusal.code, RefusalCode::Version);
        assert!(refusal.to_string().contains("upgrade the older one"), "{refusal}");
    }
    let newer = Manner { versions: Versions { from: VERSIONS.from, to: 99 }, ..known };
    let mut talking = newer.talk(&platform, &Outgoing::default());
    assert_eq!(talking.welcomed().await.version, VERSIONS.to);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn devices_are_added_all_or_none_and_outlive_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let platform = start(folder.path());
    let mut wrong = Device::new(OTHER);
    wrong.quiet_hours = Some((0, 2000));
    for devices in [
        vec![Device::new(SERIAL), wrong],
        vec![Device::new(SERIAL), Device::new(SERIAL)],
        vec![Device::new(SERIAL), Device::new("HKLN-1")],
    ] {
        platform.add_devices(devices, vec![trail("add")]).expect_err("refused");
        assert!(platform.devices().is_empty() && audit(&platform, "add").is_empty());
    }
    let named = Device { name: " East ".into(), ..Device::new(SERIAL) };
    platform.add_devices(vec![named, Device::new(OTHER)], vec![trail("add")]).expect("added");
    platform.stop();
    drop(platform);
    let platform = start(folder.path());
    let names: Vec<String> = platform.devices().iter().map(|now| now.device.name.clone()).collect();
    assert_eq!(names, ["East", ""]);
}

/// A station that dials anew, because its network broke, takes the place of its former connection.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_station_that_dials_again_replaces_its_former_connection() {
    let folder = tempfile::tempdir().expect("a folder");
    let platform = start(folder.path());
    let station = Manner::new(SERIAL);
    add(&platform, SERIAL, None);
    let mut former = station.talk(&platform, &Outgoing::default());
    former.welcomed().await;
    let out = Outgoing::of((1..=50).map(|number| entry(number, 1, "{\"kind\":\"x\"}")).collect());
    let mut again = station.talk(&platform, &out);
    again.welcomed().await;
    former.cut_off().await;
    until("all acknowledged", || out.all_done()).await;
    assert!(platform.device(SERIAL).expect("known").online);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_known_of_a_station_is_known_after_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let platform = start(folder.path());
    let station = Manner::new(SERIAL);
    add(&platform, SERIAL, Some(station.fingerprint()));
    let outgoing = Outgoing::of(vec![entry(1, 1, r#"{"kind":"audit","body":{}}"#)]);
    let talking = station.talk(&platform, &outgoing);
    until("nothing is lacking", || {
        let now = platform.device(SERIAL).expect("known");
        now.last_received_us.is_some() && now.last_synchronised_us > now.last_received_us
    })
    .await;
    drop(talking);
    platform.stop();
    let before = platform.device(SERIAL).expect("known");
    drop(platform);
    let after = start(folder.path()).device(SERIAL).expect("known");
    assert!(!after.online && after.waiting.is_none());
    assert_eq!(after.last_received_us, before.last_received_us);
    assert_eq!(after.last_synchronised_us, before.last_synchronised_us);
    assert_eq!((after.disk_free_bytes, after.disk_total_bytes), (Some(10), Some(20)));
    assert_eq!((after.release, after.own_name), (before.release, before.own_name));
    assert_eq!(after.address, before.address);
}
