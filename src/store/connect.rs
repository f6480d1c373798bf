use std::sync::Arc;

use super::{MemoryStore, MetadataStore, url};
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
/// The path of a SQLite file is everything behind `sqlite://` up to a `?`, as it is: `sqlite://relative.db`,
/// `sqlite:///absolute/path.db`. Nothing in it is percent-decoded. `?mode=rw` opens a file only if it is there.
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
/// The scheme is not known, or there is white space around the URL, or the feature for it is not compiled in, or the store
/// cannot be opened.
pub async fn connect(url: &str) -> Result<Arc<dyn MetadataStore>, ConfigError> {
    url::check(url)?;
    let (scheme, rest) = url.split_once(':').unwrap_or((url, ""));
    match scheme {
        "memory" if !matches!(rest, "" | "//") => Err(url::problem("nothing follows `memory:`")),
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
        // What is no scheme may be a part of a password.
        _ if !is_scheme(scheme) => Err(url::problem("it begins with no scheme, such as `postgres:`")),
        _ => Err(ConfigError::UnknownStore { scheme: scheme.to_owned() }),
    }
}

fn is_scheme(text: &str) -> bool {
    let (short, mut bytes) = ((1..=32).contains(&text.len()), text.bytes());
    short && bytes.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_not_meant_is_refused() {
        for url in ["memory:", "memory://"] {
            assert!(connect(url).await.is_ok(), "{url}");
        }
        for url in ["memory:\n", " memory:", "memory:x", "memory://?x=1", "", "u@secret", "se cret:x"] {
            let refused = connect(url).await.err();
            assert!(matches!(refused, Some(ConfigError::StoreUrl { .. })), "{url:?}: {refused:?}");
        }
        let Err(ConfigError::UnknownStore { scheme }) = connect("mongodb://u:secret@h").await else { panic!("known") };
        assert_eq!(scheme, "mongodb");
    }
}
