//! Calls that are gathered, and what does not keep them waiting.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use tower_user_metadata::Precondition;
use tower_user_metadata::store::{MetadataStore, PostgresStore, StoreErrorKind};

use super::{put, update, user};
use crate::servers::postgres::Postgres;

/// Runs so many updates and reads at once and answers how many transactions the server saw.
async fn transactions(server: &Postgres, group: usize) -> i64 {
    const USERS: usize = 500;
    let stranger = server.stranger().await;
    let count = async || {
        let transactions = "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()";
        stranger.query_one(transactions, &[]).await.expect("a count").get::<_, i64>(0)
    };
    let before = count().await;
    let store = PostgresStore::options().with_group_size(group).connect(&server.url()).await.expect("opened");
    let writes: Vec<_> = (0..USERS)
        .map(|n| {
            let store = store.clone();
            tokio::spawn(async move { put(&store, &format!("user{n}"), &format!(r#"{{"n":{n},"gone":null}}"#)).await })
        })
        .collect();
    for write in writes {
        write.await.expect("no panic").expect("written");
    }
    let reads: Vec<_> = (0..USERS)
        .map(|n| {
            let store = store.clone();
            tokio::spawn(async move { store.get(&user(&format!("user{n}"))).await })
        })
        .collect();
    for (n, read) in reads.into_iter().enumerate() {
        let record = read.await.expect("no panic").expect("read").expect("a document");
        assert_eq!(record.metadata.get::<usize>("n").expect("a number"), Some(n));
    }
    store.close().await;
    // A connection tells its numbers when it ends.
    let connected = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'tower-user-metadata'";
    while stranger.query_one(connected, &[]).await.expect("a count").get::<_, i64>(0) > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    stranger.batch_execute("SELECT pg_stat_clear_snapshot()").await.expect("cleared");
    count().await - before
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_wait_are_gathered_unless_they_shall_not_be() {
    let Some(server) = Postgres::start(&[]).await else { return };
    let gathered = transactions(&server, 64).await;
    assert!((16..500).contains(&gathered), "{gathered} transactions for 1000 calls");
    let one_by_one = transactions(&server, 1).await;
    assert!(one_by_one >= 1_000, "{one_by_one} transactions for 1000 calls");
}

/// What a removal and a merge of each user need is not mixed up within a group.
#[tokio::test(flavor = "multi_thread")]
async fn each_user_of_a_group_has_its_own_change() {
    let Some(server) = Postgres::start(&[]).await else { return };
    let store = PostgresStore::connect(&server.url()).await.expect("opened");
    let all: Vec<_> = (0..300).map(|n| user(&format!("user{n}"))).collect();
    for round in 0..3 {
        let writes: Vec<_> = (0..300)
            .map(|n: usize| {
                let (store, id) = (store.clone(), all[n].clone());
                // As many names as the user's number says, of which the last round's are removed.
                let names = |round: usize| (0..n % 7).map(move |i| format!("{round} {n} \"{i}"));
                let set = names(round).map(|name| (name, serde_json::json!([n, { "round": round }])));
                let removed =
                    round.checked_sub(1).into_iter().flat_map(names).map(|name| (name, serde_json::Value::Null));
                let fields: serde_json::Map<_, _> = set.chain(removed).collect();
                let update = update(&serde_json::Value::from(fields).to_string());
                tokio::spawn(async move { store.update(&id, &update, &Precondition::None).await })
            })
            .collect();
        for (n, write) in writes.into_iter().enumerate() {
            let record = write.await.expect("no panic").expect("written");
            assert_eq!(record.metadata.len(), n % 7, "user{n} in round {round}");
            for (name, value) in record.metadata.iter() {
                assert!(name.starts_with(&format!("{round} {n} ")), "user{n}: {name}");
                assert_eq!(value.get(), format!(r#"[{n},{{"round":{round}}}]"#));
            }
            assert_eq!(store.get(&all[n]).await.expect("read"), Some(record));
        }
    }
}

/// A future that is neither polled nor dropped: it may keep its connection, and nobody waits for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_rests_keeps_nobody_waiting() {
    let Some(server) = Postgres::start(&[]).await else { return };
    let store = PostgresStore::options().with_pool_size(2).connect(&server.url()).await.expect("opened");
    let (alice, change) = (user("alice"), update(r#"{"rested":true}"#));
    put(&store, "alice", r#"{"a":0}"#).await.expect("written");
    let mut rested = 0;
    for polls in 1..6 {
        let mut resting = pin!(store.update(&alice, &change, &Precondition::None));
        let mut idle = Context::from_waker(Waker::noop());
        let mut over = false;
        for _ in 0..polls {
            over = resting.as_mut().poll(&mut idle).is_ready();
            if over {
                break;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        if over {
            continue;
        }
        rested += 1;
        let begin = Instant::now();
        for id in ["alice", "bob"] {
            put(&store, id, &format!(r#"{{"polls":{polls}}}"#)).await.expect("written");
            assert!(store.get(&user(id)).await.expect("read").is_some());
        }
        assert!(begin.elapsed() < Duration::from_secs(3), "waited for a caller that rests");
        resting.await.expect("written, now that it goes on");
    }
    assert!(rested > 0, "no call was caught halfway");
}

#[tokio::test(flavor = "multi_thread")]
async fn nor_does_it_keep_the_store_from_closing() {
    let Some(server) = Postgres::start(&[]).await else { return };
    let options = PostgresStore::options().with_deadline(Duration::from_millis(500));
    let store = options.connect(&server.url()).await.expect("opened");
    let (alice, change) = (user("alice"), update(r#"{"rested":true}"#));
    let mut resting = pin!(store.update(&alice, &change, &Precondition::None));
    assert!(resting.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    let begin = Instant::now();
    store.close().await;
    assert!(begin.elapsed() < Duration::from_secs(3), "{:?}", begin.elapsed());
    let error = resting.await.expect_err("its time is over");
    assert!(matches!(error.kind(), StoreErrorKind::Timeout | StoreErrorKind::Unavailable | StoreErrorKind::Closed));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_somebody_holds_keeps_only_its_user_waiting() {
    let Some(server) = Postgres::start(&[]).await else { return };
    let store = PostgresStore::options()
        .with_deadline(Duration::from_secs(3))
        .with_pool_size(4)
        .connect(&server.url())
        .await
        .expect("opened");
    for id in ["held", "warm"] {
        put(&store, id, r#"{"a":0}"#).await.expect("written");
    }
    let mut stranger = server.stranger().await;
    let holding = stranger.transaction().await.expect("a transaction");
    holding.execute("SELECT FROM tower_user_metadata WHERE user_id = 'held' FOR UPDATE", &[]).await.expect("held");

    let begin = Instant::now();
    // So many that some wait, and are gathered with the held one.
    let waits: Vec<_> = (0..4)
        .map(|n| {
            let store = store.clone();
            tokio::spawn(async move { (put(&store, "held", &format!(r#"{{"a{n}":1}}"#)).await, begin.elapsed()) })
        })
        .collect();
    let others: Vec<_> = (0..200)
        .map(|n| {
            let store = store.clone();
            tokio::spawn(async move { (put(&store, &format!("user{n}"), r#"{"a":1}"#).await, begin.elapsed()) })
        })
        .collect();
    for other in others {
        let (outcome, after) = other.await.expect("no panic");
        outcome.expect("written");
        assert!(after < Duration::from_secs(2), "waited {after:?} for the row of somebody else");
    }
    for wait in waits {
        let (outcome, after) = wait.await.expect("no panic");
        let error = outcome.expect_err("held");
        assert!(matches!(error.kind(), StoreErrorKind::Timeout | StoreErrorKind::Unavailable), "{error:?}");
        assert!(after < Duration::from_secs(4), "{after:?}");
    }
    holding.rollback().await.expect("let go");
    put(&store, "held", r#"{"b":1}"#).await.expect("written again");
}
