//! Two processes on one store, of which one caches and the other writes: what `CachedStore` promises of that, for stores
//! that tell of changes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tower_user_metadata::store::{CachedStore, MetadataStore};
use tower_user_metadata::{MetadataUpdate, Precondition, UserId};

/// Longer than any of these tests: what is seen within it was told.
const FOREVER: Duration = Duration::from_secs(600);

/// For news within one machine, however busy.
const SOON: Duration = Duration::from_secs(5);

fn user(at: u64) -> UserId {
    // One that has to be escaped in keys and payloads.
    UserId::new(format!("user {at} {{%7B}} €")).expect("an id")
}

fn set(n: u64) -> MetadataUpdate {
    MetadataUpdate::new().set("n", &n)
}

async fn n(store: &impl MetadataStore, user: &UserId) -> Option<u64> {
    let record = store.get(user).await.ok()??;
    record.metadata.get("n").expect("a number")
}

/// Waits until something is so, for as long as news may take.
pub(crate) async fn until(what: &str, mut so: impl AsyncFnMut() -> bool) {
    let begin = Instant::now();
    while !so().await {
        assert!(begin.elapsed() < SOON, "in vain: {what}");
        sleep(Duration::from_millis(1)).await;
    }
}

/// A cache that would keep a document for ever, if nothing was told.
pub(crate) fn cached(store: impl MetadataStore) -> CachedStore {
    let store = CachedStore::new(store, 8 * 1024 * 1024).with_max_age(Duration::from_secs(20));
    store.with_change_notices(FOREVER).expect("it tells of changes")
}

/// Waits until the cache hears.
pub(crate) async fn listens(cache: &CachedStore, writer: &dyn MetadataStore) {
    let witness = UserId::new("witness").expect("an id");
    let mut number = 0;
    // Before it hears, a read is kept and a write past it unseen.
    until("the cache hears", async || {
        number += 1;
        n(cache, &witness).await;
        writer.update(&witness, &set(number), &Precondition::None).await.expect("written");
        sleep(Duration::from_millis(20)).await;
        n(cache, &witness).await == Some(number)
    })
    .await;
}

/// Every kind of write by somebody else is seen, one by one and many at a time.
pub(crate) async fn every_write_is_heard(cache: CachedStore, writer: Arc<dyn MetadataStore>) {
    listens(&cache, &*writer).await;
    let alice = user(0);
    assert_eq!(n(&cache, &alice).await, None);
    let seen = async |wanted| {
        until("a write is seen", async || n(&cache, &alice).await == wanted).await;
        // It is kept from here on, so that the next one has to be told.
        sleep(Duration::from_millis(20)).await;
        assert_eq!(n(&cache, &alice).await, wanted);
    };
    for when in [Precondition::Absent, Precondition::None, Precondition::Exists] {
        let number = 1 + n(&cache, &alice).await.unwrap_or_default();
        writer.update(&alice, &set(number), &when).await.expect("written");
        seen(Some(number)).await;
    }
    let version = writer.get(&alice).await.expect("read").expect("a document").version;
    writer.update(&alice, &set(9), &Precondition::Version(version)).await.expect("written");
    seen(Some(9)).await;
    writer.clear(&alice, &Precondition::Exists).await.expect("cleared");
    seen(None).await;
    writer.update(&alice, &MetadataUpdate::new(), &Precondition::None).await.expect("written");
    until("an empty document is seen", async || cache.get(&alice).await.expect("read").is_some()).await;
    writer.clear(&alice, &Precondition::None).await.expect("cleared");
    until("it is gone", async || cache.get(&alice).await.expect("read").is_none()).await;

    // Many at once, which may share a statement.
    let users: Vec<_> = (0..200).map(user).collect();
    for round in 1..=3 {
        let read = cache.get_many(&users).await.expect("read");
        assert_eq!(read.len(), users.len());
        let mut writes = JoinSet::new();
        for user in users.clone() {
            let writer = Arc::clone(&writer);
            writes.spawn(async move { writer.update(&user, &set(round), &Precondition::None).await.map(drop) });
        }
        while let Some(write) = writes.join_next().await {
            write.expect("no panic").expect("written");
        }
        until("all are seen", async || {
            let read = cache.get_many(&users).await.expect("read");
            read.iter().all(|record| {
                record.as_ref().is_some_and(|record| record.metadata.get("n").ok().flatten() == Some(round))
            })
        })
        .await;
    }
}

