//! What is pushed: alarms as they come and go, once, over restarts and lost servers; the summary of a day.

mod support;

use std::net::TcpListener;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use catalog::{AlarmCode, AlarmKey, AlarmState, Params};
use serde_json::{Value, json};
use support::{Server, TestBox, members, us, wait_until};

const DUTY: &str = "duty@mail.test";
const SECOND: &str = "second@mail.test";

fn disk() -> AlarmKey {
    AlarmKey::of_box(AlarmCode::DiskFull)
}

fn text(message: &Value) -> String {
    message["body"].as_str().expect("a text").replace("\r\n", "\n")
}

/// Time enough for something that must not happen.
fn a_while() {
    std::thread::sleep(Duration::from_millis(400));
}

#[test]
fn an_alarm_is_told_when_it_comes_and_when_it_goes() {
    let server = Server::start(&[]);
    let test_box = TestBox::new();
    test_box.configure(server.port, &[DUTY, SECOND], json!({}));
    test_box.catalog.raise(&disk(), Params::new()).expect("written");
    test_box.catalog.raise(&AlarmKey::of_box(AlarmCode::CpuHigh), Params::new()).expect("written");
    wait_until("it is told", || server.taken().len() == 2);
    test_box.catalog.clear(&disk()).expect("written");
    wait_until("its end is told", || server.taken().len() == 4);
    a_while();
    for address in [DUTY, SECOND] {
        let taken = server.taken_for(address);
        assert_eq!(taken.len(), 2, "{taken:?}");
        assert_eq!(taken[0]["subject"], "[值班室] Disk full: nothing can be recorded");
        assert!(text(&taken[0]).contains("Delete old recordings now"), "what to do: {taken:?}");
        assert!(!text(&taken[0]).contains("CPU"), "this kind was not chosen");
        assert!(taken[1]["subject"].as_str().expect("a text").contains("Cleared"));
        assert_ne!(taken[0]["id"], taken[1]["id"]);
    }
}

#[test]
fn the_end_is_not_told_to_those_who_do_not_want_it() {
    let server = Server::start(&[]);
    let test_box = TestBox::new();
    test_box.configure(server.port, &[DUTY], json!({"cleared": false}));
    test_box.catalog.raise(&disk(), Params::new()).expect("written");
    wait_until("it is told", || server.taken().len() == 1);
    test_box.catalog.clear(&disk()).expect("written");
    a_while();
    assert_eq!(server.taken().len(), 1);
}

#[test]
fn a_storm_is_one_message() {
    let server = Server::start(&[]);
    let test_box = TestBox::new();
    test_box.configure(server.port, &[DUTY], json!({"collect_s": 1}));
    for port in 1..=300 {
        test_box
            .catalog
            .raise(&AlarmKey::of_port(AlarmCode::LineLost, port), Params::new())
            .expect("written");
    }
    wait_until("it is told", || !server.taken().is_empty());
    std::thread::sleep(Duration::from_millis(1500));
    let taken = server.taken();
    assert_eq!(taken.len(), 1);
    assert_eq!(taken[0]["subject"], "[值班室] 300 alarms, 0 cleared");
}

#[test]
fn what_waits_for_a_lost_server_is_sent_once_over_restarts() {
    // A port that nobody listens on, until the server comes back there.
    let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound").port();
    let mut test_box = TestBox::new();
    test_box.configure(port, &[DUTY, SECOND], json!({}));
    test_box.catalog.raise(&disk(), Params::new()).expect("written");
    wait_until("the alarm about e-mail", || test_box.email_alarms(AlarmState::Current).len() == 2);
    let alarm = test_box.email_alarms(AlarmState::Current).remove(0);
    assert_eq!(alarm.params["reason"], "unreachable", "{alarm:?}");
    assert!(test_box.mail.now().recipients[0].next_try_us.is_some());
    test_box.restart(|catalog| {
        catalog.raise(&AlarmKey::of_port(AlarmCode::LineLost, 3), Params::new()).expect("written");
    });
    a_while();

    let server = Server::start(&["--port", &port.to_string()]);
    wait_until("all is told", || server.taken().len() == 2);
    wait_until("e-mail is well again", || test_box.email_alarms(AlarmState::Current).is_empty());
    for address in [DUTY, SECOND] {
        let taken = server.taken_for(address);
        assert!(
            text(&taken[0]).contains("Disk full") && text(&taken[0]).contains("channel [3]"),
            "{taken:?}"
        );
    }
    test_box.restart(|_| {});
    a_while();
    assert_eq!(server.taken().len(), 2, "nothing is told twice, and no alarm about e-mail is sent by e-mail");
    assert_eq!(test_box.email_alarms(AlarmState::History).len(), 2);
}

