//! How long calls wait for a connection: measured where they wait, and reported to the observer of the call.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

tokio::task_local! {
    static OBSERVER: Arc<dyn Observer>;
}

/// Receives how long each call that is made under it waits.
pub(super) trait Observer: Send + Sync {
    fn waited(&self, time: Duration);
}

/// Makes a call under an observer; the innermost one counts.
pub(super) async fn observed<T>(observer: Arc<dyn Observer>, call: impl Future<Output = T>) -> T {
    OBSERVER.scope(observer, call).await
}

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
pub struct PoolWait(Option<(Arc<dyn Observer>, Instant)>);

impl PoolWait {
    /// Begins to wait.
    #[must_use]
    pub fn begin() -> Self {
        Self(OBSERVER.try_with(|observer| (Arc::clone(observer), Instant::now())).ok())
    }
}

impl Drop for PoolWait {
    fn drop(&mut self) {
        if let Some((observer, began)) = &self.0 {
            observer.waited(began.elapsed());
        }
    }
}

impl fmt::Debug for PoolWait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolWait").finish_non_exhaustive()
    }
}
