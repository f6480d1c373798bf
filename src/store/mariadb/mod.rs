mod change;
mod clear;
mod connections;
mod database;
mod error;
mod options;
mod pool;
mod query;
mod read;
mod schema;
mod session;
mod update;
mod url;

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

pub use options::MariadbOptions;

use self::connections::Setup;
use self::database::Database;
use self::error::Failure;
use self::pool::Pool;
use self::query::{Statements, session_variables};
use super::deadline::ends;
use super::{Capabilities, Durability, ErrorContext, MetadataStore, StoreError};
use crate::ConfigError;
use crate::metadata::{Limits, MetadataUpdate, Precondition, Record};
use crate::user_id::UserId;

/// Keeps the documents in MariaDB, as durably as that is configured; clones share the connections.
///
/// Needs a Tokio runtime with I/O and time enabled.
///
/// ```no_run
/// use tower_user_metadata::store::{MariadbStore, MetadataStore};
/// use tower_user_metadata::{Precondition, UserId, metadata_update};
///
/// # async fn keep() -> Result<(), Box<dyn std::error::Error>> {
/// let store = MariadbStore::connect("mariadb://app:secret@localhost/app").await?;
/// let alice = UserId::new("alice")?;
/// let record = store.update(&alice, &metadata_update! { "theme": "dark" }, &Precondition::None).await?;
/// assert_eq!(store.get(&alice).await?, Some(record));
/// # Ok(())
/// # }
/// ```
///
#[doc = include_str!("docs.md")]
#[derive(Clone)]
pub struct MariadbStore {
    database: Arc<Database>,
    deadline: Duration,
    context: ErrorContext,
}

impl MariadbStore {
    /// Connects to a server with the default [options](MariadbOptions), and makes the table when it is missing.
    ///
    /// # Errors
    ///
    /// As [`MariadbOptions::connect`].
    ///
    /// # Cancel safety
    ///
    /// As [`MariadbOptions::connect`].
    pub async fn connect(url: &str) -> Result<Self, ConfigError> {
        Self::options().connect(url).await
    }

    /// Options to connect with.
    #[must_use]
    pub fn options() -> MariadbOptions {
        MariadbOptions::new()
    }

    /// The SQL that makes the table, for those who migrate themselves: run it once, and open the store [with the schema
    /// made elsewhere](MariadbOptions::with_schema_made_elsewhere).
    ///
    /// ```
    /// use tower_user_metadata::store::MariadbStore;
    ///
    /// assert!(MariadbStore::schema_sql().starts_with("CREATE TABLE IF NOT EXISTS tower_user_metadata ("));
    /// ```
    #[must_use]
    pub fn schema_sql() -> String {
        query::MIGRATIONS.iter().map(|step| format!("{step};\n")).collect()
    }

    async fn read(&self, user: &UserId) -> Result<Option<Record>, StoreError> {
        let session = self.database.pool.session(ends(self.deadline)).await?;
        let (database, user) = (Arc::clone(&self.database), user.clone());
        apart(async move { Ok(read::one(&database, session, &user).await?) }).await
    }

    async fn read_many(&self, users: &[UserId]) -> Result<Vec<Option<Record>>, StoreError> {
        if users.is_empty() {
            return Ok(Vec::new());
        }
        let session = self.database.pool.session(ends(self.deadline)).await?;
        let (database, users) = (Arc::clone(&self.database), users.to_vec());
        apart(async move { Ok(read::many(&database, session, &users).await?) }).await
    }

    async fn merge(&self, user: &UserId, update: &MetadataUpdate, when: Precondition) -> Result<Record, StoreError> {
        update.check(&self.database.limits)?;
        let session = self.database.pool.session(ends(self.deadline)).await?;
        let (database, user, update) = (Arc::clone(&self.database), user.clone(), update.clone());
        write_apart(async move { update::update(&database, session, &user, &update, when).await }).await
    }

