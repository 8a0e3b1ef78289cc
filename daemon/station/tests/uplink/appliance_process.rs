//! What the platform asks for and the box's appliance process does: restart, clock and upgrade. The process is the real
//! one, on a bus of the test's own, with a logind on it that restarts nothing, a RAUC that writes nothing, and a clock that
//! is the test's.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;

use appliance::{ClockTuning, Config, LeapState, Machine, Reading, Server, Tune, Tuning};
use bytes::Bytes;
use capture::clock::{Clock, SystemClock};
use catalog::{AlarmCode, AlarmState, AuditResult};
use line::StopMode;
use tokio::runtime::Runtime;
use uplink::What;
use uplink::message::{Outcome, ToPlatform, ToStation};

use crate::bus::{Bus, Logind};
use crate::house::{
    Kept, Platform, TestBox, TestClock, alarms, commands_written_down, connected, lock, records, sha256,
    wait_for_records, wait_until,
};
use crate::rauc::{Play, Rauc};

const HOUR_US: i64 = 3_600_000_000;

/// The box's clock is the test's: the appliance process sets that.
struct BoxMachine(Arc<TestClock>);

impl Machine for BoxMachine {
    fn reading(&self) -> Reading {
        let now = self.0.now();
        Reading { utc_us: now.utc_us, raw_us: now.monotonic_us }
    }

    fn set(&self, utc_us: i64) -> io::Result<()> {
        self.0.wrong_ms.store((utc_us - SystemClock.now().utc_us) / 1000, SeqCst);
        Ok(())
    }

