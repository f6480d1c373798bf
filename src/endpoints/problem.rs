//! What a client is told when something is wrong: the one place that picks a status for a store's error.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, ETAG, HeaderName, HeaderValue, RETRY_AFTER};
use http::{Response, StatusCode};
use serde::Serialize;

use super::etag::etag;
use crate::layer::{JsonRejection, refuse};
use crate::metadata::{InvalidMetadata, InvalidMetadataKind};
use crate::session::AuthError;
use crate::store::{StoreError, StoreErrorKind};

/// The content type of every body that this crate writes.
pub(crate) const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");

/// The seconds after which a client may try a store again that is out of reach.
const RETRY_SECONDS: HeaderValue = HeaderValue::from_static("1");

pub(crate) const MISSING_LAYER: &str = "no session was verified for this route: add `UserMetadataLayer::new(verifier, store)` around it, or let your own \
     middleware insert `UserMetadataHandle::for_user(user, store)`";

/// The answer to a request that cannot be served, as the ready-made endpoints and the adapters give it: a status and
/// `{"message":"…"}`, with a `limit` or a header where one belongs to it.
///
/// For handlers that are written for no framework; `?` makes one of a [`StoreError`], an [`InvalidMetadata`] or an
/// [`AuthError`]. What a store says of its failure goes to the log, once, and not to the client.
///
/// ```
/// use tower_user_metadata::endpoints::Problem;
/// use tower_user_metadata::{MetadataUpdate, StoreError, StoreErrorKind};
///
/// let problem: Problem = MetadataUpdate::from_json(b"[]").unwrap_err().into();
/// let response = problem.into_response();
/// assert_eq!(response.status(), 400);
/// assert_eq!(response.body(), r#"{"message":"metadata must be a JSON object"}"#);
///
/// let problem: Problem = StoreError::new(StoreErrorKind::Unavailable).into();
/// assert_eq!(problem.status(), 503);
/// ```
#[derive(Clone, Debug)]
pub struct Problem(Answer);

#[derive(Clone, Debug)]
enum Answer {
    /// As the layer renders it.
    Refusal(AuthError),
    Message {
        status: StatusCode,
        message: Cow<'static, str>,
        limit: Option<usize>,
        header: Option<(HeaderName, HeaderValue)>,
    },
}

impl Problem {
    pub(crate) fn new(status: StatusCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Answer::Message { status, message: message.into(), limit: None, header: None })
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
        match &self.0 {
            Answer::Refusal(error) => error.kind().status(),
            Answer::Message { status, .. } => *status,
        }
    }

    /// The refusal that it is, if there is no session or not the right one.
    #[must_use]
    pub fn auth_error(&self) -> Option<&AuthError> {
        match &self.0 {
            Answer::Refusal(error) => Some(error),
            Answer::Message { .. } => None,
        }
    }

    pub(crate) fn with_limit(mut self, passed: usize) -> Self {
        if let Answer::Message { limit, .. } = &mut self.0 {
            *limit = Some(passed);
        }
        self
    }

    pub(crate) fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        if let Answer::Message { header, .. } = &mut self.0 {
            *header = Some((name, value));
        }
        self
    }

    /// The answer itself.
    #[must_use]
    pub fn into_response(self) -> Response<Bytes> {
        #[derive(Serialize)]
        struct Body<'a> {
            message: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            limit: Option<usize>,
        }

        match self.0 {
            Answer::Refusal(error) => refuse(&JsonRejection, error),
            Answer::Message { status, message, limit, header } => {
                // A string and a number always serialise.
                let body = serde_json::to_string(&Body { message: &message, limit }).unwrap_or_default();
                let mut response = json_response(status, body);
                response.headers_mut().extend(header);
                response
            }
        }
    }
}

pub(crate) fn json_response(status: StatusCode, body: String) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.0 {
            Answer::Refusal(error) => error.kind().message(),
            Answer::Message { message, .. } => message,
        })
    }
}

impl std::error::Error for Problem {}

impl From<&Problem> for Problem {
    fn from(problem: &Problem) -> Self {
        problem.clone()
    }
}

impl From<AuthError> for Problem {
    fn from(error: AuthError) -> Self {
        Self(Answer::Refusal(error))
    }
}

impl From<&AuthError> for Problem {
    fn from(error: &AuthError) -> Self {
        error.clone().into()
    }
}

impl From<InvalidMetadata> for Problem {
    fn from(invalid: InvalidMetadata) -> Self {
        let status = match invalid.kind() {
            InvalidMetadataKind::DocumentTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            // The application's own value: nothing that the client could mend.
            InvalidMetadataKind::Unserializable => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::BAD_REQUEST,
        };
        let problem = Self::new(status, invalid.to_string());
        match invalid.limit() {
            Some(limit) => problem.with_limit(limit),
            None => problem,
        }
    }
}

impl From<&InvalidMetadata> for Problem {
    fn from(invalid: &InvalidMetadata) -> Self {
        invalid.clone().into()
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        (&error).into()
    }
}

impl From<&StoreError> for Problem {
    fn from(error: &StoreError) -> Self {
        if let Some(invalid) = error.invalid_metadata() {
            return invalid.clone().into();
        }
        // Nothing for an error that was logged where it arose; a store of somebody else's may not have done so.
        error.log();
        match error.kind() {
            StoreErrorKind::PreconditionFailed => {
                let problem = Self::new(StatusCode::PRECONDITION_FAILED, "the metadata has changed");
                match error.current_version() {
                    Some(version) => problem.with_header(ETAG, etag(version)),
                    None => problem,
                }
            }
            StoreErrorKind::InvalidMetadata => Self::new(StatusCode::BAD_REQUEST, "the metadata update is invalid"),
            StoreErrorKind::Unsupported => {
                Self::new(StatusCode::NOT_IMPLEMENTED, "the metadata store has no conditional writes")
            }
            StoreErrorKind::Unavailable | StoreErrorKind::Timeout | StoreErrorKind::Closed => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "metadata unavailable")
                    .with_header(RETRY_AFTER, RETRY_SECONDS)
            }
            StoreErrorKind::Corrupt | StoreErrorKind::Internal => {
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal error")
            }
        }
    }
}
