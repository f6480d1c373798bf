//! The keys of a key server: a JWK set behind a URL.

mod builder;
#[cfg(feature = "jwks-no-provider")]
mod client;
mod control;
mod error;
mod fetch;
mod flight;
mod handle;
mod schedule;
mod source;
mod status;
mod tasks;
mod times;
mod transport;
mod unknown;
mod url;

pub use builder::JwksBuilder;
pub use error::{JwksError, JwksErrorKind};
pub use handle::Jwks;
pub use status::JwksStatus;
pub use transport::JwksTransport;
