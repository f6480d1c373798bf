//! The only file with SQL: what each statement is.
//!
//! A row carries upper bounds of what its document weighs, so that most writes need not weigh it: the bounds grow with
//! each update by what that adds, and where they reach a limit, the document is weighed to the byte and the bounds are
//! true again.

use std::borrow::Cow;
use std::time::Duration;

use tokio_postgres::types::Type;

use super::session::Statement;

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
    ///
    /// `patience` is how long one may wait for a lock, where no setting of the connection says that: behind a pooler. A
    /// caller who has left would else be followed by a statement that waits on. The setting ends with the statement.
    pub(super) fn new(tell: bool, patience: Option<Duration>) -> Self {
        let (written, removed) = if tell { (TELL_WRITTEN, TELL_REMOVED) } else { ("", "") };
        let (from, using, and) = (set(patience, "FROM"), set(patience, "USING"), set(patience, ","));
        let values = match patience {
            None => "VALUES ($1, $2, $3, $4, $6, $7)".to_owned(),
            Some(_) => format!("SELECT $1, $2, $3, $4, $6, $7 {from}"),
        };
        let merged = weighed("(t.document || $4) - $5::text[]");
        let new = weighed("$4::jsonb");
        let seen = weighed("(coalesce(t.document, '{}') || $4) - $5::text[]");
        Self {
upsert: Statement {
    sql: Cow::Owned(format!("INSERT INTO tower_user_metadata AS t (namespace, user_id, version, document, max_bytes, max_fields)
{values}
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
    {from}
    WHERE $6 AND t.namespace = $1 AND t.user_id = $2 AND ($8::bigint IS NULL OR t.version = $8)
        AND (SELECT bytes <= $9 AND fields <= $10 FROM {merged})
    RETURNING version, document{written}
), created AS (
    INSERT INTO tower_user_metadata (namespace, user_id, version, document, max_bytes, max_fields)
    SELECT $1, $2, $3, document, bytes, fields FROM {new} {and}
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
    sql: Cow::Owned(format!("DELETE FROM tower_user_metadata {using} WHERE namespace = $1 AND user_id = $2 RETURNING version{removed}")),
    types: &[Type::TEXT, Type::TEXT],
    writes: true,
},
delete_if: Statement {
    sql: Cow::Owned(format!("WITH removed AS (
    DELETE FROM tower_user_metadata {using}
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

/// A clause that sets the longest wait for a lock before the statement asks for one; nothing where none is given.
fn set(patience: Option<Duration>, keyword: &str) -> String {
    let clause = |time: Duration| {
        let milliseconds = i32::try_from(time.as_millis()).unwrap_or(i32::MAX).max(1);
        format!("{keyword} (SELECT set_config('lock_timeout', '{milliseconds}', true) OFFSET 0) AS patience")
    };
    patience.map(clause).unwrap_or_default()
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
