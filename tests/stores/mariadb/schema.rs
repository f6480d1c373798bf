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

/// The table as the first version of this crate made it, with what it wrote: a field a line.
const FIRST: &[&str] = &[
    "CREATE TABLE IF NOT EXISTS tower_user_metadata (
    namespace VARBINARY(256) NOT NULL,
    user_id VARBINARY(512) NOT NULL,
    version BIGINT UNSIGNED NOT NULL,
    document LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    PRIMARY KEY (namespace, user_id)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC COMMENT='tower-user-metadata schema 1'",
    "INSERT INTO tower_user_metadata VALUES
        ('public', 'alice', 18446744073709551615, '{\"a\":1e400\n,\"b\":{\"c\":null}\n}'),
        ('shop', 'alice', 2, '{}'),
        ('public', REPEAT(CONVERT(X'F09F9880' USING utf8mb4), 128), 3, '{\"long\":true\n}')",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_table_of_before_is_taken_over_by_all_who_come_at_once() {
    let Some(server) = Mariadb::start(&[]).await else { return };
    let mut stranger = server.stranger().await;
    for statement in FIRST {
        stranger.query_drop(*statement).await.expect("made");
    }
    let url = server.url();
    let elsewhere = || MariadbStore::options().with_schema_made_elsewhere().connect(&url);
    let refused = elsewhere().await.expect_err("it is old");
    assert!(matches!(&refused, ConfigError::Store(error) if cause(error).contains("missing or old")), "{refused:?}");
    assert_eq!(table(&mut stranger).await, ("tower-user-metadata schema 1".to_owned(), 512));

    let openings: Vec<_> = (0..8)
        .map(|n| {
            let url = server.url();
            tokio::spawn(async move {
                let store = MariadbStore::connect(&url).await.expect("opened");
                put(&store, &format!("user{n}"), r#"{"a":1}"#).await.expect("written");
                store
            })
        })
        .collect();
    let mut stores = Vec::new();
    for opening in openings {
        stores.push(opening.await.expect("no panic"));
    }
    assert_eq!(table(&mut stranger).await, ("tower-user-metadata schema 2".to_owned(), 1020));
    let store = &stores[0];
    assert_eq!(json(store, "alice").await.as_deref(), Some(r#"{"a":1e400,"b":{"c":null}}"#));
    assert_eq!(json(store, &"\u{1f600}".repeat(128)).await.as_deref(), Some(r#"{"long":true}"#));
    let merged = put(store, "alice", r#"{"a":null,"d":2}"#).await.expect("written");
    assert_eq!(merged.metadata.to_json(), r#"{"b":{"c":null},"d":2}"#);
    let shop = tower_user_metadata::store::Namespace::new("shop").expect("a name");
    let shop = MariadbStore::options().with_namespace(shop).connect(&server.url()).await.expect("opened");
    assert_eq!(json(&shop, "alice").await.as_deref(), Some("{}"));
    elsewhere().await.expect("it is as new as this version");
}

/// What a store that was opened before does while another takes the table over.
#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_is_running_goes_on_while_the_table_is_taken_over() {
    let Some(server) = Mariadb::start(&[]).await else { return };
    let mut stranger = server.stranger().await;
    let running = MariadbStore::connect(&server.url()).await.expect("opened");
    let back = "ALTER TABLE tower_user_metadata MODIFY user_id VARBINARY(512) NOT NULL, COMMENT='tower-user-metadata schema 1'";
    stranger.query_drop(back).await.expect("as before");
    let over = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let writer = tokio::spawn({
        let (running, over) = (running.clone(), std::sync::Arc::clone(&over));
        async move {
            let mut written = 0_u64;
            while !over.load(std::sync::atomic::Ordering::Relaxed) || written == 0 {
                let document = format!(r#"{{"n":{}}}"#, written + 1);
                put(&running, "alice", &document).await.expect("written");
                written += 1;
            }
            written
        }
    });
    let newer = MariadbStore::connect(&server.url()).await.expect("opened");
    over.store(true, std::sync::atomic::Ordering::Relaxed);
    let written = writer.await.expect("no panic");
    assert_eq!(table(&mut stranger).await, ("tower-user-metadata schema 2".to_owned(), 1020));
    assert_eq!(json(&newer, "alice").await, Some(format!(r#"{{"n":{written}}}"#)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_without_the_right_to_alter_leaves_an_old_table_as_it_is() {
    let Some(server) = Mariadb::start(&[]).await else { return };
    let mut stranger = server.stranger().await;
    for statement in FIRST {
        stranger.query_drop(*statement).await.expect("made");
    }
    for statement in ["CREATE USER app@'%' IDENTIFIED BY 'app'", "GRANT SELECT, INSERT ON app.* TO app@'%'"] {
        stranger.query_drop(statement).await.expect("granted");
    }
    let url = format!("mariadb://app:app@127.0.0.1:{}/app", server.port);
    let refused = MariadbStore::connect(&url).await.expect_err("no right");
    assert!(matches!(&refused, ConfigError::Store(error) if cause(error).contains("1142")), "{refused:?}");
    assert_eq!(table(&mut stranger).await, ("tower-user-metadata schema 1".to_owned(), 512));
    // What its owner runs by hand is enough, also the second time.
    for _ in 0..2 {
        stranger.query_drop(MariadbStore::schema_sql()).await.expect("brought up to date");
        assert_eq!(table(&mut stranger).await, ("tower-user-metadata schema 2".to_owned(), 1020));
    }
    let store = MariadbStore::connect(&url).await.expect("nothing to make");
    assert_eq!(json(&store, "alice").await.as_deref(), Some(r#"{"a":1e400,"b":{"c":null}}"#));
}

/// The comment of the table, and how many bytes an id may have.
async fn table(stranger: &mut mysql_async::Conn) -> (String, u64) {
    let sql = "SELECT table_comment, character_maximum_length FROM information_schema.tables
        JOIN information_schema.columns USING (table_schema, table_name)
        WHERE table_schema = 'app' AND table_name = 'tower_user_metadata' AND column_name = 'user_id'";
    stranger.query_first(sql).await.expect("an answer").expect("a table")
}
