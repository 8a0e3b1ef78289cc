//! One visit to a station: the way there through its pages, and the uplink protocol on the stream that they hand over.
//! It ends when the station says that nothing of it is lacking.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::Empty;
use hyper::header::{AUTHORIZATION, CONNECTION, HOST, RETRY_AFTER, UPGRADE};
use hyper::upgrade::Upgraded;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpStream, lookup_host};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use uplink::frame::Offer;
use uplink::message::{Held, HeldCode, Refusal, RefusalCode, RefusedItem, ToPlatform, ToStation};
use uplink::platform_end::{Admission, Arrived, Intake, Lacks, Peer};
use uplink::{Fingerprint, UplinkError};

use super::certificate;
use super::trouble::Trouble;
use crate::intake::{self, Taker};
use crate::lock;
use crate::platform::Inner;

/// How long each step of the way may take.
const STEP_WAIT: Duration = Duration::from_secs(15);
/// A station that says nothing of when to come again.
const LOCKED_WAIT: Duration = Duration::from_secs(60);
const PATH: &str = "/api/v1/uplink";
const PROTOCOL: &str = "hookline-uplink";

/// Where a station is, and by what it lets the platform in.
pub(super) struct Door<'a> {
    /// `host:port`.
    pub address: &'a str,
    pub token: &'a str,
    pub pinned: Option<Fingerprint>,
}

/// A visit that is under way.
#[derive(Debug)]
pub(super) struct Visit {
    pub serial: String,
    /// A person wants it.
    pub wanted: bool,
    pub began: Instant,
    heard: Mutex<Heard>,
    end: watch::Sender<Option<End>>,
}

#[derive(Debug, Default)]
struct Heard {
    greeted: bool,
    /// Another station answered.
    other: Option<String>,
    kept: u64,
    /// Set aside by the station: they wait, and do not come.
    refused: u64,
    waiting: Option<u64>,
}

/// Why a visit ends before the connection does.
#[derive(Clone, Copy, Debug)]
enum End {
    /// Everything is here.
    Enough,
    Held(HeldCode),
    /// It shall not go on, or not now.
    Stopped,
}

/// How a visit went.
pub(super) enum Outcome {
    Everything,
    /// It was stopped, or the station has dialled: that is no failure.
    PutOff,
    Failed(Trouble),
}

impl Visit {
    pub fn new(serial: &str, wanted: bool) -> Self {
        let (heard, end) = (Mutex::default(), watch::Sender::new(None));
        Self { serial: serial.to_owned(), wanted, began: Instant::now(), heard, end }
    }

    /// Ends it soon.
    pub fn stop(&self) {
        self.finish(End::Stopped);
    }

    /// Entries that have come, of all that there were to fetch as far as is known.
    pub fn progress(&self) -> Option<(u64, u64)> {
        let heard = lock(&self.heard);
        heard.waiting.map(|waiting| (heard.kept, heard.kept + waiting))
    }

    pub fn has_brought_something(&self) -> bool {
        lock(&self.heard).kept > 0
    }

    /// The first reason counts.
    fn finish(&self, end: End) {
        self.end.send_if_modified(|now| {
            let first = now.is_none();
            now.get_or_insert(end);
            first
        });
    }

    async fn ended(&self) {
        // The sender is at hand.
        let _ = self.end.subscribe().wait_for(Option::is_some).await;
    }

    fn has_come(&self, items: u64) {
        let mut heard = lock(&self.heard);
        heard.kept += items;
        heard.waiting = heard.waiting.map(|waiting| waiting.saturating_sub(items));
    }

    /// What it comes to, after the connection ended with `error`.
    fn outcome(&self, error: UplinkError) -> Outcome {
        let heard = lock(&self.heard);
        let end = *self.end.borrow();
        Outcome::Failed(match (end, error) {
            (Some(End::Enough), _) => return Outcome::Everything,
            (Some(End::Stopped), _) | (None, UplinkError::Replaced) => return Outcome::PutOff,
            (Some(End::Held(code)), _) => code.into(),
            (None, _) if heard.other.is_some() => {
                Trouble::OtherStation(heard.other.clone().unwrap_or_default())
            }
            (None, UplinkError::Handshake(error)) if is_alert(&error) => Trouble::OtherPlatform,
            (None, UplinkError::Closed | UplinkError::Broken(_)) if !heard.greeted => Trouble::KeyNotAccepted,
            (
                None,
                UplinkError::Closed | UplinkError::Broken(_) | UplinkError::Silent(_) | UplinkError::Unheard,
            ) => Trouble::Broken,
            (None, error) => error.into(),
        })
    }
}

