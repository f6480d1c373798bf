//! Stores around a store: a deadline, what operators look at, a cache, batches.
//!
//! | Wrapper | Adds | Needs |
//! |---|---|---|
//! | [`TimeoutStore`] | a deadline on every call | Tokio's time |
//! | [`ObservedStore`] | a `tracing` span a call, and with the feature `metrics` numbers for the `metrics` facade | |
//! | [`CachedStore`] | documents that were read a moment ago, from memory | Tokio |
//! | [`BatchedStore`] | reads of a moment in one call | Tokio |
//!
//! Each keeps the contract of [`MetadataStore`](super::MetadataStore) when the store inside does, so they can be put around
//! one another. From the inside out, a usual order is: the store, a deadline on what it does, numbers about that, the
//! cache.
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

mod batched;
mod cached;
mod observed;
mod timeout;

pub use batched::BatchedStore;
pub use cached::CachedStore;
pub use observed::ObservedStore;
pub use timeout::TimeoutStore;
