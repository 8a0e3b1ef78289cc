//! A platform in a folder of its own, and a station whose outbox is a list in memory.
#![allow(dead_code, reason = "each test file uses its part")]

use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use catalog::{
    AlarmCode, AlarmQuery, AlarmRow, AlarmState, AuditEntry, AuditQuery, AuditResult, AuditRow, Device,
};
use catalog::{PageRequest, RecordQuery, RecordRow, Scope};
use hookline_platform::{Platform, PlatformConfig, Tuning};
use tokio::sync::mpsc;
use uplink::message::{
    ClockNow, Command, Heartbeat, Hello, PortNow, Refusal, RefusedItem, VERSIONS, Versions, Welcome,
};
use uplink::order::Lane;
use uplink::station_end::{self, Item, Outbox, Said, Wanted};
use uplink::{DeviceKey, Fingerprint, UplinkError};

pub const SERIAL: &str = "HKLN-01121571897162";
pub const OTHER: &str = "HKLN-01121571897163";

/// Looks often, and has short minutes.
pub fn brisk() -> Tuning {
    Tuning {
        round: Duration::from_millis(30),
        tick: Duration::from_millis(20),
        minute: Duration::from_millis(200),
        settle: Duration::from_millis(100),
        heartbeat_s: 1,
        held_s: 1,
        ..Tuning::default()
    }
}

pub fn start(folder: &Path) -> Platform {
    start_tuned(folder, brisk())
}

pub fn start_tuned(folder: &Path, tuning: Tuning) -> Platform {
    let config = PlatformConfig {
        data: folder.join("platform"),
        intake: ([127, 0, 0, 1], 0).into(),
        appliance: folder.join("appliance.sock"),
    };
    let begun = Instant::now();
    loop {
        match Platform::start_tuned(&config, tuning.clone()) {
            Ok(platform) => return platform,
            // What an abrupt end left behind holds the folder a moment longer.
            Err(error) if error.code() == "data_folder" && begun.elapsed() < Duration::from_secs(10) => {
                std::thread::sleep(Duration::from_millis(20));
            }
            Err(error) => panic!("{error}"),
        }
    }
}

/// Who does something in a test.
pub fn trail(operation: &str) -> AuditEntry {
    AuditEntry {
        account: Some("admin".into()),
        display_name: None,
        department: None,
        ip: Some("10.0.0.1".into()),
        item: "device".into(),
        port: None,
        operation: operation.into(),
        params: serde_json::Map::new(),
        result: AuditResult::Ok,
        detail: None,
    }
}

pub fn add(platform: &Platform, serial: &str, key: Option<Fingerprint>) {
    let device = Device { fingerprint: key.map(|key| key.to_string()), ..Device::new(serial) };
    platform.add_devices(vec![device], vec![trail("add")]).expect("added");
}

const FIRST: PageRequest = PageRequest { after: None, limit: 1000, count_up_to: 0 };

pub fn records(platform: &Platform) -> Vec<RecordRow> {
    assert!(platform.catalog().wait_until_current(Duration::from_secs(20)));
    let all = RecordQuery::default();
    let mut rows = platform.catalog().records(&Scope::everything(), &all, FIRST).expect("listed").items;
    rows.sort_by(|a, b| a.id.cmp(&b.id));
    rows
}

pub fn alarms(platform: &Platform, state: AlarmState) -> Vec<AlarmRow> {
    let query = AlarmQuery { state, ..AlarmQuery::default() };
    platform.catalog().alarms(&Scope::everything(), &query, FIRST).expect("listed").items
}

/// The alarm stands about that station.
pub fn stands(platform: &Platform, code: AlarmCode, serial: &str) -> bool {
    alarms(platform, AlarmState::Current)
        .iter()
        .any(|alarm| alarm.code == code.name() && alarm.thing.as_deref() == Some(serial))
}

pub fn audit(platform: &Platform, operation: &str) -> Vec<AuditRow> {
    let rows = platform.catalog().audit_trail(&Scope::everything(), &AuditQuery::default(), FIRST);
    rows.expect("listed").items.into_iter().filter(|row| row.entry.operation == operation).collect()
}

pub fn now_us() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_micros() as i64
}

/// What a station has, and what it was told is safe.
#[derive(Clone, Default)]
pub struct Outgoing(Arc<Mutex<List>>);

