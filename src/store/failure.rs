use crate::ConfigError;
use crate::store::{ErrorContext, StoreError, StoreErrorKind};

/// Why a call of a store over a pool of connections failed, before it is a [`StoreError`]. `Own` is what only this store
/// or its server can say. Cloned, since one statement may serve many callers.
#[derive(Clone, Debug)]
pub(super) struct Failure<Own> {
    pub(super) kind: StoreErrorKind,
    pub(super) cause: Cause<Own>,
    pub(super) may_have_happened: bool,
}

/// What the operator reads behind a [`StoreError`].
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum Cause<Own> {
    #[error(transparent)]
    Own(Own),
    #[error("the connection was lost")]
    Lost,
    #[error("no connection was free, or could be made, in time")]
    Pool,
    #[error("the deadline of the call passed")]
    Deadline,
    #[error("the store or its pool of connections is closed")]
    Closed,
    #[error("the task of the call has ended early")]
    Ended,
    #[error("the stored document is damaged, or the answer is not as the statement demands")]
    Answer,
    #[error("the system gave no random numbers")]
    Random,
    #[error("schema version {found} is newer than {known}, the last that this version of the crate knows")]
    NewerSchema { found: u32, known: u32 },
    #[error("the schema is missing or old, and the store was told not to make it")]
    NoSchema,
}

impl<Own> Failure<Own> {
    pub(super) fn new(kind: StoreErrorKind, cause: Own) -> Self {
        Self::of(kind, Cause::Own(cause))
    }

    pub(super) fn of(kind: StoreErrorKind, cause: Cause<Own>) -> Self {
        Self { kind, cause, may_have_happened: false }
    }

    /// The connection went away before anything was sent over it.
    pub(super) fn lost() -> Self {
        Self::of(StoreErrorKind::Unavailable, Cause::Lost)
    }

    /// The deadline passed before there was a connection.
    pub(super) fn no_connection() -> Self {
        Self::of(StoreErrorKind::Unavailable, Cause::Pool)
    }

    pub(super) fn deadline() -> Self {
        Self::of(StoreErrorKind::Timeout, Cause::Deadline)
    }

    pub(super) fn closed() -> Self {
        Self::of(StoreErrorKind::Closed, Cause::Closed)
    }

    /// A task ended by a panic, or with the runtime.
    pub(super) fn ended() -> Self {
        Self::of(StoreErrorKind::Internal, Cause::Ended)
    }

    /// What a row holds is not what this crate wrote.
    pub(super) fn damaged() -> Self {
        Self::of(StoreErrorKind::Corrupt, Cause::Answer)
    }

    pub(super) fn random() -> Self {
        Self::of(StoreErrorKind::Internal, Cause::Random)
    }

    pub(super) fn newer_schema(found: u32, known: u32) -> Self {
        Self::of(StoreErrorKind::Unsupported, Cause::NewerSchema { found, known })
    }

    pub(super) fn no_schema() -> Self {
        Self::of(StoreErrorKind::Unsupported, Cause::NoSchema)
    }

    pub(super) fn with_may_have_happened(mut self) -> Self {
        self.may_have_happened = true;
        self
    }
}

impl<Own: std::error::Error + Send + Sync + 'static> From<Failure<Own>> for StoreError {
    fn from(failure: Failure<Own>) -> Self {
        let error = Self::new(failure.kind).with_source(failure.cause);
        if failure.may_have_happened { error.with_may_have_happened() } else { error }
    }
}

impl<Own: std::error::Error + Send + Sync + 'static> Failure<Own> {
    /// The store cannot be opened. A schema that is newer is for the developer, anything else for the operator.
    pub(super) fn at_start(self, context: &ErrorContext) -> ConfigError {
        match self.cause {
            Cause::NewerSchema { found, known } => ConfigError::NewerSchema { found, known },
            _ => ConfigError::Store(context.failed("open", self)),
        }
    }
}
