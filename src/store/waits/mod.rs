//! How long calls wait for a connection: measured where they wait, for whoever observes the call.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

tokio::task_local! {
    static OBSERVER: Arc<dyn Observer>;
}

/// Who wants to know how long the calls made under it wait.
pub(super) trait Observer: Send + Sync {
    fn waited(&self, time: Duration);
}

/// Makes a call under an observer; the innermost one counts.
pub(super) async fn observed<T>(observer: Arc<dyn Observer>, call: impl Future<Output = T>) -> T {
    OBSERVER.scope(observer, call).await
}

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
