//! What a platform may ask of a station, and what it is answered.

use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use catalog::AuditResult;
use hookline_station::Station;
use serde_json::{Map, Value, json};
use uplink::What;
use uplink::command::{ContactToSet, MoreOfContact};
use uplink::message::{Command, Outcome, ToPlatform, ToStation};

use crate::house::{
    Platform, TestBox, commands_written_down, connected, lock, records, wait_for_records, wait_until,
    wait_until_all_arrived,
};

fn code(outcome: &Outcome) -> &str {
    match outcome {
        Outcome::Failed { code, .. } => code,
        Outcome::Done { .. } => "done",
        _ => "neither",
    }
}

fn object(value: Value) -> Map<String, Value> {
    value.as_object().expect("an object").clone()
}

fn written_down(station: &Station, id: u64) -> (String, AuditResult, Option<String>) {
    let rows = commands_written_down(station);
    let row = rows.iter().find(|row| row.entry.params["command"] == id);
    let entry = row.unwrap_or_else(|| panic!("command {id} is not written down: {rows:?}")).entry.clone();
    assert_eq!((entry.account, entry.item.as_str()), (None, "command"));
    (entry.operation, entry.result, entry.detail)
}

#[test]
fn a_window_of_time_is_sent_again_with_progress() {
    let (test_box, platform) = (TestBox::new(), Platform::start());
    let station = connected(&test_box, &platform);
    wait_for_records(&station, 8);
    station.stop().expect("it stops");
    drop(station);
    let station = test_box.start_idle();
    wait_until_all_arrived(&station);
    let rows = records(&station);
    let before = lock(&platform.kept.items).clone();
    // A platform that lost what it had, or lost a file.
    lock(&platform.kept.items).clear();
    let (from_us, to_us) = (rows[2].start_us, rows[6].start_us);
    platform.command(1, 60, &What::Synchronise { from_us, to_us });
    let Outcome::Done { detail } = platform.ended(1) else { panic!("{:?}", platform.ended(1)) };
    assert_eq!(detail, object(json!({"total": 4, "unreadable": 0, "refused": 0})));
    let after = lock(&platform.kept.items).clone();
    assert_eq!(after.len(), 4, "the window, without its end");
    for (item, taken) in after {
        assert!(taken.file.is_some() && before[&item] == taken);
    }
    let first = ToPlatform::Answer { command: 1, outcome: Outcome::Progress { done: 0, total: 4 } };
    assert!(lock(&platform.kept.told).contains(&first), "progress is told");
    assert_eq!(written_down(&station, 1), ("synchronise".into(), AuditResult::Ok, None));

    // The same command once more, as after a broken connection: it is answered again and not done again.
    let offers = platform.kept.offers.load(SeqCst);
    lock(&platform.kept.told).clear();
    platform.command(1, 60, &What::Synchronise { from_us, to_us });
    assert_eq!(code(&platform.ended(1)), "done");
    assert_eq!(platform.kept.offers.load(SeqCst), offers);

    let (sequence, file) = (rows[0].id.sequence, rows[0].file.clone().expect("a file"));
    platform.command(2, 60, &What::Fetch { sequence });
    assert_eq!(code(&platform.ended(2)), "done");
    let bytes = std::fs::read(station.data_dir().path().join(file)).expect("read");
    let size = bytes.len() as u64;
    assert!(lock(&platform.kept.items).values().any(|t| t.file.as_ref().is_some_and(|f| f.0 == size)));
    platform.command(3, 60, &What::Fetch { sequence: 4711 });
    assert_eq!(code(&platform.ended(3)), "no_record");
    platform.command(4, 60, &What::Synchronise { from_us: 0, to_us: 1 });
    assert_eq!(code(&platform.ended(4)), "done", "an empty window");
    station.stop().expect("it stops");
}