#[derive(Default)]
struct List {
    items: Vec<Item>,
    given: usize,
    done: BTreeSet<u64>,
    refused: BTreeSet<u64>,
}

impl Outgoing {
    pub fn of(items: Vec<Item>) -> Self {
        let outgoing = Self::default();
        items.into_iter().for_each(|item| outgoing.put(item));
        outgoing
    }

    pub fn put(&self, item: Item) {
        self.0.lock().expect("a lock").items.push(item);
    }

    pub fn done(&self) -> BTreeSet<u64> {
        self.0.lock().expect("a lock").done.clone()
    }

    /// Those that the platform would not have.
    pub fn refused(&self) -> BTreeSet<u64> {
        self.0.lock().expect("a lock").refused.clone()
    }

    /// Everything is to go again, as if nothing had been acknowledged.
    pub fn forget_done(&self) {
        self.0.lock().expect("a lock").done.clear();
    }

    pub fn all_done(&self) -> bool {
        let list = self.0.lock().expect("a lock");
        list.items.iter().all(|item| list.done.contains(&item.item))
    }
}

struct InMemory {
    outgoing: Outgoing,
    clock_ahead_us: Arc<AtomicI64>,
    lane: Lane,
}

impl Outbox for InMemory {
    fn next(&mut self, lane: Lane, limit: usize) -> io::Result<Vec<Item>> {
        if lane != self.lane {
            return Ok(Vec::new());
        }
        let mut list = self.outgoing.0.lock().expect("a lock");
        let mut items = Vec::new();
        while items.len() < limit && list.given < list.items.len() {
            let item = list.items[list.given].clone();
            list.given += 1;
            if !list.done.contains(&item.item) {
                items.push(item);
            }
        }
        Ok(items)
    }

    fn acknowledged(&mut self, items: &[u64]) -> io::Result<()> {
        self.outgoing.0.lock().expect("a lock").done.extend(items);
        Ok(())
    }

    fn refused(&mut self, refused: RefusedItem) {
        self.outgoing.0.lock().expect("a lock").refused.insert(refused.item);
    }

    fn begin_again(&mut self) {
        self.outgoing.0.lock().expect("a lock").given = 0;
    }

    fn heartbeat(&mut self) -> Heartbeat {
        let list = self.outgoing.0.lock().expect("a lock");
        Heartbeat {
            clock: clock(self.clock_ahead_us.load(SeqCst)),
            disk_free_bytes: 10,
            disk_total_bytes: 20,
            recording_now: 1,
            recording_peak: 5,
            waiting: (list.items.len() - list.done.len()) as u64,
        }
    }
}

fn clock(ahead_us: i64) -> ClockNow {
    ClockNow { utc_us: now_us() + ahead_us, quality: "synchronised".into() }
}

/// How a station behaves.
#[derive(Clone)]
pub struct Manner {
    pub serial: String,
    pub key: Arc<DeviceKey>,
    pub clock_ahead_us: Arc<AtomicI64>,
    pub lane: Lane,
    pub ports: Vec<PortNow>,
    pub versions: Versions,
}

impl Manner {
    pub fn new(serial: &str) -> Self {
        Self {
            serial: serial.into(),
            key: Arc::new(DeviceKey::make().expect("a key")),
            clock_ahead_us: Arc::default(),
            lane: Lane::Fresh,
            ports: vec![port(3, "idle")],
            versions: VERSIONS,
        }
    }

    pub fn fingerprint(&self) -> Fingerprint {
        self.key.fingerprint()
    }

    /// Dials `address` once and talks until the connection ends, or what is returned is dropped.
    pub fn dial(&self, address: SocketAddr, platform: Fingerprint, outgoing: &Outgoing) -> Talking {
        let (said, mut heard) = mpsc::channel(64);
        let (want, wanted) = mpsc::unbounded_channel();
        let (manner, outgoing) = (self.clone(), outgoing.clone());
        let task = tokio::spawn(async move {
            let hello = Hello {
                versions: manner.versions,
                serial: manner.serial.clone(),
                release: "0.0.9".into(),
                name: "Duty room".into(),
                clock: clock(manner.clock_ahead_us.load(SeqCst)),
                ports: manner.ports.clone(),
            };
            let (clock_ahead_us, lane) = (manner.clock_ahead_us.clone(), manner.lane);
            let mut outbox = InMemory { outgoing, clock_ahead_us, lane };
            let stream = station_end::dial(&address.to_string(), &manner.key, Some(platform)).await?;
            station_end::talk(stream, &hello, &mut outbox, &mut heard, &want).await
        });
        Talking { said, wanted, task }
    }

