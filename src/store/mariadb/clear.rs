//! The removal of a document: one statement.

use super::database::Database;
use super::error::Failure;
use super::query::{DELETE, DELETE_VERSION, key, version};
use super::read::find_version;
use super::session::{Session, Use};
use crate::metadata::Precondition;
use crate::store::StoreError;
use crate::user_id::UserId;

/// Removes the document, if the precondition holds.
pub(super) async fn clear(
    database: &Database,
    mut session: Session,
    user: &UserId,
    when: Precondition,
) -> Result<(), StoreError> {
    if when == Precondition::Absent {
        // Where there is no document, nothing is left to do.
        return match find_version(database, &mut session, user).await? {
            None => Ok(()),
            current => Err(StoreError::precondition_failed(current)),
        };
    }
    let removed = loop {
        match delete(database, &mut session, user, when).await {
            Err(failure) if failure.is_conflict() => session.wait_for_others().await?,
            outcome => break outcome?,
        }
    };
    match when {
        Precondition::Version(_) if !removed => {
            let current = find_version(database, &mut session, user).await?;
            Err(StoreError::precondition_failed(current))
        }
        Precondition::Exists if !removed => Err(StoreError::precondition_failed(None)),
        _ => Ok(()),
    }
}

/// Whether there was something to remove.
async fn delete(
    database: &Database,
    session: &mut Session,
    user: &UserId,
    when: Precondition,
) -> Result<bool, Failure> {
    let mut params = Vec::from(key(&database.namespace, user));
    let sql = match when {
        Precondition::Version(expected) => {
            params.push(version(expected));
            DELETE_VERSION
        }
        _ => DELETE,
    };
    Ok(session.query(sql, Use::Write, params).await?.affected > 0)
}
