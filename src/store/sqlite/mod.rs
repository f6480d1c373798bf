mod checkpoint;
mod error;
mod identity;
mod open;
mod options;
mod query;
mod queue;
mod readers;
mod schema;
mod url;
mod writer;

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

pub use options::SqliteOptions;

use self::open::Threads;
use self::url::Location;
use self::writer::{Change, Write, Written};
use super::{Capabilities, Durability, ErrorContext, MetadataStore, StoreError, StoreErrorKind};
use crate::ConfigError;
use crate::metadata::{MetadataUpdate, Precondition, Record, Version};
use crate::user_id::UserId;

/// Keeps the documents in a SQLite file, durably; clones share it.
///
/// Needs a Tokio runtime with time enabled, and no other of its services: the work is done on threads of the store.
///
/// ```
/// use tower_user_metadata::store::{MetadataStore, SqliteStore};
/// use tower_user_metadata::{Precondition, UserId, metadata_update};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("metadata.db");
/// let alice = UserId::new("alice")?;
/// let store = SqliteStore::open(&path).await?;
/// store.update(&alice, &metadata_update! { "theme": "dark" }, &Precondition::None).await?;
/// store.close().await;
///
/// let reopened = SqliteStore::open(&path).await?;
/// let record = reopened.get(&alice).await?.expect("kept");
/// assert_eq!(record.metadata.to_json(), r#"{"theme":"dark"}"#);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
#[doc = include_str!("docs.md")]
#[derive(Clone)]
pub struct SqliteStore {
    threads: Arc<Threads>,
    deadline: Duration,
    capabilities: Capabilities,
    errors: ErrorContext,
}

impl SqliteStore {
    /// Opens a file with the default [options](SqliteOptions), and creates it when it is missing.
    ///
    /// # Errors
    ///
    /// As [`SqliteOptions::open`].
    ///
    /// # Cancel safety
    ///
    /// As [`SqliteOptions::open`].
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, ConfigError> {
        Self::options().open(path).await
    }

    /// Opens the file that a URL names, `sqlite://PATH`, with the default [options](SqliteOptions).
    ///
    /// # Errors
    ///
    /// As [`SqliteOptions::connect`].
    ///
    /// # Cancel safety
    ///
    /// As [`SqliteOptions::open`].
    pub async fn connect(url: &str) -> Result<Self, ConfigError> {
        Self::options().connect(url).await
    }

    /// Options to open a file with.
    #[must_use]
    pub fn options() -> SqliteOptions {
        SqliteOptions::new()
    }

    fn call_ends(&self) -> Instant {
        // A deadline past what the clock can count is none: a year is as good.
        let now = Instant::now();
        now.checked_add(self.deadline).unwrap_or(now + Duration::from_secs(365 * 24 * 60 * 60))
    }

    async fn read(&self, operation: &'static str, users: Vec<UserId>) -> Result<Vec<Option<Record>>, StoreError> {
        let read = self.threads.reads.call(users, self.call_ends()).await;
        read.map_err(|error| self.errors.failed(operation, error))
    }

    async fn write(&self, operation: &'static str, write: Write) -> Result<Option<Record>, StoreError> {
        let written = self.threads.writes.call(write, self.call_ends()).await;
        let record = written.and_then(|written| written.map(Written::record).transpose());
        record.map_err(|error| self.errors.failed(operation, error))
    }
}

