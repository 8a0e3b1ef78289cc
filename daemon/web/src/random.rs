//! Secrets and names that nobody can guess.

/// Fills from the operating system.
///
/// # Panics
/// When the operating system has no randomness to give. A box without it must not hand out sessions.
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    if let Err(error) = getrandom::fill(&mut bytes) {
        panic!("the operating system gives no random bytes: {error}");
    }
    bytes
}

/// `N` random bytes as lower-case hexadecimal.
pub fn hex<const N: usize>() -> String {
    to_hex(&bytes::<N>())
}

pub fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Letters and digits that cannot be taken for one another when read aloud or from a screen.
const CLEAR: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// A password of four groups of four clear characters: 80 bits.
pub fn password() -> String {
    let drawn = bytes::<16>();
    let mut text = String::with_capacity(19);
    for (at, byte) in drawn.iter().enumerate() {
        if at > 0 && at % 4 == 0 {
            text.push('-');
        }
        // 256 is a multiple of 32: every character is equally likely.
        text.push(char::from(CLEAR[usize::from(byte % 32)]));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_differ_and_can_be_read_aloud() {
        let (one, other) = (password(), password());
        assert_ne!(one, other);
        assert_eq!(one.len(), 19);
        assert!(one.chars().all(|c| c == '-' || c.is_ascii_digit() || c.is_ascii_lowercase()));
        assert!(!one.contains(['l', 'o', '0', '1']));
    }

    #[test]
    fn hex_has_two_characters_a_byte() {
        assert_eq!(to_hex(&[0, 10, 255]), "000aff");
        assert_eq!(hex::<32>().len(), 64);
    }
}
