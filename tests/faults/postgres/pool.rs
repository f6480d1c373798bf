//! More calls than connections, and answers that are slow or never come.

use std::time::{Duration, Instant};

use tower_user_metadata::store::{MetadataStore, PostgresStore, StoreErrorKind};
use tower_user_metadata::{Precondition, StoreError};

use super::{put, recovered, through, update, user};
use crate::proxy::Proxy;
use crate::servers::postgres::Postgres;

const DEADLINE: Duration = Duration::from_millis(700);

/// What calls came to, and that none took longer than it may.
#[derive(Debug, Default)]
struct Calls {
    done: usize,
    no_connection: usize,
    no_answer: usize,
}

impl Calls {
    fn add<T>(&mut self, outcome: &Result<T, StoreError>, began: Instant, writes: bool) {
        let took = began.elapsed();
        assert!(took < DEADLINE + Duration::from_secs(2), "{took:?}");
        match outcome.as_ref().map_err(|error| (error.kind(), error.may_have_happened())) {
            Ok(_) => self.done += 1,
            Err((StoreErrorKind::Unavailable, false)) => {
                self.no_connection += 1;
                let error = outcome.as_ref().err().expect("an error");
                assert!(error.is_retryable());
            }
            // It is known what happened where the server gave up, or where nothing but the preparation was sent.
            Err((StoreErrorKind::Timeout, unknown)) => {
                assert!(writes || !unknown);
                self.no_answer += 1;
            }
            Err(other) => panic!("{other:?}"),
        }
    }
}

async fn slow_server() -> Option<(Postgres, Proxy, PostgresStore)> {
    let server = Postgres::start(&[]).await?;
    let proxy = Proxy::to(server.port).await;
    let options = PostgresStore::options().with_pool_size(2).with_deadline(DEADLINE).with_group_size(8);
    let store = through(&proxy, &server, options).await;
    put(&store, "alice", r#"{"a":1}"#).await.expect("written");
    Some((server, proxy, store))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_finds_no_connection_in_time_is_told_so_and_has_not_happened() {
    let Some((_server, proxy, store)) = slow_server().await else { return };
    proxy.delay(Duration::from_millis(250));
    let tasks: Vec<_> = (0..200)
        .map(|n| {
            let store = store.clone();
            tokio::spawn(async move {
                let (began, id) = (Instant::now(), format!("user{n}"));
                let outcome = match n % 2 {
                    0 => put(&store, &id, r#"{"a":1}"#).await,
                    _ => store.update(&user(&id), &update(r#"{"a":1}"#), &Precondition::Absent).await,
                };
                (id, outcome, began)
            })
        })
        .collect();
    let (mut calls, mut refused) = (Calls::default(), Vec::new());
    for task in tasks {
        let (id, outcome, began) = task.await.expect("no panic");
        calls.add(&outcome, began, true);
        if outcome.is_err_and(|error| !error.may_have_happened()) {
            refused.push(user(&id));
        }
    }
    assert!(calls.no_connection > 100, "{calls:?}");
    proxy.pass();
    recovered(&store).await;
    let found = store.get_many(&refused).await.expect("read");
    assert!(found.iter().all(Option::is_none), "what was refused is there");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_never_comes_costs_a_deadline_and_the_connection() {
    let Some((server, proxy, store)) = slow_server().await else { return };
    for round in 0..3 {
        proxy.swallow();
        let began = Instant::now();
        let (alice, bob) = (user("alice"), user("bob"));
        let conditional = update(r#"{"c":3}"#);
        let (read, written, removed) = tokio::join!(
            store.get(&alice),
            store.update(&bob, &conditional, &Precondition::None),
            store.clear(&bob, &Precondition::None),
        );
        let mut calls = Calls::default();
        calls.add(&read, began, false);
        calls.add(&written, began, true);
        calls.add(&removed, began, true);
        assert_eq!(calls.done, 0, "{calls:?}");
        assert!(calls.no_answer > 0, "{calls:?}");

        // The next calls have new connections, which never see the late answers of the old ones.
        proxy.pass();
        recovered(&store).await;
        let record = put(&store, "alice", &format!(r#"{{"round":{round}}}"#)).await.expect("written");
        assert_eq!(record.metadata.get::<usize>("round").expect("a number"), Some(round));
        assert_eq!(store.get(&alice).await.expect("read"), Some(record));
    }
    // Nothing of the connections that were given up is left at the server.
    let stranger = server.stranger().await;
    let connected = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'tower-user-metadata'";
    let begin = Instant::now();
    while stranger.query_one(connected, &[]).await.expect("a count").get::<_, i64>(0) > 2 {
        assert!(begin.elapsed() < Duration::from_secs(20), "connections stay open");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
