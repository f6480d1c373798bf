use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use tokio::time::Instant;

use super::header::{Header, SeenHeaders};
use super::jws::{Jws, SignatureBuffer};
use super::mismatch::Warnings;
use super::rules::{Profile, Rules};
use super::{oidc, purpose, supertokens};
use crate::session::cache::{Fresh, Now, SessionCache};
use crate::session::clock::unix_millis;
use crate::session::internal::Internal;
use crate::session::keys::{Algorithm, KeySet, KeySetVersion, KeySource, MAX_KEYS, NotFound, VerificationKey};
use crate::session::payload::Payload;
use crate::session::{AuthError, AuthErrorKind as Kind, Session, SessionVerifier, Verdict, VerifyInput};

/// How many keys are tried for a token that names none (SuperTokens, version 2): a bound on what one request costs, and
/// as many as a key server can show.
const MAX_KEYS_TRIED: usize = MAX_KEYS;

/// Verifies sessions that are signed tokens.
///
/// ```
/// use tower_user_metadata::session::JwtVerifier;
/// use tower_user_metadata::session::keys::{Algorithm, VerificationKey};
///
/// let key = VerificationKey::from_secret(Algorithm::HS256, b"nT7#kq2!vX9@mZ4$wR8%yB6^cD3&fG5*")?;
/// let verifier = JwtVerifier::builder(key)
///     .with_issuer("https://auth.example.com")
///     .with_audience("https://api.example.com")
///     .build()?;
/// # drop(verifier);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct JwtVerifier(Arc<Inner>);

struct Inner {
    keys: Arc<dyn KeySource>,
    rules: Rules,
    cache: Option<SessionCache<Session>>,
    headers: SeenHeaders,
    warnings: Warnings,
}

impl JwtVerifier {
    /// Forgets the verified sessions for which `ended` says yes, so that their next requests are verified anew; for a
    /// sign-out, with a key source or validator that then refuses them.
    pub fn forget(&self, ended: impl Fn(&Session) -> bool) {
        if let Some(cache) = &self.0.cache {
            cache.forget(ended);
        }
    }

    pub(super) fn new(keys: Arc<dyn KeySource>, rules: Rules, cache_bytes: usize) -> Self {
        let cache = (cache_bytes > 0).then(|| SessionCache::new(cache_bytes));
        Self(Arc::new(Inner { keys, rules, cache, headers: SeenHeaders::default(), warnings: Warnings::new() }))
    }
}

impl SessionVerifier for JwtVerifier {
    fn verify(&self, input: VerifyInput<'_>) -> Verdict {
        let now = unix_millis(input.now);
        let missing = match self.0.attempt(input.token, now) {
            Ok(Ok(session)) => return Verdict::Ready(Ok(Some(session))),
            Ok(Err(missing)) => missing,
            Err(error) => return Verdict::Ready(Err(error)),
        };
        let Some(refreshed) = self.0.keys.refresh(missing.kid.as_deref()) else {
            return Verdict::Ready(Err(missing.error));
        };
        let (inner, token) = (Arc::clone(&self.0), input.token.to_owned());
        let asked = Instant::now();
        Verdict::Pending(Box::pin(async move {
            refreshed.await;
            // The token may have ended meanwhile.
            let waited = i64::try_from(asked.elapsed().as_millis()).unwrap_or(i64::MAX);
            inner.attempt(&token, now.saturating_add(waited))?.map(Some).map_err(|missing| missing.error)
        }))
    }

    fn max_token_bytes(&self) -> usize {
        self.0.rules.max_token_bytes
    }

    fn known(&self, token: &[u8], now: SystemTime, _: Internal) -> Option<Session> {
        let cache = self.0.cache.as_ref()?;
        let now = Now { wall: unix_millis(now), steady: Instant::now() };
        cache.known(token, now, self.0.keys.current_version(Internal::HERE)?)
    }
}

impl fmt::Debug for JwtVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtVerifier")
            .field("keys", &self.0.keys)
            .field("rules", &self.0.rules)
            .field("cache", &self.0.cache)
            .finish()
    }
}

/// The keys at hand do not include the one that the token needs.
struct KeyMissing {
    kid: Option<String>,
    /// The answer if no newer keys can be had.
    error: AuthError,
}

type Attempt<T> = Result<Result<T, KeyMissing>, AuthError>;

impl Inner {
    fn attempt(&self, token: &str, now: i64) -> Attempt<Session> {
        let verify = || {
            let keys = self.keys.snapshot();
            Ok(self.verify_with(keys.as_deref(), token, now)?.map(|(session, version)| {
                let good_until = unix_millis(session.expires_at());
                Fresh { session, good_until, version }
            }))
        };
        match &self.cache {
            Some(cache) => {
                let now = Now { wall: now, steady: Instant::now() };
                cache.known_or_verified(token.as_bytes(), now, self.keys.current_version(Internal::HERE), verify)
            }
            None => Ok(verify()?.map(|fresh| fresh.session)),
        }
    }

