use std::fmt;
use std::time::Duration;

use crate::metadata::Limits;
use crate::store::Namespace;

/// How a [`PostgresStore`](super::PostgresStore) works; made by [`PostgresStore::options`](super::PostgresStore::options).
///
/// ```no_run
/// use std::time::Duration;
/// use tower_user_metadata::store::{Namespace, PostgresStore};
///
/// # async fn open() -> Result<(), Box<dyn std::error::Error>> {
/// let store = PostgresStore::options()
///     .with_namespace(Namespace::new("shop")?)
///     .with_deadline(Duration::from_secs(2))
///     .connect("postgres://app:secret@db.example.com/app?sslmode=verify-full")
///     .await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct PostgresOptions {
    pub(super) namespace: Namespace,
    pub(super) limits: Limits,
    pub(super) deadline: Duration,
    pub(super) group: usize,
    pub(super) connections: usize,
    pub(super) root_certificates: Vec<Vec<u8>>,
    pub(super) named: bool,
    pub(super) makes_schema: bool,
    pub(super) offline_start: bool,
    pub(super) tells: bool,
    /// Where to listen, if not where the store connects to.
    pub(super) heard_at: Option<String>,
}

impl PostgresOptions {
    pub(super) fn new() -> Self {
        Self {
            namespace: Namespace::default(),
            limits: Limits::default(),
            deadline: Duration::from_secs(5),
            group: 64,
            connections: 10,
            root_certificates: Vec::new(),
            named: true,
            makes_schema: true,
            offline_start: false,
            tells: false,
            heard_at: None,
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

    /// Sets the most connections of a pool that the store makes; at least 1. Default 10, of which gathered calls use no
    /// more than a few. A pool that is given keeps its size.
    #[must_use]
    pub fn with_pool_size(mut self, connections: usize) -> Self {
        self.connections = connections.max(1);
        self
    }

    /// Sets how many calls of different users may become one statement; at least 1, which sends each by itself. Default
    /// 64. A call never waits for others to come: only what waits already is gathered.
    #[must_use]
    pub fn with_group_size(mut self, calls: usize) -> Self {
        self.group = calls.max(1);
        self
    }

    /// Trusts these certificates, in PEM, beside the authorities of the system, or beside those of `sslrootcert`: for
    /// private authorities. Only with `sslmode=verify-full` or `verify-ca` in the URL.
    #[must_use]
    pub fn with_root_certificate(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.root_certificates.push(pem.into());
        self
    }

    /// Works behind PgBouncer in transaction mode, and other poolers that change the server between two transactions. The
    /// same as `pooler=transaction` in the URL.
    ///
    /// Nothing is left on a connection, so each statement is sent and planned anew, and no start-up parameter is sent that
    /// poolers refuse. Not needed over a pool of the application where the pooler keeps track of prepared statements
    /// (PgBouncer 1.21 with `max_prepared_statements`).
    #[must_use]
    pub fn with_transaction_pooler(mut self) -> Self {
        self.named = false;
        self
    }

    /// Leaves the schema to you: the store only looks whether it is there, in the version that it knows. Run
    /// [`PostgresStore::schema_sql`](super::PostgresStore::schema_sql), for example with your other migrations. The store then needs no right but to
    /// read and write its two tables.
    #[must_use]
    pub fn with_schema_made_elsewhere(mut self) -> Self {
        self.makes_schema = false;
        self
    }

    /// Starts without a server: the first call that reaches one makes the schema. Without this a store that cannot be
    /// reached, or whose schema is newer, is an error at start-up.
    #[must_use]
    pub fn with_offline_start(mut self) -> Self {
        self.offline_start = true;
        self
    }

    /// Tells of each write by `NOTIFY`, in the statement that writes, so that the caches of other processes can drop what
    /// it overtakes: see [`CachedStore::with_change_notices`](crate::store::CachedStore::with_change_notices). All
    /// processes that write have to do so.
    ///
    /// Off by default: transactions that notify commit one after the other, in the whole server. [Gathered
    /// calls](Self::with_group_size) are one transaction, so there is less of that when there is much to do.
    ///
    /// A cache listens on one connection more, to where [`connect`](Self::connect) leads. Where that is a pooler, or the
    /// pool is given, say [where](Self::with_change_notices_at).
    #[must_use]
    pub fn with_change_notices(mut self) -> Self {
        self.tells = true;
        self
    }

    /// As [`with_change_notices`](Self::with_change_notices), and caches listen at this URL: for a pool that is given,
    /// and for [transaction poolers](Self::with_transaction_pooler), which pass no notices on. It has to lead to the same
    /// database of the same server.
    #[must_use]
    pub fn with_change_notices_at(mut self, url: impl Into<String>) -> Self {
        self.heard_at = Some(url.into());
        self.with_change_notices()
    }
}

/// Without the URL, which may hold a password.
impl fmt::Debug for PostgresOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresOptions")
            .field("namespace", &self.namespace)
            .field("limits", &self.limits)
            .field("deadline", &self.deadline)
            .field("connections", &self.connections)
            .finish_non_exhaustive()
    }
}
