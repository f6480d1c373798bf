//! Extractors and responses for [axum] 0.8.
//!
//! Behind a [`UserMetadataLayer`](crate::UserMetadataLayer), a handler may take
//!
//! * a [`UserMetadataHandle`] or a [`Session`]: everybody else is refused with a 401;
//! * an `Option` of either, behind a layer with [`.with_optional_sessions()`](crate::UserMetadataLayer::with_optional_sessions): `None` for requests
//!   without credentials;
//! * a [`MetadataUpdate`], read from the body of the request, as the last argument.
//!
//! [`StoreError`], [`InvalidMetadata`], [`AuthError`] and [`Problem`] are responses, so `?` works on them. A route
//! without the layer is answered with a 500 that says how to add it, also where an `Option` is taken: nothing that was
//! forgotten looks like a visitor who is not signed in.
//!
//! ```
//! use axum::body::Body;
//! use axum::http::Request;
//! use axum::routing::{get, post};
//! use axum::{Json, Router};
//! use serde_json::{Value, json};
//! use tower::ServiceExt;
//! use tower_user_metadata::session::keys::{Algorithm, VerificationKey};
//! use tower_user_metadata::store::MemoryStore;
//! use tower_user_metadata::session::JwtVerifier;
//! use tower_user_metadata::{
//!     MetadataUpdate, Session, StoreError, UserMetadataHandle, UserMetadataLayer, metadata_update,
//! };
//!
//! async fn forget_notifications(metadata: UserMetadataHandle) -> Result<Json<Value>, StoreError> {
//!     metadata.update(metadata_update! { "notifications": null }).await?;
//!     Ok(Json(json!({ "message": "successfully updated user metadata" })))
//! }
//!
//! async fn update(metadata: UserMetadataHandle, update: MetadataUpdate) -> Result<String, StoreError> {
//!     Ok(metadata.update(update).await?.metadata.to_json())
//! }
//!
//! async fn greet(session: Option<Session>) -> String {
//!     session.map_or("Hello, stranger".to_owned(), |session| format!("Hello, {}", session.user_id().as_str()))
//! }
//!
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! let key = VerificationKey::from_secret(Algorithm::HS256, b"nT7#kq2!vX9@mZ4$wR8%yB6^cD3&fG5*")?;
//! let layer = UserMetadataLayer::new(JwtVerifier::builder(key).with_issuer("https://auth.example.com").build()?, MemoryStore::new());
//! let app = Router::new()
//!     .route("/greet", get(greet))
//!     .route_layer(layer.clone().with_optional_sessions())
//!     .merge(
//!         Router::new()
//!             .route("/forget", post(forget_notifications))
//!             .route("/update", post(update))
//!             .route_layer(layer),
//!     );
//!
//! let stranger = app.clone().oneshot(Request::get("/greet").body(Body::empty())?).await?;
//! assert_eq!(stranger.status(), 200);
//! let stranger = app.oneshot(Request::post("/forget").body(Body::empty())?).await?;
//! assert_eq!(stranger.status(), 401);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # You have sessions already
//!
//! A middleware of your own that knows the user puts a handle into the request; [more on
//! that](crate::adapter#you-have-sessions-already). Here `Account` is what your middleware has, such as the user of
//! `axum-login`.
//!
//! ```
//! use axum::Router;
//! use axum::body::Body;
//! use axum::extract::Request;
//! use axum::middleware::{Next, from_fn};
//! use axum::routing::get;
//! use tower::ServiceExt;
//! use tower_user_metadata::endpoints::UserMetadataEndpoints;
//! use tower_user_metadata::layer::put_user_metadata;
//! use tower_user_metadata::{UserId, UserMetadataHandle, store};
//!
//! #[derive(Clone)]
//! struct Account {
//!     id: i64,
//! }
//!
//! async fn greet(metadata: Option<UserMetadataHandle>) -> String {
//!     metadata.map_or("Hello, stranger".to_owned(), |metadata| format!("Hello, {}", metadata.user_id().as_str()))
//! }
//!
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! let store = store::connect("memory:").await?;
//! let known = from_fn(move |mut request: Request, next: Next| {
//!     let user = request.extensions().get::<Account>().and_then(|account| UserId::new(account.id.to_string()).ok());
//!     let metadata = user.map(|user| UserMetadataHandle::for_user(user, store.clone()));
//!     put_user_metadata(request.extensions_mut(), metadata);
//!     next.run(request)
//! });
//! let app = Router::new()
//!     .route("/greet", get(greet))
//!     .route_service("/metadata", UserMetadataEndpoints::new())
//!     .route_layer(known);
//!
//! let stranger = app.clone().oneshot(Request::get("/metadata").body(Body::empty())?).await?;
//! assert_eq!(stranger.status(), 401);
//! let request = Request::get("/metadata").extension(Account { id: 7 }).body(Body::empty())?;
//! assert_eq!(app.oneshot(request).await?.status(), 200);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Testing a handler
//!
//! No token, key or layer is needed: a handle on a store in memory takes their place. Without a router the handler is
//! called as a function.
//!
//! ```
//! use axum::body::Body;
//! use axum::http::Request;
//! use axum::routing::post;
//! use axum::{Extension, Router};
//! use tower::ServiceExt;
//! use tower_user_metadata::store::MemoryStore;
//! use tower_user_metadata::{StoreError, UserId, UserMetadataHandle, metadata_update};
//!
//! async fn choose_theme(metadata: UserMetadataHandle) -> Result<String, StoreError> {
//!     Ok(metadata.update(metadata_update! { "theme": "dark" }).await?.metadata.to_json())
//! }
//!
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! let alice = UserMetadataHandle::for_user(UserId::new("alice")?, MemoryStore::new());
//! assert_eq!(choose_theme(alice.clone()).await?, r#"{"theme":"dark"}"#);
//!
//! let app = Router::new().route("/theme", post(choose_theme)).layer(Extension(alice.clone()));
//! let response = app.oneshot(Request::post("/theme").body(Body::empty())?).await?;
//! assert_eq!(response.status(), 200);
//! assert_eq!(alice.get().await?.to_json(), r#"{"theme":"dark"}"#);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [axum]: https://docs.rs/axum/0.8
//! [`AuthError`]: crate::AuthError
//! [`InvalidMetadata`]: crate::InvalidMetadata
//! [`MetadataUpdate`]: crate::MetadataUpdate
//! [`Problem`]: crate::endpoints::Problem
//! [`Session`]: crate::Session
//! [`StoreError`]: crate::StoreError
//! [`UserMetadataHandle`]: crate::UserMetadataHandle

mod extract;
mod response;
