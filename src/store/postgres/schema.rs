//! The schema of a database: made, brought up to date, or refused.

use std::time::Duration;

use deadpool_postgres::Object;
use tokio::time::timeout;
use tokio_postgres::types::FromSqlOwned;
use tokio_postgres::{GenericClient, IsolationLevel};

use super::error::Failure;
use super::query::{LOCK_SCHEMA, LOOK, MIGRATIONS, SCHEMA_VERSION};

/// How long it may take, above all when another process is making it.
pub(super) const LONGEST: Duration = Duration::from_secs(60);

/// Makes the database ready for this version of the crate, or only looks whether it is.
///
/// A newer schema is left as it is. Each step is a transaction that looks again, under a lock, at which step the schema
/// is: two processes may come at once, and one that is killed leaves whole steps. Nothing here outlasts its transaction,
/// so that it works through a pooler as well.
pub(super) async fn prepare(mut connection: Object, make: bool) -> Result<(), Failure> {
    let outcome = timeout(LONGEST, steps(&mut connection, make)).await.unwrap_or_else(|_| Err(Failure::deadline()));
    if outcome.is_err() {
        // Whatever state it is in, nobody else shall have it.
        drop(Object::take(connection));
    }
    outcome
}

async fn steps(connection: &mut Object, make: bool) -> Result<(), Failure> {
    while let Some(first) = next_step(&***connection).await? {
        if !make {
            return Err(Failure::no_schema());
        }
        tracing::info!(step = first.number, "making the schema of the metadata store");
        // What others did before the lock was free must be seen behind it.
        let transaction = connection.build_transaction().isolation_level(IsolationLevel::ReadCommitted).start();
        let transaction = transaction.await.map_err(failed)?;
        transaction.batch_execute(LOCK_SCHEMA).await.map_err(failed)?;
        if let Some(step) = next_step(&*transaction).await? {
            transaction.batch_execute(step.sql).await.map_err(failed)?;
        }
        transaction.commit().await.map_err(failed)?;
    }
    Ok(())
}

struct Step {
    number: usize,
    sql: &'static str,
}

/// The step to make next.
async fn next_step<C: GenericClient>(client: &C) -> Result<Option<Step>, Failure> {
    let number = match look(client).await? {
        false => 0,
        true => {
            let found: Option<i32> = one(client, SCHEMA_VERSION, 0).await?;
            let found = found.and_then(|found| u32::try_from(found).ok()).ok_or_else(Failure::damaged)?;
            let known = u32::try_from(MIGRATIONS.len()).unwrap_or(u32::MAX);
            if found > known {
                return Err(Failure::newer_schema(found, known));
            }
            usize::try_from(found).unwrap_or(usize::MAX)
        }
    };
    Ok(MIGRATIONS.get(number).map(|sql| Step { number: number + 1, sql }))
}

/// Whether there is a schema; fails where none can be.
async fn look<C: GenericClient>(client: &C) -> Result<bool, Failure> {
    let row = client.query_typed_one(LOOK, &[]).await.map_err(failed)?;
    let column = |number| row.try_get::<_, bool>(number).map_err(|_| Failure::damaged());
    if !column(0)? {
        return Err(Failure::encoding());
    }
    column(1)
}

async fn one<C: GenericClient, T: FromSqlOwned>(client: &C, sql: &str, column: usize) -> Result<T, Failure> {
    let row = client.query_typed_one(sql, &[]).await.map_err(failed)?;
    row.try_get(column).map_err(|_| Failure::damaged())
}

fn failed(error: tokio_postgres::Error) -> Failure {
    Failure::of_statement(&error, false)
}
