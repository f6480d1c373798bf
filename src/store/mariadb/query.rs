//! The only file with SQL: what each statement is, how a value becomes a parameter, and a row a record.

use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row, Value};

use super::error::Failure;
use crate::metadata::{Limits, Metadata, Record, Version};
use crate::store::Namespace;
use crate::user_id::UserId;

/// One step a schema version, in order, each one statement that DDL of MariaDB does whole or not at all; a step that
/// was released is never changed. The comment of the table says at which step it is.
///
/// Ids have no character set and no collation, so they are compared byte for byte, trailing spaces included. Their
/// columns hold the longest that there are, 64 and 255 characters of up to four bytes.
pub(super) const MIGRATIONS: &[&str] = &[
    "CREATE TABLE IF NOT EXISTS tower_user_metadata (
    namespace VARBINARY(256) NOT NULL,
    user_id VARBINARY(512) NOT NULL,
    version BIGINT UNSIGNED NOT NULL,
    document LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    PRIMARY KEY (namespace, user_id)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC COMMENT='tower-user-metadata schema 1'",
    // User ids had 128 characters at most. A wider column changes no row, and takes a moment whatever the size.
    "ALTER TABLE tower_user_metadata MODIFY user_id VARBINARY(1020) NOT NULL, COMMENT='tower-user-metadata schema 2'",
];

/// The comment of a table without its number.
pub(super) const COMMENT: &str = "tower-user-metadata schema ";

pub(super) const FIND_COMMENT: &str = "SELECT table_comment FROM information_schema.tables \
    WHERE table_schema = DATABASE() AND table_name = 'tower_user_metadata'";
/// One process at a time makes a step in one database; names of locks are of the whole server.
pub(super) const LOCK_SCHEMA: &str = "SELECT GET_LOCK(CONCAT('tower_user_metadata.', DATABASE()), 60)";
pub(super) const UNLOCK_SCHEMA: &str = "SELECT RELEASE_LOCK(CONCAT('tower_user_metadata.', DATABASE()))";

pub(super) const FIND: &str = "SELECT version, document FROM tower_user_metadata WHERE namespace = ? AND user_id = ?";
pub(super) const FIND_VERSION: &str = "SELECT version FROM tower_user_metadata WHERE namespace = ? AND user_id = ?";

/// Answers the row that is there afterwards: the new one, or that of somebody who was quicker.
pub(super) const INSERT: &str = "INSERT INTO tower_user_metadata (namespace, user_id, version, document) \
    VALUES (?, ?, ?, ?) ON DUPLICATE KEY UPDATE version = version RETURNING version, document";
/// Replaces the document that was read. The version tells whether it is still that one, since no version is used twice.
pub(super) const REPLACE: &str = "UPDATE tower_user_metadata SET version = ?, document = ? \
    WHERE namespace = ? AND user_id = ? AND version = ?";

pub(super) const DELETE: &str = "DELETE FROM tower_user_metadata WHERE namespace = ? AND user_id = ?";
pub(super) const DELETE_VERSION: &str =
    "DELETE FROM tower_user_metadata WHERE namespace = ? AND user_id = ? AND version = ?";

/// Statements in which the limits of a store stand.
pub(super) struct Statements {
    /// The merge: parameters are the key, a fresh version, the document of a user who has none yet, the number of
    /// fields to set, twice, the [pattern](super::change::Change::pattern) of the fields to take out, and the lines of
    /// those to set.
    ///
    /// A document has a field a line, so the merge takes lines out and appends lines: no value is read, and nothing
    /// depends on what the server makes of numbers, nesting or names. The row stays as it is where the merged document
    /// *might* pass a limit, and then the answer has another version than the fresh one. `version` is assigned first,
    /// so that both conditions see the old document.
    pub(super) merge: String,
}

impl Statements {
    pub(super) fn new(limits: &Limits) -> Self {
        let (bytes, fields) = (limits.document_bytes(), limits.root_fields());
        let fits = format!(
            "LENGTH(document) + LENGTH(VALUES(document)) <= {bytes} AND \
             LENGTH(document) - LENGTH(REPLACE(document, CHAR(10), '')) + ? <= {fields}"
        );
        let old_lines = "CONCAT(',', SUBSTRING(document, 2, CHAR_LENGTH(document) - 2))";
        let new_lines = format!("CONCAT(REGEXP_REPLACE({old_lines}, ?, ''), ?)");
        let merge = format!(
            "INSERT INTO tower_user_metadata (namespace, user_id, version, document) VALUES (?, ?, ?, ?) \
             ON DUPLICATE KEY UPDATE version = IF({fits}, VALUES(version), version), \
             document = IF({fits}, CONCAT('{{', SUBSTRING({new_lines}, 2), '}}'), document) \
             RETURNING version, document"
        );
        Self { merge }
    }
}

