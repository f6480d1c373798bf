//! A middleware, extractors and responses for [actix-web] 4.
//!
//! Inside the middleware [`user_metadata`], a handler may take
//!
//! * a [`UserMetadataHandle`] or a [`Session`]: everybody else is refused with a 401;
//! * an [`Optional`] of either, where the middleware's authenticator is [`.with_optional_sessions()`](crate::Authenticator::with_optional_sessions):
//!   `None` for requests without credentials;
//! * a [`MetadataUpdate`], read from the body of the request.
//!
//! [`endpoints`] mounts the ready-made endpoints.
//!
//! [`StoreError`], [`InvalidMetadata`], [`AuthError`] and [`Problem`] are errors of actix-web, so `?` works on them, and
//! each is answered as the [ready-made endpoints](crate::endpoints) would. A route without the middleware is answered
//! with a 500 that says how to add it. Do not take an `Option<Session>`: actix-web makes `None` of that 500 too, and
//! [`Optional`] does not.
//!
//! ```
//! use actix_web::http::StatusCode;
//! use actix_web::{App, HttpResponse, test, web};
//! use serde_json::json;
//! use tower_user_metadata::adapter::actix::{Optional, user_metadata};
//! use tower_user_metadata::session::keys::{Algorithm, VerificationKey};
//! use tower_user_metadata::store::MemoryStore;
//! use tower_user_metadata::session::JwtVerifier;
//! use tower_user_metadata::{
//!     Authenticator, MetadataUpdate, Session, StoreError, UserMetadataHandle, metadata_update,
//! };
//!
//! async fn forget_notifications(metadata: UserMetadataHandle) -> Result<HttpResponse, StoreError> {
//!     metadata.update(metadata_update! { "notifications": null }).await?;
//!     Ok(HttpResponse::Ok().json(json!({ "message": "successfully updated user metadata" })))
//! }
//!
//! async fn update(metadata: UserMetadataHandle, update: MetadataUpdate) -> Result<String, StoreError> {
//!     Ok(metadata.update(update).await?.metadata.to_json())
//! }
//!
//! async fn greet(Optional(session): Optional<Session>) -> String {
//!     session.map_or("Hello, stranger".to_owned(), |session| format!("Hello, {}", session.user_id().as_str()))
//! }
//!
//! # actix_web::rt::System::new().block_on(async {
//! let key = VerificationKey::from_secret(Algorithm::HS256, b"nT7#kq2!vX9@mZ4$wR8%yB6^cD3&fG5*")?;
//! let required = Authenticator::new(JwtVerifier::builder(key).with_issuer("https://auth.example.com").build()?, MemoryStore::new());
//! let optional = required.clone().with_optional_sessions();
//!
//! // For `HttpServer::new`, which calls it once a worker: what is made outside of it all workers share.
//! let app = move || {
//!     App::new()
//!         .service(web::resource("/greet").wrap(user_metadata(&optional)).get(greet))
//!         .service(web::resource("/forget").wrap(user_metadata(&required)).post(forget_notifications))
//!         .service(web::resource("/update").wrap(user_metadata(&required)).post(update))
//! };
//!
//! let app = test::init_service(app()).await;
//! let stranger = test::TestRequest::get().uri("/greet").to_request();
//! assert_eq!(test::call_and_read_body(&app, stranger).await, "Hello, stranger");
//! let stranger = test::TestRequest::post().uri("/forget").to_request();
//! assert_eq!(test::call_service(&app, stranger).await.status(), StatusCode::UNAUTHORIZED);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # You have sessions already
//!
//! A middleware of your own that knows the user inserts a handle, and [`NoSession`](crate::layer::NoSession) for a
//! visitor who is not signed in; [more on that](crate::adapter#you-have-sessions-already). Here `Account` is what your
//! middleware has.
//!
//! ```
//! use actix_web::dev::Service;
//! use actix_web::http::StatusCode;
//! use actix_web::{App, HttpMessage, test, web};
//! use tower_user_metadata::adapter::actix::{Optional, endpoints};
//! use tower_user_metadata::endpoints::UserMetadataEndpoints;
//! use tower_user_metadata::layer::NoSession;
//! use tower_user_metadata::{UserId, UserMetadataHandle, store};
//!
//! #[derive(Clone)]
//! struct Account {
//!     id: i64,
//! }
//!
//! async fn greet(Optional(metadata): Optional<UserMetadataHandle>) -> String {
//!     metadata.map_or("Hello, stranger".to_owned(), |metadata| format!("Hello, {}", metadata.user_id().as_str()))
//! }
//!
//! # actix_web::rt::System::new().block_on(async {
//! let store = store::connect("memory:").await?;
//! let known = web::scope("")
//!     .wrap_fn(move |request, service| {
//!         let account = request.extensions().get::<Account>().cloned();
//!         match account.and_then(|account| UserId::new(account.id.to_string()).ok()) {
//!             Some(user) => drop(request.extensions_mut().insert(UserMetadataHandle::for_user(user, store.clone()))),
//!             None => drop(request.extensions_mut().insert(NoSession)),
//!         }
//!         service.call(request)
//!     })
//!     .service(web::resource("/greet").get(greet))
//!     .service(web::resource("/metadata").route(endpoints(UserMetadataEndpoints::new())));
//!
//! let app = test::init_service(App::new().service(known)).await;
//! let stranger = test::TestRequest::get().uri("/metadata").to_request();
//! assert_eq!(test::call_service(&app, stranger).await.status(), StatusCode::UNAUTHORIZED);
//! let request = test::TestRequest::get().uri("/greet").to_request();
//! request.extensions_mut().insert(Account { id: 7 });
//! assert_eq!(test::call_and_read_body(&app, request).await, "Hello, 7");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Testing a handler
//!
//! No token, key or middleware is needed: a handle on a store in memory takes their place. Without an application the
//! handler is called as a function.
//!
//! ```
//! use actix_web::{App, HttpMessage, test, web};
//! use tower_user_metadata::store::MemoryStore;
//! use tower_user_metadata::{StoreError, UserId, UserMetadataHandle, metadata_update};
//!
//! async fn choose_theme(metadata: UserMetadataHandle) -> Result<String, StoreError> {
//!     Ok(metadata.update(metadata_update! { "theme": "dark" }).await?.metadata.to_json())
//! }
//!
//! # actix_web::rt::System::new().block_on(async {
//! let alice = UserMetadataHandle::for_user(UserId::new("alice")?, MemoryStore::new());
//! assert_eq!(choose_theme(alice.clone()).await?, r#"{"theme":"dark"}"#);
//!
//! let app = test::init_service(App::new().route("/theme", web::post().to(choose_theme))).await;
//! let request = test::TestRequest::post().uri("/theme").to_request();
//! request.extensions_mut().insert(alice.clone());
//! assert_eq!(test::call_and_read_body(&app, request).await, r#"{"theme":"dark"}"#);
//! assert_eq!(alice.get().await?.to_json(), r#"{"theme":"dark"}"#);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [actix-web]: https://docs.rs/actix-web/4
//! [`AuthError`]: crate::AuthError
//! [`InvalidMetadata`]: crate::InvalidMetadata
//! [`MetadataUpdate`]: crate::MetadataUpdate
//! [`Problem`]: crate::endpoints::Problem
//! [`Session`]: crate::Session
//! [`StoreError`]: crate::StoreError
//! [`UserMetadataHandle`]: crate::UserMetadataHandle

mod endpoints;
mod extract;
mod middleware;
mod response;

pub use super::Optional;
pub use endpoints::endpoints;
pub use middleware::user_metadata;
