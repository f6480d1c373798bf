use std::time::Duration;

use crate::ConfigError;
use crate::metadata::Limits;
use crate::store::Namespace;

/// How a [`RedisStore`](crate::store::RedisStore) works; made by [`RedisStore::options`](crate::store::RedisStore::options).
///
/// ```no_run
/// use std::time::Duration;
/// use tower_user_metadata::store::{MetadataStore, Namespace, RedisStore};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let store = RedisStore::options()
///     .with_namespace(Namespace::new("shop")?)
///     .with_deadline(Duration::from_secs(2))
///     .with_wait_replicas(1, Duration::from_millis(100))
///     .connect("rediss://:password@redis.internal")
///     .await?;
/// # store.close().await;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct RedisOptions {
    pub(super) namespace: Namespace,
    pub(super) limits: Limits,
    pub(super) deadline: Duration,
    pub(super) prefix: String,
    pub(super) time_to_live: Option<Duration>,
    pub(super) wait: Option<(u32, Duration)>,
    pub(super) queue: usize,
    pub(super) offline_start: bool,
    pub(super) root_certificates: Vec<Vec<u8>>,
}

impl RedisOptions {
    pub(super) fn new() -> Self {
        Self {
            namespace: Namespace::default(),
            limits: Limits::default(),
            deadline: Duration::from_secs(5),
            prefix: "user_metadata".to_owned(),
            time_to_live: None,
            wait: None,
            queue: 1_024,
            offline_start: false,
            root_certificates: Vec::new(),
        }
    }

    /// Sets the application whose users the store is for. Default `public`; several may share one server.
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

    /// Sets how long a call may take, connecting and waiting in the queue included. Default 5 seconds: longer than a
    /// server needs that merely rewrites its log, shorter than a client waits.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Sets what the keys of the store begin with. Default `user_metadata`; without braces, which would decide on the
    /// slot in a Cluster.
    #[must_use]
    pub fn with_key_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Removes a document when nobody wrote it for this long, at least a millisecond. Default: never.
    ///
    /// Each write that changes the document begins the time anew; reading does not. A document that expired is none:
    /// [`get`](crate::store::MetadataStore::get) answers `None`. Without this option the next write of a document that
    /// was to expire makes it stay.
    #[must_use]
    pub fn with_ttl(mut self, time_to_live: Duration) -> Self {
        self.time_to_live = Some(time_to_live);
        self
    }

    /// Answers a write only when so many replicas acknowledged it (`WAIT`), or fails after `at_most`, with
    /// [`may_have_happened`](crate::StoreError::may_have_happened): the primary has the write, and it is not undone.
    /// Default: a write is answered by the primary alone.
    ///
    /// This makes it unlikely that a failover loses an acknowledged write, and not impossible: a replica that does not
    /// have it may be promoted, and a replica acknowledges what is in its memory. Writes that come while others wait are
    /// sent together after those, so a replica that is missing makes a write take twice `at_most`; some ten milliseconds
    /// are enough within one data centre.
    #[must_use]
    pub fn with_wait_replicas(mut self, replicas: u32, at_most: Duration) -> Self {
        self.wait = Some((replicas, at_most));
        self
    }

    /// Sets how many calls may be under way at a time; at least 1. Default 1,024. A call that finds no room waits for
    /// it until its deadline and then fails as [`Unavailable`](crate::StoreErrorKind::Unavailable), without having
    /// happened.
    #[must_use]
    pub fn with_queue(mut self, calls: usize) -> Self {
        self.queue = calls.max(1);
        self
    }

    /// Opens the store also when no server can be reached: calls fail until one can. Without this,
    /// [`connect`](Self::connect) fails.
    #[must_use]
    pub fn with_offline_start(mut self) -> Self {
        self.offline_start = true;
        self
    }

    /// Trusts these certificates, in PEM, beside the authorities that the system trusts: for private authorities. Only
    /// for `rediss:` and `rediss+cluster:`.
    #[must_use]
    pub fn with_root_certificate(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.root_certificates.push(pem.into());
        self
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let option = |option, problem| Err(ConfigError::StoreOption { option, problem });
        if self.prefix.contains(['{', '}']) {
            return option("with_key_prefix", "it has braces");
        }
        if self.time_to_live.is_some_and(|time| time.as_millis() == 0 || i64::try_from(time.as_millis()).is_err()) {
            return option("with_ttl", "it is less than a millisecond or too long for Redis");
        }
        Ok(())
    }
}

impl std::fmt::Debug for RedisOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedisOptions")
            .field("namespace", &self.namespace)
            .field("limits", &self.limits)
            .field("deadline", &self.deadline)
            .field("prefix", &self.prefix)
            .field("time_to_live", &self.time_to_live)
            .field("wait", &self.wait)
            .field("queue", &self.queue)
            .field("offline_start", &self.offline_start)
            .finish_non_exhaustive()
    }
}
