//! Single calls on a server that works: merges, deadlines, dropped futures, a pool that is in use, closing.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable;
use tower_user_metadata::store::{MariadbStore, MetadataStore, connect};
use tower_user_metadata::{Limits, MetadataUpdate, Precondition, StoreErrorKind};

use super::{cause, json, put, twin_number, twins, user};
use crate::servers::mariadb::Mariadb;

/// One server for all, since it takes seconds to make one.
#[tokio::test(flavor = "multi_thread")]
async fn on_a_server_that_works() {
    let Some(server) = Mariadb::start(&[]).await else { return };
    what_is_stored_is_json_a_field_a_line(&server).await;
    the_merge_in_sql_is_the_merge_in_rust(&server).await;
    near_a_limit_the_merged_document_counts(&server).await;
    writers_of_one_user_lose_nothing(&server).await;
    a_lock_of_somebody_else_ends_in_a_timeout_that_changed_nothing(&server).await;
    a_pool_in_use_is_told_apart_and_empties_again(&server).await;
    dropped_futures_leave_a_pool_that_works(&server).await;
    close_finishes_what_is_under_way_and_takes_nothing_more(&server).await;
    a_url_opens_the_store(&server).await;
}

async fn open(server: &Mariadb) -> MariadbStore {
    MariadbStore::connect(&server.url()).await.expect("the store opens")
}

