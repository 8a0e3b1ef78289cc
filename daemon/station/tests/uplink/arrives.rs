//! Everything goes up, as it stands, once.

use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use catalog::{Account, AlarmCode, AlarmKey, AlarmState, Change, Contact, Params};
use hookline_station::LinkState;
use uplink::message::ToPlatform;

use crate::house::{
    Platform, TestBox, alarms, assert_all_there_once, connected, cutting, link, lock, records, wait_for,
    wait_for_records, wait_until, wait_until_all_arrived,
};

fn account(name: &str) -> Account {
    Account {
        name: name.into(),
        display_name: String::new(),
        password_hash: "$argon2id$secret".into(),
        rights: Vec::new(),
        must_change: false,
        disabled: false,
        language: None,
        department: None,
    }
}

#[test]
fn recordings_and_what_is_said_of_them_arrive_while_they_are_made_and_from_before() {
    let (test_box, platform) = (TestBox::new(), Platform::start());
    let station = test_box.start();
    wait_for_records(&station, 3);
    assert_eq!(station.platform_link().state, LinkState::Off);
    assert!(!test_box.data().join("outbox").exists(), "a station without a platform prepares nothing");
    station.catalog().set_account(account("officer")).expect("written");
    platform.register(&station);
    link(&station, &platform, platform.address);
    wait_for(&station, LinkState::Connected);
    wait_for_records(&station, 9);
    let first = &records(&station)[0].id;
    station.catalog().annotate(first, Some("officer"), Change::Play).expect("written");
    let contact = Contact { number: "110".into(), name: "x".into(), ..Contact::default() };
    station.catalog().set_contact(contact).expect("written");
    let key = AlarmKey::of_port(AlarmCode::LineLost, 2);
    station.catalog().raise(&key, Params::new()).expect("written");
    station.catalog().clear(&key).expect("written");
    station.stop().expect("it stops");
    drop(station);

    let station = test_box.start_idle();
    wait_until_all_arrived(&station);
    assert_all_there_once(&station, &platform);
    assert!(alarms(&station, AlarmCode::AudioGap, AlarmState::All).is_empty(), "capture has not noticed");
    let files = lock(&platform.kept.items).values().filter(|taken| taken.file.is_some()).count();
    assert!(files >= 9, "{files} recordings");
    let now = station.platform_link();
    assert!(now.last_synchronised_us.is_some() && now.platform_release.as_deref() == Some("9.9.9"));
    assert!(now.trouble.is_none() && now.clock_offset_ms.is_some_and(|offset| offset.abs() < 1000));
    station.stop().expect("it stops");
    drop(station);
    // What was acknowledged stands in the journal, so that the next start sends nothing.
    let offers = platform.kept.offers.load(SeqCst);
    let station = test_box.start_idle();
    wait_until_all_arrived(&station);
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(platform.kept.offers.load(SeqCst), offers);
    station.stop().expect("it stops");
}

#[test]
fn a_call_is_shown_while_it_is_recorded_and_playable_soon_after() {
    let (test_box, platform) = (TestBox::new(), Platform::start());
    let station = connected(&test_box, &platform);
    let hello = lock(&platform.kept.hellos)[0].hello.clone();
    assert_eq!(hello.ports.len(), 3);
    assert_eq!((hello.ports[0].name.as_str(), hello.name.as_str()), ("line 1", "Hookline"));
    wait_until("a recording in progress", || {
        lock(&platform.kept.told).iter().any(|told| {
            matches!(told, ToPlatform::Port(port) if port.recording.as_ref().is_some_and(|open| {
                port.state == "recording" && !open.call_id.is_empty() && open.start_us > 1_700_000_000_000_000
            }))
        })
    });
    wait_until("a heartbeat that counts it", || {
        lock(&platform.kept.told).iter().any(|told| {
            matches!(told, ToPlatform::Heartbeat(beat) if beat.recording_peak > 0 && beat.disk_total_bytes > 0)
        })
    });
    wait_until("recordings", || {
        lock(&platform.kept.items).values().filter(|t| t.file.is_some()).count() >= 3
    });
    station.stop().expect("it stops");
}

