//! Alarms from their real causes (ST-11): lines, units, clock, load, power. Each is raised by what is wrong, and cleared
//! when that is right again. Those of the disk stand in `alarms_disk.rs`, those of the way to the platform and of e-mail with
//! their tests in the rooms `station` and `mail`.

mod support;

use std::fs;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use catalog::{AlarmCode, AlarmKey, AlarmState, Catalog, Params};
use station::Tuning;
use support::start_station;
use support::tuned::{TestBox, alarms, cleared, is_history, raised, stands, wait_until};

const IDLE: &str = "0,48,0";

/// Every alarm there is, and the test that raises and clears it. A new one does not compile until it stands here.
fn test_of(code: AlarmCode) -> Option<&'static str> {
    Some(match code {
        AlarmCode::LineLost | AlarmCode::OffHookTooLong | AlarmCode::NoCall => {
            "lines_raise_and_clear_their_alarms"
        }
        AlarmCode::UnitLost => "a_unit_that_fails_is_an_alarm_until_it_works_again",
        AlarmCode::UnitDefect => "a_unit_that_works_in_part_says_what_is_wrong",
        AlarmCode::AudioGap => "audio_that_the_disk_gives_back_wrong_is_a_gap",
        AlarmCode::DiskNearlyFull | AlarmCode::DiskFull => "a_full_disk_is_told_as_soon_as_it_takes_a_word",
        AlarmCode::DiskFailing => "a_disk_that_takes_nothing_is_told_afterwards",
        AlarmCode::DiskUnwritable => "a_folder_that_takes_no_files_is_unwritable",
        AlarmCode::JournalDamaged => "damage_to_the_journal_is_told_until_a_reindex",
        AlarmCode::CatalogBehind => "a_catalog_that_somebody_holds_is_behind",
        AlarmCode::RecordingMissing => "a_recording_without_its_file_is_missed",
        AlarmCode::PlatformUnreachable => "a_platform_that_does_not_answer_is_an_alarm_until_it_does",
        AlarmCode::ClockWrong => {
            "a_clock_that_differs_from_the_platforms_is_wrong_until_something_keeps_it_in_step"
        }
        AlarmCode::ClockUnsynchronised => "a_clock_that_nothing_keeps_in_step_is_an_alarm",
        AlarmCode::CpuHigh | AlarmCode::MemoryHigh | AlarmCode::TemperatureHigh => {
            "a_box_that_works_too_hard_says_so"
        }
        AlarmCode::Overloaded => "live_state_that_came_late_is_made_good_and_told",
        AlarmCode::EmailFailed => "what_waits_for_a_lost_server_is_sent_once_over_restarts",
        AlarmCode::PowerLossRestart => "a_start_after_a_power_cut_is_told",
        AlarmCode::UpgradeFailed => "what_is_no_bundle_of_this_box_is_not_installed",
        // Of a platform: tested in its own room.
        AlarmCode::StationOffline
        | AlarmCode::NothingReceived
        | AlarmCode::TwoBoxesOneSerial
        | AlarmCode::SynchronisationFailed
        | AlarmCode::StationClockWrong => return None,
        // What they are about is not in this product yet: trunks, a mirror.
        AlarmCode::TrunkLos | AlarmCode::TrunkAis | AlarmCode::TrunkLof | AlarmCode::MirrorDegraded => {
            return None;
        }
    })
}

#[test]
fn every_alarm_has_its_test() {
    let platform = include_str!("../../daemon/station/tests/uplink/alarms.rs");
    let upgrade = include_str!("../../daemon/station/tests/uplink/appliance_process.rs");
    let mail = include_str!("../../daemon/mail/tests/push.rs");
    let units = include_str!("../../daemon/station/tests/units/main.rs");
    let tests =
        [include_str!("alarms.rs"), include_str!("alarms_disk.rs"), platform, upgrade, mail, units].concat();
    for code in AlarmCode::ALL {
        if let Some(name) = test_of(*code) {
            assert!(tests.contains(&format!("#[test]\nfn {name}()")), "{} has no test {name}", code.name());
        }
    }
}