    /// As `dial`, to a platform of this process.
    pub fn talk(&self, platform: &Platform, outgoing: &Outgoing) -> Talking {
        self.dial(platform.intake_address(), platform.fingerprint(), outgoing)
    }

    /// Why it is not let in.
    pub async fn refused(&self, platform: &Platform) -> Refusal {
        let talking = self.talk(platform, &Outgoing::default());
        match talking.task.await.expect("no panic") {
            Err(UplinkError::Refused(refusal)) => refusal,
            other => panic!("{other:?}"),
        }
    }
}

pub struct Talking {
    pub said: mpsc::Sender<Said>,
    pub wanted: mpsc::UnboundedReceiver<Wanted>,
    pub task: tokio::task::JoinHandle<Result<(), UplinkError>>,
}

impl Talking {
    pub async fn welcomed(&mut self) -> Welcome {
        match self.wanted.recv().await {
            Some(Wanted::Welcomed(welcome)) => *welcome,
            other => panic!("a welcome first, not {other:?}"),
        }
    }

    pub async fn command(&mut self) -> Command {
        loop {
            match self.wanted.recv().await {
                Some(Wanted::Do(command)) => return command,
                Some(_) => {}
                None => panic!("the connection ended"),
            }
        }
    }

    pub async fn cut_off(self) -> UplinkError {
        let ended = tokio::time::timeout(Duration::from_secs(2), self.task).await.expect("within 2 s");
        ended.expect("no panic").expect_err("cut off")
    }
}

pub fn port(port: u16, state: &str) -> PortNow {
    PortNow { port, name: format!("M [{port:02}]"), line_number: None, state: state.into(), recording: None }
}

/// Record `sequence` of a station as entry `entry` of its journal, with a file of so many seconds in `folder`.
pub fn recording(folder: &Path, serial: &str, entry: u64, sequence: u64, seconds: u32) -> Item {
    let audio = fleet::call::audio(seconds);
    let end_us = 1_772_323_200_000_000 + sequence as i64 * 60_000_000;
    let facts = fleet::call::facts(serial, sequence, 1, end_us, seconds, &audio);
    fleet::call::item(folder, entry, facts, &audio).expect("made")
}

/// An entry without a file.
pub fn entry(number: u64, layout: u16, payload: &str) -> Item {
    let payload = Bytes::from(payload.to_owned());
    Item {
        item: number,
        written_us: now_us(),
        layout,
        payload,
        file: None,
        unavailable: None,
        covers_from: None,
    }
}

/// Waits until `holds`, at most 20 s.
pub async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(20), "not within 20 s: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Every recording of `items` is on the platform once, byte for byte, and its data folder is sound.
pub fn assert_has(folder: &Path, platform: Platform, items: &[Item]) {
    let rows = records(&platform);
    let with_file: Vec<&Item> = items.iter().filter(|item| item.file.is_some()).collect();
    assert_eq!(rows.len(), with_file.len());
    let bytes = |path: &Path| std::fs::read(path).expect("there");
    let mut theirs: Vec<Vec<u8>> =
        with_file.iter().filter_map(|item| item.file.as_ref()).map(|file| bytes(&file.path)).collect();
    let mut ours: Vec<Vec<u8>> = rows
        .iter()
        .map(|row| bytes(&platform.data_dir().path().join(row.file.as_ref().expect("a file"))))
        .collect();
    theirs.sort();
    ours.sort();
    assert!(theirs == ours, "the files are the same");
    platform.stop();
    drop(platform);
    sound(folder);
}

/// `hookline check` finds nothing.
pub fn sound(folder: &Path) {
    let data = folder.join("platform");
    let begun = Instant::now();
    let findings = loop {
        match hookline_platform::maintenance::check(&data) {
            Err(error) if error.code() == "data_folder" && begun.elapsed() < Duration::from_secs(10) => {
                std::thread::sleep(Duration::from_millis(20));
            }
            findings => break findings.expect("looked at"),
        }
    };
    assert_eq!(findings, Vec::<String>::new());
}
