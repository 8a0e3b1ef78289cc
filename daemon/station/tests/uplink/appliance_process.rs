//! What the platform asks for and the box's appliance process does: restart and clock. The process is the real one, on a
//! bus of the test's own, with a logind on it that restarts nothing and a clock that is the test's.

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;

use appliance::{Config, Server, Tuning};
use capture::clock::{Clock, SystemClock};
use catalog::AuditResult;
use line::StopMode;
use tokio::runtime::Runtime;
use uplink::What;
use uplink::message::Outcome;

use crate::bus::{Bus, Logind};
use crate::house::{
    Platform, TestBox, commands_written_down, connected, records, wait_for_records, wait_until,
};

const HOUR_US: i64 = 3_600_000_000;

/// An appliance process for the box, until this is dropped.
struct Appliance {
    logind: Logind,
    _connection: zbus::Connection,
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
        let clock = test_box.clock.clone();
        let set_clock = Arc::new(move |utc_us: i64| {
            clock.wrong_ms.store((utc_us - SystemClock.now().utc_us) / 1000, SeqCst);
            Ok(())
        });
        let config = Config {
            socket: test_box.appliance_socket(),
            for_uid: None,
            bus: Some(bus.address.clone()),
            tuning: Tuning { set_clock, ..Tuning::default() },
        };
        let (logind, connection) = runtime.block_on(Logind::serve(&bus, "yes"));
        let server = {
            let _within = runtime.enter();
            Server::bind(config).expect("it starts")
        };
        runtime.spawn(server.run(std::future::pending()));
        Self { logind, _connection: connection, _runtime: runtime, _bus: bus }
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