impl SqliteOptions {
    /// Opens the store, and creates the file when it is missing, readable and writable for its owner only.
    ///
    /// # Errors
    ///
    /// The directory is missing or the file cannot be read and written ([`ConfigError::StoreFile`]), the file is a
    /// database of something else ([`ConfigError::ForeignDatabase`]) or of a newer version of this crate
    /// ([`ConfigError::NewerSchema`]), or SQLite fails ([`ConfigError::Store`]).
    ///
    /// # Cancel safety
    ///
    /// The file may be created, and nothing stays open.
    pub async fn open(self, path: impl AsRef<Path>) -> Result<SqliteStore, ConfigError> {
        let path = path.as_ref();
        url::check(path)?;
        let deadline = self.deadline;
        let durability = if self.power_cut_safe { Durability::PowerCut } else { Durability::Crash };
        let capabilities = Capabilities::new(durability).with_conditional_writes().with_limits(self.limits);
        let errors = ErrorContext::new("SQLite").with_server(path.to_string_lossy());
        let threads = open::open(self, path.to_owned()).await.map_err(|error| not_opened(&errors, path, error))?;
        Ok(SqliteStore { threads: Arc::new(threads), deadline, capabilities, errors })
    }

    /// Opens the file that a URL names, `sqlite://PATH`, as [`open`](Self::open) does.
    ///
    /// The path is everything behind `sqlite://` up to a `?`, as it is: `sqlite://relative.db`,
    /// `sqlite:///absolute/path.db`. Nothing in it is percent-decoded. There is one parameter: `mode=rwc`, the default,
    /// creates a missing file, `mode=rw` [does not](Self::with_existing_file).
    ///
    /// # Errors
    ///
    /// The URL has another form ([`ConfigError::StoreUrl`]) or a parameter that is not known
    /// ([`ConfigError::UnknownStoreParameter`]), and as [`open`](Self::open).
    ///
    /// # Cancel safety
    ///
    /// As [`open`](Self::open).
    pub async fn connect(self, url: &str) -> Result<SqliteStore, ConfigError> {
        let Location { path, creates } = Location::parse(url)?;
        let options = if creates { self } else { self.with_existing_file() };
        options.open(path).await
    }
}

/// Says of a failure of the database where it happened, and logs what only an operator can mend.
fn not_opened(errors: &ErrorContext, path: &Path, error: ConfigError) -> ConfigError {
    match error {
        ConfigError::Store(error) => ConfigError::Store(errors.failed("open", error)),
        ConfigError::StoreFile { ref source, .. } => {
            let server = path.to_string_lossy();
            let reason = format!("{error}: {source}");
            tracing::error!(operation = "open", engine = "SQLite", %server, error = reason, "a call of the store failed");
            error
        }
        mistake => mistake,
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore")
            .field("deadline", &self.deadline)
            .field("capabilities", &self.capabilities)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl MetadataStore for SqliteStore {
    async fn get(&self, user: &UserId) -> Result<Option<Record>, StoreError> {
        Ok(self.read("get", vec![user.clone()]).await?.pop().flatten())
    }

    async fn get_many(&self, users: &[UserId]) -> Result<Vec<Option<Record>>, StoreError> {
        self.read("get_many", users.to_vec()).await
    }

    async fn update(&self, user: &UserId, update: &MetadataUpdate, when: &Precondition) -> Result<Record, StoreError> {
        let failed = |error| self.errors.failed("update", error);
        let fresh = Version::random();
        let fresh = fresh.map_err(|error| failed(StoreError::new(StoreErrorKind::Internal).with_source(error)))?;
        let change = Change::Update { update: update.clone(), fresh };
        let stored = self.write("update", Write { user: user.clone(), when: *when, change }).await?;
        // An update leaves a document behind.
        stored.ok_or_else(|| failed(StoreError::new(StoreErrorKind::Internal)))
    }

    async fn clear(&self, user: &UserId, when: &Precondition) -> Result<(), StoreError> {
        self.write("clear", Write { user: user.clone(), when: *when, change: Change::Clear }).await.map(drop)
    }

    /// Finishes what waits in the queues, moves the log into the database, and ends the threads; returns at once when
    /// the store is closed already. Dropping the last handle does the same without waiting for it.
    async fn close(&self) {
        self.threads.end();
        let mut over = self.threads.over.clone();
        // An error says that the last thread is gone; values are never sent.
        while over.changed().await.is_ok() {}
    }

    fn capabilities(&self) -> Capabilities {
        self.capabilities
    }
}
