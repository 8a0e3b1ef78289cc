//! Why a station could not be asked: one sentence for each, whether a person has to do something, and how soon trying
//! again helps.

use std::time::Duration;

use uplink::message::{HeldCode, Refusal, RefusalCode};
use uplink::{Fingerprint, Retry, UplinkError};

#[derive(Debug, thiserror::Error)]
pub(crate) enum Trouble {
    #[error("{address} does not answer: {reason}; check the address and the network")]
    Unreachable { address: String, reason: String },
    #[error("no agreement on TLS with the station's pages: {0}; check the address and its port")]
    NoTls(String),
    #[error(
        "the station's pages have another certificate than the one they are known by, with the fingerprint {0}; \
         compare it with the one that the station shows, then accept it here"
    )]
    OtherCertificate(Fingerprint),
    #[error(
        "the certificate's fingerprint could not be written down, and so nothing was sent; see the alarms"
    )]
    NotPinned,
    #[error(
        "the station does not accept the security code: make a new one on its page about the platform, and enter it here"
    )]
    TokenWrong,
    #[error("the station was asked with wrong security codes too often, and answers again in {} s", .0.as_secs())]
    Locked(Duration),
    #[error(
        "what answers there is no station that can be asked (HTTP status {0}): check the address, or upgrade it"
    )]
    NoStation(u16),
    #[error(
        "the station does not know this platform's key: accept its fingerprint on the station's page about the platform"
    )]
    KeyNotAccepted,
    #[error(
        "the station knows another platform's key: compare the fingerprints, then set this platform's on the station's \
         page about the platform"
    )]
    OtherPlatform,
    #[error("another station answers there, {0}: correct the address")]
    OtherStation(String),
    #[error(
        "the station or the network ended the connection before everything was here; it goes on with the next try"
    )]
    Broken,
    #[error("the platform's disk takes nothing now; see the alarms")]
    DiskFull,
    #[error("the platform cannot take what the station has now; it goes on with the next try")]
    NotTaken,
    #[error(transparent)]
    Uplink(#[from] UplinkError),
}

impl From<HeldCode> for Trouble {
    fn from(code: HeldCode) -> Self {
        match code {
            HeldCode::DiskFull | HeldCode::DiskUnwritable => Self::DiskFull,
            HeldCode::Overloaded | HeldCode::Unknown => Self::NotTaken,
        }
    }
}

/// Every code that [`Trouble::code`] gives.
pub const CODES: [&str; 14] = [
    "unreachable",
    "no_tls",
    "other_certificate",
    "not_pinned",
    "token_wrong",
    "locked",
    "no_station",
    "key_not_accepted",
    "other_platform",
    "other_station",
    "other_key",
    "disk_full",
    "not_taken",
    "broken",
];

impl Trouble {
    /// Stable; the pages have a sentence for each.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => "unreachable",
            Self::NoTls(_) => "no_tls",
            Self::OtherCertificate(_) => "other_certificate",
            Self::NotPinned => "not_pinned",
            Self::TokenWrong => "token_wrong",
            Self::Locked(_) => "locked",
            Self::NoStation(_) => "no_station",
            Self::KeyNotAccepted => "key_not_accepted",
            Self::OtherPlatform => "other_platform",
            Self::OtherStation(_) => "other_station",
            Self::DiskFull => "disk_full",
            Self::NotTaken => "not_taken",
            Self::Uplink(UplinkError::Refused(Refusal { code: RefusalCode::OtherKey, .. })) => "other_key",
            Self::Broken | Self::Uplink(_) => "broken",
        }
    }

    /// What the network does passes, and says nothing of the station; all else does not go away by itself, and is told as
    /// a failed synchronisation at once.
    pub fn stays(&self) -> bool {
        match self {
            Self::Unreachable { .. }
            | Self::NotPinned
            | Self::Locked(_)
            | Self::Broken
            | Self::DiskFull
            | Self::NotTaken => false,
            Self::NoTls(_)
            | Self::OtherCertificate(_)
            | Self::TokenWrong
            | Self::NoStation(_)
            | Self::KeyNotAccepted
            | Self::OtherPlatform
            | Self::OtherStation(_) => true,
            Self::Uplink(error) => {
                matches!(error, UplinkError::Refused(_) | UplinkError::Nonsense(_) | UplinkError::OwnDisk(_))
            }
        }
    }

    /// The platform itself could not take what there was.
    pub fn is_of_platform(&self) -> bool {
        matches!(self, Self::NotPinned | Self::DiskFull | Self::NotTaken)
    }

    /// What was found, for whoever looks into it: nothing where the code says all.
    pub fn detail(&self) -> Option<String> {
        match self {
            Self::Unreachable { reason, .. } | Self::NoTls(reason) => Some(reason.clone()),
            Self::Locked(wait) => Some(format!("{} s", wait.as_secs())),
            Self::NoStation(status) => Some(format!("HTTP {status}")),
            Self::OtherStation(serial) => Some(serial.clone()),
            Self::Uplink(error) => Some(error.to_string()),
            Self::OtherCertificate(_)
            | Self::NotPinned
            | Self::TokenWrong
            | Self::KeyNotAccepted
            | Self::OtherPlatform
            | Self::Broken
            | Self::DiskFull
            | Self::NotTaken => None,
        }
    }

    pub fn retry(&self) -> Retry {
        match self {
            Self::Locked(wait) => Retry::After(*wait),
            Self::OtherCertificate(_)
            | Self::TokenWrong
            | Self::NoStation(_)
            | Self::KeyNotAccepted
            | Self::OtherPlatform
            | Self::OtherStation(_) => Retry::WhenChanged,
            Self::Uplink(error) => error.retry(),
            _ => Retry::Soon,
        }
    }

    pub fn offered(&self) -> Option<Fingerprint> {
        match self {
            Self::OtherCertificate(found) => Some(*found),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_trouble_is_one_sentence_that_says_what_to_do() {
        let wait = Duration::from_secs(30);
        let other_key = Refusal::new(RefusalCode::OtherKey);
        let mut codes = Vec::new();
        for trouble in [
            Trouble::Unreachable { address: "a:1".into(), reason: "refused".into() },
            Trouble::NoTls("x".into()),
            Trouble::OtherCertificate(Fingerprint::of(b"x")),
            Trouble::NotPinned,
            Trouble::TokenWrong,
            Trouble::Locked(wait),
            Trouble::NoStation(404),
            Trouble::KeyNotAccepted,
            Trouble::OtherPlatform,
            Trouble::OtherStation("HKLN-1".into()),
            Trouble::Broken,
            Trouble::DiskFull,
            Trouble::NotTaken,
            UplinkError::Refused(other_key).into(),
        ] {
            codes.push(trouble.code());
            let sentence = trouble.to_string();
            assert!(sentence.len() > 30 && !sentence.contains('\n'), "{sentence}");
            assert_eq!(trouble.offered().is_some(), trouble.code() == "other_certificate");
        }
        codes.sort_unstable();
        let mut known = CODES;
        known.sort_unstable();
        assert_eq!(codes, known, "no code is left out of the contract");
        assert_eq!(Trouble::Locked(wait).retry(), Retry::After(wait));
    }
}
