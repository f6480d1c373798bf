//! Keeps the write-ahead log short without stopping the writer for long.
//!
//! Pages go from the log to the database on a thread of their own, while the writer goes on. A log in which there is
//! always something new never begins anew, though, so a writer that never pauses must be made to, at a bound.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;

use super::query::{self, Log};

/// Pages in the log after which a checkpoint runs beside a writer that pauses now and then; its next write finds a log
/// that is done with, and begins it anew. 4 MiB of 4 KiB pages.
const EASY: u32 = 1_000;

/// Pages in the log after which a writer that never pauses is made to: 64 MiB of 4 KiB pages. One group waits
/// each time; with 64 writers that is one of some 250. Fewer pages would make more of them wait, more would make a
/// longer log to read after a crash.
const BOUND: u32 = 16_000;

/// Bytes to which the file of the log is cut when it begins anew and has grown past the bound, after somebody else
/// read for long.
pub(super) const LOG_BYTES: u32 = 2 * BOUND * 4_096;

/// Checkpoints beside the writer before it waits for one: the first copies nearly all pages, the second those that were
/// written meanwhile. SQLite syncs the database only where a checkpoint has copied the last page that there is by then,
/// so not beside a writer that goes on, and the checkpoint that it waits for syncs all of them. To make it stand still
/// for a sync beside it, too, would make more groups wait: its next commit waits for the same disk.
const ROUNDS: u32 = 2;

/// What the writer asks for; the sender tells by going away that it is over.
enum Ask {
    Beside,
    Restart(SyncSender<()>),
}

/// What writer and checkpointer both see.
#[derive(Default)]
struct Shared {
    /// Pages that the log had when the last checkpoint began, until the writer takes note of it.
    found: Mutex<Option<u32>>,
    running: AtomicBool,
}

/// The writer's end.
///
/// It counts the pages in the log: from what the last checkpoint found on, those of each commit. It may count too many,
/// since writes of one group that change the same page are counted one by one, and none that another process wrote; the
/// next checkpoint finds the true number.
pub(super) struct Checkpoints {
    shared: Arc<Shared>,
    asks: Sender<Ask>,
    pages: u32,
    /// Of them, those since a checkpoint was last asked for.
    since: u32,
    /// The number of pages at which the next easy checkpoint is due.
    next: u32,
    bound: u32,
    /// Checkpoints since the bound was reached.
    rounds: u32,
}

/// The end of the thread that makes the checkpoints.
pub(super) struct Checkpointer {
    shared: Arc<Shared>,
    asks: Receiver<Ask>,
}

/// Watches the log of this writer. This also turns SQLite's own checkpoints off, which would run on the writer's thread.
pub(super) fn watch(writer: &Connection) -> rusqlite::Result<(Checkpoints, Checkpointer)> {
    query::checkpoint_by_hand(writer)?;
    let shared = Arc::new(Shared::default());
    let (sender, asks) = channel();
    let checkpoints =
        Checkpoints { shared: shared.clone(), asks: sender, pages: 0, since: 0, next: EASY, bound: BOUND, rounds: 0 };
    Ok((checkpoints, Checkpointer { shared, asks }))
}

/// The pages that a row with a document of so many bytes is on: one, and those of what overflows it.
pub(super) fn pages_of(document: &str) -> u32 {
    u32::try_from(document.len() / 4_096).unwrap_or(u32::MAX).saturating_add(1)
}

impl Checkpoints {
    /// Between two transactions, of which the one before wrote so many pages: asks for what is due. `pausing`: nobody
    /// seems to wait for the writer.
    pub(super) fn after_commit(&mut self, pausing: bool, pages: u32) {
        self.pages = self.pages.saturating_add(pages);
        self.since = self.since.saturating_add(pages);
        if let Some(found) = self.shared.found() {
            self.correct(found.saturating_add(self.since));
        }
        if self.pages >= self.bound {
            self.at_bound();
        } else if pausing && self.pages >= self.next && !self.is_running() {
            self.next = self.pages.saturating_add(EASY);
            self.beside();
        }
    }

