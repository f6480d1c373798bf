use std::sync::Arc;
use std::time::Duration;

use super::oidc::ClaimNames;
use super::supertokens::SigningKeys;
use super::{JwtVerifier, Profile, Rules};
use crate::session::keys::KeySource;

/// The largest token by default, in bytes: larger than any that fits the header limits of common servers and proxies.
const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// The size of the cache of verified sessions by default, in bytes: some 8,000 sessions with tokens of 800 bytes.
const CACHE_BYTES: usize = 16 * 1024 * 1024;

/// A [`JwtVerifier`] for plain JWT access tokens in the making.
#[derive(Debug)]
#[must_use]
pub struct JwtVerifierBuilder {
    keys: Arc<dyn KeySource>,
    max_token_bytes: usize,
    issuer: Option<Box<str>>,
    audiences: Vec<Box<str>>,
    names: ClaimNames,
    token_types: Vec<Box<str>>,
    leeway: Duration,
    cache_bytes: usize,
}

impl JwtVerifierBuilder {
    pub(super) fn new(keys: Arc<dyn KeySource>) -> Self {
        Self {
            keys,
            max_token_bytes: MAX_TOKEN_BYTES,
            issuer: None,
            audiences: Vec::new(),
            names: ClaimNames { user: "sub".into(), tenant: None, session: "sid".into() },
            token_types: vec!["JWT".into(), "at+jwt".into()],
            leeway: Duration::ZERO,
            cache_bytes: CACHE_BYTES,
        }
    }

    /// Demands that `iss` is exactly this string. By default any issuer whose key is ours will do.
    pub fn with_issuer(mut self, issuer: impl Into<Box<str>>) -> Self {
        self.issuer = Some(issuer.into());
        self
    }

    /// Demands that `aud` is, or holds, exactly this string; of several calls one must fit. By default `aud` is not
    /// looked at, so set it wherever the issuer serves more than one application.
    pub fn with_audience(mut self, audience: impl Into<Box<str>>) -> Self {
        self.audiences.push(audience.into());
        self
    }

    /// Sets the claim that is the user id. Default `sub`.
    pub fn with_user_claim(mut self, name: impl Into<Box<str>>) -> Self {
        self.names.user = name.into();
        self
    }

    /// Sets the claim that is the tenant. By default sessions have no tenant.
    pub fn with_tenant_claim(mut self, name: impl Into<Box<str>>) -> Self {
        self.names.tenant = Some(name.into());
        self
    }

    /// Sets the claim that is the session handle. Default `sid` (OpenID Connect Front-Channel Logout section 3); a
    /// token without it has no handle.
    pub fn with_session_claim(mut self, name: impl Into<Box<str>>) -> Self {
        self.names.session = name.into();
        self
    }

    /// Sets how far the issuer's clock may be off when `exp` and `nbf` are compared. Default none: clocks are
    /// synchronised today, and every second of leeway is one more in which an ended session is taken.
    pub fn with_leeway(mut self, leeway: Duration) -> Self {
        self.leeway = leeway;
        self
    }

    /// Sets the values of the header `typ` that are taken; a token without `typ` always is. Default `JWT` and
    /// `at+jwt` (RFC 9068), so that id, logout and DPoP tokens are refused.
    pub fn with_token_types<T: Into<Box<str>>>(mut self, types: impl IntoIterator<Item = T>) -> Self {
        self.token_types = types.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the largest token that is looked at, in bytes. Default 16,384.
    pub fn with_max_token_bytes(mut self, bytes: usize) -> Self {
        self.max_token_bytes = bytes;
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
    #[must_use]
    pub fn build(self) -> JwtVerifier {
        let leeway = i64::try_from(self.leeway.as_millis()).unwrap_or(i64::MAX);
        let profile = Profile::Plain { names: self.names, token_types: self.token_types, leeway };
        let rules =
            Rules { max_token_bytes: self.max_token_bytes, issuer: self.issuer, audiences: self.audiences, profile };
        JwtVerifier::new(self.keys, rules, self.cache_bytes)
    }
}

/// A [`JwtVerifier`] for SuperTokens access tokens in the making.
///
/// There is no leeway to set: the SDKs of SuperTokens have none.
#[derive(Debug)]
#[must_use]
pub struct SuperTokensVerifierBuilder {
    keys: Arc<dyn KeySource>,
    rules: Rules,
    cache_bytes: usize,
}

impl SuperTokensVerifierBuilder {
    pub(super) fn new(keys: Arc<dyn KeySource>) -> Self {
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
    #[must_use]
    pub fn build(self) -> JwtVerifier {
        JwtVerifier::new(self.keys, self.rules, self.cache_bytes)
    }
}
