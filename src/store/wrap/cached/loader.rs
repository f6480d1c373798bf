use std::sync::Arc;

use tracing::Instrument;

use super::flights::Flights;
use super::load::NewLoad;
use crate::store::MetadataStore;

/// Does a load; dropping it before its end ends the load without an answer.
pub(super) struct Loader {
    flights: Arc<Flights>,
    load: NewLoad,
}

impl Loader {
    pub(super) fn new(flights: &Arc<Flights>, load: NewLoad) -> Self {
        Self { flights: Arc::clone(flights), load }
    }

    /// Loads in a task of its own, so that the load ends whichever of its readers go on waiting for it.
    pub(super) fn start(self, store: Arc<dyn MetadataStore>) {
        tokio::spawn(self.run(store).in_current_span());
    }

    async fn run(mut self, store: Arc<dyn MetadataStore>) {
        let NewLoad { load, users, outcome } = &mut self.load;
        let loaded = match &users[..] {
            [user] => store.get(user).await.map(|record| vec![record]),
            users => store.get_many(users).await,
        };
        let loaded = loaded.map(Arc::from);
        // Kept before it is answered: a reader that has the answer and asks again finds it in the cache.
        self.flights.land(load, users, loaded.as_ref().ok().map(|records: &Arc<[_]>| &**records));
        users.clear();
        outcome.send_replace(Some(loaded));
    }
}

impl Drop for Loader {
    fn drop(&mut self) {
        // Nobody may join a load that will not answer.
        if !self.load.users.is_empty() {
            self.flights.land(&self.load.load, &self.load.users, None);
        }
    }
}