    /// Takes the true number of pages. Where it is less, the log has begun anew, or less was written than was counted.
    fn correct(&mut self, pages: u32) {
        if pages < self.pages {
            self.next = self.next.min(pages.saturating_add(EASY));
            if pages < BOUND {
                (self.bound, self.rounds) = (BOUND, 0);
            }
        }
        self.pages = pages;
    }

    /// Approaches the moment at which the log can begin anew: all of it must be in the database then, and synced.
    fn at_bound(&mut self) {
        if self.is_running() && self.pages < self.bound.saturating_mul(2) {
            return;
        }
        if self.rounds >= ROUNDS {
            self.restart();
            return;
        }
        self.rounds += 1;
        self.beside();
    }

    fn is_running(&self) -> bool {
        self.shared.running.load(Ordering::Acquire)
    }

    fn beside(&mut self) {
        self.shared.running.store(true, Ordering::Release);
        self.since = 0;
        // A checkpointer that is gone leaves the log long, and the documents whole.
        let _ = self.asks.send(Ask::Beside);
    }

    fn restart(&mut self) {
        let (done, over) = sync_channel(0);
        if self.asks.send(Ask::Restart(done)).is_ok() {
            let _ = over.recv();
        }
        self.pages = self.shared.found().unwrap_or(self.pages);
        // The next commit begins the log anew; where a reader stood in the way, the next attempt comes after as many
        // pages again.
        self.bound = self.pages.saturating_add(BOUND);
        self.next = self.pages.saturating_add(EASY);
        (self.since, self.rounds) = (0, 0);
    }
}

impl Checkpointer {
    /// Serves the writer until that is gone.
    pub(super) fn run(self, connection: &Connection) {
        while let Ok(ask) = self.asks.recv() {
            match ask {
                Ask::Beside => {
                    self.finish(query::checkpoint(connection), false);
                    self.shared.running.store(false, Ordering::Release);
                }
                Ask::Restart(done) => {
                    self.finish(query::restart_log(connection), true);
                    drop(done);
                }
            }
        }
    }

    /// `restarts`: where nobody was in the way, the next commit writes the first page of the log.
    fn finish(&self, outcome: rusqlite::Result<Log>, restarts: bool) {
        match outcome {
            Ok(log) => {
                if restarts && log.blocked {
                    tracing::warn!(
                        "the write-ahead log of the metadata store grows: another connection reads for long"
                    );
                }
                let pages = if restarts && !log.blocked { 0 } else { log.pages };
                *self.shared.found.lock().unwrap_or_else(PoisonError::into_inner) = Some(pages);
            }
            // The pages stay in the log, from which everybody reads them; the next checkpoint tries again.
            Err(error) => tracing::warn!(%error, "a checkpoint of the metadata store failed"),
        }
    }
}

impl Shared {
    fn found(&self) -> Option<u32> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::unix::fs::FileExt;
    use std::thread;

    use super::*;

    /// A database with a log that only `checkpoints` keeps short.
    struct Log {
        directory: tempfile::TempDir,
        writer: Connection,
        checkpoints: Checkpoints,
        file: File,
        /// How many times as many pages as are written are counted.
        overcounted: u32,
    }

    impl Log {
        fn new() -> Self {
            let directory = tempfile::tempdir().expect("a directory");
            let open = || {
                let mut connection = Connection::open(directory.path().join("log.db")).expect("opened");
                query::be_patient(&mut connection).expect("set");
                connection
            };
            let writer = open();
            assert!(query::use_wal(&writer).expect("set"));
            writer.execute_batch("PRAGMA synchronous = OFF; CREATE TABLE pages (page BLOB)").expect("made");
            let (checkpoints, checkpointer) = watch(&writer).expect("watched");
            let beside = open();
            thread::spawn(move || checkpointer.run(&beside));
            let file = File::open(directory.path().join("log.db-wal")).expect("a log");
            Self { directory, writer, checkpoints, file, overcounted: 1 }
        }

