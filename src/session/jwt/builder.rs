use std::sync::Arc;
use std::time::Duration;

use super::oidc::ClaimNames;
use super::supertokens::SigningKeys;
use super::{JwtVerifier, Profile, Rules};
use crate::ConfigError;
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
    any_audience: bool,
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
            any_audience: false,
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

    /// Takes tokens of any issuer for any audience, where neither is set.
    ///
    /// Right where the keys sign nothing but the access tokens of this one application. At a provider that has other
    /// clients, a token that was made for any of them is then a session here (RFC 8725 section 3.9).
    pub fn without_audience(mut self) -> Self {
        self.any_audience = true;
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
    ///
    /// # Errors
    ///
    /// Neither an issuer nor an audience was given, and [`without_audience`](Self::without_audience) was not called; or
    /// one of them is empty or has white space around it, with which it would fit no token.
    pub fn build(self) -> Result<JwtVerifier, ConfigError> {
        if self.issuer.is_none() && self.audiences.is_empty() && !self.any_audience {
            return Err(ConfigError::AnyAudience);
        }
        let leeway = i64::try_from(self.leeway.as_millis()).unwrap_or(i64::MAX);
        let profile = Profile::Plain { names: self.names, token_types: self.token_types, leeway };
        let rules =
            Rules { max_token_bytes: self.max_token_bytes, issuer: self.issuer, audiences: self.audiences, profile };
        check_texts(&rules)?;
        Ok(JwtVerifier::new(self.keys, rules, self.cache_bytes))
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
    ///
    /// # Errors
    ///
    /// An issuer or an audience is empty or has white space around it, with which it would fit no token.
    pub fn build(self) -> Result<JwtVerifier, ConfigError> {
        check_texts(&self.rules)?;
        Ok(JwtVerifier::new(self.keys, self.rules, self.cache_bytes))
    }
}

/// Refuses an issuer and audiences that no token can have. White space mostly comes from a file that ends in a line
/// end, and then every token would be refused.
fn check_texts(rules: &Rules) -> Result<(), ConfigError> {
    let issuer = rules.issuer.iter().map(|issuer| ("with_issuer", issuer));
    let audiences = rules.audiences.iter().map(|audience| ("with_audience", audience));
    for (option, value) in issuer.chain(audiences) {
        let problem = if value.is_empty() {
            "it is empty"
        } else if value.trim() != &**value {
            "it begins or ends with white space"
        } else {
            continue;
        };
        return Err(ConfigError::VerifierOption { option, value: value.to_string(), problem });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::keys::{Algorithm, VerificationKey};

    fn key() -> VerificationKey {
        VerificationKey::from_secret(Algorithm::HS256, b"nT7#kq2!vX9@mZ4$wR8%yB6^cD3&fG5*").expect("a secret")
    }

    #[test]
    fn a_plain_verifier_is_told_whose_tokens_it_takes() {
        let builder = || JwtVerifier::builder(key());
        assert!(matches!(builder().build(), Err(ConfigError::AnyAudience)));
        for told in [builder().with_issuer("i"), builder().with_audience("a"), builder().without_audience()] {
            assert!(told.build().is_ok());
        }
        assert!(JwtVerifier::supertokens(key()).build().is_ok(), "its tokens have a form of their own");
    }

    #[test]
    fn an_issuer_or_audience_that_no_token_has_is_refused() {
        for text in ["", " ", "https://id.example\n", " api", "api\t", "\u{a0}api", "api\u{3000}"] {
            for (option, verifier) in [
                ("with_issuer", JwtVerifier::builder(key()).with_issuer(text).build()),
                ("with_audience", JwtVerifier::builder(key()).with_audience("good").with_audience(text).build()),
                ("with_issuer", JwtVerifier::supertokens(key()).with_issuer(text).build()),
                ("with_audience", JwtVerifier::supertokens(key()).with_audience(text).build()),
            ] {
                let error = verifier.expect_err("refused");
                assert!(error.to_string().contains(&format!("{text:?}")), "{error}");
                assert!(
                    matches!(error, ConfigError::VerifierOption { option: named, .. } if named == option),
                    "{error}"
                );
            }
        }
    }
}
