//! Ready-made endpoints: a Tower service that any framework can mount behind the layer.
//!
//! | Request | Answer |
//! |---|---|
//! | `GET` (or `HEAD`) | 200, the document, `ETag`; `{}` without `ETag` when there is none; 304 for `If-None-Match` |
//! | `PATCH`, a JSON object | 200, the merged document, `ETag` |
//! | `DELETE` | 204 |
//! | a CORS preflight | 204, `Allow`; a [CORS layer](crate::layer#cors) outside answers it before |
//!
//! `PATCH` is the shallow merge of [`MetadataUpdate`](crate::MetadataUpdate), not a JSON merge patch (RFC 7396), so
//! its content type is `application/json`; the charset, if there is one, is UTF-8 or US-ASCII. All of them take `If-Match` and
//! `If-None-Match` (RFC 9110 section 13): 412 with the current `ETag` when the document has changed, 428 (RFC 6585 section 3)
//! when [`with_required_preconditions`](UserMetadataEndpoints::with_required_preconditions) is set and there is neither.
//!
//! An `ETag` names the version of the stored document. So it still counts, in both headers, after a proxy that compresses
//! answers has made it weak (`W/"…"`, as nginx does) or given it a suffix (`"…-gzip"`, as Apache, Caddy and Jetty do).
//!
//! Errors are `{"message":"…"}`, or what [`with_problem_response`](crate::Authenticator::with_problem_response) of the layer
//! around them makes of these:
//!
//! | Status | For |
//! |---|---|
//! | 400 | a body that is no JSON object that can be kept, or that broke off before its end |
//! | 413, with `limit` | a body, or a merged document, that is too large |
//! | 415, with `Accept-Patch` | another content type or charset |
//! | 415, with `Accept-Encoding: identity` | a body with a content coding, such as gzip |
//! | 503 | a store that is out of reach |
//!
//! The stored document is untouched after any of them, save that the outcome of a write is unknown after some 503.

pub(crate) mod body;
mod conditions;
mod etag;
mod media_type;

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, ETAG, HeaderValue, VARY};
use http::{Request, Response, StatusCode};
use http_body::Body;
use http_body_util::Full;
use tower::Service;

pub use crate::problem::Problem;
pub use body::read_update;

use self::conditions::Conditions;
use crate::authenticator::{is_preflight, no_session};
use crate::handle::UserMetadataHandle;
use crate::layer::NoSession;
use crate::metadata::{Metadata, Version};
use crate::problem::{etag, json_response};
use crate::session::Headers;

const ALLOWED: HeaderValue = HeaderValue::from_static("GET, HEAD, PATCH, DELETE");

/// The signed-in user's metadata over HTTP; see the [module](crate::endpoints) for what it answers.
///
/// It takes the user from the request's extensions, so it must stand behind a
/// [`UserMetadataLayer`](crate::UserMetadataLayer), or behind [a middleware of your
/// own](crate::adapter#you-have-sessions-already) that puts a handle there. Behind one that lets strangers through it
/// refuses them itself.
///
/// ```
/// use bytes::Bytes;
/// use http::Request;
/// use http_body_util::{BodyExt, Full};
/// use tower::Service;
/// use tower_user_metadata::endpoints::UserMetadataEndpoints;
/// use tower_user_metadata::{UserId, UserMetadataHandle, store::MemoryStore};
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let patch = Request::patch("/")
///     .header("content-type", "application/json")
///     // The layer does this for verified sessions.
///     .extension(UserMetadataHandle::for_user(UserId::new("alice")?, MemoryStore::new()))
///     .body(Full::<Bytes>::from(r#"{"theme":"dark"}"#))?;
/// let response = UserMetadataEndpoints::new().call(patch).await?;
/// assert_eq!(response.status(), 200);
/// assert!(response.headers().contains_key("etag"));
/// assert_eq!(response.into_body().collect().await?.to_bytes(), r#"{"theme":"dark"}"#);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct UserMetadataEndpoints {
    preconditions_required: bool,
}

impl UserMetadataEndpoints {
    /// The endpoints; preconditions are honoured and not demanded.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Answers 428 to a `PATCH` or `DELETE` with neither `If-Match` nor `If-None-Match`, so that no client overwrites
    /// what it has not seen.
    #[must_use]
    pub fn with_required_preconditions(mut self) -> Self {
        self.preconditions_required = true;
        self
    }

