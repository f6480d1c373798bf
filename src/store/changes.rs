use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

use super::StoreError;
use crate::metadata::{Record, Version};
use crate::user_id::UserId;

/// The change notices of a store, about the writes of all processes: a cache drops what they change.
///
/// A store that has them gives them by [`MetadataStore::changes`](super::MetadataStore::changes);
/// [`CachedStore`](super::CachedStore) follows it.
#[async_trait]
pub trait Changes: Debug + Send + Sync + 'static {
    /// Notifies the listener of each change from some moment on, until that is no longer possible, and returns the reason:
    /// [`Closed`](crate::StoreErrorKind::Closed) when the store is closed.
    ///
    /// The first call of [`ChangeListener::heard`] marks that moment; further calls follow at each `pace` or sooner.
    ///
    /// # Cancel safety
    ///
    /// A future that is dropped sends no more notices, and closes its connections.
    async fn follow(&self, listener: &dyn ChangeListener, pace: Duration) -> StoreError;
}

/// Receives change notices. Its methods must return quickly: they are called from the task that reads the connection.
pub trait ChangeListener: Send + Sync {
    /// A user's document was written or cleared. Of one user, changes come in the order in which they happened.
    fn changed(&self, user: &UserId, change: Change);

    /// Any number of documents were written or cleared.
    fn all_changed(&self);

    /// Confirms that each change whose writer had its answer before this moment has been notified, as far as it came
    /// after the first call of this method.
    fn heard(&self, before: Instant);
}

/// The state of a document after a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// It was written and has this version.
    Written(Version),
    /// There is none any more.
    Cleared,
    /// It was written, or cleared, or expired.
    Unknown,
}

impl Change {
    /// Whether this is the state that the change left.
    pub(super) fn led_to(self, state: Option<&Record>) -> bool {
        match self {
            Self::Written(version) => state.is_some_and(|record| record.version == version),
            Self::Cleared => state.is_none(),
            Self::Unknown => false,
        }
    }
}
