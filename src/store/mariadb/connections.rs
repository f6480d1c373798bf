//! The connections of one store: how many there are, which of them are idle, and when one is closed for good.
//!
//! The driver's own pool waits without a bound and cleans connections behind its callers' backs; here a connection is
//! given on only after its last exchange came to its end.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};

use super::error::Failure;
use super::query;
use crate::store::deadline::timeout_at;

/// Past this a connection is asked whether it still lives before a statement is sent over it: a server that was
/// restarted, or a firewall that forgets, is then noticed while nothing has happened yet.
const TRUSTED: Duration = Duration::from_secs(1);

/// Past this an idle connection is ended: below the limits of most firewalls and of `wait_timeout`.
const LONGEST_IDLE: Duration = Duration::from_secs(120);

/// How long a connection may take to close cleanly.
const GOODBYE: Duration = Duration::from_secs(1);

pub(super) struct Connections {
    opts: Opts,
    setup: Setup,
    size: usize,
    free: Arc<Semaphore>,
    idle: Mutex<Vec<Idle>>,
    /// Counts the losses of a connection: what was opened before the last one is not trusted any more.
    losses: AtomicU64,
}

/// What each connection of a store has in common.
pub(super) struct Setup {
    /// The session variables.
    pub(super) variables: String,
    /// The least `max_allowed_packet` that the limits need.
    pub(super) packet: u64,
}

struct Idle {
    connection: Conn,
    since: Instant,
    losses: u64,
}

impl Connections {
    pub(super) fn new(opts: Opts, setup: Setup, size: usize) -> Arc<Self> {
        let free = Arc::new(Semaphore::new(size));
        Arc::new(Self { opts, setup, size, free, idle: Mutex::default(), losses: AtomicU64::new(0) })
    }

    /// A place for one connection; waits for it as long as the deadline allows.
    pub(super) async fn place(&self, deadline: Instant) -> Result<OwnedSemaphorePermit, Failure> {
        match timeout_at(deadline, Arc::clone(&self.free).acquire_owned()).await {
            Ok(place) => place.map_err(|_| Failure::closed()),
            Err(_) => Err(Failure::no_connection()),
        }
    }

    /// A connection for a place: an idle one, if it still lives, or a new one.
    pub(super) async fn connection(&self, deadline: Instant) -> Result<Conn, Failure> {
        loop {
            let idle = self.idle().pop();
            let Some(idle) = idle else { break };
            let idle_for = idle.since.elapsed();
            if idle.losses != self.losses.load(Ordering::Relaxed) || idle_for > LONGEST_IDLE {
                end(idle.connection);
            } else if idle_for < TRUSTED {
                return Ok(idle.connection);
            } else if let Some(connection) = self.asked(idle.connection, deadline).await {
                return Ok(connection);
            }
        }
        timeout_at(deadline, self.connect()).await.unwrap_or_else(|_| Err(Failure::no_answer()))
    }

    /// The connection, if it still lives.
    async fn asked(&self, mut connection: Conn, deadline: Instant) -> Option<Conn> {
        let patience = deadline.min(Instant::now() + GOODBYE);
        let alive = matches!(timeout_at(patience, connection.ping()).await, Ok(Ok(())));
        if alive {
            return Some(connection);
        }
        self.lost(connection);
        None
    }

    async fn connect(&self) -> Result<Conn, Failure> {
        let mut connection = Conn::new(self.opts.clone()).await.map_err(|error| Failure::of_connecting(&error))?;
        // Asked each time: after a failover it may be another server.
        let server = query::server(&mut connection).await?;
        if !server.is_known() {
            end(connection);
            return Err(Failure::not_mariadb());
        }
        if server.packet < self.setup.packet {
            end(connection);
            return Err(Failure::packet(server.packet, self.setup.packet));
        }
        query::execute(&mut connection, &self.setup.variables).await?;
        Ok(connection)
    }

    /// Takes back a connection whose exchange came to its end.
    pub(super) fn give_back(&self, connection: Conn, place: OwnedSemaphorePermit) {
        let losses = self.losses.load(Ordering::Relaxed);
        let mut idle = self.idle();
        if self.free.is_closed() {
            drop(idle);
            end(connection);
        } else {
            idle.push(Idle { connection, since: Instant::now(), losses });
        }
        // Only now may the next one look: it would make a new connection beside the idle one.
        drop(place);
    }

    /// Ends a connection that was lost; those that are idle are likely lost with it.
    pub(super) fn lost(&self, connection: Conn) {
        self.losses.fetch_add(1, Ordering::Relaxed);
        end(connection);
    }

    /// Gives out nothing more, waits for what is under way, and ends the connections.
    pub(super) async fn close(&self) {
        // Whoever asks from now on stands behind this.
        let all = Arc::clone(&self.free).acquire_many_owned(u32::try_from(self.size).unwrap_or(u32::MAX)).await;
        self.free.close();
        drop(all);
        let idle = std::mem::take(&mut *self.idle());
        for Idle { connection, .. } in idle {
            // A goodbye that nobody hears does no harm: the server ends the connection all the same.
            let _ = timeout(GOODBYE, connection.disconnect()).await;
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Idle>> {
        // A connection is in the list whole or not at all, whatever happened to who held the lock.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends a connection in a task with an end: the driver would read on from a server that never answers.
pub(super) fn end(connection: Conn) {
    if let Ok(runtime) = tokio::runtime::Handle::try_current() {
        runtime.spawn(timeout(GOODBYE, connection.disconnect()));
    }
}
