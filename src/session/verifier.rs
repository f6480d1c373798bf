use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::SystemTime;

use super::internal::Internal;
use super::{AuthError, Session};

/// Tells whether a token is a session, and whose.
///
/// [`JwtVerifier`](super::JwtVerifier) is the one that comes with the crate. Where the answer needs no I/O, a verifier
/// gives [`Verdict::Ready`], so that a request with a known key never waits and nothing is boxed. Where sessions are
/// looked up, as ids in a database are, it gives [`Verdict::Pending`]; `examples/database_sessions.rs` is such an
/// application.
///
/// ```
/// use std::time::Duration;
/// use tower_user_metadata::session::{AuthError, AuthErrorKind, Session, SessionVerifier, Verdict, VerifyInput};
/// use tower_user_metadata::UserId;
///
/// /// Takes one fixed token: for a demonstration on a machine of one's own.
/// #[derive(Debug)]
/// struct OneToken;
///
/// impl SessionVerifier for OneToken {
///     fn verify(&self, input: VerifyInput<'_>) -> Verdict {
///         Verdict::Ready(if input.token == "open-sesame" {
///             let user = UserId::new("ali").map_err(|_| AuthError::new(AuthErrorKind::MalformedClaims));
///             user.map(|user| Some(Session::assertion(user, input.now + Duration::from_secs(60)).build()))
///         } else {
///             Err(AuthError::new(AuthErrorKind::BadSignature))
///         })
///     }
/// }
///
/// let input = VerifyInput::new("open-sesame", std::time::SystemTime::now());
/// let Verdict::Ready(Ok(Some(session))) = OneToken.verify(input) else { panic!("refused") };
/// assert_eq!(session.user_id().as_str(), "ali");
/// ```
pub trait SessionVerifier: Debug + Send + Sync + 'static {
    /// Verifies a token. Fails closed: whatever is not surely a session of now is an error, or `Ok(None)` where it is
    /// surely nobody's.
    fn verify(&self, input: VerifyInput<'_>) -> Verdict;

    /// The longest token that can be good, in bytes: what is longer is refused unread. Default any.
    fn max_token_bytes(&self) -> usize {
        usize::MAX
    }

    /// The session of a token that [`verify`](Self::verify) found good before, if it would find so now. It is asked first,
    /// with the bytes as they came, so that the request of a known session is not even looked at for what a token may
    /// hold.
    #[doc(hidden)]
    fn known(&self, token: &[u8], now: SystemTime, _: Internal) -> Option<Session> {
        let _ = (token, now);
        None
    }
}

/// The question to a verifier: a token and the current time. `Debug` does not print the token.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct VerifyInput<'a> {
    /// The token as the client sent it.
    pub token: &'a str,
    /// The time that counts as now.
    pub now: SystemTime,
}

impl<'a> VerifyInput<'a> {
    /// Asks about a token at a time.
    #[must_use]
    pub fn new(token: &'a str, now: SystemTime) -> Self {
        Self { token, now }
    }
}

impl Debug for VerifyInput<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VerifyInput").field("now", &self.now).finish_non_exhaustive()
    }
}

/// The answer of a verifier: `Ok(Some(session))`, an error, or `Ok(None)`.
///
/// `Ok(None)` is for sessions that begin before anybody signs in, as those of a web shop or of `tower-sessions` do: the
/// session is in order, and it is nobody's. The request then is that of a visitor without credentials. It passes where
/// sessions are [optional](crate::UserMetadataLayer::with_optional_sessions), also without a proof against forged
/// requests, since there is nobody in whose name it could be forged. Where they are not it is refused as
/// [`MissingCredentials`](super::AuthErrorKind::MissingCredentials).
#[must_use]
pub enum Verdict {
    /// Known at once.
    Ready(Result<Option<Session>, AuthError>),
    /// Known after I/O, for example when the key of the token has to be fetched first, or when the session is kept in a
    /// database.
    ///
    /// ```
    /// use std::collections::HashMap;
    /// use std::sync::Arc;
    /// use std::time::{Duration, SystemTime};
    /// use tokio::sync::Mutex;
    /// use tower_user_metadata::session::{AuthError, AuthErrorKind, Session, SessionVerifier, Verdict, VerifyInput};
    /// use tower_user_metadata::UserId;
    ///
    /// /// Ids of sessions, and who is signed in.
    /// #[derive(Clone, Debug)]
    /// struct Sessions(Arc<Mutex<HashMap<String, Option<UserId>>>>);
    ///
    /// impl SessionVerifier for Sessions {
    ///     fn verify(&self, input: VerifyInput<'_>) -> Verdict {
    ///         let (sessions, id, expires) = (self.clone(), input.token.to_owned(), input.now + Duration::from_secs(60));
    ///         Verdict::Pending(Box::pin(async move {
    ///             match sessions.0.lock().await.get(&id) {
    ///                 Some(Some(user)) => Ok(Some(Session::assertion(user.clone(), expires).build())),
    ///                 Some(None) => Ok(None),
    ///                 None => Err(AuthError::new(AuthErrorKind::UnknownSession)),
    ///             }
    ///         }))
    ///     }
    /// }
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// # let sessions = HashMap::from([("a".to_owned(), Some(UserId::new("alice")?)), ("b".to_owned(), None)]);
    /// # let sessions = Sessions(Arc::new(Mutex::new(sessions)));
    /// # let ask = async |id| match sessions.verify(VerifyInput::new(id, SystemTime::now())) {
    /// #     Verdict::Pending(verdict) => verdict.await.map(|session| session.map(|session| session.user_id().clone())),
    /// #     Verdict::Ready(_) => panic!("it is looked up"),
    /// # };
    ///
    /// assert_eq!(ask("a").await?, Some(UserId::new("alice")?));
    /// assert_eq!(ask("b").await?, None);
    /// assert_eq!(ask("c").await.unwrap_err().kind(), AuthErrorKind::UnknownSession);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    Pending(Pin<Box<dyn Future<Output = Result<Option<Session>, AuthError>> + Send>>),
}

impl Debug for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Ready(result) => f.debug_tuple("Ready").field(result).finish(),
            Self::Pending(_) => f.write_str("Pending(..)"),
        }
    }
}

impl<V: SessionVerifier + ?Sized> SessionVerifier for Arc<V> {
    fn verify(&self, input: VerifyInput<'_>) -> Verdict {
        (**self).verify(input)
    }

    fn max_token_bytes(&self) -> usize {
        (**self).max_token_bytes()
    }

    fn known(&self, token: &[u8], now: SystemTime, internal: Internal) -> Option<Session> {
        (**self).known(token, now, internal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_printed_without_its_token() {
        let text = format!("{:?}", VerifyInput::new("eyJ.secret", SystemTime::UNIX_EPOCH));
        assert!(text.starts_with("VerifyInput") && !text.contains("secret"), "{text}");
    }
}
