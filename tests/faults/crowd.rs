//! More calls than connections, and answers that are slow or never come.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tower_user_metadata::store::{MetadataStore, StoreErrorKind};
use tower_user_metadata::{Precondition, StoreError};

use crate::backend::{Backend, How, Net, put, recovered, update};
use crate::support::vectors::say;
use crate::user;

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
        match outcome {
            Ok(_) => self.done += 1,
            Err(error) => match (error.kind(), error.may_have_happened()) {
                (StoreErrorKind::Unavailable, false) => {
                    self.no_connection += 1;
                    assert!(error.is_retryable());
                }
                (StoreErrorKind::Timeout, unknown) => {
                    assert!(writes || !unknown);
                    self.no_answer += 1;
                }
                _ => panic!("{error:?}"),
            },
        }
    }
}

async fn slow<B: Backend>() -> Option<Net<B>> {
    let net = Net::<B>::new(true, How { deadline: DEADLINE, one: true, offline: false }).await?;
    put(&net.store, "alice", r#"{"a":1}"#).await.expect("written");
    Some(net)
}

pub(crate) async fn what_finds_no_connection_in_time_has_not_happened<B: Backend>() {
    let Some(net) = slow::<B>().await else { return };
    net.proxy.delay(Duration::from_millis(250));
    let tasks: Vec<_> = (0..200)
        .map(|n| {
            let store = Arc::clone(&net.store);
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
    say(&format!("{}: 200 calls on one slow connection: {calls:?}", B::NAME));
    assert!(calls.no_connection > 50, "{calls:?}");
    net.proxy.pass();
    recovered(&net.store).await;
    let found = net.store.get_many(&refused).await.expect("read");
    assert!(found.iter().all(Option::is_none), "what was refused is there");
}

pub(crate) async fn an_answer_that_never_comes_costs_a_deadline_and_the_connection<B: Backend>() {
    let Some(net) = slow::<B>().await else { return };
    let (alice, bob) = (user("alice"), user("bob"));
    for round in 0..3 {
        net.proxy.swallow();
        let began = Instant::now();
        let change = update(r#"{"c":3}"#);
        let (read, written, removed) = tokio::join!(
            net.store.get(&alice),
            net.store.update(&bob, &change, &Precondition::None),
            net.store.clear(&bob, &Precondition::None),
        );
        let mut calls = Calls::default();
        calls.add(&read, began, false);
        calls.add(&written, began, true);
        calls.add(&removed, began, true);
        assert_eq!(calls.done, 0, "{calls:?}");
        assert!(calls.no_answer > 0, "{calls:?}");

        // The next calls have new connections, which never see the late answers of the old ones.
        net.proxy.pass();
        recovered(&net.store).await;
        let record = put(&net.store, "alice", &format!(r#"{{"round":{round}}}"#)).await.expect("written");
        assert_eq!(record.metadata.get::<usize>("round").expect("a number"), Some(round));
        assert_eq!(net.store.get(&alice).await.expect("read"), Some(record.clone()));
        assert_eq!(net.direct.get(&alice).await.expect("read"), Some(record));
    }
}
