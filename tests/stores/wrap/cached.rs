use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::task::JoinHandle;
use tower_user_metadata::store::{CachedStore, Capabilities, MemoryStore, MetadataStore, MetadataStoreExt};
use tower_user_metadata::{
    Limits, MetadataUpdate, Precondition, Record, StoreError, StoreErrorKind, UserId, metadata_update,
};

use super::staged::{Failure, Staged, settle, user};

const ROOM: usize = 8 * 1024 * 1024;

/// A cached store over one whose calls wait for the test.
struct Scene {
    staged: Staged,
    store: CachedStore,
    alice: UserId,
}

impl Scene {
    fn new() -> Self {
        let staged = Staged::default();
        let store = CachedStore::new(staged.clone(), ROOM);
        Self { staged, store, alice: user("alice") }
    }

    async fn start<T: Send + 'static>(
        &self,
        call: impl AsyncFnOnce(CachedStore, UserId) -> T + 'static,
    ) -> JoinHandle<T> {
        let (store, alice) = (self.store.clone(), self.alice.clone());
        let task = tokio::task::spawn_local(async move { call(store, alice).await });
        settle().await;
        task
    }

    async fn get(&self) -> JoinHandle<Result<Option<Record>, StoreError>> {
        self.start(async |store, alice| store.get(&alice).await).await
    }

    async fn update(&self, n: u64) -> JoinHandle<Result<Record, StoreError>> {
        self.start(async move |store, alice| store.update(&alice, &set(n), &Precondition::None).await).await
    }

    async fn clear(&self) -> JoinHandle<Result<(), StoreError>> {
        self.start(async |store, alice| store.clear(&alice, &Precondition::None).await).await
    }

    /// What a read answers that may not ask the store.
    async fn kept(&self) -> Option<u64> {
        let before = self.staged.calls().len();
        let read = self.get().await;
        assert_eq!(self.staged.calls().len(), before, "the store was asked");
        n(&read.await.expect("no panic").expect("kept"))
    }

    /// What a read answers that has to ask the store.
    async fn loaded(&self) -> Option<u64> {
        let before = self.staged.calls().len();
        let read = self.get().await;
        assert_eq!(self.staged.calls().len(), before + 1, "the store was not asked once");
        self.staged.last().finish();
        n(&read.await.expect("no panic").expect("loaded"))
    }
}

fn set(n: u64) -> MetadataUpdate {
    metadata_update! { "n": n }
}

fn n(record: &Option<Record>) -> Option<u64> {
    record.as_ref().map(|record| record.metadata.get("n").expect("a number").expect("a field"))
}

/// On paused time and one thread: nothing happens but what the test lets happen.
fn play(test: impl AsyncFnOnce(Scene)) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().expect("a runtime");
    tokio::task::LocalSet::new().block_on(&runtime, async { test(Scene::new()).await });
}

#[test]
fn what_was_read_or_written_is_kept() {
    play(async |scene| {
        assert_eq!(scene.loaded().await, None);
        assert_eq!(scene.kept().await, None);
        let write = scene.update(1).await;
        scene.staged.last().finish();
        write.await.expect("no panic").expect("written");
        assert_eq!(scene.kept().await, Some(1));
        let write = scene.clear().await;
        scene.staged.last().finish();
        write.await.expect("no panic").expect("cleared");
        assert_eq!(scene.kept().await, None);
    });
}

#[test]
fn a_load_that_began_before_a_write_is_not_kept() {
    play(async |scene| {
        let old = scene.get().await;
        let load = scene.staged.last();
        load.step();
        settle().await;
        let write = scene.update(1).await;
        scene.staged.last().finish();
        write.await.expect("no panic").expect("written");
        load.step();
        assert_eq!(n(&old.await.expect("no panic").expect("loaded")), None);
        assert_eq!(scene.kept().await, Some(1));
    });
}

