mod alone;
mod calls;
mod change;
mod database;
mod error;
mod gather;
mod notices;
mod options;
mod query;
mod refusal;
mod row;
mod schema;
mod session;
mod tls;
mod url;
mod works;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use deadpool::managed::QueueMode;
use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod};

pub use options::PostgresOptions;

use self::calls::{Calls, Upsert};
use self::change::Change;
use self::database::{Database, Use};
use self::gather::Gather;
use self::notices::{Notices, Source};
use self::tls::connector;
use self::url::Target;
use self::works::{Read, Upserted};
use super::deadline::ends;
use super::{Capabilities, Changes, Durability, ErrorContext, MetadataStore, StoreError};
use crate::ConfigError;
use crate::metadata::{Limits, MetadataUpdate, Precondition, Record};
use crate::user_id::UserId;

/// The most groups of reads under way at once, and of updates: few, so that they are large under load, and more than
/// one, so that a group is made ready while another is at the server.
const LANES: usize = 3;

/// Keeps the documents in PostgreSQL, as durably as that is configured; clones share the connections.
///
/// ```no_run
/// use tower_user_metadata::store::{MetadataStore, PostgresStore};
/// use tower_user_metadata::{Precondition, UserId, metadata_update};
///
/// # async fn keep() -> Result<(), Box<dyn std::error::Error>> {
/// let store = PostgresStore::connect("postgres://app:secret@localhost/app").await?;
/// let alice = UserId::new("alice")?;
/// let record = store.update(&alice, &metadata_update! { "theme": "dark" }, &Precondition::None).await?;
/// assert_eq!(store.get(&alice).await?, Some(record));
/// # Ok(())
/// # }
/// ```
///
#[doc = include_str!("docs.md")]
#[derive(Clone)]
pub struct PostgresStore {
    database: Arc<Database>,
    reads: Arc<Gather<Read>>,
    upserts: Arc<Gather<Upsert>>,
    limits: Limits,
    deadline: Duration,
    context: ErrorContext,
    notices: Option<Arc<Notices>>,
}

impl PostgresStore {
    /// Connects to a server with the default [options](PostgresOptions), and makes the schema when it is missing.
    ///
    /// # Errors
    ///
    /// As [`PostgresOptions::connect`].
    ///
    /// # Cancel safety
    ///
    /// As [`PostgresOptions::connect`].
    pub async fn connect(url: &str) -> Result<Self, ConfigError> {
        Self::options().connect(url).await
    }

    /// Works on a pool that the application owns, with the default [options](PostgresOptions). The first call makes the
    /// schema when it is missing; [`PostgresOptions::open`] does that at once.
    #[must_use]
    pub fn new(pool: Pool) -> Self {
        Self::options().build(pool, false, context(), None)
    }

    /// Options to connect or to open a pool with.
    #[must_use]
    pub fn options() -> PostgresOptions {
        PostgresOptions::new()
    }

    /// The SQL that makes the schema in an empty database, for those who migrate themselves: run it once in one
    /// transaction, and open the store [with the schema made
    /// elsewhere](PostgresOptions::with_schema_made_elsewhere).
    ///
    /// ```
    /// use tower_user_metadata::store::PostgresStore;
    ///
    /// assert!(PostgresStore::schema_sql().starts_with("CREATE TABLE tower_user_metadata ("));
    /// ```
    #[must_use]
    pub fn schema_sql() -> String {
        query::MIGRATIONS.concat()
    }

    fn over(database: Database, options: PostgresOptions, context: ErrorContext, source: Option<Source>) -> Self {
        let database = Arc::new(database);
        let notices = source.map(|source| {
            Arc::new(Notices::new(source, Arc::clone(&database), options.namespace, options.deadline, context.clone()))
        });
        // A call that is sent by itself needs no more than a connection.
        let lanes = if options.group == 1 { database.connections() } else { LANES.min(database.connections()) };
        Self {
            reads: Gather::new(Arc::clone(&database), lanes, options.group),
            upserts: Gather::new(Arc::clone(&database), lanes, options.group),
            database,
            limits: options.limits,
            deadline: options.deadline,
            context,
            notices,
        }
    }

