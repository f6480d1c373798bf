//! A server that does not answer, and a store that is closed.

use std::time::{Duration, Instant};

use tower_user_metadata::store::{MetadataStore, RedisStore};
use tower_user_metadata::{Precondition, StoreErrorKind};

use super::{json, open, put, update, user};
use crate::cluster::eventually;
use crate::servers::redis::Redis;

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_does_not_answer() {
    let Some(redis) = Redis::start(&[]).await else { return };
    let deadline = Duration::from_millis(300);
    let store =
        RedisStore::options().with_deadline(deadline).with_queue(8).connect(&redis.url()).await.expect("opened");
    put(&store, "alice", r#"{"a":1}"#).await.expect("written");
    redis.freeze(true);
    let begin = Instant::now();
    let calls: Vec<_> = (0..30)
        .map(|at| {
            let store = store.clone();
            tokio::spawn(async move {
                let outcome = match at % 3 {
                    0 => store.get(&user("alice")).await.map(drop),
                    1 => store.clear(&user("bob"), &Precondition::None).await,
                    _ => put(&store, "alice", &format!("{{\"{at}\":0}}")).await.map(drop),
                };
                (at, outcome.expect_err("frozen"))
            })
        })
        .collect();
    let mut unknown = 0;
    for call in calls {
        let (at, error) = call.await.expect("no panic");
        assert!(matches!(error.kind(), StoreErrorKind::Timeout | StoreErrorKind::Unavailable), "{error:?}");
        assert!(at % 3 != 0 || !error.may_have_happened(), "nothing can happen by reading: {error:?}");
        unknown += usize::from(error.may_have_happened());
    }
    assert!(begin.elapsed() < 3 * deadline, "{:?}", begin.elapsed());
    assert!(unknown > 0, "a write that was sent may happen when the server goes on");

    redis.freeze(false);
    eventually("the server catches up", || redis.try_command(&["PING"]).is_ok()).await;
    let document = json(&store, "alice").await.expect("a document");
    assert!(document.starts_with("{\"a\":1"), "{document}");
    put(&store, "bob", r#"{"a":1}"#).await.expect("written");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_closed() {
    let Some(redis) = Redis::start(&[]).await else { return };
    let store = open(&redis).await;
    let clients = || -> usize { redis.info("clients", "connected_clients").parse().expect("a number") };
    let others = clients() - 1;
    assert_eq!(others, 1);
    let calls: Vec<_> = (0..50)
        .map(|at| {
            let store = store.clone();
            tokio::spawn(async move { put(&store, &format!("user{at}"), r#"{"a":1}"#).await })
        })
        .collect();
    store.close().await;
    for call in calls {
        match call.await.expect("no panic") {
            Ok(_) => {}
            Err(error) => assert_eq!((error.kind(), error.may_have_happened()), (StoreErrorKind::Closed, false)),
        }
    }
    store.close().await;
    assert_eq!(store.get(&user("alice")).await.expect_err("closed").kind(), StoreErrorKind::Closed);
    let outcome = store.update(&user("alice"), &update("{}"), &Precondition::None).await;
    assert_eq!(outcome.expect_err("closed").kind(), StoreErrorKind::Closed);
    eventually("the connection is closed", || clients() == 1).await;

    let store = open(&redis).await;
    put(&store, "alice", r#"{"a":1}"#).await.expect("written");
    drop(store);
    eventually("the connection is closed", || clients() == 1).await;
}