#[test]
fn what_was_cleared_does_not_come_back() {
    play(async |scene| {
        scene.staged.write_past(&scene.alice, &set(1)).await;
        let old = scene.get().await;
        let load = scene.staged.last();
        load.step();
        settle().await;
        let clear = scene.clear().await;
        scene.staged.last().finish();
        clear.await.expect("no panic").expect("cleared");
        load.step();
        assert_eq!(n(&old.await.expect("no panic").expect("loaded")), Some(1));
        assert_eq!(scene.kept().await, None);

        // The load ends between the beginning and the end of the clear.
        scene.staged.write_past(&scene.alice, &set(2)).await;
        scene.store.invalidate(&scene.alice);
        let old = scene.get().await;
        let load = scene.staged.last();
        let clear = scene.clear().await;
        load.finish();
        assert_eq!(n(&old.await.expect("no panic").expect("loaded")), Some(2));
        scene.staged.last().finish();
        clear.await.expect("no panic").expect("cleared");
        assert_eq!(scene.kept().await, None);
    });
}

#[test]
fn of_two_writes_at_once_neither_answer_is_kept() {
    play(async |scene| {
        let (first, second) = (scene.update(1).await, scene.update(2).await);
        let [one, two] = &scene.staged.calls()[..] else { panic!("two writes") };
        one.step();
        settle().await;
        two.finish();
        second.await.expect("no panic").expect("written");
        // A read that begins now must find the second, while the first has not ended.
        assert_eq!(scene.loaded().await, Some(2));
        one.step();
        first.await.expect("no panic").expect("written");
        assert_eq!(scene.loaded().await, Some(2));
        assert_eq!(scene.kept().await, Some(2));
    });
}

#[test]
fn a_herd_is_one_load_and_it_goes_on_without_its_first_reader() {
    play(async |scene| {
        scene.staged.write_past(&scene.alice, &set(1)).await;
        let first = scene.get().await;
        let mut herd = Vec::new();
        for _ in 0..20 {
            herd.push(scene.get().await);
        }
        let many = scene.start(async |store, alice| store.get_many(&[user("bob"), alice]).await).await;
        first.abort();
        settle().await;
        let [load, rest] = &scene.staged.calls()[..] else { panic!("not one load a user") };
        assert_eq!((rest.operation, &rest.users[..]), ("get", &[user("bob")][..]));
        load.finish();
        rest.finish();
        for reader in herd {
            assert_eq!(n(&reader.await.expect("no panic").expect("loaded")), Some(1));
        }
        let many = many.await.expect("no panic").expect("loaded");
        assert_eq!(many.iter().map(n).collect::<Vec<_>>(), [None, Some(1)]);
        assert_eq!(scene.kept().await, Some(1));
    });
}

#[test]
fn get_many_loads_what_is_missing_in_one_call_and_in_the_order_asked() {
    play(async |scene| {
        for (name, value) in [("alice", 1), ("bob", 2), ("carol", 3)] {
            scene.staged.write_past(&user(name), &set(value)).await;
        }
        assert_eq!(scene.loaded().await, Some(1));
        let asked = ["carol", "alice", "nobody", "bob", "carol"].map(user);
        let many = scene.start(async move |store, _| store.get_many(&asked).await).await;
        let load = scene.staged.last();
        assert_eq!(load.operation, "get_many");
        assert_eq!(load.users, ["carol", "nobody", "bob"].map(user));
        // Readers of one of them join.
        let bob = scene.start(async |store, _| store.get(&user("bob")).await).await;
        load.finish();
        let many = many.await.expect("no panic").expect("loaded");
        assert_eq!(many.iter().map(n).collect::<Vec<_>>(), [Some(3), Some(1), None, Some(2), Some(3)]);
        assert_eq!(n(&bob.await.expect("no panic").expect("loaded")), Some(2));
        assert_eq!(scene.staged.calls().len(), 2);
        let again = scene.start(async |store, _| store.get_many(&["nobody", "bob"].map(user)).await).await;
        assert_eq!(again.await.expect("no panic").expect("kept").len(), 2);
        assert_eq!(scene.staged.calls().len(), 2);
        let none = scene.start(async |store, _| store.get_many(&[]).await).await;
        assert_eq!(none.await.expect("no panic").expect("nothing").len(), 0);
        assert_eq!(scene.staged.calls().len(), 2);
    });
}

