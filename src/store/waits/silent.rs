//! What stands for the waits where nobody wants to know of them.

/// The time in which a call waits for a connection of a pool, or for room: from [`begin`](Self::begin) until this is dropped.
/// A store begins one where its calls wait. [`ObservedStore`](super::ObservedStore) counts it.
///
/// Begin it inside the future of the call, where the observer is known; it may be dropped anywhere. It does nothing for a
/// call without an observer, and without the feature `metrics`.
///
/// ```
/// use tokio::sync::{Semaphore, SemaphorePermit};
/// use tower_user_metadata::store::PoolWait;
///
/// async fn connection(free: &Semaphore) -> SemaphorePermit<'_> {
///     let _wait = PoolWait::begin();
///     free.acquire().await.expect("never closed")
/// }
/// ```
#[derive(Debug)]
pub struct PoolWait(());

impl PoolWait {
    /// Begins to wait.
    #[must_use]
    pub fn begin() -> Self {
        Self(())
    }
}
