//! The one place where an error of the driver, the pool or the schema becomes a [`StoreError`](crate::store::StoreError).

use std::error::Error;
use std::iter::successors;
use std::sync::Arc;

use deadpool_postgres::PoolError;
use tokio_postgres::error::{DbError, Severity};

use super::refusal::{PoolerReason, SqlState, class, refused_parameter};
use crate::store::StoreErrorKind;
use crate::store::failure::{self, Cause};

/// Why something failed.
pub(super) type Failure = failure::Failure<Reason>;

/// What only PostgreSQL, or the start-up of this store, can say. The server's messages about a statement stay out, since
/// they repeat values of rows.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum Reason {
    #[error("{0}")]
    Server(SqlState),
    #[error("the server refused the connection: {0}")]
    Refused(SqlState),
    #[error(
        "a pooler stands before the server and refuses the start-up parameter `{0}`: add `pooler=transaction` to the URL, \
         and leave out `options`"
    )]
    Pooler(Box<str>),
    #[error("{}", .0.0)]
    AtPooler(PoolerReason),
    #[error("the server offers no TLS, and `sslmode` in the URL demands it")]
    NoTls,
    #[error("no connection could be made: {0}")]
    Connect(Arc<str>),
    #[error("the encoding of the database is not UTF8")]
    Encoding,
}

impl Failure {
    /// No connection was given out.
    pub(super) fn of_pool(error: PoolError) -> Self {
        match error {
            PoolError::Backend(error) => Self::of_connecting(&error),
            PoolError::Closed => Self::closed(),
            PoolError::Timeout(_) => Self::no_connection(),
            PoolError::NoRuntimeSpecified | PoolError::PostCreateHook(_) => {
                Self::of(StoreErrorKind::Internal, Cause::Pool)
            }
        }
    }

    pub(super) fn of_connecting(error: &tokio_postgres::Error) -> Self {
        let Some(refusal) = error.as_db_error() else { return Self::without_answer(error) };
        if let Some(parameter) = refused_parameter(refusal) {
            return Self::new(StoreErrorKind::Internal, Reason::Pooler(parameter.into()));
        }
        if let Some(reason) = PoolerReason::of(refusal) {
            return Self::new(reason.1, Reason::AtPooler(reason));
        }
        let code = refusal.code().code();
        // A wrong password or name stays wrong, whoever tries again.
        let lasting = class(code, &["0A", "28", "3D", "42"]);
        let kind = if lasting { StoreErrorKind::Internal } else { StoreErrorKind::Unavailable };
        Self::new(kind, Reason::Refused(SqlState::new(code)))
    }

