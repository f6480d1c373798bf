use std::sync::Arc;

use super::rules::{CACHE_BYTES, MAX_TOKEN_BYTES, Profile, Rules};
use super::supertokens::SigningKeys;
use super::verifier::JwtVerifier;
use crate::ConfigError;
use crate::session::keys::KeySource;

impl JwtVerifier {
    /// A verifier for the access tokens of SuperTokens, versions 1 to 5, as its core signs them.
    pub fn supertokens(keys: impl Into<Arc<dyn KeySource>>) -> SuperTokensVerifierBuilder {
        SuperTokensVerifierBuilder::new(keys.into())
    }
}

/// A [`JwtVerifier`] for SuperTokens access tokens in the making.
///
/// There is no leeway to set: the SDKs of SuperTokens have none. A user id has at most 128 characters, which is what
/// SuperTokens keeps.
///
/// ```
/// # use tower_user_metadata::session::keys::{Algorithm, VerificationKey};
/// use tower_user_metadata::session::{JwtVerifier, SessionVerifier};
///
/// # let keys = VerificationKey::from_secret(Algorithm::HS256, b"nT7#kq2!vX9@mZ4$wR8%yB6^cD3&fG5*")?;
/// let verifier = JwtVerifier::supertokens(keys).with_static_signing_key().with_max_token_bytes(8 * 1024).build()?;
/// assert_eq!(verifier.max_token_bytes(), 8_192);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use]
pub struct SuperTokensVerifierBuilder {
    keys: Arc<dyn KeySource>,
    rules: Rules,
    cache_bytes: usize,
}

impl SuperTokensVerifierBuilder {
    fn new(keys: Arc<dyn KeySource>) -> Self {
        let profile = Profile::SuperTokens { signing_keys: SigningKeys::Dynamic };
        let rules = Rules { max_token_bytes: MAX_TOKEN_BYTES, issuer: None, audiences: Vec::new(), profile };
        Self { keys, rules, cache_bytes: CACHE_BYTES }
    }

    /// Takes tokens signed with the static key of the core instead of its rotated ones: for services whose SDK sets
    /// `useDynamicAccessTokenSigningKey` to false.
    pub fn with_static_signing_key(mut self) -> Self {
        self.rules.profile = Profile::SuperTokens { signing_keys: SigningKeys::Static };
        self
    }

    /// Demands that `iss` is exactly this string; the SDKs write `apiDomain` and `apiBasePath`, for example
    /// `https://api.example.com/auth`. By default it is not looked at, as in the SDKs. Tokens of version 1 and 2 have
    /// no issuer.
    pub fn with_issuer(mut self, issuer: impl Into<Box<str>>) -> Self {
        self.rules.issuer = Some(issuer.into());
        self
    }

    /// Demands that `aud` is, or holds, exactly this string; of several calls one must fit. Tokens of version 1 and 2
    /// have no audience.
    pub fn with_audience(mut self, audience: impl Into<Box<str>>) -> Self {
        self.rules.audiences.push(audience.into());
        self
    }

    /// Sets the largest token that is looked at, in bytes. Default 16,384.
    pub fn with_max_token_bytes(mut self, bytes: usize) -> Self {
        self.rules.max_token_bytes = bytes;
        self
    }

    /// Sets how many bytes of memory verified sessions may take, so that the next request with the same token costs no
    /// cryptography. Default 16 MiB; 0 turns the cache off. Only tokens that verified enter, and each leaves at its
    /// expiry or when the keys change.
    pub fn with_cache_bytes(mut self, bytes: usize) -> Self {
        self.cache_bytes = bytes;
        self
    }

    /// The verifier.
    ///
    /// # Errors
    ///
    /// An issuer or an audience is empty or has white space around it, with which it would fit no token.
    pub fn build(self) -> Result<JwtVerifier, ConfigError> {
        self.rules.check_texts()?;
        Ok(JwtVerifier::new(self.keys, self.rules, self.cache_bytes))
    }
}
