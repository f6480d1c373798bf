//! Web frameworks: what makes their handlers take a session or a metadata handle as an argument.
//!
//! | Framework | Feature | Sessions are verified by |
//! |---|---|---|
//! | [actix-web](actix/index.html) | `actix` | the middleware `user_metadata` |
//! | [axum](axum/index.html) | `axum` | [`UserMetadataLayer`](crate::UserMetadataLayer) |
//! | [warp](warp/index.html) | `warp` | the filters themselves, such as `user_metadata` |
//!
//! Whatever speaks `http` 1 and Tower needs none of these: a handler takes the
//! [`UserMetadataHandle`](crate::UserMetadataHandle) from the request's extensions.
//!
//! All of them give the same answers to the same requests, byte for byte. What is decided below or beside an adapter
//! stays as it is:
//!
//! * actix-web refuses with 400 and an empty body what is not strictly HTTP/1.1, such as no `Host` or two, a
//!   `Content-Length` beside chunks, a target that is not ASCII; hyper, below the others, makes sense of it.
//! * actix-web closes a connection after it answered a request whose body nobody read, as that of a refused one, and
//!   sends `100 Continue` before anybody looked at the request; hyper does neither.
//! * Routers: actix-web's decodes `/%75serinfo`, and to warp's `path::end` `/userinfo/` is `/userinfo`.

#[cfg(feature = "actix")]
pub mod actix;
#[cfg(feature = "axum")]
pub mod axum;
#[cfg(any(feature = "actix", feature = "warp"))]
mod body;
#[cfg(feature = "warp")]
pub mod warp;
