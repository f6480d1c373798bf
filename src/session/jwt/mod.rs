//! Sessions carried in signed tokens (JWT, RFC 7519).
//!
//! A JWT library is not a verifier: strict checks of ours stand before and after the signature. The order of work is
//! size, three parts, base64url, header, key, algorithm, signature, claims from the very bytes that were signed, time,
//! issuer and audience, purpose, what else the service demands. An error says the first of these that failed, so a token with a wrong signature is
//! never called "expired".

mod base64url;
mod builder;
mod demands;
mod header;
mod jws;
mod mismatch;
mod name;
mod oidc;
mod purpose;
mod rules;
mod supertokens;
mod supertokens_builder;
mod time;
mod verifier;

pub use builder::JwtVerifierBuilder;
pub use supertokens_builder::SuperTokensVerifierBuilder;
pub use verifier::JwtVerifier;
