//! The one place where an error of the driver, the pool or the schema becomes a [`StoreError`](crate::store::StoreError).

use std::fmt;

use mysql_async::{DriverError, Error, IoError};

use crate::store::StoreErrorKind;
use crate::store::failure::{self, Cause};

/// Why something failed.
pub(super) type Failure = failure::Failure<Reason>;

/// What only MariaDB, or the start-up of this store, can say. The server's messages stay out, since they repeat values of
/// rows.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum Reason {
    #[error("{0}")]
    Server(Code),
    #[error("the server refused the connection: {0}")]
    Refused(Code),
    #[error("the server offers no TLS, and `ssl-mode` in the URL demands it")]
    NoTls,
    #[error("no connection could be made: {0}")]
    Connect(String),
    #[error("others kept changing the document until the deadline of the call passed")]
    Contended,
    #[error("there is a table tower_user_metadata that this crate did not make; it was left as it is")]
    Foreign,
    #[error("the server is not MariaDB 10.5 or newer; MySQL lacks `RETURNING` and is not supported")]
    NotMariadb,
    #[error("max_allowed_packet of the server is {has}, and the limits of this store need {needs}")]
    Packet { has: u64, needs: u64 },
}

impl Failure {
    /// No connection was made.
    pub(super) fn of_connecting(error: &Error) -> Self {
        match error {
            // A wrong password or name stays wrong, whoever tries again.
            Error::Server(error) => {
                let passing = [1040, 1047, 1053, 1129, 1203, 1226].contains(&error.code);
                let kind = if passing { StoreErrorKind::Unavailable } else { StoreErrorKind::Internal };
                Self::new(kind, Reason::Refused(Code(error.code)))
            }
            Error::Io(IoError::Io(error)) => Self::new(StoreErrorKind::Unavailable, Reason::Connect(error.to_string())),
            Error::Driver(DriverError::ConnectionClosed) => Self::lost(),
            Error::Io(IoError::Tls(error)) => {
                Self::new(StoreErrorKind::Unavailable, Reason::Connect(format!("TLS: {error}")))
            }
            Error::Driver(DriverError::NoClientSslFlagFromServer) => Self::new(StoreErrorKind::Internal, Reason::NoTls),
            _ => Self::new(StoreErrorKind::Internal, Reason::Connect("the server cannot be understood".to_owned())),
        }
    }

    /// The statement was sent, and this came back. `writes`: it would have changed something.
    pub(super) fn of_statement(error: &Error, writes: bool) -> Self {
        let (failure, undone) = match error {
            Error::Server(error) => (Self::of_server(Code(error.code)), Code(error.code).is_undone()),
            _ => (Self::lost(), false),
        };
        if writes && !undone { failure.with_may_have_happened() } else { failure }
    }

    fn of_server(code: Code) -> Self {
        Self::new(code.kind(), Reason::Server(code))
    }

    /// The deadline passed before a connection was made.
    pub(super) fn no_answer() -> Self {
        Self::new(StoreErrorKind::Unavailable, Reason::Connect("the server does not answer".to_owned()))
    }

    pub(super) fn contended() -> Self {
        Self::new(StoreErrorKind::Timeout, Reason::Contended)
    }

    pub(super) fn foreign() -> Self {
        Self::new(StoreErrorKind::Unsupported, Reason::Foreign)
    }

    pub(super) fn not_mariadb() -> Self {
        Self::new(StoreErrorKind::Unsupported, Reason::NotMariadb)
    }

    pub(super) fn packet(has: u64, needs: u64) -> Self {
        Self::new(StoreErrorKind::Unsupported, Reason::Packet { has, needs })
    }

    /// The statement was undone as a whole, and only because of what others did meanwhile: doing it again is safe and
    /// may work.
    pub(super) fn is_conflict(&self) -> bool {
        // Changed since it was read, lock timeout, deadlock; the last is also how a node of Galera says that another
        // node was quicker.
        !self.may_have_happened && matches!(self.cause, Cause::Own(Reason::Server(Code(1020 | 1205 | 1213))))
    }

    /// A merge in SQL did not come to an end, and nothing was written.
    pub(super) fn is_unmergeable(&self) -> bool {
        // No NULL into a column, and the regular expression is too large or took too many steps.
        !self.may_have_happened && matches!(self.cause, Cause::Own(Reason::Server(Code(1048 | 1139))))
    }

    /// The connection cannot be used any more.
    pub(super) fn is_loss(&self) -> bool {
        match &self.cause {
            Cause::Own(Reason::Server(code)) => code.is_loss(),
            Cause::Lost => true,
            _ => false,
        }
    }

    /// The answer may still come.
    pub(super) fn is_late(&self) -> bool {
        matches!(self.cause, Cause::Deadline)
    }

