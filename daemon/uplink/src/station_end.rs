//! The station's end of a connection: dials out, says who it is, and sends what its outbox holds until either side
//! has enough. It runs on a thread of its own; disk accesses of the outbox hold up this connection and nothing else.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use rustls::pki_types::{IpAddr, Ipv4Addr, ServerName};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream, lookup_host};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::error::UplinkError;
use crate::frame::{self, AudioHead, Frame, MAX_GREETING_BYTES, MAX_PAYLOAD_BYTES, Offer, OfferHead};
use crate::key::{DeviceKey, Fingerprint};
use crate::listening::{Listening, listen};
use crate::message::{self, Command, Heartbeat, Hello, Limits, RefusedItem, ToPlatform, ToStation, Welcome};
use crate::order::{Lane, Order, Piece};
use crate::outgoing::{LEAST_PIECE_BYTES, Outgoing};
use crate::pace::Pace;
use crate::tls;

/// How long a platform may take to answer at each step of the greeting.
const GREETING_WAIT: Duration = Duration::from_secs(15);
/// After this many heartbeats without a word the other side is gone.
pub(crate) const SILENT_HEARTBEATS: u32 = 3;
/// Entries on offer at once, in bytes: a platform has them in memory until they are kept.
const OFFERED_BYTES: usize = 4 * 1024 * 1024;
/// Bytes that lie in the kernel at most: a fresh recording waits behind them on a slow line.
const SEND_BUFFER_BYTES: u32 = 512 * 1024;
/// How often an outbox without news is asked for more.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// What a station has for its platform. Calls may wait for the disk.
pub trait Outbox {
    /// Items of `lane` in their order, at most `limit` and fewer where reading them takes its time; none: there are no
    /// more for now. Each is given once until `begin_again`.
    ///
    /// # Errors
    /// The disk's.
    fn next(&mut self, lane: Lane, limit: usize) -> io::Result<Vec<Item>>;

    /// They are safe on the platform.
    ///
    /// # Errors
    /// The disk's.
    fn acknowledged(&mut self, items: &[u64]) -> io::Result<()>;

    /// The platform will not have it as it is: it is not acknowledged, and only given again after `begin_again`.
    fn refused(&mut self, refused: RefusedItem);

    /// Everything that is not acknowledged is to be given again.
    fn begin_again(&mut self);

    fn heartbeat(&mut self) -> Heartbeat;
}

/// An entry of the journal that the platform shall have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Sequence number of the entry.
    pub item: u64,
    pub written_us: i64,
    pub layout: u16,
    pub payload: Bytes,
    pub file: Option<ItemFile>,
    /// Why there is no `file` though the entry names one.
    pub unavailable: Option<String>,
    /// See `OfferHead::covers_from`.
    pub covers_from: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemFile {
    pub path: PathBuf,
    pub head: AudioHead,
}

/// What the rest of the station says on the connection.
#[derive(Clone, Debug, PartialEq)]
pub enum Said {
    Message(ToPlatform),
    LiveAudio {
        listener: u64,
        bytes: Bytes,
    },
    /// The outbox has something new.
    News,
}

/// What the platform wants of the station.
#[derive(Clone, Debug, PartialEq)]
pub enum Wanted {
    Welcomed(Box<Welcome>),
    Do(Command),
    Cancel(u64),
    /// What `ToPlatform::Want` asked for.
    Bundle {
        command: u64,
        offset: u64,
        bytes: Bytes,
    },
}

/// Dials the platform at `address` (`host:port`) and proves who is who.
///
/// # Errors
/// No way to the platform, or another platform than the one pinned; `NotPinned` tells its fingerprint if none is.
pub async fn dial(
    address: &str,
    key: &DeviceKey,
    pinned: Option<Fingerprint>,
) -> Result<TlsStream<TcpStream>, UplinkError> {
    let unreachable = |source| UplinkError::Unreachable { address: address.to_owned(), source };
    let stream = timeout(GREETING_WAIT, connect(address))
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
        .map_err(unreachable)?;
    secure(stream, address, key, pinned).await
}

