//! The platform's end of a connection: proves who is there, takes what is offered, and acknowledges it once the
//! platform says that it is kept.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::arriving::Parts;
use crate::error::UplinkError;
use crate::frame::{self, Frame, MAX_GREETING_BYTES, MAX_PAYLOAD_BYTES, Offer};
use crate::key::Fingerprint;
use crate::listening::{Listening, listen};
use crate::message::{
    self, ClockNow, Held, Hello, ItemRefusal, Limits, Refusal, RefusalCode, RefusedItem, ToPlatform,
    ToStation, VERSIONS, Welcome,
};
use crate::seats::{Seat, Seats};
use crate::station_end::SILENT_HEARTBEATS;
use crate::taking::{ANSWERS_AT_ONCE, Taking, ToWrite};
use crate::tls;

/// How long a station may take at each step of the greeting.
const GREETING_WAIT: Duration = Duration::from_secs(15);
/// Answers and messages that wait for the network: a station that keeps to the protocol has far fewer under way.
const ANSWERS_WAITING: usize = 512;

/// Who is there.
#[derive(Clone, Debug)]
pub struct Peer {
    pub address: SocketAddr,
    /// Of the key that the handshake has proved.
    pub fingerprint: Fingerprint,
    pub hello: Hello,
}

/// What a station that may come in is given.
#[derive(Debug)]
pub struct Admission {
    pub limits: Limits,
    pub clock: ClockNow,
    pub release: String,
    pub heartbeat_s: u32,
    /// Where parts of its files grow; on the file system where they will be kept.
    pub parts: PathBuf,
    /// What the platform has to say to it. Closed: the connection ends at once.
    pub to_station: mpsc::Receiver<ToStation>,
}

/// An item that has come whole.
#[derive(Clone, Debug)]
pub struct Arrived {
    pub offer: Offer,
    pub audio: ArrivedAudio,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ArrivedAudio {
    /// The entry has no file.
    None,
    /// Checked, and not yet synchronised to the disk: `Intake::keep` moves it to its place.
    Part(PathBuf),
    /// The station has the entry and not its file, and says why.
    Unavailable(String),
}

/// What of an offer the platform lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lacks {
    Nothing,
    EntryOnly,
    EntryAndAudio,
    /// The platform will not have it as it is: the station is told, and sets it aside.
    Refused(ItemRefusal),
}

/// What a platform does with its stations. One value serves all connections.
pub trait Intake: Clone + Send + Sync + 'static {
    /// Decides by serial number and key; a refused station is listed by whoever implements this.
    fn judge(&self, peer: &Peer) -> impl Future<Output = Result<(), Refusal>> + Send;

    /// Lets it in. A former connection of the same station has ended by now, and `left` was called for it.
    fn admit(&self, peer: &Peer) -> impl Future<Output = Result<Admission, Refusal>> + Send;

    /// What is lacking of an offer of the station `serial`.
    fn lacks(&self, serial: &str, offer: &Offer) -> impl Future<Output = Result<Lacks, Held>> + Send;

    /// Whether so many bytes more of a file can be written now. Asked before each piece, and answered at once.
    ///
    /// # Errors
    /// What the station is told; the part stays, and goes on when there is room again.
    fn room(&self, bytes: usize) -> Result<(), Held>;

    /// Puts all of them on the disk and into the catalog; they may come twice and exist once. On return they are safe, but
    /// for those that are refused.
    fn keep(
        &self,
        serial: &str,
        arrived: Vec<Arrived>,
    ) -> impl Future<Output = Result<Vec<RefusedItem>, Held>> + Send;

    /// The disk has failed while a part was opened or written. What the station is told.
    fn failed(&self, error: &io::Error) -> Held;

    /// A heartbeat, a port's state or an answer has come.
    fn told(&self, serial: &str, message: ToPlatform);

    /// Audio of a port that somebody listens to.
    fn heard(&self, serial: &str, listener: u64, audio: Bytes);

    /// A piece of the bundle that a command of this station's is about, from this byte on: one at least, if it goes on
    /// so far. `None`: no such command is open, or its bundle is gone; the station is told to give it up.
    ///
    /// # Errors
    /// It cannot be read now: the connection ends, and the station asks again on the next.
    fn bundle(
        &self,
        serial: &str,
        command: u64,
        from: u64,
        most_bytes: usize,
    ) -> impl Future<Output = io::Result<Option<Bytes>>> + Send;

    /// The connection has ended, for this reason.
    fn left(&self, serial: &str, reason: &UplinkError);
}