#[test]
fn cuts_and_a_platform_that_falls_over_lose_nothing() {
    let (test_box, mut platform) = (TestBox::new(), Platform::start());
    let station = test_box.start();
    wait_for_records(&station, 6);
    platform.register(&station);
    let address = cutting(&platform, vec![700, 5_000, 20_000, 9_000, 31_000]);
    link(&station, &platform, address);
    wait_for_records(&station, 12);
    wait_until("some have arrived", || lock(&platform.kept.items).len() > 10);
    platform = platform.restart();
    link(&station, &platform, platform.address);
    wait_for_records(&station, 18);
    platform = platform.restart();
    wait_for_records(&station, 24);
    station.stop().expect("it stops");
    drop(station);
    let station = test_box.start_idle();
    wait_until_all_arrived(&station);
    assert_all_there_once(&station, &platform);
    station.stop().expect("it stops");
}

#[test]
fn a_full_platform_is_waited_for() {
    let (test_box, platform) = (TestBox::new(), Platform::start());
    platform.kept.full.store(true, SeqCst);
    let station = connected(&test_box, &platform);
    wait_for_records(&station, 4);
    assert_eq!(lock(&platform.kept.items).len(), 0);
    wait_until("it says what waits", || station.platform_link().waiting >= 4);
    assert_eq!(station.platform_link().state, LinkState::Connected, "the connection stays");
    platform.kept.full.store(false, SeqCst);
    station.stop().expect("it stops");
    drop(station);
    let station = test_box.start_idle();
    wait_until_all_arrived(&station);
    assert_all_there_once(&station, &platform);
    station.stop().expect("it stops");
}

/// A file that cannot be read now is no file that is gone: its recording waits, and keeps nothing else.
#[test]
fn a_recording_that_cannot_be_read_now_waits_until_it_can() {
    let (test_box, platform) = (TestBox::new(), Platform::start());
    let station = test_box.start();
    wait_for_records(&station, 6);
    station.stop().expect("it stops");
    drop(station);
    let station = test_box.start_idle();
    let file = records(&station)[2].file.clone().expect("a file");
    let path = station.data_dir().path().join(file);
    let aside = path.with_extension("aside");
    // A folder can be opened as a file, and not read.
    std::fs::rename(&path, &aside).expect("renamed");
    std::fs::create_dir(&path).expect("made");
    platform.register(&station);
    link(&station, &platform, platform.address);
    wait_for(&station, LinkState::Connected);
    wait_until("all but that one", || station.platform_link().waiting == 1);
    let without = |file: &Option<_>| file.is_none();
    let records_without = lock(&platform.kept.items)
        .values()
        .filter(|taken| taken.payload.starts_with(b"{\"kind\":\"record\"") && without(&taken.file))
        .count();
    assert_eq!(records_without, 0, "nothing is sent without its sound");
    std::fs::remove_dir(&path).expect("removed");
    std::fs::rename(&aside, &path).expect("renamed");
    // A minute later, or with the next connection.
    let platform = platform.restart();
    wait_until_all_arrived(&station);
    assert_all_there_once(&station, &platform);
    station.stop().expect("it stops");
}

#[test]
fn alarms_go_before_the_backlog_and_in_their_order() {
    let (test_box, platform) = (TestBox::new(), Platform::start());
    let station = test_box.start();
    wait_for_records(&station, 6);
    let key = AlarmKey::of_port(AlarmCode::LineLost, 2);
    for _ in 0..5 {
        station.catalog().raise(&key, Params::new()).expect("written");
        station.catalog().clear(&key).expect("written");
    }
    platform.kept.backlog_held.store(true, SeqCst);
    platform.register(&station);
    link(&station, &platform, platform.address);
    let alarm = |item: &u64| {
        let items = lock(&platform.kept.items);
        items[item].payload.starts_with(b"{\"kind\":\"alarm_")
    };
    wait_until("the alarms", || {
        let order = lock(&platform.kept.order).clone();
        order.iter().filter(|item| alarm(item)).count() >= 10
    });
    let order = lock(&platform.kept.order).clone();
    let alarms: Vec<u64> = order.iter().copied().filter(|item| alarm(item)).collect();
    assert!(alarms.is_sorted(), "{alarms:?}");
    let held = lock(&platform.kept.items).values().filter(|taken| taken.file.is_some()).count() as u64;
    assert!(held + 6 < station.catalog().next_sequence(), "{held} recordings: the backlog is held");
    station.stop().expect("it stops");
}
