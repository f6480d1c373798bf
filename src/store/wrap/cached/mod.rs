mod entries;
mod flights;
mod heard;
mod listening;
mod load;
mod loader;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use self::entries::Fresh;
use self::flights::{Flights, Source};
use self::listening::Listening;
use self::loader::Loader;
use crate::ConfigError;
use crate::metadata::{MetadataUpdate, Precondition, Record};
use crate::store::{Capabilities, Changes, MetadataStore, StoreError};
use crate::user_id::UserId;

/// Answers reads from memory for a while; clones share the cache.
///
/// ```
/// use tower_user_metadata::store::{CachedStore, MemoryStore, MetadataStore};
/// use tower_user_metadata::{Precondition, UserId, metadata_update};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
/// let (database, alice) = (MemoryStore::new(), UserId::new("alice")?);
/// let store = CachedStore::new(database.clone(), 16 * 1024 * 1024);
/// let light = store.update(&alice, &metadata_update! { "theme": "light" }, &Precondition::None).await?;
///
/// // Somebody else writes, past this cache …
/// let dark = database.update(&alice, &metadata_update! { "theme": "dark" }, &Precondition::None).await?;
/// assert_eq!(store.get(&alice).await?, Some(light));
/// // … and says so. Without that it would be seen after five seconds.
/// store.invalidate(&alice);
/// assert_eq!(store.get(&alice).await?, Some(dark));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # What a read may miss
///
/// * **Writes through this cache and its clones: nothing.** A read that begins after a write was answered finds it, or
///   something newer, and what was cleared does not come back: a read that began before a write is not kept. Reads of a
///   user who is being written go to the store.
/// * **Writes past it**, by another process or through another `CachedStore` over the same store, at most
///   [`with_max_age`](Self::with_max_age), 5 seconds by default: a read answers the document as it was at some time in
///   the `max_age` before the read began, or later. [`invalidate`](Self::invalidate) ends the wait for one user, and
///   [`with_change_notices`](Self::with_change_notices) for all, where the store tells of changes.
/// * A write through this cache **whose outcome is unknown**, because it failed so or its future was dropped, counts as a
///   write past it from then on.
///
/// That a user has no document is kept as well. Errors are not.
///
/// Conditional writes are decided by the store: a version from a cached document that has been overtaken fails, and
/// the next read after that goes to the store, so
/// [`modify`](crate::store::MetadataStoreExt::modify) works as without the cache.
///
/// # Loads
///
/// Reads of the same user share one load. It goes on when the reader that began it is gone. [`get_many`](MetadataStore::get_many) loads what is missing in one call. An error reaches all
/// readers of the load.
///
/// Loads run as Tokio tasks, so reads need a Tokio runtime around them. They end when the store answers: put a
/// [`TimeoutStore`](super::TimeoutStore) inside if it has no deadline.
#[derive(Clone)]
pub struct CachedStore {
    inner: Arc<dyn MetadataStore>,
    flights: Arc<Flights>,
    max_age: Duration,
    longest: Duration,
    listening: Option<Arc<Listening>>,
}

impl CachedStore {
    /// Puts a cache of at most `max_bytes` before the store.
    ///
    /// A document takes its JSON and about 128 bytes a root field, and about 512 bytes on top: 64 MiB hold some 23,000
    /// documents of 1 KiB with ten fields. When the room is used up, documents that were read least and longest ago make
    /// way. The cache is divided into parts of 1 MiB or more, and a document that is larger than a part is not kept.
    #[must_use]
    pub fn new(store: impl MetadataStore, max_bytes: usize) -> Self {
        Self {
            inner: Arc::new(store),
            flights: Arc::new(Flights::new(max_bytes)),
            max_age: Duration::from_secs(5),
            longest: Duration::ZERO,
            listening: None,
        }
    }

    /// Sets how old a cached document may be, for reads through this handle and its later clones. Default 5 seconds:
    /// long enough for a page that reads several times, and short enough for what people expect of a reload.
    ///
    /// With zero each read goes to the store.
    #[must_use]
    pub fn with_max_age(mut self, max_age: Duration) -> Self {
        self.max_age = max_age;
        self
    }

