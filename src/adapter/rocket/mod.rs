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
