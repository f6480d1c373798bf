//! `CachedStore` over a store that tells of changes when the test says so, on paused time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{Mutex, mpsc};
use tokio::time::{Instant, advance};
use tower_user_metadata::store::{
    CachedStore, Capabilities, Change, ChangeListener, Changes, MemoryStore, MetadataStore, StoreError, StoreErrorKind,
};
use tower_user_metadata::{ConfigError, MetadataUpdate, Precondition, Record, UserId, metadata_update};

use super::staged::{Staged, settle, user};

#[derive(Debug)]
enum News {
    Heard,
    Changed(UserId, Change),
    Lost,
}

/// A staged store, and what it tells.
#[derive(Clone, Debug)]
struct Telling {
    staged: Staged,
    script: Arc<Script>,
}

#[derive(Debug)]
struct Script {
    news: Mutex<mpsc::UnboundedReceiver<News>>,
    followed: AtomicUsize,
}

#[async_trait]
impl Changes for Script {
    async fn follow(&self, listener: &dyn ChangeListener, _: Duration) -> StoreError {
        self.followed.fetch_add(1, Ordering::SeqCst);
        let mut news = self.news.lock().await;
        loop {
            match news.recv().await {
                Some(News::Heard) => listener.heard(Instant::now()),
                Some(News::Changed(user, change)) => listener.changed(&user, change),
                Some(News::Lost) => return StoreError::new(StoreErrorKind::Unavailable),
                None => return StoreError::new(StoreErrorKind::Closed),
            }
        }
    }
}

#[async_trait]
impl MetadataStore for Telling {
    async fn get(&self, user: &UserId) -> Result<Option<Record>, StoreError> {
        self.staged.get(user).await
    }

    async fn get_many(&self, users: &[UserId]) -> Result<Vec<Option<Record>>, StoreError> {
        self.staged.get_many(users).await
    }

    async fn update(&self, user: &UserId, update: &MetadataUpdate, when: &Precondition) -> Result<Record, StoreError> {
        self.staged.update(user, update, when).await
    }

    async fn clear(&self, user: &UserId, when: &Precondition) -> Result<(), StoreError> {
        self.staged.clear(user, when).await
    }

    async fn close(&self) {}

    fn capabilities(&self) -> Capabilities {
        self.staged.capabilities()
    }

    fn changes(&self) -> Option<Arc<dyn Changes>> {
        Some(Arc::clone(&self.script) as _)
    }
}

const MAX_AGE: Duration = Duration::from_secs(5);
const LONGEST: Duration = Duration::from_secs(60);

struct Scene {
    staged: Staged,
    script: Arc<Script>,
    news: mpsc::UnboundedSender<News>,
    store: CachedStore,
    alice: UserId,
}

impl Scene {
    fn new() -> Self {
        let (news, receiver) = mpsc::unbounded_channel();
        let script = Arc::new(Script { news: Mutex::new(receiver), followed: AtomicUsize::new(0) });
        let staged = Staged::default();
        let store = CachedStore::new(Telling { staged: staged.clone(), script: Arc::clone(&script) }, 1 << 20);
        let store = store.with_max_age(MAX_AGE).with_change_notices(LONGEST).expect("it tells");
        Self { staged, script, news, store, alice: user("alice") }
    }

    async fn tell(&self, news: News) {
        self.news.send(news).expect("followed");
        settle().await;
    }

    async fn changed(&self, change: Change) {
        self.tell(News::Changed(self.alice.clone(), change)).await;
    }

    /// Reads, and whether the store was asked for it.
    async fn get(&self) -> (Option<Record>, bool) {
        let before = self.staged.calls().len();
        let (store, alice) = (self.store.clone(), self.alice.clone());
        let read = tokio::task::spawn_local(async move { store.get(&alice).await });
        settle().await;
        let asked = self.staged.calls().len() > before;
        if asked {
            self.staged.last().finish();
        }
        (read.await.expect("no panic").expect("read"), asked)
    }

    async fn asks(&self) -> bool {
        self.get().await.1
    }

    /// Writes through the cache, and tells of these changes before the answer is there.
    async fn update(&self, n: u64, meanwhile: impl AsyncFnOnce()) -> Record {
        let (store, alice) = (self.store.clone(), self.alice.clone());
        let write = tokio::task::spawn_local(async move { store.update(&alice, &set(n), &Precondition::None).await });
        settle().await;
        let call = self.staged.last();
        call.step();
        settle().await;
        meanwhile().await;
        call.step();
        write.await.expect("no panic").expect("written")
    }

    async fn version(&self) -> Change {
        Change::Written(self.staged.history(&self.alice).pop().and_then(|(_, left)| left).expect("a document").version)
    }

    /// As if quarters of the bound went by, each with a sign of life.
    async fn live(&self, quarters: u32) {
        for _ in 0..quarters {
            advance(MAX_AGE / 4).await;
            self.tell(News::Heard).await;
        }
    }
}

fn set(n: u64) -> MetadataUpdate {
    metadata_update! { "n": n }
}

fn play(test: impl AsyncFnOnce(Scene)) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().expect("a runtime");
    tokio::task::LocalSet::new().block_on(&runtime, async { test(Scene::new()).await });
}

