#[path = "../../shared/sqlite.rs"]
mod sqlite;

use std::error::Error;

use tokio_rusqlite::Connection;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let orders = Connection::open_in_memory().await?;
    let item = orders.call(|orders| Ok(orders.query_row("SELECT 'tea'", (), |row| row.get::<_, String>(0))?)).await?;
    assert_eq!(item, "tea");
    sqlite::keep_a_document().await
}
