//! The outer TLS to a station's pages. Their certificate is of the station's own making, so that no authority vouches for
//! it: what counts is its fingerprint, and that the handshake's signature fits it. Dates and names say nothing.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, IpAddr, Ipv4Addr, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use uplink::Fingerprint;

use super::trouble::Trouble;

/// Shakes hands, and says by which certificate.
///
/// # Errors
/// `NoTls`; `OtherCertificate` when another one is `pinned`: nothing has been said then.
pub(super) async fn secure(
    stream: TcpStream,
    pinned: Option<Fingerprint>,
) -> Result<(TlsStream<TcpStream>, Fingerprint), Trouble> {
    let failed = |error: &dyn std::fmt::Display| Trouble::NoTls(error.to_string());
    let config = config().map_err(|error| failed(&error))?;
    // Never sent: the name only has to be one.
    let nobody = ServerName::IpAddress(IpAddr::V4(Ipv4Addr::from([127, 0, 0, 1])));
    let shaken = TlsConnector::from(Arc::new(config)).connect(nobody, stream).await;
    let stream = shaken.map_err(|error| failed(&error))?;
    let certificate = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
    let found = certificate.map(|der| Fingerprint::of(der)).ok_or_else(|| failed(&"no certificate"))?;
    match pinned {
        Some(pinned) if pinned != found => Err(Trouble::OtherCertificate(found)),
        _ => Ok((stream, found)),
    }
}

fn config() -> Result<ClientConfig, Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = Arc::new(AnyCertificate { provider: provider.clone() });
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    // Only HTTP/1.1 hands a connection over.
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.enable_sni = false;
    Ok(config)
}

/// Checks that the other side holds the key of the certificate that it shows.
#[derive(Debug)]
struct AnyCertificate {
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
