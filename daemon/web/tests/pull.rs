//! A platform that asks a station through its pages (MG-06): both ends as they are shipped, over real sockets, and a
//! network between them that is cut, or leads to somebody else.

mod house;

use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use catalog::{
    AlarmQuery, AlarmRow, AuditEntry, AuditQuery, AuditResult, Catalog, Device, PageRequest, Pull,
    RecordQuery, RecordRow, Scope,
};
use house::House;
use hyper::{Method, header};
use platform::{Fingerprint, Platform, PlatformConfig, PullNow, PullState, Tuning};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde_json::json;
use station::Station;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A line that can be led elsewhere, and is cut after so many bytes towards the platform.
#[derive(Clone)]
struct Way {
    address: SocketAddr,
    to: Arc<Mutex<SocketAddr>>,
    /// Left of each connection.
    budget: Arc<AtomicU64>,
    connections: Arc<AtomicU64>,
}

impl Way {
    async fn to(to: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let budget = Arc::new(AtomicU64::new(u64::MAX));
        let way = Self { address, to: Arc::new(Mutex::new(to)), budget, connections: Arc::default() };
        let own = way.clone();
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                own.connections.fetch_add(1, SeqCst);
                let to = *own.to.lock().expect("a lock");
                tokio::spawn(pass(near, to, own.budget.load(SeqCst)));
            }
        });
        way
    }

    fn lead_to(&self, to: SocketAddr) {
        *self.to.lock().expect("a lock") = to;
    }
}

async fn pass(near: TcpStream, to: SocketAddr, mut budget: u64) {
    let Ok(far) = TcpStream::connect(to).await else { return };
    let (mut near_in, mut near_out) = near.into_split();
    let (mut far_in, mut far_out) = far.into_split();
    let up = tokio::spawn(async move { tokio::io::copy(&mut near_in, &mut far_out).await });
    let mut bytes = vec![0; 4096];
    while let Ok(count @ 1..) = far_in.read(&mut bytes).await {
        let count = count.min(usize::try_from(budget).unwrap_or(usize::MAX));
        if count == 0 || near_out.write_all(&bytes[..count]).await.is_err() {
            break;
        }
        budget -= count as u64;
    }
    up.abort();
}

/// Tries again soon; an hour is twelve seconds.
fn start(folder: &Path) -> Platform {
    start_tuned(folder, brisk())
}

fn brisk() -> Tuning {
    Tuning {
        round: Duration::from_millis(50),
        tick: Duration::from_millis(20),
        minute: Duration::from_millis(200),
        heartbeat_s: 1,
        held_s: 1,
        pull_first_pause: Duration::from_millis(50),
        pull_longest_pause: Duration::from_millis(200),
        pull_failed_after: Duration::from_secs(1),
        ..Tuning::default()
    }
}

fn start_tuned(folder: &Path, tuning: Tuning) -> Platform {
    let config = PlatformConfig {
        data: folder.join("platform"),
        intake: ([127, 0, 0, 1], 0).into(),
        appliance: folder.join("appliance.sock"),
    };
    let begun = Instant::now();
    loop {
        match Platform::start_tuned(&config, tuning.clone()) {
            Ok(platform) => return platform,
            // The run before holds the folder a moment longer.
            Err(error) if error.code() == "data_folder" && begun.elapsed() < Duration::from_secs(10) => {
                std::thread::sleep(Duration::from_millis(20));
            }
            Err(error) => panic!("{error}"),
        }
    }
}

fn stop(platform: Platform) {
    platform.stop();
}

fn trail() -> AuditEntry {
    let entry = json!({"account": "admin", "ip": null, "item": "device", "operation": "x", "result": "ok"});
    serde_json::from_value(entry).expect("an entry")
}

fn pull(address: SocketAddr, token: &str) -> Pull {
    Pull { address: address.to_string(), token: token.into(), every_hours: 1, fingerprint: None }
}

/// The station is known, to be asked in this way.
fn add(platform: &Platform, station: &Station, pull: Pull) -> String {
    add_limited(platform, station, pull, None)
}

