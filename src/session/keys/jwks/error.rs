use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;

/// Keys that could not be fetched from a key server: for the operator, never shown to a client.
///
/// ```
/// use tower_user_metadata::session::keys::{JwksError, JwksErrorKind};
///
/// let error = JwksError::new(JwksErrorKind::Unreachable).with_source("connection refused");
/// assert_eq!(error.kind(), JwksErrorKind::Unreachable);
/// ```
#[derive(Clone, Debug)]
pub struct JwksError {
    kind: JwksErrorKind,
    source: Option<Arc<dyn Error + Send + Sync>>,
    pub(super) retry_after: Option<Duration>,
}

/// Why keys could not be fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum JwksErrorKind {
    /// No connection, no trusted one, or one that broke.
    Unreachable,
    /// The answer was not complete within the deadline.
    DeadlineExceeded,
    /// An answer with this status instead of 200; redirects are not followed.
    Status(StatusCode),
    /// An answer of more than 256 KiB.
    TooLarge,
    /// An answer that is not a JWK set.
    NotJwkSet,
    /// The fetch ended without a result: the runtime that it ran on was shut down, or a transport panicked.
    Interrupted,
}

impl JwksError {
    /// A failure of this kind.
    #[must_use]
    pub fn new(kind: JwksErrorKind) -> Self {
        Self { kind, source: None, retry_after: None }
    }

    /// Adds what caused it.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(Arc::from(source.into()));
        self
    }

    /// Why the keys could not be fetched.
    #[must_use]
    pub fn kind(&self) -> JwksErrorKind {
        self.kind
    }

    /// The whole chain of causes, for a log line.
    pub(super) fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            text = format!("{text}: {error}");
            cause = error.source();
        }
        text
    }
}

impl fmt::Display for JwksErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable => f.write_str("no connection to the key server"),
            Self::DeadlineExceeded => f.write_str("no answer in time"),
            Self::Status(status) => write!(f, "answered {status}"),
            Self::TooLarge => f.write_str("the answer is too large"),
            Self::NotJwkSet => f.write_str("the answer is not a JWK set"),
            Self::Interrupted => f.write_str("the fetch was interrupted"),
        }
    }
}

impl fmt::Display for JwksError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)
    }
}

impl Error for JwksError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
