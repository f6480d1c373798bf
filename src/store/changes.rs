use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

use super::StoreError;
use crate::metadata::{Record, Version};
use crate::user_id::UserId;

/// What a store tells of the writes of all processes, so that each can drop what it has cached.
///
/// A store that can tell gives it by [`MetadataStore::changes`](super::MetadataStore::changes);
/// [`CachedStore`](super::CachedStore) follows it.
#[async_trait]
pub trait Changes: Debug + Send + Sync + 'static {
    /// Tells the listener what changes from some moment on, until that is no longer possible, and answers why; with
    /// [`Closed`](crate::StoreErrorKind::Closed) when the store is closed.
    ///
    /// That moment is the first call of [`ChangeListener::heard`], and another one follows at each `pace` or sooner.
    ///
    /// # Cancel safety
    ///
    /// A future that is dropped tells nothing more, and lets go of what it held.
    async fn follow(&self, listener: &dyn ChangeListener, pace: Duration) -> StoreError;
}

/// Whoever wants to know of changes. The calls are short: they come from where a connection is read.
pub trait ChangeListener: Send + Sync {
    /// A user's document was written or cleared. Of one user, changes come in the order in which they happened.
    fn changed(&self, user: &UserId, change: Change);

    /// Any number of documents were written or cleared.
    fn all_changed(&self);

    /// Every change that was answered to its writer before this moment has been told, if it came after the first call
    /// of this.
    fn heard(&self, before: Instant);
}

/// What became of a document.
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