/// The other side refused the key of this one.
fn is_alert(error: &std::io::Error) -> bool {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    matches!(tls, Some(rustls::Error::AlertReceived(_)))
}

/// Goes there. `met` is told the certificate before anything is said, and has to have written down the first one.
///
/// # Errors
/// The first step that does not work.
pub(super) async fn reach(
    door: &Door<'_>,
    met: impl AsyncFnOnce(Fingerprint) -> Result<(), Trouble>,
) -> Result<(TokioIo<Upgraded>, SocketAddr), Trouble> {
    let unreachable = |reason: String| Trouble::Unreachable { address: door.address.to_owned(), reason };
    let late = |_| unreachable(format!("nothing within {} s", STEP_WAIT.as_secs()));
    let connected = timeout(STEP_WAIT, connect(door.address)).await.map_err(late)?;
    let (stream, from) = connected.map_err(|error| unreachable(error.to_string()))?;
    let (stream, certificate) =
        timeout(STEP_WAIT, certificate::secure(stream, door.pinned)).await.map_err(late)??;
    met(certificate).await?;
    let answer = timeout(STEP_WAIT, ask(TokioIo::new(stream), door)).await.map_err(late)?;
    let answer = answer.map_err(|error| unreachable(error.to_string()))?;
    match answer.status() {
        StatusCode::SWITCHING_PROTOCOLS => {
            let upgraded =
                hyper::upgrade::on(answer).await.map_err(|error| unreachable(error.to_string()))?;
            Ok((TokioIo::new(upgraded), from))
        }
        StatusCode::UNAUTHORIZED => Err(Trouble::TokenWrong),
        StatusCode::TOO_MANY_REQUESTS => {
            let seconds =
                answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
            Err(Trouble::Locked(seconds.map_or(LOCKED_WAIT, Duration::from_secs)))
        }
        other => Err(Trouble::NoStation(other.as_u16())),
    }
}

