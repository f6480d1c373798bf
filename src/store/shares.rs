//! One store for all requests, without one reference counter for all requests: threads that count in one place wait for
//! each other.

use std::any::Any;
use std::cell::Cell;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::MetadataStore;

/// More than threads that run at the same time, on most machines.
const SHARES: usize = 32;

/// A store with several reference counters.
#[derive(Clone)]
pub(crate) struct Shares(Box<[Arc<Share>]>);

/// A store with one of these counters. The alignment keeps two counters out of one cache line; it is two lines, since
/// processors fetch cache lines in pairs.
#[repr(align(128))]
pub(crate) struct Share(Arc<dyn MetadataStore>);

/// What a handle holds: the store with a counter of several, or a store of its own. A [`Share`] of its own would be an
/// allocation that takes as long as all the rest of a handle.
#[derive(Clone)]
pub(crate) enum HeldStore {
    Shared(Arc<Share>),
    Own(Arc<dyn MetadataStore>),
}

/// The number of the next thread.
static THREADS: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static THREAD: Cell<Option<usize>> = const { Cell::new(None) };
}

impl Shares {
    pub(crate) fn new(store: impl MetadataStore) -> Self {
        let store: Arc<dyn MetadataStore> = Arc::new(store);
        Self((0..SHARES).map(|_| Arc::new(Share(Arc::clone(&store)))).collect())
    }

    /// The store, with the counter that this thread uses.
    pub(crate) fn share(&self) -> &Arc<Share> {
        let thread = THREAD.with(|thread| {
            thread.get().unwrap_or_else(|| {
                let number = THREADS.fetch_add(1, Ordering::Relaxed);
                thread.set(Some(number));
                number
            })
        });
        // A remainder by the length is a place, and there are places.
        &self.0[thread % self.0.len()]
    }
}

impl HeldStore {
    /// The store of one handle.
    pub(crate) fn own(store: impl MetadataStore) -> Self {
        let mut store = Some(store);
        // An `Arc` of any store is not put into another one: that takes an allocation, and one more for each call.
        let shared = (&mut store as &mut dyn Any).downcast_mut::<Option<Arc<dyn MetadataStore>>>();
        match shared.and_then(Option::take) {
            Some(shared) => Self::Own(shared),
            // Only the other arm took it.
            None => Self::Own(Arc::new(store.expect("it is there"))),
        }
    }
}

impl Deref for HeldStore {
    type Target = dyn MetadataStore;

    fn deref(&self) -> &Self::Target {
        match self {
            Self::Shared(share) => &*share.0,
            Self::Own(store) => &**store,
        }
    }
}

impl Deref for Share {
    type Target = dyn MetadataStore;

    fn deref(&self) -> &Self::Target {
        &*self.0
    }
}

impl fmt::Debug for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for HeldStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::MemoryStore;

    #[test]
    fn a_thread_has_one_counter_and_threads_have_several() {
        let shares = Shares::new(MemoryStore::new());
        let place = || Arc::as_ptr(shares.share()) as usize;
        assert_eq!(place(), place());
        let places: std::collections::HashSet<_> =
            std::thread::scope(|scope| (0..8).map(|_| scope.spawn(place).join().expect("no panic")).collect());
        assert_eq!(places.len(), 8);
    }

    /// A handle of a request is made of it, so it costs no more than it must.
    #[test]
    fn an_arc_of_any_store_is_held_as_it_is() {
        let store: Arc<dyn MetadataStore> = Arc::new(MemoryStore::new());
        let HeldStore::Own(held) = HeldStore::own(Arc::clone(&store)) else { panic!("nothing to share it with") };
        assert!(Arc::ptr_eq(&held, &store));
        let HeldStore::Own(held) = HeldStore::own(MemoryStore::new()) else { panic!("nothing to share it with") };
        assert_eq!(Arc::strong_count(&held), 1);
    }
}
