//! Sessions: how they are verified, with which keys, and where a request carries its token. This module knows nothing of
//! stores.
//!
#![doc = include_str!("choices.md")]
#![doc = include_str!("revoked.md")]
//!
#![doc = include_str!("why_401.md")]

mod anti_csrf;
mod authorization;
mod cache;
pub mod claims;
mod clock;
mod cookie;
mod credentials;
mod error;
mod headers;
mod internal;
mod jwt;
pub mod keys;
mod payload;
mod session_data;
mod sync;
mod verifier;

pub use anti_csrf::AntiCsrf;
pub(crate) use anti_csrf::CsrfProof;
pub use clock::{Clock, SystemClock};
pub use credentials::{TokenSource, TokenSources};
pub use error::{AuthError, AuthErrorKind, InvalidClaim};
pub use headers::Headers;
pub(crate) use internal::Internal;
pub use jwt::{JwtVerifier, JwtVerifierBuilder, SuperTokensVerifierBuilder};
pub use session_data::{Session, SessionBuilder};
pub use verifier::{SessionVerifier, Verdict, VerifyInput};
