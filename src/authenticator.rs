use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::SystemTime;

use crate::handle::UserMetadataHandle;
use crate::metadata::Limits;
use crate::session::claims::{self, ClaimInput, ClaimValidator};
use crate::session::{
    AntiCsrf, AuthError, AuthErrorKind, Clock, CsrfProof, Headers, Session, SessionVerifier, SystemClock, TokenSources,
    Verdict, VerifyInput,
};
use crate::store::{MetadataStore, Shares};

/// Headers in, a session and its user's metadata handle out: the one place where sessions and stores meet.
///
/// [`UserMetadataLayer`](crate::UserMetadataLayer) is this behind Tower's traits. Use it directly to write a
/// middleware for a framework that has traits of its own. Clones are cheap and share everything.
///
/// ```
/// use tower_user_metadata::store::MemoryStore;
/// use tower_user_metadata::session::keys::{Algorithm, VerificationKey};
/// use tower_user_metadata::{AuthErrorKind, Authenticator, JwtVerifier};
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let key = VerificationKey::from_secret(Algorithm::HS256, b"nT7#kq2!vX9@mZ4$wR8%yB6^cD3&fG5*")?;
/// let authenticator = Authenticator::new(JwtVerifier::builder(key).with_issuer("https://auth.example.com").build()?, MemoryStore::new());
///
/// let request = http::Request::get("/").body(())?;
/// let refused = authenticator.authenticate(request.method().as_str(), request.headers()).await;
/// assert_eq!(refused.unwrap_err().kind(), AuthErrorKind::MissingCredentials);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Authenticator(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    verifier: Arc<dyn SessionVerifier>,
    stores: Shares,
    sources: TokenSources,
    validators: Vec<Arc<dyn ClaimValidator>>,
    clock: Arc<dyn Clock>,
    optional: bool,
    loading_once: bool,
}

/// A request with a good session.
#[derive(Clone, Debug)]
pub struct Authenticated {
    /// The session.
    pub session: Session,
    /// The metadata of the session's user.
    pub metadata: UserMetadataHandle,
}

