use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::handle::UserMetadataHandle;
use crate::session::{AuthError, AuthErrorKind, Session};

/// A request with a good session.
#[derive(Clone, Debug)]
pub struct Authenticated {
    /// The session.
    pub session: Session,
    /// The metadata of the session's user.
    pub metadata: UserMetadataHandle,
}

impl Authenticated {
    /// What was found, for a handler that needs a session.
    ///
    /// ```
    /// use tower_user_metadata::{AuthErrorKind, Authenticated};
    ///
    /// let passed_without = None;
    /// let refused = Authenticated::required(passed_without).unwrap_err();
    /// assert_eq!(refused.kind(), AuthErrorKind::MissingCredentials);
    /// ```
    ///
    /// # Errors
    ///
    /// The request passed without one.
    pub fn required(found: Option<Self>) -> Result<Self, AuthError> {
        found.ok_or_else(no_session)
    }
}

impl From<Authenticated> for Session {
    fn from(authenticated: Authenticated) -> Self {
        authenticated.session
    }
}

impl From<Authenticated> for UserMetadataHandle {
    fn from(authenticated: Authenticated) -> Self {
        authenticated.metadata
    }
}

/// The outcome of [`Authenticator::authenticate`](crate::Authenticator::authenticate), a future that in most cases is ready at once.
///
/// `Ok(None)` is a request that passes without a session: one without credentials, or with those of a session in which
/// nobody is signed in, where sessions are optional; or a CORS preflight.
#[must_use = "futures do nothing unless polled"]
pub struct Authentication(State);

type Outcome = Result<Option<Authenticated>, AuthError>;

enum State {
    Ready(Option<Outcome>),
    Pending(Pin<Box<dyn Future<Output = Outcome> + Send>>),
}

impl Authentication {
    pub(super) fn ready(outcome: Outcome) -> Self {
        if let Err(error) = &outcome {
            log(error);
        }
        Self(State::Ready(Some(outcome)))
    }

    pub(super) fn pending(outcome: impl Future<Output = Outcome> + Send + 'static) -> Self {
        Self(State::Pending(Box::pin(outcome)))
    }

    /// The outcome if it is there without waiting, else the future itself.
    pub(crate) fn now_or_never(self) -> Result<Outcome, Self> {
        match self.0 {
            State::Ready(Some(outcome)) => Ok(outcome),
            state => Err(Self(state)),
        }
    }
}

impl Future for Authentication {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let outcome = match &mut self.0 {
            // Polled again after it was ready, which a future need not answer: it stays pending.
            State::Ready(outcome) => return outcome.take().map_or(Poll::Pending, Poll::Ready),
            State::Pending(future) => std::task::ready!(future.as_mut().poll(context)),
        };
        self.0 = State::Ready(None);
        if let Err(error) = &outcome {
            log(error);
        }
        Poll::Ready(outcome)
    }
}

impl fmt::Debug for Authentication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authentication(..)")
    }
}

/// The refusal of a request that passed without a session, and came to something that needs one.
pub(crate) fn no_session() -> AuthError {
    let reason = "the request was let through without a session, and this needs one";
    let error = AuthError::new(AuthErrorKind::MissingCredentials).with_reason(reason);
    log(&error);
    error
}

/// Tells the operator of a refusal, once.
pub(crate) fn log(error: &AuthError) {
    let (kind, reason, cause) = (error.kind(), error.reason(), error.cause());
    if matches!(kind, AuthErrorKind::KeysUnavailable | AuthErrorKind::SessionsUnavailable) {
        tracing::warn!(?kind, reason, error = cause, "session not verified");
    } else {
        tracing::debug!(?kind, reason, error = cause, claims = claims(error), "session refused");
    }
}

/// The ids of the validators that refused, which are the application's, and nothing that the session says.
fn claims(error: &AuthError) -> Option<String> {
    let ids: Vec<_> = error.claims().iter().map(|claim| &*claim.id).collect();
    (!ids.is_empty()).then(|| ids.join(", "))
}
