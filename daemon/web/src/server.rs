//! The listening sockets: HTTPS for everything, HTTP to send people there. Every wait for a client has an end, and one
//! address cannot take all connections.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::timeout;
use tokio_io_timeout::TimeoutStream;
use tokio_rustls::TlsAcceptor;
use tower_service::Service;
use upkeep::address::network_of;

use crate::guard::Peer;
use crate::redirect;

/// TLS handshake and each request's head must be through by then.
const HEAD_WITHIN: Duration = Duration::from_secs(15);
/// A client that takes nothing of an answer for so long is dropped.
const TAKES_WITHIN: Duration = Duration::from_secs(60);
/// Requests under way at the end get this long.
const FINISH_WITHIN: Duration = Duration::from_secs(5);
/// How often an HTTP/2 client is asked whether it is still there.
const PING_EVERY: Duration = Duration::from_secs(30);

const MOST_CONNECTIONS: usize = 512;
/// An office behind one address has this many for all its people.
const MOST_PER_ADDRESS: usize = 128;
/// Requests that one HTTP/2 connection has under way.
const MOST_STREAMS: u32 = 64;
/// Room for an export of a thousand chosen ids.
const HEAD_BYTES: usize = 64 * 1024;

/// Hears of the stop; the server waits for those who still hold one.
type Stop = watch::Receiver<()>;

/// Connections open now, by address.
#[derive(Clone)]
struct Doorman {
    all: Arc<Semaphore>,
    by_address: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// A place that one connection holds until it is dropped, whatever it has become by then.
struct Place {
    _permit: OwnedSemaphorePermit,
    address: IpAddr,
    by_address: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

impl Doorman {
    fn new() -> Self {
        Self { all: Arc::new(Semaphore::new(MOST_CONNECTIONS)), by_address: Arc::default() }
    }

    /// `None`: no more of this address, or no more at all.
    fn place_for(&self, address: IpAddr) -> Option<Place> {
        let address = network_of(address);
        let permit = self.all.clone().try_acquire_owned().ok()?;
        let mut counts = self.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(address).or_default();
        if *count >= MOST_PER_ADDRESS {
            return None;
        }
        *count += 1;
        Some(Place { _permit: permit, address, by_address: self.by_address.clone() })
    }
}

/// A connection with its place: what takes the stream over, as a WebSocket does, has the place as well.
struct Seated {
    stream: TcpStream,
    _place: Place,
}

impl AsyncRead for Seated {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, bytes)
    }
}

impl AsyncWrite for Seated {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.address);
            }
        }
    }
}

/// Answers until `shutdown`, then lets what is under way finish for a few seconds.
pub async fn run(
    https: TcpListener,
    http: Option<TcpListener>,
    tls: TlsAcceptor,
    router: Router,
    shutdown: impl Future<Output = ()>,
) {
    let (doorman, stop) = (Doorman::new(), watch::Sender::new(()));
    let https_port = https.local_addr().map_or(443, |address| address.port());
    let mut shutdown = pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            accepted = https.accept() => {
                if let Some((stream, peer)) = admitted(accepted, &doorman).await {
                    tokio::spawn(answer_https(stream, peer, tls.clone(), router.clone(), stop.subscribe()));
                }
            }
            accepted = accept_if_any(http.as_ref()) => {
                if let Some((stream, _)) = admitted(accepted, &doorman).await {
                    tokio::spawn(answer_http(stream, https_port, stop.subscribe()));
                }
            }
        }
    }
    drop((https, http));
    stop.send_replace(());
    if timeout(FINISH_WITHIN, stop.closed()).await.is_err() {
        eprintln!("web: some connections were still busy at the end and have been cut off");
    }
}

async fn accept_if_any(listener: Option<&TcpListener>) -> io::Result<(TcpStream, SocketAddr)> {
    match listener {
        Some(listener) => listener.accept().await,
        None => std::future::pending().await,
    }
}

async fn admitted(
    accepted: io::Result<(TcpStream, SocketAddr)>,
    doorman: &Doorman,
) -> Option<(Seated, IpAddr)> {
    match accepted {
        Ok((stream, peer)) => {
            let place = doorman.place_for(peer.ip())?;
            // Live state goes out in small messages; they must not wait for more.
            let _ = stream.set_nodelay(true);
            Some((Seated { stream, _place: place }, peer.ip().to_canonical()))
        }
        Err(error) => {
            // Out of file descriptors, mostly: trying again at once would take the processor from recording.
            eprintln!("web: cannot accept a connection: {error}");
            tokio::time::sleep(Duration::from_millis(100)).await;
            None
        }
    }
}

async fn answer_https(stream: Seated, peer: IpAddr, tls: TlsAcceptor, router: Router, stop: Stop) {
    // What strangers send by mistake (plain HTTP, port scans) is not worth a line in the log.
    let Ok(Ok(stream)) = timeout(HEAD_WITHIN, tls.accept(stream)).await else { return };
    let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(TAKES_WITHIN));
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(Peer(peer));
        router.clone().call(request)
    });
    let io = TokioIo::new(Box::pin(stream));
    if http2 {
        let connection = http2_builder().serve_connection(io, service);
        to_its_end(connection, stop, |connection| connection.graceful_shutdown()).await;
    } else {
        let connection = http1_builder().serve_connection(io, service).with_upgrades();
        to_its_end(connection, stop, |connection| connection.graceful_shutdown()).await;
    }
}

async fn answer_http(stream: Seated, https_port: u16, stop: Stop) {
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(TAKES_WITHIN));
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        std::future::ready(Ok::<_, std::convert::Infallible>(redirect::to_https(&request, https_port)))
    });
    let io = TokioIo::new(Box::pin(stream));
    let connection = http1_builder().serve_connection(io, service);
    to_its_end(connection, stop, |connection| connection.graceful_shutdown()).await;
}

/// Serves a connection until it ends, or until what it has under way at the stop is done.
async fn to_its_end<C: Future<Output = hyper::Result<()>>>(
    connection: C,
    mut stop: Stop,
    ask_to_end: impl FnOnce(Pin<&mut C>),
) {
    let mut connection = pin!(connection);
    // A connection that breaks is the client's affair.
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = stop.changed() => ask_to_end(connection.as_mut()),
    }
    let _ = connection.await;
}

/// The protocol is known from the handshake: guessing it from the first bytes would wait for them without end.
fn http1_builder() -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD_WITHIN).max_buf_size(HEAD_BYTES);
    builder
}

fn http2_builder() -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(MOST_STREAMS)
        .max_header_list_size(HEAD_BYTES as u32)
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(HEAD_WITHIN);
    builder
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn one_address_leaves_room_for_others_and_places_come_back() {
        let doorman = Doorman::new();
        let (greedy, other) = (IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)));
        let places: Vec<Place> = std::iter::from_fn(|| doorman.place_for(greedy)).collect();
        assert_eq!(places.len(), MOST_PER_ADDRESS);
        assert!(doorman.place_for(other).is_some());
        drop(places);
        assert!(doorman.place_for(greedy).is_some());
        assert_eq!(doorman.all.available_permits(), MOST_CONNECTIONS);
        assert!(doorman.by_address.lock().expect("sound").is_empty());
    }
}
