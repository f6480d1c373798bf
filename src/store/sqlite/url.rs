//! The URL that names a database file.

use std::path::Path;

use crate::ConfigError;

/// The path in a URL.
pub(super) fn path(url: &str) -> Result<&Path, ConfigError> {
    let problem = match url.strip_prefix("sqlite://") {
        None => "it must begin with `sqlite://`",
        Some("") => "the path of the database file is empty",
        Some(path) if path.contains('?') => "`sqlite://` takes no parameters, so a `?` is not allowed",
        Some(path) => return Ok(Path::new(path)),
    };
    Err(ConfigError::StoreUrl { problem })
}
