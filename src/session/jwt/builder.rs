use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::demands::Demands;
use super::oidc::ClaimNames;
use super::rules::{CACHE_BYTES, MAX_TOKEN_BYTES, Plain, Profile, Rules};
use super::verifier::JwtVerifier;
use crate::ConfigError;
use crate::session::keys::KeySource;

/// How far ahead of ours the issuer's clock may be by default: what most libraries for JWT allow.
const LEEWAY: Duration = Duration::from_secs(60);

impl JwtVerifier {
    /// A verifier for plain JWT access tokens: those of an OpenID Connect provider, or of one's own.
    pub fn builder(keys: impl Into<Arc<dyn KeySource>>) -> JwtVerifierBuilder {
        JwtVerifierBuilder::new(keys.into())
    }
}

/// A [`JwtVerifier`] for plain JWT access tokens in the making.
///
/// ```
/// use tower_user_metadata::session::keys::{Algorithm, VerificationKey};
/// use tower_user_metadata::session::{JwtVerifier, SessionVerifier};
///
/// let key = VerificationKey::from_secret(Algorithm::HS256, b"nT7#kq2!vX9@mZ4$wR8%yB6^cD3&fG5*")?;
/// let verifier = JwtVerifier::builder(key)
///     .with_issuer("https://id.example.com")
///     .with_audience("web")
///     .with_audience("api")
///     .with_max_token_bytes(8 * 1024)
///     .build()?;
/// assert_eq!(verifier.max_token_bytes(), 8_192);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use]
pub struct JwtVerifierBuilder {
    keys: Arc<dyn KeySource>,
    max_token_bytes: usize,
    issuer: Option<Box<str>>,
    audiences: Vec<Box<str>>,
    any_audience: bool,
    plain: Plain,
    cache_bytes: usize,
}

impl JwtVerifierBuilder {
    fn new(keys: Arc<dyn KeySource>) -> Self {
        Self {
            keys,
            max_token_bytes: MAX_TOKEN_BYTES,
            issuer: None,
            audiences: Vec::new(),
            any_audience: false,
            plain: Plain {
                names: ClaimNames { user: "sub".into(), tenant: None, session: "sid".into(), integers: false },
                token_types: vec!["JWT".into(), "at+jwt".into()],
                id_tokens: false,
                demands: Demands::default(),
                leeway: millis(LEEWAY),
            },
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
        self.plain.names.user = name.into();
        self
    }

    /// Sets the claim that is the tenant. By default sessions have no tenant.
    pub fn with_tenant_claim(mut self, name: impl Into<Box<str>>) -> Self {
        self.plain.names.tenant = Some(name.into());
        self
    }

    /// Sets the claim that is the session handle. Default `sid` (OpenID Connect Front-Channel Logout section 3); a
    /// token without it has no handle.
    pub fn with_session_claim(mut self, name: impl Into<Box<str>>) -> Self {
        self.plain.names.session = name.into();
        self
    }

    /// Takes integers as ids, by their digits: `"sub": 1` is the user `1`. By default ids are strings (RFC 7519 section
    /// 4.1.2), and a token with another is refused.
    ///
    /// It counts for the claims of the user, the tenant and the session. No digit is lost, however long the number is. A
    /// number with a sign, a fraction or an exponent stays refused, since one value could be written in several ways. The
    /// string `"1"` and the integer `1` are one user: right where an issuer changed from one to the other, wrong where
    /// both are ids of different people.
    ///
    /// ```
    /// use tower_user_metadata::session::keys::{Algorithm, VerificationKey};
    /// use tower_user_metadata::session::{JwtVerifier, SessionVerifier, Verdict, VerifyInput};
    ///
    /// # let secret = b"nT7#kq2!vX9@mZ4$wR8%yB6^cD3&fG5*";
    /// # let key = VerificationKey::from_secret(Algorithm::HS256, secret)?;
    /// let verifier =
    ///     JwtVerifier::builder(key).with_audience("api").with_user_claim("user_id").with_integer_ids().build()?;
    /// # let claims = serde_json::json!({ "user_id": 9007199254740993_u64, "aud": "api", "exp": 4_000_000_000_u64 });
    /// # let key = jsonwebtoken::EncodingKey::from_secret(secret)?;
    /// # let token = jsonwebtoken::encode(&jsonwebtoken::Header::default(), &claims, &key)?;
    /// // A token with `"user_id": 9007199254740993`, which no `f64` holds.
    /// let input = VerifyInput::new(&token, std::time::SystemTime::now());
    /// let Verdict::Ready(Ok(Some(session))) = verifier.verify(input) else { panic!("refused") };
    /// assert_eq!(session.user_id().as_str(), "9007199254740993");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn with_integer_ids(mut self) -> Self {
        self.plain.names.integers = true;
        self
    }

