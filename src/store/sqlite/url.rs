//! The URL that names a database file.

use std::path::Path;

use crate::ConfigError;

/// What a URL says.
#[derive(Debug, PartialEq)]
pub(super) struct Location<'a> {
    pub(super) path: &'a Path,
    /// Whether a missing file is created.
    pub(super) creates: bool,
}

impl<'a> Location<'a> {
    pub(super) fn parse(url: &'a str) -> Result<Self, ConfigError> {
        let rest = url.strip_prefix("sqlite://").ok_or(problem("it must begin with `sqlite://`"))?;
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let mut creates = true;
        for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
            match parameter.split_once('=').unwrap_or((parameter, "")) {
                ("mode", "rwc") => creates = true,
                ("mode", "rw") => creates = false,
                ("mode", _) => return Err(problem("`mode` is `rwc` or `rw`, since the store reads and writes")),
                (name, _) => {
                    let known = "`mode`; a path that has a `?` is opened by `SqliteStore::open`";
                    return Err(ConfigError::unknown_store_parameter(name, known));
                }
            }
        }
        let path = Path::new(path);
        check(path)?;
        Ok(Self { path, creates })
    }
}

/// Refuses paths that are never meant, before anything is created.
pub(super) fn check(path: &Path) -> Result<(), ConfigError> {
    let text = path.to_string_lossy();
    Err(problem(match &*text {
        "" => "the path of the database file is empty",
        ":memory:" => "a store in memory is `memory:`, without SQLite",
        text if text.contains(char::is_control) => "the path has a line end or another control character",
        text if text.trim() != text => "the path begins or ends with white space",
        _ => return Ok(()),
    }))
}

fn problem(problem: &'static str) -> ConfigError {
    ConfigError::StoreUrl { problem }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_is_what_follows_the_slashes() {
        for (url, path, creates) in [
            ("sqlite://a b%20.db", "a b%20.db", true),
            ("sqlite:///var/lib/x.db", "/var/lib/x.db", true),
            ("sqlite://x.db?mode=rwc", "x.db", true),
            ("sqlite://x.db?mode=rw&", "x.db", false),
            ("sqlite://é.db?", "é.db", true),
        ] {
            assert_eq!(Location::parse(url).ok(), Some(Location { path: Path::new(path), creates }), "{url}");
        }
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for url in [
            "sqlite:",
            "sqlite:x.db",
            "sqlite://",
            "sqlite://?mode=rwc",
            "sqlite://:memory:",
            "sqlite://x.db\n",
            "sqlite://x.db\r\n",
            "sqlite://x.db ",
            "sqlite:// x.db",
            "sqlite://x.db\u{a0}",
            "sqlite://x\t.db",
            "sqlite://x\0.db",
            "sqlite://x.db\n?mode=rwc",
            "sqlite://x.db?mode=ro",
            "sqlite://x.db?mode=memory",
            "sqlite://x.db?mode=rwc\n",
        ] {
            assert!(matches!(Location::parse(url), Err(ConfigError::StoreUrl { .. })), "{url:?}");
        }
        for name in ["cache", "_journal_mode", "immutable", "MODE", "mode "] {
            let error = Location::parse(&format!("sqlite://x.db?{name}=secret")).err();
            let Some(ConfigError::UnknownStoreParameter { parameter, known }) = error else { panic!("{error:?}") };
            assert!(parameter == name || name.contains(' '), "{parameter}");
            assert!(known.contains("mode"), "{known}");
        }
    }
}
