use std::fmt;
use std::time::Duration;

use deadpool::managed::QueueMode;
use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod};

use super::PostgresStore;
use super::calls::Calls;
use super::database::{Database, Use};
use super::notices::Source;
use super::tls::connector;
use super::url::Target;
use crate::ConfigError;
use crate::metadata::Limits;
use crate::store::{ErrorContext, Namespace};

/// How a [`PostgresStore`] works; made by [`PostgresStore::options`].
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
    connections: usize,
    named: bool,
    makes_schema: bool,
    offline_start: bool,
    tells: bool,
    /// Where to listen, if not where the store connects to.
    heard_at: Option<String>,
}

impl PostgresOptions {
    pub(super) fn new() -> Self {
        Self {
            namespace: Namespace::default(),
            limits: Limits::default(),
            deadline: Duration::from_secs(5),
            group: 64,
            connections: 10,
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

    /// Works behind PgBouncer in transaction mode, and other poolers that change the server between two transactions:
    /// nothing is left on a connection, so each statement is sent and planned anew. Not needed where the pooler keeps
    /// track of prepared statements (PgBouncer 1.21 with `max_prepared_statements`).
    #[must_use]
    pub fn with_transaction_pooler(mut self) -> Self {
        self.named = false;
        self
    }

    /// Leaves the schema to you: the store only looks whether it is there, in the version that it knows. Run
    /// [`PostgresStore::schema_sql`], for example with your other migrations. The store then needs no right but to
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

    /// Connects to a server, and makes the schema when it is missing.
    ///
    /// The URL is one of libpq, `postgres://` or `postgresql://`; the [module](super) tells which parameters matter.
    ///
    /// # Errors
    ///
    /// The URL cannot be used ([`ConfigError::StoreUrl`], [`ConfigError::RootCertificate`]), the schema is one of a
    /// newer version of this crate ([`ConfigError::NewerSchema`]), or the server cannot be reached or refuses
    /// ([`ConfigError::Store`]).
    ///
    /// # Cancel safety
    ///
    /// The schema may be made.
    pub async fn connect(self, url: &str) -> Result<PostgresStore, ConfigError> {
        let mut target = Target::parse(url, self.deadline)?;
        if self.named {
            target.limit_statements(self.deadline);
        }
        let tls = connector(target.trust, &target.roots)?;
        let context = context().with_server(target.server());
        let source = (self.tells && self.named).then(|| Source { config: target.config.clone(), tls: tls.clone() });
        let recycling_method = RecyclingMethod::Fast;
        let manager = Manager::from_config(target.config, tls, ManagerConfig { recycling_method });
        // The connection that was used last is the one whose process at the server is warm. Without timeouts of its own a
        // pool needs no runtime, which is all that can be wrong with one.
        let pool = Pool::builder(manager).max_size(self.connections).queue_mode(QueueMode::Lifo).build();
        let pool = pool.map_err(|_| ConfigError::StoreUrl { problem: "no pool can be made for it" })?;
        self.start(pool, true, context, source).await
    }

    /// Works on a pool that the application owns, and makes the schema when it is missing. The pool keeps its size, and
    /// closing the store leaves it open.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect).
    ///
    /// # Cancel safety
    ///
    /// As [`connect`](Self::connect).
    pub async fn open(self, pool: Pool) -> Result<PostgresStore, ConfigError> {
        self.start(pool, false, context(), None).await
    }

    async fn start(
        self,
        pool: Pool,
        owned: bool,
        context: ErrorContext,
        source: Option<Source>,
    ) -> Result<PostgresStore, ConfigError> {
        let (offline, deadline) = (self.offline_start, self.deadline);
        let source = match &self.heard_at {
            Some(url) => {
                let Target { config, trust, roots } = Target::parse(url, deadline)?;
                Some(Source { config, tls: connector(trust, &roots)? })
            }
            None => source,
        };
        let store = self.build(pool, owned, context, source);
        if !offline {
            let opened = store.database.open(super::ends(deadline)).await;
            opened.map_err(|failure| failure.at_start(&store.context))?;
        }
        Ok(store)
    }

    pub(super) fn build(self, pool: Pool, owned: bool, context: ErrorContext, source: Option<Source>) -> PostgresStore {
        let calls = Calls::new(self.namespace.clone(), &self.limits, self.tells);
        let usage = Use { owned, named: self.named, makes_schema: self.makes_schema };
        PostgresStore::over(Database::new(pool, usage, calls), self, context, source)
    }
}

/// What errors say before the server is known, and where a pool is given.
pub(super) fn context() -> ErrorContext {
    ErrorContext::new("PostgreSQL")
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
