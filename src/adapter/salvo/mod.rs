//! A hoop, extractors and responses for [salvo] 1. It needs Rust 1.95, as salvo does.
//!
//! Behind the hoop [`user_metadata`], a handler may take
//!
//! * a [`UserMetadataHandle`] or a [`Session`]: everybody else is refused with a 401;
//! * an [`Optional`] of either, where the hoop's authenticator is [`.with_optional_sessions()`](crate::Authenticator::with_optional_sessions):
//!   `None` for requests without credentials;
//! * a [`MetadataUpdate`], read from the body of the request.
//!
//! The [ready-made endpoints](crate::endpoints::UserMetadataEndpoints) are a handler. A route that demands more of a
//! session, such as a role, has a hoop whose authenticator has a [claim
//! validator](crate::Authenticator::with_claim_validator) more.
//!
//! [`StoreError`], [`InvalidMetadata`], [`AuthError`] and [`Problem`] can be written, so a handler may return them, and
//! each is answered as the ready-made endpoints would. A route without the hoop is answered with a 500 that says how to
//! add it.
//!
//! ```
//! use salvo_core::http::{Method, ReqBody};
//! use salvo_core::prelude::*;
//! use tower_user_metadata::adapter::salvo::{Optional, user_metadata};
//! use tower_user_metadata::endpoints::UserMetadataEndpoints;
//! use tower_user_metadata::session::claims::PrimitiveArrayClaim;
//! use tower_user_metadata::session::keys::{Algorithm, VerificationKey};
//! use tower_user_metadata::store::MemoryStore;
//! use tower_user_metadata::session::JwtVerifier;
//! use tower_user_metadata::{
//!     Authenticator, MetadataUpdate, Session, StoreError, UserMetadataHandle, metadata_update,
//! };
//!
//! #[handler]
//! async fn forget_notifications(metadata: UserMetadataHandle) -> Result<String, StoreError> {
//!     Ok(metadata.update(metadata_update! { "notifications": null }).await?.metadata.to_json())
//! }
//!
//! #[handler]
//! async fn update(metadata: UserMetadataHandle, changes: MetadataUpdate) -> Result<String, StoreError> {
//!     Ok(metadata.update(changes).await?.metadata.to_json())
//! }
//!
//! #[handler]
//! fn greet(session: Optional<Session>) -> String {
//!     session.0.map_or("Hello, stranger".to_owned(), |session| format!("Hello, {}", session.user_id().as_str()))
//! }
//!
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! let key = VerificationKey::from_secret(Algorithm::HS256, b"nT7#kq2!vX9@mZ4$wR8%yB6^cD3&fG5*")?;
//! let sessions = Authenticator::new(JwtVerifier::builder(key).with_issuer("https://auth.example.com").build()?, MemoryStore::new());
//! let admins = sessions.clone().with_claim_validator(PrimitiveArrayClaim::USER_ROLE.includes("admin"));
//!
//! let router = Router::new()
//!     .push(Router::with_path("greet").hoop(user_metadata(&sessions.clone().with_optional_sessions())).get(greet))
//!     .push(Router::with_path("forget").hoop(user_metadata(&sessions)).post(forget_notifications))
//!     .push(Router::with_path("update").hoop(user_metadata(&admins)).post(update))
//!     .push(Router::with_path("metadata").hoop(user_metadata(&sessions)).goal(UserMetadataEndpoints::new()));
//! let service = Service::new(router);
//!
//! # use salvo_core::conn::SocketAddr::Unknown;
//! # use http::uri::Scheme;
//! # let handler = service.hyper_handler(Unknown, Unknown, Scheme::HTTP, None, ConnCtrl::new(), None);
//! let send = async |method: Method, path: &str| {
//!     let request = http::Request::builder().method(method).uri(path).body(ReqBody::None).unwrap();
//! #   let service = &handler;
//!     service.handle(Request::from_hyper(request, Scheme::HTTP)).await.status_code
//! };
//! assert_eq!(send(Method::GET, "/greet").await, Some(StatusCode::OK));
//! for path in ["/forget", "/update", "/metadata"] {
//!     assert_eq!(send(Method::POST, path).await, Some(StatusCode::UNAUTHORIZED));
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # You have sessions already
//!
//! A hoop of your own that knows the user puts a handle into the depot, or into the extensions of the request, and
//! [`NoSession`](crate::layer::NoSession) for a visitor who is not signed in; [more on
//! that](crate::adapter#you-have-sessions-already). Here `Account` is what your hoop has.
//!
//! ```
//! use std::sync::Arc;
//!
//! use salvo_core::http::ReqBody;
//! use salvo_core::prelude::*;
//! use tower_user_metadata::adapter::salvo::Optional;
//! use tower_user_metadata::endpoints::UserMetadataEndpoints;
//! use tower_user_metadata::layer::NoSession;
//! use tower_user_metadata::{MetadataStore, UserId, UserMetadataHandle, store};
//!
//! #[derive(Clone)]
//! struct Account {
//!     id: i64,
//! }
//!
//! struct Known(Arc<dyn MetadataStore>);
//!
//! #[handler]
//! impl Known {
//!     async fn handle(&self, request: &mut Request, depot: &mut Depot) {
//!         let account = request.extensions().get::<Account>();
//!         match account.and_then(|account| UserId::new(account.id.to_string()).ok()) {
//!             Some(user) => depot.insert_typed(UserMetadataHandle::for_user(user, self.0.clone())),
//!             None => depot.insert_typed(NoSession),
//!         };
//!     }
//! }
//!
//! #[handler]
//! fn greet(metadata: Optional<UserMetadataHandle>) -> String {
//!     metadata.0.map_or("Hello, stranger".to_owned(), |metadata| format!("Hello, {}", metadata.user_id().as_str()))
//! }
//!
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! let router = Router::new()
//!     .hoop(Known(store::connect("memory:").await?))
//!     .push(Router::with_path("greet").get(greet))
//!     .push(Router::with_path("metadata").goal(UserMetadataEndpoints::new()));
//! # use salvo_core::conn::SocketAddr::Unknown;
//! # use http::uri::Scheme;
//! # let handler = Service::new(router).hyper_handler(Unknown, Unknown, Scheme::HTTP, None, ConnCtrl::new(), None);
//! let send = async |request: http::Request<ReqBody>| {
//! #   let service = &handler;
//!     service.handle(Request::from_hyper(request, Scheme::HTTP)).await.status_code
//! };
//!
//! let stranger = http::Request::get("/metadata").body(ReqBody::None)?;
//! assert_eq!(send(stranger).await, Some(StatusCode::UNAUTHORIZED));
//! let request = http::Request::get("/metadata").extension(Account { id: 7 }).body(ReqBody::None)?;
//! assert_eq!(send(request).await, Some(StatusCode::OK));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Testing a handler
//!
//! No token, key or hoop is needed: a handle on a store in memory takes their place.
//!
//! ```
//! use salvo_core::http::ReqBody;
//! use salvo_core::prelude::*;
//! use tower_user_metadata::store::MemoryStore;
//! use tower_user_metadata::{StoreError, UserId, UserMetadataHandle, metadata_update};
//!
//! #[handler]
//! async fn choose_theme(metadata: UserMetadataHandle) -> Result<String, StoreError> {
//!     Ok(metadata.update(metadata_update! { "theme": "dark" }).await?.metadata.to_json())
//! }
//!
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! let alice = UserMetadataHandle::for_user(UserId::new("alice")?, MemoryStore::new());
//! let mut request = Request::default();
//! request.extensions_mut().insert(alice.clone());
//! let (mut depot, mut response) = (Depot::new(), Response::new());
//! choose_theme.handle(&mut request, &mut depot, &mut response, &mut FlowCtrl::new(vec![])).await;
//! assert_eq!(response.status_code.unwrap_or_default(), StatusCode::OK);
//! assert_eq!(alice.get().await?.to_json(), r#"{"theme":"dark"}"#);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [salvo]: https://docs.rs/salvo/1
//! [`AuthError`]: crate::AuthError
//! [`InvalidMetadata`]: crate::InvalidMetadata
//! [`MetadataUpdate`]: crate::MetadataUpdate
//! [`Problem`]: crate::endpoints::Problem
//! [`Session`]: crate::Session
//! [`StoreError`]: crate::StoreError
//! [`UserMetadataHandle`]: crate::UserMetadataHandle

mod extract;
mod hoop;
mod response;

pub use super::Optional;
pub use hoop::{UserMetadata, user_metadata};
