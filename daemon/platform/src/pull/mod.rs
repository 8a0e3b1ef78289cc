//! Stations that cannot dial are asked (MG-06): the platform opens a connection to a station's pages on an interval, shows
//! its token, and from there on the connection is as if the station had dialled. For one that dials as well this is the
//! net under what its own connections left.

mod anchor;
mod book;
mod certificate;
mod plan;
mod trouble;
mod visit;

use std::sync::Arc;

use catalog::{AuditEntry, Body, Device, Pull};
use serde_json::json;
use tokio::task::spawn_blocking;
use tokio::time::sleep;
use upkeep::address::host_and_port;
use uplink::Fingerprint;

pub use book::{PullNow, PullState, PullTrouble};
pub(crate) use book::{Pulls, Verdict};
pub(crate) use plan::Pauses;
pub use trouble::CODES as PULL_TROUBLES;
use trouble::Trouble;
use visit::{Door, Outcome, Visit};

use crate::error::PlatformError;
use crate::lock;
use crate::platform::{Inner, Platform};

/// Where a station has its pages unless the address says otherwise.
const DEFAULT_PORT: u16 = 443;
/// Whole hours up to ten, then whole days.
const MOST_HOURS: u32 = 10;
const DAY_HOURS: u32 = 24;
const MOST_DAYS: u32 = 30;
/// Characters of a token.
const TOKEN_LENGTH: std::ops::RangeInclusive<usize> = 16..=256;

/// The first member that is wrong, and what is expected of it.
pub(crate) fn check(pull: &Pull) -> Result<(), (&'static str, String)> {
    if host_and_port(&pull.address, DEFAULT_PORT).is_none() {
        let reason = "expected a host, or a host and a port, such as 192.0.2.7:443";
        return Err(("pull.address", reason.into()));
    }
    let is_token = pull.token.bytes().all(|byte| byte.is_ascii_graphic());
    if !(is_token && TOKEN_LENGTH.contains(&pull.token.len())) {
        return Err(("pull.token", "expected the security code that the station's page shows".into()));
    }
    let (hours, days) = (pull.every_hours, pull.every_hours / DAY_HOURS);
    let whole_days = hours.is_multiple_of(DAY_HOURS) && (1..=MOST_DAYS).contains(&days);
    if !((1..=MOST_HOURS).contains(&hours) || whole_days) {
        let reason = format!("expected 1 to {MOST_HOURS} hours, or whole days up to {MOST_DAYS}");
        return Err(("pull.every_hours", reason));
    }
    if pull.fingerprint.is_some() && pinned(pull).is_none() {
        return Err(("pull.certificate", uplink::key::BadFingerprint.to_string()));
    }
    Ok(())
}

/// Of the certificate, if it is one.
pub(crate) fn pinned(pull: &Pull) -> Option<Fingerprint> {
    pull.fingerprint.as_deref()?.parse().ok()
}

impl Platform {
    /// Asks a station now, as soon as there is room. One that is connected has nothing to be asked for.
    ///
    /// # Errors
    /// `NoDevice`, `NoPull`; a journal that takes nothing.
    pub fn fetch_now(&self, serial: &str, trail: AuditEntry) -> Result<(), PlatformError> {
        let inner = &self.inner;
        let device =
            inner.stations.device(serial).ok_or_else(|| PlatformError::NoDevice(serial.to_owned()))?;
        if device.pull.is_none() || !device.switched_on {
            return Err(PlatformError::NoPull(serial.to_owned()));
        }
        inner.catalog.audit(trail)?;
        inner.pulls.ask(inner, serial);
        Ok(())
    }
}

/// Visits stations when their time has come, for as long as the platform runs.
pub(crate) async fn run(inner: Arc<Inner>) {
    while !inner.door.connections.is_closed() {
        for (pull, visit) in inner.pulls.take_due(&inner) {
            let inner = inner.clone();
            tokio::spawn(async move {
                let going = visit_one(inner.clone(), pull, visit.clone());
                // What panics there has its end here all the same.
                let outcome = tokio::spawn(going).await;
                let outcome = outcome.unwrap_or(Outcome::Failed(Trouble::Broken));
                inner.pulls.ended(&inner, &visit, outcome);
            });
        }
        save(&inner).await;
        tokio::select! {
            () = inner.pulls.wake.notified() => {}
            () = sleep(inner.tuning.tick) => {}
        }
    }
}

