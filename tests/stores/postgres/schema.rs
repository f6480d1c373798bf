//! The schema: made once, looked at, refused.

use tower_user_metadata::ConfigError;
use tower_user_metadata::store::{PostgresStore, StoreErrorKind};

use super::{code, json, put};
use crate::servers::postgres::Postgres;

#[tokio::test(flavor = "multi_thread")]
async fn many_may_make_the_schema_at_once() {
    let Some(server) = Postgres::start(&["default_transaction_isolation=repeatable read"]).await else { return };
    let url = server.url();
    let opening: Vec<_> = (0..8)
        .map(|_| {
            let url = url.clone();
            tokio::spawn(async move { PostgresStore::options().with_pool_size(1).connect(&url).await })
        })
        .collect();
    for opened in opening {
        opened.await.expect("no panic").expect("the store opens");
    }
    let rows = server.stranger().await.query("SELECT version FROM tower_user_metadata_schema", &[]).await;
    assert_eq!(rows.expect("a table").iter().map(|row| row.get::<_, i32>(0)).collect::<Vec<_>>(), [1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_schema_is_refused_and_left_as_it_is() {
    let Some(server) = Postgres::start(&[]).await else { return };
    let store = PostgresStore::connect(&server.url()).await.expect("opened");
    put(&store, "alice", r#"{"a":1}"#).await.expect("written");
    let stranger = server.stranger().await;
    stranger.execute("UPDATE tower_user_metadata_schema SET version = 9", &[]).await.expect("newer");
    for options in [PostgresStore::options(), PostgresStore::options().with_schema_made_elsewhere()] {
        let refused = options.connect(&server.url()).await;
        assert!(matches!(refused, Err(ConfigError::NewerSchema { found: 9, known: 1 })), "{refused:?}");
    }
    let later = PostgresStore::options().with_offline_start().connect(&server.url()).await.expect("not looked at");
    let error = put(&later, "alice", r#"{"a":2}"#).await.expect_err("newer");
    assert_eq!((error.kind(), error.may_have_happened()), (StoreErrorKind::Unsupported, false));
    assert_eq!(code(&error), "schema version 9 is newer than 1, the last that this version of the crate knows");
    // Who looked before goes on: a newer version of the crate keeps what older ones need, or they are stopped first.
    assert_eq!(json(&store, "alice").await.as_deref(), Some(r#"{"a":1}"#));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_made_by_hand_needs_few_rights() {
    let Some(server) = Postgres::start(&[]).await else { return };
    let stranger = server.stranger().await;
    stranger.batch_execute("CREATE ROLE app LOGIN PASSWORD 'app'").await.expect("a role");
    let url = server.url();
    let (_, place) = url.split_once('@').expect("a host");
    let url = format!("postgres://app:app@{place}");

    let made_elsewhere = || PostgresStore::options().with_schema_made_elsewhere().connect(&url);
    let error = made_elsewhere().await.expect_err("no schema");
    let ConfigError::Store(error) = error else { panic!("{error}") };
    assert!(error.to_string().contains("does not offer"), "{error}");
    let error = PostgresStore::connect(&url).await.expect_err("no right to make it");
    let ConfigError::Store(error) = error else { panic!("{error}") };
    assert_eq!(error.kind(), StoreErrorKind::Internal);
    assert!(code(&error).starts_with("SQLSTATE 42501, permission denied"), "{error:?}");

    stranger.batch_execute(&format!("BEGIN; {} COMMIT", PostgresStore::schema_sql())).await.expect("made");
    stranger
        .batch_execute(
            "GRANT SELECT, INSERT, UPDATE, DELETE ON tower_user_metadata TO app;
            GRANT SELECT ON tower_user_metadata_schema TO app",
        )
        .await
        .expect("granted");
    let store = made_elsewhere().await.expect("opened");
    put(&store, "alice", r#"{"a":1}"#).await.expect("written");
    let store = PostgresStore::connect(&url).await.expect("nothing to make");
    assert_eq!(json(&store, "alice").await.as_deref(), Some(r#"{"a":1}"#));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_another_encoding_is_refused() {
    let Some(server) = Postgres::start(&[]).await else { return };
    let stranger = server.stranger().await;
    stranger.batch_execute("CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1'").await.expect("created");
    let ConfigError::Store(error) =
        PostgresStore::connect(&server.url().replace("/postgres", "/latin").replacen("latin://", "postgres://", 1))
            .await
            .expect_err("LATIN1")
    else {
        panic!("another error")
    };
    assert_eq!(code(&error), "the encoding of the database is not UTF8");
}