#[test]
fn an_address_that_is_refused_for_good_is_an_alarm_until_it_is_put_right() {
    let server = Server::start(&[]);
    let test_box = TestBox::new();
    test_box.configure(server.port, &[DUTY, "refused@mail.test"], json!({}));
    test_box.catalog.raise(&disk(), Params::new()).expect("written");
    wait_until("the alarm", || test_box.email_alarms(AlarmState::Current).len() == 1);
    let alarm = test_box.email_alarms(AlarmState::Current).remove(0);
    assert_eq!(alarm.thing.as_deref(), Some("refused@mail.test"));
    assert_eq!(alarm.params["reason"], "recipient_refused");
    a_while();
    assert_eq!(server.taken_for(DUTY).len(), 1, "the other had its mail, once");
    test_box.mail.change(&members(json!({"recipients": [DUTY, SECOND]}))).expect("changed");
    wait_until("it is cleared", || test_box.email_alarms(AlarmState::Current).is_empty());
}

#[test]
fn what_happened_while_it_was_off_is_not_sent_later() {
    let server = Server::start(&[]);
    let mut test_box = TestBox::new();
    test_box.configure(server.port, &[DUTY], json!({"switched_on": false}));
    test_box.catalog.raise(&disk(), Params::new()).expect("written");
    test_box.restart(|_| {});
    a_while();
    test_box.mail.change(&members(json!({"switched_on": true}))).expect("changed");
    a_while();
    assert_eq!(server.taken().len(), 0);
    test_box.catalog.raise(&AlarmKey::of_port(AlarmCode::LineLost, 3), Params::new()).expect("written");
    wait_until("what comes now is", || server.taken().len() == 1);
    assert!(!text(&server.taken()[0]).contains("Disk"), "{:?}", server.taken());
}

#[test]
fn the_summary_comes_once_a_day_at_its_time() {
    let server = Server::start(&[]);
    let mut test_box = TestBox::new();
    test_box.host.now_us.store(us("2026-11-22T07:59:00+08:00"), Relaxed);
    test_box.configure(server.port, &[DUTY], json!({"summary": true, "summary_at": "08:00", "alarms": []}));
    test_box.catalog.raise(&disk(), Params::new()).expect("written");
    a_while();
    assert_eq!(server.taken().len(), 0, "the day before is not told of");
    test_box.host.now_us.store(us("2026-11-22T08:00:01+08:00"), Relaxed);
    wait_until("the summary", || server.taken().len() == 1);
    test_box.restart(|_| {});
    a_while();
    let taken = server.taken();
    assert_eq!(taken.len(), 1);
    assert_eq!(taken[0]["subject"], "[值班室] Daily summary");
    let body = text(&taken[0]);
    for part in [
        "Daily summary: 2026-11-21 08:00:00 +08:00 to 2026-11-22 08:00:00 +08:00",
        "Recordings: 0, 0:00:00",
        "Incoming, missed: 0",
        "Alarms that stand now (1)\n  Disk full",
        "Stations offline (1)\n  HKLN-00000000000002",
        "Disk: 250.0 GB free of 1000.0 GB (25.0%)",
    ] {
        assert!(body.contains(part), "{part}: {body}");
    }
    test_box.host.now_us.store(us("2026-11-25T09:00:00+08:00"), Relaxed);
    wait_until("the next", || server.taken().len() == 2);
    assert!(text(&server.taken()[1]).contains("2026-11-22 08:00:00 +08:00 to 2026-11-25 08:00:00 +08:00"));
}