/// What panics there loses a time that the next success writes again.
async fn save(inner: &Arc<Inner>) {
    let inner = inner.clone();
    let _ = spawn_blocking(move || inner.pulls.save(&inner)).await;
}

async fn visit_one(inner: Arc<Inner>, pull: Pull, visit: Arc<Visit>) -> Outcome {
    let Some(address) = host_and_port(&pull.address, DEFAULT_PORT) else {
        return Outcome::Failed(Trouble::Unreachable {
            address: pull.address,
            reason: "it is no address".into(),
        });
    };
    let door = Door { address: &address, token: &pull.token, pinned: pinned(&pull) };
    let met = async |certificate| match door.pinned {
        Some(_) => Ok(()),
        None => pin(&inner, &visit.serial, &pull, certificate).await,
    };
    match visit::reach(&door, met).await {
        Ok(stream) => visit::talk(&inner, stream, &visit).await,
        Err(trouble) => Outcome::Failed(trouble),
    }
}

/// Writes down the certificate of the first visit before the token is shown to whoever has it: another one never sees it.
async fn pin(
    inner: &Arc<Inner>,
    serial: &str,
    asked: &Pull,
    certificate: Fingerprint,
) -> Result<(), Trouble> {
    let (inner, serial, address) = (inner.clone(), serial.to_owned(), asked.address.clone());
    let pinned = spawn_blocking(move || inner.pin_certificate(&serial, &address, certificate)).await;
    match pinned {
        Ok(Ok(true)) => Ok(()),
        _ => Err(Trouble::NotPinned),
    }
}

impl Inner {
    /// `false`: the device is another one by now, or has a certificate.
    fn pin_certificate(
        &self,
        serial: &str,
        address: &str,
        certificate: Fingerprint,
    ) -> Result<bool, PlatformError> {
        let _one_at_a_time = lock(&self.registering);
        let Some(device) = self.stations.device(serial) else { return Ok(false) };
        let unpinned = |pull: &&Pull| pull.address == address && pull.fingerprint.is_none();
        let Some(pull) = device.pull.as_ref().filter(unpinned) else { return Ok(false) };
        let pull = Pull { fingerprint: Some(certificate.to_string()), ..pull.clone() };
        let device = Device { pull: Some(pull), ..Device::clone(&device) };
        let parameters = json!({"serial": serial, "address": address, "certificate": certificate});
        let trail = Self::own_trail("pin_certificate", parameters);
        self.catalog.append(vec![Body::DeviceSet(device.clone()), Body::Audit(trail)])?;
        self.stations.set(device);
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_station_can_be_asked_by_is_named() {
        let check = |change: &dyn Fn(&mut Pull)| {
            let mut pull = Pull {
                address: "192.0.2.7".into(),
                token: "0123456789abcdef".into(),
                every_hours: 4,
                fingerprint: None,
            };
            change(&mut pull);
            check(&pull).map_or_else(|(field, _)| field, |()| "")
        };
        assert_eq!(check(&|_| {}), "");
        for wrong in ["", "a b", "https://192.0.2.7", "host:0"] {
            assert_eq!(check(&|pull| pull.address = wrong.into()), "pull.address", "{wrong}");
        }
        for wrong in ["", "short", "0123456789abcde\n", "0123456789abcde é", &"x".repeat(257)] {
            assert_eq!(check(&|pull| pull.token = wrong.into()), "pull.token", "{wrong}");
        }
        for (hours, right) in [(0, false), (1, true), (10, true), (11, false), (24, true), (25, false)] {
            assert_eq!(check(&|pull| pull.every_hours = hours).is_empty(), right, "{hours}");
        }
        assert_eq!(check(&|pull| pull.every_hours = 720), "");
        assert_eq!(check(&|pull| pull.every_hours = 744), "pull.every_hours");
        assert_eq!(check(&|pull| pull.fingerprint = Some("12".into())), "pull.certificate");
    }
}
