//! The only file with SQL: what each statement is, how a value becomes a parameter, and a row a record.
//!
//! A row carries upper bounds of what its document weighs, so that most writes need not weigh it: the bounds grow with
//! each update by what that adds, and where they reach a limit, the document is weighed to the byte and the bounds are
//! true again.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;

use bytes::{BufMut, BytesMut};
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

use super::error::Failure;
use super::session::Statement;
use crate::metadata::{Metadata, Record, Version};
use crate::store::Change;
use crate::user_id::UserId;

/// One step a schema version, in order, each with the note that it is made; a step that was released is never changed.
///
/// Ids have the collation `C`, so they are compared byte for byte. The bounds of a row that somebody wrote by hand are
/// past every limit, so the next write weighs it.
pub(super) const MIGRATIONS: &[&str] = &[r#"CREATE TABLE tower_user_metadata (
    namespace text COLLATE "C" NOT NULL,
    user_id text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    max_bytes integer NOT NULL DEFAULT 1000000000,
    max_fields integer NOT NULL DEFAULT 1000000000,
    document jsonb NOT NULL,
    PRIMARY KEY (namespace, user_id)
);
CREATE TABLE tower_user_metadata_schema (version integer NOT NULL);
INSERT INTO tower_user_metadata_schema (version) VALUES (1);
"#];

/// What holds while a step is made: other processes wait for the lock, and no deadline of a request ends the step.
pub(super) const LOCK_SCHEMA: &str =
    "SET LOCAL statement_timeout = 0; SELECT pg_advisory_xact_lock(6076848228595361901)";
/// Whether the encoding can hold every document, and whether there is a schema. Not by `to_regclass`, which may answer
/// from before the lock.
pub(super) const LOOK: &str = "SELECT current_setting('server_encoding') = 'UTF8', EXISTS (
    SELECT FROM pg_catalog.pg_class
    WHERE relname = 'tower_user_metadata_schema' AND relkind IN ('r', 'p') AND pg_catalog.pg_table_is_visible(oid)
)";
pub(super) const SCHEMA_VERSION: &str = "SELECT max(version) FROM tower_user_metadata_schema";

pub(super) static FIND: Statement = Statement {
    sql: Cow::Borrowed("SELECT version, document FROM tower_user_metadata WHERE namespace = $1 AND user_id = $2"),
    types: &[Type::TEXT, Type::TEXT],
    writes: false,
};

/// `OFFSET 0` keeps the planner from anything else than one look into the index a user, also while the table was small
/// when the statement was planned.
pub(super) static FIND_MANY: Statement = Statement {
    sql: Cow::Borrowed(
        "SELECT asked.n, found.version, found.document
FROM unnest($2::text[]) WITH ORDINALITY AS asked (user_id, n)
CROSS JOIN LATERAL (
    SELECT version, document FROM tower_user_metadata AS t
    WHERE t.namespace = $1 AND t.user_id = asked.user_id OFFSET 0
) AS found",
    ),
    types: &[Type::TEXT, Type::TEXT_ARRAY],
    writes: false,
};

/// The statements that write.
#[derive(Debug)]
pub(super) struct Writes {
    /// The merge of a user without a precondition, as long as the bounds are within the limits; else no row comes back.
    pub(super) upsert: Statement,
    /// The same for several users. `excluded` carries what belongs to a user, but for the names to remove: those of the
    /// user in place n, whose fresh version is `$2 + n`, are the ones from `$8[n]` to before `$8[n + 1]` of all names.
    ///
    /// A row that somebody holds for long must not keep the other users waiting: past 250 ms all are undone, and each
    /// tries alone.
    pub(super) upsert_many: Statement,
    /// Any write of a document, weighed: `$6` says that an existing one may change, if it has the version `$8` where one
    /// is given, and `$7` that a missing one may be created. Nothing written: what the statement saw, and whether the
    /// merged document would be within the limits.
    pub(super) write: Statement,
    pub(super) delete: Statement,
    /// As [`delete`](Self::delete), if `$3` and the version is `$4` where one is given. Nothing removed: the version that
    /// the statement saw.
    pub(super) delete_if: Statement,
}

/// What a statement says more of each row that it writes, where changes are told of: the notice is sent when the
/// statement commits, and not where it is undone.
const TELL_WRITTEN: &str =
    ", pg_catalog.pg_notify('tower_user_metadata', concat_ws(chr(10), version, namespace, user_id))";
const TELL_REMOVED: &str = ", pg_catalog.pg_notify('tower_user_metadata', concat_ws(chr(10), '-', namespace, user_id))";
pub(super) const LISTEN: &str = "LISTEN tower_user_metadata";
pub(super) const CHANNEL: &str = "tower_user_metadata";

