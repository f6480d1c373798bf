//! Keeps the write-ahead log short without stopping the writer for long.
//!
//! Pages go from the log to the database on a thread of their own, while the writer goes on. A log in which there is
//! always something new never begins anew, though, so past a bound the writer waits once for the last few pages.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::time::Duration;

use rusqlite::Connection;

use super::query;

/// Pages in the log after which a checkpoint runs beside the writer, and again after as many more: 4 MiB of 4 KiB pages.
const BESIDE: u32 = 1_000;

/// Pages in the log after which the writer waits until it can begin anew: 32 MiB of 4 KiB pages.
const BOUND: u32 = 8 * BESIDE;

/// Bytes to which the file of the log is cut when it begins anew and has grown past the bound, after somebody else
/// read for long.
pub(super) const LOG_BYTES: u32 = 2 * BOUND * 4_096;

/// How long a checkpoint waits for readers before it gives up: the writer is waiting too.
pub(super) const PATIENCE: Duration = Duration::from_millis(50);

enum Ask {
    Beside,
    /// Answered when it is over; a lost answer is an answer too.
    Restart(SyncSender<()>),
}

/// What writer and checkpointer both see.
#[derive(Default)]
struct Shared {
    /// Pages in the log at the last commit of the writer.
    pages: AtomicU32,
    /// Pages of it that are in the database.
    moved: AtomicU32,
    running: AtomicBool,
}

/// The writer's end.
pub(super) struct Checkpoints {
    shared: Arc<Shared>,
    asks: Sender<Ask>,
    seen: u32,
    /// The number of pages at which the next checkpoint beside the writer is due.
    next: u32,
    bound: u32,
    /// The last checkpoint before the writer waits, which makes that wait short, was asked for.
    closing_in: bool,
}

/// The end of the thread that makes the checkpoints.
pub(super) struct Checkpointer {
    shared: Arc<Shared>,
    asks: Receiver<Ask>,
}

/// Watches the log through the writer's connection. This also turns SQLite's own checkpoints off, which would run on
/// the writer's thread.
pub(super) fn watch(writer: &mut Connection) -> rusqlite::Result<(Checkpoints, Checkpointer)> {
    let shared = Arc::new(Shared::default());
    let seen = shared.clone();
    writer.wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, pages: i32| {
        seen.pages.store(u32::try_from(pages).unwrap_or(0), Ordering::Relaxed);
        Ok(())
    }))?;
    let (sender, asks) = channel();
    let checkpoints =
        Checkpoints { shared: shared.clone(), asks: sender, seen: 0, next: BESIDE, bound: BOUND, closing_in: false };
    Ok((checkpoints, Checkpointer { shared, asks }))
}

impl Checkpoints {
    /// Between two transactions: asks for what is due, and waits where the log has reached its bound.
    pub(super) fn after_commit(&mut self) {
        let pages = self.shared.pages.load(Ordering::Relaxed);
        if pages < self.seen {
            (self.next, self.bound, self.closing_in) = (BESIDE, BOUND, false);
            self.shared.moved.store(0, Ordering::Relaxed);
        }
        self.seen = pages;
        if pages < self.next && pages < self.bound {
            return;
        }
        let running = self.shared.running.load(Ordering::Acquire);
        let left = pages.saturating_sub(self.shared.moved.load(Ordering::Relaxed));
        if pages >= 2 * self.bound || (pages >= self.bound && !running && (self.closing_in || left < BESIDE / 4)) {
            self.restart(pages);
        } else if !running {
            self.closing_in = pages >= self.bound;
            self.next = pages.saturating_add(BESIDE);
            self.shared.running.store(true, Ordering::Release);
            // A checkpointer that is gone leaves the log long, and the documents whole.
            let _ = self.asks.send(Ask::Beside);
        }
    }

    fn restart(&mut self, pages: u32) {
        let (done, over) = sync_channel(1);
        if self.asks.send(Ask::Restart(done)).is_ok() {
            let _ = over.recv();
        }
        // Where a reader stood in the way, the next attempt comes after as many pages again; else the next commit
        // begins the log anew.
        self.bound = pages.saturating_add(BOUND);
        self.next = pages.saturating_add(BESIDE);
        self.closing_in = false;
    }
}

impl Checkpointer {
    /// Serves the writer until that is gone.
    pub(super) fn run(self, connection: &Connection) {
        while let Ok(ask) = self.asks.recv() {
            match ask {
                Ask::Beside => {
                    self.note(query::checkpoint(connection), false);
                    self.shared.running.store(false, Ordering::Release);
                }
                Ask::Restart(done) => {
                    self.note(query::restart_log(connection), true);
                    drop(done);
                }
            }
        }
    }

    fn note(&self, outcome: rusqlite::Result<query::Checkpoint>, must_finish: bool) {
        match outcome {
            Ok(checkpoint) => {
                self.shared.moved.store(checkpoint.moved, Ordering::Relaxed);
                if checkpoint.blocked && must_finish {
                    tracing::warn!(
                        "the write-ahead log of the metadata store grows: another connection reads for long"
                    );
                }
            }
            // The pages stay in the log, from which everybody reads them; the next checkpoint tries again.
            Err(error) => tracing::warn!(%error, "a checkpoint of the metadata store failed"),
        }
    }
}
