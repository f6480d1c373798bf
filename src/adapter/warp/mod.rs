//! Filters that verify sessions, for [warp] 0.4.
//!
//! The filters are made from an [`Authenticator`], so none can be without one, and reject whoever has no session:
//!
//! * [`user_metadata`] and [`session`] extract a [`UserMetadataHandle`] or a [`Session`], [`authenticated`] both;
//! * [`optional_user_metadata`] and [`optional_session`] extract an `Option`: `None` for requests without credentials;
//! * [`metadata_update`] extracts a [`MetadataUpdate`] from the body of the request;
//! * [`endpoints`] answers with the ready-made endpoints.
//!
//! [`StoreError`], [`InvalidMetadata`], [`AuthError`] and [`Problem`] become rejections, so `?` works on them in a
//! handler for `and_then`. [`recover`] renders them all. Put it around the routes that use these filters, and routes that
//! take any request outside of it: warp asks the next route whatever the last one rejected with.
//!
//! ```
//! use serde_json::json;
//! use tower_user_metadata::adapter::warp::{metadata_update, optional_session, recover, user_metadata};
//! use tower_user_metadata::session::keys::{Algorithm, VerificationKey};
//! use tower_user_metadata::store::MemoryStore;
//! use tower_user_metadata::session::JwtVerifier;
//! use tower_user_metadata::{Authenticator, MetadataUpdate, Session, UserMetadataHandle, metadata_update};
//! use warp::{Filter, Rejection, Reply};
//!
//! async fn forget_notifications(metadata: UserMetadataHandle) -> Result<impl Reply, Rejection> {
//!     metadata.update(metadata_update! { "notifications": null }).await?;
//!     Ok(warp::reply::json(&json!({ "message": "successfully updated user metadata" })))
//! }
//!
//! async fn update(metadata: UserMetadataHandle, update: MetadataUpdate) -> Result<impl Reply, Rejection> {
//!     Ok(metadata.update(update).await?.metadata.to_json())
//! }
//!
//! fn greet(session: Option<Session>) -> String {
//!     session.map_or("Hello, stranger".to_owned(), |session| format!("Hello, {}", session.user_id().as_str()))
//! }
//!
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! let key = VerificationKey::from_secret(Algorithm::HS256, b"nT7#kq2!vX9@mZ4$wR8%yB6^cD3&fG5*")?;
//! let sessions = Authenticator::new(JwtVerifier::builder(key).with_issuer("https://auth.example.com").build()?, MemoryStore::new());
//!
//! let greet = warp::path!("greet").and(warp::get()).and(optional_session(&sessions)).map(greet);
//! let forget =
//!     warp::path!("forget").and(warp::post()).and(user_metadata(&sessions)).and_then(forget_notifications);
//! let update = warp::path!("update")
//!     .and(warp::post())
//!     .and(user_metadata(&sessions))
//!     .and(metadata_update(&sessions))
//!     .and_then(update);
//! let routes = greet.or(forget).or(update).recover(recover(&sessions));
//!
//! let stranger = warp::test::request().path("/greet").reply(&routes).await;
//! assert_eq!(stranger.body(), "Hello, stranger");
//! let stranger = warp::test::request().path("/forget").method("POST").reply(&routes).await;
//! assert_eq!(stranger.status(), 401);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # You have sessions already
//!
//! A filter of your own that knows the user extracts a handle, and no filter of this crate is needed for it; [more on
//! that](crate::adapter#you-have-sessions-already). [`endpoints_for`] takes such a filter, and
//! [`metadata_update_within`] the limits of your store. Here the header is what your filter has verified.
//!
//! ```
//! use tower_user_metadata::adapter::warp::{endpoints_for, metadata_update_within, recover_default};
//! use tower_user_metadata::endpoints::UserMetadataEndpoints;
//! use tower_user_metadata::{
//!     AuthError, AuthErrorKind, MetadataStore, MetadataUpdate, UserId, UserMetadataHandle, store,
//! };
//! use warp::{Filter, Rejection, Reply};
//!
//! async fn update(metadata: UserMetadataHandle, update: MetadataUpdate) -> Result<impl Reply, Rejection> {
//!     Ok(metadata.update(update).await?.metadata.to_json())
//! }
//!
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! let store = store::connect("memory:").await?;
//! let limits = store.capabilities().limits();
//! let known = warp::header::optional::<String>("x-verified-user").map(move |id: Option<String>| {
//!     let user = id.and_then(|id| UserId::new(id).ok());
//!     user.map(|user| UserMetadataHandle::for_user(user, store.clone()))
//! });
//! let required = known.clone().and_then(async |metadata: Option<UserMetadataHandle>| {
//!     metadata.ok_or_else(|| Rejection::from(AuthError::new(AuthErrorKind::MissingCredentials)))
//! });
//!
//! let update = warp::path!("update").and(required).and(metadata_update_within(limits)).and_then(update);
//! let metadata = warp::path!("metadata").and(endpoints_for(known, UserMetadataEndpoints::new()));
//! let routes = update.or(metadata).recover(recover_default);
//!
//! let stranger = warp::test::request().path("/metadata").reply(&routes).await;
//! assert_eq!(stranger.status(), 401);
//! let request = warp::test::request().path("/update").method("POST").header("content-type", "application/json");
//! let updated = request.header("x-verified-user", "alice").body(r#"{"theme":"dark"}"#).reply(&routes).await;
//! assert_eq!(updated.body(), r#"{"theme":"dark"}"#);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Testing a handler
//!
//! No token, key or authenticator is needed: a handle on a store in memory takes their place.
//!
//! ```
//! use tower_user_metadata::store::MemoryStore;
//! use tower_user_metadata::{UserId, UserMetadataHandle, metadata_update};
//! use warp::{Filter, Rejection};
//!
//! async fn choose_theme(metadata: UserMetadataHandle) -> Result<String, Rejection> {
//!     Ok(metadata.update(metadata_update! { "theme": "dark" }).await?.metadata.to_json())
//! }
//!
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! let alice = UserMetadataHandle::for_user(UserId::new("alice")?, MemoryStore::new());
//! let user = alice.clone();
//! let route = warp::any().map(move || user.clone()).and_then(choose_theme);
//! assert_eq!(warp::test::request().reply(&route).await.body(), r#"{"theme":"dark"}"#);
//! assert_eq!(alice.get().await?.to_json(), r#"{"theme":"dark"}"#);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [warp]: https://docs.rs/warp/0.4
//! [`AuthError`]: crate::AuthError
//! [`Authenticator`]: crate::Authenticator
//! [`InvalidMetadata`]: crate::InvalidMetadata
//! [`MetadataUpdate`]: crate::MetadataUpdate
//! [`Problem`]: crate::endpoints::Problem
//! [`Session`]: crate::Session
//! [`StoreError`]: crate::StoreError
//! [`UserMetadataHandle`]: crate::UserMetadataHandle

mod filters;
mod rejection;

pub use filters::{
    authenticated, endpoints, endpoints_for, metadata_update, metadata_update_within, optional_session,
    optional_user_metadata, session, user_metadata,
};
pub use rejection::{recover, recover_default};