#[test]
fn an_error_reaches_all_who_wait_and_is_not_kept() {
    play(async |scene| {
        let (first, second) = (scene.get().await, scene.get().await);
        scene.staged.last().fail(Failure::Fails);
        scene.staged.last().finish();
        for reader in [first, second] {
            let error = reader.await.expect("no panic").expect_err("a failure");
            assert_eq!(error.kind(), StoreErrorKind::Unavailable);
            assert!(error.is_retryable());
            assert!(std::error::Error::source(&error).is_none(), "the error of the store itself, and none around it");
        }
        assert_eq!(scene.loaded().await, None);
    });
}

#[test]
fn a_load_that_panics_ends_for_all_who_wait() {
    play(async |scene| {
        let (first, second) = (scene.get().await, scene.get().await);
        scene.staged.last().fail(Failure::Panics);
        scene.staged.last().finish();
        for reader in [first, second] {
            let error = reader.await.expect("no panic here").expect_err("a failure");
            assert_eq!(error.kind(), StoreErrorKind::Internal);
        }
        assert_eq!(scene.loaded().await, None);
        assert_eq!(scene.kept().await, None);
    });
}

#[test]
fn a_write_whose_outcome_is_unknown_drops_what_was_kept() {
    play(async |scene| {
        assert_eq!(scene.loaded().await, None);
        let write = scene.update(1).await;
        scene.staged.last().fail(Failure::LosesAnswer);
        scene.staged.last().finish();
        assert!(write.await.expect("no panic").expect_err("unknown").may_have_happened());
        assert_eq!(scene.loaded().await, Some(1));

        let write = scene.update(2).await;
        write.abort();
        settle().await;
        scene.staged.last().finish();
        settle().await;
        assert_eq!(scene.loaded().await, Some(2));
        assert_eq!(scene.kept().await, Some(2));
    });
}

#[test]
fn a_failed_precondition_drops_what_was_kept() {
    play(async |scene| {
        let seen = scene.update(1).await;
        scene.staged.last().finish();
        let seen = seen.await.expect("no panic").expect("written").version;
        scene.staged.write_past(&scene.alice, &set(2)).await;
        assert_eq!(scene.kept().await, Some(1));
        let when = Precondition::Version(seen);
        let write = scene.start(async move |store, alice| store.update(&alice, &set(3), &when).await).await;
        scene.staged.last().finish();
        let error = write.await.expect("no panic").expect_err("overtaken");
        assert_eq!(error.kind(), StoreErrorKind::PreconditionFailed);
        assert!(error.current_version().is_some_and(|current| current != seen));
        assert_eq!(scene.loaded().await, Some(2));
    });
}

#[test]
fn news_of_other_writers_are_heeded_whatever_is_under_way() {
    play(async |scene| {
        assert_eq!(scene.loaded().await, None);
        for all in [false, true] {
            let invalidate = || match all {
                true => scene.store.invalidate_all(),
                false => scene.store.invalidate(&scene.alice),
            };
            // Nothing is under way.
            scene.staged.write_past(&scene.alice, &set(1)).await;
            assert_ne!(scene.kept().await, Some(1));
            invalidate();
            assert_eq!(scene.loaded().await, Some(1));

            // A load is.
            invalidate();
            let old = scene.get().await;
            let load = scene.staged.last();
            load.step();
            settle().await;
            scene.staged.write_past(&scene.alice, &set(2)).await;
            invalidate();
            let new = scene.get().await;
            load.step();
            assert_eq!(n(&old.await.expect("no panic").expect("loaded")), Some(1));
            scene.staged.last().finish();
            assert_eq!(n(&new.await.expect("no panic").expect("loaded")), Some(2));
            assert_eq!(scene.kept().await, Some(2));

            // A write is, and what it will answer has been overtaken.
            let write = scene.update(3).await;
            scene.staged.last().step();
            settle().await;
            scene.staged.write_past(&scene.alice, &set(4)).await;
            invalidate();
            scene.staged.last().step();
            assert_eq!(n(&write.await.expect("no panic").ok()), Some(3));
            assert_eq!(scene.loaded().await, Some(4));
        }
    });
}

