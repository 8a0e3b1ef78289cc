//! A platform that keeps what comes in a folder, a station whose outbox is a list, and a network that can be cut.
#![allow(dead_code, reason = "each test file uses its part")]

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;

use hookline_uplink::frame::{AudioHead, Frame, Offer, OfferHead};
use hookline_uplink::message::{
    ClockNow, Heartbeat, Held, HeldCode, Hello, ItemRefusal, Limits, Refusal, RefusalCode, RefusedItem,
    ToPlatform, ToStation, VERSIONS,
};
use hookline_uplink::order::Lane;
use hookline_uplink::platform_end::{self, Admission, Arrived, ArrivedAudio, Intake, Lacks, Peer};
use hookline_uplink::seats::Seats;
use hookline_uplink::station_end::{self, Item, ItemFile, Outbox, Said, Wanted};
use hookline_uplink::{DeviceKey, Fingerprint, UplinkError, tls};

pub const SERIAL: &str = "HKLN-01121571897162";

/// Payload of an entry, and the bytes of its file.
pub type EntryAndFile = (Bytes, Option<Vec<u8>>);

/// What a test platform knows and has taken.
pub struct Kept {
    pub folder: PathBuf,
    pub known: Mutex<BTreeMap<String, Fingerprint>>,
    /// By item.
    pub items: Mutex<BTreeMap<u64, EntryAndFile>>,
    pub order: Mutex<Vec<u64>>,
    pub unavailable: Mutex<Vec<(u64, String)>>,
    pub told: Mutex<Vec<ToPlatform>>,
    pub heard: Mutex<Vec<(u64, Bytes)>>,
    pub full: AtomicBool,
    /// Items that are refused when they are offered, and when they are kept.
    pub refuses: Mutex<[BTreeSet<u64>; 2]>,
    /// The platform says hold when this one is offered, once.
    pub holds_at: Mutex<Option<u64>>,
    pub kept_twice: AtomicUsize,
    pub limits: Mutex<Limits>,
    pub to_station: Mutex<Option<mpsc::Sender<ToStation>>>,
    pub left: Mutex<Vec<String>>,
    /// What is sent for a command with this number.
    pub bundle: Mutex<Option<(u64, Bytes)>>,
}

#[derive(Clone)]
pub struct Platform {
    pub kept: Arc<Kept>,
    pub address: SocketAddr,
    pub fingerprint: Fingerprint,
    acceptor: TlsAcceptor,
    seats: Seats,
}