    /// The session of a token, and the version of the keys that vouch for it.
    fn verify_with(&self, keys: Option<&KeySet>, token: &str, now: i64) -> Attempt<(Session, KeySetVersion)> {
        let jws = Jws::split(token, self.rules.max_token_bytes)?;
        if matches!(self.rules.profile, Profile::SuperTokens { .. }) && jws.is_legacy() {
            return self.legacy(keys, &jws, now);
        }
        let seen = self.headers.now();
        if let Some(header) = seen.find(jws.header) {
            return self.judge(keys, &jws, header, now);
        }
        let header = Header::parse(jws.header)?;
        let verdict = self.judge(keys, &jws, &header, now);
        if let Ok(Ok(_)) = verdict {
            self.headers.add(jws.header, header);
        }
        verdict
    }

    /// The session of a token with this header.
    fn judge(
        &self,
        keys: Option<&KeySet>,
        jws: &Jws<'_>,
        header: &Header,
        now: i64,
    ) -> Attempt<(Session, KeySetVersion)> {
        let layout = match self.rules.profile {
            Profile::SuperTokens { .. } => supertokens::version(header)?,
            Profile::Plain { .. } => 0,
        };
        let (claims, version) = match self.signed_claims(keys, jws, header)? {
            Ok(signed) => signed,
            Err(missing) => return Ok(Err(missing)),
        };
        let session = match &self.rules.profile {
            Profile::SuperTokens { signing_keys } => {
                supertokens::check_kid(header.kid.as_deref().unwrap_or_default(), *signing_keys)?;
                let session = supertokens::session(layout, claims, now)?;
                self.rules.check_issuer_and_audience(session.claims(), &self.warnings)?;
                supertokens::check_type(&session)?;
                session
            }
            Profile::Plain(plain) => {
                let session = oidc::session(claims, &plain.names, now, plain.leeway, &self.warnings)?;
                self.rules.check_issuer_and_audience(session.claims(), &self.warnings)?;
                if !plain.demands.name_types() {
                    purpose::check_header(header, &plain.token_types)?;
                }
                purpose::check_claims(session.claims(), plain.id_tokens)?;
                plain.demands.check(header, session.claims(), &self.warnings)?;
                session
            }
        };
        Ok(Ok((session, version)))
    }

    /// The claims of a token whose signature is right under the key that it names.
    fn signed_claims(
        &self,
        keys: Option<&KeySet>,
        jws: &Jws<'_>,
        header: &Header,
    ) -> Attempt<(Payload, KeySetVersion)> {
        let mut buffer = SignatureBuffer::new();
        let signature = jws.signature(&mut buffer)?;
        let missing = |error| Ok(Err(KeyMissing { kid: header.kid.clone(), error }));
        // No key is looked for that could not verify it.
        let algorithm = match (&self.rules.profile, header.algorithm) {
            (Profile::SuperTokens { .. }, Some(Algorithm::RS256)) => Algorithm::RS256,
            (Profile::Plain(_), Some(algorithm)) => algorithm,
            _ => {
                return Err(AuthError::because(Kind::BadSignature, "the algorithm of the token is none that is taken"));
            }
        };
        let Some(keys) = keys else { return missing(unavailable()) };
        // The algorithm must be one that the key was loaded with; it tells keys of one name apart and chooses nothing.
        let found = match keys.find(header.kid.as_deref(), algorithm) {
            Ok(found) => found,
            Err(NotFound::Kid) => {
                let reason = match header.kid {
                    Some(_) => "no key has the kid of the token",
                    None => "the token has no kid, and not exactly one key fits",
                };
                return missing(AuthError::because(Kind::UnknownKey, reason));
            }
            Err(NotFound::Algorithm) => {
                return Err(AuthError::because(
                    Kind::BadSignature,
                    "the algorithm of the token is not that of the key",
                ));
            }
        };
        if !found.key.verifies(jws.signed.as_bytes(), signature) {
            let error = |reason| AuthError::because(Kind::BadSignature, reason);
            return if found.named {
                Err(error("the signature is wrong under the key that the token names"))
            } else {
                // The one that it means may be newer.
                missing(error("the signature is wrong under the only key that fits"))
            };
        }
        jws.claims().map(|claims| Ok((claims, keys.version())))
    }

    /// Tokens of version 1 and 2 name no key, so each is tried.
    fn legacy(&self, keys: Option<&KeySet>, jws: &Jws<'_>, now: i64) -> Attempt<(Session, KeySetVersion)> {
        let mut buffer = SignatureBuffer::new();
        let signature = jws.signature(&mut buffer)?;
        let missing = |error| Ok(Err(KeyMissing { kid: None, error }));
        let Some(keys) = keys else { return missing(unavailable()) };
        let signed_by = |key: &VerificationKey| key.verifies(jws.signed.as_bytes(), signature);
        let mut candidates = keys.newest_first().filter(|key| key.algorithm() == Algorithm::RS256).take(MAX_KEYS_TRIED);
        if !candidates.any(signed_by) {
            return missing(AuthError::because(Kind::BadSignature, "the signature is wrong under every key"));
        }
        let session = supertokens::legacy_session(&jws.claims()?, now)?;
        // They have none: what the session claims is the application's.
        self.rules.check_issuer_and_audience(&Payload::default(), &self.warnings)?;
        Ok(Ok((session, keys.version())))
    }
}

fn unavailable() -> AuthError {
    AuthError::because(Kind::KeysUnavailable, "no keys were fetched, or none for too long")
}
