//! The box's own certificate, made at the first start and kept: browsers that have accepted it once know the box again.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use platform::Fingerprint;
use rcgen::{CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair, SanType};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

const KEY_FILE: &str = "tls-key.pem";
const CERTIFICATE_FILE: &str = "tls-certificate.pem";

/// What went wrong with the certificate.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("cannot make a certificate for {serial}: {source}")]
    Make { serial: String, source: rcgen::Error },
    #[error("cannot write {path}: {source}")]
    Write { path: PathBuf, source: io::Error },
    #[error(
        "cannot read {path}: {reason}; remove both {KEY_FILE} and {CERTIFICATE_FILE} to have new ones made"
    )]
    Read { path: PathBuf, reason: String },
    #[error("key and certificate in {folder} do not serve: {source}; remove both to have new ones made")]
    Use { folder: PathBuf, source: rustls::Error },
}

/// TLS settings of the server from `folder`, where key and certificate are made if both are absent; and the certificate's
/// fingerprint, for those who pin it.
///
/// # Errors
/// Files that cannot be read or written, or that do not belong together.
pub fn server_config(folder: &Path, serial: &str) -> Result<(ServerConfig, Fingerprint), TlsError> {
    let (key_path, certificate_path) = (folder.join(KEY_FILE), folder.join(CERTIFICATE_FILE));
    if !key_path.exists() && !certificate_path.exists() {
        make(folder, serial)?;
    }
    let read = |path: &Path, reason: rustls::pki_types::pem::Error| TlsError::Read {
        path: path.to_owned(),
        reason: reason.to_string(),
    };
    let certificates = CertificateDer::pem_file_iter(&certificate_path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| read(&certificate_path, error))?;
    let key = PrivateKeyDer::from_pem_file(&key_path).map_err(|error| read(&key_path, error))?;
    let unusable = |source| TlsError::Use { folder: folder.to_owned(), source };
    // A server without any is refused below.
    let fingerprint = Fingerprint::of(certificates.first().map_or(&[][..], |own| own.as_ref()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(unusable)?
        .with_no_client_auth()
        .with_single_cert(certificates, key)
        .map_err(unusable)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok((config, fingerprint))
}

/// Valid for as long as X.509 can say: a box whose clock has died must still be reached to set it.
fn make(folder: &Path, serial: &str) -> Result<(), TlsError> {
    let failed = |source| TlsError::Make { serial: serial.to_owned(), source };
    let key = KeyPair::generate().map_err(failed)?;
    let names = vec![format!("hookline-{}.local", serial.to_lowercase()), "localhost".to_owned()];
    let mut params = CertificateParams::new(names).map_err(failed)?;
    params.subject_alt_names.push(SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)));
    params.subject_alt_names.push(SanType::IpAddress(IpAddr::V6(Ipv6Addr::LOCALHOST)));
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, serial);
    params.distinguished_name.push(DnType::OrganizationName, "Hookline");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let certificate = params.self_signed(&key).map_err(failed)?;
    fs::create_dir_all(folder).map_err(|source| TlsError::Write { path: folder.to_owned(), source })?;
    // The certificate first: a power cut in between leaves no key without one.
    write(&folder.join(CERTIFICATE_FILE), certificate.pem().as_bytes(), 0o644)?;
    write(&folder.join(KEY_FILE), key.serialize_pem().as_bytes(), 0o600)
}

/// Appears complete or not at all, and never readable to more people than `mode` says.
fn write(path: &Path, bytes: &[u8], mode: u32) -> Result<(), TlsError> {
    let temporary = path.with_extension("tmp");
    let written = || -> io::Result<()> {
        let _ = fs::remove_file(&temporary);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, path)?;
        match path.parent() {
            Some(folder) => fs::File::open(folder)?.sync_all(),
            None => Ok(()),
        }
    };
    written().map_err(|source| TlsError::Write { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    const SERIAL: &str = "HKLN-01121571897162";

    #[test]
    fn key_and_certificate_are_made_once_and_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        let (_, fingerprint) = server_config(folder.path(), SERIAL).expect("made");
        let certificate = fs::read(folder.path().join(CERTIFICATE_FILE)).expect("there");
        let der = CertificateDer::from_pem_slice(&certificate).expect("a certificate");
        assert!(der.windows(SERIAL.len()).any(|bytes| bytes == SERIAL.as_bytes()), "the serial stands in it");
        assert_eq!(fingerprint, Fingerprint::of(&der));
        let mode = fs::metadata(folder.path().join(KEY_FILE)).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        server_config(folder.path(), SERIAL).expect("read again");
        assert_eq!(fs::read(folder.path().join(CERTIFICATE_FILE)).expect("there"), certificate);
    }

    #[test]
    fn damaged_files_are_refused_in_one_sentence_and_never_replaced() {
        let folder = tempfile::tempdir().expect("a folder");
        server_config(folder.path(), SERIAL).expect("made");
        let key_path = folder.path().join(KEY_FILE);
        for damage in ["", "nonsense", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"] {
            fs::write(&key_path, damage).expect("written");
            let error = server_config(folder.path(), SERIAL).expect_err("refused").to_string();
            assert!(error.contains("remove both") && !error.contains('\n'), "{error}");
            assert_eq!(fs::read_to_string(&key_path).expect("there"), damage);
        }
        fs::remove_file(&key_path).expect("removed");
        assert!(matches!(server_config(folder.path(), SERIAL), Err(TlsError::Read { .. })));
    }
}
