#[path = "../../shared/sqlite.rs"]
mod sqlite;

use std::error::Error;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    sqlite::keep_a_document().await
}
