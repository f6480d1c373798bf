#[path = "../../shared/sqlite.rs"]
mod sqlite;

use std::error::Error;

use axum::Router;
use tower_sessions::{SessionManagerLayer, SessionStore};
use tower_sessions_sqlx_store::{SqliteStore, sqlx};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let sessions = SqliteStore::new(sqlx::SqlitePool::connect("sqlite::memory:").await?);
    sessions.migrate().await?;
    assert!(sessions.load(&tower_sessions::session::Id::default()).await?.is_none());
    let _application: Router = Router::new().layer(SessionManagerLayer::new(sessions));
    let _require = axum_login::url_with_redirect_query;
    sqlite::keep_a_document().await
}
