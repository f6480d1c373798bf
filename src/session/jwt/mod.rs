//! Sessions carried in signed tokens (JWT, RFC 7519).
//!
//! A JWT library is not a verifier: strict checks of ours stand before and after the signature. The order of work is
//! size, three parts, base64url, header, key, algorithm, signature, claims from the very bytes that were signed, time,
//! issuer and audience, purpose. An error says the first of these that failed, so a token with a wrong signature is
//! never called "expired".

mod base64url;
mod builder;
mod header;
mod jws;
mod oidc;
mod supertokens;
mod time;

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

pub use builder::{JwtVerifierBuilder, SuperTokensVerifierBuilder};
use tokio::time::Instant;

use self::header::{Header, SeenHeaders};
use self::jws::{Jws, SignatureBuffer};
use self::oidc::ClaimNames;
use self::supertokens::SigningKeys;
use super::cache::{Fresh, Now, SessionCache};
use super::clock::unix_millis;
use super::keys::{Algorithm, Generation, KeySet, KeySource, MAX_KEYS, VerificationKey};
use super::payload::Payload;
use super::{AuthError, AuthErrorKind as Kind, Session, SessionVerifier, Verdict, VerifyInput};

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
}

/// What is demanded of a token beyond a right signature.
#[derive(Clone, Debug)]
struct Rules {
    max_token_bytes: usize,
    issuer: Option<Box<str>>,
    audiences: Vec<Box<str>>,
    profile: Profile,
}

#[derive(Clone, Debug)]
enum Profile {
    SuperTokens { signing_keys: SigningKeys },
    Plain { names: ClaimNames, token_types: Vec<Box<str>>, leeway: i64 },
}

impl JwtVerifier {
    /// A verifier for plain JWT access tokens: those of an OpenID Connect provider, or of one's own.
    pub fn builder(keys: impl Into<Arc<dyn KeySource>>) -> JwtVerifierBuilder {
        JwtVerifierBuilder::new(keys.into())
    }

    /// A verifier for the access tokens of SuperTokens, versions 1 to 5, as its core signs them.
    pub fn supertokens(keys: impl Into<Arc<dyn KeySource>>) -> SuperTokensVerifierBuilder {
        SuperTokensVerifierBuilder::new(keys.into())
    }

    /// Forgets the verified sessions for which `ended` says yes, so that their next requests are verified anew; for a
    /// sign-out, with a key source or validator that then refuses them.
    pub fn forget(&self, ended: impl Fn(&Session) -> bool) {
        if let Some(cache) = &self.0.cache {
            cache.forget(ended);
        }
    }

    fn new(keys: Arc<dyn KeySource>, rules: Rules, cache_bytes: usize) -> Self {
        let cache = (cache_bytes > 0).then(|| SessionCache::new(cache_bytes));
        Self(Arc::new(Inner { keys, rules, cache, headers: SeenHeaders::default() }))
    }
}

