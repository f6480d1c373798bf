//! TLS by rustls, with the degrees of trust that libpq knows.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::{ConfigError, tls};

/// Who may be on the other side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// Whoever answers: safe from those who only listen.
    Anybody,
    /// Who has a certificate of the authorities, for whatever name.
    Signed,
    /// Who has a certificate of the authorities for the name of the host.
    Named,
}

/// Where the authorities come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Roots {
    System,
    File(PathBuf),
}

/// What makes a connection one of TLS, where the server offers that or the URL demands it.
pub(super) fn connector(
    trust: Trust,
    roots: &Roots,
    certificates: &[Vec<u8>],
) -> Result<MakeRustlsConnect, ConfigError> {
    if trust == Trust::Anybody && !certificates.is_empty() {
        let problem =
            "the URL says neither `sslmode=verify-full` nor `verify-ca`, so no certificate would be looked at";
        return Err(ConfigError::StoreOption { option: "with_root_certificate", problem });
    }
    let provider = tls::provider()?;
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|_| ConfigError::StoreUrl { problem: "there is no version of TLS" })?;
    let verifier = |roots| Arc::new(Verifier { roots, provider });
    let config = match trust {
        Trust::Named => config.with_root_certificates(load(roots, certificates)?),
        Trust::Signed => {
            config.dangerous().with_custom_certificate_verifier(verifier(Some(load(roots, certificates)?)))
        }
        Trust::Anybody => config.dangerous().with_custom_certificate_verifier(verifier(None)),
    };
    let mut config = config.with_no_client_auth();
    // Demanded by `sslnegotiation=direct`.
    config.alpn_protocols = vec![b"postgresql".to_vec()];
    Ok(MakeRustlsConnect::new(config))
}

fn load(roots: &Roots, certificates: &[Vec<u8>]) -> Result<RootCertStore, ConfigError> {
    let invalid = |problem| ConfigError::RootCertificate { problem };
    let mut store = RootCertStore::empty();
    match roots {
        Roots::System => {
            store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
        Roots::File(path) => {
            let certificates = CertificateDer::pem_file_iter(path);
            for certificate in certificates.map_err(|_| invalid("the file of `sslrootcert` cannot be read"))? {
                let certificate = certificate.map_err(|_| invalid("the file of `sslrootcert` is not PEM"))?;
                store.add(certificate).map_err(|_| invalid("a certificate of `sslrootcert` is malformed"))?;
            }
        }
    }
    for pem in certificates {
        let before = store.len();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|_| invalid("what `with_root_certificate` was given is not PEM"))?;
            store.add(certificate).map_err(|_| invalid("a certificate of `with_root_certificate` is malformed"))?;
        }
        if store.len() == before {
            return Err(invalid("what `with_root_certificate` was given has no certificate in PEM"));
        }
    }
    if store.is_empty() { Err(invalid("there is none")) } else { Ok(store) }
}

/// Certificates of no particular name: of these authorities, or of anybody. That the other side has the key of its
/// certificate is always checked.
#[derive(Debug)]
struct Verifier {
    roots: Option<RootCertStore>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if let Some(roots) = &self.roots {
            let certificate = ParsedCertificate::try_from(certificate)?;
            let algorithms = self.provider.signature_verification_algorithms.all;
            verify_server_cert_signed_by_trust_anchor(&certificate, roots, intermediates, now, algorithms)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
