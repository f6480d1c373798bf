use std::thread;
use std::time::Duration;

use crate::metadata::Limits;
use crate::store::Namespace;

/// How a [`SqliteStore`](crate::store::SqliteStore) works; made by
/// [`SqliteStore::options`](crate::store::SqliteStore::options).
///
/// ```
/// use std::time::Duration;
/// use tower_user_metadata::store::{MetadataStore, Namespace, SqliteStore};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("metadata.db");
/// let store = SqliteStore::options()
///     .with_namespace(Namespace::new("shop")?)
///     .with_deadline(Duration::from_secs(2))
///     .open(&path)
///     .await?;
/// assert!(path.exists());
/// store.close().await;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct SqliteOptions {
    pub(super) namespace: Namespace,
    pub(super) limits: Limits,
    pub(super) deadline: Duration,
    pub(super) power_cut_safe: bool,
    pub(super) readers: usize,
    pub(super) queue: usize,
    pub(super) creates: bool,
}

impl SqliteOptions {
    pub(super) fn new() -> Self {
        Self {
            namespace: Namespace::default(),
            limits: Limits::default(),
            deadline: Duration::from_secs(5),
            power_cut_safe: true,
            readers: thread::available_parallelism().map_or(1, |cores| cores.get().min(4)),
            queue: 1_024,
            creates: true,
        }
    }

    /// Sets the application whose users the store is for. Default `public`; several may share one file.
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

    /// Sets how long a call may take, waiting in the queue and for locks included. Default 5 seconds: longer than a
    /// disk that is merely slow takes, shorter than a client waits.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Answers a write before it is on the disk (`synchronous=NORMAL`): faster, and **a power cut or a crash of the
    /// operating system may undo the last acknowledged writes**, whole ones and the latest first. A crash of the
    /// process undoes none. Without this (`synchronous=FULL`) an acknowledged write survives both.
    #[must_use]
    pub fn with_synchronous_normal(mut self) -> Self {
        self.power_cut_safe = false;
        self
    }

    /// Sets the number of threads that read, each with a connection and a page cache of up to 2 MB; at least 1.
    /// Default: one a core, at most 4.
    #[must_use]
    pub fn with_readers(mut self, readers: usize) -> Self {
        self.readers = readers.max(1);
        self
    }

    /// Sets how many writes may wait, and as many reads; at least 1. Default 1,024. A call that finds no room waits
    /// for it until its deadline and then fails as
    /// [`Unavailable`](crate::StoreErrorKind::Unavailable), without having happened.
    #[must_use]
    pub fn with_queue(mut self, calls: usize) -> Self {
        self.queue = calls.max(1);
        self
    }

    /// Opens a file only if it is there. By default a missing one is created, so that a mistake in the path goes unnoticed
    /// until somebody misses the documents. `?mode=rw` in a URL says the same.
    #[must_use]
    pub fn with_existing_file(mut self) -> Self {
        self.creates = false;
        self
    }
}
