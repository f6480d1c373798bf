//! A fairing, request guards and responders for [Rocket] 0.5.
//!
//! With the fairing [`UserMetadata`], a handler may take as request guards
//!
//! * a [`UserMetadataHandle`] or a [`Session`]: everybody else is refused with a 401;
//! * an [`Optional`] of either: `None` for requests without credentials;
//! * [`Claims`], which demand more of a session, such as a role: everybody else is refused with a 403;
//!
//! and as data guard a [`MetadataUpdate`]. The [ready-made endpoints](crate::endpoints::UserMetadataEndpoints) can be
//! mounted.
//!
//! The session of a request is verified once, when the first guard asks. An application with such guards and without the
//! fairing does not start. [`StoreError`], [`InvalidMetadata`], [`AuthError`] and [`Problem`] are responders, each
//! answered as the ready-made endpoints would. Do not take an `Option<Session>`: Rocket makes `None` of a refusal, and
//! [`Optional`] does not.
//!
//! ```
//! use rocket::http::Status;
//! use rocket::local::asynchronous::Client;
//! use rocket::{get, post, routes};
//! use tower_user_metadata::adapter::rocket::{Claims, Demand, Optional, UserMetadata};
//! use tower_user_metadata::endpoints::UserMetadataEndpoints;
//! use tower_user_metadata::session::claims::{ClaimValidator, PrimitiveArrayClaim};
//! use tower_user_metadata::session::keys::{Algorithm, VerificationKey};
//! use tower_user_metadata::store::MemoryStore;
//! use tower_user_metadata::session::JwtVerifier;
//! use tower_user_metadata::{
//!     Authenticator, MetadataUpdate, Session, StoreError, UserMetadataHandle, metadata_update,
//! };
//!
//! struct Admin;
//!
//! impl Demand for Admin {
//!     fn validator() -> impl ClaimValidator {
//!         PrimitiveArrayClaim::USER_ROLE.includes("admin")
//!     }
//! }
//!
//! #[post("/forget")]
//! async fn forget_notifications(metadata: UserMetadataHandle) -> Result<String, StoreError> {
//!     Ok(metadata.update(metadata_update! { "notifications": null }).await?.metadata.to_json())
//! }
//!
//! #[post("/update", data = "<update>")]
//! async fn update(
//!     _admin: Claims<Admin>,
//!     metadata: UserMetadataHandle,
//!     update: MetadataUpdate,
//! ) -> Result<String, StoreError> {
//!     Ok(metadata.update(update).await?.metadata.to_json())
//! }
//!
//! #[get("/greet")]
//! fn greet(session: Optional<Session>) -> String {
//!     session.0.map_or("Hello, stranger".to_owned(), |session| format!("Hello, {}", session.user_id().as_str()))
//! }
//!
//! # rocket::tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! let key = VerificationKey::from_secret(Algorithm::HS256, b"nT7#kq2!vX9@mZ4$wR8%yB6^cD3&fG5*")?;
//! let sessions = Authenticator::new(JwtVerifier::builder(key).with_issuer("https://auth.example.com").build()?, MemoryStore::new());
//! let app = rocket::build()
//!     .attach(UserMetadata::fairing(sessions))
//!     .mount("/", routes![greet, forget_notifications, update])
//!     .mount("/metadata", UserMetadataEndpoints::new());
//!
//! let client = Client::untracked(app).await?;
//! assert_eq!(client.get("/greet").dispatch().await.into_string().await.unwrap(), "Hello, stranger");
//! for path in ["/forget", "/update", "/metadata"] {
//!     let stranger = client.post(path).dispatch().await;
//!     assert_eq!(stranger.status(), Status::Unauthorized);
//!     assert_eq!(stranger.into_string().await.unwrap(), r#"{"message":"unauthorised"}"#);
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # You have sessions already
//!
//! A fairing or a guard of your own that knows the user says so by [`put_user_metadata`], before a guard of this crate
//! asks; [more on that](crate::adapter#you-have-sessions-already). The fairing of this crate then has no authenticator,
//! and only renders refusals. Here the header is what your fairing has verified.
//!
//! ```
//! use rocket::fairing::AdHoc;
//! use rocket::http::{Header, Status};
//! use rocket::local::asynchronous::Client;
//! use rocket::{get, routes};
//! use tower_user_metadata::adapter::rocket::{Optional, UserMetadata, put_user_metadata};
//! use tower_user_metadata::endpoints::UserMetadataEndpoints;
//! use tower_user_metadata::{UserId, UserMetadataHandle, store};
//!
//! #[get("/greet")]
//! fn greet(metadata: Optional<UserMetadataHandle>) -> String {
//!     metadata.0.map_or("Hello, stranger".to_owned(), |metadata| format!("Hello, {}", metadata.user_id().as_str()))
//! }
//!
//! # rocket::tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! let store = store::connect("memory:").await?;
//! let known = AdHoc::on_request("known users", move |request, _| {
//!     let user = request.headers().get_one("x-verified-user").and_then(|id| UserId::new(id).ok());
//!     put_user_metadata(request, user.map(|user| UserMetadataHandle::for_user(user, store.clone())));
//!     Box::pin(async {})
//! });
//! let app = rocket::build()
//!     .attach(known)
//!     .attach(UserMetadata::without_authenticator())
//!     .mount("/", routes![greet])
//!     .mount("/metadata", UserMetadataEndpoints::new());
//!
//! let client = Client::untracked(app).await?;
//! assert_eq!(client.get("/metadata").dispatch().await.status(), Status::Unauthorized);
//! let request = client.get("/greet").header(Header::new("x-verified-user", "alice"));
//! assert_eq!(request.dispatch().await.into_string().await.unwrap(), "Hello, alice");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Testing a handler
//!
//! No token, key or authenticator is needed: a handle on a store in memory takes their place. Without an application
//! the handler is called as a function.
//!
//! ```
//! use rocket::fairing::AdHoc;
//! use rocket::local::asynchronous::Client;
//! use rocket::{post, routes};
//! use tower_user_metadata::adapter::rocket::{UserMetadata, put_user_metadata};
//! use tower_user_metadata::store::MemoryStore;
//! use tower_user_metadata::{StoreError, UserId, UserMetadataHandle, metadata_update};
//!
//! #[post("/theme")]
//! async fn choose_theme(metadata: UserMetadataHandle) -> Result<String, StoreError> {
//!     Ok(metadata.update(metadata_update! { "theme": "dark" }).await?.metadata.to_json())
//! }
//!
//! # rocket::tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! let alice = UserMetadataHandle::for_user(UserId::new("alice")?, MemoryStore::new());
//! assert_eq!(choose_theme(alice.clone()).await?, r#"{"theme":"dark"}"#);
//!
//! let user = alice.clone();
//! let signed_in = AdHoc::on_request("alice", move |request, _| {
//!     put_user_metadata(request, Some(user.clone()));
//!     Box::pin(async {})
//! });
//! let app = rocket::build().attach(signed_in).attach(UserMetadata::without_authenticator());
//! let client = Client::untracked(app.mount("/", routes![choose_theme])).await?;
//! let response = client.post("/theme").dispatch().await;
//! assert_eq!(response.into_string().await.unwrap(), r#"{"theme":"dark"}"#);
//! assert_eq!(alice.get().await?.to_json(), r#"{"theme":"dark"}"#);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What is special to Rocket
//!
//! * **There is no middleware that refuses.** A route without a guard of this crate needs no session. A CORS preflight gets
//!   none from the guards, and [`Optional`] is `None` for it; answer it by a route for `OPTIONS` without a required guard, or by a
//!   fairing.
//! * **Rocket reads the first 14 bytes of every body before it asks anybody**, without a time limit: a client that announces a
//!   body and sends none keeps its connection, also where it would be refused. Put a proxy with timeouts in front. An error
//!   among these bytes Rocket does not pass on; a [`MetadataUpdate`] and the endpoints notice it, and refuse what is not whole. A
//!   request fairing that peeks at more of the body may hide one of a body in chunks.
//! * **To stop, Rocket waits for all of `shutdown.grace`** when there is a connection, even an idle one. The example shows how to
//!   stop as soon as the connections have ended.
//!
//! [Rocket]: https://docs.rs/rocket/0.5
//! [`AuthError`]: crate::AuthError
//! [`InvalidMetadata`]: crate::InvalidMetadata
//! [`MetadataUpdate`]: crate::MetadataUpdate
//! [`Problem`]: crate::endpoints::Problem
//! [`Session`]: crate::Session
//! [`StoreError`]: crate::StoreError
//! [`UserMetadataHandle`]: crate::UserMetadataHandle

mod convert;
mod data;
mod fairing;
mod guards;
mod known;
mod response;

pub use super::Optional;
pub use fairing::{UserMetadata, refusal};
pub use guards::{Claims, Demand};
pub use known::put_user_metadata;
