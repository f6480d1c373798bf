#![doc = include_str!("docs.md")]

mod address;
mod cluster;
mod connect;
mod error;
mod gather;
mod link;
mod notices;
mod options;
mod query;
mod server;

use std::fmt;
use std::slice;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use redis::{Cmd, Value};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

pub use options::RedisOptions;

use self::address::Location;
use self::connect::Connector;
use self::error::{Cause, Failure};
use self::notices::Notices;
use self::query::{By, Keys, Terms};
use self::server::{Call, Purpose, Servers};
use super::deadline::timeout_at;
use super::{Capabilities, Changes, Durability, MetadataStore, PoolWait, StoreError, StoreErrorKind};
use crate::ConfigError;
use crate::metadata::{Limits, MetadataUpdate, Precondition, Record, Version};
use crate::user_id::UserId;

/// The longest that one attempt to connect may take.
const CONNECTING: Duration = Duration::from_secs(2);

/// Keeps the documents in Redis, on one server or in a Cluster; clones share the connections.
///
/// Needs a Tokio runtime with time and I/O enabled. The [module](self) tells what is promised and how to run it.
///
/// ```no_run
/// use tower_user_metadata::store::{MetadataStore, RedisStore};
/// use tower_user_metadata::{Precondition, UserId, metadata_update};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let store = RedisStore::open("redis://localhost").await?;
/// let alice = UserId::new("alice")?;
/// let update = metadata_update! { "theme": "dark" };
/// let record = store.update(&alice, &update, &Precondition::None).await?;
/// assert_eq!(store.get(&alice).await?, Some(record));
/// store.close().await;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct RedisStore(Arc<Inner>);

struct Inner {
    servers: Servers,
    /// For connections beside those of the servers.
    connector: Arc<Connector>,
    keys: Keys,
    limits: Limits,
    time_to_live: Duration,
    wait: Option<(i64, Cmd)>,
    deadline: Duration,
    /// One for each call that may be under way.
    room: Semaphore,
    places: u32,
    closed: AtomicBool,
}

impl RedisStore {
    /// Opens the store at a URL with the default [options](RedisOptions).
    ///
    /// | URL | |
    /// |---|---|
    /// | `redis://[user:password@]host[:port][/database]` | one server; port 6379 and database 0 by default |
    /// | `rediss://…` | the same by TLS |
    /// | `redis+unix:///path[?db=0&user=…&pass=…]` | one server by a Unix socket |
    /// | `redis+cluster://[user:password@]host[:port][,host[:port]…]` | a Cluster, found by any of these servers |
    /// | `rediss+cluster://…` | the same by TLS |
    ///
    /// # Errors
    ///
    /// As [`RedisOptions::open`].
    ///
    /// # Cancel safety
    ///
    /// As [`RedisOptions::open`].
    pub async fn open(url: impl Into<String>) -> Result<Self, ConfigError> {
        Self::options(url).open().await
    }

    /// Options to open the store at a URL with.
    #[must_use]
    pub fn options(url: impl Into<String>) -> RedisOptions {
        RedisOptions::new(url.into())
    }

    async fn start(options: RedisOptions) -> Result<Self, ConfigError> {
        let Location { place, tls, login } = Location::parse(&options.url)?;
        if !tls && !options.root_certificates.is_empty() {
            let problem = "the URL is one without TLS";
            return Err(ConfigError::StoreOption { option: "with_root_certificate", problem });
        }
        let tls = if tls { Some(connect::tls(&options.root_certificates)?) } else { None };
        let places = u32::try_from(options.queue).unwrap_or(u32::MAX).min(1 << 20);
        let connector = Arc::new(Connector::new(login, tls, CONNECTING.min(options.deadline), places as usize));
        let inner = Inner {
            servers: Servers::new(place, &connector),
            connector,
            keys: Keys::new(&options.prefix, &options.namespace),
            limits: options.limits,
            time_to_live: options.time_to_live.unwrap_or_default(),
            wait: options.wait.map(|(replicas, at_most)| (i64::from(replicas), query::wait(replicas, at_most))),
            deadline: options.deadline,
            room: Semaphore::new(places as usize),
            places,
            closed: AtomicBool::new(false),
        };
        let deadline = inner.call_ends();
        match inner.servers.reach(deadline).await {
            // What does not pass by itself is a mistake all the same.
            Err(ConfigError::Store(error)) if options.offline_start && error.is_retryable() => {}
            outcome => outcome?,
        }
        Ok(Self(Arc::new(inner)))
    }
}

