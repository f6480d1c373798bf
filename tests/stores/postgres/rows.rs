//! The table as others see it.

use std::time::{Duration, Instant};

use deadpool_postgres::{Manager, Pool};
use tokio_postgres::NoTls;
use tower_user_metadata::store::{self, MetadataStore, Namespace, PostgresStore, StoreErrorKind};
use tower_user_metadata::{Precondition, Version};

use super::{code, json, put, update, user};
use crate::servers::postgres::Postgres;

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_of_the_application_is_used_and_left_open() {
    let Some(server) = Postgres::start(&[]).await else { return };
    let manager = Manager::new(server.url().parse().expect("a URL"), NoTls);
    let pool = Pool::builder(manager).max_size(1).build().expect("a pool");
    let store = PostgresStore::new(pool.clone());
    put(&store, "alice", r#"{"a":1}"#).await.expect("written");
    store.close().await;
    store.close().await;
    let error = store.get(&user("alice")).await.expect_err("closed");
    assert_eq!(error.kind(), StoreErrorKind::Closed);
    assert_eq!(put(&store, "alice", "{}").await.expect_err("closed").kind(), StoreErrorKind::Closed);

    let rows = pool.get().await.expect("an open pool").query("SELECT * FROM tower_user_metadata", &[]).await;
    assert_eq!(rows.expect("a table").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_waits_for_what_is_under_way() {
    let Some(server) = Postgres::start(&[]).await else { return };
    let store = store::connect(&server.url()).await.expect("opened");
    let opened = PostgresStore::connect(&server.url().replace("postgres://", "postgresql://")).await.expect("opened");
    assert!(!format!("{opened:?}").contains("tester"));
    let updates: Vec<_> = (0..50)
        .map(|n| {
            let (opened, id) = (opened.clone(), user(&format!("user{n}")));
            tokio::spawn(async move { opened.update(&id, &update(r#"{"a":1}"#), &Precondition::None).await })
        })
        .collect();
    tokio::task::yield_now().await;
    opened.close().await;
    for (n, update) in updates.into_iter().enumerate() {
        let outcome = update.await.expect("no panic");
        let stored = store.get(&user(&format!("user{n}"))).await.expect("read");
        match outcome {
            Ok(record) => assert_eq!(stored, Some(record)),
            Err(error) => {
                assert_eq!((error.kind(), error.may_have_happened()), (StoreErrorKind::Closed, false));
                assert_eq!(stored, None);
            }
        }
    }
    let stranger = server.stranger().await;
    let connected = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'tower-user-metadata'";
    let begin = Instant::now();
    // `store` has one connection, since it never did two things at once.
    while stranger.query_one(connected, &[]).await.expect("a count").get::<_, i64>(0) > 1 {
        assert!(begin.elapsed() < Duration::from_secs(10), "connections stay open");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_and_bounds_by_hand_are_taken_and_damage_is_told() {
    let Some(server) = Postgres::start(&[]).await else { return };
    let store = PostgresStore::connect(&server.url()).await.expect("opened");
    let stranger = server.stranger().await;
    let by_hand = |id: &str, document: &str| {
        format!(
            "INSERT INTO tower_user_metadata (namespace, user_id, version, document)
            VALUES ('public', '{id}', -2, '{document}')"
        )
    };
    stranger.batch_execute(&by_hand("hand", r#"{"b": [1, 2], "a": null}"#)).await.expect("inserted");
    let record = store.get(&user("hand")).await.expect("read").expect("a document");
    assert_eq!(record.metadata.to_json(), r#"{"a":null,"b":[1,2]}"#);
    assert_eq!(record.version, Version::from_bits(u64::MAX - 1));
    put(&store, "hand", r#"{"c":1e2}"#).await.expect("weighed and written");
    assert_eq!(json(&store, "hand").await.as_deref(), Some(r#"{"a":null,"b":[1,2],"c":100}"#));
    let bounds = "SELECT max_bytes, max_fields FROM tower_user_metadata WHERE user_id = 'hand'";
    let bounds = stranger.query_one(bounds, &[]).await.expect("a row");
    assert!(bounds.get::<_, i32>(0) < 100 && bounds.get::<_, i32>(1) == 3);

    stranger.batch_execute(&by_hand("array", "[1]")).await.expect("inserted");
    let users = [user("hand"), user("array")];
    let (good, bad, both) = tokio::join!(store.get(&users[0]), store.get(&users[1]), store.get_many(&users));
    assert!(good.expect("read").is_some());
    for error in [bad.expect_err("damaged"), both.expect_err("damaged")] {
        assert_eq!((error.kind(), error.may_have_happened()), (StoreErrorKind::Corrupt, false));
    }
    let error = put(&store, "array", r#"{"b":1}"#).await.expect_err("damaged");
    assert_eq!((error.kind(), error.may_have_happened()), (StoreErrorKind::Internal, false));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_session_forgets_is_said_again() {
    let Some(server) = Postgres::start(&[]).await else { return };
    let store = PostgresStore::options().with_pool_size(1).connect(&server.url()).await.expect("opened");
    put(&store, "alice", r#"{"a":1}"#).await.expect("written");
    let stranger = server.stranger().await;
    // The plans of prepared statements no longer fit.
    let change = "ALTER TABLE tower_user_metadata ALTER document TYPE json;
        ALTER TABLE tower_user_metadata ALTER document TYPE jsonb";
    stranger.batch_execute(change).await.expect("changed");
    assert_eq!(json(&store, "alice").await.as_deref(), Some(r#"{"a":1}"#));
    put(&store, "alice", r#"{"b":2}"#).await.expect("written");

    stranger.batch_execute("DROP TABLE tower_user_metadata").await.expect("dropped");
    let error = put(&store, "alice", r#"{"c":3}"#).await.expect_err("no table");
    assert_eq!((error.kind(), error.may_have_happened()), (StoreErrorKind::Internal, false));
    assert_eq!(code(&error), "SQLSTATE 42P01, a table is missing");
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_are_bytes_whatever_the_database_sorts_by() {
    let Some(server) = Postgres::start(&[]).await else { return };
    let stranger = server.stranger().await;
    // A collation for which case and accents do not count could make one user of several.
    stranger
        .batch_execute(
            "CREATE DATABASE other TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en-u-ks-level1' LOCALE 'C'",
        )
        .await
        .expect("created");
    let url = server.url().replace("/postgres?", "/other?").replace("/postgres", "/other");
    let store = PostgresStore::options()
        .with_namespace(Namespace::new("A").expect("a name"))
        .connect(&url)
        .await
        .expect("opened");
    let ids = ["a", "A", "\u{e4}", "a\u{308}", "a b", "ab"].map(user);
    for (n, id) in ids.iter().enumerate() {
        let record = store.update(id, &update(&format!(r#"{{"n":{n}}}"#)), &Precondition::Absent).await;
        record.unwrap_or_else(|error| panic!("{n}: {error}"));
    }
    let found = store.get_many(&ids).await.expect("read");
    for (n, record) in found.into_iter().enumerate() {
        assert_eq!(record.expect("a document").metadata.get::<usize>("n").expect("a number"), Some(n));
    }
}
