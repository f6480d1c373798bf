//! A read of the store that several readers share.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::metadata::Record;
use crate::store::{StoreError, StoreErrorKind};
use crate::user_id::UserId;

pub(super) type Outcome = Option<Result<Arc<[Option<Record>]>, StoreError>>;

/// What readers hold of a load.
pub(super) struct Load {
    began: Instant,
    outcome: watch::Receiver<Outcome>,
}

/// A load that nobody does yet.
pub(super) struct NewLoad {
    pub(super) load: Arc<Load>,
    pub(super) users: Vec<UserId>,
    pub(super) outcome: watch::Sender<Outcome>,
}

impl NewLoad {
    pub(super) fn new() -> Self {
        let (sender, outcome) = watch::channel(None);
        Self { load: Arc::new(Load { began: Instant::now(), outcome }), users: Vec::new(), outcome: sender }
    }
}

impl Load {
    pub(super) fn began(&self) -> Instant {
        self.began
    }

    pub(super) fn age(&self) -> Duration {
        self.began.elapsed()
    }

    /// Waits for what is loaded of one of its users.
    pub(super) async fn record(&self, at: usize) -> Result<Option<Record>, StoreError> {
        let mut outcome = self.outcome.clone();
        let ended = outcome.wait_for(Option::is_some).await;
        match ended.as_deref() {
            Ok(Some(Ok(records))) => records.get(at).cloned().ok_or_else(|| lost("the store left out a user")),
            Ok(Some(Err(error))) => Err(error.clone()),
            Ok(None) | Err(_) => Err(lost("the load ended without an answer: it panicked, or its runtime is gone")),
        }
    }
}

fn lost(why: &'static str) -> StoreError {
    let error = StoreError::new(StoreErrorKind::Internal).with_source(why);
    error.log();
    error
}
