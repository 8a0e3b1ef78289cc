//! What can go wrong with a station, each one sentence.

use std::path::PathBuf;

use crate::box_settings::BoxSettingsError;
use crate::channels::ChannelError;
use crate::identity::IdentityError;
use crate::replay::ReplayError;
use crate::units::UnitSettingsError;
use crate::uplink::PlatformSettingsError;

#[derive(Debug, thiserror::Error)]
pub enum StationError {
    #[error(transparent)]
    Scenario(#[from] capture::ScenarioError),
    #[error(transparent)]
    Members(#[from] ReplayError),
    #[error(transparent)]
    DataDir(#[from] recording::DataDirError),
    #[error(transparent)]
    BoxSettings(#[from] BoxSettingsError),
    #[error(transparent)]
    Channels(#[from] ChannelError),
    #[error(transparent)]
    Units(#[from] UnitSettingsError),
    #[error(transparent)]
    Platform(#[from] PlatformSettingsError),
    #[error(transparent)]
    Identity(#[from] IdentityError),
    #[error(transparent)]
    Catalog(#[from] catalog::Error),
    #[error(transparent)]
    Recorder(#[from] recording::StartError),
    #[error("{path}: the mark of a running station cannot be written: {source}")]
    Mark { path: PathBuf, source: std::io::Error },
    #[error(transparent)]
    Delete(#[from] recording::DeleteError),
    #[error(transparent)]
    Mend(#[from] recording::MendError),
    #[error("{path}: the recordings cannot be looked through: {source}")]
    Check { path: PathBuf, source: std::io::Error },
    #[error("not every recording could be made into a file before stopping; the next start does it")]
    Unfinished,
    #[error("a thread cannot be started: {source}")]
    Thread { source: std::io::Error },
    #[error("no token can be made, because the system gives no random numbers: {source}")]
    NoRandomness { source: std::io::Error },
    #[error("there is no port {port} on this box")]
    NoSuchPort { port: u16 },
    #[error("port {port}: {reason}")]
    Command { port: u16, reason: line::CommandError },
    #[error("port {port}: {reason}")]
    Setting { port: u16, reason: line::SettingsError },
    #[error("port {port} has as many listeners as it can have; close one of them")]
    TooManyListeners { port: u16 },
    #[error("port {port} has no voltage: its unit measures none, or has not yet")]
    NoVoltage { port: u16 },
    #[error("the station is stopping")]
    Stopping,
}

impl StationError {
    /// Stable code for the API's problem details.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Scenario(_) | Self::Members(_) => "scenario_invalid",
            Self::DataDir(_) => "data_folder",
            Self::BoxSettings(BoxSettingsError::Invalid { .. }) => "setting_invalid",
            Self::BoxSettings(BoxSettingsError::File(_)) => "settings_not_written",
            Self::Channels(ChannelError::NoSuchPort(_)) | Self::NoSuchPort { .. } => "no_port",
            Self::Channels(ChannelError::Invalid { .. }) | Self::Setting { .. } => "setting_invalid",
            Self::Channels(ChannelError::NothingToUndo) => "nothing_to_undo",
            Self::Channels(ChannelError::File(_)) | Self::Mark { .. } => "settings_not_written",
            Self::Platform(PlatformSettingsError::Invalid { .. }) => "setting_invalid",
            Self::Units(UnitSettingsError::Invalid { .. }) => "setting_invalid",
            Self::Units(UnitSettingsError::File(_)) => "settings_not_written",
            Self::Platform(PlatformSettingsError::File(_)) => "settings_not_written",
            Self::Identity(_) => "identity",
            Self::Catalog(error) => error.code(),
            Self::Recorder(_) => "recorder_failed",
            Self::Delete(_) => "recording_not_deleted",
            Self::Mend(_) => "recordings_not_mended",
            Self::Check { .. } => "check_failed",
            Self::Unfinished => "unfinished",
            Self::Thread { .. } => "thread_failed",
            Self::NoRandomness { .. } => "no_randomness",
            Self::Command { .. } => "command_refused",
            Self::TooManyListeners { .. } => "too_many_listeners",
            Self::NoVoltage { .. } => "no_voltage",
            Self::Stopping => "stopping",
        }
    }
}
