//! Servers that die, lines that break, and what is said of writes that were under way.

use std::time::{Duration, Instant};

use tower_user_metadata::store::{MariadbStore, MetadataStore};
use tower_user_metadata::{ConfigError, Precondition, StoreErrorKind};

use super::proxy::{Proxy, Way};
use super::{cause, json, put, twin_number, twins, user};
use crate::servers::mariadb::Mariadb;

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_before_a_kill_of_the_server_is_there_after_it() {
    const TASKS: u64 = 8;
    let Some(mut server) = Mariadb::start(&[]).await else { return };
    let store = MariadbStore::connect(&server.url()).await.expect("opened");
    let mut from = 1;
    for round in 0..4 {
        let tasks: Vec<_> = (0..TASKS)
            .map(|task| {
                let store = store.clone();
                tokio::spawn(async move {
                    let id = user(&format!("user{task}"));
                    let mut acknowledged = 0;
                    for number in from.. {
                        match store.update(&id, &twins(number), &Precondition::None).await {
                            Ok(_) => acknowledged = number,
                            Err(error) => return (acknowledged, number, error),
                        }
                    }
                    unreachable!("numbers do not end")
                })
            })
            .collect();
        tokio::time::sleep(Duration::from_millis(300 + round * 53)).await;
        server.kill();
        let mut outcomes = Vec::new();
        for task in tasks {
            outcomes.push(task.await.expect("no panic"));
        }
        assert!(server.run().await, "the server comes up again");
        for (task, (acknowledged, tried, error)) in outcomes.into_iter().enumerate() {
            assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{}", cause(&error));
            assert!(acknowledged > 0, "nothing was written");
            // The same store works again, with no restart.
            let stored = twin_number(&store, &user(&format!("user{task}"))).await.expect("a document");
            let most = if error.may_have_happened() { tried } else { acknowledged };
            assert!((acknowledged..=most).contains(&stored), "{acknowledged} <= {stored} <= {most}");
            from = from.max(tried + 1);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_down_is_an_error_at_start_or_waited_for() {
    let Some(mut server) = Mariadb::start(&[]).await else { return };
    server.kill();
    let error = MariadbStore::connect(&server.url()).await.expect_err("nobody there");
    assert!(matches!(&error, ConfigError::Store(error) if error.is_retryable()), "{error:?}");
    let store = MariadbStore::options().with_offline_start().connect(&server.url()).await.expect("waits for it");
    for _ in 0..3 {
        let error = put(&store, "alice", r#"{"a":1}"#).await.expect_err("nobody there");
        assert_eq!((error.kind(), error.may_have_happened()), (StoreErrorKind::Unavailable, false));
        assert!(error.is_retryable());
    }
    assert!(server.run().await);
    put(&store, "alice", r#"{"a":1}"#).await.expect("written");

    // Idle connections of a server that went away: nothing was sent, so nothing is unknown.
    tokio::join!(json(&store, "alice"), json(&store, "alice"), json(&store, "alice"));
    server.kill();
    assert!(server.run().await);
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    put(&store, "alice", r#"{"b":2}"#).await.expect("written over a new connection");
    assert_eq!(json(&store, "alice").await.as_deref(), Some(r#"{"a":1,"b":2}"#));

    let wrong = server.url().replace("tester:", "tester:x");
    let error = MariadbStore::connect(&wrong).await.expect_err("a wrong password");
    assert!(matches!(&error, ConfigError::Store(error) if !error.is_retryable()), "{error:?}");
    assert!(!format!("{error:?} {error}").contains("tester"), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_is_cut_anywhere_is_never_a_success_and_never_repeated() {
    let Some(server) = Mariadb::start(&[]).await else { return };
    let direct = MariadbStore::connect(&server.url()).await.expect("opened");
    let proxy = Proxy::to(server.port, true).await;
    let options = MariadbStore::options().with_pool_size(1);
    let store = options.connect(&server.url_at(proxy.port)).await.expect("opened");
    let id = user("cut");
    let mut number = 0;
    let (mut unknown, mut done_unknown, mut refused) = (0, 0, 0);
    for way in [Way::There, Way::Back] {
        for bytes in (0..).step_by(7) {
            // The connection of before is gone, and the next write shall find one that works and knows its statements.
            number += 1;
            proxy.pass_all();
            store.update(&id, &twins(number), &Precondition::None).await.expect("written");
            let before = number;
            number += 1;
            proxy.pass_only(way, bytes);
            let connections = proxy.connections();
            let outcome = store.update(&id, &twins(number), &Precondition::None).await;
            let cut = proxy.is_used_up(way);
            let stored = twin_number(&direct, &id).await.expect("a document");
            match outcome {
                Ok(_) => assert_eq!(stored, number),
                Err(error) if error.may_have_happened() => {
                    assert_eq!((error.kind(), error.is_retryable()), (StoreErrorKind::Unavailable, false));
                    assert!(stored == before || stored == number);
                    assert_eq!(proxy.connections(), connections, "it was not tried again");
                    unknown += 1;
                    done_unknown += u32::from(stored == number);
                }
                Err(error) => {
                    assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{}", cause(&error));
                    assert_eq!(stored, before, "it was said that nothing happened");
                    refused += 1;
                }
            }
            if !cut {
                break;
            }
        }
    }
    assert!(unknown > 20 && done_unknown > 3, "{unknown} unknown, {done_unknown} of them done, {refused} refused");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_falls_silent_ends_in_a_timeout() {
    let Some(server) = Mariadb::start(&[]).await else { return };
    let direct = MariadbStore::connect(&server.url()).await.expect("opened");
    let proxy = Proxy::to(server.port, false).await;
    let deadline = Duration::from_millis(400);
    let options = MariadbStore::options().with_pool_size(1).with_deadline(deadline);
    let store = options.connect(&server.url_at(proxy.port)).await.expect("opened");
    put(&store, "bob", r#"{"canary":"bob"}"#).await.expect("written");
    for way in [Way::There, Way::Back] {
        proxy.pass_all();
        put(&store, "alice", r#"{"a":1,"b":null}"#).await.expect("written");
        proxy.pass_only(way, 0);
        let start = Instant::now();
        let error = put(&store, "alice", r#"{"b":2}"#).await.expect_err("no answer");
        assert!(start.elapsed() < deadline + Duration::from_secs(1));
        assert_eq!((error.kind(), error.may_have_happened()), (StoreErrorKind::Timeout, true), "{}", cause(&error));
        assert!(!error.is_retryable());
        proxy.pass_all();
        // The late answer is nobody's.
        assert_eq!(json(&store, "bob").await.as_deref(), Some(r#"{"canary":"bob"}"#));
        let expected = if way == Way::Back { r#"{"a":1,"b":2}"# } else { r#"{"a":1}"# };
        assert_eq!(json(&direct, "alice").await.as_deref(), Some(expected));
    }
}
