//! One simulated station: dials, talks until the connection ends, dials again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use tokio::sync::mpsc;
use uplink::message::{Hello, PortNow, VERSIONS};
use uplink::station_end::{self, Said, Wanted};
use uplink::{DeviceKey, Fingerprint, UplinkError};

use crate::outbox::{Waiting, clock};

/// Pause before a station dials again.
const AGAIN: Duration = Duration::from_secs(1);

/// What all stations count together.
#[derive(Debug, Default)]
pub struct Counts {
    /// Stations that are welcomed now.
    pub connected: AtomicUsize,
    /// Connections that ended after a welcome.
    pub dropped: AtomicU64,
    pub refused: AtomicU64,
}

/// Learns the key of the platform at `address`: a test trusts whoever is there.
///
/// # Errors
/// Nobody is.
pub async fn platform_key(address: &str) -> Result<Fingerprint, UplinkError> {
    match station_end::dial(address, &DeviceKey::make().map_err(made)?, None).await {
        Err(UplinkError::NotPinned(found)) => Ok(found),
        Err(error) => Err(error),
        Ok(_) => Err(UplinkError::Nonsense("no key".into())),
    }
}

fn made(error: uplink::key::KeyError) -> UplinkError {
    UplinkError::Unsendable(error.to_string())
}

pub struct Station {
    pub serial: String,
    pub address: String,
    pub platform: Fingerprint,
    pub key: DeviceKey,
    pub waiting: Waiting,
    pub counts: Arc<Counts>,
}

impl Station {
    /// Runs until whoever says something through `said` has gone.
    pub async fn run(mut self, mut said: mpsc::Receiver<Said>) {
        while !said.is_closed() {
            let ended = self.connect(&mut said).await;
            if ended.is_ok() {
                return;
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    async fn connect(&mut self, said: &mut mpsc::Receiver<Said>) -> Result<(), UplinkError> {
        let stream = station_end::dial(&self.address, &self.key, Some(self.platform)).await?;
        let (want, mut wanted) = mpsc::unbounded_channel();
        let counts = self.counts.clone();
        let welcomes = tokio::spawn(async move {
            let mut connected = false;
            while let Some(wanted) = wanted.recv().await {
                if matches!(wanted, Wanted::Welcomed(_)) {
                    connected = true;
                    counts.connected.fetch_add(1, Relaxed);
                }
            }
            if connected {
                counts.connected.fetch_sub(1, Relaxed);
            }
            connected
        });
        let hello = Hello {
            versions: VERSIONS,
            serial: self.serial.clone(),
            release: "fleet".into(),
            name: self.serial.clone(),
            clock: clock(),
            ports: (1..=16).map(idle).collect(),
        };
        let ended = station_end::talk(stream, &hello, &mut self.waiting, said, &want).await;
        drop(want);
        let was_connected = welcomes.await.unwrap_or(false);
        match &ended {
            Err(UplinkError::Refused(_)) => drop(self.counts.refused.fetch_add(1, Relaxed)),
            Err(_) if was_connected => drop(self.counts.dropped.fetch_add(1, Relaxed)),
            _ => {}
        }
        ended
    }
}

/// A port on which nothing happens.
pub fn idle(port: u16) -> PortNow {
    PortNow { port, name: format!("M [{port:02}]"), line_number: None, state: "idle".into(), recording: None }
}
