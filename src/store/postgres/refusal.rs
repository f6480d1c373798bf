//! What a server, or a pooler before it, says when it refuses something, in words that repeat nothing of it.

use std::fmt;

use tokio_postgres::error::DbError;

use crate::store::StoreErrorKind;

/// Why a pooler, and not the server behind it, refuses something. Most of its refusals have one SQLSTATE, so its words tell
/// them apart; they are not repeated, since names are among them.
#[derive(Clone, Copy, Debug)]
pub(super) struct PoolerReason(pub(super) &'static str, pub(super) StoreErrorKind);

impl PoolerReason {
    pub(super) fn of(refusal: &DbError) -> Option<Self> {
        use StoreErrorKind::{Internal, Unavailable};
        // Those of PgBouncer, and of Supavisor.
        const KNOWN: &[(&str, PoolerReason)] = &[
            ("authentication failed", PoolerReason("the user or the password is wrong, says the pooler", Internal)),
            ("client_login_timeout", PoolerReason("the pooler does not reach the server", Unavailable)),
            ("no such user", PoolerReason("the pooler knows no such user", Internal)),
            ("no such database", PoolerReason("the pooler knows no such database", Internal)),
            ("Tenant or user not found", PoolerReason("the pooler knows no such user or tenant", Internal)),
            ("SSL required", PoolerReason("the pooler demands TLS: add `sslmode=verify-full` to the URL", Internal)),
            (
                "transaction blocks not allowed",
                PoolerReason(
                    "a pooler in statement mode takes no transactions, so the schema is made elsewhere",
                    Internal,
                ),
            ),
            ("no more connections allowed", PoolerReason("the pooler has too many connections", Unavailable)),
            ("max clients reached", PoolerReason("the pooler has too many connections", Unavailable)),
            ("max_client_conn", PoolerReason("the pooler has too many connections", Unavailable)),
            ("cannot connect to server", PoolerReason("the pooler does not reach the server", Unavailable)),
            ("server login", PoolerReason("the pooler is not let in by the server", Unavailable)),
            ("server_login_retry", PoolerReason("the pooler is not let in by the server", Unavailable)),
            ("query_wait_timeout", PoolerReason("the pooler had no connection to the server in time", Unavailable)),
        ];
        if !class(refusal.code().code(), &["08", "XX"]) {
            return None;
        }
        KNOWN.iter().find(|(words, _)| refusal.message().contains(words)).map(|(_, reason)| *reason)
    }
}

/// The name of a start-up parameter that a pooler did not take: PgBouncer, what is made of it, or RDS Proxy.
pub(super) fn refused_parameter(refusal: &DbError) -> Option<&str> {
    let (code, message) = (refusal.code().code(), refusal.message());
    if !["08P01", "0A000"].contains(&code) {
        return None;
    }
    if message.contains("command-line option") || message.contains("support the option") {
        return Some("options");
    }
    let (_, name) = message.split_once("startup parameter")?.1.split_once(": ")?;
    let end = name.find(|character: char| !character.is_ascii_alphanumeric() && character != '_');
    Some(&name[..end.unwrap_or(name.len())]).filter(|name| !name.is_empty())
}

pub(super) fn class(code: &str, classes: &[&str]) -> bool {
    classes.iter().any(|class| code.starts_with(class))
}

/// The code of an error of the server, by the table in the appendix of its manual.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct SqlState([u8; 5]);

impl SqlState {
    pub(super) fn new(code: &str) -> Self {
        // Codes have five characters; what has not is no code.
        Self(code.as_bytes().try_into().unwrap_or(*b"?????"))
    }

    pub(super) fn code(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("?????")
    }
}

impl fmt::Display for SqlState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = self.code();
        let meaning = match code {
            "08P01" => "a pooler or the server does not take this message",
            "25006" => "the server is read-only",
            "26000" | "42P05" => {
                "prepared statements do not last: behind a pooler in transaction mode, add `pooler=transaction` to the URL"
            }
            "28000" => {
                "pg_hba.conf admits this user to this database from here not at all or only by TLS, or the role lacks the \
                 right to log in"
            }
            "28P01" => "the user or the password is wrong",
            "3D000" => "there is no such database",
            "3F000" => "there is no such schema in the search_path",
            "40001" | "40P01" => "rolled back because of concurrent writes",
            "42501" => {
                "permission denied: the user lacks a right that GRANT gives, on the database, the schema or the table"
            }
            "42P01" => "a table is missing",
            "42P07" => "a table of that name is there already",
            "53100" => "the disk is full",
            "53200" => "the server is out of memory",
            "53300" => "too many connections",
            "55P03" => "a lock was not granted in time",
            "57014" => "cancelled, perhaps by statement_timeout",
            "57P01" | "57P02" => "the server is shutting down, or an administrator ended the connection",
            "57P03" => "the server is starting, shutting down or recovering, and accepts no connections",
            _ => "see the table of error codes in its manual",
        };
        write!(f, "SQLSTATE {code}, {meaning}")
    }
}

impl fmt::Debug for SqlState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}