impl Writes {
    /// Statements that tell of what they change, if asked to.
    pub(super) fn new(tell: bool) -> Self {
        let (written, removed) = if tell { (TELL_WRITTEN, TELL_REMOVED) } else { ("", "") };
        let merged = weighed("(t.document || $4) - $5::text[]");
        let new = weighed("$4::jsonb");
        let seen = weighed("(coalesce(t.document, '{}') || $4) - $5::text[]");
        Self {
upsert: Statement {
    sql: Cow::Owned(format!("INSERT INTO tower_user_metadata AS t (namespace, user_id, version, document, max_bytes, max_fields)
VALUES ($1, $2, $3, $4, $6, $7)
ON CONFLICT (namespace, user_id) DO UPDATE
SET version = excluded.version, document = (t.document || excluded.document) - $5::text[],
    max_bytes = t.max_bytes + excluded.max_bytes, max_fields = t.max_fields + excluded.max_fields
WHERE t.max_bytes + excluded.max_bytes <= $8 AND t.max_fields + excluded.max_fields <= $9
RETURNING version, document{written}")),
    types: &[
        Type::TEXT,
        Type::TEXT,
        Type::INT8,
        Type::JSONB,
        Type::TEXT_ARRAY,
        Type::INT4,
        Type::INT4,
        Type::INT4,
        Type::INT4,
    ],
    writes: true,
},
upsert_many: Statement {
    sql: Cow::Owned(format!("INSERT INTO tower_user_metadata AS t (namespace, user_id, version, document, max_bytes, max_fields)
SELECT $1, given.user_id, $2 + given.n, given.document, given.bytes, given.fields
FROM (SELECT set_config('lock_timeout', '250', true) OFFSET 0) AS patience,
    unnest($3::text[], $4::jsonb[], $5::integer[], $6::integer[]) WITH ORDINALITY
        AS given (user_id, document, bytes, fields, n)
ON CONFLICT (namespace, user_id) DO UPDATE
SET version = excluded.version,
    document = (t.document || excluded.document)
        - ($7::text[])[($8::integer[])[excluded.version - $2] : ($8::integer[])[excluded.version - $2 + 1] - 1],
    max_bytes = t.max_bytes + excluded.max_bytes, max_fields = t.max_fields + excluded.max_fields
WHERE t.max_bytes + excluded.max_bytes <= $9 AND t.max_fields + excluded.max_fields <= $10
RETURNING user_id, version, document{written}")),
    types: &[
        Type::TEXT,
        Type::INT8,
        Type::TEXT_ARRAY,
        Type::JSONB_ARRAY,
        Type::INT4_ARRAY,
        Type::INT4_ARRAY,
        Type::TEXT_ARRAY,
        Type::INT4_ARRAY,
        Type::INT4,
        Type::INT4,
    ],
    writes: true,
},
write: Statement {
    sql: Cow::Owned(format!(
        "WITH changed AS (
    UPDATE tower_user_metadata AS t SET (version, document, max_bytes, max_fields) =
        (SELECT $3, document, bytes, fields FROM {merged})
    WHERE $6 AND t.namespace = $1 AND t.user_id = $2 AND ($8::bigint IS NULL OR t.version = $8)
        AND (SELECT bytes <= $9 AND fields <= $10 FROM {merged})
    RETURNING version, document{written}
), created AS (
    INSERT INTO tower_user_metadata (namespace, user_id, version, document, max_bytes, max_fields)
    SELECT $1, $2, $3, document, bytes, fields FROM {new}
    WHERE $7 AND NOT EXISTS (SELECT FROM changed) AND bytes <= $9 AND fields <= $10
    ON CONFLICT (namespace, user_id) DO NOTHING
    RETURNING version, document{written}
)
SELECT true AS written, version, document, true AS fits FROM changed
UNION ALL
SELECT true, version, document, true FROM created
UNION ALL
SELECT false, t.version, t.document, (SELECT bytes <= $9 AND fields <= $10 FROM {seen})
FROM (SELECT) AS always LEFT JOIN tower_user_metadata AS t ON t.namespace = $1 AND t.user_id = $2
WHERE NOT EXISTS (SELECT FROM changed) AND NOT EXISTS (SELECT FROM created)"
    )),
    types: &[
        Type::TEXT,
        Type::TEXT,
        Type::INT8,
        Type::JSONB,
        Type::TEXT_ARRAY,
        Type::BOOL,
        Type::BOOL,
        Type::INT8,
        Type::INT4,
        Type::INT4,
    ],
    writes: true,
},
delete: Statement {
    sql: Cow::Owned(format!("DELETE FROM tower_user_metadata WHERE namespace = $1 AND user_id = $2 RETURNING version{removed}")),
    types: &[Type::TEXT, Type::TEXT],
    writes: true,
},
delete_if: Statement {
    sql: Cow::Owned(format!("WITH removed AS (
    DELETE FROM tower_user_metadata
    WHERE $3 AND namespace = $1 AND user_id = $2 AND ($4::bigint IS NULL OR version = $4)
    RETURNING version{removed}
)
SELECT true AS removed, version FROM removed
UNION ALL
SELECT false, t.version
FROM (SELECT) AS always LEFT JOIN tower_user_metadata AS t ON t.namespace = $1 AND t.user_id = $2
WHERE NOT EXISTS (SELECT FROM removed)")),
    types: &[Type::TEXT, Type::TEXT, Type::BOOL, Type::INT8],
    writes: true,
},
        }
    }
}

/// A document with its weight: the root fields, and the bytes as compact JSON. The text that Postgres writes has
/// spaces between the tokens, so it is only measured without them where it is too long with them. Dollar quotes mean
/// the same whatever `standard_conforming_strings` says.
fn weighed(document: &str) -> String {
    format!(
        "(SELECT document, fields, CASE WHEN octet_length(spaced) <= $9 THEN octet_length(spaced)
                ELSE octet_length(regexp_replace(spaced, $re$(\"(?:[^\"\\\\]|\\\\.)*\")| $re$, $re$\\1$re$, 'g')) END AS bytes
            FROM (SELECT document, document::text AS spaced,
                    (SELECT count(*)::integer FROM jsonb_object_keys(document)) AS fields
                FROM (SELECT {document} AS document OFFSET 0) AS merged OFFSET 0) AS written) AS weighed"
    )
}

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
