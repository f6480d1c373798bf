use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, params};
use tower_sessions::cookie::time::OffsetDateTime;
use tower_sessions::session::{Id, Record};
use tower_sessions::session_store::{Error, Result};
use tower_sessions::{ExpiredDeletion, SessionStore};

/// How long a call waits for another process that has the database, before it is out of reach.
const PATIENCE: Duration = Duration::from_millis(500);

/// The sessions of the application and its users, in a SQLite database of its own: what an application has that uses
/// `tower-sessions` and `axum-login`.
#[derive(Clone, Debug)]
pub(crate) struct SqliteSessions(Arc<Mutex<Connection>>);

impl SqliteSessions {
    pub(crate) fn open(path: impl AsRef<Path>) -> rusqlite::Result<Self> {
        let connection = Connection::open(path)?;
        connection.busy_timeout(PATIENCE)?;
        // An acknowledged login survives a crash: a journal that is synchronised is the default of SQLite.
        connection.execute_batch(
            "CREATE TABLE IF NOT EXISTS sessions (id TEXT PRIMARY KEY, data TEXT NOT NULL, expires INTEGER NOT NULL) STRICT;
             CREATE TABLE IF NOT EXISTS users (id TEXT PRIMARY KEY, auth_hash BLOB NOT NULL) STRICT;",
        )?;
        Ok(Self(Arc::new(Mutex::new(connection))))
    }

    /// What `axum-login` calls the auth hash of a user, as a rule the hash of the password: sessions that began with
    /// another one are over. `None` where there is no such user.
    pub(crate) async fn auth_hash(&self, user: &str) -> Result<Option<Vec<u8>>> {
        let user = user.to_owned();
        self.call(move |database| {
            database.query_row("SELECT auth_hash FROM users WHERE id = ?", [user], |row| row.get(0)).optional()
        })
        .await
    }

    /// Keeps this user, whose auth hash stays as it is if there is one; answers it.
    pub(crate) async fn sign_up(&self, user: &str) -> Result<Vec<u8>> {
        let user = user.to_owned();
        self.call(move |database| {
            let statement =
                "INSERT INTO users VALUES (?, randomblob(32)) ON CONFLICT DO UPDATE SET id = id RETURNING auth_hash";
            database.query_row(statement, [user], |row| row.get(0))
        })
        .await
    }

    /// Gives this user another auth hash, as another password would.
    pub(crate) async fn end_all_sessions(&self, user: &str) -> Result<()> {
        let user = user.to_owned();
        self.call(move |database| database.execute("UPDATE users SET auth_hash = randomblob(32) WHERE id = ?", [user]))
            .await
            .map(drop)
    }

    async fn call<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T> {
        let connection = Arc::clone(&self.0);
        // SQLite blocks its thread.
        tokio::task::spawn_blocking(move || work(&connection.lock().unwrap_or_else(PoisonError::into_inner)))
            .await
            .map_err(|error| Error::Backend(error.to_string()))?
            .map_err(|error| Error::Backend(error.to_string()))
    }
}

#[async_trait]
impl SessionStore for SqliteSessions {
    async fn create(&self, record: &mut Record) -> Result<()> {
        let (id, data, expires) = row(record)?;
        // 128 random bits that are taken already are no chance but a broken generator: an error, and nobody's session.
        self.call(move |database| database.execute("INSERT INTO sessions VALUES (?, ?, ?)", params![id, data, expires]))
            .await
            .map(drop)
    }

    async fn save(&self, record: &Record) -> Result<()> {
        let (id, data, expires) = row(record)?;
        // A session that another request has ended meanwhile must not come back.
        self.call(move |database| {
            database.execute("UPDATE sessions SET data = ?, expires = ? WHERE id = ?", params![data, expires, id])
        })
        .await
        .map(drop)
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        let (id, text) = (*id, id.to_string());
        let now = OffsetDateTime::now_utc().unix_timestamp();
        let found: Option<(String, i64)> = self
            .call(move |database| {
                let statement = "SELECT data, expires FROM sessions WHERE id = ? AND expires > ?";
                database.query_row(statement, params![text, now], |row| Ok((row.get(0)?, row.get(1)?))).optional()
            })
            .await?;
        let Some((data, expires)) = found else { return Ok(None) };
        let data = serde_json::from_str(&data).map_err(|error| Error::Decode(error.to_string()))?;
        let expiry_date =
            OffsetDateTime::from_unix_timestamp(expires).map_err(|error| Error::Decode(error.to_string()))?;
        Ok(Some(Record { id, data, expiry_date }))
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        let id = id.to_string();
        self.call(move |database| database.execute("DELETE FROM sessions WHERE id = ?", [id])).await.map(drop)
    }
}

#[async_trait]
impl ExpiredDeletion for SqliteSessions {
    async fn delete_expired(&self) -> Result<()> {
        let now = OffsetDateTime::now_utc().unix_timestamp();
        self.call(move |database| database.execute("DELETE FROM sessions WHERE expires <= ?", [now])).await.map(drop)
    }
}

fn row(record: &Record) -> Result<(String, String, i64)> {
    let data = serde_json::to_string(&record.data).map_err(|error| Error::Encode(error.to_string()))?;
    Ok((record.id.to_string(), data, record.expiry_date.unix_timestamp()))
}
