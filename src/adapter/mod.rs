//! Web frameworks: what makes their handlers take a session or a metadata handle as an argument.
//!
//! | Framework | Feature | Sessions are verified by |
//! |---|---|---|
//! | [`axum`] | `axum` | [`UserMetadataLayer`](crate::UserMetadataLayer) |
//!
//! Whatever speaks `http` 1 and Tower needs none of these: a handler takes the
//! [`UserMetadataHandle`](crate::UserMetadataHandle) from the request's extensions.

#[cfg(feature = "axum")]
pub mod axum;
