//! How long calls wait for a connection: measured where they wait, for whoever observes the call.

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

/// A call that waits, until this is dropped; another task may do that.
pub(super) struct Wait(Option<(Arc<dyn Observer>, Instant)>);

impl Wait {
    pub(super) fn begin() -> Self {
        Self(OBSERVER.try_with(|observer| (Arc::clone(observer), Instant::now())).ok())
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        if let Some((observer, began)) = &self.0 {
            observer.waited(began.elapsed());
        }
    }
}
