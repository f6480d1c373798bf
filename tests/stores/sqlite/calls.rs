//! Single calls: deadlines, dropped futures, full queues, closing.

use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tower_user_metadata::store::{MetadataStore, SqliteStore};
use tower_user_metadata::{Precondition, StoreErrorKind};

use super::{Place, json, put, twin_number, twins, update, user};

#[tokio::test]
async fn a_lock_of_somebody_else_ends_in_a_timeout_that_changed_nothing() {
    let place = Place::new();
    let deadline = Duration::from_millis(200);
    let store = SqliteStore::options().with_deadline(deadline).open(place.file()).await.expect("opened");
    put(&store, "alice", r#"{"a":1}"#).await.expect("written");

    let stranger = place.stranger();
    stranger.execute_batch("BEGIN IMMEDIATE").expect("locked");
    let start = Instant::now();
    let error = put(&store, "alice", r#"{"a":2}"#).await.expect_err("locked");
    assert!(start.elapsed() >= deadline && start.elapsed() < deadline + Duration::from_secs(2));
    assert_eq!((error.kind(), error.may_have_happened()), (StoreErrorKind::Timeout, false));
    assert!(error.is_retryable());
    assert_eq!(json(&store, "alice").await.as_deref(), Some(r#"{"a":1}"#), "reads go on");
    stranger.execute_batch("COMMIT").expect("unlocked");

    put(&store, "alice", r#"{"b":3}"#).await.expect("written");
    assert_eq!(json(&store, "alice").await.as_deref(), Some(r#"{"a":1,"b":3}"#), "what timed out is not done later");
}

#[tokio::test]
async fn a_full_queue_is_told_apart_and_empties_again() {
    let place = Place::new();
    let options = SqliteStore::options().with_queue(2).with_deadline(Duration::from_millis(300));
    let store = options.open(place.file()).await.expect("opened");
    let stranger = place.stranger();
    stranger.execute_batch("BEGIN IMMEDIATE").expect("locked");
    let (first, second, third) = tokio::join!(put(&store, "a", "{}"), put(&store, "b", "{}"), put(&store, "c", "{}"));
    let kind = |outcome: Result<_, tower_user_metadata::StoreError>| {
        let error = outcome.map(|_| ()).expect_err("locked");
        assert!(error.is_retryable());
        error.kind()
    };
    assert_eq!(
        [kind(first), kind(second), kind(third)],
        [StoreErrorKind::Timeout, StoreErrorKind::Timeout, StoreErrorKind::Unavailable]
    );
    stranger.execute_batch("COMMIT").expect("unlocked");
    let (first, second, third) = tokio::join!(put(&store, "a", "{}"), put(&store, "b", "{}"), put(&store, "c", "{}"));
    for outcome in [first, second, third] {
        outcome.expect("written");
    }
}

/// Polls a future at most so often, then drops it.
struct DropAfter<F> {
    polls: usize,
    inner: Option<Pin<Box<F>>>,
}

impl<F: Future> Future for DropAfter<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.polls -= 1;
        let last = self.polls == 0;
        match self.inner.as_mut().expect("not polled after its end").as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if last => {
                self.inner = None;
                Poll::Ready(None)
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_future_dropped_at_any_poll_leaves_the_old_or_the_new_document() {
    let place = Place::new();
    let store = SqliteStore::options().with_queue(1).open(place.file()).await.expect("opened");
    let (alice, bob) = (user("alice"), user("bob"));
    let mut old = 0;
    let (mut dropped, mut finished) = (0, 0);
    for number in 1..=400 {
        let write = twins(number);
        let polls = usize::try_from(number % 4).expect("small") + 1;
        let abandoned = DropAfter { polls, inner: Some(Box::pin(store.update(&alice, &write, &Precondition::None))) };
        // With room for one job each, these push the other from poll to poll.
        let (outcome, his, _) =
            tokio::join!(abandoned, put(&store, "bob", r#"{"canary":"bob"}"#), put(&store, "carol", "{}"));
        assert_eq!(his.expect("written").metadata.to_json(), r#"{"canary":"bob"}"#);
        let new = twin_number(&store, &alice).await.unwrap_or(0);
        match outcome {
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
        let read = DropAfter { polls, inner: Some(Box::pin(store.get(&alice))) }.await;
        if let Some(read) = read {
            assert!(read.expect("read").is_none_or(|record| record.metadata.get_raw("canary").is_none()));
        }
        assert_eq!(store.get(&bob).await.expect("read").map(|record| record.metadata.len()), Some(1));
        old = twin_number(&store, &alice).await.unwrap_or(0);
    }
    assert!(dropped > 0 && finished > 0, "{dropped} dropped, {finished} finished");
}

#[tokio::test(flavor = "multi_thread")]
async fn close_finishes_what_waits_and_takes_nothing_more() {
    let place = Place::new();
    let store = place.open().await;
    let waiting: Vec<_> = (0..200)
        .map(|number| {
            let store = store.clone();
            tokio::spawn(async move { put(&store, &format!("user{number}"), r#"{"a":1}"#).await })
        })
        .collect();
    put(&store, "first", "{}").await.expect("written");
    store.close().await;
    assert!(!is_open(&place), "no thread has the file open");

    let mut written = Vec::new();
    for (number, outcome) in waiting.into_iter().enumerate() {
        match outcome.await.expect("no panic") {
            Ok(_) => written.push(format!("user{number}")),
            Err(error) => {
                assert_eq!((error.kind(), error.may_have_happened()), (StoreErrorKind::Closed, false));
            }
        }
    }
    for outcome in [put(&store, "alice", "{}").await.map(drop), store.get(&user("alice")).await.map(drop)] {
        assert_eq!(outcome.expect_err("closed").kind(), StoreErrorKind::Closed);
    }
    tokio::join!(store.close(), store.close());

    let store = place.open().await;
    for id in written {
        assert!(json(&store, &id).await.is_some(), "{id} was acknowledged");
    }
    assert_eq!(json(&store, "alice").await, None);
}

#[tokio::test]
async fn dropping_the_last_handle_closes_too() {
    let place = Place::new();
    let store = place.open().await;
    let other = store.clone();
    drop(store);
    put(&other, "alice", r#"{"a":1}"#).await.expect("a clone keeps the store open");
    assert!(is_open(&place));

    let (alice, write) = (user("alice"), update(r#"{"b":2}"#));
    let mut dropped = DropAfter { polls: 1, inner: Some(Box::pin(other.update(&alice, &write, &Precondition::None))) };
    let _ = Pin::new(&mut dropped).await;
    drop(dropped);
    drop(other);
    let start = Instant::now();
    while is_open(&place) {
        assert!(start.elapsed() < Duration::from_secs(10), "threads of a dropped store are still there");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(json(&place.open().await, "alice").await.is_some_and(|json| json.starts_with(r#"{"a":1"#)));
}

#[tokio::test]
async fn closing_does_not_wait_for_ever_for_a_lock() {
    let place = Place::new();
    let store =
        SqliteStore::options().with_deadline(Duration::from_millis(300)).open(place.file()).await.expect("opened");
    let stranger = place.stranger();
    stranger.execute_batch("BEGIN IMMEDIATE").expect("locked");
    let start = Instant::now();
    let (outcome, ()) = tokio::join!(put(&store, "alice", "{}"), store.close());
    assert_eq!(outcome.expect_err("locked").kind(), StoreErrorKind::Timeout);
    assert!(start.elapsed() < Duration::from_secs(5));
}

/// Whether this process has a file of the place open.
fn is_open(place: &Place) -> bool {
    let directory = place.directory.path().canonicalize().expect("a directory");
    let descriptors = std::fs::read_dir("/proc/self/fd").expect("the tests run on Linux");
    descriptors.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok()).any(|file| below(&file, &directory))
}

fn below(file: &Path, directory: &Path) -> bool {
    file.starts_with(directory)
}
