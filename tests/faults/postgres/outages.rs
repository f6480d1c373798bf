//! Servers that are not there: at the start, later, and back again.

use std::time::{Duration, Instant};

use tower_user_metadata::ConfigError;
use tower_user_metadata::store::{MetadataStore, PostgresStore, StoreErrorKind};

use super::{put, recovered, through, user};
use crate::proxy::Proxy;
use crate::servers::postgres::Postgres;

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_down_at_the_start_is_an_error_or_is_waited_for() {
    let Some(mut server) = Postgres::start(&[]).await else { return };
    server.stop();
    let begin = Instant::now();
    let failed = PostgresStore::connect(&server.url()).await;
    let Err(ConfigError::Store(error)) = failed else { panic!("{failed:?}") };
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    assert!(begin.elapsed() < Duration::from_secs(5), "refused is refused, not waited for");

    let store = PostgresStore::options().with_offline_start().connect(&server.url()).await.expect("offline");
    let error = put(&store, "alice", r#"{"a":1}"#).await.expect_err("down");
    assert!(error.is_retryable(), "{error:?}");
    assert!(store.get(&user("alice")).await.expect_err("down").is_retryable());
    assert!(server.run().await, "the server starts");
    put(&store, "alice", r#"{"a":1}"#).await.expect("written, and the schema is made");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_was_restarted_is_found_again() {
    let Some(mut server) = Postgres::start(&[]).await else { return };
    let store = PostgresStore::connect(&server.url()).await.expect("opened");
    let all: Vec<_> = (0..20).map(|n| user(&format!("user{n}"))).collect();
    for round in 0..3 {
        for id in &all {
            put(&store, id.as_str(), &format!(r#"{{"round":{round}}}"#)).await.expect("written");
        }
        server.stop();
        let error = put(&store, "user0", r#"{"lost":true}"#).await.expect_err("down");
        assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error:?}");
        assert_eq!(store.get(&all[0]).await.expect_err("down").kind(), StoreErrorKind::Unavailable);
        assert!(server.run().await, "the server starts");
        // At once: nothing that was lost before stands in the way.
        let found = store.get_many(&all).await.expect("read");
        assert!(found.iter().flatten().all(|record| record.metadata.get("round") == Ok(Some(round))));
        assert_eq!(found.iter().flatten().count(), all.len());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_connections_that_died_unnoticed_cost_a_read_nothing() {
    let Some(server) = Postgres::start(&[]).await else { return };
    let proxy = Proxy::to(server.port).await;
    let store = through(&proxy, &server, PostgresStore::options().with_pool_size(1)).await;
    put(&store, "alice", r#"{"a":1}"#).await.expect("written");
    let stranger = server.stranger().await;
    for _ in 0..20 {
        stranger
            .execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()", &[])
            .await
            .expect("terminated");
        let record = store.get(&user("alice")).await.expect("read, if need be on a new connection");
        assert!(record.is_some());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_way_that_refuses_is_tried_again_with_each_call() {
    let Some(server) = Postgres::start(&[]).await else { return };
    let proxy = Proxy::to(server.port).await;
    proxy.refuse();
    let options = PostgresStore::options().with_offline_start().with_deadline(Duration::from_secs(2));
    let store = through(&proxy, &server, options).await;
    let begin = Instant::now();
    let tasks: Vec<_> = (0..50)
        .map(|n| {
            let store = store.clone();
            tokio::spawn(async move { put(&store, &format!("user{n}"), r#"{"a":1}"#).await })
        })
        .collect();
    for task in tasks {
        let error = task.await.expect("no panic").expect_err("refused");
        assert!(error.is_retryable(), "{error:?}");
    }
    assert!(begin.elapsed() < Duration::from_secs(4));
    proxy.pass();
    recovered(&store).await;
    put(&store, "user0", r#"{"a":1}"#).await.expect("written");
}
