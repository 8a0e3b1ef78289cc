//! Alarms of a platform from their real causes (PF-08): each is raised by what is wrong, and cleared when that is right
//! again.

mod house;

use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use catalog::{AlarmCode, AlarmState};
use hookline_platform::{Platform, Tuning};
use house::{Manner, Outgoing, SERIAL, add, alarms, brisk, entry, start, start_tuned, trail, until};
use serde_json::json;
use uplink::station_end::{Said, Wanted};

fn set(platform: &Platform, settings: serde_json::Value) {
    platform.change_settings(settings.as_object().expect("an object")).expect("changed");
}

/// Every alarm of a platform, and the test that raises and clears it. A new one does not compile until it stands here.
fn test_of(code: AlarmCode) -> Option<&'static str> {
    Some(match code {
        AlarmCode::StationOffline => {
            "a_station_that_stays_away_is_an_alarm_until_it_comes_or_is_switched_off"
        }
        AlarmCode::NothingReceived => "a_station_that_sends_nothing_is_an_alarm_until_it_does",
        AlarmCode::TwoBoxesOneSerial => "another_box_with_the_serial_number_is_an_alarm_until_it_gives_up",
        AlarmCode::SynchronisationFailed => "what_cannot_be_taken_over_is_an_alarm_until_it_can",
        AlarmCode::StationClockWrong => "a_wrong_clock_of_a_station_is_an_alarm_until_it_is_right",
        AlarmCode::DiskFull => "a_full_disk_holds_the_stations_until_there_is_room",
        AlarmCode::DiskUnwritable => "a_folder_that_takes_nothing_is_unwritable_until_it_does",
        AlarmCode::CpuHigh
        | AlarmCode::MemoryHigh
        | AlarmCode::TemperatureHigh
        | AlarmCode::DiskNearlyFull => "a_platform_that_works_too_hard_says_so",
        // Written by the room `upkeep` for both roles, and tested with the station.
        AlarmCode::JournalDamaged
        | AlarmCode::CatalogBehind
        | AlarmCode::RecordingMissing
        | AlarmCode::ClockUnsynchronised => return None,
        // Written and tested by the room `mail`.
        AlarmCode::EmailFailed => return None,
        // Of stations, or not in this product yet.
        AlarmCode::LineLost
        | AlarmCode::OffHookTooLong
        | AlarmCode::NoCall
        | AlarmCode::UnitLost
        | AlarmCode::UnitFaulty
        | AlarmCode::AudioGap
        | AlarmCode::TrunkLos
        | AlarmCode::TrunkAis
        | AlarmCode::TrunkLof
        | AlarmCode::DiskFailing
        | AlarmCode::MirrorDegraded
        | AlarmCode::ClockWrong
        | AlarmCode::PlatformUnreachable
        | AlarmCode::Overloaded
        | AlarmCode::PowerLossRestart
        | AlarmCode::UpgradeFailed => return None,
    })
}