/// Likewise, with a limit to what it sends of recordings.
fn add_limited(platform: &Platform, station: &Station, pull: Pull, audio_bytes_per_s: Option<u64>) -> String {
    let serial = station.info().serial;
    let key = station.platform_link().own_fingerprint.expect("a key").to_string();
    let device = Device {
        fingerprint: Some(key),
        pull: Some(pull),
        audio_bytes_per_s,
        ..Device::new(serial.as_str())
    };
    platform.add_devices(vec![device], vec![trail()]).expect("added");
    serial
}

fn change(platform: &Platform, serial: &str, change: impl FnOnce(&mut Pull)) {
    let change = |device: &mut Device| {
        if let Some(pull) = &mut device.pull {
            change(pull);
        }
    };
    platform.change_device(serial, change, |_, _| vec![trail()]).expect("changed");
}

fn accept(station: &Station, platform: &Platform) {
    let patch = json!({"fingerprint": platform.fingerprint()});
    station.change_platform_link(patch.as_object().expect("an object")).expect("changed");
}

fn certificate(house: &House) -> Fingerprint {
    let file = house.data.path().join("data/identity/tls-certificate.pem");
    Fingerprint::of(&CertificateDer::from_pem_file(file).expect("a certificate"))
}

fn now(platform: &Platform, serial: &str) -> PullNow {
    platform.device(serial).and_then(|device| device.pull).expect("it is asked")
}

fn is_visited(platform: &Platform, serial: &str) -> bool {
    let now = platform.device(serial).and_then(|device| device.pull);
    now.is_some_and(|now| now.state == PullState::Running)
}

/// Empty while there is none, or the platform has not looked at the device yet.
fn trouble(platform: &Platform, serial: &str) -> &'static str {
    let now = platform.device(serial).and_then(|device| device.pull);
    now.and_then(|now| now.trouble).map_or("", |trouble| trouble.code)
}

