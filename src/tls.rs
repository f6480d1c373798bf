//! Which cryptography TLS is done with.

use std::sync::Arc;

use rustls::crypto::CryptoProvider;

use crate::ConfigError;

/// The provider that the application installed for the process, else the one that a feature of this crate brings. None is
/// installed, since that would hold for the application too.
pub(crate) fn provider() -> Result<Arc<CryptoProvider>, ConfigError> {
    CryptoProvider::get_default().cloned().or_else(compiled_in).ok_or(ConfigError::NoTlsProvider)
}

#[cfg(feature = "_tls-aws-lc")]
fn compiled_in() -> Option<Arc<CryptoProvider>> {
    Some(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
}

#[cfg(all(feature = "_tls-ring", not(feature = "_tls-aws-lc")))]
fn compiled_in() -> Option<Arc<CryptoProvider>> {
    Some(Arc::new(rustls::crypto::ring::default_provider()))
}

#[cfg(not(any(feature = "_tls-aws-lc", feature = "_tls-ring")))]
fn compiled_in() -> Option<Arc<CryptoProvider>> {
    None
}