    fn step(&self, _: i64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn tune(&self, _: &Tune) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn leap_state(&self) -> LeapState {
        LeapState::Quiet
    }

    fn read_rtc(&self) -> io::Result<Option<i64>> {
        Ok(None)
    }

    fn write_rtc(&self, _: i64) -> io::Result<()> {
        Ok(())
    }

    fn boot_id(&self) -> String {
        "3f0c".to_owned()
    }
}

/// An appliance process for the box, until this is dropped.
struct Appliance {
    logind: Logind,
    rauc: Rauc,
    _connections: [zbus::Connection; 2],
    _runtime: Runtime,
    _bus: Bus,
}

impl Appliance {
    fn start(test_box: &TestBox) -> Self {
        let bus = Bus::start();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let machine = Arc::new(BoxMachine(test_box.clock.clone()));
        let config = Config {
            socket: test_box.appliance_socket(),
            for_uid: None,
            bus: Some(bus.address.clone()),
            folder: test_box.appliance_socket().with_extension("kept"),
            root: test_box.appliance_socket().with_extension("root"),
            tuning: Tuning { clock: ClockTuning { machine, ..ClockTuning::default() }, ..Tuning::default() },
        };
        let (logind, first) = runtime.block_on(Logind::serve(&bus, "yes"));
        let (rauc, second) = runtime.block_on(Rauc::serve(&bus, Play::default()));
        let server = {
            let _within = runtime.enter();
            Server::bind(config).expect("it starts")
        };
        runtime.spawn(server.run(std::future::pending()));
        Self { logind, rauc, _connections: [first, second], _runtime: runtime, _bus: bus }
    }
}

fn code(outcome: &Outcome) -> &str {
    match outcome {
        Outcome::Failed { code, .. } => code,
        Outcome::Done { .. } => "done",
        _ => "neither",
    }
}

#[test]
fn a_box_restarts_when_the_platform_says_so() {
    let (test_box, platform) = (TestBox::new(), Platform::start());
    let station = connected(&test_box, &platform);
    platform.command(1, 30, &What::Restart);
    assert_eq!(code(&platform.ended(1)), "not_available", "nobody answers at the socket");

    let appliance = Appliance::start(&test_box);
    platform.command(2, 30, &What::Restart);
    assert_eq!(code(&platform.ended(2)), "done");
    assert!(appliance.logind.reboots().is_empty(), "the answer has been put away before");
    wait_until("the restart", || appliance.logind.reboots().len() == 1);
    let written: Vec<_> = commands_written_down(&station)
        .into_iter()
        .map(|row| (row.entry.operation, row.entry.result, row.entry.detail))
        .collect();
    assert_eq!(
        written,
        [
            ("restart".to_owned(), AuditResult::Ok, None),
            ("restart".to_owned(), AuditResult::Refused, Some("not_available".to_owned())),
        ],
        "newest first"
    );
    station.stop().expect("it stops");
}

#[test]
fn a_step_of_the_clock_that_was_asked_for_cuts_no_recording() {
    let (test_box, platform) = (TestBox::new(), Platform::start());
    let station = connected(&test_box, &platform);
    let _appliance = Appliance::start(&test_box);
    wait_for_records(&station, 3);
    platform.command(1, 30, &What::SetTime { utc_us: 0 });
    let Outcome::Failed { code: refused, params } = platform.ended(1) else { panic!("a failure") };
    assert_eq!(refused, "bad_request");
    assert!(params["reason"].as_str().is_some_and(|reason| reason.contains("2020")), "{params:?}");

    let stepped_us = SystemClock.now().utc_us + HOUR_US;
    platform.command(2, 30, &What::SetTime { utc_us: stepped_us });
    assert_eq!(code(&platform.ended(2)), "done");
    let seen = station.catalog().next_sequence();
    wait_for_records(&station, seen + 6);
    station.stop().expect("it stops");

    let rows = records(&station);
    let (before, after): (Vec<_>, Vec<_>) =
        rows.iter().partition(|row| row.start_us < stepped_us - HOUR_US / 2);
    assert!(!before.is_empty() && after.len() >= 4, "{} and {}", before.len(), after.len());
    // The last ones were open when the station stopped.
    let closed: Vec<_> = rows.iter().filter(|row| row.stop_mode == StopMode::OnHook).collect();
    assert!(closed.len() + 3 >= rows.len(), "each line has at most one that was still open");
    for row in closed {
        assert!((900..1200).contains(&row.duration_ms), "{} ms is a call of a second", row.duration_ms);
    }
}

/// A bundle that the platform sends for command `id`, and the command.
fn offered(platform: &Platform, id: u64, bytes: usize, restart: bool) -> (Bytes, What) {
    let bundle: Bytes = b"hsqs".iter().copied().chain((4..bytes).map(|_| fastrand::u8(..))).collect();
    *lock(&platform.kept.bundle) = Some((id, bundle.clone()));
    let what =
        What::Upgrade { release: "2.0".into(), bytes: bundle.len() as u64, sha256: sha256(&bundle), restart };
    (bundle, what)
}

/// Where the pieces of a bundle begin that were asked for so far.
fn wanted(kept: &Kept) -> Vec<u64> {
    lock(&kept.wanted).clone()
}

fn progress(kept: &Kept, id: u64) -> Vec<(u64, u64)> {
    let told = lock(&kept.told);
    told.iter()
        .filter_map(|one| match one {
            ToPlatform::Answer { command, outcome: Outcome::Progress { done, total } } if *command == id => {
                Some((*done, *total))
            }
            _ => None,
        })
        .collect()
}

#[test]
fn an_upgrade_is_fetched_checked_installed_and_the_box_restarted() {
    let (test_box, platform) = (TestBox::new(), Platform::start());
    let station = connected(&test_box, &platform);
    let (bundle, what) = offered(&platform, 1, 3_000_000, true);
    platform.command(1, 30, &what);
    assert_eq!(code(&platform.ended(1)), "not_available", "nobody installs it: nothing is fetched");
    assert!(wanted(&platform.kept).is_empty());

    let appliance = Appliance::start(&test_box);
    *lock(&platform.kept.bundle) = Some((2, bundle.clone()));
    platform.command(2, 30, &what);
    let Outcome::Done { detail } = platform.ended(2) else { panic!("{:?}", platform.ended(2)) };
    assert_eq!((&detail["version"], &detail["restarts"]), (&"0.2.0".into(), &true.into()));
    let calls = appliance.rauc.play().calls.clone();
    assert!(calls.len() == 2 && calls[1].starts_with("InstallBundle "), "{calls:?}");
    wait_until("the restart", || appliance.logind.reboots().len() == 1);
    assert!(progress(&platform.kept, 2).iter().any(|(_, total)| *total == 100), "percents are told");
    let left = std::fs::read_dir(station.data_dir().path().join("upgrade")).expect("a folder").flatten();
    let left: Vec<_> = left.map(|entry| entry.file_name()).collect();
    assert_eq!(left, ["last.json"], "the bundle is gone");

    // Another one, of which half comes before the connection breaks: the second half is all that comes again.
    let (bundle, what) = offered(&platform, 3, 9_000_000, false);
    *lock(&platform.kept.bundle) = Some((3, bundle.slice(..4_000_000)));
    let before = wanted(&platform.kept).len();
    platform.command(3, 30, &what);
    wait_until("half of it", || wanted(&platform.kept).last() == Some(&4_000_000));
    assert_eq!(wanted(&platform.kept)[before], 0);
    assert_eq!(code(&platform.ended(3)), "cancelled", "the platform has no more of it");
    let before = wanted(&platform.kept).len();
    *lock(&platform.kept.bundle) = Some((4, bundle));
    platform.command(4, 30, &what);
    let Outcome::Done { detail } = platform.ended(4) else { panic!("{:?}", platform.ended(4)) };
    assert_eq!(detail["restarts"], false);
    assert_eq!(wanted(&platform.kept)[before], 4_000_000);
    station.stop().expect("it stops");
    drop(station);
    assert_eq!(appliance.logind.reboots().len(), 1, "that one was not to restart");

    // A platform that has not heard of it asks again, after the box has restarted as well: it is not done once more.
    let calls = appliance.rauc.play().calls.len();
    let wants = wanted(&platform.kept).len();
    lock(&platform.kept.told).clear();
    let station = connected(&test_box, &platform);
    platform.command(4, 30, &what);
    let Outcome::Done { detail } = platform.ended(4) else { panic!("{:?}", platform.ended(4)) };
    assert_eq!(detail["version"], "0.2.0");
    assert_eq!((appliance.rauc.play().calls.len(), wanted(&platform.kept).len()), (calls, wants));
    let written = commands_written_down(&station);
    let upgrades = written.iter().filter(|row| row.entry.params["command"] == 4).count();
    assert_eq!(upgrades, 1, "the trail has it once");
    station.stop().expect("it stops");
}

#[test]
fn an_upgrade_goes_on_when_the_platform_is_back() {
    let (test_box, platform) = (TestBox::new(), Platform::start());
    let station = connected(&test_box, &platform);
    let _appliance = Appliance::start(&test_box);
    let (bundle, what) = offered(&platform, 1, 20_000_000, false);
    platform.command(1, 60, &what);
    wait_until("some of it", || wanted(&platform.kept).last() > Some(&2_000_000));
    let platform = platform.restart();
    wait_until("it is back", || lock(&platform.kept.hellos).len() > 1);
    let before = wanted(&platform.kept).len();
    platform.command(1, 60, &what);
    let Outcome::Done { .. } = platform.ended(1) else { panic!("{:?}", platform.ended(1)) };
    assert!(wanted(&platform.kept)[before] > 2_000_000, "what had come has not come again");
    drop(bundle);
    station.stop().expect("it stops");
}

#[test]
fn what_is_no_bundle_of_this_box_is_not_installed() {
    let (test_box, platform) = (TestBox::new(), Platform::start());
    let station = connected(&test_box, &platform);
    let appliance = Appliance::start(&test_box);
    let (bundle, what) = offered(&platform, 1, 100_000, true);
    let mut other = bundle.to_vec();
    other[50_000] ^= 1;
    *lock(&platform.kept.bundle) = Some((1, other.into()));
    platform.command(1, 30, &what);
    assert_eq!(code(&platform.ended(1)), "bundle_corrupt");
    assert!(appliance.rauc.play().calls.is_empty(), "nobody was asked to install it");
    let stands = || alarms(&station, AlarmCode::UpgradeFailed, AlarmState::Current);
    let says = |why: &str| stands().first().is_some_and(|alarm| alarm.params["upgrade"] == why);
    wait_until("the alarm", || says("bundle_corrupt"));
    // Other reasons are told once a second.
    std::thread::sleep(std::time::Duration::from_millis(1100));

    appliance.rauc.play().bundle = Ok(("hookline-aarch64", "0.2.0"));
    *lock(&platform.kept.bundle) = Some((2, bundle));
    platform.command(2, 30, &what);
    assert_eq!(code(&platform.ended(2)), "not_for_this_box");
    wait_until("the alarm says so", || says("not_for_this_box"));
    assert_eq!((stands().len(), &stands()[0].params["release"]), (1, &"2.0".into()));
    for (id, bytes, sha256) in
        [(3, 0, "ab".repeat(32)), (4, 5, "../../etc".into()), (5, u64::MAX, "ab".repeat(32))]
    {
        platform.command(id, 30, &What::Upgrade { release: "x".into(), bytes, sha256, restart: true });
        assert_eq!(code(&platform.ended(id)), "command_invalid");
    }
    platform.command(
        6,
        30,
        &What::Upgrade { release: "x".into(), bytes: 5, sha256: "ab".repeat(32), restart: true },
    );
    assert_eq!(code(&platform.ended(6)), "cancelled", "the platform has none");
    platform.say(ToStation::Cancel { command: 6 });
    assert_eq!(stands().len(), 1, "what never was a bundle changes nothing");

    appliance.rauc.play().bundle = Ok(("hookline-x86_64", "0.2.0"));
    let (_, what) = offered(&platform, 7, 100_000, false);
    platform.command(7, 30, &what);
    assert_eq!(code(&platform.ended(7)), "done");
    wait_until("the alarm is over", || stands().is_empty());
    assert_eq!(alarms(&station, AlarmCode::UpgradeFailed, AlarmState::History).len(), 1);
    station.stop().expect("it stops");
    assert!(appliance.logind.reboots().is_empty());
}