/// Serves one connection to its end: a socket that a station has dialled, or what the platform itself has opened to one
/// that cannot dial. `address` is shown as the station's.
///
/// # Errors
/// Why it ended.
pub async fn serve<S>(
    stream: S,
    address: SocketAddr,
    acceptor: &TlsAcceptor,
    seats: &Seats,
    intake: &impl Intake,
) -> Result<(), UplinkError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut stream = timeout(GREETING_WAIT, acceptor.accept(stream))
        .await
        .map_err(|_| UplinkError::Silent(GREETING_WAIT))?
        .map_err(UplinkError::Handshake)?;
    let Some(fingerprint) = tls::peer_fingerprint(stream.get_ref().1) else {
        return Err(UplinkError::Nonsense("no key".into()));
    };
    let hello = timeout(GREETING_WAIT, greeting(&mut stream))
        .await
        .map_err(|_| UplinkError::Silent(GREETING_WAIT))??;
    let serial = hello.serial.clone();
    let version = hello.versions.common(VERSIONS);
    let peer = Peer { address, fingerprint, hello };
    let (version, mut seat, admission) = match enter(&peer, version, seats, intake).await {
        Ok(entered) => entered,
        Err(refusal) => {
            say(&mut stream, &ToStation::Refused(refusal.clone())).await?;
            stream.shutdown().await?;
            return Err(UplinkError::Refused(refusal));
        }
    };
    let reason = match work(stream, version, &serial, admission, &mut seat, intake).await {
        Ok(()) => UplinkError::Closed,
        Err(error) => error,
    };
    intake.left(&serial, &reason);
    Err(reason)
}

async fn enter(
    peer: &Peer,
    version: Option<u16>,
    seats: &Seats,
    intake: &impl Intake,
) -> Result<(u16, Seat, Admission), Refusal> {
    let version = version.ok_or_else(|| Refusal::new(RefusalCode::Version))?;
    intake.judge(peer).await?;
    let seat = seats.take(&peer.hello.serial).await;
    Ok((version, seat, intake.admit(peer).await?))
}

async fn greeting(stream: &mut (impl AsyncRead + Unpin)) -> Result<Hello, UplinkError> {
    match frame::read(stream, MAX_GREETING_BYTES).await? {
        Some(Frame::Message(json)) => match message::decode(&json)? {
            ToPlatform::Hello(hello) => Ok(*hello),
            _ => Err(UplinkError::Nonsense("something else than its name first".into())),
        },
        Some(_) => Err(UplinkError::Nonsense("something else than its name first".into())),
        None => Err(UplinkError::Closed),
    }
}

async fn say(stream: &mut (impl AsyncWrite + Unpin), message: &ToStation) -> Result<(), UplinkError> {
    let mut bytes = BytesMut::new();
    message.frame()?.encode(&mut bytes)?;
    stream.write_all_buf(&mut bytes).await?;
    Ok(stream.flush().await?)
}

