//! The task of one fetch.

use std::sync::{Arc, Weak};

use tokio::sync::watch;
use tokio::time::Instant;

use super::error::{JwksError, JwksErrorKind};
use super::fetch::{Fetched, Fetcher};
use super::source::{Loaded, Source};

/// The end of a fetch. It comes when this is dropped, so a task that panics, is aborted, or loses its runtime lands too.
pub(super) struct Landing {
    source: Weak<Source>,
    pub(super) started: Instant,
    result: Option<Result<Fetched, JwksError>>,
    /// Whoever waits is woken when this is dropped, which is after the result was handed over.
    _landed: watch::Sender<()>,
}

impl Landing {
    pub(super) fn new(source: &Arc<Source>, started: Instant) -> (Self, watch::Receiver<()>) {
        let (sender, landed) = watch::channel(());
        (Self { source: Arc::downgrade(source), started, result: None, _landed: sender }, landed)
    }

    /// The fetch itself. It keeps nothing of the source alive, so that the source can end it.
    pub(super) async fn fetch(mut self, fetcher: Arc<Fetcher>, until: Instant, last: Option<Arc<Loaded>>) {
        self.result = Some(fetcher.fetch(until, last.as_ref().map(|last| &last.fetched)).await);
    }
}

impl Drop for Landing {
    fn drop(&mut self) {
        if let Some(source) = self.source.upgrade() {
            let interrupted = || Err(JwksError::new(JwksErrorKind::Interrupted));
            source.land(self.started, self.result.take().unwrap_or_else(interrupted));
        }
    }
}