#[test]
fn a_command_that_takes_too_long_or_is_given_up_ends() {
    let (test_box, platform) = (TestBox::new(), Platform::start());
    let station = connected(&test_box, &platform);
    wait_for_records(&station, 4);
    station.stop().expect("it stops");
    drop(station);
    let station = test_box.start_idle();
    wait_until_all_arrived(&station);
    platform.kept.full.store(true, SeqCst);
    let everything = What::Synchronise { from_us: 0, to_us: i64::MAX };
    platform.command(1, 1, &everything);
    assert_eq!(code(&platform.ended(1)), "too_late");
    platform.command(2, 600, &everything);
    wait_until("it has begun", || platform.answer(2).is_some());
    platform.say(ToStation::Cancel { command: 2 });
    assert_eq!(code(&platform.ended(2)), "cancelled");
    assert_eq!(
        written_down(&station, 1),
        ("synchronise".into(), AuditResult::Failed, Some("too_late".into()))
    );
    assert_eq!(written_down(&station, 2).2.as_deref(), Some("cancelled"));
    // It outlives its connection.
    lock(&platform.kept.items).clear();
    platform.command(3, 600, &everything);
    wait_until("it has begun", || platform.answer(3).is_some());
    platform.kept.full.store(false, SeqCst);
    let platform = platform.restart();
    assert_eq!(code(&platform.ended(3)), "done");
    assert!(lock(&platform.kept.items).len() >= 4);
    station.stop().expect("it stops");
}

#[test]
fn settings_and_contacts_are_set_or_refused_as_on_the_stations_page() {
    let (test_box, platform) = (TestBox::new(), Platform::start());
    let station = connected(&test_box, &platform);
    let settings = object(json!({"name": "duty room", "line_number": "8001"}));
    platform.command(1, 30, &What::SetChannels { ports: vec![1, 3], settings });
    assert_eq!(code(&platform.ended(1)), "done");
    let names: Vec<String> = station.channels().into_iter().map(|channel| channel.name).collect();
    assert_eq!(names, ["duty room", "line 2", "duty room"]);
    wait_until("the platform sees it", || {
        lock(&platform.kept.told)
            .iter()
            .any(|told| matches!(told, ToPlatform::Port(port) if port.port == 3 && port.name == "duty room"))
    });
    platform.command(2, 30, &What::SetBox { settings: object(json!({"name": "North"})) });
    assert_eq!(code(&platform.ended(2)), "done");
    assert_eq!(station.info().name, "North");
    let contact = |number: &str, name: &str| ContactToSet {
        number: number.into(),
        name: name.into(),
        department: "1st".into(),
        ..ContactToSet::default()
    };
    let more = MoreOfContact { extension: "801".into(), port: Some(3), ..MoreOfContact::default() };
    let fire = ContactToSet { more: Some(more), ..contact("119", "Fire") };
    platform.command(3, 30, &What::SetContacts { contacts: vec![contact("110", "Police"), fire] });
    assert_eq!(code(&platform.ended(3)), "done");
    let kept = |number: &str| station.catalog().contact(number).expect("read").expect("there");
    assert_eq!((kept("119").name.as_str(), kept("119").department.as_str()), ("Fire", "1st"));
    // A platform that does not know extensions takes none away.
    platform.command(4, 30, &What::SetContacts { contacts: vec![contact("119", "Fire Brigade")] });
    assert_eq!(code(&platform.ended(4)), "done");
    let port = kept("119").port.expect("the user of a port");
    assert_eq!((kept("119").name.as_str(), kept("119").extension.as_str()), ("Fire Brigade", "801"));
    assert_eq!((port.station, port.port), (station.info().serial, 3));

    let colour = object(json!({"colour": "red"}));
    for (id, what, expected, member) in [
        (10, What::SetChannels { ports: vec![1], settings: colour.clone() }, "setting_invalid", "field"),
        (
            11,
            What::SetChannels { ports: vec![1, 9], settings: object(json!({"name": "x"})) },
            "no_port",
            "port",
        ),
        (12, What::SetBox { settings: colour }, "setting_invalid", "field"),
        (
            13,
            What::SetContacts { contacts: vec![contact("110", "ok"), contact("a b", "x")] },
            "command_invalid",
            "reason",
        ),
        (14, What::Restart, "not_available", "reason"),
        (15, What::SetTime { utc_us: 0 }, "not_available", "reason"),
        (
            16,
            What::Upgrade { release: "2".into(), bytes: 1, sha256: "ab".repeat(32), restart: false },
            "not_available",
            "reason",
        ),
        (17, What::Listen { port: 9, listener: 1 }, "no_port", "port"),
    ] {
        platform.command(id, 30, &what);
        let outcome = platform.ended(id);
        assert_eq!(code(&outcome), expected, "{what:?}");
        let Outcome::Failed { params, .. } = outcome else { panic!("a failure") };
        assert!(params.contains_key(member), "{params:?}");
        let written = (what.name().to_owned(), AuditResult::Refused, Some(expected.to_owned()));
        assert_eq!(written_down(&station, id), written);
    }
    assert_eq!(station.catalog().contact("110").expect("read").expect("there").name, "Police");
    platform.say(ToStation::Command(Command { command: 20, within_s: 9, what: json!({"what": "sing"}) }));
    assert_eq!(code(&platform.ended(20)), "unknown_command");
    assert_eq!(written_down(&station, 20).0, "sing");
    platform.say(ToStation::Command(Command { command: 21, within_s: 9, what: json!({"what": "fetch"}) }));
    assert_eq!(code(&platform.ended(21)), "command_invalid");
    station.stop().expect("it stops");
}

