//! Handles that load once.

use tokio::task::JoinHandle;
use tower_user_metadata::{Metadata, StoreError, UserMetadataHandle, metadata_update};

use super::staged::{Failure, Staged, settle, user};

fn read(handle: &UserMetadataHandle) -> JoinHandle<Result<Metadata, StoreError>> {
    let handle = handle.clone();
    tokio::spawn(async move { handle.get().await })
}

fn write(handle: &UserMetadataHandle, n: u32) -> JoinHandle<Result<String, StoreError>> {
    let handle = handle.clone();
    tokio::spawn(async move { Ok(handle.update(metadata_update! { "n": n }).await?.metadata.to_json()) })
}

/// Reads and lets the store answer, if it is asked.
async fn now(handle: &UserMetadataHandle, staged: &Staged) -> String {
    let reading = read(handle);
    settle().await;
    staged.under_way().iter().for_each(|call| call.finish());
    reading.await.expect("no panic").expect("no error").to_json()
}

fn handle(staged: &Staged) -> UserMetadataHandle {
    UserMetadataHandle::admin(user("alice"), staged.clone()).with_single_load()
}

#[tokio::test]
async fn reads_at_once_and_later_share_a_load_and_a_gone_reader_harms_nobody() {
    let staged = Staged::default();
    let handle = handle(&staged);
    let (first, second) = (read(&handle), read(&handle));
    settle().await;
    assert_eq!(staged.calls().len(), 1);
    first.abort();
    settle().await;
    // The load went with its reader, and the other one loads.
    staged.under_way().iter().for_each(|call| call.finish());
    settle().await;
    staged.under_way().iter().for_each(|call| call.finish());
    assert!(second.await.expect("no panic").expect("no error").is_empty());
    let calls = staged.calls().len();
    assert_eq!(now(&handle, &staged).await, "{}");
    assert_eq!(staged.calls().len(), calls, "known");
}

#[tokio::test]
async fn an_error_is_not_remembered() {
    let staged = Staged::default();
    let handle = handle(&staged);
    let failing = read(&handle);
    settle().await;
    staged.last().fail(Failure::Fails);
    staged.last().finish();
    failing.await.expect("no panic").expect_err("a failure");
    assert_eq!(now(&handle, &staged).await, "{}");
}

#[tokio::test]
async fn what_was_written_through_it_is_read_back_without_a_load() {
    let staged = Staged::default();
    let handle = handle(&staged);
    now(&handle, &staged).await;
    let writing = write(&handle, 1);
    settle().await;
    staged.last().finish();
    writing.await.expect("no panic").expect("written");
    let calls = staged.calls().len();
    assert_eq!(now(&handle, &staged).await, r#"{"n":1}"#);
    assert_eq!(staged.calls().len(), calls);
    let clearing = tokio::spawn({
        let handle = handle.clone();
        async move { handle.clear().await }
    });
    settle().await;
    staged.last().finish();
    clearing.await.expect("no panic").expect("cleared");
    assert_eq!(now(&handle, &staged).await, "{}");
    assert_eq!(staged.calls().len(), calls + 1);
}

#[tokio::test]
async fn after_a_write_that_is_unknown_or_was_dropped_it_loads_again() {
    let staged = Staged::default();
    let handle = handle(&staged);
    now(&handle, &staged).await;
    let unknown = write(&handle, 1);
    settle().await;
    staged.last().fail(Failure::LosesAnswer);
    staged.last().finish();
    unknown.await.expect("no panic").expect_err("no answer");
    assert_eq!(now(&handle, &staged).await, r#"{"n":1}"#);

    let dropped = write(&handle, 2);
    settle().await;
    dropped.abort();
    settle().await;
    staged.last().finish();
    settle().await;
    assert_eq!(now(&handle, &staged).await, r#"{"n":2}"#);
}

#[tokio::test]
async fn of_two_writes_at_once_no_answer_is_kept() {
    for last in [0, 1] {
        let staged = Staged::default();
        let handle = handle(&staged);
        let writes = [write(&handle, 1), write(&handle, 2)];
        settle().await;
        let calls = staged.calls();
        // The store does the first write, then the second; the answers come in either order.
        calls[0].step();
        settle().await;
        calls[1].step();
        settle().await;
        calls[1 - last].step();
        settle().await;
        calls[last].step();
        settle().await;
        for write in writes {
            write.await.expect("no panic").expect("written");
        }
        assert_eq!(now(&handle, &staged).await, r#"{"n":2}"#, "the answer to write {last} came last");
    }
}

#[tokio::test]
async fn a_load_that_a_write_overtook_is_not_kept() {
    let staged = Staged::default();
    let handle = handle(&staged);
    let reading = read(&handle);
    settle().await;
    let load = staged.last();
    load.step();
    settle().await;
    let writing = write(&handle, 1);
    settle().await;
    staged.last().finish();
    writing.await.expect("no panic").expect("written");
    load.step();
    assert!(reading.await.expect("no panic").expect("no error").is_empty());
    assert_eq!(now(&handle, &staged).await, r#"{"n":1}"#);
}
