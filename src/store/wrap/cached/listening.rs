//! Subscribes to the change notices of the store, and again whenever the subscription ends.

use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::AbortHandle;
use tokio::time::sleep;

use super::flights::Flights;
use crate::store::{Changes, StoreErrorKind};

/// The pause after a subscription that was lost; it doubles with each attempt that fails.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Bounds for how often the store is asked to confirm that no notice is outstanding.
const SHORTEST_PACE: Duration = Duration::from_millis(20);
const LONGEST_PACE: Duration = Duration::from_secs(60);

/// A task that follows the changes; it ends with this.
#[derive(Debug)]
pub(super) struct Listening {
    changes: Arc<dyn Changes>,
    /// `Err`: closed for good.
    task: Mutex<Result<Option<AbortHandle>, Closed>>,
}

#[derive(Debug)]
struct Closed;

impl Listening {
    pub(super) fn new(changes: Arc<dyn Changes>) -> Self {
        Self { changes, task: Mutex::new(Ok(None)) }
    }

    /// Makes sure that the task runs; it may have ended with the runtime that it was started in.
    pub(super) fn ensure(&self, flights: &Arc<Flights>, max_age: Duration) {
        let mut task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        let Ok(task) = &mut *task else { return };
        if task.as_ref().is_none_or(AbortHandle::is_finished) {
            let pace = (max_age / 4).clamp(SHORTEST_PACE, LONGEST_PACE);
            *task = Some(tokio::spawn(listen(Arc::clone(&self.changes), Arc::clone(flights), pace)).abort_handle());
        }
    }

    pub(super) fn close(&self) {
        let mut task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        if let Ok(Some(task)) = std::mem::replace(&mut *task, Err(Closed)) {
            task.abort();
        }
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.close();
    }
}

async fn listen(changes: Arc<dyn Changes>, flights: Arc<Flights>, pace: Duration) {
    let mut pause = None;
    loop {
        let following = Following(&flights);
        let error = changes.follow(&*flights, pace).await;
        let heard = flights.heard().is_some();
        drop(following);
        if error.kind() == StoreErrorKind::Closed {
            return;
        }
        if heard || pause.is_none() {
            let reason = error.source().map(ToString::to_string);
            tracing::warn!(%error, reason, "a cache receives no change notices, and goes on trying");
            pause = None;
        }
        let now = pause.map_or(FIRST_PAUSE, |last| LONGEST_PAUSE.min(last * 2));
        sleep(now).await;
        pause = Some(now);
    }
}

/// Dropped when the subscription ends, for whatever reason.
struct Following<'a>(&'a Flights);

impl Drop for Following<'_> {
    fn drop(&mut self) {
        self.0.lost();
    }
}
