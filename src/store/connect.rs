use std::sync::Arc;

use super::{MemoryStore, MetadataStore};
use crate::ConfigError;

/// Opens the store that a URL names, so that an application can run on any of them by its configuration.
///
/// | URL | Store |
/// |---|---|
/// | `memory:` | [`MemoryStore`] |
/// | `mariadb://USER:PASSWORD@HOST:PORT/DATABASE`, `mysql://…` | `MariadbStore`, feature `mariadb` |
/// | `sqlite://PATH` | `SqliteStore`, feature `sqlite`; created when missing |
/// | `postgres://…`, `postgresql://…` | `PostgresStore`, feature `postgres`; the URL is one of libpq |
/// | `redis://HOST:PORT` | `RedisStore`, feature `redis`; also `rediss:`, `redis+unix:`, `redis+cluster:`, `rediss+cluster:` |
///
/// The path of a SQLite file is everything behind `sqlite://`, as it is: `sqlite://relative.db`,
/// `sqlite:///absolute/path.db`. Nothing in it is percent-decoded, and a `?` is refused, since there are no
/// parameters.
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
        #[cfg(feature = "redis-no-provider")]
        "redis" | "rediss" | "redis+unix" | "redis+cluster" | "rediss+cluster" => {
            Ok(Arc::new(super::RedisStore::connect(url).await?))
        }
        #[cfg(feature = "mariadb-no-provider")]
        "mariadb" | "mysql" => Ok(Arc::new(super::MariadbStore::connect(url).await?)),
        #[cfg(feature = "sqlite")]
        "sqlite" => Ok(Arc::new(super::SqliteStore::connect(url).await?)),
        #[cfg(feature = "postgres-no-provider")]
        "postgres" | "postgresql" => Ok(Arc::new(super::PostgresStore::connect(url).await?)),
        _ => Err(ConfigError::UnknownStore { scheme: scheme.to_owned() }),
    }
}
