use std::time::Duration;

use tower_user_metadata::store::{MemoryStore, MetadataStore, TimeoutStore};
use tower_user_metadata::{Precondition, StoreErrorKind, metadata_update};

use super::staged::{Failure, Staged, settle, user};

#[tokio::test(start_paused = true)]
async fn what_takes_too_long_ends_and_a_write_may_have_happened() {
    let staged = Staged::default();
    let store = TimeoutStore::new(staged.clone(), Duration::from_secs(2));
    let (alice, none) = (user("alice"), Precondition::None);

    let began = tokio::time::Instant::now();
    for read in [store.get(&alice).await.err(), store.get_many(std::slice::from_ref(&alice)).await.err()] {
        let error = read.expect("too late");
        assert_eq!(error.kind(), StoreErrorKind::Timeout);
        assert!(!error.may_have_happened() && error.is_retryable());
    }
    let update = metadata_update! { "n": 1 };
    for write in [store.update(&alice, &update, &none).await.err(), store.clear(&alice, &none).await.err()] {
        let error = write.expect("too late");
        assert_eq!(error.kind(), StoreErrorKind::Timeout);
        assert!(error.may_have_happened() && !error.is_retryable());
    }
    assert_eq!(began.elapsed(), Duration::from_secs(8));

    // And so it is: the update happens after all.
    staged.calls()[2].finish();
    settle().await;
    let late = tokio::spawn({
        let store = store.clone();
        async move { store.get(&user("alice")).await }
    });
    settle().await;
    staged.last().finish();
    let record = late.await.expect("no panic").expect("in time").expect("the update happened");
    assert_eq!(record.metadata.to_json(), r#"{"n":1}"#);
}

#[tokio::test(start_paused = true)]
async fn what_is_answered_at_once_is_answered_without_any_time() {
    let store = TimeoutStore::new(MemoryStore::new(), Duration::ZERO);
    let record = store.update(&user("alice"), &metadata_update! { "n": 1 }, &Precondition::None).await;
    assert_eq!(store.get(&user("alice")).await.expect("at once"), record.ok());
}

#[tokio::test(start_paused = true)]
async fn errors_of_the_store_come_through_as_they_are() {
    let staged = Staged::default();
    let store = TimeoutStore::new(staged.clone(), Duration::from_secs(2));
    let asked = tokio::spawn(async move { store.get(&user("alice")).await });
    settle().await;
    staged.last().fail(Failure::Fails);
    staged.last().finish();
    let error = asked.await.expect("no panic").expect_err("a failure");
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
}
