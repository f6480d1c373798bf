use std::future::Future;
use std::time::Duration;

use super::{MetadataStore, StoreError, StoreErrorKind};
use crate::metadata::{Metadata, MetadataUpdate, Precondition, Record};
use crate::user_id::UserId;

/// How often [`MetadataStoreExt::modify`] tries before it gives up: with the pauses between, about a second.
const MODIFY_ATTEMPTS: u32 = 10;

/// Methods built on those of [`MetadataStore`]; implemented for every store.
pub trait MetadataStoreExt: MetadataStore {
    /// The document of a user; empty when there is none, as in SuperTokens.
    ///
    /// # Errors
    ///
    /// As [`MetadataStore::get`].
    fn get_or_empty(&self, user: &UserId) -> impl Future<Output = Result<Metadata, StoreError>> + Send {
        async move { Ok(self.get(user).await?.map_or_else(Metadata::new, |record| record.metadata)) }
    }

    /// Reads the document, lets `change` compute an update from it, and writes that if nobody wrote in between;
    /// else reads again. `change` runs once an attempt, at most 10 times, with growing random pauses between.
    ///
    /// ```
    /// use tower_user_metadata::store::{MemoryStore, MetadataStoreExt};
    /// use tower_user_metadata::{MetadataUpdate, UserId};
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
    /// let (store, alice) = (MemoryStore::new(), UserId::new("alice")?);
    /// let record = store
    ///     .modify(&alice, |metadata| {
    ///         let visits: u64 = metadata.get("visits").ok().flatten().unwrap_or(0);
    ///         MetadataUpdate::new().set("visits", &(visits + 1))
    ///     })
    ///     .await?;
    /// assert_eq!(record.metadata.to_json(), r#"{"visits":1}"#);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`PreconditionFailed`](StoreErrorKind::PreconditionFailed) when others were faster each time,
    /// [`Unsupported`](StoreErrorKind::Unsupported) when the store has no conditional writes, and as
    /// [`MetadataStore::update`].
    ///
    /// # Cancel safety
    ///
    /// The update of a dropped future happens whole or not at all.
    fn modify<F>(&self, user: &UserId, mut change: F) -> impl Future<Output = Result<Record, StoreError>> + Send
    where
        F: FnMut(&Metadata) -> MetadataUpdate + Send,
    {
        async move {
            if !self.capabilities().conditional_writes() {
                return Err(StoreError::new(StoreErrorKind::Unsupported));
            }
            let mut attempt = 1;
            loop {
                let (metadata, when) = match self.get(user).await? {
                    Some(record) => (record.metadata, Precondition::Version(record.version)),
                    None => (Metadata::new(), Precondition::Absent),
                };
                match self.update(user, &change(&metadata), &when).await {
                    Err(error) if error.kind() == StoreErrorKind::PreconditionFailed && attempt < MODIFY_ATTEMPTS => {
                        tokio::time::sleep(pause(attempt)).await;
                        attempt += 1;
                    }
                    outcome => return outcome,
                }
            }
        }
    }
}

impl<S: MetadataStore + ?Sized> MetadataStoreExt for S {}

/// Between nothing and 2 ms, 4 ms, 8 ms …: random, so that two writers do not meet again at the next attempt.
fn pause(attempt: u32) -> Duration {
    let longest = 1_000 << attempt.min(8);
    // Without randomness the pauses are merely alike.
    Duration::from_micros(getrandom::u64().unwrap_or(longest) % (longest + 1))
}
