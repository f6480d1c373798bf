//! The table of a database: made, brought up to date, or refused.

use std::time::Duration;

use tokio::time::Instant;

use super::error::Failure;
use super::query::{COMMENT, FIND_COMMENT, LOCK_SCHEMA, MIGRATIONS, UNLOCK_SCHEMA, read_text};
use super::session::{Session, Use};

/// How long it may take, above all when another process is making it.
pub(super) const LONGEST: Duration = Duration::from_secs(60);

/// Makes the database ready for this version of the crate, or only looks whether it is.
///
/// A newer table and one of somebody else are left as they are. Each step is one statement, and looked for again under a
/// lock: two processes may come at once, and one that is killed leaves whole steps.
pub(super) async fn prepare(mut session: Session, make: bool) -> Result<(), Failure> {
    session.set_deadline(Instant::now() + LONGEST);
    let Some(first) = next_step(&mut session).await? else { return Ok(()) };
    if !make {
        return Err(Failure::no_schema());
    }
    tracing::info!(step = first.number, "making the table of the metadata store");
    let outcome = steps(&mut session).await;
    // The variables of this connection were changed, and the lock may be held.
    session.end();
    outcome
}

async fn steps(session: &mut Session) -> Result<(), Failure> {
    // No deadline of a call ends a step.
    run(session, "SET max_statement_time = 0").await?;
    let locked = match run(session, LOCK_SCHEMA).await {
        // Locks are of one node of Galera, and some versions of it give none: the steps alone must be safe there, and
        // each is one statement that does nothing the second time.
        Err(failure) if failure.is_unsupported() => false,
        outcome => outcome.map(|()| true)?,
    };
    while let Some(step) = next_step(session).await? {
        run(session, step.sql).await?;
    }
    if locked { run(session, UNLOCK_SCHEMA).await } else { Ok(()) }
}

struct Step {
    number: usize,
    sql: &'static str,
}

/// The step to make next.
async fn next_step(session: &mut Session) -> Result<Option<Step>, Failure> {
    let answer = session.query(FIND_COMMENT, Use::Read, Vec::new()).await?;
    let found = match answer.rows.first().map(read_text).transpose()? {
        None => 0,
        Some(comment) => {
            let number = comment.strip_prefix(COMMENT).and_then(|number| number.parse::<u32>().ok());
            number.filter(|number| *number > 0).ok_or_else(Failure::foreign)?
        }
    };
    let known = u32::try_from(MIGRATIONS.len()).unwrap_or(u32::MAX);
    if found > known {
        return Err(Failure::newer_schema(found, known));
    }
    let number = usize::try_from(found).unwrap_or(usize::MAX);
    Ok(MIGRATIONS.get(number).map(|sql| Step { number: number + 1, sql }))
}

async fn run(session: &mut Session, sql: &str) -> Result<(), Failure> {
    session.query(sql, Use::Write, Vec::new()).await.map(drop)
}
