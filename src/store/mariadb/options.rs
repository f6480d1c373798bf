use std::time::Duration;

use super::MariadbStore;
use super::pool::{Pool, Setup};
use super::query::session_variables;
use super::url::{parse, server};
use crate::ConfigError;
use crate::metadata::Limits;
use crate::store::{ErrorContext, Namespace};

/// How a [`MariadbStore`] works; made by [`MariadbStore::options`].
///
/// ```no_run
/// use std::time::Duration;
/// use tower_user_metadata::store::{MariadbStore, Namespace};
///
/// # async fn open() -> Result<(), Box<dyn std::error::Error>> {
/// let store = MariadbStore::options()
///     .with_namespace(Namespace::new("shop")?)
///     .with_deadline(Duration::from_secs(2))
///     .connect("mariadb://app:secret@db.example.com/app?ssl-mode=verify-identity")
///     .await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct MariadbOptions {
    pub(super) namespace: Namespace,
    pub(super) limits: Limits,
    pub(super) deadline: Duration,
    connections: u32,
    makes_schema: bool,
    offline_start: bool,
}

impl MariadbOptions {
    pub(super) fn new() -> Self {
        Self {
            namespace: Namespace::default(),
            limits: Limits::default(),
            deadline: Duration::from_secs(5),
            connections: 10,
            makes_schema: true,
            offline_start: false,
        }
    }

    /// Sets the application whose users the store is for. Default `public`; several may share one database.
    #[must_use]
    pub fn with_namespace(mut self, namespace: Namespace) -> Self {
        self.namespace = namespace;
        self
    }

    /// Sets how much one user may keep. Default [`Limits::default`].
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets how long a call may take, with waiting for a connection and making one. Default 5 seconds: longer than a
    /// server that is merely busy takes, shorter than a client waits.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Sets the most connections of the store; at least 1. Default 10: each call has one for itself, and a server
    /// allows 151 unless told otherwise.
    #[must_use]
    pub fn with_pool_size(mut self, connections: u32) -> Self {
        // A semaphore, which counts the connections, has an end as well.
        self.connections = connections.clamp(1, 1 << 16);
        self
    }

    /// Leaves the table to you: the store only looks whether it is there, in the version that it knows. Run
    /// [`MariadbStore::schema_sql`], for example with your other migrations. The store then needs no right but to
    /// select, insert, update and delete in its table.
    #[must_use]
    pub fn with_schema_made_elsewhere(mut self) -> Self {
        self.makes_schema = false;
        self
    }

    /// Starts without a server: the first call that reaches one makes the table. Without this a store that cannot be
    /// reached, or whose table is newer, is an error at start-up.
    #[must_use]
    pub fn with_offline_start(mut self) -> Self {
        self.offline_start = true;
        self
    }

    /// Connects to a server, and makes the table when it is missing.
    ///
    /// The URL is `mariadb://USER:PASSWORD@HOST:PORT/DATABASE`, or `mysql://` with the same meaning; the
    /// [module](super) tells which parameters there are.
    ///
    /// # Errors
    ///
    /// The URL cannot be used ([`ConfigError::StoreUrl`], [`ConfigError::RootCertificate`]), the table is one of a
    /// newer version of this crate ([`ConfigError::NewerSchema`]), or the server cannot be reached, refuses, or is not
    /// one that this store works with ([`ConfigError::Store`]).
    ///
    /// # Cancel safety
    ///
    /// The table may be made.
    pub async fn connect(self, url: &str) -> Result<MariadbStore, ConfigError> {
        let opts = parse(url)?;
        let context = ErrorContext::new("MariaDB").with_server(server(&opts));
        let setup = Setup {
            variables: session_variables(self.deadline),
            packet: packet(&self.limits),
            makes_schema: self.makes_schema,
        };
        let pool = Pool::new(opts, setup, self.connections);
        if !self.offline_start {
            pool.open(super::ends(self.deadline)).await.map_err(|failure| failure.at_start(&context))?;
        }
        Ok(MariadbStore::over(pool, &self, context))
    }
}

/// What `max_allowed_packet` must be at least: a merge carries the update twice, and everything may be as large as a
/// document; beside it a search expression and the key.
fn packet(limits: &Limits) -> u64 {
    let document = u64::try_from(limits.document_bytes()).unwrap_or(u64::MAX);
    document.saturating_mul(3).saturating_add(64 * 1024)
}
