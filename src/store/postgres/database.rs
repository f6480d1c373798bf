//! The pool of one store, from its first connection to its last.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use deadpool_postgres::{Object, Pool};
use tokio::sync::{OnceCell, watch};
use tokio::time::Instant;

use super::calls::Calls;
use super::error::Failure;
use super::schema;
use super::session::Session;
use crate::store::PoolWait;
use crate::store::deadline::timeout_at;

/// How a pool is used.
#[derive(Clone, Copy, Debug)]
pub(super) struct Use {
    /// The pool is the store's own and is closed with it.
    pub(super) owned: bool,
    /// Prepared statements last as long as their connection.
    pub(super) named: bool,
    /// The store makes the schema.
    pub(super) makes_schema: bool,
}

pub(super) struct Database {
    pool: Pool,
    usage: Use,
    pub(super) calls: Calls,
    schema: OnceCell<()>,
    /// Cloned by everything that is under way; none to clone after the store was closed.
    working: Mutex<Option<Working>>,
    all_working: Arc<watch::Sender<()>>,
}

/// Held by a piece of work until it ends.
pub(super) type Working = watch::Receiver<()>;

impl Database {
    pub(super) fn new(pool: Pool, usage: Use, calls: Calls) -> Self {
        let (all_working, working) = watch::channel(());
        let (working, all_working) = (Mutex::new(Some(working)), Arc::new(all_working));
        Self { pool, usage, calls, schema: OnceCell::new(), working, all_working }
    }

    /// The most connections that there can be.
    pub(super) fn connections(&self) -> usize {
        self.pool.status().max_size
    }

    /// Registers a piece of work that the end of the store waits for.
    pub(super) fn begin(&self) -> Result<Working, Failure> {
        self.working.lock().unwrap_or_else(PoisonError::into_inner).clone().ok_or_else(Failure::closed)
    }

    /// Makes sure at start-up that there is a server with the right schema.
    pub(super) async fn open(&self, deadline: Instant) -> Result<(), Failure> {
        let connection = self.connection(deadline).await?;
        self.ready(connection, Instant::now() + schema::LONGEST).await
    }

    /// A connection for one piece of work; waits for it as long as the deadline allows.
    pub(super) async fn session(&self, deadline: Instant) -> Result<Session, Failure> {
        loop {
            let connection = self.connection(deadline).await?;
            if self.schema.initialized() {
                return Ok(Session::new(connection, self.usage.named, deadline));
            }
            self.ready(connection, deadline).await?;
        }
    }

    async fn connection(&self, deadline: Instant) -> Result<Object, Failure> {
        let _wait = PoolWait::begin();
        match timeout_at(deadline, self.pool.get()).await {
            Ok(connection) => connection.map_err(Failure::of_pool),
            Err(_) => Err(Failure::no_connection()),
        }
    }

    async fn ready(&self, connection: Object, deadline: Instant) -> Result<(), Failure> {
        let prepare = || apart(schema::prepare(connection, self.usage.makes_schema));
        match timeout_at(deadline, self.schema.get_or_try_init(prepare)).await {
            Ok(ready) => ready.map(drop),
            Err(_) => Err(Failure::deadline()),
        }
    }

    /// Begins nothing more, and waits for what is under way. What has not come to its end when its time is over belongs
    /// to a caller who neither polls it nor drops it, and is not waited for.
    pub(super) async fn close(&self, deadline: Instant) {
        drop(self.working.lock().unwrap_or_else(PoisonError::into_inner).take());
        let all_working = Arc::clone(&self.all_working);
        let own_pool = self.usage.owned.then(|| self.pool.clone());
        // In a task of its own, for a caller who does not wait. It does not panic, so there is nothing to tell of it.
        let closing = tokio::spawn(async move {
            let _ = timeout_at(deadline, all_working.closed()).await;
            if let Some(pool) = own_pool {
                pool.close();
            }
        });
        let _ = closing.await;
    }
}

/// Runs in a task of its own: it goes on, and gives back what it holds, when its caller goes away or rests.
pub(super) async fn apart<T: Send + 'static>(
    work: impl Future<Output = Result<T, Failure>> + Send + 'static,
) -> Result<T, Failure> {
    tokio::spawn(work).await.unwrap_or_else(|_| Err(Failure::ended()))
}
