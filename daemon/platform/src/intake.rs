//! The platform's side of a station's connection: who is let in, what of an offer is lacking, and what is done with what
//! it says.

use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio_rustls::TlsAcceptor;
use uplink::UplinkError;
use uplink::frame::Offer;
use uplink::message::{
    ClockNow, Held, HeldCode, ItemRefusal, Outcome, Refusal, RefusalCode, RefusedItem, ToPlatform, ToStation,
};
use uplink::platform_end::{self, Admission, Arrived, Intake, Lacks, Peer};
use uplink::seats::Seats;

use crate::care::Notice;
use crate::keeping::{NotKept, parts_folder};
use crate::lock;
use crate::orders::CommandState;
use crate::platform::Inner;
use crate::quiet;
use crate::strangers::{Guest, Strangers};
use crate::texts;

/// Connections of all kinds.
pub(crate) const MOST_CONNECTIONS: usize = 20_000;
/// After an error of accepting (no more files, say) there is a pause.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What all connections share.
pub(crate) struct Door {
    acceptor: TlsAcceptor,
    seats: Seats,
    /// Connections there are; closed when nobody is to be let in any more.
    pub connections: Arc<Semaphore>,
    strangers: Strangers,
    /// Those who have not said yet who they are.
    unknown: Mutex<HashMap<SocketAddr, Guest>>,
}

impl Door {
    pub fn new(acceptor: TlsAcceptor) -> Self {
        Self {
            acceptor,
            seats: Seats::default(),
            connections: Arc::new(Semaphore::new(MOST_CONNECTIONS)),
            strangers: Strangers::new(),
            unknown: Mutex::default(),
        }
    }
}

/// Takes what stations send. Clones share it.
#[derive(Clone)]
pub(crate) struct Taker {
    inner: Arc<Inner>,
    /// The station has dialled, and not been asked.
    dialled: bool,
}

