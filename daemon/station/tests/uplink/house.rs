//! A platform that keeps what comes, a box with short calls on its lines, and a network that can be cut.

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use bytes::Bytes;
use capture::clock::{Clock, Moment, SystemClock};
use catalog::{
    AlarmCode, AlarmQuery, AlarmRow, AlarmState, AuditQuery, AuditRow, Body, DeletedFilter, PageRequest,
    RecordQuery, RecordRow, Scope,
};
use hookline_station::{LinkState, Station, StationConfig, Tuning};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use uplink::frame::Offer;
use uplink::message::{
    ClockNow, Held, HeldCode, Limits, Outcome, Refusal, RefusalCode, RefusedItem, ToPlatform, ToStation,
};
use uplink::platform_end::{self, Admission, Arrived, ArrivedAudio, Intake, Lacks, Peer};
use uplink::seats::Seats;
use uplink::{DeviceKey, Fingerprint, UplinkError, What, tls};

/// Of a file: bytes and SHA-256.
pub type FileSeen = (u64, String);

/// What a platform has taken of an entry.
#[derive(Clone, Debug, PartialEq)]
pub struct Taken {
    pub payload: Bytes,
    pub file: Option<FileSeen>,
}

#[derive(Default)]
pub struct Kept {
    pub known: Mutex<BTreeMap<String, Fingerprint>>,
    pub items: Mutex<BTreeMap<u64, Taken>>,
    pub order: Mutex<Vec<u64>>,
    pub offers: AtomicUsize,
    pub kept_twice: AtomicUsize,
    pub told: Mutex<Vec<ToPlatform>>,
    pub heard: Mutex<Vec<(u64, Bytes)>>,
    pub hellos: Mutex<Vec<Peer>>,
    pub full: AtomicBool,
    /// Added to the clock that stations are told.
    pub clock_ms: AtomicI64,
    pub backlog_held: AtomicBool,
    /// What is sent for a command with this number.
    pub bundle: Mutex<Option<(u64, Bytes)>>,
    /// Where the pieces of bundles begin that were asked for.
    pub wanted: Mutex<Vec<u64>>,
    to_station: Mutex<Option<mpsc::Sender<ToStation>>>,
}

pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no panic holds it")
}

/// A platform that runs until it is dropped; what it kept and its key can be given to the next.
pub struct Platform {
    pub kept: Arc<Kept>,
    pub address: SocketAddr,
    pub key: Arc<DeviceKey>,
    runtime: Option<Runtime>,
    /// Where parts of files grow.
    _folder: tempfile::TempDir,
}

impl Platform {
    pub fn start() -> Self {
        Self::start_as("127.0.0.1:0", Arc::default(), Arc::new(DeviceKey::make().expect("a key")))
    }

    pub fn start_as(address: &str, kept: Arc<Kept>, key: Arc<DeviceKey>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime");
        let listener = runtime.block_on(async {
            loop {
                // The port of a former one may still be closing.
                match TcpListener::bind(address).await {
                    Ok(listener) => return listener,
                    Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
                }
            }
        });
        let address = listener.local_addr().expect("an address");
        let acceptor = TlsAcceptor::from(Arc::new(tls::platform_config(&key).expect("a config")));
        let (taker, seats) =
            (Taker { kept: kept.clone(), parts: folder.path().to_owned() }, Seats::default());
        runtime.spawn(async move {
            while let Ok((stream, from)) = listener.accept().await {
                let (acceptor, seats, taker) = (acceptor.clone(), seats.clone(), taker.clone());
                tokio::spawn(
                    async move { platform_end::serve(stream, from, &acceptor, &seats, &taker).await },
                );
            }
        });
        Self { kept, address, key, runtime: Some(runtime), _folder: folder }
    }

    /// Gone at once, as by `kill -9`, and back at the same address with what it kept.
    pub fn restart(mut self) -> Self {
        let (kept, key, address) = (self.kept.clone(), self.key.clone(), self.address.to_string());
        self.stop();
        Self::start_as(&address, kept, key)
    }