    /// Sets by how much `nbf` and `iat` may lie in the future: a time is taken if it is less than this ahead. Default 60
    /// seconds, since clocks differ: many issuers write the time of the sign-in there, and without a leeway everybody who
    /// signs in is refused until our clock has caught up.
    ///
    /// `exp` has no leeway: every second of it would be one more in which an ended session is taken.
    pub fn with_leeway(mut self, leeway: Duration) -> Self {
        self.plain.leeway = millis(leeway);
        self
    }

    /// Sets the values of the header `typ` that are taken; a token without `typ` always is, but for
    /// [`with_required_token_type`](Self::with_required_token_type). Default `JWT` and
    /// `at+jwt` (RFC 9068), so that DPoP proofs, and the id and logout tokens of the issuers that give them a type in
    /// the header, are refused.
    ///
    /// Most issuers write `JWT` there, whatever the token is for. So the claims are looked at as well, whichever types are
    /// set here; [these marks](crate::session#what-a-token-is-for) count.
    pub fn with_token_types<T: Into<Box<str>>>(mut self, types: impl IntoIterator<Item = T>) -> Self {
        self.plain.token_types = types.into_iter().map(Into::into).collect();
        self
    }

    /// Demands that the header `typ` is this; of several calls one must fit. A token without `typ` is refused then, and
    /// [`with_token_types`](Self::with_token_types) no longer counts. Letter case and `application/` before it do not
    /// matter (RFC 7515 section 4.1.9).
    ///
    /// Right for issuers that follow RFC 9068 and write `at+jwt`. `JWT` tells no kind of token from another.
    pub fn with_required_token_type(mut self, token_type: impl Into<Box<str>>) -> Self {
        self.plain.demands.require_type(token_type.into());
        self
    }