async fn what_is_stored_is_json_a_field_a_line(server: &Mariadb) {
    let store = open(server).await;
    put(&store, "lines", r#"{"a":1e400,"b\n":{"x":[null, 0.10]},"c":"\n"}"#).await.expect("written");
    put(&store, "lines", r#"{"a":null,"d":-0.0}"#).await.expect("written");
    let mut stranger = server.stranger().await;
    let sql = "SELECT document FROM tower_user_metadata WHERE namespace = 'public' AND user_id = 'lines'";
    let stored: Option<String> = stranger.query_first(sql).await.expect("a row");
    assert_eq!(stored.as_deref(), Some("{\"b\\n\":{\"x\":[null,0.10]}\n,\"c\":\"\\n\"\n,\"d\":-0.0\n}"));
}

/// Names that mean something to regular expressions, to JSON paths or to SQL, or that contain one another.
const NAMES: [&str; 24] = [
    "",
    "a",
    "A",
    "aa",
    "\"",
    "\\",
    "\\\"",
    "a\":1",
    ",",
    "\n",
    "\u{2028},",
    ":",
    ".*",
    "(?i)a",
    "\\E",
    "[^a]",
    "$",
    "^",
    "a.b",
    "'; --",
    "{x}",
    "\u{1f600}",
    "e\u{301}",
    "\u{e9}",
];

async fn the_merge_in_sql_is_the_merge_in_rust(server: &Mariadb) {
    let store = open(server).await;
    let (id, limits) = (user("merge"), Limits::default());
    let mut expected = tower_user_metadata::Metadata::new();
    let mut random = 1_u64;
    for round in 0..600 {
        let mut update = MetadataUpdate::new();
        for _ in 0..=round % 5 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let name = NAMES[usize::try_from(random >> 33).expect("small") % NAMES.len()];
            let value = serde_json::json!([{ ",\"a\":": round }, ",\"a\":1\n,", null, { "": [name] }]);
            update = if random.is_multiple_of(3) { update.remove(name) } else { update.set(name, &value) };
        }
        expected = update.apply(&expected, &limits).expect("within the limits");
        let merged = store.update(&id, &update, &Precondition::None).await.expect("written").metadata;
        assert_eq!(merged.to_json(), expected.to_json(), "round {round}: order included");
    }
}

async fn near_a_limit_the_merged_document_counts(server: &Mariadb) {
    let limits = Limits::default().with_document_bytes(44).with_root_fields(3);
    let store = MariadbStore::options().with_limits(limits).connect(&server.url()).await.expect("opened");
    let text = "x".repeat(24);
    for _ in 0..3 {
        put(&store, "near", &format!(r#"{{"a":"{text}"}}"#)).await.expect("what it replaces does not count");
        put(&store, "near", r#"{"b":1,"c":2}"#).await.expect("44 bytes");
        let error = put(&store, "near", r#"{"d":1}"#).await.expect_err("four fields");
        assert_eq!(error.kind(), StoreErrorKind::InvalidMetadata);
        put(&store, "near", r#"{"d":1,"b":null}"#).await.expect("three fields");
        let error = put(&store, "near", r#"{"d":12345678}"#).await.expect_err("too many bytes");
        assert_eq!(error.kind(), StoreErrorKind::InvalidMetadata);
        assert_eq!(json(&store, "near").await, Some(format!(r#"{{"a":"{text}","c":2,"d":1}}"#)));
        put(&store, "near", r#"{"c":null,"d":null}"#).await.expect("less");
    }
}

async fn writers_of_one_user_lose_nothing(server: &Mariadb) {
    const TASKS: u64 = 8;
    const ROUNDS: u64 = 100;
    let stores = [open(server).await, open(server).await];
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let store = stores[usize::try_from(task % 2).expect("small")].clone();
            tokio::spawn(async move {
                let (id, field) = (user("many"), format!("field{task}"));
                let mut retries = 0;
                for round in 1..=ROUNDS {
                    let update = MetadataUpdate::new().set(&field, &round);
                    // Half of them by compare-and-swap, as an application does that read before.
                    if task < TASKS / 2 {
                        store.update(&id, &update, &Precondition::None).await.expect("written");
                        continue;
                    }
                    loop {
                        let seen = store.get(&id).await.expect("read").map(|record| record.version);
                        let when = seen.map_or(Precondition::Absent, Precondition::Version);
                        match store.update(&id, &update, &when).await {
                            Ok(_) => break,
                            Err(error) => assert_eq!(error.kind(), StoreErrorKind::PreconditionFailed),
                        }
                        retries += 1;
                    }
                }
                retries
            })
        })
        .collect();
    let mut retries = 0;
    for task in tasks {
        retries += task.await.expect("no panic");
    }
    assert!(retries > 0, "the writers never met");
    let metadata = stores[0].get(&user("many")).await.expect("read").expect("a document").metadata;
    for task in 0..TASKS {
        assert_eq!(metadata.get(&format!("field{task}")).expect("a number"), Some(ROUNDS));
    }
}

async fn a_lock_of_somebody_else_ends_in_a_timeout_that_changed_nothing(server: &Mariadb) {
    let deadline = Duration::from_millis(500);
    let store = MariadbStore::options().with_deadline(deadline).connect(&server.url()).await.expect("opened");
    put(&store, "locked", r#"{"a":1}"#).await.expect("written");
    let mut stranger = server.stranger().await;
    stranger.query_drop("BEGIN").await.expect("begun");
    stranger.query_drop("SELECT * FROM tower_user_metadata WHERE user_id = 'locked' FOR UPDATE").await.expect("locked");
    let start = Instant::now();
    let error = put(&store, "locked", r#"{"a":2}"#).await.expect_err("locked");
    assert!(start.elapsed() < deadline + Duration::from_secs(2));
    assert_eq!(error.kind(), StoreErrorKind::Timeout, "{}", cause(&error));
    assert_eq!(json(&store, "locked").await.as_deref(), Some(r#"{"a":1}"#), "reads go on");
    // The server has ended the statement: what timed out is not done later.
    tokio::time::sleep(deadline).await;
    stranger.query_drop("COMMIT").await.expect("unlocked");
    put(&store, "locked", r#"{"b":3}"#).await.expect("written");
    assert_eq!(json(&store, "locked").await.as_deref(), Some(r#"{"a":1,"b":3}"#));
}

async fn a_pool_in_use_is_told_apart_and_empties_again(server: &Mariadb) {
    let options = MariadbStore::options().with_pool_size(2).with_deadline(Duration::from_secs(1));
    let store = options.connect(&server.url()).await.expect("opened");
    let mut stranger = server.stranger().await;
    stranger.query_drop("LOCK TABLES tower_user_metadata WRITE").await.expect("locked");
    let calls: Vec<_> = (0..40)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move { store.get(&user("pool")).await })
        })
        .collect();
    let start = Instant::now();
    let mut kinds = Vec::new();
    for call in calls {
        let error = call.await.expect("no panic").expect_err("locked");
        assert!(error.is_retryable());
        kinds.push(error.kind());
    }
    assert!(start.elapsed() < Duration::from_secs(3));
    // Two have the connections; who began a little later may still get one of them, for the little that is left.
    let count = |kind| kinds.iter().filter(|other| **other == kind).count();
    assert!(count(StoreErrorKind::Timeout) >= 2 && count(StoreErrorKind::Unavailable) >= 20, "{kinds:?}");
    assert_eq!(count(StoreErrorKind::Timeout) + count(StoreErrorKind::Unavailable), 40, "{kinds:?}");
    stranger.query_drop("UNLOCK TABLES").await.expect("unlocked");
    for _ in 0..4 {
        assert_eq!(json(&store, "pool").await, None);
    }
}

async fn dropped_futures_leave_a_pool_that_works(server: &Mariadb) {
    let store = MariadbStore::options().with_pool_size(1).connect(&server.url()).await.expect("opened");
    let (alice, bob) = (user("alice"), user("bob"));
    put(&store, "bob", r#"{"canary":"bob"}"#).await.expect("written");
    let mut old = 0;
    let (mut dropped, mut finished) = (0, 0);
    for number in 1..=300 {
        let polls = usize::try_from(number % 4).expect("small");
        let write = twins(number);
        // What is dropped here may still be under way when the next one asks.
        let wrote = after_polls(store.update(&alice, &write, &Precondition::None), polls).await;
        let _ = after_polls(store.get(&alice), polls).await;
        let _ = after_polls(store.get_many(&[alice.clone(), bob.clone()]), polls).await;
        let canary = store.get(&bob).await.expect("read").expect("a document");
        assert_eq!(canary.metadata.to_json(), r#"{"canary":"bob"}"#);
        let new = twin_number(&store, &alice).await.unwrap_or(0);
        match wrote {
            Some(outcome) => {
                outcome.expect("written");
                assert_eq!(new, number);
                finished += 1;
            }
            None => {
                assert!(new == number || new == old, "{new} is neither {old} nor {number}");
                dropped += 1;
            }
        }
        old = new;
    }
    assert!(dropped > 100 && finished > 0, "{dropped} dropped, {finished} finished");
}

/// Polls a future at most so often, then drops it.
async fn after_polls<F: Future>(future: F, polls: usize) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut left = polls;
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        match future.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

async fn close_finishes_what_is_under_way_and_takes_nothing_more(server: &Mariadb) {
    let store = open(server).await;
    let calls: Vec<_> = (0..100)
        .map(|number| {
            let store = store.clone();
            tokio::spawn(async move { put(&store, &format!("close{number}"), r#"{"a":1}"#).await })
        })
        .collect();
    put(&store, "close", "{}").await.expect("written");
    store.close().await;
    let error = store.get(&user("close")).await.expect_err("closed");
    assert_eq!((error.kind(), error.may_have_happened()), (StoreErrorKind::Closed, false));
    tokio::join!(store.close(), store.close());

    let again = open(server).await;
    for (number, call) in calls.into_iter().enumerate() {
        let stored = json(&again, &format!("close{number}")).await.is_some();
        match call.await.expect("no panic") {
            Ok(_) => assert!(stored, "{number} was acknowledged"),
            Err(error) => {
                assert_eq!((error.kind(), error.may_have_happened()), (StoreErrorKind::Closed, false));
                assert!(!stored, "{number} was refused");
            }
        }
    }
}

async fn a_url_opens_the_store(server: &Mariadb) {
    for scheme in ["mariadb://", "mysql://"] {
        let store = connect(&server.url().replace("mariadb://", scheme)).await.expect("opened");
        assert_eq!(store.get(&user("nobody")).await.expect("read"), None);
    }
}