    pub fn stop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(Duration::from_secs(1));
        }
    }

    pub fn register(&self, station: &Station) {
        let own = station.platform_link().own_fingerprint.expect("a key");
        lock(&self.kept.known).insert(station.info().serial, own);
    }

    pub fn say(&self, message: ToStation) {
        let sender = lock(&self.kept.to_station).clone().expect("a station is connected");
        sender.try_send(message).expect("there is room");
    }

    pub fn command(&self, id: u64, within_s: u32, what: &What) {
        self.say(ToStation::Command(what.command(id, within_s).expect("written")));
    }

    /// The last answer to a command.
    pub fn answer(&self, id: u64) -> Option<Outcome> {
        lock(&self.kept.told).iter().rev().find_map(|told| match told {
            ToPlatform::Answer { command, outcome } if *command == id => Some(outcome.clone()),
            _ => None,
        })
    }

    /// The last answer to a command that is not progress.
    #[track_caller]
    pub fn ended(&self, id: u64) -> Outcome {
        let mut end = None;
        wait_until(&format!("command {id} ends"), || {
            end = self.answer(id).filter(|outcome| !matches!(outcome, Outcome::Progress { .. }));
            end.is_some()
        });
        end.expect("it has ended")
    }

    pub fn run_future<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.as_ref().expect("it runs").block_on(future)
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        self.stop();
    }
}

#[derive(Clone)]
struct Taker {
    kept: Arc<Kept>,
    parts: PathBuf,
}

impl Intake for Taker {
    async fn judge(&self, peer: &Peer) -> Result<(), Refusal> {
        lock(&self.kept.hellos).push(peer.clone());
        match lock(&self.kept.known).get(&peer.hello.serial) {
            None => Err(Refusal::new(RefusalCode::Waiting)),
            Some(known) if *known != peer.fingerprint => Err(Refusal::new(RefusalCode::OtherKey)),
            Some(_) => Ok(()),
        }
    }

    async fn admit(&self, peer: &Peer) -> Result<Admission, Refusal> {
        let (sender, to_station) = mpsc::channel(64);
        *lock(&self.kept.to_station) = Some(sender);
        let utc_us = SystemClock.now().utc_us + self.kept.clock_ms.load(SeqCst) * 1000;
        Ok(Admission {
            limits: Limits { audio_bytes_per_s: None, backlog_held: self.kept.backlog_held.load(SeqCst) },
            clock: ClockNow { utc_us, quality: "synchronised".into() },
            release: "9.9.9".into(),
            heartbeat_s: 1,
            parts: self.parts.join(&peer.hello.serial),
            to_station,
        })
    }

    async fn lacks(&self, _serial: &str, offer: &Offer) -> Result<Lacks, Held> {
        if self.kept.full.load(SeqCst) {
            return Err(Held { code: HeldCode::DiskFull, retry_after_s: 1 });
        }
        self.kept.offers.fetch_add(1, SeqCst);
        let there = lock(&self.kept.items).get(&offer.head.item).map(|taken| taken.file.is_some());
        let audio = offer.head.audio.is_some();
        Ok(match there {
            Some(file) if file || !audio => Lacks::Nothing,
            _ if audio => Lacks::EntryAndAudio,
            _ => Lacks::EntryOnly,
        })
    }

    async fn keep(&self, _serial: &str, arrived: Vec<Arrived>) -> Result<Vec<RefusedItem>, Held> {
        // As a disk does, so that a connection can be cut meanwhile.
        tokio::time::sleep(Duration::from_millis(5)).await;
        for Arrived { offer, audio } in arrived {
            let file = match audio {
                ArrivedAudio::Part(part) => {
                    let bytes = fs::read(&part).expect("the part is there");
                    fs::remove_file(part).expect("removed");
                    Some((bytes.len() as u64, sha256(&bytes)))
                }
                ArrivedAudio::None | ArrivedAudio::Unavailable(_) => None,
            };
            let item = offer.head.item;
            lock(&self.kept.order).push(item);
            let taken = Taken { payload: offer.payload, file };
            if lock(&self.kept.items).insert(item, taken).is_some_and(|before| before.file.is_some()) {
                self.kept.kept_twice.fetch_add(1, SeqCst);
            }
        }
        Ok(Vec::new())
    }

    fn failed(&self, _error: &std::io::Error) -> Held {
        Held { code: HeldCode::DiskUnwritable, retry_after_s: 1 }
    }

    fn told(&self, _serial: &str, message: ToPlatform) {
        lock(&self.kept.told).push(message);
    }

    fn heard(&self, _serial: &str, listener: u64, audio: Bytes) {
        lock(&self.kept.heard).push((listener, audio));
    }

    fn room(&self, _bytes: usize) -> Result<(), Held> {
        Ok(())
    }

    async fn bundle(
        &self,
        _serial: &str,
        command: u64,
        from: u64,
        most_bytes: usize,
    ) -> std::io::Result<Option<Bytes>> {
        lock(&self.kept.wanted).push(from);
        let bundle = lock(&self.kept.bundle);
        let Some((_, bytes)) = bundle.as_ref().filter(|(sent, _)| *sent == command) else { return Ok(None) };
        let Some(from) = usize::try_from(from).ok().filter(|from| *from < bytes.len()) else {
            return Ok(None);
        };
        Ok(Some(bytes.slice(from..bytes.len().min(from + most_bytes))))
    }