    /// Demands that a claim has exactly this value: a string, a boolean, an integer, or a list or an object of them. Each
    /// name that is required must be there; where one name is required several times, one of its values must fit.
    ///
    /// This tells the access tokens of a service from what else its key signs: invitations, password resets, refresh
    /// tokens. By default only [these marks](crate::session#what-a-token-is-for) are known, which larger issuers use; see
    /// [what to ask of a key](crate::session#what-else-does-this-key-sign).
    ///
    /// Strings are compared by their characters. Integers are compared with integers, so that `1.0` and `"1"` are not `1`.
    /// A list must be the same list; a [claim validator](crate::session::claims) finds a value in one.
    ///
    /// ```
    /// use tower_user_metadata::session::keys::{Algorithm, VerificationKey};
    /// use tower_user_metadata::session::{AuthErrorKind, JwtVerifier, SessionVerifier, Verdict, VerifyInput};
    ///
    /// # let secret = b"nT7#kq2!vX9@mZ4$wR8%yB6^cD3&fG5*";
    /// # let key = VerificationKey::from_secret(Algorithm::HS256, secret)?;
    /// let verifier = JwtVerifier::builder(key).without_audience().with_required_claim("scope", "session").build()?;
    /// # let claims = serde_json::json!({ "sub": "ali", "scope": "password-reset", "exp": 4_000_000_000_u64 });
    /// # let key = jsonwebtoken::EncodingKey::from_secret(secret)?;
    /// # let token = jsonwebtoken::encode(&jsonwebtoken::Header::default(), &claims, &key)?;
    /// // A token with `"scope": "password-reset"`, from a mail.
    /// let input = VerifyInput::new(&token, std::time::SystemTime::now());
    /// let Verdict::Ready(refused) = verifier.verify(input) else { panic!("fixed keys need no waiting") };
    /// assert_eq!(refused.unwrap_err().kind(), AuthErrorKind::WrongPurpose);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn with_required_claim(mut self, name: impl Into<Box<str>>, value: impl Into<Value>) -> Self {
        self.plain.demands.require(name.into(), value.into());
        self
    }

    /// Refuses tokens that have this claim, whatever it says; `null` counts as absent. Of several calls each counts.
    ///
    /// Right where only the tokens for other purposes carry a mark, such as `invite_id`. A token of a kind that nobody
    /// thought of passes, so [`with_required_claim`](Self::with_required_claim) is the safer of the two.
    pub fn with_forbidden_claim(mut self, name: impl Into<Box<str>>) -> Self {
        self.plain.demands.forbid(name.into());
        self
    }

    /// Takes id tokens as sessions too: where browsers send those on purpose, as with Firebase and with the sign-in of
    /// Google, and for Dex, whose access tokens have the form of id tokens. By default they are refused.
    ///
    /// Then an audience has to be set, to the client id of the application: an id token says to one client who signed in
    /// there (OpenID Connect Core section 3.1.3.7), and the operator of any other client of the provider could sign in
    /// with it here. Refresh and logout tokens stay refused.
    ///
    /// ```
    /// use tower_user_metadata::session::JwtVerifier;
    /// use tower_user_metadata::session::keys::{Algorithm, VerificationKey};
    ///
    /// # let key = VerificationKey::from_secret(Algorithm::HS256, b"nT7#kq2!vX9@mZ4$wR8%yB6^cD3&fG5*")?;
    /// let google = || JwtVerifier::builder(key.clone()).with_issuer("https://accounts.google.com").with_id_tokens();
    /// assert!(google().build().is_err());
    /// assert!(google().with_audience("1234987819200.apps.googleusercontent.com").build().is_ok());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn with_id_tokens(mut self) -> Self {
        self.plain.id_tokens = true;
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
    /// Where a key is a shared secret, and neither an audience nor a required type or claim nor a forbidden claim tells
    /// the tokens of this service from what else the secret signs, the log has a warning.
    ///
    /// # Errors
    ///
    /// Neither an issuer nor an audience was given, or no audience although [id tokens](Self::with_id_tokens) are taken, and
    /// [`without_audience`](Self::without_audience) was not called; or one of them, or the name of a required or forbidden
    /// claim or type, is empty or has white space around it, with which it would fit no token; or what a claim is required
    /// to be is `null` or has a fraction, or the claim is forbidden as well.
    pub fn build(self) -> Result<JwtVerifier, ConfigError> {
        if self.issuer.is_none() && self.audiences.is_empty() && !self.any_audience {
            return Err(ConfigError::AnyAudience);
        }
        if self.plain.id_tokens && self.audiences.is_empty() && !self.any_audience {
            return Err(ConfigError::IdTokensForAnyone);
        }
        let told_apart = !self.audiences.is_empty() || self.plain.demands.tell_tokens_apart();
        let Self { max_token_bytes, issuer, audiences, .. } = self;
        let rules = Rules { max_token_bytes, issuer, audiences, profile: Profile::Plain(self.plain) };
        rules.check_texts()?;
        if !told_apart && self.keys.snapshot().is_some_and(|keys| keys.has_secret()) {
            tracing::warn!(
                "every token that the shared secret signs is a session here: what else does it sign? Refresh tokens, \
                 invitations and links in mails are told apart by `with_audience`, `with_required_claim` or \
                 `with_required_token_type`"
            );
        }
        Ok(JwtVerifier::new(self.keys, rules, self.cache_bytes))
    }
}

/// In whole milliseconds, the unit in which times are compared.
fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
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
