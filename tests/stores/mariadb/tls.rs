//! Encrypted connections, and whom they trust.

use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tower_user_metadata::store::MariadbStore;
use tower_user_metadata::{ConfigError, StoreErrorKind};

use super::{json, put};
use crate::servers::mariadb::Mariadb;

/// A server with a certificate for `127.0.0.1`, by an authority of our own; its certificate and that of somebody else are
/// in the folder.
pub(super) async fn server(folder: &Path) -> Option<Mariadb> {
    let file = |name: &str| folder.join(name);
    let authority_key = KeyPair::generate().expect("a key");
    let mut authority = CertificateParams::new([]).expect("parameters");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let certificate = authority.self_signed(&authority_key).expect("signed");
    std::fs::write(file("ca.pem"), pem("CERTIFICATE", certificate.der())).expect("written");
    let key = KeyPair::generate().expect("a key");
    let host = CertificateParams::new(["127.0.0.1".to_owned()]).expect("parameters");
    let host = host.signed_by(&key, &Issuer::new(authority, &authority_key)).expect("signed");
    std::fs::write(file("host.pem"), pem("CERTIFICATE", host.der())).expect("written");
    std::fs::write(file("host.key"), pem("PRIVATE KEY", &key.serialize_der())).expect("written");
    let stranger = rcgen::generate_simple_self_signed(["stranger".to_owned()]).expect("signed");
    std::fs::write(file("stranger.pem"), pem("CERTIFICATE", stranger.cert.der())).expect("written");
    // The server runs as another user.
    let readable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(folder, readable).expect("readable");

    let setting = |option: &str, name: &str| format!("--{option}={}", file(name).display());
    let settings = [setting("ssl-cert", "host.pem"), setting("ssl-key", "host.key")];
    Mariadb::start(&[&settings[0], &settings[1]]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_is_as_strict_as_its_url() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str| folder.path().join(name);
    let Some(server) = server(folder.path()).await else { return };
    let url = |host: &str, parameters: &str| format!("{}?{parameters}", server.url().replace("127.0.0.1", host));
    let ca = |name: &str| format!("ssl-mode=verify-identity&ssl-ca={}", file(name).display());

    let plain = MariadbStore::connect(&server.url()).await.expect("opened");
    put(&plain, "alice", r#"{"a":1}"#).await.expect("written");
    for parameters in ["ssl-mode=required".to_owned(), ca("ca.pem")] {
        let store = MariadbStore::connect(&url("127.0.0.1", &parameters)).await.expect("opened");
        assert_eq!(json(&store, "alice").await.as_deref(), Some(r#"{"a":1}"#));
    }
    // Another authority, those of the system, and another name of the same host.
    for refused in [
        url("127.0.0.1", &ca("stranger.pem")),
        url("127.0.0.1", "ssl-mode=verify-identity"),
        url("localhost", &ca("ca.pem")),
    ] {
        match MariadbStore::connect(&refused).await.expect_err("nobody to trust") {
            ConfigError::Store(error) => assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error:?}"),
            // A system without any certificates.
            error => assert!(matches!(error, ConfigError::RootCertificate { .. }), "{error:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_tls_gets_nothing_in_the_clear() {
    let Some(server) = Mariadb::start(&[]).await else { return };
    let url = format!("{}?ssl-mode=required", server.url());
    let error = MariadbStore::connect(&url).await.expect_err("no TLS");
    assert!(matches!(&error, ConfigError::Store(error) if !error.is_retryable()), "{error:?}");
}

fn pem(label: &str, content: &[u8]) -> String {
    pem::encode(&pem::Pem::new(label, content))
}
