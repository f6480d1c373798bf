use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// The time before which all changes have been notified.
#[derive(Debug)]
pub(super) struct Heard {
    origin: Instant,
    /// Nanoseconds since the origin; zero is none.
    since: AtomicU64,
}

impl Default for Heard {
    fn default() -> Self {
        Self { origin: Instant::now(), since: AtomicU64::new(0) }
    }
}

impl Heard {
    pub(super) fn get(&self) -> Option<Instant> {
        match self.since.load(Ordering::Acquire) {
            0 => None,
            since => self.origin.checked_add(Duration::from_nanos(since)),
        }
    }

    pub(super) fn set(&self, heard: Option<Instant>) {
        let since = heard.map_or(0, |heard| {
            let since = heard.saturating_duration_since(self.origin).as_nanos();
            u64::try_from(since).unwrap_or(u64::MAX).max(1)
        });
        self.since.store(since, Ordering::Release);
    }
}
