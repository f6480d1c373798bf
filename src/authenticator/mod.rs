mod outcome;
mod preflight;
mod render;

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

pub use self::outcome::{Authenticated, Authentication};

pub(crate) use self::outcome::{log, no_session};
pub(crate) use self::preflight::is_preflight;
use crate::handle::UserMetadataHandle;
use crate::metadata::Limits;
use crate::problem::Hook;
use crate::session::claims::{self, ClaimInput, ClaimValidator};
use crate::session::{
    AntiCsrf, AuthError, AuthErrorKind, Clock, CsrfProof, Headers, Internal, Session, SessionVerifier, SystemClock,
    TokenSources, Verdict, VerifyInput,
};
use crate::store::{HeldStore, MetadataStore, Shares};

/// Headers in, a session and its user's metadata handle out: the one place where sessions and stores meet.
///
/// [`UserMetadataLayer`](crate::UserMetadataLayer) is this behind Tower's traits. Use it directly to write a
/// middleware for a framework that has traits of its own. Clones are cheap and share everything.
///
/// ```
/// use tower_user_metadata::store::MemoryStore;
/// use tower_user_metadata::session::keys::{Algorithm, VerificationKey};
/// use tower_user_metadata::session::JwtVerifier;
/// use tower_user_metadata::{AuthErrorKind, Authenticator};
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
    single_load: bool,
    preflights_refused: bool,
    hook: Option<Hook>,
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
            single_load: false,
            preflights_refused: false,
            hook: None,
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

    /// Lets requests without credentials through, without a session, and those with a session in which
    /// [nobody is signed in](crate::session::Verdict). Bad credentials are still refused.
    #[must_use]
    pub fn with_optional_sessions(self) -> Self {
        self.with(|inner| inner.optional = true)
    }

    /// Gives each request a handle that loads the document once, for all who take it from the request; see
    /// [`UserMetadataHandle::with_single_load`]. Default no, since most requests ask once and it costs an allocation.
    #[must_use]
    pub fn with_single_load(self) -> Self {
        self.with(|inner| inner.single_load = true)
    }

    /// Refuses CORS preflights as any other request without credentials. Default no: browsers send them without
    /// credentials before a request of another origin, so that a layer which refuses them breaks every page of one.
    #[must_use]
    pub fn with_preflights_refused(self) -> Self {
        self.with(|inner| inner.preflights_refused = true)
    }

    /// How much one user may keep.
    #[must_use]
    pub fn limits(&self) -> Limits {
        self.0.stores.share().capabilities().limits()
    }

    /// Whether this request passes without a session because it is a CORS preflight: an `OPTIONS` with `Origin` and
    /// `Access-Control-Request-Method`; `method` as it stands in the request line.
    ///
    /// [`authenticate`](Self::authenticate) asks this itself. An adapter asks it where it has to tell a preflight from a
    /// stranger, as endpoints do.
    ///
    /// ```
    /// # use tower_user_metadata::session::{Session, SessionVerifier, Verdict, VerifyInput};
    /// # use tower_user_metadata::{Authenticator, AuthError, AuthErrorKind, store::MemoryStore};
    /// # #[derive(Debug)]
    /// # struct Strict;
    /// # impl SessionVerifier for Strict {
    /// #     fn verify(&self, _: VerifyInput<'_>) -> Verdict {
    /// #         Verdict::Ready(Err(AuthError::new(AuthErrorKind::BadSignature)))
    /// #     }
    /// # }
    /// # let authenticator = Authenticator::new(Strict, MemoryStore::new());
    /// let preflight = http::Request::options("/")
    ///     .header("origin", "https://app.example.com")
    ///     .header("access-control-request-method", "PATCH")
    ///     .body(())?;
    /// assert!(authenticator.passes_preflight("OPTIONS", preflight.headers()));
    /// assert!(!authenticator.passes_preflight("GET", preflight.headers()));
    /// let authenticator = authenticator.with_preflights_refused();
    /// assert!(!authenticator.passes_preflight("OPTIONS", preflight.headers()));
    /// # Ok::<(), http::Error>(())
    /// ```
    pub fn passes_preflight(&self, method: &str, headers: &dyn Headers) -> bool {
        !self.0.preflights_refused && is_preflight(method, headers)
    }

    /// Authenticates a request; `method` as it stands in the request line.
    ///
    /// The outcome is `Ok(None)` for a request without credentials, or with those of a session in which nobody is signed
    /// in, where sessions are optional; and for a CORS preflight, whose credentials are not looked at.
    pub fn authenticate(&self, method: &str, headers: &dyn Headers) -> Authentication {
        if self.passes_preflight(method, headers) {
            return Authentication::ready(Ok(None));
        }
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
        if let Some(session) = self.0.verifier.known(found.value, now, Internal::HERE) {
            return Authentication::ready(self.admit(session, &proof, now));
        }
        let token = match found.token(self.0.verifier.max_token_bytes()) {
            Ok(token) => token,
            Err(error) => return Authentication::ready(Err(error)),
        };
        match self.0.verifier.verify(VerifyInput::new(token.as_str(), now)) {
            Verdict::Ready(found) => Authentication::ready(found.and_then(|found| self.judge(found, &proof, now))),
            Verdict::Pending(found) => {
                let authenticator = self.clone();
                Authentication::pending(async move {
                    let found = found.await?;
                    // The wait may have been long enough for the session to end.
                    let now = authenticator.0.clock.now();
                    authenticator.judge(found, &proof, now)
                })
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

    /// A session in which nobody is signed in is as none: nothing can be forged in anybody's name, and it has no claims.
    fn judge(
        &self,
        found: Option<Session>,
        proof: &CsrfProof,
        now: SystemTime,
    ) -> Result<Option<Authenticated>, AuthError> {
        match found {
            Some(session) => self.admit(session, proof, now),
            None if self.0.optional => Ok(None),
            None => Err(AuthError::because(AuthErrorKind::MissingCredentials, "nobody is signed in")),
        }
    }

    fn admit(&self, session: Session, proof: &CsrfProof, now: SystemTime) -> Result<Option<Authenticated>, AuthError> {
        proof.check(&session)?;
        let validators = self.0.validators.iter().map(|validator| &**validator);
        claims::check(validators, &ClaimInput::new(&session, now))?;
        let metadata = UserMetadataHandle::new(session.owner(), HeldStore::Shared(Arc::clone(self.0.stores.share())));
        let metadata = if self.0.single_load { metadata.with_single_load() } else { metadata };
        Ok(Some(Authenticated { session, metadata }))
    }

    fn with(mut self, change: impl FnOnce(&mut Inner)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }
}

impl fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { verifier, stores, sources, validators, clock, optional, single_load, preflights_refused, hook } =
            &*self.0;
        f.debug_struct("Authenticator")
            .field("verifier", verifier)
            .field("store", stores.share())
            .field("sources", sources)
            .field("validators", validators)
            .field("clock", clock)
            .field("optional", optional)
            .field("single_load", single_load)
            .field("preflights_refused", preflights_refused)
            .field("hook", hook)
            .finish()
    }
}
