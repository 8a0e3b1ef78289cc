//! What both roles need of a process: their pages until a signal ends them, and addresses from the command line.

use std::io::Write;
use std::net::SocketAddr;
use std::time::Duration;

use catalog::Catalog;
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use web::{FirstPassword, Served, Server, WebConfig};

use crate::Failure;

/// Work of the pages that is not done by then is left.
const PAGES_END_WITHIN: Duration = Duration::from_secs(5);

/// Where a role's pages are to answer.
pub struct Addresses {
    /// `None`: there are no pages.
    pub https: Option<SocketAddr>,
    pub http: Option<SocketAddr>,
}

impl Addresses {
    /// As the options say.
    ///
    /// # Errors
    /// An option that is no address.
    pub fn of(https: Option<&str>, http: Option<&str>) -> Result<Self, Failure> {
        let https = https.map(|text| address(text, "--https")).transpose()?;
        Ok(Self { https, http: http.map(|text| address(text, "--http")).transpose()? })
    }
}

/// Serves the pages of a role until it is asked to stop. `greeting` is what a person at the terminal sees first.
///
/// # Errors
/// An address in use; a disk that takes no first account.
pub fn serve(
    served: impl Into<Served>,
    catalog: &Catalog,
    addresses: &Addresses,
    greeting: &[String],
) -> Result<(), Failure> {
    let runtime = pages_runtime()?;
    let ended = runtime.block_on(async {
        // Before anybody is told that the box is there: from then on it may be asked to stop.
        let stop = StopSignals::install().map_err(Failure::failed)?;
        let Some(https) = addresses.https else {
            greet(greeting, None, None);
            stop.received().await;
            return Ok(());
        };
        let config = WebConfig { https, http: addresses.http };
        let server = Server::bind(config, served).await.map_err(Failure::refused)?;
        // Behind the binding: a start that fails for an address has made no password that nobody saw.
        let first = web::ensure_first_account(catalog).map_err(Failure::failed)?;
        greet(greeting, first.as_ref(), server.https_address());
        server.run(stop.received()).await;
        Ok(())
    });
    // An export that is still being made does not hold up the closing of what is open.
    runtime.shutdown_timeout(PAGES_END_WITHIN);
    ended
}

fn pages_runtime() -> Result<Runtime, Failure> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2).thread_name("pages").enable_all().build().map_err(Failure::failed)
}

/// What the installer needs to see, and nothing more.
fn greet(greeting: &[String], first: Option<&FirstPassword>, pages: Option<SocketAddr>) {
    let mut out = std::io::stdout().lock();
    // Nobody may be reading; the box goes on.
    for line in greeting {
        let _ = writeln!(out, "{line}");
    }
    if let Some(first) = first {
        let _ =
            writeln!(out, "first login: {}  password: {}  (must be changed)", first.account, first.password);
    }
    if let Some(address) = pages {
        let host =
            if address.ip().is_unspecified() { "localhost".to_owned() } else { address.ip().to_string() };
        let _ = writeln!(out, "pages: https://{host}:{}", address.port());
    }
    let _ = out.flush();
}

/// The signals by which a service manager or a person at the terminal ends a role.
pub struct StopSignals {
    term: Signal,
    interrupt: Signal,
}

impl StopSignals {
    pub fn install() -> std::io::Result<Self> {
        Ok(Self { term: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    pub async fn received(mut self) {
        tokio::select! {
            _ = self.term.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// An address and port that an option gives.
pub fn address(text: &str, option: &str) -> Result<SocketAddr, Failure> {
    text.parse().map_err(|_| {
        Failure::refused(format!("{option} {text}: expected an address and port such as 0.0.0.0:8443"))
    })
}
