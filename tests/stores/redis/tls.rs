//! TLS, with an authority of our own.

use pem::Pem;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tower_user_metadata::ConfigError;
use tower_user_metadata::store::RedisStore;

use super::{json, printed, put};
use crate::servers::process::free_port;
use crate::servers::redis::Redis;

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new([]).expect("parameters");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("an authority")
}

fn pem(tag: &str, der: &[u8]) -> String {
    pem::encode(&Pem::new(tag, der))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_known_by_its_certificate() {
    let (ours, other) = (authority(), authority());
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(["localhost".to_owned()]).expect("parameters");
    let certificate = params.signed_by(&key, &ours).expect("a certificate");
    let directory = tempfile::tempdir().expect("a directory");
    let file = |name: &str, content: String| {
        let path = directory.path().join(name);
        std::fs::write(&path, content).expect("written");
        path.to_str().expect("a text").to_owned()
    };
    let certificate = file("certificate", pem("CERTIFICATE", certificate.der()));
    let key = file("key", pem("PRIVATE KEY", key.serialized_der()));
    let port = free_port().to_string();
    let arguments =
        ["--tls-port", &port, "--tls-cert-file", &certificate, "--tls-key-file", &key, "--tls-auth-clients", "no"];
    let Some(_redis) = Redis::start(&arguments).await else { return };
    let trusted = pem("CERTIFICATE", ours.der());
    let at = |host: &str| format!("rediss://{host}:{port}");
    let trusting = |pem: String| RedisStore::options().with_root_certificate(pem);

    let store = trusting(trusted.clone()).connect(&at("localhost")).await.expect("opened");
    put(&store, "alice", r#"{"a":1}"#).await.expect("written");
    assert_eq!(json(&store, "alice").await.as_deref(), Some(r#"{"a":1}"#));

    let strange = pem("CERTIFICATE", other.der());
    for (options, host, why) in [
        (trusting(strange), "localhost", "another authority"),
        (RedisStore::options(), "localhost", "the authorities of the system"),
        (trusting(trusted.clone()), "127.0.0.1", "another name"),
    ] {
        let error = options.connect(&at(host)).await.expect_err(why);
        // A system without certificates says so.
        let kind = matches!(error, ConfigError::Store(_) | ConfigError::RootCertificate { .. });
        assert!(kind && printed(&error).contains("certificate"), "{why}: {}", printed(&error));
    }
    // A server without TLS on the other side, and none of it on this one.
    assert!(trusting(trusted).connect(&at("localhost")).await.is_ok());
    assert!(RedisStore::connect(&format!("redis://localhost:{port}")).await.is_err());
}
