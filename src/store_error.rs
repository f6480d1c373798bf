use std::error::Error;
use std::fmt;

use crate::metadata::{InvalidMetadata, Version};

/// A store call that failed: for the operator, never shown to a client.
///
/// ```
/// use tower_user_metadata::store::{StoreError, StoreErrorKind};
///
/// let error = StoreError::new(StoreErrorKind::Timeout);
/// assert!(error.is_retryable());
/// assert!(!error.may_have_happened());
/// // The answer was lost on its way back: repeating the write could undo somebody else's.
/// assert!(!error.with_may_have_happened().is_retryable());
/// ```
pub struct StoreError(Box<Inner>);

struct Inner {
    kind: StoreErrorKind,
    may_have_happened: bool,
    current: Option<Version>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// What failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StoreErrorKind {
    /// The update cannot be kept; see [`StoreError::invalid_metadata`].
    InvalidMetadata,
    /// The stored document is not as the precondition demands; see [`StoreError::current_version`].
    PreconditionFailed,
    /// The store does not offer this, for example conditional writes.
    Unsupported,
    /// The store is out of reach, full or overloaded.
    Unavailable,
    /// The deadline of the call passed.
    Timeout,
    /// The store was closed by this process.
    Closed,
    /// What is stored is not a document, or not of the type asked for.
    Corrupt,
    /// Anything else, for example a statement that the database refused.
    Internal,
}

impl StoreError {
    /// A failure of this kind that changed nothing.
    #[must_use]
    pub fn new(kind: StoreErrorKind) -> Self {
        Self(Box::new(Inner { kind, may_have_happened: false, current: None, source: None }))
    }

    /// The stored document does not meet the precondition; `current` is its version, `None` without a document.
    #[must_use]
    pub fn precondition_failed(current: Option<Version>) -> Self {
        let mut error = Self::new(StoreErrorKind::PreconditionFailed);
        error.0.current = current;
        error
    }

    /// Adds what caused it.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Says that the write may have happened all the same.
    #[must_use]
    pub fn with_may_have_happened(mut self) -> Self {
        self.0.may_have_happened = true;
        self
    }

    /// What failed.
    #[must_use]
    pub fn kind(&self) -> StoreErrorKind {
        self.0.kind
    }

    /// Whether the outcome of a write is unknown: it may be stored although the call failed.
    #[must_use]
    pub fn may_have_happened(&self) -> bool {
        self.0.may_have_happened
    }

    /// Whether the same call may work later and is safe to repeat.
    ///
    /// An update whose outcome is unknown is not: another writer may have come between.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        let passing = matches!(self.0.kind, StoreErrorKind::Unavailable | StoreErrorKind::Timeout);
        passing && !self.0.may_have_happened
    }

    /// What is wrong with the update, for [`StoreErrorKind::InvalidMetadata`]; this may be shown to the client.
    #[must_use]
    pub fn invalid_metadata(&self) -> Option<&InvalidMetadata> {
        self.0.source.as_deref()?.downcast_ref()
    }

    /// The version that the stored document has, for [`StoreErrorKind::PreconditionFailed`]; `None` without a
    /// document.
    #[must_use]
    pub fn current_version(&self) -> Option<Version> {
        self.0.current
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0.kind {
            StoreErrorKind::InvalidMetadata => "the metadata update is invalid",
            StoreErrorKind::PreconditionFailed => "the stored metadata has another version",
            StoreErrorKind::Unsupported => "the metadata store does not offer this",
            StoreErrorKind::Unavailable => "the metadata store is not available",
            StoreErrorKind::Timeout => "the metadata store did not answer in time",
            StoreErrorKind::Closed => "the metadata store is closed",
            StoreErrorKind::Corrupt => "the stored metadata cannot be read",
            StoreErrorKind::Internal => "the metadata store failed",
        })?;
        if self.0.may_have_happened { f.write_str("; the write may have happened") } else { Ok(()) }
    }
}

impl fmt::Debug for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreError")
            .field("kind", &self.0.kind)
            .field("may_have_happened", &self.0.may_have_happened)
            .field("source", &self.0.source)
            .finish_non_exhaustive()
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

impl From<InvalidMetadata> for StoreError {
    fn from(invalid: InvalidMetadata) -> Self {
        Self::new(StoreErrorKind::InvalidMetadata).with_source(invalid)
    }
}
