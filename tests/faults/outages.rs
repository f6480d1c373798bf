//! Servers that are not there: at the start, later, and back again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tower_user_metadata::ConfigError;
use tower_user_metadata::store::{MetadataStore, StoreErrorKind};

use crate::backend::{Backend, How, put, recovered};
use crate::proxy::Proxy;
use crate::user;

pub(crate) async fn down_at_the_start<B: Backend>() {
    let Some(mut server) = B::start(true).await else { return };
    server.kill();
    let begin = Instant::now();
    let failed = B::open(&server.url(), How::default()).await;
    let Err(ConfigError::Store(error)) = failed else { panic!("{failed:?}") };
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    assert!(error.is_retryable());
    assert!(begin.elapsed() < Duration::from_secs(5), "refused is refused, not waited for");

    let store = B::open(&server.url(), How { offline: true, ..How::default() }).await.expect("offline");
    for _ in 0..3 {
        let error = put(&store, "alice", r#"{"a":1}"#).await.expect_err("down");
        assert_eq!((error.kind(), error.may_have_happened()), (StoreErrorKind::Unavailable, false), "{error:?}");
        assert!(store.get(&user("alice")).await.expect_err("down").is_retryable());
    }
    server.restart().await;
    recovered(&store).await;
    put(&store, "alice", r#"{"a":1}"#).await.expect("written");
}

pub(crate) async fn away_and_back<B: Backend>() {
    let Some(mut server) = B::start(true).await else { return };
    let store = B::open(&server.url(), How::default()).await.expect("opened");
    let all: Vec<_> = (0..20).map(|n| user(&format!("user{n}"))).collect();
    for round in 0..3 {
        for id in &all {
            put(&store, id.as_str(), &format!(r#"{{"round":{round}}}"#)).await.expect("written");
        }
        server.kill();
        for n in 0..5 {
            let error = put(&store, "user0", r#"{"lost":true}"#).await.expect_err("down");
            // The first may be sent over a connection of which nobody knows yet that it is lost.
            assert!(error.kind() == StoreErrorKind::Unavailable && (n == 0 || error.is_retryable()), "{error:?}");
            assert_eq!(store.get(&all[0]).await.expect_err("down").kind(), StoreErrorKind::Unavailable);
        }
        server.restart().await;
        recovered(&store).await;
        let found = store.get_many(&all).await.expect("read");
        assert!(found.iter().flatten().all(|record| record.metadata.get("round") == Ok(Some(round))));
        assert_eq!(found.iter().flatten().count(), all.len());
    }
}

pub(crate) async fn a_way_that_refuses<B: Backend>() {
    let Some(server) = B::start(true).await else { return };
    let proxy = Proxy::to(server.port()).await;
    proxy.refuse();
    let how = How { offline: true, deadline: Duration::from_secs(2), one: false };
    let store = B::open(&server.url_at(proxy.port), how).await.expect("opened");
    let begin = Instant::now();
    let tasks: Vec<_> = (0..50)
        .map(|n| {
            let store = Arc::clone(&store);
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
