//! The table, and servers that the store does not work with.

use std::net::Ipv4Addr;

use mysql_async::prelude::Queryable;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tower_user_metadata::ConfigError;
use tower_user_metadata::store::{MariadbStore, StoreErrorKind};

use super::{cause, json, put};
use crate::servers::mariadb::Mariadb;

#[tokio::test(flavor = "multi_thread")]
async fn the_table_is_made_once_or_refused() {
    let Some(server) = Mariadb::start(&["--max-allowed-packet=1M"]).await else { return };
    let mut stranger = server.stranger().await;

    let error =
        MariadbStore::options().with_schema_made_elsewhere().connect(&server.url()).await.expect_err("no table");
    assert!(matches!(&error, ConfigError::Store(error) if error.kind() == StoreErrorKind::Unsupported), "{error:?}");
    stranger.query_drop(MariadbStore::schema_sql()).await.expect("the table is made");
    let store = MariadbStore::options().with_schema_made_elsewhere().connect(&server.url()).await.expect("opened");
    put(&store, "alice", "{}").await.expect("written");

    stranger.query_drop("DROP TABLE tower_user_metadata").await.expect("dropped");
    let openings: Vec<_> = (0..8)
        .map(|_| {
            let url = server.url();
            tokio::spawn(async move { MariadbStore::connect(&url).await.expect("opened") })
        })
        .collect();
    for opening in openings {
        assert_eq!(json(&opening.await.expect("no panic"), "alice").await, None);
    }
    put(&store, "alice", r#"{"a":1}"#).await.expect("written");

    stranger.query_drop("ALTER TABLE tower_user_metadata COMMENT = 'tower-user-metadata schema 7'").await.expect("set");
    let error = MariadbStore::connect(&server.url()).await.expect_err("a newer table");
    assert!(matches!(error, ConfigError::NewerSchema { found: 7, known: 2 }), "{error:?}");
    for comment in ["", "users", "tower-user-metadata schema 0", "tower-user-metadata schema 1b"] {
        stranger.query_drop(format!("ALTER TABLE tower_user_metadata COMMENT = '{comment}'")).await.expect("set");
        let error = MariadbStore::connect(&server.url()).await.expect_err("somebody else's table");
        assert!(matches!(&error, ConfigError::Store(error) if cause(error).contains("did not make")), "{error:?}");
    }
    assert_eq!(json(&store, "alice").await.as_deref(), Some(r#"{"a":1}"#), "it was left as it is");

    let limits = tower_user_metadata::Limits::default().with_document_bytes(400_000);
    let error = MariadbStore::options().with_limits(limits).connect(&server.url()).await.expect_err("small packets");
    assert!(matches!(&error, ConfigError::Store(error) if cause(error).contains("max_allowed_packet")), "{error:?}");

    a_damaged_document_is_an_error_and_not_no_document(&server).await;
}

async fn a_damaged_document_is_an_error_and_not_no_document(server: &Mariadb) {
    let mut stranger = server.stranger().await;
    stranger.query_drop("ALTER TABLE tower_user_metadata COMMENT = 'tower-user-metadata schema 2'").await.expect("set");
    let store = MariadbStore::connect(&server.url()).await.expect("opened");
    for damaged in ["", "null", "{", r#"{"a":1,"a":2}"#] {
        stranger.exec_drop("UPDATE tower_user_metadata SET document = ?", (damaged,)).await.expect("written");
        let error = tower_user_metadata::store::MetadataStore::get(&store, &super::user("alice")).await;
        assert_eq!(error.expect_err("damaged").kind(), StoreErrorKind::Corrupt, "{damaged}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_mariadb_is_refused() {
    for version in ["--version=8.0.36", "--version=10.4.33-MariaDB"] {
        let Some(server) = Mariadb::start(&[version]).await else { return };
        let error = MariadbStore::connect(&server.url()).await.expect_err("a server without RETURNING");
        assert!(matches!(&error, ConfigError::Store(error) if cause(error).contains("MySQL lacks")), "{error:?}");
    }
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        loop {
            let (mut client, _) = listener.accept().await.expect("a client");
            // Not the protocol of any database.
            client.write_all(b"\x05\x00\x00\x00hello").await.expect("sent");
        }
    });
    let error = MariadbStore::connect(&format!("mysql://u@127.0.0.1:{port}/app")).await.expect_err("no database");
    assert!(matches!(&error, ConfigError::Store(_)), "{error:?}");
}