    /// Gathered with others where that is possible, else by itself.
    async fn merge(&self, user: &UserId, update: &MetadataUpdate, when: Precondition) -> Result<Record, StoreError> {
        let deadline = ends(self.deadline);
        let change = Arc::new(Change::new(update, &self.limits)?);
        let weight = change.weight();
        if when == Precondition::None && !change.is_empty() && self.database.calls.surely_fits(weight) {
            let upsert = Upsert { user: user.clone(), change: Arc::clone(&change), weight };
            if let Upserted::Done(record) = self.upserts.call(upsert, deadline).await? {
                return Ok(record);
            }
        }
        alone::update(&self.database, user, &change, when, &self.limits, deadline).await
    }
}

impl PostgresOptions {
    /// Connects to a server, and makes the schema when it is missing.
    ///
    /// The URL is one of libpq, `postgres://` or `postgresql://`; [`PostgresStore`] tells which parameters there are.
    ///
    /// # Errors
    ///
    /// The URL cannot be used ([`ConfigError::StoreUrl`], [`ConfigError::UnknownStoreParameter`],
    /// [`ConfigError::RootCertificate`]), the schema is one of a newer version of this crate
    /// ([`ConfigError::NewerSchema`]), or the server cannot be reached or refuses ([`ConfigError::Store`]).
    ///
    /// # Cancel safety
    ///
    /// The schema may be made.
    pub async fn connect(mut self, url: &str) -> Result<PostgresStore, ConfigError> {
        let mut target = Target::parse(url, self.deadline)?;
        self.named &= !target.pooled;
        if self.named {
            target.limit_statements(self.deadline);
        }
        let tls = connector(target.trust, &target.roots, &self.root_certificates)?;
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
                let Target { config, trust, roots, pooled } = Target::parse(url, deadline)?;
                if pooled {
                    let problem = "its URL leads to a pooler, which passes no notices on";
                    return Err(ConfigError::StoreOption { option: "with_change_notices_at", problem });
                }
                Some(Source { config, tls: connector(trust, &roots, &self.root_certificates)? })
            }
            None => source,
        };
        let store = self.build(pool, owned, context, source);
        if !offline {
            let opened = store.database.open(ends(deadline)).await;
            opened.map_err(|failure| failure.at_start(&store.context))?;
        }
        Ok(store)
    }

    fn build(self, pool: Pool, owned: bool, context: ErrorContext, source: Option<Source>) -> PostgresStore {
        let patience = (!self.named).then_some(self.deadline);
        let calls = Calls::new(self.namespace.clone(), &self.limits, self.tells, patience);
        let usage = Use { owned, named: self.named, makes_schema: self.makes_schema };
        PostgresStore::over(Database::new(pool, usage, calls), self, context, source)
    }
}

/// What errors say where the server is not known: of a pool that is given.
fn context() -> ErrorContext {
    ErrorContext::new("PostgreSQL")
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore")
            .field("limits", &self.limits)
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl MetadataStore for PostgresStore {
    async fn get(&self, user: &UserId) -> Result<Option<Record>, StoreError> {
        let record = self.reads.call(Read(user.clone()), ends(self.deadline)).await;
        record.map_err(|failure| self.context.failed("get", failure))
    }

    async fn get_many(&self, users: &[UserId]) -> Result<Vec<Option<Record>>, StoreError> {
        let records = alone::get_many(&self.database, users, ends(self.deadline)).await;
        records.map_err(|failure| self.context.failed("get_many", failure))
    }

    async fn update(&self, user: &UserId, update: &MetadataUpdate, when: &Precondition) -> Result<Record, StoreError> {
        self.merge(user, update, *when).await.map_err(|error| self.context.failed("update", error))
    }

    async fn clear(&self, user: &UserId, when: &Precondition) -> Result<(), StoreError> {
        let cleared = alone::clear(&self.database, user, *when, ends(self.deadline)).await;
        cleared.map_err(|error| self.context.failed("clear", error))
    }

    /// Takes no more calls, waits for those under way, and ends the connections of a pool that the store made; all
    /// handles on the store are closed with it. Returns at once when it is closed already.
    ///
    /// Dropping the last handle ends the connections, too, after what is under way.
    ///
    /// # Cancel safety
    ///
    /// The store closes all the same.
    async fn close(&self) {
        self.database.close(ends(self.deadline)).await;
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new(Durability::Server).with_conditional_writes().with_limits(self.limits)
    }

    fn changes(&self) -> Option<Arc<dyn Changes>> {
        Some(Arc::clone(self.notices.as_ref()?) as _)
    }
}
