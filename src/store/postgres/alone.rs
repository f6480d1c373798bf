//! Calls that have a statement of their own: those under a precondition, and those that a group could not decide.
//!
//! Every statement is whole by itself, so what is repeated here is known to have changed nothing: it was undone because
//! of others, or it met a document that came or went while it ran.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::calls::{Guard, Removed, Written};
use super::change::Change;
use super::database::{Database, Working, apart};
use super::error::Failure;
use super::session::Session;
use super::works::{random, read};
use crate::metadata::{Limits, Precondition, Record};
use crate::store::StoreError;
use crate::user_id::UserId;

/// Merges, weighs and writes, if the precondition holds.
pub(super) async fn update(
    database: &Arc<Database>,
    user: &UserId,
    change: &Arc<Change>,
    when: Precondition,
    limits: &Limits,
    deadline: Instant,
) -> Result<Record, StoreError> {
    let guard = guard(when);
    // An empty update changes no document, and creates one where there is none.
    let guard = if change.is_empty() { Guard { existing: false, ..guard } } else { guard };
    let mut attempts = Attempts::until(deadline);
    loop {
        let (session, working) = attempts.next(database).await?;
        let (seen, fits) = match write(database, session, working, user, change, guard).await {
            Ok(Written::Done(record)) => return Ok(record),
            Ok(Written::Not { seen, fits }) => (seen, fits),
            Err(failure) => {
                attempts.after(failure)?;
                continue;
            }
        };
        let version = seen.as_ref().map(|record| record.version);
        if !when.holds(version) {
            return Err(StoreError::precondition_failed(version));
        }
        match seen {
            Some(record) if change.is_empty() => return Ok(record),
            seen if !fits => {
                let stored = seen.map(|record| record.metadata).unwrap_or_default();
                return Err(change.excess(&stored, limits).into());
            }
            // What the statement saw does not explain why it wrote nothing: somebody came between.
            _ => {}
        }
    }
}

/// Removes the document, if the precondition holds.
pub(super) async fn clear(
    database: &Arc<Database>,
    user: &UserId,
    when: Precondition,
    deadline: Instant,
) -> Result<(), StoreError> {
    let mut attempts = Attempts::until(deadline);
    loop {
        let (session, working) = attempts.next(database).await?;
        match remove(database, session, working, user, when).await {
            Ok(Removed::Not { seen }) if !when.holds(seen) => return Err(StoreError::precondition_failed(seen)),
            // None was seen where there was nothing to remove, as it should be.
            Ok(Removed::Done | Removed::Not { seen: None }) => return Ok(()),
            // What the statement saw should have been removed: somebody came between.
            Ok(Removed::Not { seen: Some(_) }) => {}
            Err(failure) => attempts.after(failure)?,
        }
    }
}

/// The records of several users, from one statement.
pub(super) async fn get_many(
    database: &Arc<Database>,
    users: &[UserId],
    deadline: Instant,
) -> Result<Vec<Option<Record>>, Failure> {
    let working = database.begin()?;
    let mut session = database.session(deadline).await?;
    let (database, users) = (Arc::clone(database), users.to_vec());
    let records = apart(async move {
        let _working = working;
        read(&database, &mut session, &users).await
    });
    records.await?.into_iter().collect()
}

fn guard(when: Precondition) -> Guard {
    match when {
        Precondition::None => Guard { existing: true, missing: true, version: None },
        Precondition::Exists => Guard { existing: true, missing: false, version: None },
        Precondition::Absent => Guard { existing: false, missing: true, version: None },
        Precondition::Version(version) => Guard { existing: true, missing: false, version: Some(version) },
    }
}

async fn write(
    database: &Arc<Database>,
    mut session: Session,
    working: Working,
    user: &UserId,
    change: &Arc<Change>,
    guard: Guard,
) -> Result<Written, Failure> {
    let (database, user, change, version) = (Arc::clone(database), user.clone(), Arc::clone(change), random()?);
    let written = apart(async move {
        let _working = working;
        database.calls.write(&mut session, &user, &change, guard, version).await
    });
    written.await.map_err(Failure::of_a_write)
}

async fn remove(
    database: &Arc<Database>,
    mut session: Session,
    working: Working,
    user: &UserId,
    when: Precondition,
) -> Result<Removed, Failure> {
    let (database, user) = (Arc::clone(database), user.clone());
    let removed = apart(async move {
        let _working = working;
        match when {
            Precondition::None => database.calls.delete(&mut session, &user).await.map(|()| Removed::Done),
            when => database.calls.delete_if(&mut session, &user, guard(when)).await,
        }
    });
    removed.await.map_err(Failure::of_a_write)
}

/// Attempts until something is decided, or until the deadline.
struct Attempts {
    deadline: Instant,
    made: u32,
    /// What the last one failed by.
    failure: Failure,
}

impl Attempts {
    fn until(deadline: Instant) -> Self {
        Self { deadline, made: 0, failure: Failure::deadline() }
    }

    /// What the next attempt needs; before all but the first there is a pause.
    async fn next(&mut self, database: &Arc<Database>) -> Result<(Session, Working), Failure> {
        if self.made > 0 {
            let next = Instant::now() + pause(self.made);
            if next >= self.deadline {
                return Err(self.failure.clone());
            }
            sleep_until(next).await;
        }
        self.made += 1;
        let working = database.begin()?;
        Ok((database.session(self.deadline).await?, working))
    }

    /// Passes a failure on, unless another attempt may do better.
    fn after(&mut self, failure: Failure) -> Result<(), Failure> {
        if !failure.is_conflict() {
            return Err(failure);
        }
        self.failure = failure;
        Ok(())
    }
}

/// Between nothing and 1 ms, 2 ms, 4 ms … 256 ms: random, so that two writers do not meet again.
fn pause(attempts: u32) -> Duration {
    let longest = 500_u64 << attempts.min(9);
    Duration::from_micros(random().map_or(longest, i64::unsigned_abs) % (longest + 1))
}
