//! One connection to a server.

use redis::aio::MultiplexedConnection;
use tokio::task::AbortHandle;

/// A connection. It closes when no call uses it and nobody keeps it for later ones.
pub(super) struct Connection {
    pub(super) calls: MultiplexedConnection,
    pub(super) driver: AbortHandle,
}

impl Drop for Connection {
    fn drop(&mut self) {
        // By itself the driver would wait for all answers, also of a server that never answers again.
        self.driver.abort();
    }
}
