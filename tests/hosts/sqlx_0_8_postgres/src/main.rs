#[path = "../../shared/sqlite.rs"]
mod sqlite;

use std::error::Error;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let orders = sqlx::PgPool::connect_lazy("postgres://orders@localhost/orders")?;
    assert_eq!(orders.size(), 0);
    sqlite::keep_a_document().await
}