impl Platform {
    pub async fn start(folder: &Path) -> Self {
        let key = DeviceKey::make().expect("a key");
        let kept = Arc::new(Kept {
            folder: folder.to_owned(),
            known: Mutex::default(),
            items: Mutex::default(),
            order: Mutex::default(),
            unavailable: Mutex::default(),
            told: Mutex::default(),
            heard: Mutex::default(),
            full: AtomicBool::new(false),
            refuses: Mutex::default(),
            holds_at: Mutex::default(),
            kept_twice: AtomicUsize::new(0),
            limits: Mutex::default(),
            to_station: Mutex::default(),
            left: Mutex::default(),
            bundle: Mutex::default(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let acceptor = TlsAcceptor::from(Arc::new(tls::platform_config(&key).expect("a config")));
        let fingerprint = key.fingerprint();
        let platform = Self { kept, address, fingerprint, acceptor, seats: Seats::default() };
        let serving = platform.clone();
        tokio::spawn(async move {
            while let Ok((stream, from)) = listener.accept().await {
                let platform = serving.clone();
                tokio::spawn(async move { platform.serve(stream, from).await });
            }
        });
        platform
    }

    /// Serves a connection, whoever has opened it.
    pub async fn serve(&self, stream: TcpStream, from: SocketAddr) -> Result<(), UplinkError> {
        stream.set_nodelay(true)?;
        platform_end::serve(stream, from, &self.acceptor, &self.seats, &Taker(self.kept.clone())).await
    }

    pub fn register(&self, serial: &str, fingerprint: Fingerprint) {
        self.kept.known.lock().expect("a lock").insert(serial.into(), fingerprint);
    }

    pub fn count(&self) -> usize {
        self.kept.items.lock().expect("a lock").len()
    }
}

#[derive(Clone)]
struct Taker(Arc<Kept>);

impl Intake for Taker {
    async fn judge(&self, peer: &Peer) -> Result<(), Refusal> {
        match self.0.known.lock().expect("a lock").get(&peer.hello.serial) {
            None => Err(Refusal::new(RefusalCode::Waiting)),
            Some(known) if *known != peer.fingerprint => Err(Refusal::new(RefusalCode::OtherKey)),
            Some(_) => Ok(()),
        }
    }

    async fn admit(&self, peer: &Peer) -> Result<Admission, Refusal> {
        let (sender, to_station) = mpsc::channel(16);
        *self.0.to_station.lock().expect("a lock") = Some(sender);
        Ok(Admission {
            limits: *self.0.limits.lock().expect("a lock"),
            clock: clock(),
            release: "0.1.0".into(),
            heartbeat_s: 1,
            parts: self.0.folder.join("parts").join(&peer.hello.serial),
            to_station,
        })
    }

    async fn lacks(&self, _serial: &str, offer: &Offer) -> Result<Lacks, Held> {
        if self.0.full.load(SeqCst) {
            return Err(Held { code: HeldCode::DiskFull, retry_after_s: 1 });
        }
        let item = offer.head.item;
        if self.0.holds_at.lock().expect("a lock").take_if(|at| *at == item).is_some() {
            return Err(Held { code: HeldCode::Overloaded, retry_after_s: 1 });
        }
        if self.0.refuses.lock().expect("a lock")[0].contains(&item) {
            return Ok(Lacks::Refused(ItemRefusal::OtherFacts));
        }
        Ok(match self.0.items.lock().expect("a lock").contains_key(&offer.head.item) {
            true => Lacks::Nothing,
            false if offer.head.audio.is_some() => Lacks::EntryAndAudio,
            false => Lacks::EntryOnly,
        })
    }

    fn room(&self, _bytes: usize) -> Result<(), Held> {
        Ok(())
    }

    async fn keep(&self, _serial: &str, arrived: Vec<Arrived>) -> Result<Vec<RefusedItem>, Held> {
        // As a disk does, so that a connection can be cut meanwhile.
        tokio::time::sleep(Duration::from_millis(30)).await;
        let refuses = self.0.refuses.lock().expect("a lock")[1].clone();
        let refused: Vec<RefusedItem> = arrived
            .iter()
            .filter(|arrived| refuses.contains(&arrived.offer.head.item))
            .map(|arrived| RefusedItem { item: arrived.offer.head.item, code: ItemRefusal::Unkeepable })
            .collect();
        for Arrived { offer, audio } in arrived {
            if refuses.contains(&offer.head.item) {
                continue;
            }
            let bytes = match audio {
                ArrivedAudio::None => None,
                ArrivedAudio::Part(part) => {
                    let bytes = std::fs::read(&part).expect("the part is there");
                    std::fs::remove_file(part).expect("removed");
                    Some(bytes)
                }
                ArrivedAudio::Unavailable(reason) => {
                    self.0.unavailable.lock().expect("a lock").push((offer.head.item, reason));
                    None
                }
            };
            self.0.order.lock().expect("a lock").push(offer.head.item);
            let before = self.0.items.lock().expect("a lock").insert(offer.head.item, (offer.payload, bytes));
            if before.is_some() {
                self.0.kept_twice.fetch_add(1, SeqCst);
            }
        }
        Ok(refused)
    }

    fn failed(&self, _error: &io::Error) -> Held {
        Held { code: HeldCode::DiskUnwritable, retry_after_s: 1 }
    }

    fn told(&self, _serial: &str, message: ToPlatform) {
        self.0.told.lock().expect("a lock").push(message);
    }

    fn heard(&self, _serial: &str, listener: u64, audio: Bytes) {
        self.0.heard.lock().expect("a lock").push((listener, audio));
    }

    async fn bundle(
        &self,
        _serial: &str,
        command: u64,
        from: u64,
        most_bytes: usize,
    ) -> io::Result<Option<Bytes>> {
        let bundle = self.0.bundle.lock().expect("a lock");
        let Some((_, bytes)) = bundle.as_ref().filter(|(sent, _)| *sent == command) else { return Ok(None) };
        let Some(from) = usize::try_from(from).ok().filter(|from| *from < bytes.len()) else {
            return Ok(None);
        };
        Ok(Some(bytes.slice(from..bytes.len().min(from + most_bytes))))
    }

    fn left(&self, _serial: &str, reason: &UplinkError) {
        self.0.left.lock().expect("a lock").push(reason.to_string());
    }
}

fn clock() -> ClockNow {
    ClockNow { utc_us: 1_763_000_000_000_000, quality: "synchronised".into() }
}

/// An outbox in memory, its files in a folder.
pub struct List {
    pub fresh: Vec<Item>,
    pub backlog: Vec<Item>,
    given: [usize; 2],
    pub done: Arc<Mutex<Vec<u64>>>,
    pub refused: Arc<Mutex<BTreeSet<u64>>>,
}

impl List {
    pub fn new(fresh: Vec<Item>, backlog: Vec<Item>) -> Self {
        Self { fresh, backlog, given: [0; 2], done: Arc::default(), refused: Arc::default() }
    }
}

impl Outbox for List {
    fn next(&mut self, lane: Lane, limit: usize) -> io::Result<Vec<Item>> {
        let done = self.done.lock().expect("a lock");
        let list = if lane == Lane::Fresh { &self.fresh } else { &self.backlog };
        let given = &mut self.given[lane as usize];
        let mut items = Vec::new();
        while items.len() < limit && *given < list.len() {
            let item = &list[*given];
            *given += 1;
            if !done.contains(&item.item) {
                items.push(item.clone());
            }
        }
        Ok(items)
    }

    fn acknowledged(&mut self, items: &[u64]) -> io::Result<()> {
        self.done.lock().expect("a lock").extend(items);
        Ok(())
    }

    fn refused(&mut self, refused: RefusedItem) {
        assert!(self.refused.lock().expect("a lock").insert(refused.item), "each is offered once");
    }

    fn begin_again(&mut self) {
        self.given = [0; 2];
    }

    fn heartbeat(&mut self) -> Heartbeat {
        let waiting = (self.fresh.len() + self.backlog.len()) as u64;
        Heartbeat {
            clock: clock(),
            disk_free_bytes: 1,
            disk_total_bytes: 2,
            recording_now: 3,
            recording_peak: 4,
            waiting,
        }
    }
}

/// An item with a file of `bytes` random bytes in `folder`, or without one.
pub fn item(folder: &Path, item: u64, bytes: Option<usize>) -> Item {
    let file = bytes.map(|count| {
        let content: Vec<u8> = (0..count).map(|_| fastrand::u8(..)).collect();
        let path = folder.join(format!("{item}.wav"));
        std::fs::write(&path, &content).expect("written");
        let sha256 = Sha256::digest(&content).iter().map(|byte| format!("{byte:02x}")).collect();
        ItemFile { path, head: AudioHead { bytes: count as u64, sha256 } }
    });
    let payload = Bytes::from(format!("{{\"kind\": \"record\",  \"body\":{item}}}"));
    Item { item, written_us: item as i64, layout: 1, payload, file, unavailable: None, covers_from: None }
}

pub fn hello(serial: &str) -> Hello {
    Hello {
        versions: VERSIONS,
        serial: serial.into(),
        release: "0.1.0".into(),
        name: "station".into(),
        clock: clock(),
        ports: Vec::new(),
    }
}

pub struct Talking {
    pub said: mpsc::Sender<Said>,
    pub wanted: mpsc::UnboundedReceiver<Wanted>,
    pub done: Arc<Mutex<Vec<u64>>>,
    pub refused: Arc<Mutex<BTreeSet<u64>>>,
    pub task: tokio::task::JoinHandle<(Result<(), UplinkError>, List)>,
}

/// A station that dials `address` once and talks until it is stopped or cut off.
pub fn talk(
    address: SocketAddr,
    pinned: Fingerprint,
    key: Arc<DeviceKey>,
    list: List,
    hello: Hello,
) -> Talking {
    let dialled = async move { station_end::dial(&address.to_string(), &key, Some(pinned)).await };
    talk_on(dialled, list, hello)
}

/// A station that is asked once, at its listener.
pub fn be_asked(
    listener: TcpListener,
    pinned: Fingerprint,
    key: Arc<DeviceKey>,
    list: List,
    hello: Hello,
) -> Talking {
    let secured = async move {
        let (stream, from) = listener.accept().await?;
        station_end::secure(stream, &from.to_string(), &key, Some(pinned)).await
    };
    talk_on(secured, list, hello)
}

fn talk_on<S>(
    stream: impl Future<Output = Result<S, UplinkError>> + Send + 'static,
    mut list: List,
    hello: Hello,
) -> Talking
where
    S: AsyncRead + AsyncWrite + Send + 'static,
{
    let (said, mut heard) = mpsc::channel(16);
    let (want, wanted) = mpsc::unbounded_channel();
    let (done, refused) = (list.done.clone(), list.refused.clone());
    let task = tokio::spawn(async move {
        let result = match stream.await {
            Ok(stream) => station_end::talk(stream, &hello, &mut list, &mut heard, &want).await,
            Err(error) => Err(error),
        };
        (result, list)
    });
    Talking { said, wanted, done, refused, task }
}

/// Waits until `holds`, at most 20 s.
pub async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..2000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("not within 20 s: {what}");
}

/// A way to `to` that is cut after so many bytes, connection by connection; then not at all.
pub struct Cutting {
    pub address: SocketAddr,
    pub bytes_up: Arc<AtomicU64>,
}

impl Cutting {
    pub async fn start(to: SocketAddr, cuts: Vec<u64>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let bytes_up = Arc::new(AtomicU64::new(0));
        let counted = bytes_up.clone();
        tokio::spawn(async move {
            let mut cuts = VecDeque::from(cuts);
            while let Ok((near, _)) = listener.accept().await {
                let budget = cuts.pop_front().unwrap_or(u64::MAX);
                tokio::spawn(pass(near, to, budget, None, counted.clone()));
            }
        });
        Self { address, bytes_up }
    }

    /// As narrow as so many bytes a second on the way up; never cut.
    pub async fn narrow(to: SocketAddr, bytes_per_s: u32) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let bytes_up = Arc::new(AtomicU64::new(0));
        let counted = bytes_up.clone();
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                tokio::spawn(pass(near, to, u64::MAX, Some(bytes_per_s), counted.clone()));
            }
        });
        Self { address, bytes_up }
    }
}

