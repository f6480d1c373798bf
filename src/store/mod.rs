//! Where metadata is kept: the store contract and the stores that come with the crate.
//!
//! | Store | Feature | Opened by |
//! |---|---|---|
//! | [`MemoryStore`] | | `MemoryStore::new()`, `memory:` |
//! | `MariadbStore` | `mariadb` | `MariadbStore::connect(url)`, `mariadb://…`, `mysql://…` |
//! | `SqliteStore` | `sqlite` | `SqliteStore::open(path)`, `SqliteStore::connect(url)`, `sqlite://path` |
//! | `PostgresStore` | `postgres` | `PostgresStore::connect(url)`, `PostgresStore::new(pool)`, `postgres://…` |
//! | `RedisStore` | `redis` | `RedisStore::connect(url)`, `redis://host`, `redis+cluster://host` |
//!
//! [`connect`] opens any of them from a URL. Each has options, which its `options()` makes: `RedisStore::options()` gives a
//! `RedisOptions`, on which `connect(url)` opens the store.
//! To write a store of your own, implement [`MetadataStore`] and run the functions of the `conformance` module over it.
//!
//! # Around a store
//!
//! | Wrapper | Adds | Needs |
//! |---|---|---|
//! | [`TimeoutStore`] | a deadline on every call | Tokio's time |
//! | [`ObservedStore`] | a `tracing` span a call, and with the feature `metrics` numbers for the `metrics` facade | |
//! | [`CachedStore`] | documents that were read a moment ago, from memory | Tokio |
//! | [`BatchedStore`] | reads of a moment in one call | Tokio |
//!
//! Each keeps the contract of [`MetadataStore`] when the store inside does, so they can be put around one another. From
//! the inside out, a usual order is: the store, a deadline on its calls, numbers about them, the cache.
//!
//! ```
//! use std::time::Duration;
//! use tower_user_metadata::store::{self, CachedStore, MetadataStore, ObservedStore, TimeoutStore};
//! use tower_user_metadata::{Precondition, UserId, metadata_update};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
//! let store = store::connect("memory:").await?;
//! let store = TimeoutStore::new(store, Duration::from_secs(2));
//! let store = ObservedStore::new(store, "users");
//! let store = CachedStore::new(store, 64 * 1024 * 1024);
//!
//! let alice = UserId::new("alice")?;
//! let record = store.update(&alice, &metadata_update! { "theme": "dark" }, &Precondition::None).await?;
//! assert_eq!(store.get(&alice).await?, Some(record));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod capabilities;
mod changes;
mod connect;
#[cfg(any(
    feature = "mariadb-no-provider",
    feature = "postgres-no-provider",
    feature = "redis-no-provider",
    feature = "sqlite"
))]
mod deadline;
mod error_context;
mod ext;
#[cfg(any(feature = "mariadb-no-provider", feature = "postgres-no-provider"))]
mod failure;
#[cfg(feature = "mariadb-no-provider")]
mod mariadb;
mod memory;
mod namespace;
#[cfg(feature = "postgres-no-provider")]
mod postgres;
#[cfg(feature = "redis-no-provider")]
mod redis;
mod shares;
#[cfg(feature = "sqlite")]
mod sqlite;
mod url;
#[cfg_attr(not(feature = "metrics"), path = "waits/silent.rs")]
mod waits;
mod wrap;

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;

pub use capabilities::{Capabilities, Durability};
pub use changes::{Change, ChangeListener, Changes};
pub use connect::connect;
pub use error_context::ErrorContext;
pub use ext::MetadataStoreExt;
#[cfg(feature = "mariadb-no-provider")]
pub use mariadb::{MariadbOptions, MariadbStore};
pub use memory::MemoryStore;
pub use namespace::{InvalidNamespace, Namespace};
#[cfg(feature = "postgres-no-provider")]
pub use postgres::{PostgresOptions, PostgresStore};
#[cfg(feature = "redis-no-provider")]
pub use redis::{RedisOptions, RedisStore};
pub(crate) use shares::{HeldStore, Shares};
#[cfg(feature = "sqlite")]
pub use sqlite::{SqliteOptions, SqliteStore};
pub use waits::PoolWait;
pub use wrap::{BatchedStore, CachedStore, ObservedStore, TimeoutStore};

use crate::metadata::{MetadataUpdate, Precondition, Record};
pub use crate::store_error::{StoreError, StoreErrorKind};
use crate::user_id::UserId;

