use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use http::header::{CACHE_CONTROL, HeaderMap, HeaderValue, RETRY_AFTER, VARY, WWW_AUTHENTICATE};
use serde_json::value::RawValue;

/// A request without a usable session: for the client, which sees only the fixed text of the [`kind`](Self::kind).
///
/// ```
/// use tower_user_metadata::session::{AuthError, AuthErrorKind};
///
/// let error = AuthError::new(AuthErrorKind::Expired);
/// assert_eq!(error.kind().status(), 401);
/// assert_eq!(error.kind().message(), "try refresh token");
/// ```
#[derive(Clone)]
pub struct AuthError {
    kind: AuthErrorKind,
    reason: &'static str,
    claims: Vec<InvalidClaim>,
    retry_after: Option<Duration>,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

/// Why there is no usable session; stable, and all that a client or a metric gets to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AuthErrorKind {
    /// No token where one is looked for; or, from a verifier of somebody else's, one of a session in which nobody is signed
    /// in.
    MissingCredentials,
    /// Something is there, but it is not exactly one token: a malformed `Authorization` header, an oversized
    /// `Cookie` header.
    MalformedCredentials,
    /// The session cookie is there more than once (cookie tossing), so which session is meant cannot be told.
    AmbiguousCredentials,
    /// Not a token of the form that this verifier takes.
    MalformedToken,
    /// The signature is right, but what it signs are not the claims of a session: not a JSON object, a claim missing
    /// or of the wrong type, a user id that cannot be one.
    MalformedClaims,
    /// The token names a key that is not among ours, or one that cannot be told from another.
    UnknownKey,
    /// The signature is wrong under the key that the token names.
    BadSignature,
    /// The id of no session: it never was one, or the session has ended. For sessions that are kept in a database; a
    /// verifier which would rather have such a client pass where sessions are optional answers `Ok(None)`.
    UnknownSession,
    /// Past its expiry time.
    Expired,
    /// Before its time: `nbf`, or `iat` in the future.
    NotYetValid,
    /// From another issuer.
    WrongIssuer,
    /// For another audience.
    WrongAudience,
    /// Signed by us for another purpose: an id, refresh or logout token, an OAuth2 token of SuperTokens. The
    /// [`reason`](AuthError::reason) says which; [these marks](crate::session#what-a-token-is-for) count.
    WrongPurpose,
    /// A cookie session without the proof against cross-site request forgery that the policy demands.
    AntiCsrf,
    /// A good session whose claims do not satisfy a validator.
    InvalidClaims,
    /// No usable keys: the key server was never reached, or is out of reach for too long.
    KeysUnavailable,
    /// The sessions cannot be looked up: the database that keeps them is out of reach. Add what it said by
    /// [`with_source`](AuthError::with_source).
    SessionsUnavailable,
}

/// The refusal of one claim validator, in the form in which the client gets it. `Debug` prints the id alone, since reasons
/// hold values from the session.
#[derive(Clone)]
pub struct InvalidClaim {
    /// The validator's id.
    pub id: String,
    /// The reason of the validator, as JSON text; absent when it gives none.
    pub reason: Option<Box<RawValue>>,
}

impl AuthError {
    /// A refusal of this kind.
    #[must_use]
    pub fn new(kind: AuthErrorKind) -> Self {
        Self { kind, reason: "", claims: Vec::new(), retry_after: None, source: None }
    }

    pub(crate) fn because(kind: AuthErrorKind, reason: &'static str) -> Self {
        Self { reason, ..Self::new(kind) }
    }

    pub(crate) fn invalid_claims(claims: Vec<InvalidClaim>) -> Self {
        Self { claims, ..Self::because(AuthErrorKind::InvalidClaims, "a claim validator refused the session") }
    }

    /// Adds which rule was broken, in a few fixed words for logs. They are fixed so that no piece of a token gets there.
    ///
    /// ```
    /// use tower_user_metadata::session::{AuthError, AuthErrorKind};
    ///
    /// let error = AuthError::new(AuthErrorKind::BadSignature).with_reason("the session was ended");
    /// assert_eq!(error.to_string(), "BadSignature: the session was ended");
    /// ```
    #[must_use]
    pub fn with_reason(mut self, reason: &'static str) -> Self {
        self.reason = reason;
        self
    }

    /// Adds when a client may try again, for [`AuthErrorKind::KeysUnavailable`] and
    /// [`AuthErrorKind::SessionsUnavailable`].
    #[must_use]
    pub fn with_retry_after(mut self, delay: Duration) -> Self {
        self.retry_after = Some(delay);
        self
    }

