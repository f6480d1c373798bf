//! The only file with SQL: what each statement is, and how a row becomes a record.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Result, Row, Statement, params};

use super::error;
use crate::metadata::{Metadata, Record, Version};
use crate::store::{Namespace, StoreError};
use crate::user_id::UserId;

/// How long one attempt waits for a lock: a thread looks between attempts who still waits for it, and the writer waits for
/// checkpoints.
const PATIENCE: Duration = Duration::from_millis(50);

/// What marks a database file as one of this crate: `TUMD`.
const APPLICATION_ID: i32 = i32::from_be_bytes(*b"TUMD");

/// One step a schema version, in order; a step that was released is never changed.
///
/// A table with a rowid: documents of one or more kilobytes would be cut up into overflow pages in the index that a
/// `WITHOUT ROWID` table is, and an update touches one page of the table and none of the index. The id has `BINARY`
/// collation, as every column without another one, so ids are compared byte for byte. `STRICT` keeps the types true
/// whoever writes to the file.
pub(super) const MIGRATIONS: &[&str] = &["CREATE TABLE user_metadata (
        id INTEGER PRIMARY KEY,
        namespace TEXT NOT NULL,
        user_id TEXT NOT NULL,
        version INTEGER NOT NULL,
        document TEXT NOT NULL,
        UNIQUE (namespace, user_id)
    ) STRICT"];

const BEGIN_WRITE: &str = "BEGIN IMMEDIATE";
const BEGIN_READ: &str = "BEGIN DEFERRED";
const COMMIT: &str = "COMMIT";
const ROLLBACK: &str = "ROLLBACK";
const FIND: &str = "SELECT version, document, id FROM user_metadata WHERE namespace = ?1 AND user_id = ?2";
const FIND_VERSION: &str = "SELECT version FROM user_metadata WHERE namespace = ?1 AND user_id = ?2";
const INSERT: &str = "INSERT INTO user_metadata (namespace, user_id, version, document) VALUES (?1, ?2, ?3, ?4)";
const REPLACE: &str = "UPDATE user_metadata SET version = ?2, document = ?3 WHERE id = ?1";
const DELETE: &str = "DELETE FROM user_metadata WHERE namespace = ?1 AND user_id = ?2";

/// What the header of a database file says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Contents {
    /// Nothing was ever written to it.
    Nothing,
    /// It is ours, with this schema version.
    Metadata(u32),
    /// It belongs to another application.
    Foreign,
}

pub(super) fn contents(connection: &Connection) -> Result<Contents> {
    let number = |pragma| connection.query_row(pragma, (), |row| row.get::<_, i32>(0));
    let application = number("PRAGMA application_id")?;
    let version = number("PRAGMA user_version")?;
    let objects: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", (), |row| row.get(0))?;
    Ok(match (application, u32::try_from(version)) {
        (APPLICATION_ID, Ok(version)) => Contents::Metadata(version),
        (0, Ok(0)) if objects == 0 => Contents::Nothing,
        _ => Contents::Foreign,
    })
}

/// Runs `step` in a transaction of its own that holds the write lock from its start.
pub(super) fn in_transaction<T, E: From<rusqlite::Error>>(
    connection: &Connection,
    step: impl FnOnce() -> std::result::Result<T, E>,
) -> std::result::Result<T, E> {
    connection.execute(BEGIN_WRITE, ())?;
    let outcome = step().and_then(|value| {
        connection.execute(COMMIT, ())?;
        Ok(value)
    });
    if outcome.is_err() && !connection.is_autocommit() {
        connection.execute(ROLLBACK, ())?;
    }
    outcome
}

/// Makes one step, which leads to `version`; inside a transaction.
pub(super) fn migrate(connection: &Connection, step: &str, version: u32) -> Result<()> {
    connection.execute_batch(step)?;
    connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    connection.pragma_update(None, "user_version", version)
}

/// Tells whether the file was opened for reading, by a write that is undone: `Connection::is_readonly` takes another type in
/// each of several versions of rusqlite, and `BEGIN IMMEDIATE` succeeds. This write needs no schema, which could not be
/// read where the log cannot be made.
pub(super) fn is_read_only(connection: &Connection) -> Result<bool> {
    connection.execute(BEGIN_READ, ())?;
    let written = connection.pragma_update(None, "user_version", 0);
    if !connection.is_autocommit() {
        connection.execute(ROLLBACK, ())?;
    }
    match written {
        Ok(()) => Ok(false),
        Err(error) if error::is_busy(&error) => Ok(false),
        Err(error) if error::is_read_only(&error) => Ok(true),
        Err(error) => Err(error),
    }
}

