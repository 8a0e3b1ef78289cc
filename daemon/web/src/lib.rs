//! The HTTP interface of a box: HTTPS, sessions, `/api/v1`, live push, and the pages compiled in. The contract is
//! `openapi.json` in this folder; `README.md` says what it cannot.
//!
//! ```text
//! ensure_first_account(&catalog) -> Option<FirstPassword>     once, before serving; shown on the console
//! serve(WebConfig, impl Into<Served>, shutdown)                until `shutdown`
//! Server::bind(WebConfig, impl Into<Served>) -> Server         the same in two steps, for those who ask for a free port
//! ```

mod api;
mod app;
mod archive;
mod body;
mod contacts;
mod csv_file;
mod cut;
mod department_statistics;
mod error;
mod fields;
mod filters;
mod first;
mod fleet;
mod guard;
mod headers;
mod jobs;
mod names;
mod network_watch;
mod pages;
mod password;
mod plays;
mod problem;
mod push;
mod query;
mod random;
mod range;
mod redirect;
mod role;
pub mod routes;
mod scope;
mod server;
mod session;
mod stream;
mod table;
mod throttle;
mod time;
mod tls;
mod trail;
mod turns;
mod view;
mod wav;
mod words;

use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

pub use api::meta::OPENAPI;
pub use error::WebError;
pub use first::{FIRST_ACCOUNT, FirstPassword, ensure_first_account, first_password_counts};
pub use role::{Role, Served};

use crate::app::App;
use crate::password::Hasher;

/// Where to listen.
#[derive(Clone, Debug)]
pub struct WebConfig {
    pub https: SocketAddr,
    /// Sends people to HTTPS; `None`: nothing listens there.
    pub http: Option<SocketAddr>,
}

/// Bound to its addresses, not yet answering.
pub struct Server {
    https: TcpListener,
    http: Option<TcpListener>,
    tls: TlsAcceptor,
    router: Router,
    app: App,
}

impl Server {
    /// Binds the addresses; makes the box's certificate in `identity/` of the data folder if there is none.
    ///
    /// # Errors
    /// An address that is in use, or a certificate that cannot be made or read.
    pub async fn bind(config: WebConfig, served: impl Into<Served>) -> Result<Self, WebError> {
        let served = served.into();
        let folder = served.data_dir().path().join("identity");
        let (tls, certificate) = tls::server_config(&folder, &served.info().serial)?;
        let https = listen(config.https).await?;
        let http = match config.http {
            Some(address) => Some(listen(address).await?),
            None => None,
        };
        let temporary = empty_folder(served.data_dir().path().join("tmp"));
        let app = App::new(served, Hasher::new().map_err(WebError::Hash)?, temporary, certificate);
        let ending = app.clone();
        // Before anybody can begin another one.
        let ended = tokio::task::spawn_blocking(move || {
            cut::end_what_was_cut(ending.catalog(), &ending.served.info().serial)
        })
        .await;
        if let Ok(Err(error)) = ended {
            eprintln!("web: whether a deletion was cut off is not known: {error}");
        }
        Ok(Self { https, http, tls: TlsAcceptor::from(Arc::new(tls)), router: routes::router(&app), app })
    }

    /// Where HTTPS listens; tells the port when the configured one was 0.
    pub fn https_address(&self) -> Option<SocketAddr> {
        self.https.local_addr().ok()
    }

    /// Where the redirection listens.
    pub fn http_address(&self) -> Option<SocketAddr> {
        self.http.as_ref()?.local_addr().ok()
    }

    /// Answers until `shutdown`, then lets requests under way finish for a few seconds.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let watch = tokio::spawn(network_watch::run(self.app));
        server::run(self.https, self.http, self.tls, self.router, shutdown).await;
        watch.abort();
    }
}

/// A folder for what grows while it is made. It lies on the data disk, since the system's own is a small disk in memory
/// on a box; what a power cut left there goes. A disk that does not take it keeps nobody from the pages: the exports
/// that need it say so.
fn empty_folder(path: PathBuf) -> PathBuf {
    let emptied = match std::fs::remove_dir_all(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => std::fs::DirBuilder::new().mode(0o700).create(&path),
    };
    if let Err(error) = emptied {
        eprintln!("{}: the folder for temporary files cannot be made empty: {error}", path.display());
    }
    path
}

async fn listen(address: SocketAddr) -> Result<TcpListener, WebError> {
    TcpListener::bind(address).await.map_err(|source| WebError::Listen { address, source })
}

/// Binds and answers until `shutdown`.
///
/// # Errors
/// Those of [`Server::bind`].
pub async fn serve(
    config: WebConfig,
    served: impl Into<Served>,
    shutdown: impl Future<Output = ()>,
) -> Result<(), WebError> {
    Server::bind(config, served).await?.run(shutdown).await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn what_a_power_cut_left_of_an_export_goes_at_the_next_start() {
        let data = tempfile::tempdir().expect("a folder");
        for _ in 0..2 {
            let folder = empty_folder(data.path().join("tmp"));
            assert_eq!(std::fs::read_dir(&folder).expect("there").count(), 0);
            assert_eq!(folder.metadata().expect("there").permissions().mode() & 0o777, 0o700);
            std::fs::create_dir(folder.join("half")).expect("made");
            std::fs::write(folder.join("half/sheet"), b"rows").expect("written");
        }
    }
}
