use crate::metadata::Limits;

/// What a store offers beyond the minimum of its contract.
///
/// ```
/// use tower_user_metadata::store::{Durability, MemoryStore, MetadataStore};
///
/// let capabilities = MemoryStore::new().capabilities();
/// assert!(capabilities.conditional_writes());
/// assert_eq!(capabilities.durability(), Durability::Process);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    conditional_writes: bool,
    durability: Durability,
    limits: Limits,
}

impl Capabilities {
    /// The minimum: no conditional writes, the default limits, and the given durability.
    #[must_use]
    pub fn new(durability: Durability) -> Self {
        Self { conditional_writes: false, durability, limits: Limits::default() }
    }

    /// Says that preconditions are checked inside the write.
    #[must_use]
    pub fn with_conditional_writes(mut self) -> Self {
        self.conditional_writes = true;
        self
    }

    /// Says how much one user may keep; bodies of requests that are larger are not even read.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Whether preconditions other than [`Precondition::None`](crate::Precondition::None) are offered.
    #[must_use]
    pub const fn conditional_writes(&self) -> bool {
        self.conditional_writes
    }

    /// How much one user may keep.
    #[must_use]
    pub const fn limits(&self) -> Limits {
        self.limits
    }

    /// What an acknowledged write survives.
    #[must_use]
    pub const fn durability(&self) -> Durability {
        self.durability
    }
}

/// What an acknowledged write survives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Durability {
    /// Nothing: it lives as long as the process.
    Process,
    /// A crash of the process, but a power cut may take the last writes.
    Crash,
    /// A power cut.
    PowerCut,
    /// Whatever the server on the other side is configured for.
    Server,
}