    /// Nobody answered, or not as a server does. What the driver, rustls and the system say of that has no secret in it.
    fn without_answer(error: &tokio_postgres::Error) -> Self {
        let chain = successors(Some(error as &(dyn Error + 'static)), |&error: &&(dyn Error + 'static)| error.source())
            .map(ToString::to_string);
        let chain = chain.collect::<Vec<_>>().join(": ");
        if chain.ends_with("server does not support TLS") {
            return Self::new(StoreErrorKind::Internal, Reason::NoTls);
        }
        Self::new(StoreErrorKind::Unavailable, Reason::Connect(chain.into()))
    }

    /// The statement was sent, and this came back. `writes`: it would have changed something.
    pub(super) fn of_statement(error: &tokio_postgres::Error, writes: bool) -> Self {
        let (failure, undone) = match error.as_db_error() {
            Some(error) => (Self::of_server(error), is_undone(error)),
            None => (Self::lost(), false),
        };
        if writes && !undone { failure.with_may_have_happened() } else { failure }
    }

    fn of_server(error: &DbError) -> Self {
        if let Some(reason) = PoolerReason::of(error) {
            return Self::new(reason.1, Reason::AtPooler(reason));
        }
        let code = error.code().code();
        let kind = match code {
            // Cancelled, by `statement_timeout` or by an administrator.
            "57014" => StoreErrorKind::Timeout,
            "XX001" | "XX002" => StoreErrorKind::Corrupt,
            // Read-only: a standby, or a primary that is handing over.
            "25006" => StoreErrorKind::Unavailable,
            // Connection, transaction rollback, resources (disk, memory, connections), locks, operator, system.
            _ if class(code, &["08", "40", "53", "55", "57", "58"]) => StoreErrorKind::Unavailable,
            _ => StoreErrorKind::Internal,
        };
        Self::new(kind, Reason::Server(SqlState::new(code)))
    }

    pub(super) fn encoding() -> Self {
        Self::new(StoreErrorKind::Unsupported, Reason::Encoding)
    }

    /// A write that ended early may have happened.
    pub(super) fn of_a_write(self) -> Self {
        if matches!(self.cause, Cause::Ended) { self.with_may_have_happened() } else { self }
    }

    /// The statement was undone as a whole, and only because of what others did meanwhile: doing it again is safe and
    /// may work.
    pub(super) fn is_conflict(&self) -> bool {
        // Serialisation failure, deadlock, lock timeout.
        !self.may_have_happened && self.is_code(&["40001", "40P01", "55P03"])
    }

    /// The server refused the statement for what it asks, not for the state that the server or others are in: what one
    /// of several users wanted may be the reason.
    pub(super) fn is_of_content(&self) -> bool {
        self.is_refusal() && self.kind != StoreErrorKind::Unavailable
    }

    /// The server undid the statement as a whole; whatever the reason, it is known that nothing happened.
    pub(super) fn is_refusal(&self) -> bool {
        matches!(self.cause, Cause::Own(Reason::Server(_))) && !self.may_have_happened
    }

    /// The connection cannot be used any more.
    pub(super) fn is_loss(&self) -> bool {
        // A pooler that refuses something ends the connection.
        matches!(self.cause, Cause::Lost | Cause::Own(Reason::AtPooler(_))) || self.is_class(&["08", "57P"])
    }

    /// The server takes no writes: another one may, on a new connection.
    pub(super) fn is_read_only(&self) -> bool {
        self.is_code(&["25006"])
    }

    /// The server does not know the prepared statement any more, or its plan no longer fits the table.
    pub(super) fn is_stale_statement(&self) -> bool {
        self.is_code(&["26000", "0A000"])
    }

    fn is_code(&self, codes: &[&str]) -> bool {
        matches!(&self.cause, Cause::Own(Reason::Server(state)) if codes.contains(&state.code()))
    }

    fn is_class(&self, classes: &[&str]) -> bool {
        matches!(&self.cause, Cause::Own(Reason::Server(state)) if class(state.code(), classes))
    }
}

/// An error that undoes the statement, and not one that ends the connection at a moment that the client cannot know,
/// perhaps after the commit.
fn is_undone(error: &DbError) -> bool {
    error.parsed_severity() == Some(Severity::Error) && !class(error.code().code(), &["08", "57P"])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ConfigError;
    use crate::store::{ErrorContext, StoreError};

    fn server(code: &str) -> Failure {
        Failure::new(StoreErrorKind::Internal, Reason::Server(SqlState::new(code)))
    }

    #[test]
    fn failures_are_told_apart_by_code() {
        assert!(server("40001").is_conflict() && server("40P01").is_conflict() && !server("53100").is_conflict());
        assert!(!server("40001").with_may_have_happened().is_conflict());
        assert!(server("53100").is_refusal() && !Failure::lost().is_refusal() && !Failure::deadline().is_refusal());
        assert!(server("57P01").is_loss() && server("08006").is_loss() && !server("57014").is_loss());
        assert!(Failure::lost().is_loss());
        assert!(server("25006").is_read_only());
        assert!(server("26000").is_stale_statement());
    }

    #[test]
    fn a_failure_becomes_an_error_with_its_code_and_outcome() {
        let error = StoreError::from(server("53100").with_may_have_happened());
        assert!(error.may_have_happened());
        let source = std::error::Error::source(&error).expect("a source").to_string();
        assert_eq!(source, "SQLSTATE 53100, the disk is full");
        let newer = Failure::newer_schema(9, 1).at_start(&ErrorContext::new("a database"));
        assert!(matches!(newer, ConfigError::NewerSchema { found: 9, known: 1 }));
        assert!(format!("{:?}", server("4200")).contains("?????"));
    }
}
