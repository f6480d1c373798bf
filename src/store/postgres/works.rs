//! What is gathered: reads, and updates without a precondition.

use super::calls::Upsert;
use super::database::Database;
use super::error::Failure;
use super::gather::Work;
use super::session::Session;
use crate::metadata::Record;
use crate::user_id::UserId;

/// The document of one user.
#[derive(Debug)]
pub(super) struct Read(pub(super) UserId);

impl Work for Read {
    type Answer = Option<Record>;

    const WRITES: bool = false;

    fn alone_with(&self) -> Option<&UserId> {
        None
    }

    fn bytes(&self) -> usize {
        self.0.as_str().len()
    }

    async fn run(database: &Database, mut session: Session, works: Vec<Self>) -> Vec<Result<Option<Record>, Failure>> {
        let users: Vec<_> = works.into_iter().map(|Self(user)| user).collect();
        match read(database, &mut session, &users).await {
            Ok(records) => records,
            Err(failure) => users.iter().map(|_| Err(failure.clone())).collect(),
        }
    }
}

/// Reads the documents of several users. A connection that turns out to be lost is replaced once: it may have been idle
/// for long, and to read twice changes nothing.
pub(super) async fn read(
    database: &Database,
    session: &mut Session,
    users: &[UserId],
) -> Result<Vec<Result<Option<Record>, Failure>>, Failure> {
    match read_once(database, session, users).await {
        Err(failure) if failure.is_loss() => {
            *session = database.session(session.deadline()).await?;
            read_once(database, session, users).await
        }
        outcome => outcome,
    }
}

async fn read_once(
    database: &Database,
    session: &mut Session,
    users: &[UserId],
) -> Result<Vec<Result<Option<Record>, Failure>>, Failure> {
    match users {
        [user] => Ok(vec![Ok(database.calls.find(session, user).await?)]),
        users => database.calls.find_many(session, users).await,
    }
}

/// What became of an update in its group.
#[derive(Debug)]
pub(super) enum Upserted {
    Done(Record),
    /// Nothing happened: it may pass a limit, or somebody stood in the way. It is to be tried alone.
    Undecided,
}

impl Work for Upsert {
    type Answer = Upserted;

    const WRITES: bool = true;

    fn alone_with(&self) -> Option<&UserId> {
        Some(&self.user)
    }

    fn bytes(&self) -> usize {
        self.change.json.len()
    }

    async fn run(database: &Database, mut session: Session, works: Vec<Self>) -> Vec<Result<Upserted, Failure>> {
        let outcome = match &works[..] {
            [one] => upsert(database, &mut session, one).await.map(|outcome| vec![Ok(outcome)]),
            several => upsert_many(database, &mut session, several).await,
        };
        outcome.unwrap_or_else(|failure| {
            let alone = failure.is_conflict() || (works.len() > 1 && failure.is_of_content());
            works.iter().map(|_| if alone { Ok(Upserted::Undecided) } else { Err(failure.clone()) }).collect()
        })
    }
}

async fn upsert(database: &Database, session: &mut Session, upsert: &Upsert) -> Result<Upserted, Failure> {
    database.calls.upsert(session, upsert, random()?).await.map(Upserted::from)
}

async fn upsert_many(
    database: &Database,
    session: &mut Session,
    upserts: &[Upsert],
) -> Result<Vec<Result<Upserted, Failure>>, Failure> {
    // The versions of the group follow this one, and must not run past the last number.
    let base = random()?.min(i64::MAX - i64::from(u32::MAX));
    let records = database.calls.upsert_many(session, upserts, base).await?;
    Ok(records.into_iter().map(|record| record.map(Upserted::from)).collect())
}

impl From<Option<Record>> for Upserted {
    fn from(record: Option<Record>) -> Self {
        record.map_or(Self::Undecided, Self::Done)
    }
}

/// The bits of a version that nobody has seen yet.
pub(super) fn random() -> Result<i64, Failure> {
    getrandom::u64().map(u64::cast_signed).map_err(|_| Failure::random())
}