    async fn remove(&self, user: &UserId, when: Precondition) -> Result<(), StoreError> {
        let session = self.database.pool.session(ends(self.deadline)).await?;
        let (database, user) = (Arc::clone(&self.database), user.clone());
        write_apart(async move { clear::clear(&database, session, &user, when).await }).await
    }
}

impl MariadbOptions {
    /// Connects to a server, and makes the table when it is missing.
    ///
    /// The URL is `mariadb://USER:PASSWORD@HOST:PORT/DATABASE`, or `mysql://` with the same meaning;
    /// [`MariadbStore`] tells which parameters there are.
    ///
    /// # Errors
    ///
    /// The URL cannot be used ([`ConfigError::StoreUrl`], [`ConfigError::UnknownStoreParameter`],
    /// [`ConfigError::RootCertificate`]), the table is one of a newer version of this crate
    /// ([`ConfigError::NewerSchema`]), or the server cannot be reached, refuses, or is not one that this store works with
    /// ([`ConfigError::Store`]).
    ///
    /// # Cancel safety
    ///
    /// The table may be made.
    pub async fn connect(self, url: &str) -> Result<MariadbStore, ConfigError> {
        let opts = url::parse(url, &self.root_certificates)?;
        let context = ErrorContext::new("MariaDB").with_server(url::server(&opts));
        let setup = Setup { variables: session_variables(self.deadline), packet: packet(&self.limits) };
        let pool = Pool::new(opts, setup, self.connections, self.makes_schema);
        if !self.offline_start {
            pool.open(ends(self.deadline)).await.map_err(|failure| failure.at_start(&context))?;
        }
        let statements = Statements::new(&self.limits);
        let database = Database { pool, statements, namespace: self.namespace, limits: self.limits };
        Ok(MariadbStore { database: Arc::new(database), deadline: self.deadline, context })
    }
}

impl fmt::Debug for MariadbStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MariadbStore")
            .field("limits", &self.database.limits)
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl MetadataStore for MariadbStore {
    async fn get(&self, user: &UserId) -> Result<Option<Record>, StoreError> {
        self.read(user).await.map_err(|error| self.context.failed("get", error))
    }

    async fn get_many(&self, users: &[UserId]) -> Result<Vec<Option<Record>>, StoreError> {
        self.read_many(users).await.map_err(|error| self.context.failed("get_many", error))
    }

    async fn update(&self, user: &UserId, update: &MetadataUpdate, when: &Precondition) -> Result<Record, StoreError> {
        self.merge(user, update, *when).await.map_err(|error| self.context.failed("update", error))
    }

    async fn clear(&self, user: &UserId, when: &Precondition) -> Result<(), StoreError> {
        self.remove(user, *when).await.map_err(|error| self.context.failed("clear", error))
    }

    /// Waits for what is under way, and ends the connections. Dropping the last handle does the same without waiting for
    /// it.
    async fn close(&self) {
        let database = Arc::clone(&self.database);
        // In a task of its own, so that it is done also for a caller who does not wait. What can go wrong in it is the
        // end of the runtime, and of all connections with it.
        let _ = tokio::spawn(async move { database.pool.close().await }).await;
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new(Durability::Server).with_conditional_writes().with_limits(self.database.limits)
    }
}

/// Runs in a task of its own: a caller who goes away in the middle of an exchange must not leave a connection on which
/// the answer to somebody's question is still to come.
async fn apart<T: Send + 'static>(
    work: impl Future<Output = Result<T, StoreError>> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::spawn(work).await.unwrap_or_else(|_| Err(Failure::ended().into()))
}

/// As [`apart`], for work that may change something.
async fn write_apart<T: Send + 'static>(
    work: impl Future<Output = Result<T, StoreError>> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::spawn(work).await.unwrap_or_else(|_| Err(Failure::ended().with_may_have_happened().into()))
}

/// What `max_allowed_packet` must be at least: a merge carries the update twice, and everything may be as large as a
/// document; beside it a search expression and the key.
fn packet(limits: &Limits) -> u64 {
    let document = u64::try_from(limits.document_bytes()).unwrap_or(u64::MAX);
    document.saturating_mul(3).saturating_add(64 * 1024)
}
