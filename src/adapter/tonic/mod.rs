//! Refusals and errors as gRPC statuses, for [tonic] 0.14.
//!
//! tonic speaks `http` 1 and Tower, so the [`UserMetadataLayer`] verifies its sessions: the metadata of a call are its
//! headers, and a client sends `authorization: Bearer …` as everywhere. Give it a [`GrpcRejection`], around one service or
//! around all of them. A method asks its request by [`RequestExt`]:
//!
//! * [`user_metadata`](RequestExt::user_metadata) and [`session`](RequestExt::session) refuse everybody else with
//!   `UNAUTHENTICATED`;
//! * [`optional_session`](RequestExt::optional_session) and
//!   [`optional_user_metadata`](RequestExt::optional_user_metadata) give `None` for calls without credentials, behind a
//!   layer with [`.with_optional_sessions()`](crate::UserMetadataLayer::with_optional_sessions).
//!
//! A service that demands more of a session, such as a role, stands in a layer with a
//! [claim validator](crate::UserMetadataLayer::with_claim_validator) more; a single method asks
//! [`Authenticator::check`](crate::Authenticator::check).
//!
//! [`AuthError`], [`StoreError`], [`InvalidMetadata`] and [`Problem`] become a [`Status`], so `?` works on them:
//!
//! | Over HTTP | Status | Besides |
//! |---|---|---|
//! | 401 | `UNAUTHENTICATED` | `www-authenticate`, as over HTTP |
//! | 403, a claim | `PERMISSION_DENIED` | `claim-validation-errors-bin`: what the HTTP body has under that name, as JSON |
//! | 400, 413 | `INVALID_ARGUMENT` | |
//! | 412 | `ABORTED` | `etag`, when there is a document |
//! | 503 | `UNAVAILABLE` | `grpc-retry-pushback-ms`, when the client may try again |
//! | 501 | `UNIMPLEMENTED` | |
//! | 500 | `INTERNAL` | |
//!
//! The message is that of the HTTP body. [`with_problem_response`](crate::Authenticator::with_problem_response) makes answers
//! over HTTP and has no part here: a client of gRPC reads statuses.
//!
//! A method that panics has no status: tonic resets its stream, which a client hears as `CANCELLED`, and goes on with the
//! other calls of the connection.
//!
//! ```
//! use tonic::{Code, Request, Response, Status};
//! use tower_user_metadata::adapter::RequestExt;
//! use tower_user_metadata::adapter::tonic::{GrpcRejection, read_update};
//! use tower_user_metadata::session::keys::{Algorithm, VerificationKey};
//! use tower_user_metadata::store::MemoryStore;
//! use tower_user_metadata::session::JwtVerifier;
//! use tower_user_metadata::UserMetadataLayer;
//!
//! // A method of a service.
//! async fn update(request: Request<String>) -> Result<Response<String>, Status> {
//!     let metadata = request.user_metadata()?;
//!     let update = read_update(request.get_ref(), metadata.limits())?;
//!     Ok(Response::new(metadata.update(update).await?.metadata.to_json()))
//! }
//!
//! let key = VerificationKey::from_secret(Algorithm::HS256, b"nT7#kq2!vX9@mZ4$wR8%yB6^cD3&fG5*")?;
//! let sessions = UserMetadataLayer::new(JwtVerifier::builder(key).with_issuer("https://auth.example.com").build()?, MemoryStore::new());
//! let sessions = sessions.with_rejection_response(GrpcRejection);
//! // tonic::transport::Server::builder().add_service(sessions.layer(service))
//! # use tower::{Layer, Service, service_fn};
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! # let mut service = sessions.layer(service_fn(async |request: http::Request<String>| {
//! #     let answer = update(Request::from_http(request)).await;
//! #     Ok::<_, std::convert::Infallible>(answer.map_or_else(Status::into_http, |_| http::Response::new(String::new())))
//! # }));
//! # let stranger = service.call(http::Request::new(String::new())).await?;
//!
//! let status = Status::from_header_map(stranger.headers()).unwrap();
//! assert_eq!((status.code(), status.message()), (Code::Unauthenticated, "unauthorised"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # You have sessions already
//!
//! An interceptor or a layer of your own that knows the user puts a handle into the request; [more on
//! that](crate::adapter#you-have-sessions-already). Here `Account` is what your interceptor has. Answer a visitor who
//! is not signed in as you like; this one leaves that to the methods.
//!
//! ```
//! use tonic::{Code, Request, Response, Status};
//! use tower_user_metadata::adapter::RequestExt;
//! use tower_user_metadata::layer::put_user_metadata;
//! use tower_user_metadata::{UserId, UserMetadataHandle, store};
//!
//! #[derive(Clone)]
//! struct Account {
//!     id: i64,
//! }
//!
//! // A method of a service.
//! async fn user_info(request: Request<()>) -> Result<Response<String>, Status> {
//!     Ok(Response::new(request.user_metadata()?.get().await?.to_json()))
//! }
//!
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! let store = store::connect("memory:").await?;
//! let known = move |mut request: Request<()>| -> Result<Request<()>, Status> {
//!     let user = request.extensions().get::<Account>().and_then(|account| UserId::new(account.id.to_string()).ok());
//!     let metadata = user.map(|user| UserMetadataHandle::for_user(user, store.clone()));
//!     put_user_metadata(request.extensions_mut(), metadata);
//!     Ok(request)
//! };
//! // MyServiceServer::with_interceptor(service, known)
//!
//! let refused = user_info(known(Request::new(()))?).await.unwrap_err();
//! assert_eq!(refused.code(), Code::Unauthenticated);
//! let mut request = Request::new(());
//! request.extensions_mut().insert(Account { id: 7 });
//! assert_eq!(user_info(known(request)?).await?.into_inner(), "{}");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Testing a handler
//!
//! No token, key or layer is needed: a handle on a store in memory takes their place.
//!
//! ```
//! use tonic::{Request, Response, Status};
//! use tower_user_metadata::adapter::RequestExt;
//! use tower_user_metadata::store::MemoryStore;
//! use tower_user_metadata::{UserId, UserMetadataHandle, metadata_update};
//!
//! async fn choose_theme(request: Request<()>) -> Result<Response<String>, Status> {
//!     let record = request.user_metadata()?.update(metadata_update! { "theme": "dark" }).await?;
//!     Ok(Response::new(record.metadata.to_json()))
//! }
//!
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! let alice = UserMetadataHandle::for_user(UserId::new("alice")?, MemoryStore::new());
//! let mut request = Request::new(());
//! request.extensions_mut().insert(alice.clone());
//! assert_eq!(choose_theme(request).await?.into_inner(), r#"{"theme":"dark"}"#);
//! assert_eq!(alice.get().await?.to_json(), r#"{"theme":"dark"}"#);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [tonic]: https://docs.rs/tonic/0.14
//! [`InvalidMetadata`]: crate::InvalidMetadata
//! [`StoreError`]: crate::StoreError
//! [`UserMetadataLayer`]: crate::UserMetadataLayer

