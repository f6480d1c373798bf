//! Threads that read: each with a connection of its own that cannot write, all served from one queue.

use std::sync::Arc;

use super::error;
use super::query::Reads;
use super::queue::{Job, Queue, Server};
use crate::metadata::Record;
use crate::store::StoreError;
use crate::user_id::UserId;

/// The records of several users, in the order asked.
pub(super) type ReadJob = Job<Vec<UserId>, Vec<Option<Record>>>;
pub(super) type ReadQueue = Queue<Vec<UserId>, Vec<Option<Record>>>;

/// Serves the queue until it ends.
pub(super) fn run(queue: Arc<ReadQueue>, mut reads: Reads<'_>) {
    let server = Server(queue);
    while let Some(job) = server.0.take() {
        if job.claim() {
            let answer = patiently(&mut reads, &job, || server.0.set_locked(true));
            server.0.set_locked(false);
            job.answer(answer);
        }
    }
}

/// Locks that keep a reader out are short, for example while another process recovers the log: waits for them as long
/// as the caller does.
fn patiently(reads: &mut Reads<'_>, job: &ReadJob, locked: impl Fn()) -> Result<Vec<Option<Record>>, StoreError> {
    loop {
        match read(reads, &job.work) {
            Ok(records) => return records.into_iter().map(Option::transpose).collect(),
            Err(error) if error::is_busy(&error) && job.is_wanted() => locked(),
            Err(error) => return Err(error::rolled_back(&error)),
        }
    }
}

type Found = Option<Result<Record, StoreError>>;

fn read(reads: &mut Reads<'_>, users: &[UserId]) -> rusqlite::Result<Vec<Found>> {
    if let [user] = users {
        return Ok(vec![reads.find(user)?]);
    }
    reads.begin()?;
    let found: rusqlite::Result<_> = users.iter().map(|user| reads.find(user)).collect();
    // A transaction that only read has nothing to undo; left open, it would hold the log.
    let ended = reads.end();
    let found = found?;
    ended.map(|()| found)
}
