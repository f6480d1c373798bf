//! A middleware, extractors and responses for [poem] 3.
//!
//! Inside the middleware [`user_metadata`], a handler may take
//!
//! * a [`UserMetadataHandle`] or a [`Session`]: everybody else is refused with a 401;
//! * an [`Optional`] of either, where the middleware's authenticator is [`.with_optional_sessions()`](crate::Authenticator::with_optional_sessions):
//!   `None` for requests without credentials;
//! * a [`MetadataUpdate`], read from the body of the request.
//!
//! The [ready-made endpoints](crate::endpoints::UserMetadataEndpoints) are an endpoint. A route that demands more of
//! a session, such as a role, is wrapped in a middleware whose authenticator has a [claim
//! validator](crate::Authenticator::with_claim_validator) more.
//!
//! [`StoreError`], [`InvalidMetadata`], [`AuthError`] and [`Problem`] are errors of poem, so `?` works on them, and
//! each is answered as the ready-made endpoints would. A route without the middleware is answered with a 500 that says
//! how to add it. Do not take an `Option<Session>`: poem makes `None` of that 500 too, and [`Optional`] does not. A handler
//! that makes a response of such an error, to add a header, takes from it what it was, so that
//! [`with_problem_response`](crate::Authenticator::with_problem_response) leaves it as it is; return the error.
//!
//! ```
//! use poem::{Endpoint, EndpointExt, Request, Route, get, handler, post};
//! use tower_user_metadata::adapter::poem::{Optional, user_metadata};
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
//! async fn update(metadata: UserMetadataHandle, update: MetadataUpdate) -> Result<String, StoreError> {
//!     Ok(metadata.update(update).await?.metadata.to_json())
//! }
//!
//! #[handler]
//! fn greet(Optional(session): Optional<Session>) -> String {
//!     session.map_or("Hello, stranger".to_owned(), |session| format!("Hello, {}", session.user_id().as_str()))
//! }
//!
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! let key = VerificationKey::from_secret(Algorithm::HS256, b"nT7#kq2!vX9@mZ4$wR8%yB6^cD3&fG5*")?;
//! let sessions = Authenticator::new(JwtVerifier::builder(key).with_issuer("https://auth.example.com").build()?, MemoryStore::new());
//! let admins = sessions.clone().with_claim_validator(PrimitiveArrayClaim::USER_ROLE.includes("admin"));
//!
//! let app = Route::new()
//!     .at("/greet", get(greet).with(user_metadata(&sessions.clone().with_optional_sessions())))
//!     .at("/forget", post(forget_notifications).with(user_metadata(&sessions)))
//!     .at("/update", post(update).with(user_metadata(&admins)))
//!     .at("/metadata", UserMetadataEndpoints::new().with(user_metadata(&sessions)));
//!
//! let stranger = app.get_response(Request::builder().uri_str("/greet").finish()).await;
//! assert_eq!(stranger.into_body().into_string().await?, "Hello, stranger");
//! for path in ["/forget", "/update", "/metadata"] {
//!     let stranger = app.get_response(Request::builder().method(http::Method::POST).uri_str(path).finish()).await;
//!     assert_eq!(stranger.status(), 401);
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # You have sessions already
//!
//! A middleware of your own that knows the user puts a handle into the request; [more on
//! that](crate::adapter#you-have-sessions-already). Here `Account` is what your middleware has.
//!
//! ```
//! use poem::{Endpoint, EndpointExt, Request, Route, get, handler};
//! use tower_user_metadata::adapter::poem::Optional;
//! use tower_user_metadata::endpoints::UserMetadataEndpoints;
//! use tower_user_metadata::layer::put_user_metadata;
//! use tower_user_metadata::{UserId, UserMetadataHandle, store};
//!
//! #[derive(Clone)]
//! struct Account {
//!     id: i64,
//! }
//!
//! #[handler]
//! fn greet(Optional(metadata): Optional<UserMetadataHandle>) -> String {
//!     metadata.map_or("Hello, stranger".to_owned(), |metadata| format!("Hello, {}", metadata.user_id().as_str()))
//! }
//!
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! let store = store::connect("memory:").await?;
//! let app = Route::new().at("/greet", get(greet)).at("/metadata", UserMetadataEndpoints::new());
//! let app = app.before(move |mut request: Request| {
//!     let user = request.extensions().get::<Account>().and_then(|account| UserId::new(account.id.to_string()).ok());
//!     let metadata = user.map(|user| UserMetadataHandle::for_user(user, store.clone()));
//!     put_user_metadata(request.extensions_mut(), metadata);
//!     async { Ok(request) }
//! });
//!
//! let stranger = app.get_response(Request::builder().uri_str("/metadata").finish()).await;
//! assert_eq!(stranger.status(), 401);
//! let request = Request::builder().uri_str("/greet").extension(Account { id: 7 }).finish();
//! assert_eq!(app.get_response(request).await.into_body().into_string().await?, "Hello, 7");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Testing a handler
//!
//! No token, key or middleware is needed: a handle on a store in memory takes their place.
//!
//! ```
//! use poem::{Endpoint, Request, handler};
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
//! let response = choose_theme.get_response(Request::builder().extension(alice.clone()).finish()).await;
//! assert_eq!(response.into_body().into_string().await?, r#"{"theme":"dark"}"#);
//! assert_eq!(alice.get().await?.to_json(), r#"{"theme":"dark"}"#);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [poem]: https://docs.rs/poem/3
//! [`AuthError`]: crate::AuthError
//! [`InvalidMetadata`]: crate::InvalidMetadata
//! [`MetadataUpdate`]: crate::MetadataUpdate
//! [`Problem`]: crate::endpoints::Problem
//! [`Session`]: crate::Session
//! [`StoreError`]: crate::StoreError
//! [`UserMetadataHandle`]: crate::UserMetadataHandle

mod extract;
mod middleware;
mod response;

pub use super::Optional;
pub use middleware::{UserMetadata, UserMetadataEndpoint, user_metadata};
