//! Replicas: which are read-only, which are waited for, and which are missing.

use std::time::{Duration, Instant};

use tower_user_metadata::store::{MetadataStore, RedisStore};
use tower_user_metadata::{Precondition, StoreErrorKind};

use super::{json, open, put, update, user};
use crate::servers::redis::Redis;

#[tokio::test]
async fn a_replica_takes_no_writes_and_a_promoted_one_does() {
    let Some(redis) = Redis::start(&[]).await else { return };
    let replica = redis.replica().await;
    let store = open(&replica).await;
    let error = put(&store, "alice", r#"{"a":1}"#).await.expect_err("read-only");
    assert_eq!((error.kind(), error.may_have_happened()), (StoreErrorKind::Unavailable, false));
    replica.command(&["REPLICAOF", "NO", "ONE"]);
    put(&store, "alice", r#"{"a":1}"#).await.expect("written");
}

#[tokio::test]
async fn too_few_replicas_are_reported_after_the_write() {
    let Some(redis) = Redis::start(&[]).await else { return };
    let wait = Duration::from_millis(300);
    let store = RedisStore::options().with_wait_replicas(1, wait).connect(&redis.url()).await.expect("opened");
    let error = put(&store, "alice", r#"{"a":1}"#).await.expect_err("no replica");
    assert_eq!((error.kind(), error.may_have_happened()), (StoreErrorKind::Unavailable, true));
    assert!(!error.is_retryable());
    assert_eq!(json(&store, "alice").await.as_deref(), Some(r#"{"a":1}"#));
    let refused = store.update(&user("alice"), &update("{}"), &Precondition::Absent).await.expect_err("it is there");
    assert_eq!((refused.kind(), refused.may_have_happened()), (StoreErrorKind::PreconditionFailed, false));

    let replica = redis.replica().await;
    let record = put(&store, "alice", r#"{"b":2}"#).await.expect("written and replicated");
    let there = open(&replica).await;
    assert_eq!(there.get(&user("alice")).await.expect("read"), Some(record));
    store.clear(&user("alice"), &Precondition::Exists).await.expect("cleared and replicated");
    assert_eq!(there.get(&user("alice")).await.expect("read"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn writers_wait_together_for_a_replica_that_is_missing() {
    const WRITERS: usize = 100;
    let Some(redis) = Redis::start(&[]).await else { return };
    let at_most = Duration::from_millis(400);
    let store = RedisStore::options().with_wait_replicas(1, at_most).connect(&redis.url()).await.expect("opened");
    let begin = Instant::now();
    let writers: Vec<_> = (0..WRITERS)
        .map(|at| {
            let store = store.clone();
            tokio::spawn(async move { put(&store, "alice", &format!("{{\"{at}\":0}}")).await })
        })
        .collect();
    // Reading is not held up by them.
    tokio::time::sleep(at_most / 4).await;
    let reading = Instant::now();
    store.get(&user("alice")).await.expect("read");
    assert!(reading.elapsed() < at_most / 2, "{:?}", reading.elapsed());
    for writer in writers {
        let error = writer.await.expect("no panic").expect_err("no replica");
        assert_eq!((error.kind(), error.may_have_happened()), (StoreErrorKind::Unavailable, true));
    }
    let took = begin.elapsed();
    // One by one they would take a hundred times as long.
    assert!(took < 8 * at_most, "{took:?}");
    let metadata = store.get(&user("alice")).await.expect("read").expect("a document").metadata;
    assert_eq!(metadata.len(), WRITERS);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_found_no_turn_did_not_happen() {
    let Some(redis) = Redis::start(&[]).await else { return };
    let options = RedisStore::options().with_deadline(Duration::from_millis(400));
    let store = options.with_wait_replicas(1, Duration::from_secs(60)).connect(&redis.url()).await.expect("opened");
    let (first, second) = (store.clone(), store.clone());
    let first = tokio::spawn(async move { put(&first, "alice", r#"{"a":1}"#).await });
    tokio::time::sleep(Duration::from_millis(100)).await;
    let second = tokio::spawn(async move { put(&second, "alice", r#"{"b":2}"#).await });
    tokio::time::sleep(Duration::from_millis(50)).await;
    let dropped = put(&store, "alice", r#"{"c":3}"#);
    assert!(tokio::time::timeout(Duration::from_millis(50), dropped).await.is_err());
    let first = first.await.expect("no panic").expect_err("nobody acknowledges");
    assert_eq!((first.kind(), first.may_have_happened()), (StoreErrorKind::Timeout, true));
    let second = second.await.expect("no panic").expect_err("nobody acknowledges");
    assert_eq!(second.kind(), StoreErrorKind::Timeout);
    tokio::time::sleep(Duration::from_millis(100)).await;
    let document = json(&store, "alice").await.expect("a document");
    assert!(document.contains('a') && !document.contains('c'), "{document}");
    assert!(second.may_have_happened() || !document.contains('b'), "{document}");
}