    fn left(&self, _serial: &str, _reason: &UplinkError) {
        *lock(&self.kept.to_station) = None;
    }
}

pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The box's clock, of which a test says whether it is in step, and by how much it is wrong.
#[derive(Default)]
pub struct TestClock {
    pub unsynchronised: AtomicBool,
    pub wrong_ms: AtomicI64,
}

impl Clock for TestClock {
    fn now(&self) -> Moment {
        let now = SystemClock.now();
        Moment { utc_us: now.utc_us + self.wrong_ms.load(SeqCst) * 1000, ..now }
    }

    fn is_synchronised(&self) -> bool {
        !self.unsynchronised.load(SeqCst)
    }
}

/// A box whose folders are gone with the test: three ports, each with a call of a second every two.
pub struct TestBox {
    pub folder: tempfile::TempDir,
    pub clock: Arc<TestClock>,
}

const PORTS: u16 = 3;
const SECONDS: usize = 2;

impl TestBox {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let scenario = folder.path().join("scenario");
        fs::create_dir(&scenario).expect("a folder");
        fs::create_dir(folder.path().join("system")).expect("a folder");
        let mut toml = "rate = 8000\n\n[[unit]]\nkind = \"analog\"\nname = \"tap-a\"\n".to_owned();
        for port in 1..=PORTS {
            let audio: Vec<u8> = (0..SECONDS * 8000).map(|_| fastrand::u8(0x50..0x58)).collect();
            fs::write(scenario.join(format!("{port}.wav")), wav_alaw(&audio)).expect("written");
            let begin = 0.2 + 0.1 * f64::from(port);
            let volts = format!("seconds,volts,ring_volts\n0,48,0\n{begin},8,0\n{},48,0\n", begin + 1.0);
            fs::write(scenario.join(format!("{port}.csv")), volts).expect("written");
            toml += &format!(
                "\n[[unit.channel]]\nport = {port}\nname = \"line {port}\"\naudio = \"{port}.wav\"\nvolts = \"{port}.csv\"\n"
            );
        }
        fs::write(scenario.join("scenario.toml"), toml).expect("written");
        Self { folder, clock: Arc::default() }
    }

    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Nobody answers there until a test has somebody do so.
    pub fn appliance_socket(&self) -> PathBuf {
        self.folder.path().join("appliance.sock")
    }

    pub fn start(&self) -> Station {
        self.start_with(Some(self.folder.path().join("scenario")))
    }

    /// Records nothing more.
    pub fn start_idle(&self) -> Station {
        self.start_with(None)
    }

    fn start_with(&self, scenario: Option<PathBuf>) -> Station {
        let tuning = Tuning {
            clock: self.clock.clone(),
            system_root: self.folder.path().join("system"),
            round: Duration::from_millis(50),
            lines_settle: Duration::from_millis(500),
            link_first_pause: Duration::from_millis(20),
            link_longest_pause: Duration::from_millis(200),
            ..Tuning::default()
        };
        let config = StationConfig { data: self.data(), scenario, appliance: self.appliance_socket() };
        Station::start_tuned(&config, tuning).expect("the station starts")
    }
}

fn wav_alaw(audio: &[u8]) -> Vec<u8> {
    let mut out = b"RIFF".to_vec();
    out.extend((36 + audio.len() as u32).to_le_bytes());
    out.extend(b"WAVEfmt \x10\0\0\0\x06\0\x01\0");
    out.extend(8000_u32.to_le_bytes());
    out.extend(8000_u32.to_le_bytes());
    out.extend([1, 0, 8, 0]);
    out.extend(b"data");
    out.extend((audio.len() as u32).to_le_bytes());
    out.extend(audio);
    out
}

/// Tells the station of a platform at `address`, whose key is accepted.
pub fn link(station: &Station, platform: &Platform, address: SocketAddr) {
    let change = json!({
        "switched_on": true, "address": address.to_string(),
        "fingerprint": platform.key.fingerprint().to_string(),
    });
    station.change_platform_link(change.as_object().expect("an object")).expect("changed");
}

/// A station that is registered and connected.
pub fn connected(test_box: &TestBox, platform: &Platform) -> Station {
    let station = test_box.start();
    platform.register(&station);
    link(&station, platform, platform.address);
    wait_for(&station, LinkState::Connected);
    station
}

pub fn change_link(station: &Station, change: Value) {
    station.change_platform_link(change.as_object().expect("an object")).expect("changed");
}

#[track_caller]
pub fn wait_for(station: &Station, state: LinkState) {
    wait_until(state.name(), || station.platform_link().state == state);
}