/// Proves who is who on a stream that leads to a platform at `address` already.
///
/// # Errors
/// As `dial`, but for the way.
pub async fn secure<S>(
    stream: S,
    address: &str,
    key: &DeviceKey,
    pinned: Option<Fingerprint>,
) -> Result<TlsStream<S>, UplinkError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let config = tls::station_config(key, pinned).map_err(UplinkError::OwnKey)?;
    // Never sent: the name only has to be one.
    let nobody = ServerName::IpAddress(IpAddr::V4(Ipv4Addr::from([127, 0, 0, 1])));
    let mut stream = timeout(GREETING_WAIT, TlsConnector::from(Arc::new(config)).connect(nobody, stream))
        .await
        .map_err(|_| UplinkError::Silent(GREETING_WAIT))?
        .map_err(|error| handshake_error(address, error))?;
    match (pinned, tls::peer_fingerprint(stream.get_ref().1)) {
        (None, Some(found)) => {
            // The handshake is ended in order, so that the platform can tell this from a network that failed in it.
            let _ = timeout(GREETING_WAIT, stream.shutdown()).await;
            Err(UplinkError::NotPinned(found))
        }
        _ => Ok(stream),
    }
}

async fn connect(address: &str) -> io::Result<TcpStream> {
    let mut failed = io::Error::from(io::ErrorKind::NotFound);
    for address in lookup_host(address).await? {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.set_send_buffer_size(SEND_BUFFER_BYTES)?;
        match socket.connect(address).await {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

fn handshake_error(address: &str, error: io::Error) -> UplinkError {
    let tls_error = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match tls_error {
        Some(rustls::Error::InvalidCertificate(_)) => UplinkError::OtherKey { address: address.to_owned() },
        Some(_) => UplinkError::Handshake(error),
        None => UplinkError::Broken(error),
    }
}

/// Talks on `stream` until `said` is closed (`Ok`) or something goes wrong.
///
/// # Errors
/// A refusal, a broken or silent connection, or a failing disk of this box.
pub async fn talk<O: Outbox>(
    stream: impl AsyncRead + AsyncWrite + Send + 'static,
    hello: &Hello,
    outbox: &mut O,
    said: &mut mpsc::Receiver<Said>,
    wanted: &mpsc::UnboundedSender<Wanted>,
) -> Result<(), UplinkError> {
    let (mut reader, mut writer) = tokio::io::split(stream);
    let mut greeting_bytes = BytesMut::new();
    ToPlatform::Hello(Box::new(hello.clone())).frame()?.encode(&mut greeting_bytes)?;
    writer.write_all_buf(&mut greeting_bytes).await?;
    writer.flush().await?;
    let welcome = timeout(GREETING_WAIT, greeting(&mut reader))
        .await
        .map_err(|_| UplinkError::Silent(GREETING_WAIT))??;
    let heartbeat = Duration::from_secs(u64::from(welcome.heartbeat_s.clamp(1, 3600)));
    let limits = welcome.limits;
    let _ = wanted.send(Wanted::Welcomed(Box::new(welcome)));

    let frames = listen(reader, MAX_PAYLOAD_BYTES);
    outbox.begin_again();
    let now = Instant::now();
    let mut talk = Talk {
        outbox,
        wanted,
        order: Order::default(),
        pace: Pace::new(limits.audio_bytes_per_s, now),
        limits,
        offered: HashMap::new(),
        open: None,
        held_until: None,
        asked: [None; 2],
        out: Outgoing::new(now),
        wanted_pieces: 0,
    };
    talk.run(&mut writer, frames, said, heartbeat).await
}

async fn greeting(reader: &mut (impl AsyncRead + Unpin)) -> Result<Welcome, UplinkError> {
    loop {
        let Some(frame) = frame::read(reader, MAX_GREETING_BYTES).await? else {
            return Err(UplinkError::Closed);
        };
        let Frame::Message(json) = frame else { continue };
        match message::decode(&json)? {
            ToStation::Welcome(welcome) => return Ok(welcome),
            ToStation::Refused(refusal) => return Err(UplinkError::Refused(refusal)),
            _ => {}
        }
    }
}

/// A connection that has been welcomed.
struct Talk<'a, O> {
    outbox: &'a mut O,
    wanted: &'a mpsc::UnboundedSender<Wanted>,
    order: Order,
    pace: Pace,
    limits: Limits,
    /// The items under way.
    offered: HashMap<u64, Offered>,
    /// The one that is being sent.
    open: Option<(u64, File)>,
    /// The platform takes nothing before then.
    held_until: Option<Instant>,
    /// When a lane was last found to have nothing more: fresh, backlog.
    asked: [Option<Instant>; 2],
    out: Outgoing,
    /// Pieces of bundles that were asked for and have not come: others are not taken.
    wanted_pieces: u32,
}

struct Offered {
    payload_bytes: usize,
    file: Option<PathBuf>,
}

impl<O: Outbox> Talk<'_, O> {
    async fn run(
        &mut self,
        writer: &mut (impl AsyncWrite + Unpin),
        mut frames: Listening,
        said: &mut mpsc::Receiver<Said>,
        heartbeat: Duration,
    ) -> Result<(), UplinkError> {
        let silent = heartbeat * SILENT_HEARTBEATS;
        let (mut worked_at, mut next_heartbeat) = (Instant::now(), Instant::now());
        loop {
            let now = Instant::now();
            if now >= next_heartbeat {
                next_heartbeat = now + heartbeat;
                let heartbeat = ToPlatform::Heartbeat(self.outbox.heartbeat());
                self.out.put_first(&heartbeat.frame()?)?;
            }
            let waits = self.make_ready(now)?;
            let made = Instant::now();
            if made - now > heartbeat {
                // This box was at its disk for so long, and did not listen: that is not the other's silence.
                worked_at = made;
            }
            let silent_at = frames.heard_at().max(worked_at) + silent;
            let wake = [Some(next_heartbeat), Some(silent_at), waits].into_iter().flatten().min();
            tokio::select! {
                biased;
                frame = frames.next() => {
                    let Some(frame) = frame? else { return Err(UplinkError::Closed) };
                    self.hear(frame)?;
                    worked_at = Instant::now();
                }
                said = said.recv(), if self.out.has_room() => match said {
                    Some(said) => self.say(said)?,
                    None => return Ok(()),
                },
                written = self.out.write(writer), if !self.out.is_done() => written?,
                () = sleep_until(wake.unwrap_or(next_heartbeat)) => {}
            }
            if frames.heard_at().max(worked_at).elapsed() > silent {
                return Err(UplinkError::Silent(silent));
            }
        }
    }

    fn say(&mut self, said: Said) -> Result<(), UplinkError> {
        match said {
            Said::Message(message) => {
                self.wanted_pieces += u32::from(matches!(message, ToPlatform::Want { .. }));
                self.out.put_first(&message.frame()?)
            }
            Said::LiveAudio { listener, bytes } => self.out.put_live(&Frame::LiveAudio { listener, bytes }),
            Said::News => {
                self.asked = [None; 2];
                Ok(())
            }
        }
    }

    fn hear(&mut self, frame: Frame) -> Result<(), UplinkError> {
        let json = match frame {
            Frame::Message(json) => json,
            Frame::Bundle { command, offset, bytes } => {
                if let Some(fewer) = self.wanted_pieces.checked_sub(1) {
                    self.wanted_pieces = fewer;
                    let _ = self.wanted.send(Wanted::Bundle { command, offset, bytes });
                }
                return Ok(());
            }
            _ => return Ok(()),
        };
        match message::decode(&json)? {
            // What was on its way when the platform said hold is answered all the same, and has been given up here.
            ToStation::Send { item, from } => {
                let _ = self.order.wanted(item, from);
            }
            ToStation::Acknowledged { items } => {
                let known: Vec<u64> = items.into_iter().filter(|item| self.is_answered(*item)).collect();
                self.outbox.acknowledged(&known).map_err(UplinkError::OwnDisk)?;
                self.asked = [None; 2];
            }
            ToStation::ItemsRefused { items } => {
                for refused in items {
                    if self.is_answered(refused.item) {
                        self.outbox.refused(refused);
                    }
                }
                self.asked = [None; 2];
            }
            ToStation::Hold(held) => {
                self.held_until = Some(Instant::now() + Duration::from_secs(u64::from(held.retry_after_s)));
                self.order.clear();
                self.offered.clear();
                self.outbox.begin_again();
            }
            ToStation::Limits(limits) => {
                self.pace.change(limits.audio_bytes_per_s, Instant::now());
                self.limits = limits;
            }
            ToStation::Command(command) => drop(self.wanted.send(Wanted::Do(command))),
            ToStation::Cancel { command } => drop(self.wanted.send(Wanted::Cancel(command))),
            ToStation::Refused(refusal) => return Err(UplinkError::Refused(refusal)),
            ToStation::Welcome(_) | ToStation::Heartbeat | ToStation::Unknown => {}
        }
        Ok(())
    }

    /// It is under way no more. `false`: it was not.
    fn is_answered(&mut self, item: u64) -> bool {
        self.offered.remove(&item);
        self.order.answered(item)
    }

    /// Makes frames ready as far as there is room and leave. Returns when there may be more, if that is known.
    fn make_ready(&mut self, now: Instant) -> Result<Option<Instant>, UplinkError> {
        if let Some(until) = self.held_until {
            if now < until {
                return Ok(Some(until));
            }
            self.held_until = None;
            self.asked = [None; 2];
        }
        let mut paced = None;
        while !self.out.is_full() {
            // Turn by turn: what is being offered may be read from the disk first, and the network shall not stand idle.
            let offered = self.offer(Lane::Fresh, now)? || self.offer(Lane::Backlog, now)?;
            paced = self.pace.not_before(now);
            let piece = match paced {
                None => self.order.next_piece(self.piece_bytes(), self.limits.backlog_held),
                Some(_) => None,
            };
            match piece {
                Some(piece) => self.send(piece, now)?,
                None if offered => {}
                None => break,
            }
        }
        if self.out.is_full() {
            // The network has enough to do; when it has done some of it, this is asked again.
            return Ok(None);
        }
        // On a slow line, too, what is fresh is looked for while the next piece waits for its time.
        let look_again = self.asked.iter().flatten().map(|asked| *asked + LOOK_AGAIN);
        Ok(look_again.chain(paced).min())
    }

    /// As long as the line takes in a part of a second, and as its limit allows.
    fn piece_bytes(&self) -> usize {
        let limit =
            self.limits.audio_bytes_per_s.map_or(usize::MAX, |rate| rate.try_into().unwrap_or(usize::MAX));
        self.out.piece_bytes().min(limit).max(LEAST_PIECE_BYTES)
    }

    /// Offers some more items of `lane`; `false`: there is no room for them, or nothing to offer.
    fn offer(&mut self, lane: Lane, now: Instant) -> Result<bool, UplinkError> {
        let asked = &mut self.asked[lane as usize];
        let room = self.order.room(lane);
        let offered_bytes: usize = self.offered.values().map(|offered| offered.payload_bytes).sum();
        if room == 0 || offered_bytes >= OFFERED_BYTES || asked.is_some_and(|asked| now < asked + LOOK_AGAIN)
        {
            return Ok(false);
        }
        let items = self.outbox.next(lane, room).map_err(UplinkError::OwnDisk)?;
        *asked = items.is_empty().then_some(now);
        for item in &items {
            let audio = item.file.as_ref().map(|file| file.head.clone());
            self.order.offered(item.item, lane, audio.as_ref().map_or(0, |head| head.bytes));
            let head = OfferHead {
                item: item.item,
                written_us: item.written_us,
                layout: item.layout,
                audio,
                unavailable: item.unavailable.clone(),
                covers_from: item.covers_from,
            };
            self.out.put_item(&Frame::Offer(Offer { head, payload: item.payload.clone() }))?;
            let file = item.file.as_ref().map(|file| file.path.clone());
            self.offered.insert(item.item, Offered { payload_bytes: item.payload.len(), file });
        }
        Ok(!items.is_empty())
    }

    fn send(&mut self, piece: Piece, now: Instant) -> Result<(), UplinkError> {
        let frame = match self.read(piece) {
            Ok(bytes) => {
                self.pace.sent(bytes.len(), now);
                Frame::Audio { item: piece.item, offset: piece.offset, bytes }
            }
            // Deleted since, or cut: it cannot be sent. Whatever else fails may work in a while.
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof) => {
                self.order.give_up(piece.item);
                ToPlatform::Unavailable { item: piece.item, reason: error.to_string() }.frame()?
            }
            Err(error) => return Err(UplinkError::OwnDisk(error)),
        };
        self.out.put_item(&frame)
    }

    fn read(&mut self, piece: Piece) -> io::Result<Bytes> {
        if self.open.as_ref().is_none_or(|(item, _)| *item != piece.item) {
            let offered = self.offered.get(&piece.item).and_then(|offered| offered.file.as_ref());
            let path = offered.ok_or(io::ErrorKind::NotFound)?;
            self.open = Some((piece.item, File::open(path)?));
        }
        let Some((_, file)) = &self.open else { return Err(io::ErrorKind::NotFound.into()) };
        let mut bytes = vec![0; piece.bytes];
        file.read_exact_at(&mut bytes, piece.offset)?;
        Ok(bytes.into())
    }
}
