//! The values of the domain: documents, updates, versions and limits. This module does no I/O and has no async code.
//!
//! A document is a JSON object whose root fields are kept as raw JSON text, in order. The merge only ever touches the
//! root, so nested values are never rebuilt and numbers keep every digit.

mod document;
mod error;
mod limits;
mod record;
mod rules;
#[cfg(any(
    feature = "mariadb-no-provider",
    feature = "postgres-no-provider",
    feature = "redis-no-provider",
    feature = "sqlite"
))]
mod stored;
#[cfg(feature = "sqlite")]
mod text;
mod update;

pub use document::Metadata;
pub use error::{InvalidMetadata, InvalidMetadataKind};
pub use limits::Limits;
pub use record::{InvalidVersion, Precondition, Record, Version};
#[cfg(feature = "sqlite")]
pub(crate) use text::Text;
pub use update::{MetadataUpdate, update_from_object};
