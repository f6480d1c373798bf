//! Sessions for calls, on a database whose table was looked at.

use std::sync::Arc;

use mysql_async::Opts;
use tokio::sync::OnceCell;
use tokio::time::Instant;

use super::connections::{Connections, Setup};
use super::error::Failure;
use super::schema;
use super::session::Session;
use crate::store::PoolWait;
use crate::store::deadline::timeout_at;

pub(super) struct Pool {
    connections: Arc<Connections>,
    /// The store makes the table.
    makes_schema: bool,
    schema: OnceCell<()>,
}

impl Pool {
    pub(super) fn new(opts: Opts, setup: Setup, size: usize, makes_schema: bool) -> Self {
        Self { connections: Connections::new(opts, setup, size), makes_schema, schema: OnceCell::new() }
    }

    /// Makes sure at start-up that there is a server with the right table.
    pub(super) async fn open(&self, deadline: Instant) -> Result<(), Failure> {
        let session = self.lend(deadline).await?;
        self.ready(session, Instant::now() + schema::LONGEST).await
    }

    /// A connection for one call; waits for it as long as the deadline allows.
    pub(super) async fn session(&self, deadline: Instant) -> Result<Session, Failure> {
        loop {
            let session = self.lend(deadline).await?;
            if self.schema.initialized() {
                return Ok(session);
            }
            self.ready(session, deadline).await?;
        }
    }

    async fn lend(&self, deadline: Instant) -> Result<Session, Failure> {
        let _wait = PoolWait::begin();
        let place = self.connections.place(deadline).await?;
        let connection = self.connections.connection(deadline).await?;
        Ok(Session::new(Arc::clone(&self.connections), connection, place, deadline))
    }

    async fn ready(&self, session: Session, deadline: Instant) -> Result<(), Failure> {
        let make = self.makes_schema;
        // A caller that goes away leaves the step to be finished by its task.
        let prepare = || async move {
            tokio::spawn(schema::prepare(session, make)).await.unwrap_or_else(|_| Err(Failure::ended()))
        };
        match timeout_at(deadline, self.schema.get_or_try_init(prepare)).await {
            Ok(ready) => ready.map(drop),
            Err(_) => Err(Failure::deadline()),
        }
    }

    /// Gives out nothing more, waits for what is under way, and ends the connections.
    pub(super) async fn close(&self) {
        self.connections.close().await;
    }
}