/// Finds several users at once. The number of ids is a power of two, so that few statements are prepared.
pub(super) fn find_many(ids: usize) -> String {
    let marks = vec!["?"; ids].join(",");
    format!("SELECT version, document, user_id FROM tower_user_metadata WHERE namespace = ? AND user_id IN ({marks})")
}

/// Sets what statements and their meaning depend on, whatever the server's configuration says. A statement may take no
/// longer than a call, so that nothing goes on for somebody who has left.
pub(super) fn session_variables(deadline: Duration) -> String {
    // Between a millisecond, since none would mean no end, and the year that is the most that the server takes.
    let seconds = deadline.clamp(Duration::from_millis(1), Duration::from_secs(31_536_000));
    let whole_seconds = seconds.as_secs().max(1);
    format!(
        "SET autocommit = 1, character_set_client = utf8mb4, character_set_results = utf8mb4, \
         character_set_connection = utf8mb4, collation_connection = utf8mb4_bin, \
         sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', default_regex_flags = '', \
         max_statement_time = {}, innodb_lock_wait_timeout = {whole_seconds}",
        seconds.as_secs_f64()
    )
}

/// What the other side says that it is.
pub(super) struct Server {
    version: String,
    pub(super) packet: u64,
}

impl Server {
    /// Whether `INSERT … RETURNING` is there: since MariaDB 10.5, and in no MySQL.
    pub(super) fn is_known(&self) -> bool {
        // `10.11.6-MariaDB-…`; replicas of old protocols put `5.5.5-` in front.
        let version = self.version.strip_prefix("5.5.5-").unwrap_or(&self.version);
        let mut numbers = version.split(['.', '-']).map(|part| part.parse::<u32>().unwrap_or(0));
        let number = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
        self.version.contains("MariaDB") && number >= (10, 5)
    }
}

pub(super) async fn server(connection: &mut Conn) -> Result<Server, Failure> {
    let row: Option<(String, u64)> = connection
        .query_first("SELECT VERSION(), @@max_allowed_packet")
        .await
        .map_err(|error| Failure::of_statement(&error, false))?;
    let (version, packet) = row.ok_or_else(Failure::damaged)?;
    Ok(Server { version, packet })
}

pub(super) async fn execute(connection: &mut Conn, sql: &str) -> Result<(), Failure> {
    connection.query_drop(sql).await.map_err(|error| Failure::of_statement(&error, false))
}

/// The columns of the primary key.
pub(super) fn key(namespace: &Namespace, user: &UserId) -> [Value; 2] {
    [bytes(namespace.as_str()), bytes(user.as_str())]
}

pub(super) fn bytes(text: &str) -> Value {
    Value::Bytes(text.as_bytes().to_vec())
}

pub(super) fn version(version: Version) -> Value {
    Value::UInt(version.to_bits())
}

/// Reads the version from the first column.
pub(super) fn read_version(row: &Row) -> Result<Version, Failure> {
    let bits = match row.as_ref(0) {
        Some(Value::UInt(bits)) => Some(*bits),
        Some(Value::Int(bits)) => u64::try_from(*bits).ok(),
        _ => None,
    };
    bits.map(Version::from_bits).ok_or_else(Failure::damaged)
}

/// Reads `version, document`, the first columns.
pub(super) fn read_record(row: &Row) -> Result<Record, Failure> {
    let version = read_version(row)?;
    let Some(Value::Bytes(document)) = row.as_ref(1) else { return Err(Failure::damaged()) };
    let metadata = Metadata::from_stored(document).ok_or_else(Failure::damaged)?;
    Ok(Record { metadata, version })
}

/// Reads an id from the third column.
pub(super) fn read_user(row: &Row) -> Result<&[u8], Failure> {
    match row.as_ref(2) {
        Some(Value::Bytes(id)) => Ok(id),
        _ => Err(Failure::damaged()),
    }
}

/// Reads a text from the first column.
pub(super) fn read_text(row: &Row) -> Result<&str, Failure> {
    match row.as_ref(0) {
        Some(Value::Bytes(text)) => std::str::from_utf8(text).map_err(|_| Failure::damaged()),
        _ => Err(Failure::damaged()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_with_returning_are_told_by_their_version() {
        let known = |version: &str| Server { version: version.to_owned(), packet: 0 }.is_known();
        for version in ["10.11.19-MariaDB-0+deb12u1", "5.5.5-10.5.4-MariaDB", "11.4.2-MariaDB-log", "12.0.1-MariaDB"] {
            assert!(known(version), "{version}");
        }
        for version in
            ["8.0.36", "8.4.0-commercial", "9.1.0", "10.4.33-MariaDB", "5.5.5-10.3.39-MariaDB", "", "MariaDB"]
        {
            assert!(!known(version), "{version}");
        }
    }
}