impl Inner {
    fn call_ends(&self) -> Instant {
        // A deadline past what the clock can count is none: a year is as good.
        let now = Instant::now();
        now.checked_add(self.deadline).unwrap_or(now + Duration::from_secs(365 * 24 * 60 * 60))
    }

    /// Waits for room for one more call.
    async fn enter(&self, deadline: Instant) -> Result<SemaphorePermit<'_>, StoreError> {
        if self.closed.load(Ordering::SeqCst) {
            return Err(StoreError::new(StoreErrorKind::Closed));
        }
        let _wait = PoolWait::begin();
        match timeout_at(deadline, self.room.acquire()).await {
            // With the deadline of one call that of those behind it passes, and what is sent then has no time for its answer.
            Ok(Ok(permit)) if Instant::now() < deadline => Ok(permit),
            Ok(Err(_)) => Err(StoreError::new(StoreErrorKind::Closed)),
            Ok(Ok(_)) | Err(_) => Err(Cause::new(StoreErrorKind::Unavailable, "too many calls are under way").into()),
        }
    }

    async fn read(&self, users: &[UserId]) -> Result<Vec<Value>, StoreError> {
        let deadline = self.call_ends();
        let _room = self.enter(deadline).await?;
        let calls: Vec<_> = users
            .iter()
            .map(|user| {
                let key = self.keys.of(user);
                Call { command: query::get(&key), key }
            })
            .collect();
        self.servers.run(&calls, Purpose::Read, deadline).await.map_err(Failure::of_read)
    }

    /// Runs a script that writes, and reads its answer.
    async fn write<T>(
        &self,
        user: &UserId,
        script: impl Fn(By, &str) -> Cmd,
        read: impl FnOnce(Value) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let deadline = self.call_ends();
        let _room = self.enter(deadline).await?;
        let purpose = Purpose::Write { wait: self.wait.as_ref().map(|(_, command)| command) };
        let key = self.keys.of(user);
        let mut call = Call { command: script(By::Digest, &key), key };
        let mut answers =
            self.servers.run(slice::from_ref(&call), purpose, deadline).await.map_err(Failure::of_write)?;
        if answers.first().is_some_and(query::is_unknown_script) {
            call.command = script(By::Text, &call.key);
            answers = self.servers.run(slice::from_ref(&call), purpose, deadline).await.map_err(Failure::of_write)?;
        }
        let mut answers = answers.into_iter();
        let outcome = read(answers.next().ok_or_else(error::unexpected)?)?;
        match &self.wait {
            Some((demanded, _)) if answers.next().and_then(|answer| query::replicas(&answer)) < Some(*demanded) => {
                Err(error::too_few_replicas())
            }
            _ => Ok(outcome),
        }
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
        let mut answers = self.0.read(slice::from_ref(user)).await?;
        answers.pop().map_or(Ok(None), query::found)
    }

    async fn get_many(&self, users: &[UserId]) -> Result<Vec<Option<Record>>, StoreError> {
        if users.is_empty() {
            return Ok(Vec::new());
        }
        self.0.read(users).await?.into_iter().map(query::found).collect()
    }

    async fn update(&self, user: &UserId, update: &MetadataUpdate, when: &Precondition) -> Result<Record, StoreError> {
        let limits = self.0.limits;
        update.check(&limits)?;
        let fresh = Version::random().map_err(|error| StoreError::new(StoreErrorKind::Internal).with_source(error))?;
        let terms = Terms { when: *when, fresh, limits, time_to_live: self.0.time_to_live };
        let script = |by, key: &str| query::update(by, key, update, &terms);
        self.0.write(user, script, |answer| query::updated(answer, &limits)).await
    }

    async fn clear(&self, user: &UserId, when: &Precondition) -> Result<(), StoreError> {
        self.0.write(user, |by, key: &str| query::clear(by, key, when), query::cleared).await
    }

    /// Waits for the calls that are under way, and closes the connections; returns at once when the store is closed
    /// already. Dropping the last handle closes the connections without waiting.
    async fn close(&self) {
        self.0.closed.store(true, Ordering::SeqCst);
        // An error says that another close has been here.
        if self.0.room.acquire_many(self.0.places).await.is_ok() {
            self.0.room.close();
            self.0.servers.close();
        }
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new(Durability::Server).with_conditional_writes().with_limits(self.0.limits)
    }

    fn changes(&self) -> Option<Arc<dyn Changes>> {
        Some(Arc::new(Notices(Arc::clone(&self.0))))
    }
}
