//! A key server that speaks TLS.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio_rustls::TlsAcceptor;
use tower_user_metadata::ConfigError;
use tower_user_metadata::session::keys::{Algorithm, Jwks, JwksBuilder};

use crate::keys::{Key, set, verifier, verify_at_once};
use crate::server::{Reply, Server};

struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new([]).expect("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("a certificate"))
    }

    fn pem(&self) -> String {
        pem::encode(&pem::Pem::new("CERTIFICATE", self.0.der().to_vec()))
    }

    /// A server with a certificate for this name.
    async fn server(&self, name: &str, reply: Reply) -> Server {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new([name.to_owned()]).expect("parameters");
        let certificate = params.signed_by(&key, &self.0).expect("a certificate");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::try_from(key.serialize_der()).expect("a key"),
            )
            .expect("a certificate");
        Server::start_with(reply, Some(TlsAcceptor::from(Arc::new(config)))).await
    }
}

fn builder(server: &Server) -> JwksBuilder {
    Jwks::builder([Algorithm::EdDSA]).with_url(format!("https://localhost:{}/jwks.json", server.address.port()))
}

#[tokio::test]
async fn a_private_authority_is_trusted_when_given_and_not_else() {
    let (ours, other) = (Authority::new(), Authority::new());
    let key = Key::new("a");
    let server = ours.server("localhost", Reply::keys(set([&key]))).await;

    let jwks = builder(&server).with_root_certificate(ours.pem()).build().await.expect("keys");
    assert_eq!(verify_at_once(&verifier(&jwks), &key.token()), Ok(()));
    assert_eq!(server.requests().len(), 1);
    let both = format!("{}{}", other.pem(), ours.pem());
    assert!(builder(&server).with_root_certificate(both).build().await.is_ok());

    for builder in [builder(&server), builder(&server).with_root_certificate(other.pem())] {
        let error = builder.build().await.expect_err("not trusted");
        let told = matches!(error, ConfigError::JwksUnavailable(_) | ConfigError::RootCertificate { .. });
        assert!(told, "{error}");
    }
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    let authority = Authority::new();
    let server = authority.server("keys.example.com", Reply::keys("")).await;
    let error = builder(&server).with_root_certificate(authority.pem()).build().await.expect_err("not trusted");
    assert!(matches!(error, ConfigError::JwksUnavailable(_)), "{error}");
    assert_eq!(server.requests().len(), 0);
}
