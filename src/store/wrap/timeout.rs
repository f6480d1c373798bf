use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::timeout;

use crate::metadata::{MetadataUpdate, Precondition, Record};
use crate::store::{Capabilities, Changes, MetadataStore, StoreError, StoreErrorKind};
use crate::user_id::UserId;

/// Ends every call on a store at a deadline; clones share the store and have a deadline each.
///
/// When the deadline passes, the call's future is dropped and the caller gets
/// [`Timeout`](StoreErrorKind::Timeout). By the contract the store then leaves the old or the new document, so of a write
/// the error says that it [may have happened](StoreError::may_have_happened).
///
/// [`close`](MetadataStore::close) has no deadline here: a service that stops has one for all that it closes.
///
/// The stores of this crate have deadlines of their own and know better what has happened when one passes: this is for
/// those that have none, or for a part of an application that can wait less long than the rest. Needs a Tokio runtime
/// with time enabled.
///
/// ```
/// use std::time::Duration;
/// use tower_user_metadata::UserId;
/// use tower_user_metadata::store::{MemoryStore, MetadataStore, TimeoutStore};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
/// let store = TimeoutStore::new(MemoryStore::new(), Duration::from_millis(500));
/// assert_eq!(store.get(&UserId::new("alice")?).await?, None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct TimeoutStore {
    inner: Arc<dyn MetadataStore>,
    deadline: Duration,
}

impl TimeoutStore {
    /// Gives each call on the store this much time, from its first poll on. A call that can be answered at once is
    /// answered, however short the time.
    #[must_use]
    pub fn new(store: impl MetadataStore, deadline: Duration) -> Self {
        Self { inner: Arc::new(store), deadline }
    }

    async fn within<T>(
        &self,
        operation: &'static str,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        timeout(self.deadline, call).await.unwrap_or_else(|_| {
            let error = self.late(operation);
            error.log();
            Err(error)
        })
    }

    async fn write_within<T>(
        &self,
        operation: &'static str,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        timeout(self.deadline, call).await.unwrap_or_else(|_| {
            let error = self.late(operation).with_may_have_happened();
            error.log();
            Err(error)
        })
    }

    /// The call of the store inside was dropped, so its own error is lost.
    fn late(&self, operation: &'static str) -> StoreError {
        let reason = format!("the call took longer than {:?}", self.deadline);
        StoreError::new(StoreErrorKind::Timeout).with_operation(operation).with_source(reason)
    }
}

#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl MetadataStore for TimeoutStore {
    async fn get(&self, user: &UserId) -> Result<Option<Record>, StoreError> {
        self.within("get", self.inner.get(user)).await
    }

    async fn get_many(&self, users: &[UserId]) -> Result<Vec<Option<Record>>, StoreError> {
        self.within("get_many", self.inner.get_many(users)).await
    }

    async fn update(&self, user: &UserId, update: &MetadataUpdate, when: &Precondition) -> Result<Record, StoreError> {
        self.write_within("update", self.inner.update(user, update, when)).await
    }

    async fn clear(&self, user: &UserId, when: &Precondition) -> Result<(), StoreError> {
        self.write_within("clear", self.inner.clear(user, when)).await
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