async fn work<S, I>(
    stream: TlsStream<S>,
    version: u16,
    serial: &str,
    admission: Admission,
    seat: &mut Seat,
    intake: &I,
) -> Result<(), UplinkError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    I: Intake,
{
    let Admission { limits, clock, release, heartbeat_s, parts, to_station } = admission;
    let parts = spawn_blocking(move || Parts::open(&parts)).await.map_err(io::Error::from)?;
    let parts = parts.map_err(UplinkError::OwnDisk)?;
    let (reader, writer) = tokio::io::split(stream);
    let mut heard = listen(reader, MAX_PAYLOAD_BYTES);
    let (answers, to_write) = mpsc::channel(ANSWERS_WAITING);
    let welcome = ToStation::Welcome(Welcome { version, release, clock, heartbeat_s, limits });
    let _ = answers.try_send(welcome.frame()?.into());
    let heartbeat = Duration::from_secs(heartbeat_s.max(1).into());
    let mut writing = AbortOnDrop(tokio::spawn(write(writer, to_write, heartbeat)));
    let mut taking = Taking::new(intake.clone(), serial.to_owned(), parts, answers.clone());
    let silent = heartbeat * SILENT_HEARTBEATS;
    let ended = converse(&mut heard, to_station, &answers, &mut taking, &mut writing, seat, silent).await;
    taking.put_away().await;
    ended
}

/// A frame that has been begun is worked on to its end, so that nothing goes on behind the back of `put_away`. While a
/// station does not take its answers, nothing of it is listened to.
async fn converse<I: Intake>(
    heard: &mut Listening,
    mut to_station: mpsc::Receiver<ToStation>,
    answers: &mpsc::Sender<ToWrite>,
    taking: &mut Taking<I>,
    writing: &mut AbortOnDrop<Result<(), UplinkError>>,
    seat: &mut Seat,
    silent: Duration,
) -> Result<(), UplinkError> {
    let mut worked_at = Instant::now();
    loop {
        let has_room = answers.capacity() >= ANSWERS_AT_ONCE;
        let silent_at = heard.heard_at().max(worked_at) + silent;
        tokio::select! {
            frame = heard.next(), if has_room => match frame? {
                Some(frame) => {
                    taking.hear(frame).await?;
                    worked_at = Instant::now();
                }
                None => return Err(UplinkError::Closed),
            },
            step = taking.next_step(), if has_room => taking.work_on(step).await?,
            room = answers.reserve_many(ANSWERS_AT_ONCE), if !has_room => drop(room),
            message = to_station.recv() => {
                let Some(message) = message else { return Ok(()) };
                // If nobody writes any more, that is the next to be noticed.
                if let Err(mpsc::error::TrySendError::Full(_)) = answers.try_send(message.frame()?.into()) {
                    return Err(UplinkError::Unheard);
                }
            }
            written = &mut writing.0 => return written.map_err(io::Error::from)?,
            () = seat.wanted() => return Err(UplinkError::Replaced),
            () = sleep_until(silent_at) => {
                if heard.heard_at().max(worked_at) + silent <= Instant::now() {
                    return Err(UplinkError::Silent(silent));
                }
            }
        }
    }
}

/// Where nothing else is to be said a heartbeat is, asked for or not: on a slow line the station's own are late.
async fn write(
    mut writer: impl AsyncWrite + Unpin,
    mut frames: mpsc::Receiver<ToWrite>,
    heartbeat: Duration,
) -> Result<(), UplinkError> {
    loop {
        let ToWrite { frame, turn } = match timeout(heartbeat.mul_f32(1.5), frames.recv()).await {
            Ok(Some(one)) => one,
            Ok(None) => return Ok(()),
            Err(_) => ToStation::Heartbeat.frame()?.into(),
        };
        let mut bytes = BytesMut::new();
        frame.encode(&mut bytes)?;
        let unheard = |_| UplinkError::Unheard;
        while !bytes.is_empty() {
            // As long as some of it goes, it may take its time.
            let wrote = timeout(heartbeat * SILENT_HEARTBEATS, writer.write_buf(&mut bytes));
            if wrote.await.map_err(unheard)?? == 0 {
                return Err(io::Error::from(io::ErrorKind::WriteZero).into());
            }
        }
        timeout(heartbeat * SILENT_HEARTBEATS, writer.flush()).await.map_err(unheard)??;
        drop(turn);
    }
}

struct AbortOnDrop<T>(JoinHandle<T>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
