use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::{Capabilities, Durability, MetadataStore, StoreError, StoreErrorKind};
use crate::metadata::{Limits, Metadata, MetadataUpdate, Precondition, Record, Version};
use crate::user_id::UserId;

/// Keeps the documents in memory, for tests and for services that may forget; clones share them.
///
/// ```
/// use tower_user_metadata::store::{MemoryStore, MetadataStore};
/// use tower_user_metadata::{Precondition, UserId, metadata_update};
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let store = MemoryStore::new();
/// let alice = UserId::new("alice")?;
/// let update = metadata_update! { "theme": "dark" };
/// let record = store.update(&alice, &update, &Precondition::None).await?;
/// assert_eq!(store.get(&alice).await?, Some(record));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default)]
pub struct MemoryStore {
    records: Arc<Mutex<HashMap<UserId, Record>>>,
    limits: Limits,
}

impl MemoryStore {
    /// An empty store with the default [`Limits`].
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the limits for this handle on the store.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    fn records(&self) -> MutexGuard<'_, HashMap<UserId, Record>> {
        // Nothing between lock and unlock leaves a record half changed, so a poisoned lock guards whole records.
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").field("limits", &self.limits).finish_non_exhaustive()
    }
}

#[async_trait]
impl MetadataStore for MemoryStore {
    async fn get(&self, user: &UserId) -> Result<Option<Record>, StoreError> {
        Ok(self.records().get(user).cloned())
    }

    async fn get_many(&self, users: &[UserId]) -> Result<Vec<Option<Record>>, StoreError> {
        let records = self.records();
        Ok(users.iter().map(|user| records.get(user).cloned()).collect())
    }

    async fn update(&self, user: &UserId, update: &MetadataUpdate, when: &Precondition) -> Result<Record, StoreError> {
        let version =
            Version::random().map_err(|error| StoreError::new(StoreErrorKind::Internal).with_source(error))?;
        let mut records = self.records();
        let current = records.get(user);
        check(when, current)?;
        let stored = current.map_or_else(Metadata::new, |record| record.metadata.clone());
        let metadata = update.apply(&stored, &self.limits)?;
        let record = match current {
            Some(current) if update.is_empty() => return Ok(current.clone()),
            _ => Record { metadata, version },
        };
        records.insert(user.clone(), record.clone());
        Ok(record)
    }

    async fn clear(&self, user: &UserId, when: &Precondition) -> Result<(), StoreError> {
        let mut records = self.records();
        check(when, records.get(user))?;
        records.remove(user);
        Ok(())
    }

    async fn close(&self) {}

    fn capabilities(&self) -> Capabilities {
        Capabilities::new(Durability::Process).with_conditional_writes().with_limits(self.limits)
    }
}

fn check(when: &Precondition, current: Option<&Record>) -> Result<(), StoreError> {
    let current = current.map(|record| record.version);
    if when.holds(current) { Ok(()) } else { Err(StoreError::precondition_failed(current)) }
}