/// Keeps one JSON document a user; chosen at start-up and shared as `Arc<dyn MetadataStore>`.
///
/// # Contract
///
/// Implementations promise the following, and the `conformance` module checks it:
///
/// * **Identity.** User ids are compared byte for byte. A store is opened for one [`Namespace`] and sees nothing of
///   another.
/// * **Values.** Keys and strings come back byte for byte; numbers come back equal as values, with every digit (a
///   store may write `100` for `1e2` and `0` for `-0`). The order of members is not promised.
/// * **Merge.** [`update`](Self::update) applies the shallow merge of [`MetadataUpdate::apply`] as one atomic step:
///   concurrent updates of different fields are all kept, also when they are the user's first.
/// * **Limits.** They are checked on the merged document inside that step, so two updates cannot pass together.
/// * **Versions.** Every write that changes a document gives it a [`Version`](crate::Version) that this user never
///   had before, also not before a `clear`. An empty update of an existing document changes nothing, not even the
///   version; any update of a user without a document creates one.
/// * **Preconditions** are checked inside the step. A store that cannot says so in
///   [`capabilities`](Self::capabilities) and refuses all but [`Precondition::None`] with
///   [`StoreErrorKind::Unsupported`].
/// * **Errors** change nothing, unless [`StoreError::may_have_happened`] says otherwise. They say where they happened,
///   and are logged where the call ends: [`ErrorContext`] does both. Every call ends within the store's deadline.
/// * **Cancel safety.** A future may be dropped at any await: the old or the new document stays, never a part of one,
///   and the next call on the same store works.
#[async_trait]
pub trait MetadataStore: Debug + Send + Sync + 'static {
    /// The document of a user. `None`: the user has no document; an empty document is `Some`.
    ///
    /// # Errors
    ///
    /// The store is out of reach or its content is damaged. Never an answer of "no document" instead.
    async fn get(&self, user: &UserId) -> Result<Option<Record>, StoreError>;

    /// The documents of several users, in the order asked, one entry each; one round trip.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get); one unreadable document fails the whole call.
    async fn get_many(&self, users: &[UserId]) -> Result<Vec<Option<Record>>, StoreError>;

    /// Reads, merges and writes as one atomic step, and answers the merged document.
    ///
    /// # Errors
    ///
    /// [`InvalidMetadata`](StoreErrorKind::InvalidMetadata), [`PreconditionFailed`](StoreErrorKind::PreconditionFailed)
    /// or a failure of the store.
    ///
    /// # Cancel safety
    ///
    /// The update of a dropped future happens whole or not at all.
    async fn update(&self, user: &UserId, update: &MetadataUpdate, when: &Precondition) -> Result<Record, StoreError>;

    /// Removes the document; a user without one is not an error.
    ///
    /// # Errors
    ///
    /// As [`update`](Self::update).
    ///
    /// # Cancel safety
    ///
    /// As [`update`](Self::update).
    async fn clear(&self, user: &UserId, when: &Precondition) -> Result<(), StoreError>;

    /// Takes no more calls, finishes those under way, and closes threads, files and connections, for all handles on the
    /// store; await it when a service stops. A store that has none of these does nothing.
    ///
    /// # Cancel safety
    ///
    /// The store closes all the same.
    async fn close(&self);

    /// What this store offers beyond the contract's minimum.
    fn capabilities(&self) -> Capabilities;

    /// Notifications of the writes of all processes, for caches. `None`, which is the default: the store does not send
    /// any.
    fn changes(&self) -> Option<Arc<dyn Changes>> {
        None
    }
}

// An application shares one store, and `connect` gives one of unknown type.
#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl<S: MetadataStore + ?Sized> MetadataStore for Arc<S> {
    async fn get(&self, user: &UserId) -> Result<Option<Record>, StoreError> {
        (**self).get(user).await
    }

    async fn get_many(&self, users: &[UserId]) -> Result<Vec<Option<Record>>, StoreError> {
        (**self).get_many(users).await
    }

    async fn update(&self, user: &UserId, update: &MetadataUpdate, when: &Precondition) -> Result<Record, StoreError> {
        (**self).update(user, update, when).await
    }

    async fn clear(&self, user: &UserId, when: &Precondition) -> Result<(), StoreError> {
        (**self).clear(user, when).await
    }

    async fn close(&self) {
        (**self).close().await;
    }

    fn capabilities(&self) -> Capabilities {
        (**self).capabilities()
    }

    fn changes(&self) -> Option<Arc<dyn Changes>> {
        (**self).changes()
    }
}
