//! systemd-networkd over D-Bus (`org.freedesktop.network1`), and systemd itself for PPPoE connections, which are units.

use std::time::Duration;

use zbus::{Connection, OwnedObjectPath, proxy};

use super::links::Description;
use super::ppp;
use crate::bus::{Bus, CallError};
use crate::error::ApplianceError;

const NETWORKD: &str = "systemd-networkd";
const SYSTEMD: &str = "systemd";
const ANSWER_WITHIN: Duration = Duration::from_secs(15);

#[proxy(
    interface = "org.freedesktop.network1.Manager",
    default_service = "org.freedesktop.network1",
    default_path = "/org/freedesktop/network1"
)]
trait NetworkManager {
    /// JSON (systemd 249 and later).
    fn describe(&self) -> zbus::Result<String>;
    /// Reads its files anew, and carries out what has changed in them.
    fn reload(&self) -> zbus::Result<()>;
}

#[proxy(
    interface = "org.freedesktop.systemd1.Manager",
    default_service = "org.freedesktop.systemd1",
    default_path = "/org/freedesktop/systemd1"
)]
trait Systemd {
    fn restart_unit(&self, name: &str, mode: &str) -> zbus::Result<OwnedObjectPath>;
    fn stop_unit(&self, name: &str, mode: &str) -> zbus::Result<OwnedObjectPath>;
}

/// A connection to both.
pub(super) struct Networkd {
    connection: Connection,
}

impl Networkd {
    /// # Errors
    /// `NoBus`.
    pub(super) async fn on(bus: &Bus) -> Result<Self, ApplianceError> {
        Ok(Self { connection: bus.connect(ANSWER_WITHIN).await? })
    }

    /// # Errors
    /// `NoService`; `NetworkFailed` with what it said.
    pub(super) async fn describe(&self) -> Result<Description, ApplianceError> {
        let manager = NetworkManagerProxy::new(&self.connection).await.map_err(networkd_failed)?;
        let text = manager.describe().await.map_err(networkd_failed)?;
        Description::read(&text).map_err(|error| {
            let reason = format!("its description cannot be read: {error}");
            ApplianceError::NoService { service: NETWORKD, reason }
        })
    }

    /// # Errors
    /// `NoService`; `NetworkFailed` with what it said.
    pub(super) async fn reload(&self) -> Result<(), ApplianceError> {
        let manager = NetworkManagerProxy::new(&self.connection).await.map_err(networkd_failed)?;
        manager.reload().await.map_err(networkd_failed)
    }

    /// Begins a PPPoE connection, or begins it anew.
    ///
    /// # Errors
    /// `NoService`; `NetworkFailed` with what systemd said, such as that this image has no pppd.
    pub(super) async fn dial(&self, link: &str) -> Result<(), ApplianceError> {
        let systemd = SystemdProxy::new(&self.connection).await.map_err(systemd_failed)?;
        systemd.restart_unit(&ppp::unit(link), "replace").await.map(drop).map_err(systemd_failed)
    }

    /// # Errors
    /// As `dial`.
    pub(super) async fn hang_up(&self, link: &str) -> Result<(), ApplianceError> {
        let systemd = SystemdProxy::new(&self.connection).await.map_err(systemd_failed)?;
        systemd.stop_unit(&ppp::unit(link), "replace").await.map(drop).map_err(systemd_failed)
    }
}

fn networkd_failed(error: zbus::Error) -> ApplianceError {
    let said = |said| ApplianceError::NetworkFailed { said: format!("{NETWORKD} says: {said}") };
    CallError::from(error).of(NETWORKD, said)
}

fn systemd_failed(error: zbus::Error) -> ApplianceError {
    let said = |said| ApplianceError::NetworkFailed { said: format!("{SYSTEMD} says: {said}") };
    CallError::from(error).of(SYSTEMD, said)
}