#[track_caller]
pub fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(30);
    while !done() {
        assert!(Instant::now() < until, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Every record of the station, oldest first.
pub fn records(station: &Station) -> Vec<RecordRow> {
    assert!(station.catalog().wait_until_current(Duration::from_secs(10)));
    let query = RecordQuery { deleted: DeletedFilter::All, ..RecordQuery::default() };
    let mut rows = Vec::new();
    let mut each = |row| {
        rows.push(row);
        ControlFlow::Continue(())
    };
    station.catalog().each_record(&Scope::everything(), &query, &mut each).expect("listed");
    rows.sort_by_key(|row| row.id.sequence);
    rows
}

#[track_caller]
pub fn wait_for_records(station: &Station, count: u64) {
    wait_until(&format!("{count} records"), || station.catalog().next_sequence() > count);
}

/// Nothing waits any more, in a station that records nothing now.
#[track_caller]
pub fn wait_until_all_arrived(station: &Station) {
    wait_for(station, LinkState::Connected);
    wait_until("everything has arrived", || station.platform_link().waiting == 0);
}

/// Holds what the platform has against the station's journal: every entry that goes up is there byte for byte, every
/// recording with the file that lies on the station, and nothing else is.
#[track_caller]
pub fn assert_all_there_once(station: &Station, platform: &Platform) {
    let items = lock(&platform.kept.items).clone();
    let entries = station.catalog().journal_tail(1).read(1_000_000).expect("read");
    let mut expected = 0;
    for entry in entries {
        let body = Body::from_payload(entry.layout, &entry.payload).expect("read");
        if matches!(body, Body::AccountSet(_) | Body::AccountRemoved(_) | Body::Synchronised(_)) {
            assert!(!items.contains_key(&entry.sequence), "{body:?} stays on the box");
            continue;
        }
        expected += 1;
        let taken = items.get(&entry.sequence);
        let taken = taken.unwrap_or_else(|| panic!("{} is missing: {body:?}", entry.sequence));
        assert_eq!(taken.payload, entry.payload, "the entry's bytes are the same");
        if let Body::Record(record) = body {
            let file = record.file.and_then(|file| fs::read(station.data_dir().path().join(file)).ok());
            if let Some(bytes) = file {
                assert_eq!(taken.file, Some((bytes.len() as u64, sha256(&bytes))), "the file is the same");
            }
        }
    }
    assert_eq!(items.len(), expected, "nothing that is not in the journal");
    assert_eq!(platform.kept.kept_twice.load(SeqCst), 0, "each exists once");
}

/// Alarms of a code, newest first.
pub fn alarms(station: &Station, code: AlarmCode, state: AlarmState) -> Vec<AlarmRow> {
    let codes = [code.name().to_owned()].into();
    let query = AlarmQuery { state, codes, ..AlarmQuery::default() };
    let page = station.catalog().alarms(&Scope::everything(), &query, PageRequest::default());
    page.map_or_else(|_| Vec::new(), |page| page.items)
}

/// What the audit trail says of commands, newest first.
pub fn commands_written_down(station: &Station) -> Vec<AuditRow> {
    let query = AuditQuery { item: Some("command".into()), ..AuditQuery::default() };
    let page = PageRequest { limit: 100, ..PageRequest::default() };
    station.catalog().audit_trail(&Scope::everything(), &query, page).expect("listed").items
}

/// A way to `to` that is cut after so many bytes, connection by connection; then not at all.
pub fn cutting(platform: &Platform, cuts: Vec<u64>) -> SocketAddr {
    let to = platform.address;
    let listener = platform.run_future(TcpListener::bind("127.0.0.1:0")).expect("a port");
    let address = listener.local_addr().expect("an address");
    let mut cuts = VecDeque::from(cuts);
    platform.runtime.as_ref().expect("it runs").spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            let budget = cuts.pop_front().unwrap_or(u64::MAX);
            tokio::spawn(pass(near, to, budget));
        }
    });
    address
}

async fn pass(near: TcpStream, to: SocketAddr, mut budget: u64) {
    let Ok(far) = TcpStream::connect(to).await else { return };
    let (mut near_in, mut near_out) = near.into_split();
    let (mut far_in, mut far_out) = far.into_split();
    let down = tokio::spawn(async move { tokio::io::copy(&mut far_in, &mut near_out).await });
    let mut bytes = vec![0; 16 * 1024];
    while let Ok(count @ 1..) = near_in.read(&mut bytes).await {
        let count = count.min(usize::try_from(budget).unwrap_or(usize::MAX));
        if count == 0 || far_out.write_all(&bytes[..count]).await.is_err() {
            break;
        }
        budget -= count as u64;
    }
    down.abort();
}
