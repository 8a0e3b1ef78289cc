//! What a port is doing now: meters that the sample path writes without a lock, and the state that the dispatcher
//! keeps for the pages.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use line::{CallType, PortState};
use serde::Serialize;
use tokio::sync::watch;

/// A port as the live page shows it (ST-12). Times are RFC 3339 with the box's offset.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PortLive {
    pub port: u16,
    pub name: String,
    pub line_number: Option<String>,
    pub state: PortState,
    /// When `state` began.
    pub since: Option<String>,
    pub peer_number: Option<String>,
    pub peer_name: Option<String>,
    pub call_type: CallType,
    pub call_id: Option<String>,
    /// When the open recording began; `None` when nothing is recorded.
    pub recording_since: Option<String>,
    pub two_track: bool,
}

/// Levels and voltage of a port, at most a few tens of milliseconds old.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Meter {
    pub port: u16,
    /// Loudness of the last blocks; −90 or less is silence.
    pub near_dbm0: f32,
    /// The far side where the port has two tracks, else `None`.
    pub far_dbm0: Option<f32>,
    pub volts: Option<f32>,
    pub min_volts: Option<f32>,
    pub max_volts: Option<f32>,
    pub ring_volts: Option<f32>,
}

/// One port's meters, written by the sample path and read by pages: plain atomics, NaN for "not known".
#[derive(Debug)]
pub struct MeterCell {
    near_dbm0: AtomicU32,
    far_dbm0: AtomicU32,
    volts: AtomicU32,
    min_volts: AtomicU32,
    max_volts: AtomicU32,
    ring_volts: AtomicU32,
}

impl Default for MeterCell {
    fn default() -> Self {
        let unknown = || AtomicU32::new(f32::NAN.to_bits());
        Self {
            near_dbm0: unknown(),
            far_dbm0: unknown(),
            volts: unknown(),
            min_volts: unknown(),
            max_volts: unknown(),
            ring_volts: unknown(),
        }
    }
}

fn known(cell: &AtomicU32) -> Option<f32> {
    let value = f32::from_bits(cell.load(Relaxed));
    (!value.is_nan()).then_some(value)
}

impl MeterCell {
    pub fn set_levels(&self, near_dbm0: f32, far_dbm0: Option<f32>) {
        self.near_dbm0.store(near_dbm0.to_bits(), Relaxed);
        self.far_dbm0.store(far_dbm0.unwrap_or(f32::NAN).to_bits(), Relaxed);
    }

    /// Only one thread writes, so that load and store need not be one step.
    pub fn set_volts(&self, volts: f32, ring_volts: f32) {
        self.volts.store(volts.to_bits(), Relaxed);
        self.ring_volts.store(ring_volts.to_bits(), Relaxed);
        let magnitude = volts.abs();
        if known(&self.min_volts).is_none_or(|min| magnitude < min) {
            self.min_volts.store(magnitude.to_bits(), Relaxed);
        }
        if known(&self.max_volts).is_none_or(|max| magnitude > max) {
            self.max_volts.store(magnitude.to_bits(), Relaxed);
        }
    }

    /// Minimum and maximum begin anew.
    pub fn reset_range(&self) {
        self.min_volts.store(f32::NAN.to_bits(), Relaxed);
        self.max_volts.store(f32::NAN.to_bits(), Relaxed);
    }

    /// Nothing is measured any more.
    pub fn forget(&self) {
        for cell in [&self.near_dbm0, &self.far_dbm0, &self.volts, &self.ring_volts] {
            cell.store(f32::NAN.to_bits(), Relaxed);
        }
    }

    fn read(&self, port: u16) -> Meter {
        Meter {
            port,
            near_dbm0: known(&self.near_dbm0).unwrap_or(-90.0),
            far_dbm0: known(&self.far_dbm0),
            volts: known(&self.volts),
            min_volts: known(&self.min_volts),
            max_volts: known(&self.max_volts),
            ring_volts: known(&self.ring_volts),
        }
    }
}

/// Live state of all ports. Pages read it; the dispatcher writes it; the sample path touches the meters only.
#[derive(Debug)]
pub struct Live {
    ports: Mutex<Vec<PortLive>>,
    meters: Vec<MeterCell>,
    version: watch::Sender<u64>,
}

impl Live {
    pub fn new(ports: Vec<PortLive>) -> Self {
        let meters = ports.iter().map(|_| MeterCell::default()).collect();
        Self { ports: Mutex::new(ports), meters, version: watch::Sender::new(0) }
    }

    /// Every port in the order of its number.
    pub fn ports(&self) -> Vec<PortLive> {
        self.lock().clone()
    }

    pub fn port(&self, port: u16) -> Option<PortLive> {
        self.lock().iter().find(|p| p.port == port).cloned()
    }

    /// Meters in the same order as `ports`.
    pub fn meters(&self) -> Vec<Meter> {
        let numbers: Vec<u16> = self.lock().iter().map(|p| p.port).collect();
        self.meters.iter().zip(numbers).map(|(cell, port)| cell.read(port)).collect()
    }

    /// The meter of the port at `index`.
    pub fn meter(&self, index: usize) -> Option<Meter> {
        let port = self.lock().get(index)?.port;
        Some(self.meters.get(index)?.read(port))
    }

    /// Where a port stands among all.
    pub fn index(&self, port: u16) -> Option<usize> {
        self.lock().iter().position(|p| p.port == port)
    }

    /// Counts up with every change of a port's state; wait on it, then read `ports`.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    /// The cell of the port at `index` (not its number).
    pub fn meter_cell(&self, index: usize) -> Option<&MeterCell> {
        self.meters.get(index)
    }

    pub(crate) fn update(&self, index: usize, change: impl FnOnce(&mut PortLive)) {
        if let Some(port) = self.lock().get_mut(index) {
            change(port);
        }
        self.version.send_modify(|v| *v = v.wrapping_add(1));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<PortLive>> {
        self.ports.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
