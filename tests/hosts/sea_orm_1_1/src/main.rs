#[path = "../../shared/sqlite.rs"]
mod sqlite;

use std::error::Error;

use sea_orm::{ConnectionTrait, Database};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let orders = Database::connect("sqlite::memory:").await?;
    orders.execute_unprepared("CREATE TABLE orders (item TEXT)").await?;
    sqlite::keep_a_document().await
}
