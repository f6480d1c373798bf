//! One connection of the pool, lent for one call: how a statement is sent, and what becomes of the connection.

use std::sync::Arc;
use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row, Value};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, sleep_until};

use super::connections::{Connections, end};
use super::error::Failure;
use crate::store::deadline::timeout_at;

/// A connection until a deadline. It goes back to the pool when the session is dropped, unless it cannot be used any more.
pub(super) struct Session {
    connections: Arc<Connections>,
    connection: Option<Conn>,
    place: Option<OwnedSemaphorePermit>,
    deadline: Instant,
    attempts: u32,
}

/// What a statement answers.
pub(super) struct Answer {
    pub(super) rows: Vec<Row>,
    pub(super) affected: u64,
}

/// Whether a statement may change something.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    Read,
    Write,
}

impl Session {
    pub(super) fn new(
        connections: Arc<Connections>,
        connection: Conn,
        place: OwnedSemaphorePermit,
        deadline: Instant,
    ) -> Self {
        Self { connections, connection: Some(connection), place: Some(place), deadline, attempts: 0 }
    }

    pub(super) fn set_deadline(&mut self, deadline: Instant) {
        self.deadline = deadline;
    }

    /// Sends a statement and reads its answer to the end, which comes after the commit.
    ///
    /// A connection that turns out to be lost is replaced once, if the statement changes nothing or was not sent.
    pub(super) async fn query(&mut self, sql: &str, usage: Use, params: Vec<Value>) -> Result<Answer, Failure> {
        let again = params.clone();
        match self.query_once(sql, usage, params).await {
            Err(failure) if failure.is_unsent_loss() => self.query_once(sql, usage, again).await,
            outcome => outcome,
        }
    }

    async fn query_once(&mut self, sql: &str, usage: Use, params: Vec<Value>) -> Result<Answer, Failure> {
        // It is put back only after the exchange: whatever ends this early leaves the session without a connection.
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.connections.connection(self.deadline).await?,
        };
        let mut sent = false;
        let writes = usage == Use::Write;
        let outcome = timeout_at(self.deadline, exchange(&mut connection, sql, params, writes, &mut sent)).await;
        let outcome = match outcome {
            Ok(outcome) => outcome,
            Err(_) if sent && writes => Err(Failure::deadline().with_may_have_happened()),
            Err(_) => Err(Failure::deadline()),
        };
        match &outcome {
            Err(failure) if failure.is_loss() => self.connections.lost(connection),
            // Nothing that comes late may be taken for another answer.
            Err(failure) if failure.is_late() => end(connection),
            _ => self.connection = Some(connection),
        }
        outcome
    }

    /// Waits a little, and longer each time, before a statement that others undid or outran is tried again.
    pub(super) async fn wait_for_others(&mut self) -> Result<(), Failure> {
        let longest = 1_u64 << self.attempts.min(6);
        self.attempts += 1;
        let random = getrandom::u64().map_err(|_| Failure::random())?;
        let until = Instant::now() + Duration::from_micros(random % (longest * 1_000));
        if until >= self.deadline {
            return Err(Failure::contended());
        }
        sleep_until(until).await;
        Ok(())
    }

    /// Ends the connection, whatever state it is in.
    pub(super) fn end(mut self) {
        if let Some(connection) = self.connection.take() {
            end(connection);
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let (Some(connection), Some(place)) = (self.connection.take(), self.place.take()) {
            self.connections.give_back(connection, place);
        }
    }
}

async fn exchange(
    connection: &mut Conn,
    sql: &str,
    params: Vec<Value>,
    writes: bool,
    sent: &mut bool,
) -> Result<Answer, Failure> {
    // To prepare changes nothing, whatever comes of it; a statement that is known is not prepared again.
    let statement = connection.prep(sql).await.map_err(|error| Failure::of_statement(&error, false))?;
    *sent = true;
    let rows = connection.exec(&statement, params).await.map_err(|error| Failure::of_statement(&error, writes))?;
    Ok(Answer { rows, affected: connection.affected_rows() })
}