/// Writes through the cache itself are seen by it at once, as ever.
pub(crate) async fn own_writes_are_read(cache: CachedStore, writer: Arc<dyn MetadataStore>) {
    listens(&cache, &*writer).await;
    let bob = user(1_000);
    for number in 1..=200 {
        let (update, other) = (set(number), MetadataUpdate::new().set("other", &number));
        let (own, others) = tokio::join!(
            cache.update(&bob, &update, &Precondition::None),
            writer.update(&bob, &other, &Precondition::None)
        );
        own.expect("written");
        others.expect("written");
        assert_eq!(n(&cache, &bob).await, Some(number));
    }
    let last = writer.get(&bob).await.expect("read");
    until("the last write is seen", async || cache.get(&bob).await.expect("read") == last).await;
}

/// What was written of a user, and when it was answered.
type Log = Arc<Mutex<Vec<(Instant, u64)>>>;

/// While the connection for the news is cut again and again, no read is older than the bound; and when that ends,
/// nothing old is left.
pub(crate) async fn nothing_outlives_its_bound(
    store: impl MetadataStore,
    writer: Arc<dyn MetadataStore>,
    mut cut: impl AsyncFnMut(),
) {
    const BOUND: Duration = Duration::from_millis(400);
    let cache = CachedStore::new(store, 8 * 1024 * 1024).with_max_age(BOUND);
    let cache = cache.with_change_notices(FOREVER).expect("it tells of changes");
    let logs: Vec<(UserId, Log)> = (2_000..2_006).map(|at| (user(at), Log::default())).collect();
    let over = Arc::new(AtomicBool::new(false));
    let (mut writes, mut reads) = (JoinSet::new(), JoinSet::new());
    for (at, (user, log)) in logs.iter().enumerate() {
        let (whose, log, writer, ends) = (user.clone(), Arc::clone(log), Arc::clone(&writer), Arc::clone(&over));
        // Some are written often, and some so seldom that they are kept for several bounds.
        let pause = Duration::from_millis(20 << at);
        writes.spawn(async move {
            for number in 1.. {
                writer.update(&whose, &set(number), &Precondition::None).await.expect("written");
                log.lock().expect("not poisoned").push((Instant::now(), number));
                if ends.load(Ordering::SeqCst) {
                    return;
                }
                sleep(pause).await;
            }
        });
        let ((user, log), cache, over) = (logs[at].clone(), cache.clone(), Arc::clone(&over));
        reads.spawn(async move {
            while !over.load(Ordering::SeqCst) {
                let began = Instant::now();
                let read = n(&cache, &user).await.unwrap_or_default();
                let must = log.lock().expect("not poisoned").iter().rev().find(|(at, _)| *at + BOUND <= began).copied();
                let must = must.map_or(0, |(_, number)| number);
                assert!(read >= must, "read {read}, where {must} was written {BOUND:?} before");
                sleep(Duration::from_millis(2)).await;
            }
        });
    }
    for _ in 0..8 {
        sleep(Duration::from_millis(250)).await;
        cut().await;
    }
    over.store(true, Ordering::SeqCst);
    while let Some(task) = writes.join_next().await {
        task.expect("written");
    }
    while let Some(task) = reads.join_next().await {
        task.expect("no read is too old");
    }
    sleep(BOUND).await;
    for (user, log) in &logs {
        let last = log.lock().expect("not poisoned").last().map(|(_, number)| *number);
        assert_eq!(n(&cache, user).await, last);
    }
    listens(&cache, &*writer).await;
}
