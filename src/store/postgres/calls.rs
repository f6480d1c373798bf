//! The calls of one namespace: values in, records out.

use std::sync::Arc;
use std::time::Duration;

use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::change::{Change, Weight};
use super::error::Failure;
use super::query::{self, Writes};
use super::row::{self, Json, get, record};
use super::session::{Hidden, Session};
use crate::metadata::{Limits, Record, Version};
use crate::store::Namespace;
use crate::user_id::UserId;

/// The record of one of several users; one that cannot be read leaves the others readable.
pub(super) type Found = Result<Option<Record>, Failure>;

/// An update of a user who shall have it whatever is stored.
#[derive(Debug)]
pub(super) struct Upsert {
    pub(super) user: UserId,
    pub(super) change: Arc<Change>,
    pub(super) weight: Weight,
}

/// What a write may do.
#[derive(Clone, Copy, Debug)]
pub(super) struct Guard {
    /// An existing document may change.
    pub(super) existing: bool,
    /// A missing document may be created.
    pub(super) missing: bool,
    /// An existing document must have this version.
    pub(super) version: Option<Version>,
}

/// What a guarded update came to.
#[derive(Debug)]
pub(super) enum Written {
    Done(Record),
    /// Nothing was written. `fits`: the merged document would be within the limits.
    Not {
        seen: Option<Record>,
        fits: bool,
    },
}

/// What a guarded removal came to.
#[derive(Debug)]
pub(super) enum Removed {
    Done,
    /// Nothing was removed.
    Not {
        seen: Option<Version>,
    },
}

/// The statements of one namespace, under its limits.
#[derive(Clone, Debug)]
pub(super) struct Calls {
    namespace: Namespace,
    limit: Weight,
    writes: Arc<Writes>,
}

impl Calls {
    /// Which tell of what they change, if asked to, and wait no longer than this for a lock, if that is given.
    pub(super) fn new(namespace: Namespace, limits: &Limits, tell: bool, patience: Option<Duration>) -> Self {
        Self { namespace, limit: Weight::limit(limits), writes: Arc::new(Writes::new(tell, patience)) }
    }

    /// Whether [`upsert`](Self::upsert) may be tried: it does not weigh a document that is new.
    pub(super) fn surely_fits(&self, weight: Weight) -> bool {
        weight.within(self.limit)
    }

    fn namespace(&self) -> Hidden<&str> {
        Hidden(self.namespace.as_str())
    }

    pub(super) async fn find(&self, session: &mut Session, user: &UserId) -> Found {
        let rows = session.query(&query::FIND, &[&self.namespace(), &Hidden(user.as_str())]).await?;
        rows.first().map(|row| record(row, 0)).transpose()
    }

    /// The records of these users, in their order.
    pub(super) async fn find_many(&self, session: &mut Session, users: &[UserId]) -> Result<Vec<Found>, Failure> {
        let ids: Vec<_> = users.iter().map(UserId::as_str).collect();
        let rows = session.query(&query::FIND_MANY, &[&self.namespace(), &Hidden(ids)]).await?;
        let mut found: Vec<_> = users.iter().map(|_| Ok(None)).collect();
        for row in &rows {
            let n: i64 = get(row, 0)?;
            let place = usize::try_from(n - 1).ok().and_then(|place| found.get_mut(place));
            *place.ok_or_else(Failure::damaged)? = record(row, 1).map(Some);
        }
        Ok(found)
    }

    /// Merges without weighing. `None`: nothing happened, since that may pass a limit.
    pub(super) async fn upsert(&self, session: &mut Session, upsert: &Upsert, version: i64) -> Found {
        let Upsert { user, change, weight } = upsert;
        let params: &[&(dyn ToSql + Sync)] = &[
            &self.namespace(),
            &Hidden(user.as_str()),
            &version,
            &Json(&change.json),
            &Hidden(&change.removed),
            &weight.bytes,
            &weight.fields,
            &self.limit.bytes,
            &self.limit.fields,
        ];
        let rows = session.query(&self.writes.upsert, params).await?;
        rows.first().map(|row| written(row, 0)).transpose()
    }

