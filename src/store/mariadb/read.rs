//! Reads: one statement each.

use std::collections::HashMap;

use super::database::Database;
use super::error::Failure;
use super::query::{FIND, FIND_VERSION, bytes, find_many, key, read_record, read_user, read_version};
use super::session::{Session, Use};
use crate::metadata::{Record, Version};
use crate::user_id::UserId;

/// The most ids in one statement, which has at most 65,535 parameters.
const MOST_IDS: usize = 1 << 14;

pub(super) async fn one(database: &Database, mut session: Session, user: &UserId) -> Result<Option<Record>, Failure> {
    find(database, &mut session, user).await
}

pub(super) async fn find(database: &Database, session: &mut Session, user: &UserId) -> Result<Option<Record>, Failure> {
    let answer = session.query(FIND, Use::Read, key(&database.namespace, user).into()).await?;
    answer.rows.first().map(read_record).transpose()
}

pub(super) async fn find_version(
    database: &Database,
    session: &mut Session,
    user: &UserId,
) -> Result<Option<Version>, Failure> {
    let answer = session.query(FIND_VERSION, Use::Read, key(&database.namespace, user).into()).await?;
    answer.rows.first().map(read_version).transpose()
}

pub(super) async fn many(
    database: &Database,
    mut session: Session,
    users: &[UserId],
) -> Result<Vec<Option<Record>>, Failure> {
    let mut found = HashMap::with_capacity(users.len());
    for users in users.chunks(MOST_IDS) {
        let ids = users.len().next_power_of_two();
        // The places that are left over ask for the last id again.
        let padded = users.iter().chain(std::iter::repeat_n(users.last(), ids - users.len()).flatten());
        let mut params = Vec::with_capacity(ids + 1);
        params.push(bytes(database.namespace.as_str()));
        params.extend(padded.map(|user| bytes(user.as_str())));
        let answer = session.query(&find_many(ids), Use::Read, params).await?;
        for row in &answer.rows {
            found.insert(read_user(row)?.to_vec(), read_record(row)?);
        }
    }
    Ok(users.iter().map(|user| found.get(user.as_str().as_bytes()).cloned()).collect())
}
