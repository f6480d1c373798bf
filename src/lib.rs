//! Tower middleware that verifies the session of each request and hands the handler the metadata of its user: a little
//! JSON that is merged shallowly, with the semantics of SuperTokens user metadata.
//!
//! ```
//! use std::convert::Infallible;
//!
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::Full;
//! use tower::{Layer, Service};
//! use tower_user_metadata::session::keys::{Algorithm, VerificationKey};
//! use tower_user_metadata::session::JwtVerifier;
//! use tower_user_metadata::{StoreError, UserMetadataHandle, UserMetadataLayer, metadata_update, store};
//!
//! async fn update_info(request: Request<()>) -> Result<Response<Full<Bytes>>, StoreError> {
//!     let metadata = request.extensions().get::<UserMetadataHandle>().expect("the layer puts it there");
//!     let record = metadata.update(metadata_update! { "theme": "dark", "notifications": null }).await?;
//!     Ok(Response::new(record.metadata.to_json().into()))
//! }
//!
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! let secret = b"nT7#kq2!vX9@mZ4$wR8%yB6^cD3&fG5*";
//! // What else does this key sign? Without the claim, an invitation that it signs would be a session.
//! let verifier = JwtVerifier::builder(VerificationKey::from_secret(Algorithm::HS256, secret)?)
//!     .without_audience()
//!     .with_required_claim("use", "access")
//!     .build()?;
//! let layer = UserMetadataLayer::new(verifier, store::connect("memory:").await?);
//! let mut service = layer.layer(tower::service_fn(update_info));
//! # let claims = serde_json::json!({ "sub": "alice", "use": "access", "exp": 4_000_000_000_u64 });
//! # let key = jsonwebtoken::EncodingKey::from_secret(secret)?;
//! # let token = jsonwebtoken::encode(&jsonwebtoken::Header::default(), &claims, &key)?;
//!
//! let request = Request::post("/updateinfo").header("authorization", format!("Bearer {token}")).body(())?;
//! assert_eq!(service.call(request).await?.status(), 200);
//! let stranger = Request::post("/updateinfo").body(())?;
//! assert_eq!(service.call(stranger).await?.status(), 401);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Where things are
//!
//! | Module | What it is about |
//! |---|---|
//! | [`metadata`] | *what* is kept: documents, updates, the merge, versions, limits |
//! | [`session`] | *who* is calling: verifiers, keys, claims, where tokens are found |
//! | [`store`] | *where* it is kept: the contract, the stores, and the wrappers around one |
//! | [`UserMetadataHandle`] | what a handler holds |
//! | [`Authenticator`] | headers in, session and handle out: the one place where sessions and stores meet |
//! | [`layer`] | the Tower layer around it |
//! | [`endpoints`] | ready-made `GET`, `PATCH` and `DELETE` |
//! | [`adapter`] | extractors and middlewares, one module a framework |
//! | `forward_auth` | the same checks for a proxy in front of services in other languages |
//! | `blocking` | a store whose calls block, for scripts and threads without a runtime |
//! | `conformance` | the contracts as functions, for authors of stores and adapters |
//!
//! # Features
//!
//! None is on by default.
//!
//! | Feature | What it adds |
//! |---|---|
//! | `jwks` | the HTTPS client for the keys of an OpenID Connect provider or a SuperTokens core |
//! | `sqlite` | `store::SqliteStore`: embedded, durable, group commit |
//! | `postgres` | `store::PostgresStore`: one statement a write, calls of many users gathered, TLS |
//! | `redis` | `store::RedisStore`: one server or a Cluster, with TLS |
//! | `metrics` | numbers of [`store::ObservedStore`] for the `metrics` facade |
//! | `mariadb` | `store::MariadbStore`: MariaDB 10.5 and newer, one statement a write, TLS |
//! | `blocking` | `blocking::BlockingStore`: any store without `async` |
//! | `axum` | extractors and responses for axum 0.8 |
//! | `actix` | a middleware, extractors and responses for actix-web 4 |
//! | `warp` | filters and rejections for warp 0.4 |
//! | `lambda` | AWS Lambda with `lambda_http` 1: a `run` that shows the layer all values of every header |
//! | `poem` | a middleware, extractors and responses for poem 3 |
//! | `salvo` | a hoop, extractors and responses for salvo 1; it needs Rust 1.95, as salvo does |
//! | `tonic` | refusals and errors as gRPC statuses for tonic 0.14 |
//! | `rocket` | a fairing, request guards and responders for Rocket 0.5 |
//! | `sidecar` | the program `user-metadata-auth` for nginx, Traefik, Caddy and Envoy, and `forward_auth` |
//! | `conformance` | the contracts of stores and adapters as functions; outside semver |
//!
//! `jwks`, `postgres`, `mariadb` and `redis` speak TLS by rustls on aws-lc. With `-ring` behind the name it is rustls on ring,
//! and with `-no-provider` the provider that the application installs.
//!
//! # A request, in one direction
//!
//! 1. [`TokenSources`](session::TokenSources) finds the token in the headers.
//! 2. [`JwtVerifier`](session::JwtVerifier) looks whether it verified this token before. If not, it checks the form, the header
//!    and the key, then the signature, then the claims from the very bytes that were signed.
//! 3. The anti-CSRF policy of the cookie, if the token came in one, and the claim validators check the request.
//! 4. The layer puts a [`Session`] and a [`UserMetadataHandle`] into the request's extensions. The store has not been
//!    touched.
//! 5. Only what the handler asks of the handle does I/O.
//!
//! A refusal is a response, never the service's error: 401, 403 for a claim, 503 when there are no keys. The
//! [`AuthError`] is in its extensions, and the inner service is not called. What was wrong is in the log at `debug`;
//! [Why 401?](session#why-401) says what to do about each reason.
//!
//! A service that [has sessions already](adapter#you-have-sessions-already) makes the handle by itself, and needs no
//! layer; or it looks its sessions up in a [`SessionVerifier`] of its own.
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod adapter;
mod authenticator;
#[cfg(feature = "blocking")]
pub mod blocking;
mod config_error;
#[cfg(feature = "conformance")]
pub mod conformance;
pub mod endpoints;
#[cfg(feature = "sidecar")]
pub mod forward_auth;
mod handle;
mod json;
pub mod layer;
pub mod metadata;
mod problem;
pub mod session;
pub mod store;
mod store_error;
#[cfg(feature = "_tls")]
mod tls;
mod user_id;

pub use authenticator::{Authenticated, Authentication, Authenticator};
pub use config_error::ConfigError;
pub use handle::UserMetadataHandle;
pub use json::WrongType;
pub use layer::layer::UserMetadataLayer;
pub use metadata::{
    InvalidMetadata, InvalidMetadataKind, InvalidVersion, Limits, Metadata, MetadataUpdate, Precondition, Record,
    Version,
};
pub use session::{AntiCsrf, AuthError, AuthErrorKind, Session, SessionVerifier};
pub use store::{MetadataStore, StoreError, StoreErrorKind};
pub use user_id::{InvalidUserId, UserId};

#[doc(hidden)]
pub mod __private {
    pub use crate::metadata::update_from_object;
    pub use serde_json::json;
}

/// The examples of the README compile.
#[cfg(all(doctest, feature = "axum", feature = "jwks", feature = "sqlite"))]
#[doc = include_str!("../README.md")]
struct Readme;