    /// The same for several users. They are sorted by their ids, each there once: whoever locks rows in one order waits
    /// for nobody in a circle. The version of the user in place n is `base + n`, counted from 1.
    pub(super) async fn upsert_many(
        &self,
        session: &mut Session,
        upserts: &[Upsert],
        base: i64,
    ) -> Result<Vec<Found>, Failure> {
        let ids: Vec<_> = upserts.iter().map(|upsert| upsert.user.as_str()).collect();
        let documents: Vec<_> = upserts.iter().map(|upsert| Json(&upsert.change.json)).collect();
        let bytes: Vec<_> = upserts.iter().map(|upsert| upsert.weight.bytes).collect();
        let fields: Vec<_> = upserts.iter().map(|upsert| upsert.weight.fields).collect();
        let names: Vec<_> = upserts.iter().flat_map(|upsert| &upsert.change.removed).collect();
        let mut next = 1_i32;
        let mut firsts = vec![next];
        for upsert in upserts {
            // A group is bounded in bytes, so its names are far fewer than that.
            next = next.saturating_add(i32::try_from(upsert.change.removed.len()).unwrap_or(i32::MAX));
            firsts.push(next);
        }
        let params: &[&(dyn ToSql + Sync)] = &[
            &self.namespace(),
            &base,
            &Hidden(ids.as_slice()),
            &documents,
            &bytes,
            &fields,
            &Hidden(names),
            &firsts,
            &self.limit.bytes,
            &self.limit.fields,
        ];
        let rows = session.query(&self.writes.upsert_many, params).await?;
        let mut merged: Vec<_> = upserts.iter().map(|_| Ok(None)).collect();
        for row in &rows {
            let place = get::<&str>(row, 0).map(|user| ids.binary_search(&user).ok());
            let Ok(Some(place)) = place else { return Err(Failure::damaged().with_may_have_happened()) };
            // The place is one of `ids`, of which there are as many.
            merged[place] = written(row, 1).map(Some);
        }
        Ok(merged)
    }

    /// Merges and weighs, as far as the guard lets it.
    pub(super) async fn write(
        &self,
        session: &mut Session,
        user: &UserId,
        change: &Change,
        guard: Guard,
        version: i64,
    ) -> Result<Written, Failure> {
        let params: &[&(dyn ToSql + Sync)] = &[
            &self.namespace(),
            &Hidden(user.as_str()),
            &version,
            &Json(&change.json),
            &Hidden(&change.removed),
            &guard.existing,
            &guard.missing,
            &guard.version.map(|version| version.to_bits().cast_signed()),
            &self.limit.bytes,
            &self.limit.fields,
        ];
        let rows = session.query(&self.writes.write, params).await?;
        let row = rows.first().ok_or_else(Failure::damaged)?;
        if get(row, 0)? {
            return written(row, 1).map(Written::Done);
        }
        let seen = get::<Option<i64>>(row, 1)?.map(|_| record(row, 1)).transpose()?;
        Ok(Written::Not { seen, fits: get(row, 3)? })
    }

    pub(super) async fn delete(&self, session: &mut Session, user: &UserId) -> Result<(), Failure> {
        session.query(&self.writes.delete, &[&self.namespace(), &Hidden(user.as_str())]).await.map(drop)
    }

    /// Removes, as far as the guard lets it.
    pub(super) async fn delete_if(
        &self,
        session: &mut Session,
        user: &UserId,
        guard: Guard,
    ) -> Result<Removed, Failure> {
        let version = guard.version.map(|version| version.to_bits().cast_signed());
        let params: &[&(dyn ToSql + Sync)] = &[&self.namespace(), &Hidden(user.as_str()), &guard.existing, &version];
        let rows = session.query(&self.writes.delete_if, params).await?;
        let row = rows.first().ok_or_else(Failure::damaged)?;
        if get(row, 0)? {
            return Ok(Removed::Done);
        }
        Ok(Removed::Not { seen: get::<Option<i64>>(row, 1)?.map(row::version) })
    }
}

/// The record of a write that is done: if it cannot be read, the write has happened all the same.
fn written(row: &Row, column: usize) -> Result<Record, Failure> {
    record(row, column).map_err(Failure::with_may_have_happened)
}
