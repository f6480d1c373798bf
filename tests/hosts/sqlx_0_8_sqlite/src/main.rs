#[path = "../../shared/sqlite.rs"]
mod sqlite;

use std::error::Error;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let orders = sqlx::SqlitePool::connect("sqlite::memory:").await?;
    let (item,): (String,) = sqlx::query_as("SELECT 'tea'").fetch_one(&orders).await?;
    assert_eq!(item, "tea");
    sqlite::keep_a_document().await
}
