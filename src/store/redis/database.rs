//! The state that all handles on a store share: its servers, its keys, and room for its calls.

use std::slice;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use redis::{Cmd, Value};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

use super::connect::{self, Connector};
use super::error::{self, Cause, Failure};
use super::options::RedisOptions;
use super::query::{self, By, Keys};
use super::server::{Call, Purpose};
use super::servers::Servers;
use super::url::Location;
use crate::ConfigError;
use crate::metadata::Limits;
use crate::store::deadline::timeout_at;
use crate::store::{ErrorContext, PoolWait, StoreError, StoreErrorKind};
use crate::user_id::UserId;

/// The longest that one attempt to connect may take.
const CONNECTING: Duration = Duration::from_secs(2);

/// The servers of a store, and what its calls have in common.
pub(super) struct Database {
    pub(super) servers: Servers,
    /// For connections beside those of the servers.
    pub(super) connector: Arc<Connector>,
    pub(super) keys: Keys,
    pub(super) limits: Limits,
    pub(super) time_to_live: Duration,
    wait: Option<(i64, Cmd)>,
    pub(super) deadline: Duration,
    /// One for each call that may be under way.
    room: Semaphore,
    rooms: u32,
    pub(super) closed: AtomicBool,
    errors: ErrorContext,
    /// Where the servers are, as the URL names them.
    place: Arc<str>,
}

impl Database {
    /// Connects to the servers that a URL names, and makes sure that one answers.
    pub(super) async fn open(options: RedisOptions, url: &str) -> Result<Self, ConfigError> {
        let Location { target, tls, login } = Location::parse(url)?;
        let place = target.to_string().into();
        if !tls && !options.root_certificates.is_empty() {
            let problem = "the URL is one without TLS";
            return Err(ConfigError::StoreOption { option: "with_root_certificate", problem });
        }
        let tls = if tls { Some(connect::tls(&options.root_certificates)?) } else { None };
        let rooms = u32::try_from(options.queue).unwrap_or(u32::MAX).min(1 << 20);
        let connector = Arc::new(Connector::new(login, tls, CONNECTING.min(options.deadline), rooms as usize));
        let database = Self {
            servers: Servers::new(target, &connector),
            connector,
            keys: Keys::new(&options.prefix, &options.namespace),
            limits: options.limits,
            time_to_live: options.time_to_live.unwrap_or_default(),
            wait: options.wait.map(|(replicas, at_most)| (i64::from(replicas), query::wait(replicas, at_most))),
            deadline: options.deadline,
            room: Semaphore::new(rooms as usize),
            rooms,
            closed: AtomicBool::new(false),
            errors: ErrorContext::new("Redis"),
            place,
        };
        match database.servers.reach(database.call_ends()).await {
            Ok(()) => {}
            Err(ConfigError::Store(error)) => {
                let error = database.failed("open", error);
                // What does not pass by itself is a mistake all the same.
                if !(options.offline_start && error.is_retryable()) {
                    return Err(ConfigError::Store(error));
                }
            }
            Err(mistake) => return Err(mistake),
        }
        Ok(database)
    }

    /// Says of an error where it happened, and logs it.
    pub(super) fn failed(&self, operation: &'static str, error: StoreError) -> StoreError {
        self.errors.failed(operation, self.placed(error))
    }

    /// Says of an error where it happened.
    pub(super) fn described(&self, operation: &'static str, error: StoreError) -> StoreError {
        self.errors.describe(operation, self.placed(error))
    }

    fn placed(&self, error: StoreError) -> StoreError {
        // Of a Cluster, the server that failed is named where that is known.
        if error.server().is_some() { error } else { error.with_server(Arc::clone(&self.place)) }
    }

    pub(super) fn call_ends(&self) -> Instant {
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

    pub(super) async fn read(&self, users: &[UserId]) -> Result<Vec<Value>, StoreError> {
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
    pub(super) async fn write<T>(
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
        if answers.first().is_some_and(query::wants_text) {
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

    /// Waits for the calls that are under way, and closes the connections.
    pub(super) async fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        // An error says that another close has been here.
        if self.room.acquire_many(self.rooms).await.is_ok() {
            self.room.close();
            self.servers.close();
        }
    }
}