/// Turns the write-ahead log on; `false` when the file system cannot have one. The file remembers it.
pub(super) fn use_wal(connection: &Connection) -> Result<bool> {
    let mode: String = connection.query_row("PRAGMA journal_mode = WAL", (), |row| row.get(0))?;
    Ok(mode.eq_ignore_ascii_case("wal"))
}

/// Settings of one connection; the file does not remember them.
pub(super) fn configure(connection: &Connection, power_cut_safe: bool, log_bytes: u32) -> Result<()> {
    connection.pragma_update(None, "synchronous", if power_cut_safe { "FULL" } else { "NORMAL" })?;
    // The file may come from anywhere: nothing that its schema names is called.
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update_and_check(None, "journal_size_limit", log_bytes, |_| Ok(()))
}

/// Keeps more pages in memory than the 2 MB that SQLite keeps by itself: updates find most of their pages there.
pub(super) fn cache_pages(connection: &Connection) -> Result<()> {
    // In KiB where it is negative.
    connection.pragma_update(None, "cache_size", -16 * 1024)
}

/// Waits for locks of other connections in steps of up to a millisecond, for [`PATIENCE`] in all. SQLite's own handler
/// sleeps longer and longer, and then misses the short gaps between the transactions of a busy writer.
pub(super) fn be_patient(connection: &mut Connection) -> Result<()> {
    const STEP: Duration = Duration::from_millis(1);
    // A function and no closure, which is all that rusqlite before 0.41 takes.
    fn wait(tries: i32) -> bool {
        std::thread::sleep(if tries < 4 { STEP / 8 } else { STEP });
        u128::try_from(tries).is_ok_and(|tries| tries < PATIENCE.as_millis())
    }
    connection.busy_handler(Some(wait))
}

/// Leaves checkpoints to whoever calls the next functions.
pub(super) fn checkpoint_by_hand(connection: &Connection) -> Result<()> {
    connection.pragma_update_and_check(None, "wal_autocheckpoint", 0, |_| Ok(()))
}

/// What a checkpoint found.
pub(super) struct Log {
    /// Somebody who reads or writes kept it from its end.
    pub(super) blocked: bool,
    /// Pages that the log had when it began.
    pub(super) pages: u32,
}

/// Moves as many pages from the log to the database as can be moved without waiting for anybody.
pub(super) fn checkpoint(connection: &Connection) -> Result<Log> {
    connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", (), log)
}

/// Moves all pages and waits for readers, so that the next write begins the log anew.
pub(super) fn restart_log(connection: &Connection) -> Result<Log> {
    connection.query_row("PRAGMA wal_checkpoint(RESTART)", (), log)
}

/// As [`restart_log`], and cuts the file to nothing.
pub(super) fn empty_log(connection: &Connection) -> Result<Log> {
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", (), log)
}

fn log(row: &Row<'_>) -> Result<Log> {
    // SQLite tells -1 where it could not begin.
    Ok(Log { blocked: row.get(0)?, pages: u32::try_from(row.get::<_, i64>(1)?).unwrap_or(0) })
}

/// The statements of a reader, compiled once.
pub(super) struct Reads<'c> {
    namespace: Namespace,
    begin: Statement<'c>,
    end: Statement<'c>,
    find: Statement<'c>,
}

impl<'c> Reads<'c> {
    pub(super) fn prepare(connection: &'c Connection, namespace: Namespace) -> Result<Self> {
        let prepare = |sql| connection.prepare(sql);
        Ok(Self { namespace, begin: prepare(BEGIN_READ)?, end: prepare(COMMIT)?, find: prepare(FIND)? })
    }

    /// Begins a transaction in which all reads see one state.
    pub(super) fn begin(&mut self) -> Result<()> {
        self.begin.execute(()).map(drop)
    }

    pub(super) fn end(&mut self) -> Result<()> {
        self.end.execute(()).map(drop)
    }

    /// The record of a user, or that it is damaged.
    pub(super) fn find(&mut self, user: &UserId) -> Result<Option<Result<Record, StoreError>>> {
        let key = params![self.namespace.as_str(), user.as_str()];
        self.find.query_row(key, |row| Ok(record(row))).optional()
    }
}