impl SessionVerifier for JwtVerifier {
    fn verify(&self, input: VerifyInput<'_>) -> Verdict {
        let now = unix_millis(input.now);
        let missing = match self.0.attempt(input.token, now) {
            Ok(Ok(session)) => return Verdict::Ready(Ok(session)),
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
            inner.attempt(&token, now.saturating_add(waited))?.map_err(|missing| missing.error)
        }))
    }

    fn max_token_bytes(&self) -> usize {
        self.0.rules.max_token_bytes
    }

    fn recognise(&self, token: &[u8], now: SystemTime) -> Option<Session> {
        let cache = self.0.cache.as_ref()?;
        let now = Now { wall: unix_millis(now), steady: Instant::now() };
        cache.known(token, now, self.0.keys.current_generation()?)
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
            Ok(self.verify_with(keys.as_deref(), token, now)?.map(|(session, generation)| {
                let good_until = unix_millis(session.expires_at()).saturating_add(self.rules.leeway());
                Fresh { session, good_until, generation }
            }))
        };
        match &self.cache {
            Some(cache) => {
                let now = Now { wall: now, steady: Instant::now() };
                cache.known_or_verified(token.as_bytes(), now, self.keys.current_generation(), verify)
            }
            None => Ok(verify()?.map(|fresh| fresh.session)),
        }
    }

    /// The session of a token, and the generation of the keys that vouch for it.
    fn verify_with(&self, keys: Option<&KeySet>, token: &str, now: i64) -> Attempt<(Session, Generation)> {
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
    fn judge(&self, keys: Option<&KeySet>, jws: &Jws<'_>, header: &Header, now: i64) -> Attempt<(Session, Generation)> {
        let version = match self.rules.profile {
            Profile::SuperTokens { .. } => supertokens::version(header)?,
            Profile::Plain { .. } => 0,
        };
        let (claims, generation) = match self.signed_claims(keys, jws, header)? {
            Ok(signed) => signed,
            Err(missing) => return Ok(Err(missing)),
        };
        let session = match &self.rules.profile {
            Profile::SuperTokens { signing_keys } => {
                supertokens::check_kid(header.kid.as_deref().unwrap_or_default(), *signing_keys)?;
                let session = supertokens::session(version, claims, now)?;
                self.rules.check_issuer_and_audience(session.claims())?;
                supertokens::check_type(&session)?;
                session
            }
            Profile::Plain { names, token_types, leeway } => {
                let session = oidc::session(claims, names, now, *leeway)?;
                self.rules.check_issuer_and_audience(session.claims())?;
                oidc::check_type(header, token_types)?;
                session
            }
        };
        Ok(Ok((session, generation)))
    }

    /// The claims of a token whose signature is right under the key that it names.
    fn signed_claims(&self, keys: Option<&KeySet>, jws: &Jws<'_>, header: &Header) -> Attempt<(Payload, Generation)> {
        let mut buffer = SignatureBuffer::new();
        let signature = jws.signature(&mut buffer)?;
        let missing = |error| Ok(Err(KeyMissing { kid: header.kid.clone(), error }));
        // No key is looked for that could not verify it.
        let known = match self.rules.profile {
            Profile::SuperTokens { .. } => header.algorithm == Algorithm::RS256.name(),
            Profile::Plain { .. } => Algorithm::is_known(&header.algorithm),
        };
        if !known {
            return Err(AuthError::because(Kind::BadSignature, "no key has the algorithm"));
        }
        let Some(keys) = keys else { return missing(AuthError::new(Kind::KeysUnavailable)) };
        let Some(key) = keys.find(header.kid.as_deref()) else { return missing(AuthError::new(Kind::UnknownKey)) };
        // The name of the algorithm must be the key's; it chooses nothing.
        if header.algorithm != key.name() {
            return Err(AuthError::because(Kind::BadSignature, "the algorithm is not that of the key"));
        }
        if !key.verifies(jws.signed.as_bytes(), signature) {
            return Err(AuthError::new(Kind::BadSignature));
        }
        jws.claims().map(|claims| Ok((claims, keys.generation())))
    }

    /// Tokens of version 1 and 2 name no key, so each is tried.
    fn legacy(&self, keys: Option<&KeySet>, jws: &Jws<'_>, now: i64) -> Attempt<(Session, Generation)> {
        let mut buffer = SignatureBuffer::new();
        let signature = jws.signature(&mut buffer)?;
        let missing = |error| Ok(Err(KeyMissing { kid: None, error }));
        let Some(keys) = keys else { return missing(AuthError::new(Kind::KeysUnavailable)) };
        let signed_by = |key: &VerificationKey| key.verifies(jws.signed.as_bytes(), signature);
        let mut candidates = keys.newest_first().filter(|key| key.algorithm() == Algorithm::RS256).take(MAX_KEYS_TRIED);
        if !candidates.any(signed_by) {
            return missing(AuthError::new(Kind::BadSignature));
        }
        let session = supertokens::legacy_session(&jws.claims()?, now)?;
        // They have none: what the session claims is the application's.
        self.rules.check_issuer_and_audience(&Payload::default())?;
        Ok(Ok((session, keys.generation())))
    }
}

/// Tells whether a text can name a tenant or a session: it says something, and forges no line of a log.
fn is_name(text: &str) -> bool {
    let printable = text.bytes().fold(true, |printable, byte| printable & byte.is_ascii_graphic());
    !text.is_empty() && (printable || !text.chars().any(char::is_control))
}

impl Rules {
    fn leeway(&self) -> i64 {
        match self.profile {
            Profile::SuperTokens { .. } => 0,
            Profile::Plain { leeway, .. } => leeway,
        }
    }

    /// Exactly the configured issuer, and exactly one of the configured audiences (RFC 7519 sections 4.1.1 and 4.1.3).
    fn check_issuer_and_audience(&self, claims: &Payload) -> Result<(), AuthError> {
        let text = |name| claims.text(name).ok().flatten();
        if self.issuer.is_some() && text("iss").as_deref() != self.issuer.as_deref() {
            return Err(AuthError::new(Kind::WrongIssuer));
        }
        let ours = |audience: &str| self.audiences.iter().any(|ours| **ours == *audience);
        // An array of strings only: a member of another type makes the claim malformed.
        let for_us = self.audiences.is_empty()
            || text("aud").is_some_and(|audience| ours(&audience))
            || claims
                .get::<Vec<String>>("aud")
                .is_ok_and(|audiences| audiences.unwrap_or_default().iter().any(|audience| ours(audience)));
        if for_us { Ok(()) } else { Err(AuthError::new(Kind::WrongAudience)) }
    }
}
