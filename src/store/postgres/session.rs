//! One connection of the pool, lent for one piece of work: how a statement is sent, and what becomes of the connection.

use std::borrow::Cow;
use std::fmt;

use bytes::BytesMut;
use deadpool_postgres::Object;
use tokio::runtime::Handle;
use tokio::time::Instant;
use tokio_postgres::Row;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};

use super::error::Failure;
use crate::store::deadline::timeout_at;

/// A statement of which every execution is a transaction by itself.
#[derive(Debug)]
pub(super) struct Statement {
    pub(super) sql: Cow<'static, str>,
    pub(super) types: &'static [Type],
    /// Whether it may change something.
    pub(super) writes: bool,
}

/// A connection until a deadline. It goes back to the pool when it is dropped, unless it cannot be used any more.
pub(super) struct Session {
    connection: Option<Object>,
    /// Prepared statements have names and are kept; else each is sent whole, for poolers that change the server between
    /// two transactions.
    named: bool,
    deadline: Instant,
    /// A statement may have been sent whose answer was not read to its end.
    open: bool,
}

impl Session {
    pub(super) fn new(connection: Object, named: bool, deadline: Instant) -> Self {
        Self { connection: Some(connection), named, deadline, open: false }
    }

    pub(super) fn deadline(&self) -> Instant {
        self.deadline
    }

    pub(super) fn set_deadline(&mut self, deadline: Instant) {
        self.deadline = deadline;
    }

    /// Sends a statement and reads its answer to the end, which comes after the commit.
    pub(super) async fn query(
        &mut self,
        statement: &Statement,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, Failure> {
        let Some(connection) = &self.connection else { return Err(Failure::lost()) };
        let mut sent = false;
        self.open = true;
        let answer = send(connection, self.named, statement, params, &mut sent);
        let outcome = match timeout_at(self.deadline, answer).await {
            Ok(outcome) => outcome,
            Err(_) if sent && statement.writes => Err(Failure::deadline().with_may_have_happened()),
            Err(_) => Err(Failure::deadline()),
        };
        self.open = false;
        let spoilt = outcome.as_ref().is_err_and(|failure| {
            // Nothing that comes late may be taken for another answer, and a server that is read-only is left for one
            // that is not.
            !failure.is_refusal() || failure.is_loss() || failure.is_read_only()
        });
        if spoilt {
            self.connection.take().map(Object::take);
        }
        outcome
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take().filter(|_| self.open) else { return };
        match Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn(drain(connection, self.deadline))),
            Err(_) => drop(Object::take(connection)),
        }
    }
}

/// Lends a connection to nobody before every question on it is answered: the next caller would wait for those answers,
/// too, and for ever where nothing comes.
async fn drain(connection: Object, deadline: Instant) {
    if !matches!(timeout_at(deadline, connection.simple_query("")).await, Ok(Ok(_))) {
        drop(Object::take(connection));
    }
}

async fn send(
    connection: &Object,
    named: bool,
    statement: &Statement,
    params: &[&(dyn ToSql + Sync)],
    sent: &mut bool,
) -> Result<Vec<Row>, Failure> {
    let Statement { sql, types, writes } = statement;
    let (types, writes) = (*types, *writes);
    if connection.is_closed() {
        return Err(Failure::lost());
    }
    if !named {
        let typed: Vec<_> = params.iter().copied().zip(types.iter().cloned()).collect();
        *sent = true;
        return connection.query_typed(sql, &typed).await.map_err(|error| Failure::of_statement(&error, writes));
    }
    let mut retried = false;
    loop {
        // To prepare changes nothing, whatever comes of it.
        let prepared = connection.prepare_typed_cached(sql, types).await;
        let prepared = prepared.map_err(|error| Failure::of_statement(&error, false))?;
        *sent = true;
        let failure = match connection.query(&prepared, params).await {
            Ok(rows) => return Ok(rows),
            Err(error) => Failure::of_statement(&error, writes),
        };
        if retried || !failure.is_stale_statement() {
            return Err(failure);
        }
        // Refused before it was executed, for example after `DISCARD ALL` or a change of the table.
        connection.statement_cache.remove(sql, types);
        (retried, *sent) = (true, false);
    }
}

/// A parameter that is not printed: the driver logs parameters at the level `debug`, and these are personal data.
pub(super) struct Hidden<T>(pub(super) T);

impl<T> fmt::Debug for Hidden<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("..")
    }
}

impl<T: ToSql> ToSql for Hidden<T> {
    fn to_sql(&self, kind: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        self.0.to_sql(kind, out)
    }

    fn accepts(kind: &Type) -> bool {
        T::accepts(kind)
    }

    to_sql_checked!();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_not_printed() {
        let user: &(dyn ToSql + Sync) = &Hidden("alice");
        assert_eq!(format!("{user:?}"), "..");
        assert!(Hidden::<Vec<&str>>::accepts(&Type::TEXT_ARRAY));
    }
}
