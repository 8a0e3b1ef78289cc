//! What can go wrong when something is asked of the box, and when the process starts that does it.

use std::io;
use std::path::PathBuf;

use serde_json::{Map, Value};

use crate::network::Fault;

/// One sentence each, with a stable code for pages and platforms.
#[derive(Debug, thiserror::Error)]
pub enum ApplianceError {
    #[error("another process answers at {}; end it first, or give another --socket", socket.display())]
    InUse { socket: PathBuf },
    #[error("{} is there and is no socket; remove it, or give another --socket", socket.display())]
    NoSocket { socket: PathBuf },
    #[error("others may write to {}; give the socket a folder of root's own", folder.display())]
    FolderOpen { folder: PathBuf },
    #[error("cannot {step} {}: {source}", path.display())]
    Starting { step: &'static str, path: PathBuf, source: io::Error },

    #[error("the request cannot be done as it is: {reason}")]
    BadRequest { reason: String },
    #[error("user {uid} may not ask for this; only root, and the user given with --for, may")]
    NotAllowed { uid: u32 },
    #[error("the system bus (D-Bus) cannot be reached: {reason}; this box has nothing to do it with")]
    NoBus { reason: String },
    #[error("{service} does not answer on the system bus: {reason}; this box has nothing to do it with")]
    NoService { service: &'static str, reason: String },
    #[error("the system does not let the box restart: {said}")]
    RestartRefused { said: String },
    #[error("the clock cannot be set: {source}; the appliance process has to run as root")]
    Clock { source: io::Error },
    #[error(
        "no time server is believed now, so that there is no time to step the clock to; look at the servers"
    )]
    NoTime,
    #[error("{} cannot be written: {reason}; all stays as it was", path.display())]
    NotKept { path: PathBuf, reason: String },
    #[error(
        "the bundle of release {release:?} is damaged, or not signed for this box: {said}; fetch it again"
    )]
    BundleCorrupt { release: String, said: String },
    #[error(
        "release {release:?} is for boxes of kind {theirs:?}, and this one is {ours:?}; choose the one for it"
    )]
    NotForThisBox { release: String, theirs: String, ours: String },
    #[error("another upgrade is running; wait until it has ended")]
    UpgradeRunning,
    #[error("release {release:?} could not be installed: {said}; the box stays with the release it has")]
    UpgradeFailed { release: String, said: String },
    #[error("the system that runs cannot be marked as one to start from: {said}; look at RAUC's log")]
    MarkRefused { said: String },
    #[error("whether release {release:?} is installed is not known: {said}; look at the box")]
    EndUnknown { release: String, said: String },

    #[error("the network cannot be set like that: `{field}`: {}", fault.sentence())]
    NetworkInvalid { field: String, fault: Fault },
    #[error("change {id} of the network waits to be confirmed; confirm it, or take it back, first")]
    NetworkChangeWaits { id: u64 },
    #[error("change {id} of the network does not wait any more; look how the network is set now")]
    NetworkChangeOver { id: u64 },
    #[error("the network could not be set: {said}; it is as it was before")]
    NetworkFailed { said: String },
    #[error("the network could not be set: cannot {step} {}: {source}; it is as it was before", path.display())]
    NetworkFile { step: &'static str, path: PathBuf, source: io::Error },

    #[error("nothing answers at {}: {source}; start 'hookline appliance'", socket.display())]
    NotThere { socket: PathBuf, source: io::Error },
    #[error("the appliance process at {} was asked and {what}; look at its log", socket.display())]
    NoAnswer { socket: PathBuf, what: String },
    /// As the appliance process said it.
    #[error("{reason}")]
    Told { code: String, reason: String, detail: Map<String, Value> },
}

impl ApplianceError {
    /// Stable code, as it stands on the socket.
    pub fn code(&self) -> &str {
        match self {
            Self::InUse { .. } | Self::NoSocket { .. } | Self::FolderOpen { .. } | Self::Starting { .. } => {
                "not_started"
            }
            Self::BadRequest { .. } => "bad_request",
            Self::NotAllowed { .. } => "not_allowed",
            Self::NoBus { .. } | Self::NoService { .. } | Self::NotThere { .. } => "not_available",
            Self::RestartRefused { .. } => "restart_refused",
            Self::Clock { .. } => "clock_failed",
            Self::NoTime => "no_time",
            Self::NotKept { .. } => "not_kept",
            Self::BundleCorrupt { .. } => "bundle_corrupt",
            Self::NotForThisBox { .. } => "not_for_this_box",
            Self::UpgradeRunning => "upgrade_running",
            Self::UpgradeFailed { .. } => "upgrade_failed",
            Self::MarkRefused { .. } => "mark_refused",
            Self::NetworkInvalid { .. } => "network_invalid",
            Self::NetworkChangeWaits { .. } => "network_change_waits",
            Self::NetworkChangeOver { .. } => "network_change_over",
            Self::NetworkFailed { .. } | Self::NetworkFile { .. } => "network_failed",
            Self::EndUnknown { .. } | Self::NoAnswer { .. } => "appliance_failed",
            Self::Told { code, .. } => code,
        }
    }

    /// What pages make their own sentence of, as it stands on the socket; empty for most.
    pub fn detail(&self) -> Map<String, Value> {
        let members: Vec<(&str, Value)> = match self {
            Self::NetworkInvalid { field, fault } => {
                vec![("field", field.as_str().into()), ("fault", fault.code().into())]
            }
            Self::NetworkChangeWaits { id } | Self::NetworkChangeOver { id } => vec![("id", (*id).into())],
            Self::Told { detail, .. } => return detail.clone(),
            _ => Vec::new(),
        };
        members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}