/// What has begun ends by what it has done, whoever gives it up meanwhile: effect, answer and trail are one.
#[test]
fn what_is_given_up_too_late_is_done_and_says_so() {
    let (test_box, platform) = (TestBox::new(), Platform::start());
    let station = connected(&test_box, &platform);
    for id in 1..=20 {
        let name = format!("North {id}");
        platform.command(id, 30, &What::SetBox { settings: object(json!({"name": name})) });
        platform.say(ToStation::Cancel { command: id });
        let outcome = platform.ended(id);
        let is_set = station.info().name == name;
        assert_eq!(code(&outcome), if is_set { "done" } else { "cancelled" }, "{outcome:?}");
        let rows = commands_written_down(&station);
        let lines = rows.iter().filter(|row| row.entry.params["command"] == id).count();
        assert_eq!((written_down(&station, id).1, lines), (AuditResult::Ok, 1));
    }
    station.stop().expect("it stops");
}

#[test]
fn who_has_gone_before_a_port_was_ready_hears_nothing() {
    let (test_box, platform) = (TestBox::new(), Platform::start());
    let station = connected(&test_box, &platform);
    for listener in 1..=5 {
        platform.command(2 * listener, 30, &What::Listen { port: 2, listener });
        platform.command(2 * listener + 1, 30, &What::StopListening { listener });
    }
    (2..=11).for_each(|id| drop(platform.ended(id)));
    let heard = lock(&platform.kept.heard).len();
    std::thread::sleep(Duration::from_millis(400));
    assert_eq!(lock(&platform.kept.heard).len(), heard, "nobody listens");
    station.stop().expect("it stops");
}

#[test]
fn a_port_is_heard_at_the_platform_until_nobody_listens() {
    let (test_box, platform) = (TestBox::new(), Platform::start());
    let station = connected(&test_box, &platform);
    platform.command(1, 30, &What::Listen { port: 2, listener: 77 });
    assert_eq!(code(&platform.ended(1)), "done");
    assert_eq!(written_down(&station, 1).0, "listen");
    let begun = std::time::Instant::now();
    wait_until("two seconds of audio", || lock(&platform.kept.heard).len() >= 34);
    let took = begun.elapsed().as_secs_f64();
    assert!((1.5..4.0).contains(&took), "34 messages of 60 ms came in {took} s");
    let heard = lock(&platform.kept.heard).clone();
    assert!(heard.iter().all(|(listener, audio)| *listener == 77 && audio.len() == 960));
    let quiet = |audio: &bytes::Bytes| audio.iter().all(|byte| *byte == 0);
    assert!(!heard.iter().all(|(_, audio)| quiet(audio)), "it is what lies on the line");
    platform.command(2, 30, &What::StopListening { listener: 77 });
    assert_eq!(code(&platform.ended(2)), "done");
    let count = lock(&platform.kept.heard).len();
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(lock(&platform.kept.heard).len(), count);
    station.stop().expect("it stops");
}