#[test]
fn a_store_that_does_not_tell_is_refused() {
    let refused = CachedStore::new(MemoryStore::new(), 1 << 20).with_change_notices(LONGEST);
    assert!(matches!(refused, Err(ConfigError::StoreOption { option: "with_change_notices", .. })), "{refused:?}");
}

#[test]
fn news_keep_documents_for_longer_than_the_bound() {
    play(async |scene| {
        assert!(scene.asks().await);
        scene.tell(News::Heard).await;
        assert!(scene.asks().await, "what was kept before the news began is gone");
        scene.live(40).await;
        assert!(!scene.asks().await);
        scene.live(8).await;
        assert!(scene.asks().await, "a minute is the longest");
    });
}

#[test]
fn silence_is_no_news() {
    play(async |scene| {
        scene.asks().await;
        scene.tell(News::Heard).await;
        scene.asks().await;
        scene.live(8).await;
        advance(MAX_AGE - Duration::from_millis(1)).await;
        assert!(!scene.asks().await);
        advance(Duration::from_millis(1)).await;
        assert!(scene.asks().await, "nothing was heard for as long as the bound");
    });
}

#[test]
fn a_change_drops_what_it_overtakes_and_no_more() {
    play(async |scene| {
        scene.asks().await;
        scene.tell(News::Heard).await;
        scene.staged.write_past(&scene.alice, &set(1)).await;
        scene.asks().await;
        scene.changed(scene.version().await).await;
        assert!(!scene.asks().await, "the change led to what is kept");
        scene.tell(News::Changed(user("bob"), Change::Unknown)).await;
        assert!(!scene.asks().await, "another user");
        for change in [Change::Cleared, Change::Unknown] {
            scene.changed(change).await;
            assert!(scene.asks().await, "{change:?}");
        }
        scene.staged.write_past(&scene.alice, &set(2)).await;
        scene.changed(scene.version().await).await;
        assert!(scene.asks().await);
    });
}

#[test]
fn a_load_that_began_before_the_change_is_not_kept() {
    play(async |scene| {
        scene.asks().await;
        scene.tell(News::Heard).await;
        let (store, alice) = (scene.store.clone(), scene.alice.clone());
        scene.changed(Change::Unknown).await;
        let old = tokio::task::spawn_local(async move { store.get(&alice).await });
        settle().await;
        let load = scene.staged.last();
        load.step();
        settle().await;
        scene.staged.write_past(&scene.alice, &set(1)).await;
        scene.changed(scene.version().await).await;
        let joined = scene.get().await;
        assert!(joined.1 && joined.0.is_some(), "a read after the news does not join the load");
        load.step();
        assert_eq!(old.await.expect("no panic").expect("read"), None);
        assert_eq!(scene.get().await, (joined.0, false));
    });
}

#[test]
fn a_write_is_kept_unless_another_one_came_after_it() {
    play(async |scene| {
        scene.asks().await;
        scene.tell(News::Heard).await;
        let own = scene.update(1, async || scene.changed(scene.version().await).await).await;
        assert_eq!(scene.get().await, (Some(own), false), "its own news");
        scene.changed(scene.version().await).await;
        assert!(!scene.asks().await, "its own news, late");
        scene
            .update(2, async || {
                scene.changed(scene.version().await).await;
                scene.staged.write_past(&scene.alice, &set(3)).await;
                scene.changed(scene.version().await).await;
            })
            .await;
        let (read, asked) = scene.get().await;
        assert!(asked, "somebody wrote after it");
        assert_eq!(read.expect("a document").metadata.get::<u64>("n").expect("a number"), Some(3));
    });
}

#[test]
fn when_the_news_end_everything_is_dropped_and_they_are_sought_again() {
    play(async |scene| {
        scene.asks().await;
        scene.tell(News::Heard).await;
        scene.asks().await;
        scene.live(8).await;
        let (store, alice) = (scene.store.clone(), scene.alice.clone());
        scene.changed(Change::Unknown).await;
        let old = tokio::task::spawn_local(async move { store.get(&alice).await });
        settle().await;
        let load = scene.staged.last();
        scene.tell(News::Lost).await;
        load.finish();
        old.await.expect("no panic").expect("read");
        assert!(scene.asks().await, "a load that was under way is not kept");
        assert!(!scene.asks().await);
        advance(MAX_AGE).await;
        assert!(scene.asks().await, "without news the bound holds");
        assert_eq!(scene.script.followed.load(Ordering::SeqCst), 2);
        scene.tell(News::Heard).await;
        assert!(scene.asks().await);
        scene.live(8).await;
        assert!(!scene.asks().await);
        drop(scene.store);
        settle().await;
        assert!(scene.script.news.try_lock().is_ok(), "nobody follows for a cache that is gone");
    });
}

#[test]
fn closing_ends_the_listening() {
    play(async |scene| {
        scene.asks().await;
        scene.tell(News::Heard).await;
        scene.store.close().await;
        settle().await;
        scene.asks().await;
        settle().await;
        assert!(scene.script.news.try_lock().is_ok());
        assert_eq!(scene.script.followed.load(Ordering::SeqCst), 1);
    });
}
