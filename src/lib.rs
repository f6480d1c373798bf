//! Tower middleware for the metadata of signed-in users.
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod config_error;
mod handle;
mod json;
pub mod metadata;
pub mod store;
mod user_id;

pub use config_error::ConfigError;
pub use handle::UserMetadataHandle;
pub use metadata::{
    InvalidMetadata, InvalidMetadataKind, InvalidVersion, Limits, Metadata, MetadataUpdate, Precondition, Record,
    Version,
};
pub use store::{MetadataStore, StoreError, StoreErrorKind};
pub use user_id::{InvalidUserId, UserId};

#[doc(hidden)]
pub mod __private {
    pub use crate::metadata::update_from_object;
    pub use serde_json::json;
}