    /// Subscribes to the store's notices of the writes of all processes, and drops the documents that they change: a read
    /// misses a write for the time that its notice takes, some milliseconds, and not for
    /// [`max_age`](Self::with_max_age).
    ///
    /// A document that nobody writes is kept for `longest`, for reads through this handle and its later clones, as long
    /// as the subscription works: four times in each `max_age` the cache asks the store to confirm that no notice is
    /// outstanding. So a connection that goes silent makes a read miss no more than `max_age`. When the connection is
    /// known to be lost, the cache drops everything, and keeps documents for `max_age` only until it is subscribed again.
    /// It tries that after 50 milliseconds, and then at intervals that double up to 5 seconds.
    ///
    /// `longest` bounds what a read may miss of writers without notices, such as processes that opened the store without
    /// its option for them: a minute suits most services.
    ///
    /// # Errors
    ///
    /// The store sends no notices ([`ConfigError::StoreOption`]): it is one that never does, or it was opened without
    /// its option for them.
    #[cfg_attr(feature = "postgres-no-provider", doc = "", doc = "```no_run")]
    #[cfg_attr(not(feature = "postgres-no-provider"), doc = "", doc = "```ignore")]
    /// use std::time::Duration;
    /// use tower_user_metadata::store::{CachedStore, PostgresStore};
    ///
    /// # async fn open() -> Result<(), Box<dyn std::error::Error>> {
    /// let store = PostgresStore::options().with_change_notices().connect("postgres://app@db.internal/app").await?;
    /// let store = CachedStore::new(store, 64 * 1024 * 1024).with_change_notices(Duration::from_secs(60))?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn with_change_notices(mut self, longest: Duration) -> Result<Self, ConfigError> {
        let problem = "the store sends no change notices, or was opened without its option for them";
        let changes =
            self.inner.changes().ok_or(ConfigError::StoreOption { option: "with_change_notices", problem })?;
        self.longest = longest;
        self.listening = Some(Arc::new(Listening::new(changes)));
        Ok(self)
    }

    /// Drops the document of a user: each read that begins after this sees what was written before it.
    ///
    /// Call it when you learn of a write past this cache, for example by another process. The result of a load that is
    /// under way is not kept.
    pub fn invalidate(&self, user: &UserId) {
        self.flights.invalidate(user);
    }

    /// As [`invalidate`](Self::invalidate), of all users: for when you may have missed such writes.
    pub fn invalidate_all(&self) {
        self.flights.invalidate_all();
    }

    fn wanted(&self) -> Fresh {
        Fresh { max_age: self.max_age, longest: self.longest, heard: self.flights.heard() }
    }

    async fn read(&self, users: &[UserId]) -> Result<Vec<Option<Record>>, StoreError> {
        let (sources, load) = self.flights.sources(users, self.wanted());
        if let Some(load) = load {
            let loader = Loader::new(&self.flights, load);
            if let Some(listening) = &self.listening {
                listening.ensure(&self.flights, self.max_age);
            }
            loader.start(Arc::clone(&self.inner));
        }
        let mut records = Vec::with_capacity(sources.len());
        for source in sources {
            records.push(match source {
                Source::Kept(stored) => stored.0,
                Source::Load(load, at) => load.record(at).await?,
            });
        }
        Ok(records)
    }
}

impl fmt::Debug for CachedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CachedStore")
            .field("inner", &self.inner)
            .field("entries", self.flights.entries())
            .field("max_age", &self.max_age)
            .finish()
    }
}

#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl MetadataStore for CachedStore {
    async fn get(&self, user: &UserId) -> Result<Option<Record>, StoreError> {
        if let Some(stored) = self.flights.entries().get(user, self.wanted()) {
            return Ok(stored.0);
        }
        Ok(self.read(std::slice::from_ref(user)).await?.pop().flatten())
    }

    async fn get_many(&self, users: &[UserId]) -> Result<Vec<Option<Record>>, StoreError> {
        self.read(users).await
    }

    async fn update(&self, user: &UserId, update: &MetadataUpdate, when: &Precondition) -> Result<Record, StoreError> {
        let write = Flights::write(&self.flights, user);
        let record = self.inner.update(user, update, when).await?;
        write.done(Some(record.clone()));
        Ok(record)
    }

    async fn clear(&self, user: &UserId, when: &Precondition) -> Result<(), StoreError> {
        let write = Flights::write(&self.flights, user);
        self.inner.clear(user, when).await?;
        write.done(None);
        Ok(())
    }

    async fn close(&self) {
        self.flights.close();
        if let Some(listening) = &self.listening {
            listening.close();
        }
        self.inner.close().await;
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn changes(&self) -> Option<Arc<dyn Changes>> {
        self.inner.changes()
    }
}
