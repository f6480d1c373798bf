//! What is kept: documents, updates, versions and limits. Pure: no I/O and nothing async.
//!
//! A document is a JSON object whose root fields are kept as raw JSON text, in order. The merge only ever touches the
//! root, so nested values are never rebuilt and numbers keep every digit.

mod document;
mod error;
mod limits;
mod record;
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

use crate::json::Rules;
use limits::DEPTH_CAP;

/// What is refused in every document: nesting past the cap, U+0000 (Postgres cannot hold it, so no store takes it),
/// and numbers with a digit beyond 10^±1000 (`jsonb` writes them out in full, so nine bytes become a thousand, and
/// takes no more than 16,383 digits behind the point).
pub(crate) const RULES: Rules = Rules { depth: DEPTH_CAP, exponent: 1000, nul: false };
