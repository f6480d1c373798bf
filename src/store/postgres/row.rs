//! How a value becomes a parameter, a row a record, and a notice news.

use std::error::Error;
use std::fmt;

use bytes::{BufMut, BytesMut};
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

use super::error::Failure;
use crate::metadata::{Metadata, Record, Version};
use crate::store::Change;
use crate::user_id::UserId;

/// What a notice tells: the namespace, the user and the change. A namespace has no control characters.
pub(super) fn told(payload: &str) -> Option<(&str, UserId, Change)> {
    let mut parts = payload.splitn(3, '\n');
    let change = match parts.next()? {
        "-" => Change::Cleared,
        bits => Change::Written(version(bits.parse().ok()?)),
    };
    Some((parts.next()?, UserId::new(parts.next()?).ok()?, change))
}

/// A document as a parameter: the text behind the version of the binary form, which is 1. It is not printed.
pub(super) struct Json<'a>(pub(super) &'a str);

impl fmt::Debug for Json<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("..")
    }
}

impl ToSql for Json<'_> {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        out.put_u8(1);
        out.put_slice(self.0.as_bytes());
        Ok(IsNull::No)
    }

    fn accepts(kind: &Type) -> bool {
        *kind == Type::JSONB
    }

    to_sql_checked!();
}

struct Document(Metadata);

impl FromSql<'_> for Document {
    fn from_sql(_: &Type, raw: &[u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        let text = raw.strip_prefix(&[1]).ok_or("the binary form of jsonb is not known")?;
        Metadata::from_jsonb(text).map(Self).ok_or_else(|| "not a document".into())
    }

    fn accepts(kind: &Type) -> bool {
        *kind == Type::JSONB
    }
}

/// One column.
pub(super) fn get<'r, T: FromSql<'r>>(row: &'r Row, column: usize) -> Result<T, Failure> {
    row.try_get(column).map_err(|_| Failure::damaged())
}

pub(super) fn version(bits: i64) -> Version {
    Version::from_bits(bits.cast_unsigned())
}

/// The columns `version, document`, of which this is the first.
pub(super) fn record(row: &Row, column: usize) -> Result<Record, Failure> {
    let Document(metadata) = get(row, column + 1)?;
    Ok(Record { metadata, version: version(get(row, column)?) })
}
