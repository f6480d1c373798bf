use std::time::Duration;

use super::error::JwksErrorKind;
use crate::session::keys::set::SkippedKey;

/// How a [`Jwks`](super::Jwks) is doing: for health checks and metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct JwksStatus {
    /// The number of keys that tokens are verified with now; `None` when there never were any or they are too old.
    pub keys: Option<usize>,
    /// The age of the keys, `None` when there never were any.
    pub age: Option<Duration>,
    /// The keys of the JWK set that were left out, and why.
    pub skipped: Vec<SkippedKey>,
    /// The fetches that were begun.
    pub fetches: u64,
    /// The fetches that failed since the last one that did not.
    pub failures: u32,
    /// Why the last fetch failed; `None` when it did not.
    pub last_error: Option<JwksErrorKind>,
    /// Whether a fetch is under way.
    pub fetching: bool,
    /// The number of names that are remembered because fresh key sets did not have them.
    pub unknown_kids: usize,
}
