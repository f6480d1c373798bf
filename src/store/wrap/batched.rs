use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use indexmap::IndexMap;
use tokio::sync::oneshot;
use tracing::Instrument;

use crate::metadata::{MetadataUpdate, Precondition, Record};
use crate::store::{Capabilities, Changes, MetadataStore, StoreError, StoreErrorKind};
use crate::user_id::UserId;

/// The most users of one call by default.
const MAX_USERS: usize = 100;

/// Gathers the reads of a moment into one [`get_many`](MetadataStore::get_many); clones share what they gather.
///
/// For stores where a round trip is dear, such as one over HTTP, and services that ask for many users at once. One call
/// is under way at a time; reads that come meanwhile go with the next. Reads of the same user share the answer, and
/// since a read joins only calls that have not begun, it misses no write that ended before it. A lone read does not wait:
/// it goes as soon as the tasks that are ready to run have had their turn.
///
/// The stores of this crate that are servers gather or pipeline reads themselves and need no help.
///
/// One unreadable document fails a whole call, so after such an error each user is asked for alone. Calls run as Tokio
/// tasks and end when the store answers: put a [`TimeoutStore`](super::TimeoutStore) inside if it has no deadline. Writes
/// go straight through.
///
/// ```
/// use tower_user_metadata::UserId;
/// use tower_user_metadata::store::{BatchedStore, MemoryStore, MetadataStore};
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let store = BatchedStore::new(MemoryStore::new());
/// let (alice, bob) = (UserId::new("alice")?, UserId::new("bob")?);
/// // One call on the store inside.
/// let (of_alice, of_bob) = tokio::join!(store.get(&alice), store.get(&bob));
/// assert_eq!((of_alice?, of_bob?), (None, None));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct BatchedStore {
    inner: Arc<dyn MetadataStore>,
    queue: Arc<Mutex<Queue>>,
    max_users: usize,
}

#[derive(Default)]
struct Queue {
    /// The readers of each user, in the order in which they came.
    waiting: IndexMap<UserId, Vec<Asker>>,
    /// Whether a task takes them from here.
    served: bool,
}

type Asker = oneshot::Sender<Result<Option<Record>, StoreError>>;

impl BatchedStore {
    /// Gathers the reads of this store.
    #[must_use]
    pub fn new(store: impl MetadataStore) -> Self {
        Self { inner: Arc::new(store), queue: Arc::default(), max_users: MAX_USERS }
    }

    /// Sets the most users of one call. Default 100: what fits a query or a URL everywhere. At least 1.
    #[must_use]
    pub fn with_max_users(mut self, users: usize) -> Self {
        self.max_users = users.max(1);
        self
    }
}

impl fmt::Debug for BatchedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BatchedStore").field("inner", &self.inner).field("max_users", &self.max_users).finish()
    }
}

#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl MetadataStore for BatchedStore {
    async fn get(&self, user: &UserId) -> Result<Option<Record>, StoreError> {
        let (asker, answer) = oneshot::channel();
        let unserved = {
            let mut queue = lock(&self.queue);
            queue.waiting.entry(user.clone()).or_default().push(asker);
            !std::mem::replace(&mut queue.served, true)
        };
        if unserved {
            let server = Server { queue: Arc::clone(&self.queue), max_users: self.max_users, relieved: false };
            tokio::spawn(server.run(Arc::clone(&self.inner)).in_current_span());
        }
        answer.await.unwrap_or_else(|_| {
            let reason = "the read panicked, or its runtime is gone";
            let error = StoreError::new(StoreErrorKind::Internal).with_operation("get").with_source(reason);
            error.log();
            Err(error)
        })
    }

    async fn get_many(&self, users: &[UserId]) -> Result<Vec<Option<Record>>, StoreError> {
        self.inner.get_many(users).await
    }

    async fn update(&self, user: &UserId, update: &MetadataUpdate, when: &Precondition) -> Result<Record, StoreError> {
        self.inner.update(user, update, when).await
    }

    async fn clear(&self, user: &UserId, when: &Precondition) -> Result<(), StoreError> {
        self.inner.clear(user, when).await
    }

    async fn close(&self) {
        self.inner.close().await;
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn changes(&self) -> Option<Arc<dyn Changes>> {
        self.inner.changes()
    }
}

/// Takes from the queue until it is empty. When its runtime ends before, waiting readers get an error, and the next read
/// starts another.
struct Server {
    queue: Arc<Mutex<Queue>>,
    max_users: usize,
    /// Whether the queue was found empty: another server may have been started since.
    relieved: bool,
}

impl Server {
    async fn run(mut self, store: Arc<dyn MetadataStore>) {
        loop {
            // Tasks that are ready to run may read as well, and join this batch.
            tokio::task::yield_now().await;
            let Some(batch) = self.next() else { return };
            let answered = answer(Arc::clone(&store), batch).in_current_span();
            // In a task of its own: a panic of the store is an error for these readers and for no others.
            let _ = tokio::spawn(answered).await;
        }
    }

    fn next(&mut self) -> Option<IndexMap<UserId, Vec<Asker>>> {
        let mut queue = lock(&self.queue);
        // Readers that were dropped need no answer.
        queue.waiting.retain(|_, askers| {
            askers.retain(|asker| !asker.is_closed());
            !askers.is_empty()
        });
        if queue.waiting.is_empty() {
            queue.served = false;
            self.relieved = true;
            return None;
        }
        let end = self.max_users.min(queue.waiting.len());
        Some(queue.waiting.drain(..end).collect())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if !self.relieved {
            *lock(&self.queue) = Queue::default();
        }
    }
}

async fn answer(store: Arc<dyn MetadataStore>, batch: IndexMap<UserId, Vec<Asker>>) {
    let (users, askers): (Vec<_>, Vec<_>) = batch.into_iter().unzip();
    if let ([_, _, ..], many) = (&users[..], store.get_many(&users)) {
        match many.await {
            Ok(records) if records.len() == users.len() => {
                for (askers, record) in askers.into_iter().zip(records) {
                    tell(askers, &Ok(record));
                }
                return;
            }
            // Alone it would fail the same way.
            Err(error) if error.is_retryable() || error.kind() == StoreErrorKind::Closed => {
                let error = Err(error);
                askers.into_iter().for_each(|askers| tell(askers, &error));
                return;
            }
            _ => {}
        }
    }
    for (user, askers) in users.iter().zip(askers) {
        tell(askers, &store.get(user).await);
    }
}

fn tell(askers: Vec<Asker>, outcome: &Result<Option<Record>, StoreError>) {
    for asker in askers {
        // The asker may be gone.
        let _ = asker.send(outcome.clone());
    }
}

fn lock(queue: &Mutex<Queue>) -> MutexGuard<'_, Queue> {
    // Nothing that is done under the lock panics.
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}
