//! The keys that tokens are verified with: fixed ones and those of a key server.
//!
//! Every key has exactly one algorithm, fixed when it is loaded: by its constructor, by the JWK's `alg`, or by the
//! first entry of the allow-list that fits its type. A token never chooses.

mod algorithm;
mod jwk;
mod jwk_set;
mod jwks;
mod key;
mod number;
mod pem;
mod prepared;
mod rsa;
mod secret;
mod set;
mod source;
mod version;

pub use crate::config_error::InvalidKey;
pub use algorithm::{Algorithm, UnknownAlgorithm};
pub(crate) use jwk_set::MAX_KEYS;
pub use jwks::{Jwks, JwksBuilder, JwksError, JwksErrorKind, JwksStatus, JwksTransport};
pub use key::VerificationKey;
pub(crate) use set::NotFound;
pub use set::{KeySet, SkippedKey};
pub use source::KeySource;
pub(crate) use version::KeySetVersion;

#[cfg(test)]
mod tests;