#[test]
fn what_is_kept_is_no_older_than_max_age() {
    play(async |scene| {
        assert_eq!(scene.loaded().await, None);
        scene.staged.write_past(&scene.alice, &set(1)).await;
        tokio::time::advance(Duration::from_millis(4_999)).await;
        assert_eq!(scene.kept().await, None);
        tokio::time::advance(Duration::from_millis(1)).await;

        // The age counts from the beginning of the load.
        let load = scene.get().await;
        tokio::time::advance(Duration::from_millis(4_999)).await;
        scene.staged.last().finish();
        assert_eq!(n(&load.await.expect("no panic").expect("loaded")), Some(1));
        assert_eq!(scene.kept().await, Some(1));
        tokio::time::advance(Duration::from_millis(1)).await;

        // Nobody joins a load that is older.
        let old = scene.get().await;
        let [slow] = &scene.staged.under_way()[..] else { panic!("the store was not asked") };
        slow.step();
        settle().await;
        scene.staged.write_past(&scene.alice, &set(2)).await;
        tokio::time::advance(Duration::from_secs(5)).await;
        assert_eq!(scene.loaded().await, Some(2));
        slow.step();
        assert_eq!(n(&old.await.expect("no panic").expect("loaded")), Some(1));
        assert_eq!(scene.kept().await, Some(2));

        // Of what a write answers, from the beginning of the write.
        let write = scene.update(3).await;
        tokio::time::advance(Duration::from_millis(4_999)).await;
        scene.staged.last().finish();
        write.await.expect("no panic").expect("written");
        assert_eq!(scene.kept().await, Some(3));
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(scene.loaded().await, Some(3));
    });
}

#[test]
fn without_age_each_read_goes_to_the_store() {
    play(async |mut scene| {
        let patient = scene.store.clone();
        scene.store = scene.store.with_max_age(Duration::ZERO);
        assert_eq!(scene.loaded().await, None);
        let (first, second) = (scene.get().await, scene.get().await);
        let calls = scene.staged.under_way();
        assert_eq!(calls.len(), 2);
        calls.iter().for_each(|call| call.finish());
        assert!(first.await.expect("no panic").is_ok() && second.await.expect("no panic").is_ok());
        let write = scene.update(1).await;
        scene.staged.last().finish();
        write.await.expect("no panic").expect("written");
        assert_eq!(scene.loaded().await, Some(1));
        // A clone with an age of its own still finds what this one writes.
        assert_eq!(n(&patient.get(&scene.alice).await.expect("kept")), Some(1));
    });
}

#[cfg(feature = "sqlite")]
#[tokio::test]
async fn reads_of_a_closed_store_find_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let sqlite = tower_user_metadata::store::SqliteStore::open(folder.path().join("x.db")).await.expect("a store");
    let store = CachedStore::new(sqlite, ROOM);
    let alice = user("alice");
    let record = store.update(&alice, &set(1), &Precondition::None).await.expect("written");
    assert_eq!(store.get(&alice).await.expect("kept"), Some(record));
    store.clone().close().await;
    assert_eq!(store.get(&alice).await.expect_err("closed").kind(), StoreErrorKind::Closed);
}

#[test]
fn nothing_is_kept_once_the_store_closes() {
    play(async |scene| {
        let read = scene.get().await;
        let write = scene.start(async |store, _| store.update(&user("bob"), &set(1), &Precondition::None).await).await;
        scene.store.close().await;
        for call in scene.staged.calls() {
            call.finish();
        }
        assert!(read.await.expect("no panic").is_ok() && write.await.expect("no panic").is_ok());
        assert_eq!(told(&scene.store, "users"), 0);
        assert_eq!(scene.loaded().await, None);
        assert_eq!(scene.loaded().await, None);
    });
}

/// A number in what `Debug` tells of a store.
fn told(store: &CachedStore, name: &str) -> usize {
    let told = format!("{store:?}");
    let rest = told.rsplit_once(&format!(" {name}: ")).expect("told").1;
    rest.split([',', ' ']).next().expect("a number").parse().expect("a number")
}

#[tokio::test]
async fn it_is_bounded_in_bytes() {
    let room = 4 * 1024 * 1024;
    let store = CachedStore::new(MemoryStore::new(), room);
    let update = metadata_update! { "text": "x".repeat(2_000) };
    for number in 0..10_000 {
        store.update(&user(&number.to_string()), &update, &Precondition::None).await.expect("written");
    }
    assert_eq!(told(&store, "max_bytes"), room);
    let (bytes, users) = (told(&store, "bytes"), told(&store, "users"));
    assert!(bytes <= room && bytes > room / 2, "{bytes}");
    assert!(users * 2_000 <= room && users > 1_000, "{users}");
}

