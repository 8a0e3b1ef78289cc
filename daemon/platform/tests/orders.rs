//! What stations are told to do, listening through the platform, and limits.

mod house;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering::SeqCst};
use std::time::Duration;

use bytes::Bytes;
use capture::clock::{Clock, Moment};
use catalog::AuditResult;
use hookline_platform::{CommandState, Platform, PlatformError, Tuning, What};
use house::{
    Manner, OTHER, Outgoing, SERIAL, add, audit, brisk, port, recording, start, start_tuned, trail, until,
};
use serde_json::json;
use uplink::message::{InProgress, Outcome, PortNow, ToPlatform};
use uplink::order::Lane;
use uplink::station_end::{Said, Wanted};

fn state(platform: &Platform, id: u64) -> CommandState {
    platform.commands(0).into_iter().find(|command| command.id == id).expect("remembered").state.clone()
}

fn failed(platform: &Platform, id: u64) -> String {
    match state(platform, id) {
        CommandState::Failed { code, .. } => code,
        other => panic!("{other:?}"),
    }
}

async fn answer(said: &tokio::sync::mpsc::Sender<Said>, command: u64, outcome: Outcome) {
    said.send(Said::Message(ToPlatform::Answer { command, outcome })).await.expect("said");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_station_answers_for_itself_and_the_trail_has_begin_and_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let platform = start(folder.path());
    let station = Manner::new(SERIAL);
    add(&platform, SERIAL, None);
    add(&platform, OTHER, None);
    let mut talking = station.talk(&platform, &Outgoing::default());
    talking.welcomed().await;
    let what = What::Synchronise { from_us: 0, to_us: 9 };
    let minute = Duration::from_secs(60);
    let nobody = platform.command(&["HKLN-99999999999999".into()], &what, minute, trail("synchronise"));
    assert!(matches!(nobody, Err(PlatformError::NoDevice(_))));
    let both = [SERIAL.to_owned(), OTHER.to_owned()];
    let ids = platform.command(&both, &what, minute, trail("synchronise")).expect("sent");
    let asked = talking.command().await;
    assert_eq!((asked.command, asked.within_s), (ids[0], 60));
    assert_eq!(What::read(&asked.what), Ok(what));
    assert_eq!(failed(&platform, ids[1]), "device_offline");
    assert_eq!(state(&platform, ids[0]), CommandState::Sent);
    let before = platform.commands(0).iter().map(|command| command.change).max().expect("some");
    answer(&talking.said, ids[0], Outcome::Progress { done: 8230, total: 12272 }).await;
    let progress = CommandState::Progress { done: 8230, total: 12272 };
    until("progress", || state(&platform, ids[0]) == progress).await;
    assert_eq!(platform.commands(before).len(), 1, "only what has changed");
    let detail = json!({"records": 3}).as_object().expect("an object").clone();
    answer(&talking.said, ids[0], Outcome::Done { detail: detail.clone() }).await;
    until("done", || state(&platform, ids[0]) == CommandState::Done { detail: detail.clone() }).await;
    until("both ends are written", || audit(&platform, "command_end").len() == 2).await;
    let begun = audit(&platform, "synchronise");
    assert_eq!(begun[0].entry.params["commands"], json!(ids));
    let ends = audit(&platform, "command_end");
    let end = |id: u64| {
        let entry = ends.iter().find(|row| row.entry.params["command"] == id).expect("written");
        (entry.entry.result, entry.entry.account.clone(), entry.entry.params["serial"].clone())
    };
    assert_eq!(end(ids[0]), (AuditResult::Ok, Some("admin".into()), json!(SERIAL)));
    assert_eq!(end(ids[1]).0, AuditResult::Failed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_ends_by_its_limit_a_cancel_or_the_connection() {
    let folder = tempfile::tempdir().expect("a folder");
    let platform = start(folder.path());
    let station = Manner::new(SERIAL);
    add(&platform, SERIAL, None);
    let mut talking = station.talk(&platform, &Outgoing::default());
    talking.welcomed().await;
    let order = |within| {
        let serials = [SERIAL.to_owned()];
        platform.command(&serials, &What::Restart, within, trail("restart")).expect("sent")[0]
    };
    let minute = Duration::from_secs(60);
    let (late, cancelled, refused, lost) =
        (order(Duration::from_millis(100)), order(minute), order(minute), order(minute));
    for _ in 0..4 {
        talking.command().await;
    }
    platform.cancel(cancelled).expect("cancelled");
    assert!(matches!(platform.cancel(cancelled), Err(PlatformError::NoCommand(_))));
    let params = json!({"why": "x"}).as_object().expect("an object").clone();
    answer(&talking.said, refused, Outcome::Failed { code: "not_available".into(), params }).await;
    until("too late", || failed_now(&platform, late).as_deref() == Some("too_late")).await;
    until("refused", || failed_now(&platform, refused).as_deref() == Some("not_available")).await;
    let mut told = Vec::new();
    while told.len() < 2 {
        if let Some(Wanted::Cancel(id)) = talking.wanted.recv().await {
            told.push(id);
        }
    }
    told.sort_unstable();
    assert_eq!(told, [late, cancelled], "the station is told to give up");
    drop(talking);
    until("lost", || failed_now(&platform, lost).as_deref() == Some("connection_lost")).await;
    assert_eq!(failed(&platform, cancelled), "cancelled");
    until("all ends are written", || audit(&platform, "command_end").len() == 4).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_of_any_length_keeps_nobody_out_of_the_trail() {
    let folder = tempfile::tempdir().expect("a folder");
    let platform = start(folder.path());
    let station = Manner::new(SERIAL);
    add(&platform, SERIAL, None);
    let mut talking = station.talk(&platform, &Outgoing::default());
    talking.welcomed().await;
    let serials = [SERIAL.to_owned()];
    let order = || {
        let minute = Duration::from_secs(60);
        platform.command(&serials, &What::Restart, minute, trail("restart")).expect("sent")[0]
    };
    let (long, short) = (order(), order());
    // More than an entry of the journal may have, less than a frame may.
    let code = "x".repeat(20 * 1024 * 1024 + 1000);
    let params = json!({"why": "y".repeat(100_000), "port": 3}).as_object().expect("an object").clone();
    answer(&talking.said, long, Outcome::Failed { code, params }).await;
    answer(&talking.said, short, Outcome::Done { detail: serde_json::Map::new() }).await;
    until("both ends are written", || audit(&platform, "command_end").len() == 2).await;
    let CommandState::Failed { code, params } = state(&platform, long) else { panic!("it failed") };
    assert_eq!((code.len(), params), (64, json!({"port": 3}).as_object().expect("an object").clone()));
    platform.stop();
}

/// A line that breaks for a second says nothing of what the station does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_can_be_done_twice_outlives_its_connection() {
    let folder = tempfile::tempdir().expect("a folder");
    let platform = start(folder.path());
    let station = Manner::new(SERIAL);
    add(&platform, SERIAL, None);
    let mut talking = station.talk(&platform, &Outgoing::default());
    talking.welcomed().await;
    let what = What::SetBox { settings: json!({"name": "x"}).as_object().expect("an object").clone() };
    let serials = [SERIAL.to_owned()];
    let order = |within| platform.command(&serials, &what, within, trail("set")).expect("sent")[0];
    let (id, late) = (order(Duration::from_secs(60)), order(Duration::from_millis(700)));
    let first = talking.command().await;
    talking.command().await;
    drop(talking);
    until("it has noticed", || !platform.device(SERIAL).expect("known").online).await;
    assert_eq!(state(&platform, id), CommandState::Sent);
    until("it has its time", || failed_now(&platform, late).as_deref() == Some("too_late")).await;
    let mut talking = station.talk(&platform, &Outgoing::default());
    let again = talking.command().await;
    assert_eq!((again.command, &again.what), (first.command, &first.what));
    assert!(again.within_s < 60);
    answer(&talking.said, id, Outcome::Done { detail: Default::default() }).await;
    until("done", || matches!(state(&platform, id), CommandState::Done { .. })).await;
    until("both ends are written", || audit(&platform, "command_end").len() == 2).await;
}

fn failed_now(platform: &Platform, id: u64) -> Option<String> {
    match state(platform, id) {
        CommandState::Failed { code, .. } => Some(code),
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_port_is_listened_to_through_the_platform() {
    let folder = tempfile::tempdir().expect("a folder");
    let platform = start(folder.path());
    let station = Manner::new(SERIAL);
    add(&platform, SERIAL, None);
    assert!(matches!(platform.listen(SERIAL, 3), Err(PlatformError::Offline(_))));
    let mut talking = station.talk(&platform, &Outgoing::default());
    talking.welcomed().await;
    let (mut first, mut second) =
        (platform.listen(SERIAL, 3).expect("begun"), platform.listen(SERIAL, 3).expect("joined"));
    let asked = What::read(&talking.command().await.what).expect("read");
    let What::Listen { port: 3, listener } = asked else { panic!("{asked:?}") };
    let bytes = Bytes::from_static(b"\x01\x00\x02\x00");
    talking.said.send(Said::LiveAudio { listener, bytes: bytes.clone() }).await.expect("said");
    assert_eq!((first.next().await, second.next().await), (Some(bytes.clone()), Some(bytes)));
    drop((first, second));
    let asked = What::read(&talking.command().await.what).expect("read");
    assert_eq!(asked, What::StopListening { listener });

    let mut none = platform.listen(SERIAL, 99).expect("begun");
    let command = talking.command().await;
    let failed = Outcome::Failed { code: "no_port".into(), params: serde_json::Map::new() };
    answer(&talking.said, command.command, failed).await;
    assert_eq!((none.next().await, none.why_ended()), (None, "no_port"));
    let mut cut = platform.listen(SERIAL, 3).expect("begun");
    drop(talking);
    assert_eq!((cut.next().await, cut.why_ended()), (None, "connection_lost"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_in_progress_is_shown_until_it_ends() {
    let folder = tempfile::tempdir().expect("a folder");
    let platform = start(folder.path());
    let station = Manner::new(SERIAL);
    add(&platform, SERIAL, None);
    let mut talking = station.talk(&platform, &Outgoing::default());
    talking.welcomed().await;
    let mut changes = platform.changes();
    changes.mark_unchanged();
    let call = InProgress {
        call_id: "c".into(),
        start_us: 1,
        call_type: "incoming_answered".into(),
        peer_number: Some("12700001111".into()),
    };
    let busy = PortNow { recording: Some(call.clone()), ..port(3, "off_hook") };
    let tell =
        async |port: PortNow| talking.said.send(Said::Message(ToPlatform::Port(port))).await.expect("said");
    tell(busy).await;
    let shown = || platform.device(SERIAL).expect("known").ports[&3].recording.clone();
    until("shown", || shown() == Some(call.clone())).await;
    assert!(
        changes.has_changed().expect("there") && platform.device(SERIAL).expect("known").recording_now == 1
    );
    tell(PortNow { name: "x".repeat(600), ..port(4, "idle") }).await;
    tell(port(3, "idle")).await;
    until("over", || shown().is_none()).await;
    assert!(!platform.device(SERIAL).expect("known").ports.contains_key(&4), "no station sends that");
    until("a heartbeat", || platform.device(SERIAL).expect("known").waiting == Some(0)).await;
    let now = platform.device(SERIAL).expect("known");
    assert_eq!((now.disk_free_bytes, now.disk_total_bytes, now.recording_peak), (Some(10), Some(20), 5));
    assert_eq!(
        (now.release.as_deref(), now.clock_offset_ms.map(|ms| ms.abs() < 1000)),
        (Some("0.0.9"), Some(true))
    );
}

/// A clock that a test sets, in microseconds.
struct SetClock(Arc<AtomicI64>);

impl Clock for SetClock {
    fn now(&self) -> Moment {
        let utc_us = self.0.load(SeqCst);
        Moment { utc_us, monotonic_us: utc_us }
    }

    fn is_synchronised(&self) -> bool {
        true
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backlog_waits_in_quiet_hours_by_the_platforms_time_and_goes_on_behind_them() {
    const HOUR_US: i64 = 3_600_000_000;
    let folder = tempfile::tempdir().expect("a folder");
    let time = Arc::new(AtomicI64::new(1_772_323_200_000_000));
    let platform = start_tuned(folder.path(), Tuning { clock: Arc::new(SetClock(time.clone())), ..brisk() });
    // Midnight of UTC is eight in the morning there.
    let zone = json!({"time_zone": "Asia/Shanghai"}).as_object().expect("an object").clone();
    platform.change_settings(&zone).expect("changed");
    let station = Manner { lane: Lane::Backlog, ..Manner::new(SERIAL) };
    add(&platform, SERIAL, None);
    let set = |quiet, rate| {
        let change =
            |device: &mut catalog::Device| (device.quiet_hours, device.audio_bytes_per_s) = (quiet, rate);
        platform.change_device(SERIAL, change, |_, _| vec![trail("change")]).expect("changed");
    };
    set(Some((7 * 60, 9 * 60)), Some(500_000));
    let out = Outgoing::of(vec![recording(folder.path(), SERIAL, 1, 1, 1)]);
    let mut talking = station.talk(&platform, &out);
    let welcome = talking.welcomed().await;
    assert_eq!((welcome.limits.audio_bytes_per_s, welcome.limits.backlog_held), (Some(500_000), true));
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert!(!out.all_done(), "quiet hours");
    time.fetch_add(HOUR_US, SeqCst);
    until("it goes on by itself", || out.all_done()).await;
    out.put(recording(folder.path(), SERIAL, 2, 2, 1));
    until("the next too", || out.all_done()).await;
    set(Some((9 * 60, 10 * 60)), None);
    tokio::time::sleep(Duration::from_millis(200)).await;
    out.put(recording(folder.path(), SERIAL, 3, 3, 1));
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert!(!out.all_done(), "changed while it is connected");
    set(None, None);
    until("no quiet hours any more", || out.all_done()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_forgets_no_command_and_ends_what_it_cut_off() {
    let folder = tempfile::tempdir().expect("a folder");
    let platform = start(folder.path());
    let station = Manner::new(SERIAL);
    add(&platform, SERIAL, None);
    let mut talking = station.talk(&platform, &Outgoing::default());
    talking.welcomed().await;
    let order = |what: &What| {
        let serials = [SERIAL.to_owned()];
        platform.command(&serials, what, Duration::from_secs(60), trail("command")).expect("sent")[0]
    };
    let (done, open) = (order(&What::Restart), order(&What::Synchronise { from_us: 1, to_us: 2 }));
    answer(&talking.said, done, Outcome::Done { detail: serde_json::Map::new() }).await;
    until("its end is written", || audit(&platform, "command_end").len() == 1).await;
    drop(talking);
    platform.stop();
    drop(platform);

    let platform = start(folder.path());
    let now = |id| platform.command_now(id).expect("recalled");
    assert_eq!((now(done).what, now(done).serial.as_str()), ("restart", SERIAL));
    assert_eq!(now(done).state, CommandState::Done { detail: serde_json::Map::new() });
    assert_eq!((failed(&platform, open).as_str(), now(open).account.as_deref()), ("cut_off", Some("admin")));
    until("its end is written", || audit(&platform, "command_end").len() == 2).await;

    // The station had it done: what it says counts, and stands under the name of whoever gave it.
    let mut talking = station.talk(&platform, &Outgoing::default());
    talking.welcomed().await;
    answer(&talking.said, open, Outcome::Done { detail: serde_json::Map::new() }).await;
    until("what the station says", || {
        state(&platform, open) == CommandState::Done { detail: serde_json::Map::new() }
    })
    .await;
    until("it is written", || audit(&platform, "command_end").len() == 3).await;
    assert!(audit(&platform, "command_end").iter().all(|row| row.entry.account.as_deref() == Some("admin")));
    drop(talking);
    platform.stop();
    drop(platform);
    let platform = start(folder.path());
    assert_eq!(platform.commands(0).len(), 2);
    assert_eq!(
        state(&platform, open),
        CommandState::Done { detail: serde_json::Map::new() },
        "the later end"
    );
    assert_eq!(audit(&platform, "command_end").len(), 3, "cut off once");
}
