use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Response, StatusCode};

use super::answer::{json_response, message_body, refusal};
use crate::metadata::InvalidMetadata;
use crate::session::AuthError;
use crate::store_error::StoreError;

pub(crate) const MISSING_LAYER: &str = "no session was verified for this route: add `UserMetadataLayer::new(verifier, store)` around it, or let your own \
     middleware insert `UserMetadataHandle::for_user(user, store)`";

/// The answer to a request that cannot be served, as the layer, the ready-made endpoints and the adapters give it: a status
/// and `{"message":"…"}`, with a `limit` or a header where one belongs to it.
///
/// For handlers that are written for no framework; `?` makes one of a [`StoreError`], an [`InvalidMetadata`] or an
/// [`AuthError`]. What a store says of its failure goes to the log, once, and not to the client. An application that wants
/// answers of another form sets [`Authenticator::with_problem_response`](crate::Authenticator::with_problem_response).
///
/// ```
/// use tower_user_metadata::endpoints::Problem;
/// use tower_user_metadata::{MetadataUpdate, StoreError, StoreErrorKind};
///
/// let problem: Problem = MetadataUpdate::from_json(b"[]").unwrap_err().into();
/// assert!(problem.invalid_metadata().is_some());
/// let response = problem.into_response();
/// assert_eq!(response.status(), 400);
/// assert_eq!(response.body(), r#"{"message":"metadata must be a JSON object"}"#);
///
/// let problem: Problem = StoreError::new(StoreErrorKind::Unavailable).into();
/// assert_eq!(problem.status(), 503);
/// assert_eq!(problem.headers()["retry-after"], "1");
/// assert_eq!(problem.store_error().unwrap().kind(), StoreErrorKind::Unavailable);
/// ```
#[derive(Clone)]
pub struct Problem(Box<Inner>);

#[derive(Clone)]
struct Inner {
    status: StatusCode,
    message: Cow<'static, str>,
    limit: Option<usize>,
    header: Option<(HeaderName, HeaderValue)>,
    refusal: Option<AuthError>,
    invalid_metadata: Option<InvalidMetadata>,
    store_error: Option<StoreError>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Inner {
            status,
            message: message.into(),
            limit: None,
            header: None,
            refusal: None,
            invalid_metadata: None,
            store_error: None,
        }))
    }

    pub(super) fn refusal(error: AuthError) -> Self {
        let mut problem = Self::new(error.kind().status(), error.kind().message());
        problem.0.refusal = Some(error);
        problem
    }

    /// A handler asks for what a [`UserMetadataLayer`](crate::UserMetadataLayer) would have put there: the developer's
    /// mistake, a 500 that says how to mend it.
    #[must_use]
    pub fn missing_layer() -> Self {
        Self::missing_middleware(MISSING_LAYER)
    }

    /// As [`missing_layer`](Self::missing_layer), for a framework in which another thing than a layer verifies sessions: a
    /// 500 that says what to add, also in the log.
    ///
    /// ```
    /// use tower_user_metadata::endpoints::Problem;
    ///
    /// let problem = Problem::missing_middleware("wrap this route in `sessions(&authenticator)`");
    /// assert_eq!(problem.status(), 500);
    /// assert_eq!(problem.to_string(), "wrap this route in `sessions(&authenticator)`");
    /// ```
    #[must_use]
    pub fn missing_middleware(remedy: &'static str) -> Self {
        tracing::error!("{remedy}");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, remedy)
    }

    /// The status of the answer.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// The headers of the answer that do not depend on its body: `WWW-Authenticate`, `Retry-After`, `ETag` and others, where
    /// they belong to it.
    ///
    /// ```
    /// use tower_user_metadata::endpoints::Problem;
    /// use tower_user_metadata::{AuthError, AuthErrorKind};
    ///
    /// let problem: Problem = AuthError::new(AuthErrorKind::Expired).into();
    /// assert_eq!(problem.headers()["www-authenticate"], r#"Bearer error="invalid_token""#);
    /// assert!(!problem.headers().contains_key("content-type"));
    /// ```
    #[must_use]
    pub fn headers(&self) -> HeaderMap {
        let mut headers = self.0.refusal.as_ref().map(AuthError::headers).unwrap_or_default();
        headers.extend(self.0.header.clone());
        headers
    }

    /// The refusal that it is, if there is no session or not the right one.
    #[must_use]
    pub fn auth_error(&self) -> Option<&AuthError> {
        self.0.refusal.as_ref()
    }

    /// What is wrong with an update, if that is what it is; this may be shown to the client.
    #[must_use]
    pub fn invalid_metadata(&self) -> Option<&InvalidMetadata> {
        self.0.invalid_metadata.as_ref()
    }

    /// The error of a store, if it is one. Its kind may decide what the client is told; its text is for the operator and
    /// names servers.
    #[must_use]
    pub fn store_error(&self) -> Option<&StoreError> {
        self.0.store_error.as_ref()
    }

    pub(crate) fn with_limit(mut self, passed: usize) -> Self {
        self.0.limit = Some(passed);
        self
    }

    pub(crate) fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.header = Some((name, value));
        self
    }

    pub(super) fn with_invalid_metadata(mut self, invalid: InvalidMetadata) -> Self {
        self.0.invalid_metadata = Some(invalid);
        self
    }

    pub(super) fn with_store_error(mut self, error: StoreError) -> Self {
        self.0.store_error = Some(error);
        self
    }

    /// The answer itself, with the problem in its extensions, and the [`AuthError`] if it is a refusal. There a layer or a
    /// middleware with a [hook](crate::Authenticator::with_problem_response) finds it, and renders it anew.
    #[must_use]
    pub fn into_response(self) -> Response<Bytes> {
        let answer = self.answer();
        self.put_into(answer)
    }

    /// The answer with nothing in its extensions.
    pub(super) fn answer(&self) -> Response<Bytes> {
        if let Some(error) = &self.0.refusal {
            return refusal(error);
        }
        let mut response = json_response(self.0.status, message_body(&self.0.message, self.0.limit));
        response.headers_mut().extend(self.0.header.clone());
        response
    }

    pub(super) fn put_into(self, mut answer: Response<Bytes>) -> Response<Bytes> {
        let extensions = answer.extensions_mut();
        if let Some(error) = self.0.refusal.clone() {
            extensions.insert(error);
        }
        extensions.insert(self);
        answer
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

/// Without what a store says: warp shows it to the client where nobody recovers.
impl fmt::Debug for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Problem")
            .field("status", &self.0.status)
            .field("message", &self.0.message)
            .field("kind", &self.0.refusal.as_ref().map(AuthError::kind))
            .finish_non_exhaustive()
    }
}

impl std::error::Error for Problem {}
