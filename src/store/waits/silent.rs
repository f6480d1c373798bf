//! What stands for the waits where nobody wants to know of them.

/// A call of a store that waits for a connection of a pool, or for room, until this is dropped: for stores, which begin
/// one where they wait. [`ObservedStore`](super::ObservedStore) counts it.
///
/// Begin it in the future of the call, since only there it is known who observes it; it may be dropped anywhere. It does
/// nothing where nobody observes the call, and without the feature `metrics`.
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