#[tokio::test]
async fn what_is_larger_than_a_part_is_not_kept_and_still_read() {
    let limits = Limits::default().with_document_bytes(16 * 1024 * 1024);
    let store = CachedStore::new(MemoryStore::new().with_limits(limits), 3 * 1024 * 1024);
    let (alice, bob) = (user("alice"), user("bob"));
    for (who, bytes) in [(&alice, 4_000_000), (&bob, 1_000)] {
        let update = metadata_update! { "text": "x".repeat(bytes) };
        let record = store.update(who, &update, &Precondition::None).await.expect("written");
        assert_eq!(store.get(who).await.expect("read"), Some(record));
    }
    assert_eq!(told(&store, "users"), 1);
}

#[tokio::test]
async fn two_caches_modify_one_document_and_lose_nothing() {
    let memory = MemoryStore::new();
    let stores = [CachedStore::new(memory.clone(), ROOM), CachedStore::new(memory.clone(), ROOM)];
    let alice = user("alice");
    for round in 0..100 {
        let record = stores[round % 2].modify(&alice, |document| {
            let seen: u64 = document.get("n").ok().flatten().unwrap_or(0);
            set(seen + 1)
        });
        record.await.expect("written");
    }
    assert_eq!(n(&memory.get(&alice).await.expect("memory")), Some(100));
}

/// A memory that gives way before and after each call, so that callers on several threads meet.
#[derive(Clone, Debug, Default)]
struct Yielding(MemoryStore);

#[async_trait::async_trait]
impl MetadataStore for Yielding {
    async fn get(&self, user: &UserId) -> Result<Option<Record>, StoreError> {
        tokio::task::yield_now().await;
        let answer = self.0.get(user).await;
        tokio::task::yield_now().await;
        answer
    }

    async fn get_many(&self, users: &[UserId]) -> Result<Vec<Option<Record>>, StoreError> {
        self.0.get_many(users).await
    }

    async fn update(&self, user: &UserId, update: &MetadataUpdate, when: &Precondition) -> Result<Record, StoreError> {
        let answer = self.0.update(user, update, when).await;
        tokio::task::yield_now().await;
        answer
    }

    async fn clear(&self, user: &UserId, when: &Precondition) -> Result<(), StoreError> {
        self.0.clear(user, when).await
    }

    async fn close(&self) {
        self.0.close().await;
    }

    fn capabilities(&self) -> Capabilities {
        self.0.capabilities()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn on_several_threads_each_writer_finds_its_own_writes_and_readers_never_go_back() {
    let store = CachedStore::new(Yielding::default(), ROOM).with_max_age(Duration::from_secs(3_600));
    let running = Arc::new(AtomicUsize::new(3));
    let mut tasks = Vec::new();
    for writer in ["a", "b", "c"] {
        let (store, running) = (store.clone(), Arc::clone(&running));
        tasks.push(tokio::spawn(async move {
            for number in 1..=2_000_u64 {
                let update = MetadataUpdate::new().set(writer, &number);
                store.update(&user("alice"), &update, &Precondition::None).await.expect("written");
                let read = store.get(&user("alice")).await.expect("read").expect("a document");
                assert_eq!(read.metadata.get(writer).expect("a number"), Some(number));
                if number % 8 == 0 {
                    tokio::time::sleep(Duration::from_micros(200)).await;
                }
            }
            running.fetch_sub(1, Ordering::SeqCst);
        }));
    }
    for _ in 0..2 {
        let (store, running) = (store.clone(), Arc::clone(&running));
        tasks.push(tokio::spawn(async move {
            let mut seen = [0; 3];
            while running.load(Ordering::SeqCst) > 0 {
                if let Some(read) = store.get(&user("alice")).await.expect("read") {
                    let now = ["a", "b", "c"].map(|name| read.metadata.get(name).expect("a number").unwrap_or(0_u64));
                    assert!(seen.iter().zip(now).all(|(seen, now)| *seen <= now), "{seen:?} and then {now:?}");
                    seen = now;
                }
                tokio::task::yield_now().await;
            }
        }));
    }
    for task in tasks {
        task.await.expect("no panic");
    }
}
