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
        // By itself the driver waits for all answers, of a server that is gone for ever.
        self.driver.abort();
    }
}
