//! Why the pages cannot be served at all. What a client is told stands in `problem`.

use std::io;
use std::net::SocketAddr;

use crate::tls::TlsError;

#[derive(Debug, thiserror::Error)]
pub enum WebError {
    #[error("cannot listen on {address}: {source}; choose another address, or stop who uses it")]
    Listen { address: SocketAddr, source: io::Error },
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error("cannot make the first account: {source}")]
    FirstAccount { source: catalog::Error },
    #[error("cannot hash a password: {0}")]
    Hash(argon2::password_hash::Error),
}
