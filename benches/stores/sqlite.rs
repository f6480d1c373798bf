//! SQLite as applications use it, but for sqlx, which is in a program of its own.

use std::path::Path;
use std::sync::{Arc, Mutex};

use rusqlite::{Connection, params};

use crate::measure::{Call, Op, call};

const UPSERT: &str = "INSERT INTO metadata (user_id, document) VALUES (?1, ?2) \
    ON CONFLICT (user_id) DO UPDATE SET document = json_patch(document, excluded.document) RETURNING document";

/// One prepared statement a call, on a connection behind a lock.
pub(crate) fn plain(path: &Path) -> Call {
    let connection = Connection::open(path).expect("opened");
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
            CREATE TABLE metadata (user_id TEXT NOT NULL PRIMARY KEY, document TEXT NOT NULL)",
        )
        .expect("made");
    call(Arc::new(Mutex::new(connection)), |connection, op| async move {
        let (Op::Fill(user, json) | Op::Update(user, json)) = op else { panic!("updates only") };
        let done = tokio::task::spawn_blocking(move || {
            let connection = connection.lock().expect("whole");
            let mut statement = connection.prepare_cached(UPSERT).expect("prepared");
            let mut rows = statement.query(params![user, json]).expect("begun");
            let document: String = rows.next().expect("updated").expect("a row").get(0).expect("a text");
            // To its end, which is when it is committed.
            assert!(rows.next().expect("committed").is_none());
            serde_json::from_str::<serde_json::Value>(&document).expect("a document")
        });
        done.await.expect("done");
    })
}
