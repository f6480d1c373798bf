//! Metadata without `async`: for scripts, and for threads that no runtime belongs to.
//!
//! ```
//! use tower_user_metadata::blocking::BlockingStore;
//! use tower_user_metadata::{UserId, metadata_update};
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let (store, alice) = (BlockingStore::connect("memory:")?, UserId::new("alice")?);
//!     let record = store.update(&alice, metadata_update! { "theme": "dark", "todos": ["one"] })?;
//!     assert_eq!(store.get(&alice)?, record.metadata);
//!
//!     let record = store.update(&alice, metadata_update! { "todos": null })?;
//!     assert_eq!(record.metadata.to_json(), r#"{"theme":"dark"}"#);
//!     store.clear(&alice)?;
//!     assert!(store.get(&alice)?.is_empty());
//!     store.close()?;
//!     Ok(())
//! }
//! ```
//!
//! # Inside a runtime
//!
//! A thread of a Tokio runtime must not be blocked: the tasks that it would run stand still meanwhile. Every call there,
//! also in `spawn_blocking`, does nothing and fails as [`Unsupported`](StoreErrorKind::Unsupported). Await
//! [`UserMetadataHandle`](crate::UserMetadataHandle) or a [`MetadataStore`] instead; in `spawn_blocking`,
//! `Handle::current().block_on(…)` does that. Nothing here panics there, nor blocks when the last handle is dropped.

mod worker;

use std::future::Future;
use std::sync::Arc;

use self::worker::Worker;
use crate::ConfigError;
use crate::metadata::{Metadata, MetadataUpdate, Precondition, Record};
use crate::store::{self, MetadataStore, StoreError, StoreErrorKind};
use crate::user_id::UserId;

/// A store whose calls block their thread until it answers; clones share it. The [module](self) has an example.
///
/// The store lives on a thread of its own, with a runtime for one thread. Calls from several threads are under way at the
/// same time, so what the store does for many at once it does here, too. The thread ends after the last handle.
#[derive(Clone, Debug)]
pub struct BlockingStore {
    store: Arc<dyn MetadataStore>,
    worker: Worker,
}

impl BlockingStore {
    /// Opens the store that a URL names, as [`store::connect`] does.
    ///
    /// # Errors
    ///
    /// As [`store::connect`]; and [`ConfigError::Store`] with [`Unsupported`](StoreErrorKind::Unsupported) inside a
    /// runtime.
    pub fn connect(url: &str) -> Result<Self, ConfigError> {
        let url = url.to_owned();
        Self::open(async move || store::connect(&url).await)
    }

    /// Opens a store with options of its own, or with something around it.
    ///
    /// ```
    /// use tower_user_metadata::blocking::BlockingStore;
    /// use tower_user_metadata::store::{CachedStore, MemoryStore};
    ///
    /// let store = BlockingStore::open(async || Ok(CachedStore::new(MemoryStore::new(), 1024 * 1024)))?;
    /// # Ok::<(), tower_user_metadata::ConfigError>(())
    /// ```
    ///
    /// Stores with connections belong to the runtime in which they were opened, so open them in here.
    ///
    /// # Errors
    ///
    /// Those of opening it; and [`ConfigError::Store`] with [`Unsupported`](StoreErrorKind::Unsupported) inside a
    /// runtime, or with [`Internal`](StoreErrorKind::Internal) when the system gives no thread or opening panics.
    pub fn open<S, F>(open: impl FnOnce() -> F + Send + 'static) -> Result<Self, ConfigError>
    where
        S: MetadataStore,
        F: Future<Output = Result<S, ConfigError>>,
    {
        outside_of_runtimes().map_err(ConfigError::Store)?;
        let (worker, store) = Worker::start(open)?;
        Ok(Self { store: Arc::new(store), worker })
    }

    /// The document of a user; an empty one for a user who has none.
    ///
    /// # Errors
    ///
    /// As [`MetadataStore::get`]; [`Unsupported`](StoreErrorKind::Unsupported) inside a runtime.
    pub fn get(&self, user: &UserId) -> Result<Metadata, StoreError> {
        Ok(self.record(user)?.map(|record| record.metadata).unwrap_or_default())
    }

    /// The document of a user with its version; `None` for a user who has none.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub fn record(&self, user: &UserId) -> Result<Option<Record>, StoreError> {
        let user = user.clone();
        self.call(false, |store| async move { store.get(&user).await })
    }

    /// Merges an update into the document of a user, and answers what came of it.
    ///
    /// # Errors
    ///
    /// As [`MetadataStore::update`]; [`Unsupported`](StoreErrorKind::Unsupported) inside a runtime.
    pub fn update(&self, user: &UserId, update: MetadataUpdate) -> Result<Record, StoreError> {
        self.update_if(user, update, Precondition::None)
    }

    /// The same under a precondition.
    ///
    /// # Errors
    ///
    /// As [`update`](Self::update).
    pub fn update_if(&self, user: &UserId, update: MetadataUpdate, when: Precondition) -> Result<Record, StoreError> {
        let user = user.clone();
        self.call(true, move |store| async move { store.update(&user, &update, &when).await })
    }

    /// Removes the document of a user.
    ///
    /// # Errors
    ///
    /// As [`update`](Self::update).
    pub fn clear(&self, user: &UserId) -> Result<(), StoreError> {
        self.clear_if(user, Precondition::None)
    }

    /// The same under a precondition.
    ///
    /// # Errors
    ///
    /// As [`update`](Self::update).
    pub fn clear_if(&self, user: &UserId, when: Precondition) -> Result<(), StoreError> {
        let user = user.clone();
        self.call(true, move |store| async move { store.clear(&user, &when).await })
    }

    /// Waits for the calls that are under way and closes the store, for all handles.
    ///
    /// # Errors
    ///
    /// [`Unsupported`](StoreErrorKind::Unsupported) inside a runtime.
    pub fn close(&self) -> Result<(), StoreError> {
        self.call(false, |store| async move {
            store.close().await;
            Ok(())
        })
    }

    fn call<T, F>(&self, writes: bool, call: impl FnOnce(Arc<dyn MetadataStore>) -> F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        outside_of_runtimes()?;
        let outcome = self.worker.run(call(Arc::clone(&self.store)));
        outcome.unwrap_or_else(|| {
            let error = StoreError::new(StoreErrorKind::Internal).with_source("the store panicked");
            Err(if writes { error.with_may_have_happened() } else { error })
        })
    }
}

fn outside_of_runtimes() -> Result<(), StoreError> {
    match tokio::runtime::Handle::try_current() {
        Err(_) => Ok(()),
        Ok(_) => Err(StoreError::new(StoreErrorKind::Unsupported).with_source(
            "this thread belongs to a Tokio runtime and must not be blocked: await a `UserMetadataHandle` or a \
             `MetadataStore` instead of a `BlockingStore`",
        )),
    }
}
