//! Who a box is on the wire: an Ed25519 key that never leaves it, and the fingerprint by which others know it. There
//! are no certificates, and so no dates that a box with a dead clock could fall over.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use rcgen::{KeyPair, PKCS_ED25519, PublicKeyData};
use recording::write_atomically;
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error("{path}: the box's key cannot be read or written: {source}")]
    Io { path: PathBuf, source: std::io::Error },
    #[error(
        "{path}: this is no Ed25519 key in PEM ({reason}); put the kept copy back, or remove the file to have \
             a new one made, which the platform's operator must then accept"
    )]
    Malformed { path: PathBuf, reason: String },
    #[error("no key could be made: {0}")]
    Make(rcgen::Error),
}

/// A box's own key (RFC 8410), kept as PKCS #8 in PEM, mode 0600.
pub struct DeviceKey {
    pair: KeyPair,
}

impl DeviceKey {
    /// The key at `path`, made now if manufacture wrote none.
    ///
    /// # Errors
    /// A file that cannot be read or written, or holds something else; it is never replaced.
    pub fn load_or_make(path: &Path) -> Result<Self, KeyError> {
        let io = |source| KeyError::Io { path: path.to_owned(), source };
        match std::fs::read_to_string(path) {
            Ok(text) => KeyPair::from_pkcs8_pem_and_sign_algo(&text, &PKCS_ED25519)
                .map(|pair| Self { pair })
                .map_err(|error| KeyError::Malformed { path: path.to_owned(), reason: error.to_string() }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let key = Self::make()?;
                if let Some(folder) = path.parent() {
                    std::fs::create_dir_all(folder).map_err(io)?;
                }
                write_atomically(path, key.pair.serialize_pem().as_bytes()).map_err(io)?;
                Ok(key)
            }
            Err(source) => Err(io(source)),
        }
    }

    /// A new key, kept nowhere yet.
    ///
    /// # Errors
    /// The system gives no random numbers.
    pub fn make() -> Result<Self, KeyError> {
        KeyPair::generate_for(&PKCS_ED25519).map(|pair| Self { pair }).map_err(KeyError::Make)
    }

    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.pair.subject_public_key_info())
    }

    /// As TLS presents it: a raw public key (RFC 7250) in the place of a certificate.
    pub(crate) fn certified(&self) -> Result<Arc<CertifiedKey>, rustls::Error> {
        let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.pair.serialize_der()));
        let public = CertificateDer::from(self.pair.subject_public_key_info());
        Ok(Arc::new(CertifiedKey::new(vec![public], any_supported_type(&private)?)))
    }
}

impl fmt::Debug for DeviceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeviceKey({})", self.fingerprint())
    }
}

/// SHA-256 of a public key (SubjectPublicKeyInfo, DER) or a certificate. Written as 64 hexadecimal digits in groups of four, which two
/// people can compare over the telephone.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// Of what stands in DER: a public key, or the certificate of a box's pages.
    pub fn of(der: &[u8]) -> Self {
        Self(Sha256::digest(der).into())
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, pair) in self.0.chunks(2).enumerate() {
            let space = if index == 0 { "" } else { " " };
            write!(f, "{space}{:02x}{:02x}", pair[0], pair[1])?;
        }
        Ok(())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a fingerprint has 64 hexadecimal digits, with spaces, colons or nothing between them")]
pub struct BadFingerprint;

impl FromStr for Fingerprint {
    type Err = BadFingerprint;

    fn from_str(text: &str) -> Result<Self, BadFingerprint> {
        let mut digits = text.chars().filter(|c| !matches!(c, ' ' | ':' | '-')).map(|c| c.to_digit(16));
        let mut bytes = [0; 32];
        for byte in &mut bytes {
            let (high, low) = (digits.next().flatten(), digits.next().flatten());
            let (Some(high), Some(low)) = (high, low) else { return Err(BadFingerprint) };
            *byte = (high << 4 | low) as u8;
        }
        if digits.next().is_some() { Err(BadFingerprint) } else { Ok(Self(bytes)) }
    }
}

impl Serialize for Fingerprint {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Fingerprint {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_key_is_made_once_kept_and_private() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("identity/device-key.pem");
        let made = DeviceKey::load_or_make(&path).expect("made").fingerprint();
        assert_eq!(DeviceKey::load_or_make(&path).expect("read").fingerprint(), made);
        let mode = std::fs::metadata(&path).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_ne!(DeviceKey::make().expect("another").fingerprint(), made);
    }

    #[test]
    fn a_damaged_key_is_refused_and_never_replaced() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("device-key.pem");
        for damage in ["", "nonsense", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"] {
            std::fs::write(&path, damage).expect("written");
            let error = DeviceKey::load_or_make(&path).expect_err("refused").to_string();
            assert!(error.contains("device-key.pem") && !error.contains('\n'), "{error}");
            assert_eq!(std::fs::read_to_string(&path).expect("there"), damage);
        }
    }

    #[test]
    fn a_fingerprint_is_read_as_people_write_it() {
        let fingerprint = DeviceKey::make().expect("made").fingerprint();
        let text = fingerprint.to_string();
        assert_eq!(text.len(), 64 + 15);
        for written in [text.clone(), text.replace(' ', ""), text.replace(' ', ":").to_uppercase()] {
            assert_eq!(written.parse(), Ok(fingerprint), "{written}");
        }
        for wrong in ["", "12", &text[1..], &format!("{text}0"), &text.replace(' ', "x")] {
            assert_eq!(wrong.parse::<Fingerprint>(), Err(BadFingerprint), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_fingerprint_or_is_refused(text in "\\PC*") {
            if let Ok(fingerprint) = text.parse::<Fingerprint>() {
                prop_assert_eq!(fingerprint.to_string().parse(), Ok(fingerprint));
            }
        }
    }
}
