//! The keys that tokens are verified with: fixed ones and those of a key server.
//!
//! Every key has exactly one algorithm, fixed when it is loaded: by its constructor, by the JWK's `alg`, or by the
//! first entry of the allow-list that fits its type. A token never chooses.

mod algorithm;
mod jwk;
mod jwks;
mod key;
mod pem;
mod prepared;
mod rsa;
mod secret;
mod set;

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

pub use crate::config_error::InvalidKey;
pub use algorithm::{Algorithm, UnknownAlgorithm};
pub use jwks::{Jwks, JwksBuilder, JwksError, JwksErrorKind, JwksStatus, JwksTransport};
pub use key::VerificationKey;
pub(crate) use set::MAX_KEYS;
pub use set::{Generation, KeySet, SkippedKey};

/// Where a verifier takes its keys from.
///
/// [`KeySet`] is the source of fixed keys, [`Jwks`] that of a key server. Turn either, or one [`VerificationKey`],
/// into an `Arc<dyn KeySource>` with `into()`; the constructors of [`JwtVerifier`](crate::session::JwtVerifier) do it
/// by themselves.
pub trait KeySource: Debug + Send + Sync + 'static {
    /// The keys that are usable now, without waiting; `None` when there never were any or they are too old.
    fn snapshot(&self) -> Option<Arc<KeySet>>;

    /// The generation of what [`snapshot`](Self::snapshot) would answer now. This is all that a request with a known
    /// session asks for, so a source that can tell it without a clone of its keys does.
    fn current_generation(&self) -> Option<Generation> {
        self.snapshot().map(|keys| keys.generation())
    }

    /// Looks for newer keys because this `kid` is not in the snapshot (`None`: there is no snapshot). Answers `None`
    /// at once when looking is of no use now; else the future ends, within a deadline, when it was tried.
    fn refresh(&self, kid: Option<&str>) -> Option<Pin<Box<dyn Future<Output = ()> + Send>>>;
}

impl KeySource for Arc<KeySet> {
    fn snapshot(&self) -> Option<Arc<KeySet>> {
        Some(Self::clone(self))
    }

    fn current_generation(&self) -> Option<Generation> {
        Some(self.generation())
    }

    fn refresh(&self, _: Option<&str>) -> Option<Pin<Box<dyn Future<Output = ()> + Send>>> {
        None
    }
}

impl From<KeySet> for Arc<dyn KeySource> {
    fn from(keys: KeySet) -> Self {
        Arc::new(Arc::new(keys))
    }
}

impl From<VerificationKey> for Arc<dyn KeySource> {
    fn from(key: VerificationKey) -> Self {
        KeySet::from(key).into()
    }
}

#[cfg(test)]
mod tests;
