//! The token by which the platform may ask this station. It is shown once and kept as its SHA-256: 256 random bits cannot
//! be guessed from that, and the settings file opens nothing.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// What is kept of a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PullToken {
    sha256: String,
    /// Microseconds of UTC since 1970.
    pub made_us: i64,
}

impl PullToken {
    /// A new token, and what is kept of it.
    ///
    /// # Errors
    /// The system has no random numbers to give.
    pub(crate) fn make(now_us: i64) -> std::io::Result<(String, Self)> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(std::io::Error::other)?;
        let token = hex(&bytes);
        let kept = Self { sha256: hex(&Sha256::digest(&token)), made_us: now_us };
        Ok((token, kept))
    }

    pub(super) fn is(&self, token: &str) -> bool {
        let shown = hex(&Sha256::digest(token));
        shown.as_bytes().ct_eq(self.sha256.as_bytes()).into()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_token_itself_fits() {
        let (token, kept) = PullToken::make(5).expect("made");
        let (other, _) = PullToken::make(5).expect("made");
        assert!(token.len() == 64 && token != other);
        assert!(kept.is(&token) && !kept.is(&other) && !kept.is("") && !kept.is(&token[..63]));
        assert!(!kept.is(&kept.sha256), "what is kept opens nothing");
        assert!(!format!("{kept:?}").contains(&token));
    }
}
