use std::path::PathBuf;

use crate::store::StoreError;

/// A mistake in how the middleware is set up: for the developer, at start-up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The scheme of a store URL is not one that [`store::connect`](crate::store::connect) knows.
    #[error("no store is called `{scheme}:`; `memory:` and `sqlite:` (feature `sqlite`) are known")]
    UnknownStore {
        /// The part of the URL before the first colon; the rest may hold a password.
        scheme: String,
    },
    /// A store URL with a known scheme and a rest that cannot be used.
    #[error("the URL of the store cannot be used: {problem}")]
    StoreUrl {
        /// What is wrong; the URL is not repeated, since it may hold a password.
        problem: &'static str,
    },
    /// The file of a store cannot be created or opened.
    #[error("the database file `{}` cannot be opened (a missing file is created, a missing directory is not)", .path.display())]
    StoreFile {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// The database was made by something else; it was left as it is.
    #[error("the database file `{}` holds something else than user metadata", .path.display())]
    ForeignDatabase {
        /// The file.
        path: PathBuf,
    },
    /// The database was written by a newer version of this crate; it was left as it is.
    #[error("the store has schema version {found}, and this version of the crate knows schemas up to {known}")]
    NewerSchema {
        /// The version of the stored schema.
        found: u32,
        /// The newest version that is known.
        known: u32,
    },
    /// The store cannot be opened.
    #[error("the store cannot be opened: {0}")]
    Store(#[source] StoreError),
}
