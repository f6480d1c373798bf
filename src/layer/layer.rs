use bytes::Bytes;
use http::Response;
use tower::Layer;

use super::response::JsonRejection;
use super::service::UserMetadata;
use crate::authenticator::Authenticator;
use crate::problem::Problem;
use crate::session::claims::ClaimValidator;
use crate::session::{Clock, SessionVerifier, TokenSources};
use crate::store::MetadataStore;

/// Verifies the session of each request and hands the handler its user's metadata; see the
/// [module](crate::layer) for an example.
///
/// Put it around the routes that need a session, inside the layers for CORS, tracing and timeouts. It asks the store
/// for nothing: only the handler does.
///
/// A CORS preflight, which browsers send without credentials, passes without a session; a CORS layer outside of this one
/// answers it. The [module](crate::layer#cors) has an example.
#[derive(Clone, Debug)]
pub struct UserMetadataLayer<R = JsonRejection> {
    authenticator: Authenticator,
    rejection: R,
}

impl UserMetadataLayer {
    /// Refuses strangers; takes tokens from `Authorization: Bearer` or else from the cookie `sAccessToken`, the latter
    /// only with a header `rid` on methods that change something.
    pub fn new(verifier: impl SessionVerifier, store: impl MetadataStore) -> Self {
        Self::from_authenticator(Authenticator::new(verifier, store))
    }

    /// A layer around an authenticator that is set up already, for example to share it with other layers.
    #[must_use]
    pub fn from_authenticator(authenticator: Authenticator) -> Self {
        Self { authenticator, rejection: JsonRejection }
    }
}

impl<R> UserMetadataLayer<R> {
    /// Sets where tokens may be.
    #[must_use]
    pub fn with_token_sources(mut self, sources: TokenSources) -> Self {
        self.authenticator = self.authenticator.with_token_sources(sources);
        self
    }

    /// Adds a demand on the session's claims; all of them must be satisfied.
    #[must_use]
    pub fn with_claim_validator(mut self, validator: impl ClaimValidator) -> Self {
        self.authenticator = self.authenticator.with_claim_validator(validator);
        self
    }

    /// Sets what counts as now. Default the clock of the operating system.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Clock) -> Self {
        self.authenticator = self.authenticator.with_clock(clock);
        self
    }

    /// Lets requests without credentials through, without a session, and those with a session in which
    /// [nobody is signed in](crate::session::Verdict). Bad credentials are still refused.
    #[must_use]
    pub fn with_optional_sessions(mut self) -> Self {
        self.authenticator = self.authenticator.with_optional_sessions();
        self
    }

    /// Gives each request a handle that loads the document once, for all who take it from the request; see
    /// [`with_single_load`](crate::UserMetadataHandle::with_single_load). Default no, since most requests ask
    /// once and it costs an allocation.
    #[must_use]
    pub fn with_single_load(mut self) -> Self {
        self.authenticator = self.authenticator.with_single_load();
        self
    }

    /// Refuses CORS preflights as any other request without credentials. Default no; see
    /// [`Authenticator::with_preflights_refused`].
    #[must_use]
    pub fn with_preflights_refused(mut self) -> Self {
        self.authenticator = self.authenticator.with_preflights_refused();
        self
    }

    /// Renders refusals, invalid updates and errors of stores in place of `{"message":"…"}`, also those that handlers inside
    /// return; see [`Authenticator::with_problem_response`]. The type of the layer stays the same, so functions may take and
    /// give a `UserMetadataLayer` whatever renders.
    ///
    /// ```
    /// # use tower_user_metadata::session::keys::{Algorithm, VerificationKey};
    /// # use tower_user_metadata::session::JwtVerifier;
    /// # use tower_user_metadata::store::MemoryStore;
    /// use bytes::Bytes;
    /// use http::{Request, Response};
    /// use http_body_util::{BodyExt, Full};
    /// use tower::{Layer, ServiceExt, service_fn};
    /// use tower_user_metadata::{MetadataUpdate, UserMetadataLayer};
    /// use tower_user_metadata::endpoints::Problem;
    ///
    /// fn in_plain_words(layer: UserMetadataLayer) -> UserMetadataLayer {
    ///     layer.with_problem_response(|problem, answer| answer.map(|_| format!("Sorry: {problem}.\n").into()))
    /// }
    ///
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// let handler = service_fn(async |_: Request<Full<Bytes>>| {
    ///     let invalid = MetadataUpdate::from_json(b"[]").unwrap_err();
    ///     Ok::<_, std::convert::Infallible>(Problem::from(invalid).into_response().map(Full::new))
    /// });
    /// # let key = VerificationKey::from_secret(Algorithm::HS256, b"nT7#kq2!vX9@mZ4$wR8%yB6^cD3&fG5*")?;
    /// # let verifier = JwtVerifier::builder(key).with_issuer("https://auth.example.com").build()?;
    /// let layer = in_plain_words(UserMetadataLayer::new(verifier, MemoryStore::new()));
    /// let refused = layer.layer(handler).oneshot(Request::new(Full::default())).await?;
    /// assert_eq!(refused.into_body().collect().await?.to_bytes(), "Sorry: unauthorised.\n");
    /// let answered = layer.with_optional_sessions().layer(handler).oneshot(Request::new(Full::default())).await?;
    /// assert_eq!(answered.status(), 400);
    /// assert_eq!(answered.into_body().collect().await?.to_bytes(), "Sorry: metadata must be a JSON object.\n");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_problem_response(
        mut self,
        render: impl Fn(&Problem, Response<Bytes>) -> Response<Bytes> + Send + Sync + 'static,
    ) -> Self {
        self.authenticator = self.authenticator.with_problem_response(render);
        self
    }

    /// Renders refusals for services whose bodies are not made from [`Bytes`], such as those of tonic; see
    /// [`RejectionResponse`](super::RejectionResponse). Default [`JsonRejection`]. To change what clients read, take
    /// [`with_problem_response`](Self::with_problem_response).
    #[must_use]
    pub fn with_rejection_response<T>(self, rejection: T) -> UserMetadataLayer<T> {
        UserMetadataLayer { authenticator: self.authenticator, rejection }
    }
}

impl<S, R: Clone> Layer<S> for UserMetadataLayer<R> {
    type Service = UserMetadata<S, R>;

    fn layer(&self, inner: S) -> Self::Service {
        UserMetadata::new(inner, self.authenticator.clone(), self.rejection.clone())
    }
}
