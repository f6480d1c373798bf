//! Tower middleware for the metadata of signed-in users.
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod authenticator;
mod config_error;
#[cfg(feature = "conformance")]
pub mod conformance;
pub mod endpoints;
mod handle;
mod json;
pub mod layer;
pub mod metadata;
pub mod session;
pub mod store;
mod user_id;

pub use authenticator::{Authenticated, Authentication, Authenticator};
pub use config_error::ConfigError;
pub use handle::UserMetadataHandle;
pub use layer::UserMetadataLayer;
pub use metadata::{
    InvalidMetadata, InvalidMetadataKind, InvalidVersion, Limits, Metadata, MetadataUpdate, Precondition, Record,
    Version,
};
pub use session::{AntiCsrf, AuthError, AuthErrorKind, JwtVerifier, Session, SessionVerifier};
pub use store::{MetadataStore, StoreError, StoreErrorKind};
pub use user_id::{InvalidUserId, UserId};

#[doc(hidden)]
pub mod __private {
    pub use crate::metadata::update_from_object;
    pub use serde_json::json;
}
