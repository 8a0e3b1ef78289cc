//! What can go wrong with a platform, each one sentence.

use std::net::SocketAddr;
use std::path::PathBuf;

use upkeep::identity::IdentityError;
use uplink::key::KeyError;

use crate::releases::ReleaseError;
use crate::settings::SettingsError;

#[derive(Debug, thiserror::Error)]
pub enum PlatformError {
    #[error(transparent)]
    DataDir(#[from] recording::DataDirError),
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error(transparent)]
    Release(#[from] ReleaseError),
    #[error(transparent)]
    Identity(#[from] IdentityError),
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error("the platform's key does not serve for TLS: {0}")]
    Tls(String),
    #[error(transparent)]
    Catalog(#[from] catalog::Error),
    #[error("{address}: stations cannot be listened for: {source}; choose another address with --intake")]
    Listen { address: SocketAddr, source: std::io::Error },
    #[error("a thread cannot be started: {source}")]
    Thread { source: std::io::Error },
    #[error("{path}: {source}")]
    Disk { path: PathBuf, source: std::io::Error },
    #[error(transparent)]
    Delete(#[from] recording::DeleteError),
    #[error("there is no device with the serial number {0}")]
    NoDevice(String),
    #[error("the device {0} is known already")]
    DeviceExists(String),
    /// A member that no device can have.
    #[error("{field}: {reason}")]
    DeviceInvalid { field: &'static str, reason: String },
    #[error("at most {0} devices can be known")]
    TooManyDevices(usize),
    #[error("the device {0} is not set to be asked: give it an address and a token first")]
    NoPull(String),
    #[error("the device {0} is not connected")]
    Offline(String),
    #[error("the device {0} has too much to do to take another command now; try again in a moment")]
    DeviceBusy(String),
    #[error("as many ports are listened to as can be; close one of them")]
    TooManyListeners,
    #[error("there is no command {0}, or it has ended")]
    NoCommand(u64),
    #[error("the platform is stopping")]
    Stopping,
}

impl PlatformError {
    /// Stable code for the API's problem details.
    pub fn code(&self) -> &'static str {
        match self {
            Self::DataDir(_) => "data_folder",
            Self::Settings(SettingsError::Invalid { .. }) => "setting_invalid",
            Self::Settings(SettingsError::File(_)) => "settings_not_written",
            Self::Release(error) => error.code(),
            Self::Identity(_) | Self::Key(_) | Self::Tls(_) => "identity",
            Self::Catalog(error) => error.code(),
            Self::Listen { .. } => "address_in_use",
            Self::Thread { .. } => "thread_failed",
            Self::Disk { .. } => "disk_failed",
            Self::Delete(_) => "recording_not_deleted",
            Self::NoDevice(_) => "no_device",
            Self::DeviceExists(_) => "device_exists",
            Self::DeviceInvalid { .. } => "device_invalid",
            Self::TooManyDevices(_) => "too_many_devices",
            Self::NoPull(_) => "no_pull",
            Self::Offline(_) => "device_offline",
            Self::DeviceBusy(_) => "device_busy",
            Self::TooManyListeners => "too_many_listeners",
            Self::NoCommand(_) => "no_command",
            Self::Stopping => "stopping",
        }
    }
}
