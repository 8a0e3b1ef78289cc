//! Who this box is: its serial number (ST-16), written at manufacture or made at the first start.

use std::path::PathBuf;

use recording::DataDir;
use recording::write_atomically;

#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    #[error("{path}: the serial number cannot be read or written: {source}")]
    Io { path: PathBuf, source: std::io::Error },
    #[error("{path}: {text:?} is no serial number, expected such as HKLN-01121571897162")]
    Malformed { path: PathBuf, text: String },
}

const PREFIX: &str = "HKLN";
const DIGITS: usize = 14;

/// The serial number kept in `identity/serial`, made now if there is none.
pub fn serial(data: &DataDir) -> Result<String, IdentityError> {
    let path = data.path().join("identity/serial");
    match std::fs::read_to_string(&path) {
        Ok(text) if is_serial(text.trim()) => Ok(text.trim().to_owned()),
        Ok(text) => Err(IdentityError::Malformed { path, text: text.chars().take(64).collect() }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let io = |source| IdentityError::Io { path: path.clone(), source };
            let serial = new_serial().map_err(io)?;
            write_atomically(&path, format!("{serial}\n").as_bytes()).map_err(io)?;
            Ok(serial)
        }
        Err(source) => Err(IdentityError::Io { path, source }),
    }
}

/// A prefix, a dash and 14 digits.
fn is_serial(text: &str) -> bool {
    text.split_once('-').is_some_and(|(prefix, digits)| {
        !prefix.is_empty()
            && prefix.len() <= 8
            && prefix.bytes().all(|b| b.is_ascii_uppercase())
            && digits.len() == DIGITS
            && digits.bytes().all(|b| b.is_ascii_digit())
    })
}

fn new_serial() -> std::io::Result<String> {
    use std::io::Read;
    let mut random = [0; 8];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut random)?;
    let number = u64::from_le_bytes(random) % 10_u64.pow(DIGITS as u32);
    Ok(format!("{PREFIX}-{number:0DIGITS$}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_made_serial_is_one_and_stays() {
        let dir = tempfile::tempdir().expect("a folder");
        let data = DataDir::open(dir.path()).expect("opens");
        let first = serial(&data).expect("made");
        assert!(is_serial(&first), "{first}");
        assert_eq!(serial(&data).expect("read"), first);
        std::fs::write(dir.path().join("identity/serial"), "../../x").expect("written");
        assert!(matches!(serial(&data), Err(IdentityError::Malformed { .. })));
    }

    #[test]
    fn serials_have_one_form() {
        for (text, good) in [
            ("HKLN-01121571897162", true),
            ("HKLN-0112157189716", false),
            ("hkln-01121571897162", false),
            ("HKLN_01121571897162", false),
            ("HKLN-0112157189716x", false),
            ("", false),
        ] {
            assert_eq!(is_serial(text), good, "{text}");
        }
    }
}