        /// Commits about 200 pages, and gives the number in the log.
        fn write(&mut self, pausing: bool) -> u32 {
            let write = "BEGIN; DELETE FROM pages; INSERT INTO pages SELECT zeroblob(4000) FROM generate; COMMIT";
            let numbers = "WITH RECURSIVE generate(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM generate WHERE n < 200)";
            let write = write.replace("INSERT", &format!("{numbers} INSERT"));
            self.writer.execute_batch(&write).expect("written");
            self.checkpoints.after_commit(pausing, 200 * self.overcounted);
            self.pages()
        }

        /// Counts the frames of the file that have the salt of its header: those behind them are of an older log.
        fn pages(&self) -> u32 {
            let salt = |offset| {
                let mut salt = [0; 8];
                self.file.read_exact_at(&mut salt, offset).map(|()| salt).ok()
            };
            let header = salt(16).expect("a header");
            let is_of_log = |frame: u32| salt(32 + u64::from(frame) * (24 + 4_096) + 8) == Some(header);
            let (mut of_log, mut older) = (0, 16 * BOUND);
            while of_log < older {
                let middle = of_log.midpoint(older);
                if is_of_log(middle) { of_log = middle + 1 } else { older = middle }
            }
            of_log
        }

        /// Writes so many pages or more, and gives the most and the fewest that the log had from its first growth on.
        fn write_pages(&mut self, pages: u32) -> (u32, u32) {
            let sizes: Vec<u32> = (0..pages.div_ceil(200)).map(|_| self.write(false)).collect();
            let begun_anew = sizes.windows(2).filter(|pair| pair[1] < pair[0]).map(|pair| pair[1]);
            (sizes.iter().copied().max().unwrap_or(0), begun_anew.min().unwrap_or(u32::MAX))
        }
    }

    #[test]
    fn a_writer_that_never_pauses_is_made_to() {
        let mut log = Log::new();
        let (most, fewest) = log.write_pages(4 * BOUND);
        assert!((BOUND..2 * BOUND + 1_000).contains(&most), "{most}");
        assert!(fewest < 1_000, "the log begins anew: {fewest}");
    }

    #[test]
    fn a_writer_that_counts_too_many_pages_does_not_wait_more_often() {
        let mut log = Log::new();
        log.overcounted = 5;
        let (most, fewest) = log.write_pages(4 * BOUND);
        assert!((BOUND - 1_000..2 * BOUND + 1_000).contains(&most), "{most}");
        assert!(fewest < 1_000, "the log begins anew: {fewest}");
    }

    #[test]
    fn a_log_that_another_process_fills_is_bounded_too() {
        let mut log = Log::new();
        log.overcounted = 0;
        log.write_pages(2 * BOUND);
        log.overcounted = 1;
        let (_, fewest) = log.write_pages(2 * BOUND);
        assert!(fewest < 1_000, "the log begins anew: {fewest}");
    }

    #[test]
    fn a_writer_that_pauses_has_a_short_log() {
        let mut log = Log::new();
        for _ in 0..50 {
            let pages = log.write(true);
            assert!(pages < 2 * EASY, "{pages}");
            while log.checkpoints.is_running() {
                thread::yield_now();
            }
        }
    }

    #[test]
    fn a_long_reader_lets_the_log_grow_and_stops_nobody() {
        let mut log = Log::new();
        log.write(false);
        let reader = Connection::open(log.directory.path().join("log.db")).expect("opened");
        reader.execute_batch("BEGIN; SELECT count(*) FROM pages").expect("a snapshot");
        let (most, fewest) = log.write_pages(3 * BOUND);
        assert!(most >= 3 * BOUND && fewest == u32::MAX, "{most} {fewest}");
        reader.execute_batch("COMMIT").expect("ended");
        let (_, fewest) = log.write_pages(3 * BOUND);
        assert!(fewest < 1_000, "{fewest}");
    }
}
