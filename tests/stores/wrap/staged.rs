//! A store whose calls stop before they do something and again before they answer, until the test says go.

use std::slice;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use tokio::sync::Semaphore;
use tokio::task::yield_now;
use tower_user_metadata::store::{Capabilities, MemoryStore, MetadataStore, StoreError, StoreErrorKind};
use tower_user_metadata::{MetadataUpdate, Precondition, Record, UserId};

pub(super) fn user(name: &str) -> UserId {
    UserId::new(name).expect("an id")
}

/// Lets all tasks of the runtime, which has one thread, go as far as they can.
pub(super) async fn settle() {
    for _ in 0..20 {
        yield_now().await;
    }
}

#[derive(Clone, Debug, Default)]
pub(super) struct Staged {
    memory: MemoryStore,
    calls: Arc<Mutex<Vec<Arc<Call>>>>,
    writes: Writes,
}

/// What each write left behind, in the order of the writes.
#[derive(Clone, Debug, Default)]
struct Writes(Arc<Mutex<Vec<Left>>>);

type Left = (UserId, Option<Record>);

impl Writes {
    /// The number of this write, from 1 on.
    async fn note(&self, memory: &MemoryStore, user: &UserId) -> usize {
        let left = memory.get(user).await.expect("memory");
        let mut writes = self.0.lock().expect("not poisoned");
        writes.push((user.clone(), left));
        writes.len()
    }
}

/// A call on the store. It goes on in the store when its future is dropped, as in a store with a queue.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) operation: &'static str,
    pub(super) users: Vec<UserId>,
    /// Two of them end the call.
    steps: Semaphore,
    failure: Mutex<Option<Failure>>,
    /// How many writes the store had done when it did this one, this one included; 0 before that.
    pub(super) done_as: AtomicUsize,
    ended: AtomicUsize,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Failure {
    /// Does nothing and says so.
    Fails,
    /// Does it and says that it may have happened.
    LosesAnswer,
    Panics,
}

impl Call {
    /// Lets the call do its work, or answer.
    pub(super) fn step(&self) {
        self.steps.add_permits(1);
    }

    pub(super) fn finish(&self) {
        self.steps.add_permits(2);
    }

    pub(super) fn fail(&self, failure: Failure) {
        *self.failure.lock().expect("not poisoned") = Some(failure);
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::SeqCst) > 0
    }

    async fn pass(&self) {
        self.steps.acquire().await.expect("not closed").forget();
    }
}

impl Staged {
    /// Writes at once and unseen by whoever wraps this store; answers the number of the write.
    pub(super) async fn write_past(&self, user: &UserId, update: &MetadataUpdate) -> usize {
        self.memory.update(user, update, &Precondition::None).await.expect("memory");
        self.writes.note(&self.memory, user).await
    }

    /// The user's documents, each with the number of the write that left it; 0 is the beginning.
    pub(super) fn history(&self, user: &UserId) -> Vec<(usize, Option<Record>)> {
        let writes = self.writes.0.lock().expect("not poisoned");
        let numbered = writes.iter().enumerate().filter(|(_, (whose, _))| whose == user);
        std::iter::once((0, None)).chain(numbered.map(|(at, (_, left))| (at + 1, left.clone()))).collect()
    }

    pub(super) fn calls(&self) -> Vec<Arc<Call>> {
        self.calls.lock().expect("not poisoned").clone()
    }

    pub(super) fn last(&self) -> Arc<Call> {
        self.calls().last().cloned().expect("a call")
    }

    pub(super) fn under_way(&self) -> Vec<Arc<Call>> {
        self.calls().into_iter().filter(|call| !call.has_ended()).collect()
    }

    async fn call<T, A>(
        &self,
        operation: &'static str,
        users: &[UserId],
        act: impl FnOnce(MemoryStore) -> A + Send + 'static,
    ) -> Result<T, StoreError>
    where
        T: Send + 'static,
        A: Future<Output = Result<T, StoreError>> + Send,
    {
        let call = Arc::new(Call {
            operation,
            users: users.to_vec(),
            steps: Semaphore::new(0),
            failure: Mutex::default(),
            done_as: AtomicUsize::new(0),
            ended: AtomicUsize::new(0),
        });
        self.calls.lock().expect("not poisoned").push(Arc::clone(&call));
        let (memory, writes) = (self.memory.clone(), self.writes.clone());
        let running = tokio::spawn(async move {
            call.pass().await;
            let failure = *call.failure.lock().expect("not poisoned");
            let outcome = match failure {
                Some(Failure::Fails) => Err(StoreError::new(StoreErrorKind::Unavailable)),
                Some(Failure::Panics) => {
                    call.ended.store(1, Ordering::SeqCst);
                    panic!("as the test wants it")
                }
                Some(Failure::LosesAnswer) | None => act(memory.clone()).await,
            };
            if let (true, "update" | "clear", [user]) = (outcome.is_ok(), call.operation, &call.users[..]) {
                call.done_as.store(writes.note(&memory, user).await, Ordering::SeqCst);
            }
            call.pass().await;
            call.ended.store(1, Ordering::SeqCst);
            match failure {
                Some(Failure::LosesAnswer) => Err(StoreError::new(StoreErrorKind::Timeout).with_may_have_happened()),
                _ => outcome,
            }
        });
        running.await.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
    }
}

#[async_trait]
impl MetadataStore for Staged {
    async fn get(&self, user: &UserId) -> Result<Option<Record>, StoreError> {
        let asked = user.clone();
        self.call("get", slice::from_ref(user), move |memory| async move { memory.get(&asked).await }).await
    }

    async fn get_many(&self, users: &[UserId]) -> Result<Vec<Option<Record>>, StoreError> {
        let asked = users.to_vec();
        self.call("get_many", users, move |memory| async move { memory.get_many(&asked).await }).await
    }

    async fn update(&self, user: &UserId, update: &MetadataUpdate, when: &Precondition) -> Result<Record, StoreError> {
        let (asked, update, when) = (user.clone(), update.clone(), *when);
        let act = move |memory: MemoryStore| async move { memory.update(&asked, &update, &when).await };
        self.call("update", slice::from_ref(user), act).await
    }

    async fn clear(&self, user: &UserId, when: &Precondition) -> Result<(), StoreError> {
        let (asked, when) = (user.clone(), *when);
        self.call("clear", slice::from_ref(user), move |memory| async move { memory.clear(&asked, &when).await }).await
    }

    async fn close(&self) {
        self.memory.close().await;
    }

    fn capabilities(&self) -> Capabilities {
        self.memory.capabilities()
    }
}
