//! The store without `async`: from threads, and where it must not be used.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use async_trait::async_trait;
use tower_user_metadata::blocking::BlockingStore;
use tower_user_metadata::store::{CachedStore, Capabilities, MemoryStore, MetadataStore, TimeoutStore};
use tower_user_metadata::{
    ConfigError, MetadataUpdate, Precondition, Record, StoreError, StoreErrorKind, UserId, metadata_update,
};

fn user(id: &str) -> UserId {
    UserId::new(id).expect("an id")
}

fn set(n: u64) -> MetadataUpdate {
    metadata_update! { "n": n }
}

#[test]
fn what_it_does_is_what_the_store_does() {
    let (store, alice) = (BlockingStore::connect("memory:").expect("opened"), user("alice"));
    assert_eq!(store.record(&alice).expect("read"), None);
    assert!(store.get(&alice).expect("read").is_empty());
    let record =
        store.update(&alice, metadata_update! { "n": 1, "gone": null, "kept": { "x": null } }).expect("written");
    assert_eq!(record.metadata.to_json(), r#"{"kept":{"x":null},"n":1}"#);
    assert_eq!(store.record(&alice).expect("read"), Some(record.clone()));
    let refused = store.update_if(&alice, set(2), Precondition::Absent).expect_err("refused");
    assert_eq!((refused.kind(), refused.current_version()), (StoreErrorKind::PreconditionFailed, Some(record.version)));
    store.update_if(&alice, set(2), Precondition::Version(record.version)).expect("written");
    store.clear_if(&alice, Precondition::Version(record.version)).expect_err("refused");
    store.clear(&alice).expect("cleared");
    assert_eq!(store.record(&alice).expect("read"), None);
}

#[test]
fn a_store_that_cannot_be_opened_says_why() {
    let error = BlockingStore::connect("nothing:").expect_err("refused");
    assert!(matches!(error, ConfigError::UnknownStore { .. }), "{error:?}");
    let error = BlockingStore::open(async || -> Result<MemoryStore, _> { panic!("as the test wants it") });
    assert!(
        matches!(error, Err(ConfigError::Store(ref error)) if error.kind() == StoreErrorKind::Internal),
        "{error:?}"
    );
}

#[test]
fn threads_share_it() {
    let store = BlockingStore::open(async || Ok(CachedStore::new(MemoryStore::new(), 1 << 20))).expect("opened");
    let threads: Vec<_> = (0..8)
        .map(|at| {
            let store = store.clone();
            thread::spawn(move || {
                for n in 0..100_u64 {
                    let update = MetadataUpdate::new().set(&format!("f{at}"), &n);
                    store.update(&user("alice"), update).expect("written");
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
    assert_eq!(store.get(&user("alice")).expect("read").len(), 8);
}

/// A store that answers when so many calls are under way; counts its handles.
#[derive(Debug)]
struct Meeting {
    barrier: tokio::sync::Barrier,
    alive: Arc<AtomicUsize>,
}

impl Drop for Meeting {
    fn drop(&mut self) {
        self.alive.fetch_sub(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl MetadataStore for Meeting {
    async fn get(&self, _: &UserId) -> Result<Option<Record>, StoreError> {
        self.barrier.wait().await;
        Ok(None)
    }

    async fn get_many(&self, _: &[UserId]) -> Result<Vec<Option<Record>>, StoreError> {
        Ok(Vec::new())
    }

    async fn update(&self, _: &UserId, _: &MetadataUpdate, _: &Precondition) -> Result<Record, StoreError> {
        panic!("as the test wants it")
    }

    async fn clear(&self, _: &UserId, _: &Precondition) -> Result<(), StoreError> {
        std::future::pending().await
    }

    async fn close(&self) {}

    fn capabilities(&self) -> Capabilities {
        MemoryStore::new().capabilities()
    }
}

#[test]
fn calls_are_under_way_together_and_the_thread_ends_with_the_last_handle() {
    let alive = Arc::new(AtomicUsize::new(1));
    let meeting = Meeting { barrier: tokio::sync::Barrier::new(4), alive: Arc::clone(&alive) };
    let store =
        BlockingStore::open(async || Ok(TimeoutStore::new(meeting, Duration::from_millis(200)))).expect("opened");
    let threads: Vec<_> = (0..4).map(|_| (store.clone(), user("alice"))).collect();
    let threads: Vec<_> = threads.into_iter().map(|(store, alice)| thread::spawn(move || store.get(&alice))).collect();
    threads.into_iter().for_each(|thread| drop(thread.join().expect("no panic").expect("met")));

    let error = store.update(&user("alice"), set(1)).expect_err("panicked");
    assert_eq!((error.kind(), error.may_have_happened()), (StoreErrorKind::Internal, true));
    let error = store.get(&user("alice")).expect_err("alone");
    assert_eq!(error.kind(), StoreErrorKind::Timeout, "the store goes on after the panic, and has time");
    assert!(store.clear(&user("alice")).expect_err("late").may_have_happened());
    drop(store);
    while alive.load(Ordering::SeqCst) > 0 {
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_closed_store_says_so() {
    let directory = tempfile::tempdir().expect("a directory");
    let url = format!("sqlite://{}", directory.path().join("metadata.db").display());
    if !cfg!(feature = "sqlite") {
        return;
    }
    let store = BlockingStore::connect(&url).expect("opened");
    store.update(&user("alice"), set(1)).expect("written");
    store.close().expect("closed");
    assert_eq!(store.get(&user("alice")).expect_err("closed").kind(), StoreErrorKind::Closed);
    let again = BlockingStore::connect(&url).expect("opened");
    assert_eq!(again.get(&user("alice")).expect("read").to_json(), r#"{"n":1}"#);
}

fn refused(store: &BlockingStore) {
    let alice = user("alice");
    let errors = [
        store.get(&alice).expect_err("refused"),
        store.record(&alice).expect_err("refused"),
        store.update(&alice, set(1)).expect_err("refused"),
        store.clear(&alice).expect_err("refused"),
        store.close().expect_err("refused"),
    ];
    for error in errors {
        assert_eq!((error.kind(), error.may_have_happened()), (StoreErrorKind::Unsupported, false));
        let why = error.source().expect("a reason").to_string();
        assert!(why.contains("UserMetadataHandle") && why.contains("MetadataStore"), "{why}");
    }
    let Err(ConfigError::Store(error)) = BlockingStore::connect("memory:") else { panic!("opened in a runtime") };
    assert_eq!(error.kind(), StoreErrorKind::Unsupported);
}

#[test]
fn inside_a_runtime_it_refuses_and_does_not_panic() {
    let store = BlockingStore::connect("memory:").expect("opened");
    for mut runtime in [tokio::runtime::Builder::new_current_thread(), tokio::runtime::Builder::new_multi_thread()] {
        let runtime = runtime.enable_all().build().expect("a runtime");
        let (first, second, third) = (store.clone(), store.clone(), store.clone());
        runtime.block_on(async move {
            refused(&first);
            tokio::spawn(async move { refused(&second) }).await.expect("no panic");
            tokio::task::spawn_blocking(move || refused(&third)).await.expect("no panic");
            thread::spawn(move || first.update(&user("alice"), set(1))).join().expect("no panic").expect("written");
        });
    }
    assert_eq!(store.get(&user("alice")).expect("read").to_json(), r#"{"n":1}"#);
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async move { drop(store) });
}
