//! The metadata of a user in a SQLite file of its own, as each host beside another user of SQLite keeps it.

use std::error::Error;

use tower_user_metadata::store::SqliteStore;
use tower_user_metadata::{MetadataStore, Precondition, UserId, metadata_update};

/// Writes a document, opens the file again, and fails unless the document is there.
pub(crate) async fn keep_a_document() -> Result<(), Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("metadata.db");
    let alice = UserId::new("alice")?;
    let store = SqliteStore::open(&path).await?;
    store.update(&alice, &metadata_update! { "theme": "dark" }, &Precondition::None).await?;
    store.close().await;

    let reopened = SqliteStore::open(&path).await?;
    let record = reopened.get(&alice).await?.ok_or("the document is gone")?;
    assert_eq!(record.metadata.to_json(), r#"{"theme":"dark"}"#);
    reopened.close().await;
    Ok(())
}
