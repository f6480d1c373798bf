//! Adapters for web frameworks: with them, a handler takes a session or a metadata handle as an argument.
//!
//! | Framework | Feature | Sessions are verified by |
//! |---|---|---|
//! | [actix-web](actix/index.html) | `actix` | the middleware `user_metadata` |
//! | [axum](axum/index.html) | `axum` | [`UserMetadataLayer`](crate::UserMetadataLayer) |
//! | [AWS Lambda](lambda/index.html) | `lambda` | [`UserMetadataLayer`](crate::UserMetadataLayer), and a `run` for it |
//! | [poem](poem/index.html) | `poem` | the middleware `user_metadata` |
//! | [Rocket](rocket/index.html) | `rocket` | the request guards, which need the fairing `UserMetadata` |
//! | [salvo](salvo/index.html) | `salvo` | the hoop `user_metadata` |
//! | [tonic](tonic/index.html) | `tonic` | [`UserMetadataLayer`](crate::UserMetadataLayer) |
//! | [warp](warp/index.html) | `warp` | the filters themselves, such as `user_metadata` |
//! | bare hyper and others | (none) | [`UserMetadataLayer`](crate::UserMetadataLayer) |
//!
//! A framework that uses `http` 1 and Tower needs no module of its own: a handler asks the request, by [`RequestExt`]. For
//! another framework an adapter can be written outside of this crate: a middleware around
//! [`Authenticator::authenticate`](crate::Authenticator::authenticate), extractors around
//! [`Authenticated`](crate::Authenticated) and [`read_update`](crate::endpoints::read_update), the endpoints by
//! [`UserMetadataEndpoints::respond`](crate::endpoints::UserMetadataEndpoints::respond), and errors by
//! [`Problem`](crate::endpoints::Problem). The contract in `conformance::adapter` checks it.
//!
//! An application that wants answers of another form, such as problem details, sets one function on its authenticator:
//! [`with_problem_response`](crate::Authenticator::with_problem_response). It renders refusals, updates that cannot be kept and
//! errors of stores, whether the middleware, an extractor, the endpoints or a handler gives them, everywhere but in tonic. Where
//! the middleware is not around a handler, its errors are `{"message":"…"}`.
//!
//! All adapters give the same answers to the same requests, byte for byte. The servers and routers around them differ:
//!
//! * actix-web answers 400 with an empty body to requests that are not strictly HTTP/1.1, such as one with no `Host` or two,
//!   with a `Content-Length` beside chunks, or with a target that is not ASCII. hyper, which the others use, accepts them.
//! * actix-web closes the connection after its answer to a request whose body nobody read, such as a refused one; hyper
//!   keeps it open. actix-web and Rocket send `100 Continue` before a handler has looked at the request.
//! * Rocket drops headers that are not UTF-8. Credentials in them are malformed to the others and missing to Rocket.
//! * The routers of actix-web, Rocket and salvo decode `/%75serinfo`; those of Rocket and salvo, and `path::end` of warp,
//!   take `/userinfo/` for `/userinfo`.
//! * A load balancer with default settings passes only the last header of each name to a function on AWS Lambda; the module
//!   for it says what to switch on.
//! * A handler that panics ends only its own request, and what it wrote before is kept. Rocket answers 500, a function on AWS
//!   Lambda fails and its gateway answers 502, tonic resets the stream; the others close the connection without an answer.
//! * gRPC has statuses, methods and messages of its own; the module for tonic has the table.
//!
//! # Clients that go silent
//!
//! No framework gives up on a client that stops in the middle of a body, or announces a body and sends none: a handler that
//! reads the body waits until the client closes the connection, and nothing is stored. A request without a good session is
//! answered at once, without its body; but Rocket waits for the first 14 bytes of every body, also of a request that it then
//! refuses and of a `GET`. For the head of a request actix-web gives a client 5 seconds, and hyper gives it 30 where it has a
//! timer, as in salvo and in the example for hyper; `axum::serve`, poem, Rocket and warp wait for it without a limit. So put a
//! proxy with timeouts in front, or with Tower a layer such as `RequestBodyTimeoutLayer` of `tower-http`.
#![doc = include_str!("own_sessions.md")]
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
