//! The schema of a database file: made, brought up to date, or refused.

use std::path::Path;

use rusqlite::Connection;

use super::error;
use super::query::{self, Contents};
use crate::ConfigError;
use crate::store::{StoreError, StoreErrorKind};

/// Makes the database ready for this version of the crate.
///
/// A file of somebody else and one of a newer version are left as they are. Each step is a transaction that looks
/// again, under the write lock, at which step the file is: two processes may come at once, and one that is killed
/// leaves whole steps.
pub(super) fn prepare(connection: &Connection, path: &Path) -> Result<(), Failure> {
    next_step(connection, path)?;
    if !query::use_wal(connection)? {
        let error = StoreError::new(StoreErrorKind::Unsupported);
        let error = error.with_source("the file system cannot hold a write-ahead log of SQLite");
        return Err(Failure::Config(ConfigError::Store(error)));
    }
    while next_step(connection, path)?.is_some() {
        query::in_transaction(connection, || match next_step(connection, path)? {
            Some((step, version)) => query::migrate(connection, step, version).map_err(Failure::from),
            None => Ok(()),
        })?;
    }
    Ok(())
}

/// The step to make next, and the version to which it leads.
fn next_step(connection: &Connection, path: &Path) -> Result<Option<(&'static str, u32)>, Failure> {
    let known = u32::try_from(query::MIGRATIONS.len()).unwrap_or(u32::MAX);
    let found = match query::contents(connection)? {
        Contents::Nothing => 0,
        Contents::Metadata(found) if found > known => {
            return Err(Failure::Config(ConfigError::NewerSchema { found, known }));
        }
        Contents::Metadata(found) => found,
        Contents::Foreign => return Err(Failure::Config(ConfigError::ForeignDatabase { path: path.to_owned() })),
    };
    let step = usize::try_from(found).ok().and_then(|found| query::MIGRATIONS.get(found));
    Ok(step.map(|step| (*step, found + 1)))
}

/// Why a store cannot be opened; an error of SQLite is still one, since a lock may be waited for.
pub(super) enum Failure {
    Sqlite(rusqlite::Error),
    Config(ConfigError),
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<Failure> for ConfigError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Sqlite(error) => Self::Store(error::rolled_back(&error)),
            Failure::Config(error) => error,
        }
    }
}
