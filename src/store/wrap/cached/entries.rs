//! The documents that are kept, bounded in bytes.

use std::fmt;
use std::thread;
use std::time::Duration;

use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{DefaultHashBuilder, OptionsBuilder, Weighter};
use tokio::time::Instant;

use crate::metadata::Record;
use crate::user_id::UserId;

/// What an entry costs beside the user's id and the document's JSON, in bytes: measured and rounded up.
const ENTRY_BYTES: usize = 512;

/// What a root field costs beside its JSON, in bytes: measured, with ENTRY_BYTES, and rounded up.
const FIELD_BYTES: usize = 128;

/// The least room of one of the parts with a lock each, in bytes: more than a document may have by default.
const PART_BYTES: usize = 1024 * 1024;

pub(super) struct Entries(Cache<UserId, Entry, Bytes>);

/// What the store answered about a user: the document, or that there is none.
#[derive(Clone)]
pub(super) struct Stored(pub(super) Option<Record>);

#[derive(Clone)]
pub(super) struct Entry {
    pub(super) stored: Stored,
    /// The answer was the latest one at this time or later.
    pub(super) as_of: Instant,
}

/// How fresh an answer has to be.
#[derive(Clone, Copy)]
pub(super) struct Fresh {
    /// How long a document may be kept without a confirmation that it is still the latest.
    pub(super) max_age: Duration,
    /// How long it may be kept while change notices confirm it.
    pub(super) longest: Duration,
    /// All changes before this time were notified and applied to the entries. It is read before the entry is.
    pub(super) heard: Option<Instant>,
}

impl Fresh {
    fn fits(self, as_of: Instant) -> bool {
        as_of.elapsed() < self.max_age
            || (as_of.elapsed() < self.longest && self.heard.is_some_and(|heard| heard.elapsed() < self.max_age))
    }
}

impl Entries {
    pub(super) fn new(max_bytes: usize) -> Self {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let parts = (max_bytes / PART_BYTES).clamp(1, 4 * cores);
        let options = OptionsBuilder::new()
            // A power of two that is not above `parts`: the next one above would make smaller parts.
            .shards(1 << parts.ilog2())
            .estimated_items_capacity(max_bytes / (2 * ENTRY_BYTES))
            .weight_capacity(u64::try_from(max_bytes).unwrap_or(u64::MAX))
            .build()
            // Fails when one of the two capacities was not set, and both are.
            .expect("complete options");
        Self(Cache::with_options(options, Bytes, DefaultHashBuilder::default(), DefaultLifecycle::default()))
    }

    /// What the store said of this user, if that is fresh enough.
    pub(super) fn get(&self, user: &UserId, wanted: Fresh) -> Option<Stored> {
        let entry = self.0.get(user)?;
        wanted.fits(entry.as_of).then_some(entry.stored)
    }

    /// The same, however old it is, and without being a use of it.
    pub(super) fn peek(&self, user: &UserId) -> Option<Stored> {
        self.0.peek(user).map(|entry| entry.stored)
    }

    pub(super) fn insert(&self, user: &UserId, entry: Entry) {
        self.0.insert(user.clone(), entry);
    }

    pub(super) fn remove(&self, user: &UserId) {
        self.0.remove(user);
    }

    pub(super) fn clear(&self) {
        self.0.clear();
    }
}

#[derive(Clone)]
struct Bytes;

impl Weighter<UserId, Entry> for Bytes {
    fn weight(&self, user: &UserId, entry: &Entry) -> u64 {
        let document = entry
            .stored
            .0
            .as_ref()
            .map_or(0, |record| record.metadata.json_bytes() + record.metadata.len() * FIELD_BYTES);
        u64::try_from(ENTRY_BYTES + user.as_str().len() + document).unwrap_or(u64::MAX)
    }
}

impl fmt::Debug for Entries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entries")
            .field("users", &self.0.len())
            .field("bytes", &self.0.weight())
            .field("max_bytes", &self.0.capacity())
            .finish()
    }
}
