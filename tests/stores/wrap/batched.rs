use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use tokio::task::JoinHandle;
use tower_user_metadata::store::{BatchedStore, Capabilities, MemoryStore, MetadataStore, StoreError, StoreErrorKind};
use tower_user_metadata::{MetadataUpdate, Precondition, Record, UserId, metadata_update};

use super::staged::{Failure, Staged, settle, user};

type Asked = JoinHandle<Result<Option<Record>, StoreError>>;

fn ask(store: &BatchedStore, name: &str) -> Asked {
    let (store, user) = (store.clone(), user(name));
    tokio::spawn(async move { store.get(&user).await })
}

async fn document(asked: Asked) -> String {
    let record = asked.await.expect("no panic").expect("no error");
    record.map_or_else(|| "none".to_owned(), |record| record.metadata.to_json())
}

fn users_of(staged: &Staged) -> Vec<(&'static str, Vec<String>)> {
    let names = |users: &[UserId]| users.iter().map(|user| user.as_str().to_owned()).collect();
    staged.calls().iter().map(|call| (call.operation, names(&call.users))).collect()
}

#[tokio::test]
async fn what_is_asked_in_one_moment_is_one_call() {
    let staged = Staged::default();
    let store = BatchedStore::new(staged.clone());
    staged.write_past(&user("bob"), &metadata_update! { "n": 1 }).await;
    let asked = ["alice", "bob", "alice", "carol"].map(|name| ask(&store, name));
    settle().await;
    assert_eq!(users_of(&staged), [("get_many", ["alice", "bob", "carol"].map(str::to_owned).to_vec())]);
    staged.last().finish();
    let mut documents = Vec::new();
    for asked in asked {
        documents.push(document(asked).await);
    }
    assert_eq!(documents, ["none", r#"{"n":1}"#, "none", "none"]);

    let lone = ask(&store, "bob");
    settle().await;
    assert_eq!(staged.last().operation, "get");
    staged.last().finish();
    assert_eq!(document(lone).await, r#"{"n":1}"#);
}

#[tokio::test]
async fn a_read_joins_no_call_that_has_begun() {
    let staged = Staged::default();
    let store = BatchedStore::new(staged.clone()).with_max_users(2);
    let first = ask(&store, "alice");
    settle().await;
    staged.last().step();
    settle().await;
    staged.write_past(&user("alice"), &metadata_update! { "n": 1 }).await;
    let later = ["alice", "bob", "carol"].map(|name| ask(&store, name));
    settle().await;
    assert_eq!(staged.calls().len(), 1, "one call at a time");
    staged.last().step();
    assert_eq!(document(first).await, "none");
    settle().await;
    assert_eq!(staged.last().users, [user("alice"), user("bob")]);
    staged.last().finish();
    settle().await;
    assert_eq!(staged.last().users, [user("carol")]);
    staged.last().finish();
    let [alice, bob, carol] = later;
    assert_eq!([document(alice).await, document(bob).await, document(carol).await], [r#"{"n":1}"#, "none", "none"]);
}

#[tokio::test]
async fn whoever_goes_away_takes_nobody_along() {
    let staged = Staged::default();
    let store = BatchedStore::new(staged.clone());
    let first = ask(&store, "alice");
    settle().await;
    let (gone, stays) = (ask(&store, "bob"), ask(&store, "carol"));
    settle().await;
    first.abort();
    gone.abort();
    settle().await;
    staged.last().finish();
    settle().await;
    assert_eq!(staged.last().users, [user("carol")], "nobody waits for bob");
    staged.last().finish();
    assert_eq!(document(stays).await, "none");
}

#[tokio::test]
async fn an_outage_reaches_all_and_a_panic_those_of_its_call() {
    let staged = Staged::default();
    let store = BatchedStore::new(staged.clone());
    for (failure, kind) in [(Failure::Fails, StoreErrorKind::Unavailable), (Failure::Panics, StoreErrorKind::Internal)]
    {
        let asked = [ask(&store, "alice"), ask(&store, "bob")];
        settle().await;
        let failing = staged.last();
        let next = ask(&store, "carol");
        settle().await;
        failing.fail(failure);
        failing.finish();
        for asked in asked {
            assert_eq!(asked.await.expect("no panic here").expect_err("a failure").kind(), kind);
        }
        settle().await;
        staged.last().finish();
        assert_eq!(document(next).await, "none");
    }
}

#[test]
fn another_runtime_goes_on_when_the_first_is_gone() {
    let staged = Staged::default();
    let store = BatchedStore::new(staged.clone());
    let runtime = || tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let first = runtime();
    first.block_on(async {
        drop(ask(&store, "alice"));
        settle().await;
        drop(ask(&store, "bob"));
        settle().await;
    });
    drop(first);
    runtime().block_on(async {
        let asked = ask(&store, "carol");
        settle().await;
        staged.last().finish();
        assert_eq!(document(asked).await, "none");
    });
}

/// A memory in which one user's document cannot be read.
#[derive(Clone, Debug, Default)]
struct Damaged {
    memory: MemoryStore,
    calls: Arc<AtomicUsize>,
}

#[async_trait]
impl MetadataStore for Damaged {
    async fn get(&self, user: &UserId) -> Result<Option<Record>, StoreError> {
        Ok(self.get_many(std::slice::from_ref(user)).await?.remove(0))
    }

    async fn get_many(&self, users: &[UserId]) -> Result<Vec<Option<Record>>, StoreError> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        if users.iter().any(|user| user.as_str() == "damaged") {
            return Err(StoreError::new(StoreErrorKind::Corrupt));
        }
        self.memory.get_many(users).await
    }

    async fn update(&self, user: &UserId, update: &MetadataUpdate, when: &Precondition) -> Result<Record, StoreError> {
        self.memory.update(user, update, when).await
    }

    async fn clear(&self, user: &UserId, when: &Precondition) -> Result<(), StoreError> {
        self.memory.clear(user, when).await
    }

    async fn close(&self) {}

    fn capabilities(&self) -> Capabilities {
        self.memory.capabilities()
    }
}

#[tokio::test]
async fn one_unreadable_document_fails_its_own_reads_only() {
    let damaged = Damaged::default();
    let store = BatchedStore::new(damaged.clone());
    let asked = ["alice", "damaged", "bob", "damaged"].map(|name| ask(&store, name));
    let [alice, first, bob, second] = asked;
    assert_eq!([document(alice).await, document(bob).await], ["none", "none"]);
    for asked in [first, second] {
        assert_eq!(asked.await.expect("no panic").expect_err("damaged").kind(), StoreErrorKind::Corrupt);
    }
    assert_eq!(damaged.calls.load(Ordering::SeqCst), 4, "together, and then each alone");
}