    /// Answers a request of the user whose metadata this is, for adapters of frameworks that do not speak Tower; `method` as
    /// it stands in the request line.
    ///
    /// `None` is a request that passed without a session: a CORS preflight is answered with 204 and `Allow`, which lets a
    /// browser do nothing where no CORS layer adds its headers, and anything else with 401.
    ///
    /// ```
    /// use bytes::Bytes;
    /// use http::HeaderMap;
    /// use http_body_util::Full;
    /// use tower_user_metadata::endpoints::UserMetadataEndpoints;
    /// use tower_user_metadata::{UserId, UserMetadataHandle, metadata_update, store::MemoryStore};
    ///
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// let alice = UserMetadataHandle::admin(UserId::new("alice")?, MemoryStore::new());
    /// alice.update(metadata_update! { "theme": "dark" }).await?;
    ///
    /// let (endpoints, headers) = (UserMetadataEndpoints::new(), HeaderMap::new());
    /// let read = endpoints.respond("GET", &headers, Some(&alice), Full::<Bytes>::default()).await;
    /// assert_eq!((read.status().as_u16(), &read.body()[..]), (200, &br#"{"theme":"dark"}"#[..]));
    /// let stranger = endpoints.respond("GET", &headers, None, Full::<Bytes>::default()).await;
    /// assert_eq!(stranger.status(), 401);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Cancel safety
    ///
    /// The write of a dropped future happens whole or not at all.
    pub async fn respond<B>(
        self,
        method: &str,
        headers: &(dyn Headers + Sync),
        metadata: Option<&UserMetadataHandle>,
        body: B,
    ) -> Response<Bytes>
    where
        B: Body<Error: Into<Box<dyn std::error::Error + Send + Sync>>>,
    {
        private(match metadata {
            _ if is_preflight(method, headers) => Ok(no_content(Some(ALLOWED))),
            Some(metadata) => self.answer(method, headers, metadata, body).await,
            None => Err(no_session().into()),
        })
    }

    async fn answer<B>(
        self,
        method: &str,
        headers: &(dyn Headers + Sync),
        metadata: &UserMetadataHandle,
        body: B,
    ) -> Result<Response<Bytes>, Problem>
    where
        B: Body<Error: Into<Box<dyn std::error::Error + Send + Sync>>>,
    {
        if !["GET", "HEAD", "PATCH", "DELETE"].contains(&method) {
            return Err(Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method not allowed").with_header(ALLOW, ALLOWED));
        }
        let conditions = Conditions::from_headers(headers)?;
        match method {
            "PATCH" => {
                self.check_required(&conditions)?;
                let update = read_update(headers, body, metadata.limits()).await?;
                let when = conditions.for_write(metadata).await?;
                let record = metadata.update_if(update, when).await?;
                Ok(document(&record.metadata, Some(record.version)))
            }
            "DELETE" => {
                self.check_required(&conditions)?;
                let when = conditions.for_write(metadata).await?;
                metadata.clear_if(when).await?;
                Ok(no_content(None))
            }
            method => {
                let record = metadata.record().await?;
                let version = record.as_ref().map(|record| record.version);
                conditions.for_read(version)?;
                let metadata = record.map(|record| record.metadata).unwrap_or_default();
                let mut response = document(&metadata, version);
                if conditions.not_modified(version) {
                    *response.status_mut() = StatusCode::NOT_MODIFIED;
                    response.headers_mut().remove(http::header::CONTENT_TYPE);
                    *response.body_mut() = Bytes::new();
                } else if method == "HEAD" {
                    let length = HeaderValue::from(response.body().len());
                    response.headers_mut().insert(http::header::CONTENT_LENGTH, length);
                    *response.body_mut() = Bytes::new();
                }
                Ok(response)
            }
        }
    }

    fn check_required(self, conditions: &Conditions) -> Result<(), Problem> {
        if self.preconditions_required && conditions.is_empty() {
            return Err(Problem::new(StatusCode::PRECONDITION_REQUIRED, "If-Match or If-None-Match is required"));
        }
        Ok(())
    }
}

/// One user's document must not be given to another, and a browser must ask again before it shows its own.
fn private(answer: Result<Response<Bytes>, Problem>) -> Response<Bytes> {
    let mut response = answer.unwrap_or_else(Problem::into_response);
    let headers = response.headers_mut();
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("private, no-cache"));
    headers.insert(VARY, HeaderValue::from_static("Authorization, Cookie"));
    response
}

fn no_content(allow: Option<HeaderValue>) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response.headers_mut().extend(allow.map(|methods| (ALLOW, methods)));
    response
}

fn document(metadata: &Metadata, version: Option<Version>) -> Response<Bytes> {
    let mut response = json_response(StatusCode::OK, metadata.to_json());
    if let Some(version) = version {
        response.headers_mut().insert(ETAG, etag(version));
    }
    response
}

impl<B> Service<Request<B>> for UserMetadataEndpoints
where
    B: Body<Data: Send, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
{
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let endpoints = *self;
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let metadata = match (parts.extensions.get(), parts.extensions.get::<NoSession>()) {
                (None, None) => return Ok(private(Err(Problem::missing_layer())).map(Full::new)),
                (metadata, _) => metadata,
            };
            let response = endpoints.respond(parts.method.as_str(), &parts.headers, metadata, body).await;
            Ok(response.map(Full::new))
        })
    }
}
