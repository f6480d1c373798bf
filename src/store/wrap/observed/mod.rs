mod call;
mod documents;
#[cfg_attr(not(feature = "metrics"), path = "silent.rs")]
mod numbers;
mod operation;

use std::sync::Arc;

use async_trait::async_trait;

use self::call::Call;
use self::documents::Documents;
use self::numbers::Numbers;
use self::operation::Operation;
use crate::metadata::{MetadataUpdate, Precondition, Record};
use crate::store::{Capabilities, Changes, MetadataStore, StoreError};
use crate::user_id::UserId;

/// Shows operators what a store does; clones share the store and report under one name.
///
/// Each call has a `tracing` span at level DEBUG, and with the feature `metrics` it is counted for the recorder that
/// the application installs, before or after this. Neither holds user ids, names of fields or values, nor the text of
/// an error, which may tell them.
///
/// ```
/// use tower_user_metadata::UserId;
/// use tower_user_metadata::store::{MemoryStore, MetadataStore, ObservedStore};
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let store = ObservedStore::new(MemoryStore::new(), "users");
/// assert_eq!(store.get(&UserId::new("alice")?).await?, None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # The span
///
/// `metadata_store`, with the fields
///
/// | Field | Value |
/// |---|---|
/// | `store` | the name given here |
/// | `operation` | `get`, `get_many`, `update` or `clear` |
/// | `users` | how many were asked for; 1 but for `get_many` |
/// | `outcome` | `ok`, the kind of the error as in the table below, or `dropped` |
/// | `may_have_happened` | `true` for a write that failed with its outcome unknown; else absent |
///
/// # The numbers
///
/// | Name | What | Unit | Labels |
/// |---|---|---|---|
/// | `user_metadata_store_call_duration_seconds` | histogram, calls that ended, well or not | seconds | `store`, `operation` |
/// | `user_metadata_store_errors_total` | counter, calls that failed or were dropped | calls | `store`, `operation`, `kind` |
/// | `user_metadata_store_unknown_outcomes_total` | counter, those of them that may have happened | calls | `store`, `operation` |
/// | `user_metadata_store_calls_in_flight` | gauge | calls | `store`, `operation` |
/// | `user_metadata_store_document_bytes` | histogram, documents answered by reads and updates, as compact JSON | bytes | `store`, `operation` |
/// | `user_metadata_store_pool_wait_seconds` | histogram, waits for a connection of the store's pool, or for room on a shared one | seconds | `store`, `operation` |
///
/// `kind` is a [`StoreErrorKind`](crate::StoreErrorKind) in small letters, such as `timeout` or `precondition_failed`, or `dropped`
/// for a call whose caller went away before its end: of such a write the outcome is unknown. A failed precondition and
/// invalid metadata are the client's affair; leave them out of an alarm.
///
/// [`close`](MetadataStore::close) is handed on and not observed.
///
/// Stores with a pool report how long a call waits: PostgreSQL, where a gathered call waits until its group has a
/// connection; MariaDB; and Redis, where calls share a connection and wait when too many are under way. The time to open a
/// connection is part of the wait, and the wait is part of the duration. A call that tries again waits again. A store of
/// your own reports waits by [`PoolWait`](crate::store::PoolWait).
///
/// Around and inside a [`CachedStore`](super::CachedStore), under two names, the numbers of calls tell how many reads
/// the cache answered.
#[derive(Clone, Debug)]
pub struct ObservedStore {
    inner: Arc<dyn MetadataStore>,
    name: &'static str,
    numbers: Arc<Numbers>,
}

impl ObservedStore {
    /// Reports the calls on the store under this name. It is part of the program, so that nobody makes it of what a
    /// client sent: each name is a time series of its own.
    #[must_use]
    pub fn new(store: impl MetadataStore, name: &'static str) -> Self {
        Self { inner: Arc::new(store), name, numbers: Arc::new(Numbers::new(name)) }
    }

    async fn observe<T: Documents>(
        &self,
        operation: Operation,
        users: usize,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        Call::begin(self.name, &self.numbers, operation, users).run(call).await
    }
}

#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl MetadataStore for ObservedStore {
    async fn get(&self, user: &UserId) -> Result<Option<Record>, StoreError> {
        self.observe(Operation::Get, 1, self.inner.get(user)).await
    }

    async fn get_many(&self, users: &[UserId]) -> Result<Vec<Option<Record>>, StoreError> {
        self.observe(Operation::GetMany, users.len(), self.inner.get_many(users)).await
    }

    async fn update(&self, user: &UserId, update: &MetadataUpdate, when: &Precondition) -> Result<Record, StoreError> {
        self.observe(Operation::Update, 1, self.inner.update(user, update, when)).await
    }

    async fn clear(&self, user: &UserId, when: &Precondition) -> Result<(), StoreError> {
        self.observe(Operation::Clear, 1, self.inner.clear(user, when)).await
    }

    async fn close(&self) {
        self.inner.close().await;
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn changes(&self) -> Option<Arc<dyn Changes>> {
        self.inner.changes()
    }
}
