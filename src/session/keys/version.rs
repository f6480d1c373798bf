use std::sync::atomic::{AtomicU64, Ordering};

/// Tells one set of keys from every other of this process: what was verified under one does not count under another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct KeySetVersion(pub(crate) u64);

/// The number of the next set.
static NEXT: AtomicU64 = AtomicU64::new(0);

impl KeySetVersion {
    pub(super) fn next() -> Self {
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}