fn success(platform: &Platform, serial: &str) -> Option<i64> {
    platform.device(serial).and_then(|device| device.pull).and_then(|now| now.last_success_us)
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(60), "not within 60 s: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn until_trouble(platform: &Platform, serial: &str, code: &str) {
    let begun = Instant::now();
    while trouble(platform, serial) != code {
        let seen = platform.device(serial).and_then(|device| device.pull);
        assert!(begun.elapsed() < Duration::from_secs(60), "not {code} within 60 s: {seen:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn records(catalog: &Catalog) -> Vec<RecordRow> {
    assert!(catalog.wait_until_current(Duration::from_secs(20)));
    let (mut rows, query) = (Vec::new(), RecordQuery::default());
    let mut each = |row| {
        rows.push(row);
        ControlFlow::Continue(())
    };
    catalog.each_record(&Scope::everything(), &query, &mut each).expect("listed");
    rows.sort_by_key(|row| row.id.sequence);
    rows
}

/// What was asked of a station, newest first: with the right token, or a wrong one.
fn asked(station: &Station) -> Vec<AuditResult> {
    let page = PageRequest { after: None, limit: 100, count_up_to: 0 };
    let query = AuditQuery { item: Some("platform".into()), ..AuditQuery::default() };
    let rows = station.catalog().audit_trail(&Scope::everything(), &query, page).expect("listed").items;
    rows.iter().filter(|row| row.entry.operation == "asked").map(|row| row.entry.result).collect()
}

/// Every record that the station had at the last success is on the platform once, with the same file.
fn assert_has(platform: &Platform, station: &Station, least: usize) {
    let (theirs, ours) = (records(station.catalog()), records(platform.catalog()));
    assert!(ours.len() >= least, "{} of {least}", ours.len());
    let sequences: Vec<u64> = ours.iter().map(|row| row.id.sequence).collect();
    let expected: Vec<u64> = theirs.iter().take(ours.len()).map(|row| row.id.sequence).collect();
    assert_eq!(sequences, expected, "each once, and none left out");
    for (there, here) in theirs.iter().zip(&ours) {
        assert_eq!((there.start_us, &there.call_id), (here.start_us, &here.call_id));
        let bytes = |row: &RecordRow, data: &Path| {
            row.file.as_ref().map(|file| std::fs::read(data.join(file)).expect("there"))
        };
        let (there, here) =
            (bytes(there, station.data_dir().path()), bytes(here, platform.data_dir().path()));
        assert!(there.is_some() && there == here, "the file is the same");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_station_that_cannot_dial_is_asked_on_its_interval() {
    let (house, folder) = (House::open().await, tempfile::tempdir().expect("a folder"));
    let (admin, platform) = (house.admin().await, start(folder.path()));
    let station = &house.station;
    let none = json!({"made": null, "last_asked": null, "certificate": certificate(&house).to_string()});
    assert_eq!(admin.get("/uplink/token").await.expect(200), none);
    admin.bare(Method::DELETE, "/uplink/token").await.refused(404, "not_found");
    let made = admin.bare(Method::POST, "/uplink/token").await.expect(200);
    let token = made["token"].as_str().expect("a token").to_owned();
    assert!(admin.get("/uplink/token").await.expect(200)["made"].is_string());

    // The station has not accepted this platform's key yet, nor does it know another's.
    let serial = add(&platform, station, pull(house.address, &token));
    until_trouble(&platform, &serial, "key_not_accepted").await;
    assert_eq!(station.platform_link().offered, Some(platform.fingerprint()));
    let device = platform.device(&serial).expect("known").device;
    let pinned = device.pull.as_ref().and_then(|pull| pull.fingerprint.clone());
    assert_eq!(pinned, Some(certificate(&house).to_string()), "pinned at first contact");
    accept(station, &platform);

    until("everything is fetched", || success(&platform, &serial).is_some()).await;
    let first = success(&platform, &serial);
    until("it is let go", || platform.device(&serial).is_some_and(|device| !device.online)).await;
    assert_has(&platform, station, 0);
    let next_us = now(&platform, &serial).next_us.expect("not under way");
    assert!((1_000_000..=12_000_000).contains(&(next_us - platform.now_us())), "an hour is twelve seconds");
    until("it is asked again", || success(&platform, &serial) > first).await;
    let second = success(&platform, &serial);
    platform.fetch_now(&serial, trail()).expect("asked for");
    until("it is asked at once", || success(&platform, &serial) > second).await;
    assert_has(&platform, station, 1);
    assert!(admin.get("/uplink/token").await.expect(200)["last_asked"].is_string());
    let dialled = station.platform_link();
    assert!(!dialled.settings.switched_on && dialled.trouble.is_none(), "it never dialled");

    // A restart asks nobody before the time.
    let last = success(&platform, &serial);
    stop(platform);
    let platform = start(folder.path());
    until("it is known", || platform.device(&serial).is_some_and(|device| device.pull.is_some())).await;
    assert_eq!(success(&platform, &serial), last);

    // Without its token it has to stay outside.
    admin.bare(Method::DELETE, "/uplink/token").await.expect(204);
    platform.fetch_now(&serial, trail()).expect("asked for");
    until_trouble(&platform, &serial, "token_wrong").await;
    stop(platform);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_visit_that_is_cut_goes_on_with_the_next() {
    let (house, folder) = (House::open().await, tempfile::tempdir().expect("a folder"));
    let platform = start(folder.path());
    let station = &house.station;
    until("six recordings", || records(station.catalog()).len() >= 6).await;
    accept(station, &platform);
    let token = station.make_pull_token().expect("made");
    let way = Way::to(house.address).await;
    // Less than one recording.
    way.budget.store(15_000, SeqCst);
    let serial = add(&platform, station, pull(way.address, &token));
    until("three visits are cut", || way.connections.load(SeqCst) > 3).await;
    assert_eq!(trouble(&platform, &serial), "broken");
    way.budget.store(u64::MAX, SeqCst);
    until("everything is fetched", || success(&platform, &serial).is_some()).await;
    assert_has(&platform, station, 6);
    stop(platform);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_token_goes_to_nobody_else() {
    let (house, other) = (House::open().await, House::open().await);
    let folder = tempfile::tempdir().expect("a folder");
    let platform = start(folder.path());
    let station = &house.station;
    accept(station, &platform);
    let token = station.make_pull_token().expect("made");
    let way = Way::to(house.address).await;
    let serial = add(&platform, station, pull(way.address, &token));
    until("everything is fetched", || success(&platform, &serial).is_some()).await;

    way.lead_to(other.address);
    platform.fetch_now(&serial, trail()).expect("asked for");
    until_trouble(&platform, &serial, "other_certificate").await;
    assert_eq!(now(&platform, &serial).offered, Some(certificate(&other)));
    assert!(asked(&other.station).is_empty(), "it was not shown the token");

    // An operator takes the other box for the station: it knows no such token, and is soon not asked any more.
    let certificate = certificate(&other).to_string();
    change(&platform, &serial, |pull| pull.fingerprint = Some(certificate));
    until_trouble(&platform, &serial, "token_wrong").await;
    until_trouble(&platform, &serial, "locked").await;
    let tries = asked(&other.station);
    assert!(tries.len() == 5 && tries.iter().all(|result| *result == AuditResult::Refused), "{tries:?}");
    stop(platform);
    house.close().await;
    other.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_station_and_another_platform_are_told_apart() {
    let (house, other) = (House::open().await, House::open().await);
    let folder = tempfile::tempdir().expect("a folder");
    let platform = start(folder.path());
    // The right token, of the wrong station.
    accept(&other.station, &platform);
    let token = other.station.make_pull_token().expect("made");
    let serial = add(&platform, &house.station, pull(other.address, &token));
    until_trouble(&platform, &serial, "other_station").await;
    assert!(records(platform.catalog()).is_empty());

    // The right station, of another platform.
    let elsewhere_folder = tempfile::tempdir().expect("a folder");
    let elsewhere = start(elsewhere_folder.path());
    accept(&house.station, &elsewhere);
    let token = house.station.make_pull_token().expect("made");
    let address = house.address.to_string();
    change(&platform, &serial, |pull| {
        *pull = Pull { address, token, every_hours: 1, fingerprint: None };
    });
    until_trouble(&platform, &serial, "other_platform").await;

    // The right station, with another key than the one that is known here.
    accept(&house.station, &platform);
    let key = |device: &mut Device| device.fingerprint = Some(platform.fingerprint().to_string());
    platform.change_device(&serial, key, |_, _| vec![trail()]).expect("changed");
    platform.fetch_now(&serial, trail()).expect("asked for");
    until_trouble(&platform, &serial, "other_key").await;
    stop(elsewhere);
    stop(platform);
    house.close().await;
    other.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_station_that_dials_as_well_is_asked_only_when_it_is_away() {
    let (house, folder) = (House::open().await, tempfile::tempdir().expect("a folder"));
    let platform = start(folder.path());
    let station = &house.station;
    let token = station.make_pull_token().expect("made");
    accept(station, &platform);
    let link = |on: bool| {
        let patch = json!({"switched_on": on, "address": platform.intake_address().to_string()});
        station.change_platform_link(patch.as_object().expect("an object")).expect("changed");
    };
    let way = Way::to(house.address).await;
    let serial = add(&platform, station, pull(way.address, &token));
    until("a visit", || success(&platform, &serial).is_some()).await;
    link(true);
    let online = || platform.device(&serial).is_some_and(|device| device.online);
    until("it has dialled", online).await;
    let visits = way.connections.load(SeqCst);
    let before = success(&platform, &serial);
    platform.fetch_now(&serial, trail()).expect("asked for");
    until("nothing is lacking", || success(&platform, &serial) > before).await;
    assert_eq!(way.connections.load(SeqCst), visits, "it has a connection");

    // The net under it: what its own connections left is fetched.
    link(false);
    until("it is away", || !online()).await;
    let (before, least) = (success(&platform, &serial), records(station.catalog()).len());
    platform.fetch_now(&serial, trail()).expect("asked for");
    until("it was asked", || success(&platform, &serial) > before).await;
    assert!(way.connections.load(SeqCst) > visits);
    assert_has(&platform, station, least);
    stop(platform);
    house.close().await;
}

/// Whether synchronisation is said to fail, and by which trouble of a visit.
fn alarm(platform: &Platform) -> Option<String> {
    let page = PageRequest { after: None, limit: 100, count_up_to: 0 };
    let rows = platform.catalog().alarms(&Scope::everything(), &AlarmQuery::default(), page).expect("listed");
    let of_this = |row: &&AlarmRow| row.code == "synchronisation_failed" && row.cleared_us.is_none();
    rows.items.iter().find(of_this).map(|row| row.params["pull"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_station_that_cannot_be_asked_for_long_is_an_alarm_until_it_can() {
    let (house, folder) = (House::open().await, tempfile::tempdir().expect("a folder"));
    let platform = start(folder.path());
    let station = &house.station;
    accept(station, &platform);
    let token = station.make_pull_token().expect("made");
    let nobody = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address");
    let serial = add(&platform, station, pull(nobody, &token));
    until_trouble(&platform, &serial, "unreachable").await;
    assert!(alarm(&platform).is_none(), "the network passes");
    until("it is told", || alarm(&platform).as_deref() == Some("unreachable")).await;

    // A restart neither clears nor repeats what still holds.
    stop(platform);
    let platform = start(folder.path());
    until_trouble(&platform, &serial, "unreachable").await;
    assert!(alarm(&platform).is_some());
    let address = house.address.to_string();
    change(&platform, &serial, |pull| pull.address = address);
    until("everything is fetched", || success(&platform, &serial).is_some()).await;
    until("all is well", || alarm(&platform).is_none()).await;

    // What a person has to put right is told at once, and forgotten when the station is not asked any more.
    station.remove_pull_token().expect("removed");
    platform.fetch_now(&serial, trail()).expect("asked for");
    until("it is told", || alarm(&platform).as_deref() == Some("token_wrong")).await;
    platform.change_device(&serial, |device| device.pull = None, |_, _| vec![trail()]).expect("changed");
    until("nobody is asked", || alarm(&platform).is_none()).await;
    stop(platform);
    house.close().await;
}

/// Tokens and protocols of strangers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_way_in_is_for_platforms_only() {
    let house = House::open().await;
    let admin = house.admin().await;
    admin.get("/uplink").await.refused(401, "token_wrong");
    let token = house.station.make_pull_token().expect("made");
    let ask = async |word: &str| admin.get_with(Method::GET, "/uplink", header::AUTHORIZATION, word).await;
    ask(&format!("Bearer {token}")).await.refused(426, "uplink_expected");
    for wrong in [&format!("bearer {token}"), &format!("Bearer {}", token.to_uppercase()), &token, ""] {
        ask(wrong).await.refused(401, "token_wrong");
    }
    admin.get("/uplink").await.refused(401, "token_wrong");
    assert!(admin.get("/uplink").await.refused(429, "login_locked")["retry_after_s"].as_u64() > Some(20));
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_never_has_nothing_leaves_room_for_those_who_wait() {
    let (endless, other) = (House::open().await, House::open().await);
    let folder = tempfile::tempdir().expect("a folder");
    let tuning = Tuning { pulls_at_once: 1, pull_longest_visit: Duration::from_secs(2), ..brisk() };
    let platform = start_tuned(folder.path(), tuning);
    let ask = |house: &House, audio_bytes_per_s| {
        accept(&house.station, &platform);
        let token = house.station.make_pull_token().expect("made");
        add_limited(&platform, &house.station, pull(house.address, &token), audio_bytes_per_s)
    };
    until("three recordings", || records(endless.station.catalog()).len() >= 3).await;
    // Its calls come faster than it may send them.
    let first = ask(&endless, Some(1000));
    until("it is visited", || is_visited(&platform, &first)).await;
    let second = ask(&other, None);
    until("the other one has its turn", || success(&platform, &second).is_some()).await;
    assert!(success(&platform, &first).is_none() && trouble(&platform, &first).is_empty());
    until("and the first comes again", || is_visited(&platform, &first)).await;
    stop(platform);
    endless.close().await;
    other.close().await;
}