#[test]
fn lines_raise_and_clear_their_alarms() {
    let test_box = TestBox::new(
        30,
        &[
            ("0,48,0\n1,0,0\n3,48,0", "line_lost_after_s = 0.5"),
            ("0,48,0\n1,8,0\n4,48,0", "off_hook_alarm_after_s = 1"),
            ("0,48,0\n3,8,0\n4,48,0", "no_call_alarm_after_s = 1"),
        ],
    );
    let station = test_box.start();
    for (code, port) in [(AlarmCode::NoCall, 3), (AlarmCode::LineLost, 1), (AlarmCode::OffHookTooLong, 2)] {
        assert_eq!(raised(&station, code).port, Some(port));
    }
    for code in [AlarmCode::LineLost, AlarmCode::NoCall, AlarmCode::OffHookTooLong] {
        cleared(&station, code);
    }
    station.stop().expect("it stops");
}

#[test]
fn a_unit_that_fails_is_an_alarm_until_it_works_again() {
    let test_box = TestBox::new(4, &[(IDLE, "")]);
    let audio = test_box.scenario().join("1.wav");
    let whole = fs::read(&audio).expect("it is there");
    let station = test_box.start();
    wait_until("the box is well", || station.health().is_well());
    // As a unit that is pulled out: what was there is not there any more.
    fs::File::options().write(true).open(&audio).expect("there").set_len(100).expect("cut");
    assert_eq!(raised(&station, AlarmCode::UnitLost).thing.as_deref(), Some("tap-a"));
    assert!(!station.health().capturing && !station.health().is_well());
    station.stop().expect("it stops");
    drop(station);

    fs::write(&audio, whole).expect("written");
    let station = test_box.start();
    cleared(&station, AlarmCode::UnitLost);
    assert!(station.health().is_well(), "{:?}", station.health());
    station.stop().expect("it stops");
    assert!(!station.health().is_well(), "a stopped station is not");
}

#[test]
fn what_a_former_run_left_raised_is_cleared_when_nothing_raises_it_again() {
    let test_box = TestBox::new(4, &[("0,0,0", "line_lost_after_s = 0.5"), (IDLE, "")]);
    let station = test_box.start();
    raised(&station, AlarmCode::LineLost);
    station.stop().expect("it stops");
    let serial = station.info().serial.clone();
    drop(station);
    let stale = [
        AlarmKey::of_box(AlarmCode::DiskFull),
        AlarmKey::of_box(AlarmCode::DiskUnwritable),
        AlarmKey::of_box(AlarmCode::DiskFailing),
        AlarmKey::of_box(AlarmCode::CatalogBehind),
        AlarmKey::of_port(AlarmCode::AudioGap, 1),
        AlarmKey::of_port(AlarmCode::LineLost, 99),
        AlarmKey::of_thing(AlarmCode::UnitLost, "a unit of before"),
    ];
    let (catalog, _) = Catalog::open(&test_box.data(), catalog::Options::new(serial)).expect("opens");
    for key in &stale {
        catalog.raise(key, Params::new()).expect("written");
    }
    drop(catalog);

    // Time enough for the lost line to say so again.
    let station = test_box.start_tuned(Tuning { lines_settle: Duration::from_secs(2), ..test_box.tuning() });
    for key in &stale {
        wait_until(&format!("{key:?} is cleared"), || {
            alarms(&station, key.code, AlarmState::History)
                .iter()
                .any(|alarm| (alarm.port, &alarm.thing) == (key.port, &key.thing))
        });
    }
    let lines = alarms(&station, AlarmCode::LineLost, AlarmState::Current);
    assert_eq!(lines.iter().map(|alarm| alarm.port).collect::<Vec<_>>(), [Some(1)], "it is still so");
    station.stop().expect("it stops");
}

#[test]
fn a_clock_that_nothing_keeps_in_step_is_an_alarm() {
    let test_box = TestBox::new(2, &[(IDLE, "")]);
    let station = test_box.start();
    test_box.clock.0.store(false, Relaxed);
    raised(&station, AlarmCode::ClockUnsynchronised);
    test_box.clock.0.store(true, Relaxed);
    cleared(&station, AlarmCode::ClockUnsynchronised);
    station.stop().expect("it stops");
}

