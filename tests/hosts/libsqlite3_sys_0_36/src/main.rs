#[path = "../../shared/sqlite.rs"]
mod sqlite;

use std::error::Error;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    assert!(libsqlite3_sys::SQLITE_VERSION_NUMBER > 3_000_000);
    sqlite::keep_a_document().await
}
