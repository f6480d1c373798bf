mod address;
mod cluster;
mod connect;
mod connection;
mod database;
mod error;
mod gather;
mod link;
mod notices;
mod options;
mod query;
mod query_server;
mod record;
mod refusal;
mod server;
mod servers;
mod url;

use std::fmt;
use std::slice;
use std::sync::Arc;

use async_trait::async_trait;

pub use options::RedisOptions;

use self::database::Database;
use self::notices::Notices;
use self::query::Terms;
use self::servers::Servers;
use super::{Capabilities, Changes, Durability, MetadataStore, StoreError, StoreErrorKind};
use crate::ConfigError;
use crate::metadata::{MetadataUpdate, Precondition, Record, Version};
use crate::user_id::UserId;

/// Keeps the documents in Redis, on one server or in a Cluster; clones share the connections.
///
/// Needs a Tokio runtime with time and I/O enabled.
///
/// ```no_run
/// use tower_user_metadata::store::{MetadataStore, RedisStore};
/// use tower_user_metadata::{Precondition, UserId, metadata_update};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let store = RedisStore::connect("redis://localhost").await?;
/// let alice = UserId::new("alice")?;
/// let update = metadata_update! { "theme": "dark" };
/// let record = store.update(&alice, &update, &Precondition::None).await?;
/// assert_eq!(store.get(&alice).await?, Some(record));
/// store.close().await;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
#[doc = include_str!("docs.md")]
#[derive(Clone)]
pub struct RedisStore(Arc<Database>);

impl RedisStore {
    /// Connects to the server or the Cluster that a URL names, with the default [options](RedisOptions).
    ///
    /// | URL | |
    /// |---|---|
    /// | `redis://[user:password@]host[:port][/database]` | one server; port 6379 and database 0 by default |
    /// | `rediss://…` | the same by TLS |
    /// | `redis+unix:///path[?db=0&user=…&pass=…]` | one server by a Unix socket |
    /// | `redis+cluster://[user:password@]host[:port][,host[:port]…]` | a Cluster, found by any of these servers |
    /// | `rediss+cluster://…` | the same by TLS |
    ///
    /// A parameter that is not known is an error. Of one server `?db=1` names the database as the path does. `protocol`
    /// (`resp2`, `resp3`) is understood and changes nothing, since each connection speaks what it needs. Certificates are
    /// always checked: parameters by which other clients switch that off, such as `ssl_cert_reqs`, have no counterpart,
    /// and a private authority is trusted by [`with_root_certificate`](RedisOptions::with_root_certificate).
    ///
    /// # Errors
    ///
    /// As [`RedisOptions::connect`].
    ///
    /// # Cancel safety
    ///
    /// As [`RedisOptions::connect`].
    pub async fn connect(url: &str) -> Result<Self, ConfigError> {
        Self::options().connect(url).await
    }

    /// Options to connect with.
    #[must_use]
    pub fn options() -> RedisOptions {
        RedisOptions::new()
    }
}

impl RedisOptions {
    /// Connects to the server or the Cluster that a URL names, and makes sure that a server answers.
    ///
    /// [`RedisStore::connect`] has the forms of the URL.
    ///
    /// # Errors
    ///
    /// The URL or an option cannot be used ([`ConfigError::StoreUrl`], [`ConfigError::UnknownStoreParameter`],
    /// [`ConfigError::StoreOption`], [`ConfigError::RootCertificate`]), or the server does not answer within the deadline
    /// or does not let us in ([`ConfigError::Store`]).
    ///
    /// # Cancel safety
    ///
    /// Nothing stays open.
    pub async fn connect(self, url: &str) -> Result<RedisStore, ConfigError> {
        self.check()?;
        Ok(RedisStore(Arc::new(Database::open(self, url).await?)))
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore")
            .field("cluster", &matches!(self.0.servers, Servers::Cluster(_)))
            .field("deadline", &self.0.deadline)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl MetadataStore for RedisStore {
    async fn get(&self, user: &UserId) -> Result<Option<Record>, StoreError> {
        let answer = self.0.read(slice::from_ref(user)).await;
        let found = answer.and_then(|mut answers| answers.pop().map_or(Ok(None), record::found));
        found.map_err(|error| self.0.failed("get", error))
    }

    async fn get_many(&self, users: &[UserId]) -> Result<Vec<Option<Record>>, StoreError> {
        if users.is_empty() {
            return Ok(Vec::new());
        }
        let answers = self.0.read(users).await;
        let found = answers.and_then(|answers| answers.into_iter().map(record::found).collect());
        found.map_err(|error| self.0.failed("get_many", error))
    }

    async fn update(&self, user: &UserId, update: &MetadataUpdate, when: &Precondition) -> Result<Record, StoreError> {
        let limits = self.0.limits;
        update.check(&limits)?;
        let updated = async {
            let fresh = Version::random();
            let fresh = fresh.map_err(|error| StoreError::new(StoreErrorKind::Internal).with_source(error))?;
            let terms = Terms { when: *when, fresh, limits, time_to_live: self.0.time_to_live };
            let script = |by, key: &str| query::update(by, key, update, &terms);
            self.0.write(user, script, |answer| query::updated(answer, &limits)).await
        };
        updated.await.map_err(|error| self.0.failed("update", error))
    }

    async fn clear(&self, user: &UserId, when: &Precondition) -> Result<(), StoreError> {
        let cleared = self.0.write(user, |by, key: &str| query::clear(by, key, when), query::cleared).await;
        cleared.map_err(|error| self.0.failed("clear", error))
    }

    /// Waits for the calls that are under way, and closes the connections; returns at once when the store is closed
    /// already. Dropping the last handle closes the connections without waiting.
    async fn close(&self) {
        self.0.close().await;
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new(Durability::Server).with_conditional_writes().with_limits(self.0.limits)
    }

    fn changes(&self) -> Option<Arc<dyn Changes>> {
        Some(Arc::new(Notices(Arc::clone(&self.0))))
    }
}
