//! Who this box is: its serial number (ST-16), written at manufacture or made at the first start, and its role.

use std::path::PathBuf;

use recording::DataDir;
use recording::write_atomically;

#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    #[error("{path}: the serial number cannot be read or written: {source}")]
    Io { path: PathBuf, source: std::io::Error },
    #[error("{path}: {text:?} is no serial number, expected such as HKLN-01121571897162")]
    Malformed { path: PathBuf, text: String },
    #[error("{path} is the data folder of a {found}, not of a {asked}: choose another folder")]
    OtherRole { path: PathBuf, found: String, asked: &'static str },
}

/// What a box does; its data folder is no other's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Station,
    Platform,
}

impl Role {
    fn name(self) -> &'static str {
        match self {
            Self::Station => "station",
            Self::Platform => "platform",
        }
    }

    /// In front of the serial numbers that are made here.
    fn prefix(self) -> &'static str {
        match self {
            Self::Station => "HKLN",
            Self::Platform => "HKLP",
        }
    }
}

const ROLE: &str = "identity/role";
const SERIAL: &str = "identity/serial";
const DIGITS: usize = 14;

/// The role of a data folder. One without a mark is a station's: those of the first release bear none.
///
/// # Errors
/// The mark cannot be read.
pub fn role(data: &DataDir) -> Result<Role, IdentityError> {
    let path = data.path().join(ROLE);
    match std::fs::read_to_string(&path) {
        Ok(text) if text.trim() == Role::Platform.name() => Ok(Role::Platform),
        Ok(text) if text.trim() == Role::Station.name() => Ok(Role::Station),
        Ok(text) => {
            let found = text.trim().chars().take(64).collect();
            Err(IdentityError::OtherRole { path: data.path().into(), found, asked: "station or platform" })
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Role::Station),
        Err(source) => Err(IdentityError::Io { path, source }),
    }
}

/// The serial number kept in `identity/serial`, made now if there is none; the folder is `role`'s from then on.
///
/// # Errors
/// Another role's folder, a serial number that is none, a disk that refuses.
pub fn serial(data: &DataDir, role: Role) -> Result<String, IdentityError> {
    let path = data.path().join(SERIAL);
    let io = |source| IdentityError::Io { path: path.clone(), source };
    match std::fs::read_to_string(&path) {
        Ok(text) => {
            let found = self::role(data)?;
            if found != role {
                let (path, found) = (data.path().into(), found.name().into());
                return Err(IdentityError::OtherRole { path, found, asked: role.name() });
            }
            let text = text.trim();
            if !is_serial(text) {
                return Err(IdentityError::Malformed { path, text: text.chars().take(64).collect() });
            }
            Ok(text.to_owned())
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            // The mark first: a folder with a serial number has one, but for those of the first release.
            write_atomically(&data.path().join(ROLE), format!("{}\n", role.name()).as_bytes()).map_err(io)?;
            let serial = new_serial(role.prefix()).map_err(io)?;
            write_atomically(&path, format!("{serial}\n").as_bytes()).map_err(io)?;
            Ok(serial)
        }
        Err(source) => Err(io(source)),
    }
}

/// A prefix, a dash and 14 digits.
pub fn is_serial(text: &str) -> bool {
    text.split_once('-').is_some_and(|(prefix, digits)| {
        !prefix.is_empty()
            && prefix.len() <= 8
            && prefix.bytes().all(|b| b.is_ascii_uppercase())
            && digits.len() == DIGITS
            && digits.bytes().all(|b| b.is_ascii_digit())
    })
}

fn new_serial(prefix: &str) -> std::io::Result<String> {
    use std::io::Read;
    let mut random = [0; 8];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut random)?;
    let number = u64::from_le_bytes(random) % 10_u64.pow(DIGITS as u32);
    Ok(format!("{prefix}-{number:0DIGITS$}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_made_serial_is_one_and_stays() {
        let dir = tempfile::tempdir().expect("a folder");
        let data = DataDir::open(dir.path()).expect("opens");
        let first = serial(&data, Role::Station).expect("made");
        assert!(is_serial(&first), "{first}");
        assert_eq!(serial(&data, Role::Station).expect("read"), first);
        std::fs::write(dir.path().join("identity/serial"), "../../x").expect("written");
        assert!(matches!(serial(&data, Role::Station), Err(IdentityError::Malformed { .. })));
    }

    #[test]
    fn a_folder_belongs_to_one_role_and_an_old_one_to_a_station() {
        let dir = tempfile::tempdir().expect("a folder");
        let data = DataDir::open(dir.path()).expect("opens");
        let made = serial(&data, Role::Platform).expect("made");
        assert!(made.starts_with("HKLP-") && role(&data).expect("read") == Role::Platform, "{made}");
        let error = serial(&data, Role::Station).expect_err("a platform's");
        assert!(error.to_string().contains("data folder of a platform"), "{error}");
        std::fs::remove_file(dir.path().join(ROLE)).expect("it was there");
        assert_eq!(role(&data).expect("read"), Role::Station);
        assert!(matches!(serial(&data, Role::Platform), Err(IdentityError::OtherRole { .. })));
        std::fs::write(dir.path().join(ROLE), "toaster").expect("written");
        assert!(serial(&data, Role::Station).is_err());
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
