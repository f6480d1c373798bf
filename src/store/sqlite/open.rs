//! Opens the connections and starts the threads: one that writes, some that read, one that makes checkpoints.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};
use tokio::sync::{oneshot, watch};

use super::checkpoint::{self, Checkpoints};
use super::error;
use super::identity::Identity;
use super::options::SqliteOptions;
use super::query::{self, Reads, Writes};
use super::queue::End;
use super::readers::{self, ReadQueue};
use super::schema::{self, Failure};
use super::writer::{self, WriteQueue};
use crate::ConfigError;
use crate::store::{StoreError, StoreErrorKind};

const READ_ONLY: &str = "this process has no right to write to it, or it is on a read-only file system";

/// What the threads of a store share with its handles.
pub(super) struct Threads {
    pub(super) writes: Arc<WriteQueue>,
    pub(super) reads: Arc<ReadQueue>,
    /// Its sender goes away with the last thread.
    pub(super) over: watch::Receiver<()>,
}

impl Threads {
    /// Lets the threads finish what is in the queues, and end.
    pub(super) fn end(&self) {
        self.reads.end(End::Closed);
        self.writes.end(End::Closed);
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.end();
    }
}

/// Opens the store on a thread of its own, since opening waits for the disk and for locks.
pub(super) async fn open(options: SqliteOptions, path: PathBuf) -> Result<Threads, ConfigError> {
    let (alive, over) = watch::channel(());
    let threads = Threads {
        writes: Arc::new(WriteQueue::new(options.queue, true)),
        reads: Arc::new(ReadQueue::new(options.queue, false)),
        over,
    };
    let (writes, reads) = (threads.writes.clone(), threads.reads.clone());
    let (report, opened) = oneshot::channel();
    spawn("metadata-writer", move || {
        serve(&options, &path, &writes, &reads, report);
        drop(alive);
    })?;
    match opened.await {
        Ok(opened) => opened.map(|()| threads),
        Err(_) => Err(ConfigError::Store(End::Failed.into())),
    }
}

/// The thread that writes. It starts the others and outlives them, so that the last connection to be closed is one
/// that may tidy up the log.
fn serve(
    options: &SqliteOptions,
    path: &Path,
    writes: &Arc<WriteQueue>,
    reads: &Arc<ReadQueue>,
    report: oneshot::Sender<Result<(), ConfigError>>,
) {
    // When nobody waits for the report any more, the queues have ended, and so will the threads.
    let started = start(options, path, reads);
    let Started { writer, file, threads, checkpoints } = match started {
        Ok(started) => started,
        Err(failure) => {
            let _ = report.send(Err(failure.into()));
            return;
        }
    };
    match Writes::prepare(&writer, options.namespace.clone()) {
        Ok(statements) => {
            let _ = report.send(Ok(()));
            writer::run(writes, statements, options.limits, checkpoints, file);
        }
        Err(failure) => {
            let _ = report.send(Err(Failure::Sqlite(failure).into()));
            drop(checkpoints);
        }
    }
    reads.end(End::Closed);
    for thread in threads {
        // A thread that panicked has ended its queue already.
        let _ = thread.join();
    }
    if let Err(error) = query::empty_log(&writer) {
        tracing::warn!(%error, "the write-ahead log of the metadata store was not emptied; the next process that opens the file does that");
    }
}

/// What the thread that writes needs.
struct Started {
    writer: Connection,
    file: Identity,
    threads: Vec<JoinHandle<()>>,
    checkpoints: Checkpoints,
}