/// A station that keeps to nothing: what it sends is up to the test.
pub async fn raw(platform: &Platform, key: &DeviceKey) -> impl AsyncRead + AsyncWrite + Unpin + Send + use<> {
    let address = platform.address.to_string();
    let mut stream = station_end::dial(&address, key, Some(platform.fingerprint)).await.expect("connected");
    let hello = ToPlatform::Hello(Box::new(hello(SERIAL)));
    stream.write_all(&message(&hello)).await.expect("written");
    stream
}

pub fn message(message: &ToPlatform) -> Vec<u8> {
    encoded(&Frame::Message(Bytes::from(serde_json::to_vec(message).expect("JSON"))))
}

/// An offer of an entry of so many bytes, with a file of so many or without one (0).
pub fn offer(item: u64, payload_bytes: usize, file_bytes: u64) -> Vec<u8> {
    let audio = (file_bytes > 0).then(|| AudioHead { bytes: file_bytes, sha256: "ab".repeat(32) });
    let head = OfferHead { item, written_us: 0, layout: 1, audio, unavailable: None, covers_from: None };
    encoded(&Frame::Offer(Offer { head, payload: Bytes::from(vec![b' '; payload_bytes]) }))
}

fn encoded(frame: &Frame) -> Vec<u8> {
    let mut bytes = bytes::BytesMut::new();
    frame.encode(&mut bytes).expect("encoded");
    bytes.to_vec()
}

async fn pass(
    near: TcpStream,
    to: SocketAddr,
    mut budget: u64,
    bytes_per_s: Option<u32>,
    counted: Arc<AtomicU64>,
) {
    let Ok(far) = TcpStream::connect(to).await else { return };
    let (mut near_in, mut near_out) = near.into_split();
    let (mut far_in, mut far_out) = far.into_split();
    let down = tokio::spawn(async move { tokio::io::copy(&mut far_in, &mut near_out).await });
    let mut bytes = vec![0; if bytes_per_s.is_some() { 2048 } else { 16 * 1024 }];
    while let Ok(count @ 1..) = near_in.read(&mut bytes).await {
        if let Some(rate) = bytes_per_s {
            tokio::time::sleep(Duration::from_secs(1) * count as u32 / rate).await;
        }
        let count = count.min(usize::try_from(budget).unwrap_or(usize::MAX));
        if count == 0 || far_out.write_all(&bytes[..count]).await.is_err() {
            break;
        }
        counted.fetch_add(count as u64, SeqCst);
        budget -= count as u64;
    }
    down.abort();
}