/// The statements of the writer, compiled once.
pub(super) struct Writes<'c> {
    connection: &'c Connection,
    namespace: Namespace,
    begin: Statement<'c>,
    commit: Statement<'c>,
    rollback: Statement<'c>,
    find: Statement<'c>,
    find_version: Statement<'c>,
    insert: Statement<'c>,
    replace: Statement<'c>,
    delete: Statement<'c>,
}

impl<'c> Writes<'c> {
    pub(super) fn prepare(connection: &'c Connection, namespace: Namespace) -> Result<Self> {
        let prepare = |sql| connection.prepare(sql);
        Ok(Self {
            connection,
            namespace,
            begin: prepare(BEGIN_WRITE)?,
            commit: prepare(COMMIT)?,
            rollback: prepare(ROLLBACK)?,
            find: prepare(FIND)?,
            find_version: prepare(FIND_VERSION)?,
            insert: prepare(INSERT)?,
            replace: prepare(REPLACE)?,
            delete: prepare(DELETE)?,
        })
    }

    /// Begins a transaction that holds the write lock, so that what it reads stays true until it ends.
    pub(super) fn begin(&mut self) -> Result<()> {
        self.begin.execute(()).map(drop)
    }

    pub(super) fn commit(&mut self) -> Result<()> {
        self.commit.execute(()).map(drop)
    }

    /// Undoes the transaction if one is open: after some errors SQLite has done so already.
    pub(super) fn rollback(&mut self) -> Result<()> {
        if self.connection.is_autocommit() { Ok(()) } else { self.rollback.execute(()).map(drop) }
    }

    /// The row of a user, and what is made of its version and document, or that it is damaged.
    pub(super) fn find<T>(
        &mut self,
        user: &UserId,
        read: impl FnOnce(Version, &[u8]) -> Result<T, StoreError>,
    ) -> Result<Option<(i64, Result<T, StoreError>)>> {
        let key = params![self.namespace.as_str(), user.as_str()];
        let read = |row: &Row<'_>| {
            let (version, document) = columns(row).ok_or_else(error::damaged)?;
            read(version, document)
        };
        self.find.query_row(key, |row| Ok((row.get(2)?, read(row)))).optional()
    }

    /// The version of a user's document, without reading that.
    pub(super) fn find_version(&mut self, user: &UserId) -> Result<Option<Version>> {
        let key = params![self.namespace.as_str(), user.as_str()];
        self.find_version.query_row(key, |row| Ok(Version::from_bits(row.get::<_, i64>(0)?.cast_unsigned()))).optional()
    }

    pub(super) fn insert(&mut self, user: &UserId, version: Version, document: &str) -> Result<()> {
        let version = version.to_bits().cast_signed();
        self.insert.execute(params![self.namespace.as_str(), user.as_str(), version, document]).map(drop)
    }

    pub(super) fn replace(&mut self, row: i64, version: Version, document: &str) -> Result<()> {
        self.replace.execute(params![row, version.to_bits().cast_signed(), document]).map(drop)
    }

    pub(super) fn delete(&mut self, user: &UserId) -> Result<()> {
        self.delete.execute(params![self.namespace.as_str(), user.as_str()]).map(drop)
    }
}

/// Reads `version, document`, the first columns of [`FIND`].
fn record(row: &Row<'_>) -> Result<Record, StoreError> {
    let (version, document) = columns(row).ok_or_else(error::damaged)?;
    let metadata = Metadata::from_stored(document).ok_or_else(error::damaged)?;
    Ok(Record { metadata, version })
}

fn columns<'r>(row: &'r Row<'_>) -> Option<(Version, &'r [u8])> {
    let version = row.get::<_, i64>(0).ok()?;
    let document = row.get_ref(1).ok()?.as_bytes().ok()?;
    Some((Version::from_bits(version.cast_unsigned()), document))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_is_synced_unless_told_otherwise() {
        let connection = Connection::open_in_memory().expect("opened");
        for (power_cut_safe, level) in [(true, 2), (false, 1)] {
            configure(&connection, power_cut_safe, 0).expect("set");
            let set: i32 = connection.query_row("PRAGMA synchronous", (), |row| row.get(0)).expect("a number");
            assert_eq!(set, level);
        }
    }
}
