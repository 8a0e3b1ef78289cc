//! What the platform is shown of the box while it is connected: its ports, what is being recorded, and its heartbeat.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use chrono::DateTime;
use uplink::message::{ClockNow, Heartbeat, Hello, InProgress, PortNow, VERSIONS};

use super::World;
use crate::live::PortLive;

/// Recordings at once, the most since the start of the station as far as this thread saw.
#[derive(Debug, Default)]
pub(crate) struct Peak(AtomicU32);

impl World {
    pub(super) fn clock(&self) -> ClockNow {
        let quality = serde_json::to_value(self.keeper.quality());
        let quality = quality.ok().and_then(|quality| quality.as_str().map(str::to_owned));
        ClockNow { utc_us: self.keeper.now_us(), quality: quality.unwrap_or_default() }
    }

    pub(super) fn hello(&self) -> Hello {
        Hello {
            versions: VERSIONS,
            serial: self.serial.clone(),
            release: env!("CARGO_PKG_VERSION").into(),
            name: self.settings.now().name.clone(),
            clock: self.clock(),
            ports: self.ports(),
        }
    }

    pub(super) fn ports(&self) -> Vec<PortNow> {
        let ports = self.live.ports();
        let recording = ports.iter().filter(|port| port.recording_since.is_some()).count() as u32;
        self.peak.0.fetch_max(recording, Relaxed);
        ports.into_iter().map(port_now).collect()
    }

    pub(super) fn heartbeat(&self, waiting: u64) -> Heartbeat {
        let recording_now = self.ports().iter().filter(|port| port.recording.is_some()).count() as u32;
        let space = self.data.free_space().ok();
        Heartbeat {
            clock: self.clock(),
            disk_free_bytes: space.as_ref().map_or(0, |space| space.free_bytes),
            disk_total_bytes: space.as_ref().map_or(0, |space| space.total_bytes),
            recording_now,
            recording_peak: self.peak.0.load(Relaxed),
            waiting,
        }
    }
}

fn port_now(port: PortLive) -> PortNow {
    let start = port.recording_since.as_deref().and_then(|text| DateTime::parse_from_rfc3339(text).ok());
    let recording = start.map(|start| InProgress {
        call_id: port.call_id.unwrap_or_default(),
        start_us: start.timestamp_micros(),
        call_type: port.call_type.name().to_owned(),
        peer_number: port.peer_number,
    });
    PortNow {
        port: port.port,
        name: port.name,
        line_number: port.line_number,
        state: port.state.name().to_owned(),
        recording,
    }
}

/// Those of `after` that are not as they were in `before`.
pub(super) fn changed(before: &[PortNow], after: &[PortNow]) -> Vec<PortNow> {
    let same = |port: &PortNow| before.iter().any(|other| other == port);
    after.iter().filter(|port| !same(port)).cloned().collect()
}