/// Lets stations in that dial, until the door is closed.
pub(crate) async fn serve(inner: Arc<Inner>, listener: TcpListener) {
    while !inner.door.connections.is_closed() {
        let Some(room) = inner.door.strangers.room().await else { return };
        match listener.accept().await {
            Ok((stream, address)) => {
                let Some(mut guest) = inner.door.strangers.enter(address.ip(), room) else { continue };
                let inner = inner.clone();
                let taker = Taker { inner: inner.clone(), dialled: true };
                tokio::spawn(async move {
                    if !guest.turn().await {
                        return;
                    }
                    lock(&inner.door.unknown).insert(address, guest);
                    // Whoever was let in has been told of in `left`; of strangers nothing more is to be said.
                    if stream.set_nodelay(true).is_ok() {
                        let _ = serve_one(&inner, stream, address, &taker).await;
                    }
                    lock(&inner.door.unknown).remove(&address);
                });
            }
            Err(error) => {
                eprintln!("a station could not be let in: {error}");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Serves one connection to its end, whichever side has opened it; `address` is shown as the station's.
///
/// # Errors
/// Why it ended.
pub(crate) async fn serve_one<S>(
    inner: &Arc<Inner>,
    stream: S,
    address: SocketAddr,
    intake: &impl Intake,
) -> Result<(), UplinkError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let connection = inner.door.connections.clone().acquire_owned().await;
    let _connection = connection.map_err(|_| UplinkError::Closed)?;
    platform_end::serve(stream, address, &inner.door.acceptor, &inner.door.seats, intake).await
}

impl Taker {
    /// For a station that is asked.
    pub fn visiting(inner: Arc<Inner>) -> Self {
        Self { inner, dialled: false }
    }

    /// The station has still to say what has become of a command.
    pub fn awaits_answers(&self, serial: &str) -> bool {
        lock(&self.inner.orders).has_open(serial)
    }

    /// Does something that waits for the disk.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Inner) -> T + Send + 'static,
    ) -> Result<T, io::Error> {
        let inner = self.inner.clone();
        spawn_blocking(move || work(&inner)).await.map_err(io::Error::from)
    }
}

impl Intake for Taker {
    async fn judge(&self, peer: &Peer) -> Result<(), Refusal> {
        if !self.inner.loaded.load(Relaxed) {
            return Err(Refusal::new(RefusalCode::Busy));
        }
        self.inner.stations.judge(peer, self.inner.clock.now_us())
    }

    async fn admit(&self, peer: &Peer) -> Result<Admission, Refusal> {
        let inner = &self.inner;
        let (serial, fingerprint) = (peer.hello.serial.clone(), peer.fingerprint);
        if inner.stations.device(&serial).is_some_and(|device| device.fingerprint.is_none()) {
            let pinned = self.blocking(move |inner| inner.pin_first_key(&serial, fingerprint)).await;
            if !matches!(pinned, Ok(Ok(()))) {
                // A key that cannot be written down lets nobody in.
                return Err(Refusal::new(RefusalCode::Busy));
            }
        }
        let minute = inner.clock.weekday_and_minute().1;
        let now_us = inner.clock.now_us();
        let limits = |device: &_| quiet::limits(device, minute);
        let (limits, to_station) = inner.stations.admit(peer, self.dialled, limits, now_us)?;
        lock(&inner.door.unknown).remove(&peer.address);
        for command in lock(&inner.orders).once_more(&peer.hello.serial, Instant::now()) {
            // Without room for it now it goes with the next connection, if its time lasts.
            let _ = inner.stations.send(&peer.hello.serial, ToStation::Command(command));
        }
        Ok(Admission {
            limits,
            clock: ClockNow { utc_us: now_us, quality: quality_name(inner) },
            release: env!("CARGO_PKG_VERSION").into(),
            heartbeat_s: inner.tuning.heartbeat_s,
            parts: parts_folder(&inner.data, &peer.hello.serial),
            to_station,
        })
    }

    async fn lacks(&self, serial: &str, offer: &Offer) -> Result<Lacks, Held> {
        let with_audio = offer.head.audio.as_ref().is_some_and(|audio| audio.bytes > 0);
        if self.inner.is_perhaps_known(serial, offer) {
            let (station, item) = (serial.to_owned(), offer.head.item);
            let (serial, offer) = (serial.to_owned(), offer.clone());
            let lacks = self.blocking(move |inner| inner.lacks_of_known(&serial, &offer, with_audio)).await;
            let lacks = lacks.unwrap_or_else(|error| Err(NotKept::Held(self.inner.room.failed(&error))));
            return lacks.or_else(|not_kept| match not_kept {
                NotKept::Held(held) => Err(held),
                NotKept::Refused(why) => {
                    self.inner.stations.refused(&station, item, &why);
                    Ok(Lacks::Refused(ItemRefusal::OtherFacts))
                }
            });
        }
        self.inner.room.check(offer.payload.len() as u64)?;
        Ok(if with_audio { Lacks::EntryAndAudio } else { Lacks::EntryOnly })
    }

    fn room(&self, bytes: usize) -> Result<(), Held> {
        self.inner.room.check(bytes as u64)
    }

    async fn keep(&self, serial: &str, arrived: Vec<Arrived>) -> Result<Vec<RefusedItem>, Held> {
        let Ok(_turn) = self.inner.keeps.clone().acquire_owned().await else {
            return Err(self.inner.room.held(HeldCode::Overloaded));
        };
        let serial = serial.to_owned();
        let kept = self.blocking(move |inner| inner.keep(&serial, arrived)).await;
        kept.unwrap_or_else(|error| Err(self.inner.room.failed(&error)))
    }

    fn failed(&self, error: &io::Error) -> Held {
        self.inner.room.failed(error)
    }

    fn told(&self, serial: &str, message: ToPlatform) {
        let inner = &self.inner;
        match message {
            ToPlatform::Heartbeat(heartbeat) => {
                inner.stations.heartbeat(serial, heartbeat, inner.clock.now_us());
            }
            ToPlatform::Port(port) => inner.stations.port(serial, port),
            ToPlatform::Answer { command, outcome } => {
                let outcome = texts::outcome(outcome);
                if let Outcome::Failed { code, .. } = &outcome {
                    inner.listening.failed(serial, command, code);
                }
                let now_us = inner.clock.now_us();
                let ended = lock(&inner.orders).answered(serial, command, outcome, now_us);
                if let Some(entry) = ended {
                    inner.notify(Notice::Audit(Box::new(entry)));
                }
                inner.stations.changed();
            }
            ToPlatform::Hello(_)
            | ToPlatform::Unavailable { .. }
            | ToPlatform::Want { .. }
            | ToPlatform::Unknown => {}
        }
    }

    fn heard(&self, serial: &str, listener: u64, audio: Bytes) {
        self.inner.listening.heard(serial, listener, &audio);
    }

    async fn bundle(
        &self,
        serial: &str,
        command: u64,
        from: u64,
        most_bytes: usize,
    ) -> io::Result<Option<Bytes>> {
        let sha256 = lock(&self.inner.orders).bundle_of(serial, command);
        let Some(sha256) = sha256 else { return Ok(None) };
        let read = self.blocking(move |inner| inner.releases.read(&sha256, from, most_bytes)).await;
        match read.flatten() {
            Ok(bytes) if !bytes.is_empty() => return Ok(Some(bytes)),
            Err(error) if !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::UnexpectedEof) => {
                return Err(error);
            }
            // Removed by hand, or cut: nobody can have it.
            _ => {}
        }
        self.inner.end_command(command, CommandState::failed("bundle_gone"));
        Ok(None)
    }

    fn left(&self, serial: &str, reason: &UplinkError) {
        let inner = &self.inner;
        // What the network does says nothing of the station; what it sends, and what the disk does with it, does.
        let trouble = match reason {
            UplinkError::Nonsense(_) | UplinkError::OwnDisk(_) | UplinkError::Unsendable(_) => {
                Some(reason.to_string())
            }
            _ => None,
        };
        if let UplinkError::OwnDisk(error) = reason {
            inner.room.failed(error);
        }
        inner.stations.left(serial, trouble);
        inner.listening.lost(serial);
        let ended = lock(&inner.orders).lost(serial, inner.clock.now_us());
        ended.into_iter().for_each(|entry| inner.notify(Notice::Audit(Box::new(entry))));
    }
}

fn quality_name(inner: &Inner) -> String {
    serde_json::to_value(inner.clock.quality())
        .ok()
        .and_then(|name| name.as_str().map(str::to_owned))
        .unwrap_or_default()
}
