//! What can go wrong between two boxes: whose side failed, and whether trying again helps.

use std::time::Duration;

use crate::key::{Fingerprint, KeyError};
use crate::message::Refusal;

/// Whose side failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The box that says so.
    Here,
    /// The box at the other end.
    There,
    /// The network between them.
    Between,
}

/// Whether trying again helps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// As soon as the pause between two tries allows.
    Soon,
    /// Not before this time has passed.
    After(Duration),
    /// Only once a person has changed something; tried now and then, so that nobody has to press a button for it.
    WhenChanged,
}

#[derive(Debug, thiserror::Error)]
pub enum UplinkError {
    #[error("{address} does not answer: {source}; check the address and the network")]
    Unreachable { address: String, source: std::io::Error },
    #[error("the connection broke: {0}")]
    Broken(#[from] std::io::Error),
    #[error("nothing was heard for {} s", .0.as_secs())]
    Silent(Duration),
    #[error("the other side does not take what it is told")]
    Unheard,
    #[error("the key does not serve for TLS: {0}")]
    OwnKey(rustls::Error),
    #[error(transparent)]
    NoKey(#[from] KeyError),
    #[error("no agreement on TLS: {0}")]
    Handshake(std::io::Error),
    #[error(
        "{address} has another key than the one it is known by; if it was replaced, accept its new fingerprint"
    )]
    OtherKey { address: String },
    #[error("the platform is not yet accepted here; its fingerprint is {0}")]
    NotPinned(Fingerprint),
    #[error("{0}")]
    Refused(Refusal),
    #[error("the other side sent {0}")]
    Nonsense(String),
    #[error("the other side closed the connection")]
    Closed,
    #[error("the station has connected anew")]
    Replaced,
    #[error("this cannot be sent: {0}")]
    Unsendable(String),
    #[error("the box's own disk: {0}")]
    OwnDisk(std::io::Error),
}

impl UplinkError {
    /// Stable code for pages and alarms.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => "unreachable",
            Self::Broken(_) => "broken",
            Self::Silent(_) => "silent",
            Self::Unheard => "unheard",
            Self::OwnKey(_) | Self::NoKey(_) => "own_key",
            Self::Handshake(_) => "handshake",
            Self::OtherKey { .. } => "platform_other_key",
            Self::NotPinned(_) => "not_pinned",
            Self::Refused(refusal) => refusal.code.name(),
            Self::Nonsense(_) => "nonsense",
            Self::Closed => "closed",
            Self::Replaced => "replaced",
            Self::Unsendable(_) => "unsendable",
            Self::OwnDisk(_) => "own_disk",
        }
    }

    pub fn side(&self) -> Side {
        match self {
            Self::Unreachable { .. } | Self::Broken(_) | Self::Silent(_) | Self::Unheard => Side::Between,
            Self::OwnKey(_)
            | Self::NoKey(_)
            | Self::NotPinned(_)
            | Self::Unsendable(_)
            | Self::OwnDisk(_) => Side::Here,
            Self::Handshake(_)
            | Self::OtherKey { .. }
            | Self::Refused(_)
            | Self::Nonsense(_)
            | Self::Closed
            | Self::Replaced => Side::There,
        }
    }

    pub fn retry(&self) -> Retry {
        match self {
            Self::Unreachable { .. }
            | Self::Broken(_)
            | Self::Silent(_)
            | Self::Unheard
            | Self::Closed
            | Self::Replaced => Retry::Soon,
            Self::Refused(refusal) => refusal.retry(),
            Self::Handshake(_)
            | Self::Nonsense(_)
            | Self::OwnDisk(_)
            | Self::NoKey(_)
            | Self::Unsendable(_) => Retry::After(Duration::from_secs(60)),
            Self::OwnKey(_) | Self::OtherKey { .. } | Self::NotPinned(_) => Retry::WhenChanged,
        }
    }
}
