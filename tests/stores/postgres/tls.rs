//! The degrees of trust of `sslmode`, on a server with a certificate of an authority of our own.

use std::path::PathBuf;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tower_user_metadata::store::{MetadataStore, PostgresStore};
use tower_user_metadata::{ConfigError, StoreErrorKind};

use super::{json, put};
use crate::servers::postgres::Postgres;

/// A server that offers TLS for `localhost`, and the files of its authority and of another one.
pub(super) async fn server() -> Option<(Postgres, PathBuf, PathBuf)> {
    let authority = || {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).expect("a certificate");
        (Issuer::new(params, key), armoured("CERTIFICATE", certificate.der()))
    };
    let (issuer, ours) = authority();
    let (_, others) = authority();
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
    let certificate = params.signed_by(&key, &issuer).expect("a certificate");
    let files = [
        ("server.crt", armoured("CERTIFICATE", certificate.der())),
        ("server.key", armoured("PRIVATE KEY", &key.serialize_der())),
        ("ca.pem", ours),
        ("other.pem", others),
    ];
    let server =
        Postgres::start_with_files(&["ssl=on", "ssl_cert_file=../server.crt", "ssl_key_file=../server.key"], &files)
            .await?;
    let path = |name: &str| server.directory.path().join(name);
    let (ours, others) = (path("ca.pem"), path("other.pem"));
    Some((server, ours, others))
}

fn armoured(tag: &str, der: &[u8]) -> String {
    pem::encode(&pem::Pem::new(tag, der))
}

#[tokio::test(flavor = "multi_thread")]
async fn each_degree_of_trust_is_what_it_says() {
    let Some((server, ours, others)) = server().await else { return };
    let stranger = server.stranger().await;
    let by_address = server.url();
    let by_name = by_address.replace("127.0.0.1", "localhost");
    let (ours, others) = (ours.display(), others.display());
    let encrypted = "SELECT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
        WHERE application_name = 'tower-user-metadata'";
    for (url, query, tls) in [
        (&by_address, String::new(), true),
        (&by_address, "?sslmode=disable".to_owned(), false),
        (&by_address, "?sslmode=prefer".to_owned(), true),
        (&by_address, "?sslmode=require&channel_binding=require".to_owned(), true),
        (&by_address, format!("?sslmode=verify-ca&sslrootcert={ours}"), true),
        (&by_name, format!("?sslmode=verify-full&sslrootcert={ours}"), true),
    ] {
        let store = PostgresStore::connect(&format!("{url}{query}")).await.unwrap_or_else(|e| panic!("{query}: {e:?}"));
        put(&store, "alice", r#"{"a":1}"#).await.expect("written");
        assert_eq!(json(&store, "alice").await.as_deref(), Some(r#"{"a":1}"#));
        let rows = stranger.query(encrypted, &[]).await.expect("rows");
        assert!(!rows.is_empty() && rows.iter().all(|row| row.get::<_, bool>(0) == tls), "{query}");
        store.close().await;
        while !stranger.query(encrypted, &[]).await.expect("rows").is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    }
    for (url, query) in [
        (&by_name, format!("?sslmode=verify-full&sslrootcert={others}")),
        (&by_name, "?sslmode=verify-full".to_owned()),
        (&by_address, format!("?sslmode=verify-full&sslrootcert={ours}")),
        (&by_address, format!("?sslmode=verify-ca&sslrootcert={others}")),
        (&by_address, format!("?sslmode=require&sslrootcert={others}")),
    ] {
        let refused = PostgresStore::connect(&format!("{url}{query}")).await;
        let Err(ConfigError::Store(error)) = refused else { panic!("{query}: {refused:?}") };
        assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{query}");
        let cause = format!("{error:?}");
        assert!(cause.contains("invalid peer certificate"), "{query}: {cause}");
        assert!(!cause.contains(&server.password), "{query}: {cause}");
    }
    for file in ["/nowhere.pem", "/etc/hostname"] {
        let refused = PostgresStore::connect(&format!("{by_name}?sslmode=verify-full&sslrootcert={file}")).await;
        assert!(matches!(refused, Err(ConfigError::RootCertificate { .. })), "{file}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_is_not_given_up_where_it_is_required() {
    let Some(server) = Postgres::start(&[]).await else { return };
    for mode in ["require", "verify-ca", "verify-full"] {
        let refused = PostgresStore::connect(&format!("{}?sslmode={mode}", server.url())).await;
        assert!(matches!(refused, Err(ConfigError::Store(_))), "{mode}: {refused:?}");
    }
    PostgresStore::connect(&format!("{}?sslmode=prefer", server.url())).await.expect("without TLS");
}