impl Authenticated {
    /// Refuses a stranger whom an authenticator with optional sessions let through, where a session is needed.
    #[cfg(any(feature = "actix", feature = "rocket", feature = "warp"))]
    pub(crate) fn required(found: Option<Self>) -> Result<Self, AuthError> {
        found.ok_or_else(|| AuthError::new(AuthErrorKind::MissingCredentials))
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

impl Authenticator {
    /// Takes tokens from `Authorization: Bearer` or else from the cookie `sAccessToken`, the latter with
    /// [`AntiCsrf::ViaCustomHeader`]; no claim validators; strangers are refused.
    pub fn new(verifier: impl SessionVerifier, store: impl MetadataStore) -> Self {
        Self(Arc::new(Inner {
            verifier: Arc::new(verifier),
            stores: Shares::new(store),
            sources: TokenSources::supertokens(AntiCsrf::ViaCustomHeader),
            validators: Vec::new(),
            clock: Arc::new(SystemClock),
            optional: false,
            loading_once: false,
        }))
    }

    /// Sets where tokens may be.
    #[must_use]
    pub fn with_token_sources(self, sources: TokenSources) -> Self {
        self.with(|inner| inner.sources = sources)
    }

    /// Adds a demand on the session's claims; all of them must be satisfied.
    #[must_use]
    pub fn with_claim_validator(self, validator: impl ClaimValidator) -> Self {
        self.with(|inner| inner.validators.push(Arc::new(validator)))
    }

    /// Sets what counts as now. Default the clock of the operating system.
    #[must_use]
    pub fn with_clock(self, clock: impl Clock) -> Self {
        self.with(|inner| inner.clock = Arc::new(clock))
    }

    /// Lets requests without credentials through, without a session. Bad credentials are still refused.
    #[must_use]
    pub fn optional(self) -> Self {
        self.with(|inner| inner.optional = true)
    }

    /// Gives each request a handle that loads the document once, for all who take it from the request; see
    /// [`UserMetadataHandle::with_single_load`]. Default no, since most requests ask once and it costs an allocation.
    #[must_use]
    pub fn loading_once(self) -> Self {
        self.with(|inner| inner.loading_once = true)
    }

    /// How much one user may keep.
    #[must_use]
    pub fn limits(&self) -> Limits {
        self.0.stores.share().capabilities().limits()
    }

    /// Authenticates a request; `method` as it stands in the request line.
    pub fn authenticate(&self, method: &str, headers: &dyn Headers) -> Authentication {
        let now = self.0.clock.now();
        let found = match self.0.sources.find(headers) {
            Ok(found) => found,
            Err(error) if self.0.optional && error.kind() == AuthErrorKind::MissingCredentials => {
                return Authentication::ready(Ok(None));
            }
            Err(error) => return Authentication::ready(Err(error)),
        };
        // The proof is taken from the headers now, since the verifier may have to wait and they are only lent.
        let proof = found.anti_csrf.map_or(CsrfProof::NotNeeded, |policy| policy.proof(method, headers));
        if let Some(session) = self.0.verifier.recognise(found.value, now) {
            return Authentication::ready(self.admit(session, &proof, now));
        }
        let token = match found.token(self.0.verifier.max_token_bytes()) {
            Ok(token) => token,
            Err(error) => return Authentication::ready(Err(error)),
        };
        match self.0.verifier.verify(VerifyInput::new(token.as_str(), now)) {
            Verdict::Ready(session) => {
                Authentication::ready(session.and_then(|session| self.admit(session, &proof, now)))
            }
            Verdict::Pending(session) => {
                let authenticator = self.clone();
                Authentication(State::Pending(Box::pin(async move {
                    let session = session.await?;
                    // The wait may have been long enough for the session to end.
                    let now = authenticator.0.clock.now();
                    authenticator.admit(session, &proof, now)
                })))
            }
        }
    }

    /// Demands more of a session in the midst of a handler, for a framework or a route that has no place for a
    /// [claim validator](Self::with_claim_validator).
    ///
    /// # Errors
    ///
    /// The session does not satisfy the validator.
    pub fn check(&self, session: &Session, validator: &dyn ClaimValidator) -> Result<(), AuthError> {
        claims::check([validator], &ClaimInput::new(session, self.0.clock.now())).inspect_err(log)
    }

    fn admit(&self, session: Session, proof: &CsrfProof, now: SystemTime) -> Result<Option<Authenticated>, AuthError> {
        proof.check(&session)?;
        let validators = self.0.validators.iter().map(|validator| &**validator);
        claims::check(validators, &ClaimInput::new(&session, now))?;
        let metadata = UserMetadataHandle::new(session.owner(), Arc::clone(self.0.stores.share()));
        let metadata = if self.0.loading_once { metadata.with_single_load() } else { metadata };
        Ok(Some(Authenticated { session, metadata }))
    }

    fn with(mut self, change: impl FnOnce(&mut Inner)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }
}

impl fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { verifier, stores, sources, validators, clock, optional, loading_once } = &*self.0;
        f.debug_struct("Authenticator")
            .field("verifier", verifier)
            .field("store", stores.share())
            .field("sources", sources)
            .field("validators", validators)
            .field("clock", clock)
            .field("optional", optional)
            .field("loading_once", loading_once)
            .finish()
    }
}

/// The outcome of [`Authenticator::authenticate`], a future that in most cases is ready at once.
///
/// `Ok(None)` is a request without credentials where sessions are optional.
#[must_use = "futures do nothing unless polled"]
pub struct Authentication(State);

type Outcome = Result<Option<Authenticated>, AuthError>;

enum State {
    Ready(Option<Outcome>),
    Pending(Pin<Box<dyn Future<Output = Outcome> + Send>>),
}

impl Authentication {
    fn ready(outcome: Outcome) -> Self {
        if let Err(error) = &outcome {
            log(error);
        }
        Self(State::Ready(Some(outcome)))
    }

    /// The outcome if it is there without waiting, else the future itself.
    pub fn now_or_never(self) -> Result<Result<Option<Authenticated>, AuthError>, Self> {
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

fn log(error: &AuthError) {
    if error.kind() == AuthErrorKind::KeysUnavailable {
        tracing::warn!(kind = ?error.kind(), reason = error.reason(), "session not verified");
    } else {
        tracing::debug!(kind = ?error.kind(), reason = error.reason(), "session refused");
    }
}
