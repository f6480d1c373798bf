//! AWS Lambda, with [lambda_http] 1, behind API Gateway, a function URL or an application load balancer.
//!
//! lambda_http speaks `http` 1 and Tower, so the [`UserMetadataLayer`](crate::UserMetadataLayer) verifies its sessions,
//! handlers ask their request by [`RequestExt`](super::RequestExt), [`read_update`](crate::endpoints::read_update) takes
//! its body, also one that came as base64, and a router of axum runs with the extractors of the feature `axum`. All that
//! is here is [`run`].
//!
//! ```
//! use bytes::Bytes;
//! use http_body_util::Full;
//! use lambda_http::http::Response;
//! use lambda_http::tower::{Layer, ServiceExt};
//! use lambda_http::{Error, Request, service_fn};
//! use tower_user_metadata::adapter::{RequestExt, lambda};
//! use tower_user_metadata::endpoints::Problem;
//! use tower_user_metadata::session::keys::{Algorithm, VerificationKey};
//! use tower_user_metadata::store::MemoryStore;
//! use tower_user_metadata::session::JwtVerifier;
//! use tower_user_metadata::{UserMetadataLayer, metadata_update};
//!
//! async fn forget_notifications(request: Request) -> Result<Bytes, Problem> {
//!     let metadata = request.user_metadata()?;
//!     Ok(metadata.update(metadata_update! { "notifications": null }).await?.metadata.to_json().into())
//! }
//!
//! async fn handler(request: Request) -> Result<Response<Full<Bytes>>, Error> {
//!     let answer = forget_notifications(request).await.map(Response::new);
//!     Ok(answer.unwrap_or_else(Problem::into_response).map(Full::new))
//! }
//!
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! let key = VerificationKey::from_secret(Algorithm::HS256, b"nT7#kq2!vX9@mZ4$wR8%yB6^cD3&fG5*")?;
//! let layer = UserMetadataLayer::new(JwtVerifier::builder(key).with_issuer("https://auth.example.com").build()?, MemoryStore::new());
//! let service = layer.layer(service_fn(handler));
//! // lambda::run(service).await
//! # let _ = async || lambda::run(service.clone()).await;
//!
//! let stranger = Request::default();
//! assert_eq!(service.clone().oneshot(stranger).await?.status(), 401);
//! # Ok::<(), Error>(())
//! # })?;
//! # Ok::<(), Error>(())
//! ```
//!
//! # You have sessions already
//!
//! What knows the user, such as an authorizer of API Gateway, tells it to a layer around your handler, which puts a
//! handle into the request; [more on that](crate::adapter#you-have-sessions-already). Here the authorizer has left the
//! user in the context of the request.
//!
//! ```
//! use std::collections::HashMap;
//!
//! use lambda_http::aws_lambda_events::apigw::ApiGatewayV2httpRequestContext;
//! use lambda_http::http::StatusCode;
//! use lambda_http::request::RequestContext;
//! use lambda_http::tower::{ServiceExt, service_fn};
//! use lambda_http::{Error, Request, RequestExt as _};
//! use tower_user_metadata::adapter::RequestExt;
//! use tower_user_metadata::endpoints::Problem;
//! use tower_user_metadata::layer::put_user_metadata;
//! use tower_user_metadata::{UserId, UserMetadataHandle, store};
//!
//! fn caller(request: &Request) -> Option<UserId> {
//!     let context = request.request_context_ref()?;
//!     UserId::new(context.authorizer()?.fields.get("userId")?.as_str()?).ok()
//! }
//!
//! async fn handler(request: Request) -> Result<StatusCode, Error> {
//!     Ok(request.user_metadata().map_or_else(|problem| problem.status(), |_| StatusCode::OK))
//! }
//!
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! let store = store::connect("memory:").await?;
//! let service = service_fn(handler).map_request(move |mut request: Request| {
//!     let metadata = caller(&request).map(|user| UserMetadataHandle::for_user(user, store.clone()));
//!     put_user_metadata(request.extensions_mut(), metadata);
//!     request
//! });
//! // lambda::run(service).await
//!
//! assert_eq!(service.clone().oneshot(Request::default()).await?, 401);
//! # let context: ApiGatewayV2httpRequestContext = serde_json::from_str(r#"{"authorizer":{"lambda":{"userId":"alice"}},"http":{"method":"GET"}}"#)?;
//! # let request = Request::default().with_request_context(RequestContext::ApiGatewayV2(context));
//! # assert_eq!(service.oneshot(request).await?, 200);
//! # Ok::<(), Error>(())
//! # })?;
//! # Ok::<(), Error>(())
//! ```
//!
//! # Testing a handler
//!
//! No token, key or layer is needed: a handle on a store in memory takes their place.
//!
//! ```
//! use lambda_http::{Error, Request};
//! use tower_user_metadata::adapter::RequestExt;
//! use tower_user_metadata::store::MemoryStore;
//! use tower_user_metadata::{UserId, UserMetadataHandle, metadata_update};
//!
//! async fn choose_theme(request: Request) -> Result<String, Error> {
//!     let record = request.user_metadata()?.update(metadata_update! { "theme": "dark" }).await?;
//!     Ok(record.metadata.to_json())
//! }
//!
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! let alice = UserMetadataHandle::for_user(UserId::new("alice")?, MemoryStore::new());
//! let mut request = Request::default();
//! request.extensions_mut().insert(alice.clone());
//! assert_eq!(choose_theme(request).await?, r#"{"theme":"dark"}"#);
//! assert_eq!(alice.get().await?.to_json(), r#"{"theme":"dark"}"#);
//! # Ok::<(), Error>(())
//! # })?;
//! # Ok::<(), Error>(())
//! ```
//!
//! # What differs on Lambda
//!
//! * An application load balancer passes on only the last of several headers of one name, unless the target group has
//!   `lambda.multi_value_headers.enabled`: switch that on, so that a request with two tokens is refused here too.
//! * API Gateway may rename the header `WWW-Authenticate` of a 401 to `x-amzn-Remapped-WWW-Authenticate`.
//! * The path begins with the name of the stage, save for `$default`, unless the environment has
//!   `AWS_LAMBDA_HTTP_IGNORE_STAGE_IN_PATH`.
//! * A function is frozen after its answer and its disk goes away: take a store with a server. What the handler awaited
//!   is stored, whether the client is still there or not.
//!
//! [lambda_http]: https://docs.rs/lambda_http/1