#[test]
fn every_alarm_has_its_test() {
    let tests = [include_str!("alarms.rs"), include_str!("disk.rs")].concat();
    for code in AlarmCode::ALL {
        if let Some(name) = test_of(*code) {
            assert!(tests.contains(&format!("fn {name}()")), "{} has no test {name}", code.name());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_station_that_stays_away_is_an_alarm_until_it_comes_or_is_switched_off() {
    let folder = tempfile::tempdir().expect("a folder");
    let platform = start(folder.path());
    set(&platform, json!({"station_offline_after_min": 1}));
    let station = Manner::new(SERIAL);
    add(&platform, SERIAL, None);
    let offline = |platform: &Platform| house::stands(platform, AlarmCode::StationOffline, SERIAL);
    until("it never came", || offline(&platform)).await;
    let mut talking = station.talk(&platform, &Outgoing::default());
    talking.welcomed().await;
    until("it came", || !offline(&platform)).await;
    drop(talking);
    until("it left", || offline(&platform)).await;

    // A restart neither clears nor repeats what still holds.
    platform.stop();
    drop(platform);
    let platform = start(folder.path());
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(offline(&platform));
    until("the trail is written", || alarms(&platform, AlarmState::History).len() == 1).await;
    platform
        .change_device(SERIAL, |device| device.switched_on = false, |_, _| vec![trail("switch")])
        .expect("off");
    until("it need not come", || !offline(&platform)).await;
    platform
        .change_device(SERIAL, |device| device.switched_on = true, |_, _| vec![trail("switch")])
        .expect("on");
    until("it should come", || offline(&platform)).await;
    platform.remove_device(SERIAL, vec![trail("remove")]).expect("removed");
    until("nobody is missed", || !offline(&platform)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_station_that_sends_nothing_is_an_alarm_until_it_does() {
    let folder = tempfile::tempdir().expect("a folder");
    let platform = start(folder.path());
    set(&platform, json!({"nothing_received_after_min": 2, "station_offline_after_min": 60}));
    let station = Manner::new(SERIAL);
    add(&platform, SERIAL, None);
    let out = Outgoing::default();
    let mut talking = station.talk(&platform, &out);
    talking.welcomed().await;
    let nothing = || house::stands(&platform, AlarmCode::NothingReceived, SERIAL);
    until("nothing comes", nothing).await;
    out.put(entry(1, 1, "{\"kind\":\"x\"}"));
    talking.said.send(Said::News).await.expect("said");
    until("something came", || !nothing()).await;
    until("nothing more comes", nothing).await;
    assert_eq!(
        alarms(&platform, AlarmState::All).iter().filter(|one| one.code == "nothing_received").count(),
        2
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_box_with_the_serial_number_is_an_alarm_until_it_gives_up() {
    let folder = tempfile::tempdir().expect("a folder");
    let platform =
        start_tuned(folder.path(), Tuning { other_key_stands: Duration::from_millis(300), ..brisk() });
    add(&platform, SERIAL, Some(Manner::new(SERIAL).fingerprint()));
    let told = || house::stands(&platform, AlarmCode::TwoBoxesOneSerial, SERIAL);
    Manner::new(SERIAL).refused(&platform).await;
    until("it knocked", told).await;
    until("it knocks no more", || !told()).await;
    assert!(platform.device(SERIAL).expect("known").other_key.is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_taken_over_is_an_alarm_until_it_can() {
    let folder = tempfile::tempdir().expect("a folder");
    let platform = start(folder.path());
    let station = Manner::new(SERIAL);
    add(&platform, SERIAL, None);
    // No journal holds what is no text.
    let mut wrong = entry(1, 1, "");
    wrong.payload = bytes::Bytes::from_static(b"\xff\xfe");
    let out = Outgoing::of(vec![wrong]);
    let talking = station.talk(&platform, &out);
    let failed = || house::stands(&platform, AlarmCode::SynchronisationFailed, SERIAL);
    until("it cannot be kept", failed).await;
    assert!(out.done().is_empty());
    drop(talking);
    let out = Outgoing::of(vec![entry(1, 1, "{\"kind\":\"x\"}")]);
    let _talking = station.talk(&platform, &out);
    until("it is taken", || out.all_done()).await;
    until("it is over", || !failed()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_clock_of_a_station_is_an_alarm_until_it_is_right() {
    let folder = tempfile::tempdir().expect("a folder");
    let platform = start(folder.path());
    let station = Manner::new(SERIAL);
    station.clock_ahead_us.store(90_000_000, SeqCst);
    add(&platform, SERIAL, None);
    let out = Outgoing::default();
    let mut talking = station.talk(&platform, &out);
    talking.welcomed().await;
    let wrong = || house::stands(&platform, AlarmCode::StationClockWrong, SERIAL);
    until("its clock is wrong", wrong).await;
    let offset_ms = platform.device(SERIAL).expect("known").clock_offset_ms.expect("known");
    assert!((89_000..91_000).contains(&offset_ms), "{offset_ms} ms");
    // Its records keep both times.
    let item = entry(
        1,
        1,
        r#"{"kind":"audit","body":{"account":null,"ip":null,"item":"session","operation":"login","result":"ok"}}"#,
    );
    let written_us = item.written_us + 90_000_000;
    out.put(uplink::station_end::Item { written_us, ..item });
    talking.said.send(Said::News).await.expect("said");
    until("it came", || out.all_done()).await;
    assert!(platform.catalog().wait_until_current(Duration::from_secs(10)));
    assert_eq!(house::audit(&platform, "login")[0].utc_us, written_us);
    station.clock_ahead_us.store(0, SeqCst);
    until("its clock is right", || !wrong()).await;
    assert!(matches!(talking.wanted.try_recv(), Err(_) | Ok(Wanted::Welcomed(_))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_comes_and_breaks_is_no_connection() {
    let folder = tempfile::tempdir().expect("a folder");
    let platform = start(folder.path());
    set(&platform, json!({"station_offline_after_min": 10}));
    let station = Manner::new(SERIAL);
    add(&platform, SERIAL, None);
    let offline = || house::stands(&platform, AlarmCode::StationOffline, SERIAL);
    let begun = std::time::Instant::now();
    while !offline() {
        assert!(begun.elapsed() < Duration::from_secs(20), "it comes and breaks");
        let mut talking = station.talk(&platform, &Outgoing::default());
        talking.welcomed().await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        drop(talking);
        tokio::time::sleep(Duration::from_millis(150)).await;
    }
    // One that lasts ends it.
    let _talking = station.talk(&platform, &Outgoing::default());
    until("it has come", || !offline()).await;
    platform.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_never_arrives_because_each_connection_breaks_is_an_alarm() {
    let folder = tempfile::tempdir().expect("a folder");
    let tuning = Tuning { stuck_after: Duration::from_secs(6), ..brisk() };
    let platform = start_tuned(folder.path(), tuning);
    set(&platform, json!({"station_offline_after_min": 10_000}));
    let station = Manner::new(SERIAL);
    add(&platform, SERIAL, None);
    // So slow that nothing is ever whole.
    let slow = |device: &mut catalog::Device| device.audio_bytes_per_s = Some(1000);
    platform.change_device(SERIAL, slow, |_, _| vec![trail("change")]).expect("changed");
    let out = Outgoing::of(vec![house::recording(folder.path(), SERIAL, 1, 1, 900)]);
    let stuck = || house::stands(&platform, AlarmCode::SynchronisationFailed, SERIAL);
    let begun = std::time::Instant::now();
    while !stuck() {
        assert!(begun.elapsed() < Duration::from_secs(40), "it never arrives");
        let mut talking = station.talk(&platform, &out);
        talking.welcomed().await;
        tokio::time::sleep(Duration::from_millis(2500)).await;
        drop(talking);
    }
    assert!(begun.elapsed() > Duration::from_secs(5), "not at once");
    platform
        .change_device(SERIAL, |device| device.audio_bytes_per_s = None, |_, _| vec![trail("x")])
        .expect("set");
    let _talking = station.talk(&platform, &out);
    until("it has arrived", || out.all_done() && !stuck()).await;
    platform.stop();
}

#[test]
fn a_platform_that_works_too_hard_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().join("root");
    let thermal = root.join("sys/class/thermal/thermal_zone0");
    std::fs::create_dir_all(&thermal).expect("a folder");
    std::fs::create_dir_all(root.join("proc")).expect("a folder");
    let set_load = |busy: u64, free_kb: u64, degrees: u64| {
        std::fs::write(root.join("proc/stat"), format!("cpu  {busy} 0 0 0\n")).expect("written");
        let meminfo = format!("MemTotal: 1000 kB\nMemAvailable: {free_kb} kB\n");
        std::fs::write(root.join("proc/meminfo"), meminfo).expect("written");
        std::fs::write(thermal.join("temp"), format!("{degrees}000\n")).expect("written");
    };
    set_load(0, 900, 40);
    let platform = start_tuned(folder.path(), Tuning { system_root: root.clone(), ..brisk() });
    set(&platform, json!({"high_for_s": 0, "disk_nearly_full_percent": 0}));
    let stands = |code: AlarmCode| {
        alarms(&platform, AlarmState::Current).iter().any(|alarm| alarm.code == code.name())
    };
    let wait = |what: &str, holds: &mut dyn FnMut() -> bool| {
        let begun = std::time::Instant::now();
        while !holds() {
            assert!(begun.elapsed() < Duration::from_secs(20), "not within 20 s: {what}");
            std::thread::sleep(Duration::from_millis(10));
        }
    };
    let codes =
        [AlarmCode::CpuHigh, AlarmCode::MemoryHigh, AlarmCode::TemperatureHigh, AlarmCode::DiskNearlyFull];
    let mut busy = 0;
    set_load(0, 10, 120);
    set(&platform, json!({"disk_nearly_full_percent": 90}));
    wait("all stand, or the disk has room", &mut || {
        busy += 1;
        set_load(busy, 10, 120);
        codes[..3].iter().all(|code| stands(*code))
    });
    assert!(platform.vitals().memory_percent.is_some_and(|percent| percent > 95.0));
    let space = platform.vitals().disk.expect("asked");
    if (space.free_bytes as f64) < 0.9 * space.total_bytes as f64 {
        wait("the disk", &mut || stands(AlarmCode::DiskNearlyFull));
    }
    set(&platform, json!({"disk_nearly_full_percent": 0}));
    set_load(busy, 900, 40);
    wait("all is well", &mut || codes.iter().all(|code| !stands(*code)));
    assert!(platform.health().is_well());
    platform.stop();
}
