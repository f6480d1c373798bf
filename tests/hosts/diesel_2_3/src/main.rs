#[path = "../../shared/sqlite.rs"]
mod sqlite;

use std::error::Error;

use diesel::connection::SimpleConnection;
use diesel::{Connection, SqliteConnection};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut orders = SqliteConnection::establish(":memory:")?;
    orders.batch_execute("CREATE TABLE orders (item TEXT)")?;
    sqlite::keep_a_document().await
}