async fn connect(address: &str) -> std::io::Result<(TcpStream, SocketAddr)> {
    let mut failed = std::io::Error::from(std::io::ErrorKind::NotFound);
    for address in lookup_host(address).await? {
        match TcpStream::connect(address).await {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                return Ok((stream, address));
            }
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

async fn ask<S>(stream: TokioIo<S>, door: &Door<'_>) -> Result<Response<hyper::body::Incoming>, hyper::Error>
where
    TokioIo<S>: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
{
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await?;
    tokio::spawn(async move {
        // What breaks it is told to whoever waits for the answer, or reads the stream.
        let _ = connection.with_upgrades().await;
    });
    let mut request = Request::new(Empty::<Bytes>::new());
    *request.uri_mut() = hyper::Uri::from_static(PATH);
    let headers = request.headers_mut();
    let plain = |text: &str| hyper::header::HeaderValue::from_str(text);
    // Both were checked when they were set; without them the answer says what is wrong.
    if let (Ok(host), Ok(mut token)) = (plain(door.address), plain(&format!("Bearer {}", door.token))) {
        token.set_sensitive(true);
        headers.insert(HOST, host);
        headers.insert(AUTHORIZATION, token);
    }
    headers.insert(CONNECTION, hyper::header::HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, hyper::header::HeaderValue::from_static(PROTOCOL));
    sender.send_request(request).await
}

/// Speaks the protocol on a stream that `reach` has got, to its end.
pub(super) async fn talk(
    inner: &Arc<Inner>,
    (stream, from): (TokioIo<Upgraded>, SocketAddr),
    visit: &Arc<Visit>,
) -> Outcome {
    let visitor = Visitor { taker: Taker::visiting(inner.clone()), visit: visit.clone() };
    match intake::serve_one(inner, stream, from, &visitor).await {
        Ok(()) => visit.outcome(UplinkError::Closed),
        Err(error) => visit.outcome(error),
    }
}

/// The platform's intake, and what a visit wants to know of it.
#[derive(Clone)]
struct Visitor {
    taker: Taker,
    visit: Arc<Visit>,
}

impl Visitor {
    /// A station that is held would wait on the line; it is visited again instead.
    fn noted<T>(&self, result: Result<T, Held>) -> Result<T, Held> {
        if let Err(held) = &result {
            self.visit.finish(End::Held(held.code));
        }
        result
    }
}

impl Intake for Visitor {
    async fn judge(&self, peer: &Peer) -> Result<(), Refusal> {
        {
            let mut heard = lock(&self.visit.heard);
            heard.greeted = true;
            if peer.hello.serial != self.visit.serial {
                heard.other = Some(peer.hello.serial.chars().take(64).collect());
                return Err(Refusal::new(RefusalCode::OtherStation));
            }
        }
        self.taker.judge(peer).await
    }

    async fn admit(&self, peer: &Peer) -> Result<Admission, Refusal> {
        let admission = self.taker.admit(peer).await?;
        let (sender, to_station) = mpsc::channel(1);
        tokio::spawn(pass_on(admission.to_station, sender, self.visit.clone()));
        Ok(Admission { to_station, ..admission })
    }

    async fn lacks(&self, serial: &str, offer: &Offer) -> Result<Lacks, Held> {
        let lacks = self.noted(self.taker.lacks(serial, offer).await)?;
        match lacks {
            Lacks::Nothing => self.visit.has_come(1),
            Lacks::Refused(_) => lock(&self.visit.heard).refused += 1,
            Lacks::EntryOnly | Lacks::EntryAndAudio => {}
        }
        Ok(lacks)
    }

    fn room(&self, bytes: usize) -> Result<(), Held> {
        self.noted(self.taker.room(bytes))
    }

    async fn keep(&self, serial: &str, arrived: Vec<Arrived>) -> Result<Vec<RefusedItem>, Held> {
        let items = arrived.len() as u64;
        let refused = self.noted(self.taker.keep(serial, arrived).await)?;
        self.visit.has_come(items - refused.len() as u64);
        lock(&self.visit.heard).refused += refused.len() as u64;
        Ok(refused)
    }

    fn failed(&self, error: &std::io::Error) -> Held {
        let held = self.taker.failed(error);
        self.visit.finish(End::Held(held.code));
        held
    }

    fn told(&self, serial: &str, message: ToPlatform) {
        let waiting = match &message {
            ToPlatform::Heartbeat(heartbeat) => Some(heartbeat.waiting),
            _ => None,
        };
        self.taker.told(serial, message);
        if let Some(waiting) = waiting {
            let refused = {
                let mut heard = lock(&self.visit.heard);
                heard.waiting = Some(waiting);
                heard.refused
            };
            if waiting <= refused && !self.taker.awaits_answers(serial) {
                self.visit.finish(if refused == 0 { End::Enough } else { End::Held(HeldCode::Unknown) });
            }
        }
    }

    fn heard(&self, serial: &str, listener: u64, audio: Bytes) {
        self.taker.heard(serial, listener, audio);
    }

    async fn bundle(
        &self,
        serial: &str,
        command: u64,
        from: u64,
        most_bytes: usize,
    ) -> std::io::Result<Option<Bytes>> {
        self.taker.bundle(serial, command, from, most_bytes).await
    }

    fn left(&self, serial: &str, reason: &UplinkError) {
        self.taker.left(serial, reason);
    }
}

/// What the platform has to say to the station goes through here, so that the end of the visit ends the connection.
async fn pass_on(mut from: mpsc::Receiver<ToStation>, to: mpsc::Sender<ToStation>, visit: Arc<Visit>) {
    let passing = async {
        while let Some(message) = from.recv().await {
            if to.send(message).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = passing => {}
        () = to.closed() => {}
        () = visit.ended() => {}
    }
}