mod status;

use http::{Extensions, Response};
use tonic::server::NamedService;
use tonic::{Request, Status};

use super::RequestExt;
use crate::endpoints::Problem;
use crate::endpoints::body::parse_update;
use crate::layer::{RejectionResponse, UserMetadata};
use crate::metadata::{Limits, MetadataUpdate};
use crate::session::AuthError;

/// Renders refusals as gRPC statuses; see the [module](self) for an example.
#[derive(Clone, Copy, Debug, Default)]
pub struct GrpcRejection;

/// Reads an update from a field of a message that holds a JSON object as text.
///
/// # Errors
///
/// It is larger than the limits allow, or not an update that can be kept.
pub fn read_update(json: impl AsRef<[u8]>, limits: Limits) -> Result<MetadataUpdate, Problem> {
    parse_update(json.as_ref(), limits)
}

impl<ResBody: Default> RejectionResponse<ResBody> for GrpcRejection {
    fn response(&self, error: &AuthError) -> Response<ResBody> {
        Status::from(error.clone()).into_http()
    }
}

impl<T> RequestExt for Request<T> {
    fn request_extensions(&self) -> &Extensions {
        self.extensions()
    }
}

/// A layer around one service leaves it its name, so that a router of tonic takes it.
impl<S: NamedService, R> NamedService for UserMetadata<S, R> {
    const NAME: &'static str = S::NAME;
}
