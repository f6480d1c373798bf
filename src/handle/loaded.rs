//! The document that a handle with a single load has read.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::OnceCell;

use crate::metadata::Record;

/// One load for all readers. A write invalidates it, also a write whose outcome is unknown.
#[derive(Default)]
pub(super) struct Loaded(Mutex<State>);

#[derive(Default)]
struct State {
    /// Changes with every write that begins, and with every one that ends while another is under way.
    generation: u64,
    record: Arc<OnceCell<Option<Record>>>,
}

impl Loaded {
    pub(super) fn record(&self) -> Arc<OnceCell<Option<Record>>> {
        Arc::clone(&self.lock().record)
    }

    /// Notes that a write begins.
    pub(super) fn write(&self) -> Write<'_> {
        let mut state = self.lock();
        state.void();
        Write { loaded: self, generation: state.generation, kept: false }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that is done under the lock panics.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn void(&mut self) {
        self.generation += 1;
        self.record = Arc::default();
    }
}

/// A write that is under way; unless its answer is kept, the next read loads again.
pub(super) struct Write<'a> {
    loaded: &'a Loaded,
    generation: u64,
    kept: bool,
}

impl Write<'_> {
    /// Keeps the document that the write has left.
    pub(super) fn done(mut self, left: Option<Record>) {
        let mut state = self.loaded.lock();
        // Of two writes at once the answer that comes last may be that of the first.
        if state.generation == self.generation {
            state.record = Arc::new(OnceCell::new_with(Some(left)));
            self.kept = true;
        }
    }
}

impl Drop for Write<'_> {
    fn drop(&mut self) {
        if !self.kept {
            self.loaded.lock().void();
        }
    }
}
