//! A read of the store for all who ask in the meantime.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tracing::Instrument;

use super::flights::Flights;
use crate::metadata::Record;
use crate::store::{MetadataStore, StoreError, StoreErrorKind};
use crate::user_id::UserId;

type Outcome = Option<Result<Arc<[Option<Record>]>, Arc<StoreError>>>;

/// What readers hold of a load.
pub(super) struct Load {
    began: Instant,
    outcome: watch::Receiver<Outcome>,
}

impl Load {
    pub(super) fn new() -> (Arc<Self>, watch::Sender<Outcome>) {
        let (sender, outcome) = watch::channel(None);
        (Arc::new(Self { began: Instant::now(), outcome }), sender)
    }

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
            Ok(Some(Err(error))) => Err(StoreError::new(error.kind()).with_source(Arc::clone(error))),
            Ok(None) | Err(_) => Err(lost("the load ended without an answer: it panicked, or its runtime is gone")),
        }
    }
}

fn lost(why: &'static str) -> StoreError {
    StoreError::new(StoreErrorKind::Internal).with_source(why)
}

/// What does the load; dropping it ends the load without an answer.
pub(super) struct Lead {
    flights: Arc<Flights>,
    load: Arc<Load>,
    users: Vec<UserId>,
    outcome: watch::Sender<Outcome>,
}

impl Lead {
    pub(super) fn new(
        flights: Arc<Flights>,
        load: Arc<Load>,
        users: Vec<UserId>,
        outcome: watch::Sender<Outcome>,
    ) -> Self {
        Self { flights, load, users, outcome }
    }

    /// Loads in a task of its own, so that it ends whoever goes on waiting for it.
    pub(super) fn start(self, store: Arc<dyn MetadataStore>) {
        tokio::spawn(self.run(store).in_current_span());
    }

    async fn run(mut self, store: Arc<dyn MetadataStore>) {
        let loaded = match &self.users[..] {
            [user] => store.get(user).await.map(|record| vec![record]),
            users => store.get_many(users).await,
        };
        let outcome = loaded.map(Arc::from).map_err(Arc::new);
        // Kept before it is answered: who has the answer and asks again finds it kept.
        self.flights.land(&self.load, &self.users, outcome.as_ref().ok().map(|records: &Arc<[_]>| &**records));
        self.users.clear();
        self.outcome.send_replace(Some(outcome));
    }
}

impl Drop for Lead {
    fn drop(&mut self) {
        // Nobody may join a load that will not answer.
        if !self.users.is_empty() {
            self.flights.land(&self.load, &self.users, None);
        }
    }
}