use std::fmt::Debug;
use std::mem;

use lambda_http::lambda_runtime::{self, Diagnostic, LambdaEvent};
use lambda_http::request::LambdaRequest;
use lambda_http::tower::{Service, ServiceExt};
use lambda_http::{Adapter, Error, IntoResponse, Request};

/// Runs a service on AWS Lambda, as [`lambda_http::run`] does, and shows it all values of every header.
///
/// `lambda_http::run` keeps only the last value of a header that came more than once through a REST API. A request with
/// two different tokens would be taken for one with the second, where something before the function may have looked
/// at the first. Here the layer sees both, and refuses them as it does everywhere.
///
/// ```no_run
/// use lambda_http::{Error, Request, service_fn};
/// use tower_user_metadata::adapter::lambda;
///
/// #[tokio::main]
/// async fn main() -> Result<(), Error> {
///     lambda::run(service_fn(async |request: Request| Ok::<_, Error>(request.uri().path().to_owned()))).await
/// }
/// ```
///
/// # Errors
///
/// The runtime API of Lambda is out of reach.
///
/// # Panics
///
/// Outside of Lambda, where the environment variable `AWS_LAMBDA_RUNTIME_API` and others are missing.
pub async fn run<S, R, E>(service: S) -> Result<(), Error>
where
    S: Service<Request, Response = R, Error = E>,
    S::Future: Send + 'static,
    R: IntoResponse,
    E: Debug + Into<Diagnostic>,
{
    lambda_runtime::run(Adapter::from(service).map_request(with_all_values)).await
}

/// lambda_http lets what is in `headers` replace what is in `multi_value_headers`; so the former gets all of the latter.
fn with_all_values(mut event: LambdaEvent<LambdaRequest>) -> LambdaEvent<LambdaRequest> {
    let (headers, all) = match &mut event.payload {
        LambdaRequest::ApiGatewayV1(request) => (&mut request.headers, &mut request.multi_value_headers),
        LambdaRequest::Alb(request) => (&mut request.headers, &mut request.multi_value_headers),
        // API Gateway joined them: those of HTTP APIs and function URLs have one value each.
        _ => return event,
    };
    headers.extend(mem::take(all));
    event
}