fn start(options: &SqliteOptions, path: &Path, reads: &Arc<ReadQueue>) -> Result<Started, Failure> {
    let file = file(path, options.creates)?;
    let connect = |access, power_cut_safe| patiently(options.deadline, || connect(&file, access, power_cut_safe));
    let (read_write, read_only) = (OpenFlags::SQLITE_OPEN_READ_WRITE, OpenFlags::SQLITE_OPEN_READ_ONLY);

    let writer = connect(read_write, options.power_cut_safe)?;
    query::cache_pages(&writer)?;
    patiently(options.deadline, || schema::prepare(&writer, path))?;
    let (checkpoints, checkpointer) = checkpoint::watch(&writer)?;

    // Safe also where writes are not synced: a page must be in the database for good before the log overwrites it.
    let beside = connect(read_write, true)?;
    let mut threads = vec![spawn("metadata-checkpoints", move || checkpointer.run(&beside))?];
    let (ready, started) = mpsc::channel();
    for _ in 0..options.readers {
        let reader = connect(read_only, true)?;
        let (queue, ready) = (reads.clone(), ready.clone());
        let (namespace, deadline) = (options.namespace.clone(), options.deadline);
        threads.push(spawn("metadata-reader", move || {
            let prepared = patiently(deadline, || Ok(Reads::prepare(&reader, namespace.clone())?));
            let (statements, report) = match prepared {
                Ok(statements) => (Some(statements), Ok(())),
                Err(failure) => (None, Err(failure)),
            };
            let _ = ready.send(report);
            // The end of the reports is when every reader has let go.
            drop(ready);
            if let Some(statements) = statements {
                readers::run(queue, statements);
            }
        })?);
    }
    drop(ready);
    started.into_iter().collect::<Result<(), Failure>>()?;
    let file = Identity::of(&file).map_err(|error| no_file(path, error))?;
    Ok(Started { writer, file, threads, checkpoints })
}

/// Creates the file if it is missing and may be created, readable for its owner only, and gives its absolute path: SQLite
/// reads some relative ones as something else (`:memory:`, `file:…`), and a process may change its directory.
fn file(path: &Path, creates: bool) -> Result<PathBuf, Failure> {
    // Closing any descriptor of a file drops all locks that this process has on it, those of SQLite too. So nobody
    // opens a store between here and there.
    static CREATION: Mutex<()> = Mutex::new(());
    let _alone = CREATION.lock().unwrap_or_else(PoisonError::into_inner);
    let existing = || {
        let file = fs::canonicalize(path)?;
        // SQLite would say only that it cannot be opened.
        match fs::metadata(&file)?.file_type() {
            kind if kind.is_dir() => Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a directory")),
            kind if !kind.is_file() => Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file")),
            _ => Ok(file),
        }
    };
    if creates {
        let mut private = fs::OpenOptions::new();
        private.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut private, 0o600);
        match private.open(path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(no_file(path, error)),
            _ => {}
        }
    }
    existing().map_err(|error| no_file(path, error))
}

fn connect(path: &Path, access: OpenFlags, power_cut_safe: bool) -> Result<Connection, Failure> {
    // Each connection is used by one thread at a time, so SQLite need not lock it.
    let mut connection = Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    query::be_patient(&mut connection)?;
    if access.contains(OpenFlags::SQLITE_OPEN_READ_WRITE) && query::is_read_only(&connection)? {
        // SQLite opens for reading what it cannot open for writing.
        return Err(no_file(path, io::Error::new(io::ErrorKind::PermissionDenied, READ_ONLY)));
    }
    query::configure(&connection, power_cut_safe, checkpoint::LOG_BYTES)?;
    Ok(connection)
}

/// Repeats what fails for a lock, until the deadline.
fn patiently<T>(deadline: Duration, mut attempt: impl FnMut() -> Result<T, Failure>) -> Result<T, Failure> {
    let start = Instant::now();
    loop {
        match attempt() {
            Err(Failure::Sqlite(error)) if error::is_busy(&error) && start.elapsed() < deadline => {
                // Not every lock is waited for by the connection itself.
                thread::sleep(Duration::from_millis(1));
            }
            outcome => return outcome,
        }
    }
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, Failure> {
    let thread = thread::Builder::new().name(name.to_owned()).spawn(body);
    let failed = |error| StoreError::new(StoreErrorKind::Unavailable).with_source(error);
    thread.map_err(|error: io::Error| Failure::Config(ConfigError::Store(failed(error))))
}

fn no_file(path: &Path, source: io::Error) -> Failure {
    Failure::Config(ConfigError::StoreFile { path: path.to_owned(), source })
}
