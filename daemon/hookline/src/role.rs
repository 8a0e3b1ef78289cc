//! What both roles need of a process: the signals that end it, and addresses from the command line.

use std::net::SocketAddr;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::Failure;

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
