//! Web frameworks: what makes their handlers take a session or a metadata handle as an argument.
//!
//! | Framework | Feature | Sessions are verified by |
//! |---|---|---|
//! | [actix-web](actix/index.html) | `actix` | the middleware `user_metadata` |
//! | [axum](axum/index.html) | `axum` | [`UserMetadataLayer`](crate::UserMetadataLayer) |
//! | [AWS Lambda](lambda/index.html) | `lambda` | [`UserMetadataLayer`](crate::UserMetadataLayer), and a `run` for it |
//! | [poem](poem/index.html) | `poem` | the middleware `user_metadata` |
//! | [Rocket](rocket/index.html) | `rocket` | the request guards, for whom the fairing `UserMetadata` is attached |
//! | [salvo](salvo/index.html) | `salvo` | the hoop `user_metadata` |
//! | [tonic](tonic/index.html) | `tonic` | [`UserMetadataLayer`](crate::UserMetadataLayer) |
//! | [warp](warp/index.html) | `warp` | the filters themselves, such as `user_metadata` |
//! | bare hyper and others | (none) | [`UserMetadataLayer`](crate::UserMetadataLayer) |
//!
//! Whatever speaks `http` 1 and Tower needs no module of its own: a handler asks the request, by [`RequestExt`].
//!
//! All of them give the same answers to the same requests, byte for byte. What is decided below or beside an adapter
//! stays as it is:
//!
//! * actix-web refuses with 400 and an empty body what is not strictly HTTP/1.1, such as no `Host` or two, a
//!   `Content-Length` beside chunks, a target that is not ASCII; hyper, below the others, makes sense of it.
//! * actix-web closes a connection after it answered a request whose body nobody read, as that of a refused one; hyper
//!   does not. actix-web and Rocket send `100 Continue` before anybody looked at the request.
//! * Rocket drops headers that are not UTF-8, so that what others call malformed credentials is none to it.
//! * Routers: those of actix-web, Rocket and salvo decode `/%75serinfo`, and to those of Rocket and salvo and to warp's
//!   `path::end` `/userinfo/` is `/userinfo`.
//! * Before a function on AWS Lambda, a load balancer with its defaults hides all but the last header of each name; the
//!   module for it says what to switch on.
//! * A handler that panics ends no request but its own, and what it wrote before is kept. Rocket answers 500, a function on
//!   AWS Lambda fails and its gateway answers 502, tonic resets the one stream; the others close the connection without an
//!   answer.
//! * gRPC has statuses, methods and messages of its own; the module for tonic says what becomes what.
#![doc = include_str!("policy.md")]

#[cfg(feature = "actix")]
pub mod actix;
#[cfg(feature = "axum")]
pub mod axum;
#[cfg(any(feature = "actix", feature = "rocket", feature = "warp"))]
mod body;
#[cfg(any(feature = "actix", feature = "axum", feature = "poem", feature = "rocket", feature = "salvo"))]
mod errors;
mod extensions;
#[cfg(feature = "lambda")]
pub mod lambda;
mod optional;
#[cfg(feature = "poem")]
pub mod poem;
#[cfg(feature = "rocket")]
pub mod rocket;
#[cfg(feature = "salvo")]
pub mod salvo;
#[cfg(feature = "tonic")]
pub mod tonic;
#[cfg(feature = "warp")]
pub mod warp;

pub use extensions::RequestExt;
pub use optional::Optional;
