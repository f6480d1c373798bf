use std::error::Error;

use rusqlite::Connection;
use tower_user_metadata::conformance;
use tower_user_metadata::store::SqliteStore;

/// The whole contract of stores: this is the oldest version of the range, and the tests of the crate run on the newest.
#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let orders = Connection::open_in_memory()?;
    orders.execute_batch("CREATE TABLE orders (item TEXT); INSERT INTO orders VALUES ('tea')")?;
    let item: String = orders.query_row("SELECT item FROM orders", (), |row| row.get(0))?;
    assert_eq!(item, "tea");

    let folder = tempfile::tempdir()?;
    let file = folder.path().join("metadata.db");
    let open = async |namespace| SqliteStore::options().with_namespace(namespace).open(&file).await.expect("a store");
    let report = conformance::store::check(&open).await;
    assert!(report.promises().contains(&"first_write_race"));
    Ok(())
}