    /// Adds what caused it, for the operator: the whole chain goes into the log, once, and nothing of it to the client. It
    /// must hold no token and no user id.
    ///
    /// ```
    /// use std::io::{Error, ErrorKind};
    /// use std::time::Duration;
    /// use tower_user_metadata::session::{AuthError, AuthErrorKind};
    ///
    /// let refused = Error::new(ErrorKind::ConnectionRefused, "sessions.example.com:5432 refused the connection");
    /// let error = AuthError::new(AuthErrorKind::SessionsUnavailable).with_source(refused);
    /// let error = error.with_retry_after(Duration::from_secs(1));
    /// assert_eq!(error.kind().status(), 503);
    /// let source = std::error::Error::source(&error).map(ToString::to_string);
    /// assert_eq!(source.as_deref(), Some("sessions.example.com:5432 refused the connection"));
    /// ```
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(Arc::from(source.into()));
        self
    }

    /// Why there is no usable session.
    #[must_use]
    pub fn kind(&self) -> AuthErrorKind {
        self.kind
    }

    /// The rule that was broken, in a few fixed words for logs; [each is explained](crate::session#why-401). Empty where a
    /// verifier of somebody else gave none.
    ///
    /// Never a piece of the request. Not stable, and not for clients.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        self.reason
    }

    /// The claims that were refused, for [`AuthErrorKind::InvalidClaims`].
    #[must_use]
    pub fn claims(&self) -> &[InvalidClaim] {
        &self.claims
    }

    /// When a client may try again.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// What caused it, to the first cause, if that is known.
    pub(crate) fn cause(&self) -> Option<String> {
        let mut causes = std::iter::successors(self.source(), |&error: &&(dyn Error + 'static)| error.source());
        let first = causes.next()?.to_string();
        Some(causes.fold(first, |text, cause| format!("{text}: {cause}")))
    }

    /// The headers of a refusal, for whoever renders its body: `WWW-Authenticate` (RFC 6750 section 3) save for a 503,
    /// `Retry-After` in seconds where it is known, and `Cache-Control: no-store` with `Vary: Authorization, Cookie`, so that no
    /// cache gives one client's answer to another.
    ///
    /// ```
    /// use tower_user_metadata::session::{AuthError, AuthErrorKind};
    ///
    /// let headers = AuthError::new(AuthErrorKind::MissingCredentials).headers();
    /// assert_eq!(headers["www-authenticate"], "Bearer");
    /// assert_eq!(headers["cache-control"], "no-store");
    /// assert_eq!(headers["vary"], "Authorization, Cookie");
    /// ```
    #[must_use]
    pub fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(4);
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(VARY, HeaderValue::from_static("Authorization, Cookie"));
        if let Some(challenge) = self.kind.challenge() {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        if let Some(delay) = self.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(delay.as_secs().max(1)));
        }
        headers
    }
}

impl AuthErrorKind {
    /// The status of the response: the one table from kinds to answers, with [`message`](Self::message) and
    /// [`challenge`](Self::challenge).
    ///
    /// Keys or sessions out of reach are 503, so that an outage never looks like a logged-out user.
    #[must_use]
    pub fn status(self) -> StatusCode {
        match self {
            Self::InvalidClaims => StatusCode::FORBIDDEN,
            Self::KeysUnavailable | Self::SessionsUnavailable => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::UNAUTHORIZED,
        }
    }

    /// The `message` of the response's body, in the words of SuperTokens: `unauthorised` where there is no token of
    /// its own, `try refresh token` where a newer one may do. Its browser client refreshes upon any 401.
    #[must_use]
    pub fn message(self) -> &'static str {
        match self {
            Self::MissingCredentials
            | Self::MalformedCredentials
            | Self::MalformedToken
            | Self::MalformedClaims
            | Self::WrongIssuer
            | Self::WrongAudience
            | Self::WrongPurpose
            | Self::UnknownSession => "unauthorised",
            Self::AmbiguousCredentials
            | Self::UnknownKey
            | Self::BadSignature
            | Self::Expired
            | Self::NotYetValid
            | Self::AntiCsrf => "try refresh token",
            Self::InvalidClaims => "invalid claim",
            Self::KeysUnavailable | Self::SessionsUnavailable => "session verification unavailable",
        }
    }

    /// The value of `WWW-Authenticate` (RFC 6750 section 3): without an error code when there were no credentials;
    /// none for a 503.
    #[must_use]
    pub fn challenge(self) -> Option<&'static str> {
        match self {
            Self::MissingCredentials => Some("Bearer"),
            Self::MalformedCredentials | Self::AmbiguousCredentials | Self::AntiCsrf => {
                Some(r#"Bearer error="invalid_request""#)
            }
            Self::InvalidClaims => Some(r#"Bearer error="insufficient_scope""#),
            Self::KeysUnavailable | Self::SessionsUnavailable => None,
            _ => Some(r#"Bearer error="invalid_token""#),
        }
    }
}

impl fmt::Debug for InvalidClaim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InvalidClaim").field("id", &self.id).finish_non_exhaustive()
    }
}

impl fmt::Display for AuthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.kind)?;
        if self.reason.is_empty() { Ok(()) } else { write!(f, ": {}", self.reason) }
    }
}

impl fmt::Debug for AuthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The reasons of claims hold values from the session.
        f.debug_struct("AuthError")
            .field("kind", &self.kind)
            .field("reason", &self.reason)
            .field("claims", &self.claims.len())
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}

impl Error for AuthError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
