use std::fmt;
use std::time::Duration;

use crate::metadata::Limits;
use crate::store::Namespace;

/// How a [`MariadbStore`](super::MariadbStore) works; made by [`MariadbStore::options`](super::MariadbStore::options).
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
#[derive(Clone)]
pub struct MariadbOptions {
    pub(super) namespace: Namespace,
    pub(super) limits: Limits,
    pub(super) deadline: Duration,
    pub(super) connections: usize,
    pub(super) root_certificates: Vec<Vec<u8>>,
    pub(super) makes_schema: bool,
    pub(super) offline_start: bool,
}

impl MariadbOptions {
    pub(super) fn new() -> Self {
        Self {
            namespace: Namespace::default(),
            limits: Limits::default(),
            deadline: Duration::from_secs(5),
            connections: 10,
            root_certificates: Vec::new(),
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
    pub fn with_pool_size(mut self, connections: usize) -> Self {
        // A semaphore, which counts the connections, has an end as well.
        self.connections = connections.clamp(1, 1 << 16);
        self
    }

    /// Trusts these certificates, in PEM, beside the authorities of the system, or beside those of `ssl-ca`: for private
    /// authorities. Only with `ssl-mode=verify-identity` in the URL.
    #[must_use]
    pub fn with_root_certificate(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.root_certificates.push(pem.into());
        self
    }

    /// Leaves the table to you: the store only looks whether it is there, in the version that it knows. Run
    /// [`MariadbStore::schema_sql`](super::MariadbStore::schema_sql), for example with your other migrations. The store then needs no right but to
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
}

/// Without the certificates, which are long.
impl fmt::Debug for MariadbOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MariadbOptions")
            .field("namespace", &self.namespace)
            .field("limits", &self.limits)
            .field("deadline", &self.deadline)
            .field("connections", &self.connections)
            .finish_non_exhaustive()
    }
}
