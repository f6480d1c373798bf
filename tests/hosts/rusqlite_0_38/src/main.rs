#[path = "../../shared/sqlite.rs"]
mod sqlite;

use std::error::Error;

use rusqlite::Connection;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let orders = Connection::open_in_memory()?;
    orders.execute_batch("CREATE TABLE orders (item TEXT); INSERT INTO orders VALUES ('tea')")?;
    let item: String = orders.query_row("SELECT item FROM orders", (), |row| row.get(0))?;
    assert_eq!(item, "tea");
    sqlite::keep_a_document().await
}
