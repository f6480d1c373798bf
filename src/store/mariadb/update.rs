//! Updates: the merge in one statement, and beside it compare-and-swap for what the statement cannot decide.

use super::change::{Change, document};
use super::database::Database;
use super::error::Failure;
use super::query::{INSERT, REPLACE, bytes, key, read_record, read_version, version};
use super::read::find;
use super::session::{Session, Use};
use crate::metadata::{Metadata, MetadataUpdate, Precondition, Record, Version};
use crate::store::StoreError;
use crate::user_id::UserId;

/// Merges and writes, if the precondition holds.
///
/// Every statement is whole by itself, so what is repeated here is known to have changed nothing: it was undone because
/// of others, or it met a document that came, went or changed meanwhile.
pub(super) async fn update(
    database: &Database,
    mut session: Session,
    user: &UserId,
    update: &MetadataUpdate,
    when: Precondition,
) -> Result<Record, StoreError> {
    let mut seen = Seen::Nothing;
    if when == Precondition::None && !update.is_empty() {
        // What passes a limit alone passes it merged, but perhaps another limit first.
        let alone = update.apply(&Metadata::new(), &database.limits).ok();
        let change = alone.and_then(|alone| Some((Change::new(update, &alone)?, alone)));
        if let Some((change, alone)) = change {
            match merge(database, &mut session, user, &change, &alone).await? {
                Merged::Done(record) => return Ok(record),
                Merged::Undecided(record) => seen = record,
            }
        }
    }
    compare_and_swap(database, &mut session, user, update, when, seen).await
}

/// What a statement that wrote nothing told of the document.
enum Seen {
    Nothing,
    Record(Record),
}

enum Merged {
    Done(Record),
    /// Nothing was written: the merged document may pass a limit, or the server could not compute it.
    Undecided(Seen),
}

async fn merge(
    database: &Database,
    session: &mut Session,
    user: &UserId,
    change: &Change,
    alone: &Metadata,
) -> Result<Merged, Failure> {
    let alone = document(alone);
    loop {
        let fresh = fresh()?;
        let [namespace, id] = key(&database.namespace, user);
        let fields = mysql_async::Value::from(change.fields);
        let params = vec![
            namespace,
            id,
            version(fresh),
            bytes(&alone),
            fields.clone(),
            fields,
            bytes(&change.pattern),
            bytes(&change.lines),
        ];
        match session.query(&database.statements.merge, Use::Write, params).await {
            Ok(answer) => {
                let row = answer.rows.first().ok_or_else(Failure::damaged)?;
                // Of a write that is done, nothing may say that it is not.
                let done = read_version(row)? == fresh;
                return match read_record(row) {
                    Ok(record) if done => Ok(Merged::Done(record)),
                    Ok(record) => Ok(Merged::Undecided(Seen::Record(record))),
                    Err(failure) if done => Err(failure.with_may_have_happened()),
                    Err(failure) => Err(failure),
                };
            }
            Err(failure) if failure.is_unmergeable() => return Ok(Merged::Undecided(Seen::Nothing)),
            Err(failure) if failure.is_conflict() => session.wait_for_others().await?,
            Err(failure) => return Err(failure),
        }
    }
}

/// Reads, merges here, and writes if the document is still the one that was read.
async fn compare_and_swap(
    database: &Database,
    session: &mut Session,
    user: &UserId,
    update: &MetadataUpdate,
    when: Precondition,
    mut seen: Seen,
) -> Result<Record, StoreError> {
    loop {
        let current = match std::mem::replace(&mut seen, Seen::Nothing) {
            Seen::Record(record) => Some(record),
            Seen::Nothing => find(database, session, user).await?,
        };
        let found = current.as_ref().map(|record| record.version);
        if !when.holds(found) {
            return Err(StoreError::precondition_failed(found));
        }
        let metadata = match &current {
            Some(record) => update.apply(&record.metadata, &database.limits)?,
            None => update.apply(&Metadata::new(), &database.limits)?,
        };
        if let (Some(record), true) = (current, update.is_empty()) {
            return Ok(record);
        }
        let record = Record { metadata, version: fresh()? };
        match write(database, session, user, &record, found).await {
            Ok(Written::Done) => return Ok(record),
            Ok(Written::Not(told)) => seen = told,
            Err(failure) if failure.is_conflict() => {}
            Err(failure) => return Err(failure.into()),
        }
        session.wait_for_others().await?;
    }
}

enum Written {
    Done,
    /// The document is not the one that was read.
    Not(Seen),
}

async fn write(
    database: &Database,
    session: &mut Session,
    user: &UserId,
    record: &Record,
    replaced: Option<Version>,
) -> Result<Written, Failure> {
    let [namespace, id] = key(&database.namespace, user);
    let (fresh, document) = (version(record.version), bytes(&document(&record.metadata)));
    if let Some(replaced) = replaced {
        let params = vec![fresh, document, namespace, id, version(replaced)];
        let answer = session.query(REPLACE, Use::Write, params).await?;
        return Ok(if answer.affected > 0 { Written::Done } else { Written::Not(Seen::Nothing) });
    }
    let answer = session.query(INSERT, Use::Write, vec![namespace, id, fresh, document]).await?;
    let row = answer.rows.first().ok_or_else(Failure::damaged)?;
    if read_version(row)? == record.version {
        return Ok(Written::Done);
    }
    Ok(Written::Not(Seen::Record(read_record(row)?)))
}

/// A version that nobody has seen yet.
fn fresh() -> Result<Version, Failure> {
    Version::random().map_err(|_| Failure::random())
}
