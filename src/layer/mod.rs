//! The Tower layer: verifies the session of each request, then puts the
//! [`Session`](crate::Session) and the [`UserMetadataHandle`](crate::UserMetadataHandle) into its extensions.
//!
//! ```
//! use std::convert::Infallible;
//!
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::Full;
//! use tower::{Layer, Service};
//! use tower_user_metadata::session::keys::{Algorithm, VerificationKey};
//! use tower_user_metadata::store::MemoryStore;
//! use tower_user_metadata::session::JwtVerifier;
//! use tower_user_metadata::{UserMetadataHandle, UserMetadataLayer};
//!
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! let key = VerificationKey::from_secret(Algorithm::HS256, b"nT7#kq2!vX9@mZ4$wR8%yB6^cD3&fG5*")?;
//! let layer = UserMetadataLayer::new(JwtVerifier::builder(key).with_issuer("https://auth.example.com").build()?, MemoryStore::new());
//!
//! let handler = tower::service_fn(|request: Request<()>| async move {
//!     let metadata = request.extensions().get::<UserMetadataHandle>().expect("the layer puts it there");
//!     let document = metadata.get().await.expect("memory does not fail");
//!     Ok::<_, Infallible>(Response::new(Full::<Bytes>::from(document.to_json())))
//! });
//! let mut service = layer.layer(handler);
//!
//! let response = service.call(Request::get("/").body(())?).await?;
//! assert_eq!(response.status(), 401);
//! assert_eq!(response.headers()["www-authenticate"], "Bearer");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
#![doc = include_str!("cors.md")]

mod admission;
mod future;
#[allow(clippy::module_inception, reason = "every middleware has its layer in a file of this name")]
pub(crate) mod layer;
mod response;
mod service;

pub use admission::{NoSession, admit, put_user_metadata};
pub use future::ResponseFuture;
pub use response::{JsonRejection, RejectionResponse};
pub use service::UserMetadata;