/// A kernel's figures, as they are after `ticks` of which `busy` percent were work.
fn write_figures(test_box: &TestBox, ticks: u64, busy: u64, memory_percent: u64, celsius: u64) {
    let system = test_box.system();
    let zone = system.join("sys/class/thermal/thermal_zone0");
    fs::create_dir_all(&zone).expect("a folder");
    fs::create_dir_all(system.join("proc")).expect("a folder");
    let whole = |path: std::path::PathBuf, text: String| {
        let temporary = system.join("new");
        fs::write(&temporary, text).expect("written");
        fs::rename(temporary, path).expect("named");
    };
    whole(system.join("proc/stat"), format!("cpu  {busy} 0 0 {} 0 0 0 0 0 0\n", ticks * 100 - busy));
    whole(
        system.join("proc/meminfo"),
        format!("MemTotal: 1000 kB\nMemAvailable: {} kB\n", 1000 - memory_percent * 10),
    );
    whole(zone.join("temp"), format!("{}\n", celsius * 1000));
}

#[test]
fn a_box_that_works_too_hard_says_so() {
    let test_box = TestBox::new(2, &[(IDLE, "")]);
    test_box.settings("cpu_high_percent = 80\nmemory_high_percent = 85\nhigh_for_s = 1\n");
    let codes = [AlarmCode::CpuHigh, AlarmCode::MemoryHigh, AlarmCode::TemperatureHigh];
    let (mut ticks, mut busy) = (1, 50);
    let mut work = |percent, memory_percent, celsius| {
        (ticks, busy) = (ticks + 1, busy + percent);
        write_figures(&test_box, ticks, busy, memory_percent, celsius);
    };
    work(0, 20, 40);
    let station = test_box.start();
    // High, but not for long enough.
    let soon = std::time::Instant::now() + Duration::from_millis(400);
    while std::time::Instant::now() < soon {
        work(100, 95, 90);
        std::thread::sleep(Duration::from_millis(10));
    }
    for _ in 0..30 {
        work(10, 50, 50);
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(codes.iter().all(|code| alarms(&station, *code, AlarmState::All).is_empty()));

    wait_until("all three are raised", || {
        work(95, 90, 90);
        codes.iter().all(|code| stands(&station, *code))
    });
    // A little under the limit is not over yet.
    for _ in 0..50 {
        work(78, 83, 82);
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(codes.iter().all(|code| stands(&station, *code)));
    wait_until("all three are cleared", || {
        work(10, 50, 50);
        codes.iter().all(|code| is_history(&station, *code))
    });
    station.stop().expect("it stops");
}

#[test]
fn live_state_that_came_late_is_made_good_and_told() {
    let test_box = TestBox::new(30, &[("0,48,0\n1,8,0", ""), ("0,48,0\n1,8,0", "")]);
    // Room for one state of each port: an off-hook says far more than that in one block.
    let station = test_box.start_tuned(Tuning { messages: 2, ..test_box.tuning() });
    wait_until("both ports show that they are recorded", || {
        station.live().ports().iter().all(|port| port.state == line::PortState::Recording)
    });
    assert!(station.messages_dropped() > 0, "the ring was large enough: nothing is shown by this");
    raised(&station, AlarmCode::Overloaded);
    cleared(&station, AlarmCode::Overloaded);
    station.stop().expect("it stops");
}

#[test]
fn a_start_after_a_power_cut_is_told() {
    let test_box = TestBox::new(2, &[(IDLE, "")]);
    start_station(&test_box.data(), &test_box.scenario()).kill_9();
    let station =
        test_box.start_tuned(Tuning { lines_settle: Duration::from_secs(600), ..test_box.tuning() });
    cleared(&station, AlarmCode::PowerLossRestart);
    station.stop().expect("it stops");
    drop(station);

    let station = test_box.start();
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(
        alarms(&station, AlarmCode::PowerLossRestart, AlarmState::All).len(),
        1,
        "the last stop was one"
    );
    station.stop().expect("it stops");
}
