use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::metadata::{InvalidMetadata, Version};

/// A store call that failed: for the operator, never shown to a client.
///
/// It names what was done, on which engine and at which server; its [`source`](Error::source) has the reason, which
/// `Display` does not repeat. Neither holds a password, a user id or a value of a document.
///
/// The store [logs](Self::log) it where its call ends. Clones are one error: it is logged once.
///
/// ```
/// use tower_user_metadata::store::{StoreError, StoreErrorKind};
///
/// let error = StoreError::new(StoreErrorKind::Timeout)
///     .with_operation("update")
///     .with_engine("PostgreSQL")
///     .with_server("db.example.com:5432");
/// assert_eq!(
///     error.to_string(),
///     "the metadata store did not answer in time (update, PostgreSQL at db.example.com:5432)"
/// );
/// assert!(error.is_retryable());
/// assert!(!error.may_have_happened());
/// // The answer was lost on its way back: repeating the write could undo somebody else's.
/// assert!(!error.with_may_have_happened().is_retryable());
/// ```
#[derive(Clone)]
pub struct StoreError(Arc<Inner>);

struct Inner {
    kind: StoreErrorKind,
    may_have_happened: bool,
    current: Option<Version>,
    operation: Option<&'static str>,
    engine: Option<&'static str>,
    server: Option<Arc<str>>,
    source: Option<Arc<dyn Error + Send + Sync>>,
    logged: AtomicBool,
}

/// The kind of a failure.
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
    /// The stored value is not a document, or not of the requested type.
    Corrupt,
    /// Anything else, for example a statement that the database refused.
    Internal,
}

impl StoreError {
    /// A failure of this kind that changed nothing.
    #[must_use]
    pub fn new(kind: StoreErrorKind) -> Self {
        Self(Arc::new(Inner {
            kind,
            may_have_happened: false,
            current: None,
            operation: None,
            engine: None,
            server: None,
            source: None,
            logged: AtomicBool::new(false),
        }))
    }

    /// The stored document does not meet the precondition; `current` is its version, `None` without a document.
    #[must_use]
    pub fn precondition_failed(current: Option<Version>) -> Self {
        let mut error = Self::new(StoreErrorKind::PreconditionFailed);
        error.change().current = current;
        error
    }

    /// Adds what caused it, without passwords, user ids or values of documents: the whole chain goes into the log.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.change().source = Some(Arc::from(source.into()));
        self
    }

    /// Says what was done: the name of the method of [`MetadataStore`](crate::store::MetadataStore), or `open`.
    #[must_use]
    pub fn with_operation(mut self, operation: &'static str) -> Self {
        self.change().operation = Some(operation);
        self
    }

    /// Names the kind of database.
    #[must_use]
    pub fn with_engine(mut self, engine: &'static str) -> Self {
        self.change().engine = Some(engine);
        self
    }

    /// Says where the database is: host and port, a socket or a file, and no credentials.
    #[must_use]
    pub fn with_server(mut self, server: impl Into<Arc<str>>) -> Self {
        self.change().server = Some(server.into());
        self
    }

    /// Says that the write may have happened all the same.
    #[must_use]
    pub fn with_may_have_happened(mut self) -> Self {
        self.change().may_have_happened = true;
        self
    }

    /// Writes it into the log with the whole chain of its sources, unless it, a clone of it or an error among its
    /// sources is there already. A passing failure is a warning, any other an error.
    ///
    /// A store calls this where its call ends, most easily by [`ErrorContext`](crate::store::ErrorContext). What is the
    /// caller's own is not logged: [`InvalidMetadata`](StoreErrorKind::InvalidMetadata) and
    /// [`PreconditionFailed`](StoreErrorKind::PreconditionFailed).
    pub fn log(&self) {
        let own = matches!(self.0.kind, StoreErrorKind::InvalidMetadata | StoreErrorKind::PreconditionFailed);
        if own || self.0.logged.swap(true, Ordering::Relaxed) || self.is_logged_below() {
            return;
        }
        let Inner { kind, may_have_happened, operation, engine, server, .. } = &*self.0;
        let error = self.chain();
        match kind {
            StoreErrorKind::Unavailable | StoreErrorKind::Timeout | StoreErrorKind::Closed => tracing::warn!(
                operation,
                engine,
                server = server.as_deref(),
                ?kind,
                may_have_happened,
                error,
                "a call of the store failed"
            ),
            _ => tracing::error!(
                operation,
                engine,
                server = server.as_deref(),
                ?kind,
                may_have_happened,
                error,
                "a call of the store failed"
            ),
        }
    }

    /// The kind of the failure.
    #[must_use]
    pub fn kind(&self) -> StoreErrorKind {
        self.0.kind
    }

    /// The operation that failed, if that is known: the name of a method of [`MetadataStore`](crate::store::MetadataStore), or `open`.
    #[must_use]
    pub fn operation(&self) -> Option<&'static str> {
        self.0.operation
    }

    /// The kind of database, if that is known: `PostgreSQL`, `MariaDB`, `SQLite`, `Redis`, or what a store of somebody
    /// else calls itself.
    #[must_use]
    pub fn engine(&self) -> Option<&'static str> {
        self.0.engine
    }

    /// Where the database is, if that is known: host and port, a socket or a file.
    #[must_use]
    pub fn server(&self) -> Option<&str> {
        self.0.server.as_deref()
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

    /// What is to be changed, apart from clones.
    fn change(&mut self) -> &mut Inner {
        Arc::make_mut(&mut self.0)
    }

    fn is_logged_below(&self) -> bool {
        sources(self).any(|source| {
            let shared = source.downcast_ref::<Arc<Self>>().map(|shared| &**shared);
            source.downcast_ref::<Self>().or(shared).is_some_and(|error| error.0.logged.load(Ordering::Relaxed))
        })
    }

    fn chain(&self) -> String {
        sources(self).fold(self.to_string(), |text, source| format!("{text}: {source}"))
    }
}

fn sources(error: &StoreError) -> impl Iterator<Item = &(dyn Error + 'static)> {
    std::iter::successors(error.source(), |&error: &&(dyn Error + 'static)| error.source())
}

impl Clone for Inner {
    fn clone(&self) -> Self {
        Self {
            kind: self.kind,
            may_have_happened: self.may_have_happened,
            current: self.current,
            operation: self.operation,
            engine: self.engine,
            server: self.server.clone(),
            source: self.source.clone(),
            logged: AtomicBool::new(self.logged.load(Ordering::Relaxed)),
        }
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
        let engine = [self.0.engine, self.server()].into_iter().flatten().collect::<Vec<_>>().join(" at ");
        match (self.0.operation, &engine[..]) {
            (None, "") => {}
            (Some(what), "") | (None, what) => write!(f, " ({what})")?,
            (Some(operation), engine) => write!(f, " ({operation}, {engine})")?,
        }
        if self.0.may_have_happened { f.write_str("; the write may have happened") } else { Ok(()) }
    }
}

impl fmt::Debug for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreError")
            .field("kind", &self.0.kind)
            .field("operation", &self.0.operation)
            .field("engine", &self.0.engine)
            .field("server", &self.0.server)
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