    /// The server has no such function, or not in its configuration.
    pub(super) fn is_unsupported(&self) -> bool {
        matches!(self.cause, Cause::Own(Reason::Server(Code(1235))))
    }

    /// The connection was gone before the statement was sent.
    pub(super) fn is_unsent_loss(&self) -> bool {
        !self.may_have_happened && matches!(self.cause, Cause::Lost)
    }
}

/// The number of an error of the server.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Code(u16);

impl Code {
    fn kind(self) -> StoreErrorKind {
        match self.0 {
            // Ended by `max_statement_time`, or by an administrator.
            1317 | 1969 | 3024 => StoreErrorKind::Timeout,
            // The table is damaged.
            1034 | 1035 | 1194 | 1195 | 1712 => StoreErrorKind::Corrupt,
            // Disk, memory, files, connections; locks; the node is not ready; read-only; shutting down.
            1020 | 1021 | 1037 | 1038 | 1040 | 1041 | 1047 | 1053 | 1114 | 1135 | 1180 | 1203 | 1205 | 1213 | 1226
            | 1290 | 1792 | 1836 | 1927 => StoreErrorKind::Unavailable,
            _ => StoreErrorKind::Internal,
        }
    }

    /// Whether the statement was undone: not when it may have been ended after the commit, and not when the commit
    /// itself went wrong.
    fn is_undone(self) -> bool {
        !self.is_loss() && self.0 != 1180
    }

    fn is_loss(self) -> bool {
        matches!(self.0, 1053 | 1152..=1161 | 1927)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let meaning = match self.0 {
            1021 | 1114 => "the disk or the table space is full",
            1040 | 1203 | 1226 => "too many connections",
            1044 => "access denied: there is no such database, or the user has no right to it",
            1045 | 1698 => "access denied: the user or the password is wrong, or the user must use TLS",
            1129 | 1130 => "the server takes no connections from this host",
            1142 | 1143 | 1227 => "permission denied: the user lacks a right on the table that GRANT gives",
            1047 => "the node is not ready; it may have lost its cluster",
            1048 => "the server could not compute the new document",
            1049 => "no such database",
            1053 | 1927 => "the server is shutting down, or ended the connection",
            1139 => "the server could not search the document",
            1146 => "the table is missing",
            1205 => "a lock was not granted in time",
            1020 | 1213 => "rolled back because of concurrent writes",
            1290 | 1792 | 1836 => "the server is read-only",
            1317 | 1969 | 3024 => "ended, perhaps by max_statement_time",
            1820 | 1862 => "the password has expired",
            3159 => "the server demands TLS: add `ssl-mode=verify-identity` to the URL",
            4151 => "the account is locked",
            1665 => "the server logs statements: binlog_format must be MIXED or ROW",
            _ => "see the list of error codes in its manual",
        };
        write!(f, "error {}, {meaning}", self.0)
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use mysql_async::ServerError;

    use super::*;
    use crate::ConfigError;
    use crate::store::{ErrorContext, StoreError};

    fn refused(code: u16, writes: bool) -> Failure {
        let message = "Duplicate entry 'alice' for key 'PRIMARY'".to_owned();
        Failure::of_statement(&Error::Server(ServerError { code, message, state: "HY000".to_owned() }), writes)
    }

    #[test]
    fn failures_are_told_apart_by_code() {
        for code in [1020, 1205, 1213] {
            assert!(refused(code, true).is_conflict() && !refused(code, true).is_loss(), "{code}");
        }
        assert!(!refused(1114, true).is_conflict());
        assert!(refused(1048, true).is_unmergeable() && refused(1139, true).is_unmergeable());
        assert!(Failure::lost().is_loss() && Failure::lost().is_unsent_loss());
        assert!(!Failure::lost().with_may_have_happened().is_unsent_loss());
    }

    #[test]
    fn only_what_the_server_undid_certainly_did_not_happen() {
        for (code, unknown) in [(1053, true), (1927, true), (1180, true), (1213, false), (1114, false), (1969, false)] {
            assert_eq!(StoreError::from(refused(code, true)).may_have_happened(), unknown, "{code}");
            assert!(!StoreError::from(refused(code, false)).may_have_happened(), "{code}");
        }
        let lost = Failure::of_statement(&Error::Driver(DriverError::ConnectionClosed), true);
        assert!(StoreError::from(lost).may_have_happened());
    }

    #[test]
    fn what_the_server_says_of_a_row_is_not_repeated() {
        let error = StoreError::from(refused(1062, true));
        let source = std::error::Error::source(&error).expect("a source").to_string();
        assert_eq!(source, "error 1062, see the list of error codes in its manual");
        assert!(!format!("{error:?}").contains("alice"));
        let newer = Failure::newer_schema(9, 1).at_start(&ErrorContext::new("a database"));
        assert!(matches!(newer, ConfigError::NewerSchema { found: 9, known: 1 }));
    }
}
