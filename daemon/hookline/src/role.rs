//! What both roles need of a process: their pages until a signal ends them, and addresses from the command line.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use catalog::Catalog;
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use web::{FirstPassword, Served, Server, WebConfig};

use crate::Failure;
use crate::proof::{Proof, Trial};
use crate::service::{self, Watchdog};

/// Work of the pages that is not done by then is left.
const PAGES_END_WITHIN: Duration = Duration::from_secs(5);

/// How often it is looked whether somebody has changed the first password.
const FIRST_PASSWORD_LOOK: Duration = Duration::from_secs(5);

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

/// Serves the pages of a role until it is asked to stop. `greeting` is what a person at the terminal sees first; `signs`
/// are those of the role's life, for the watchdog and for `trial`; `again` turns true when it is to be started anew.
///
/// # Errors
/// An address in use; a disk that takes no first account.
pub fn serve(
    served: impl Into<Served>,
    catalog: &Catalog,
    addresses: &Addresses,
    greeting: &[String],
    signs: Signs,
    trial: Trial,
    mut again: watch::Receiver<bool>,
) -> Result<Ended, Failure> {
    let status = greeting.first().map_or("", String::as_str);
    let signs = Arc::new(signs);
    let watchdog = Watchdog::start(signs.clone())?;
    let runtime = pages_runtime()?;
    let ended = runtime.block_on(async {
        // Before anybody is told that the box is there: from then on it may be asked to stop.
        let stop = StopSignals::install().map_err(Failure::failed)?;
        let Some(https) = addresses.https else {
            greet(greeting, None, None);
            service::ready(status);
            let _proof = Proof::start(trial, signs)?;
            return Ok(ended_by(stop, &mut again).await);
        };
        let config = WebConfig { https, http: addresses.http };
        let server = Server::bind(config, served).await.map_err(Failure::refused)?;
        // Behind the binding: a start that fails for an address has made no password that nobody saw.
        let first = web::ensure_first_account(catalog).map_err(Failure::failed)?;
        greet(greeting, first.as_ref(), server.https_address());
        if first.is_some() {
            tokio::spawn(tell_change_of_first_password(catalog.clone()));
        }
        service::ready(status);
        let _proof = Proof::start(trial, signs)?;
        let mut ended = Ended::Stopped;
        server.run(async { ended = ended_by(stop, &mut again).await }).await;
        Ok(ended)
    });
    match &ended {
        // The manager would take what goes on for what does not end, and kill it.
        Ok(Ended::ToStartAgain) => service::starting_again(),
        _ => service::stopping(),
    }
    drop(watchdog);
    // An export that is still being made does not hold up the closing of what is open.
    runtime.shutdown_timeout(PAGES_END_WITHIN);
    ended
}

/// How a role is, asked at any time from any thread; both ask memory only.
pub struct Signs {
    /// Whether it does its work.
    pub moves: Box<dyn Fn() -> bool + Send + Sync>,
    /// What is wrong with the box, by name.
    pub faults: Box<dyn Fn() -> Vec<String> + Send + Sync>,
}

/// Why a role has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    Stopped,
    /// It is to be started anew, with what is set now.
    ToStartAgain,
}

/// Of a role that nobody starts again from within.
pub fn never_again() -> watch::Receiver<bool> {
    watch::Sender::new(false).subscribe()
}

async fn ended_by(stop: StopSignals, again: &mut watch::Receiver<bool>) -> Ended {
    tokio::select! {
        () = stop.received() => Ended::Stopped,
        // A role that nobody starts again has dropped its end.
        Ok(_) = again.wait_for(|again| *again) => Ended::ToStartAgain,
    }
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

/// A console that shows the greeting, with the first password in it, is told once that password no longer counts.
async fn tell_change_of_first_password(catalog: Catalog) {
    loop {
        tokio::time::sleep(FIRST_PASSWORD_LOOK).await;
        let looked = catalog.clone();
        match tokio::task::spawn_blocking(move || web::first_password_counts(&looked)).await {
            Ok(true) => {}
            Ok(false) => break,
            // The process ends.
            Err(_) => return,
        }
    }
    // Nobody may be reading.
    let _ = writeln!(std::io::stdout(), "first password changed");
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
