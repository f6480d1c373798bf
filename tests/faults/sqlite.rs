//! `SqliteStore` under many writers; its other faults are those of a file, among the tests of the store.

use std::sync::Arc;
use std::time::Duration;

use tower_user_metadata::store::{MetadataStore, SqliteStore};

use crate::{fields, history};

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_lose_nothing() {
    let directory = tempfile::tempdir().expect("a directory");
    let url = format!("sqlite://{}", directory.path().join("metadata.db").display());
    fields::two_processes_lose_nothing("SQLite", &url).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn histories_are_linearizable() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("metadata.db");
    let mut handles: Vec<Arc<dyn MetadataStore>> = Vec::new();
    for _ in 0..2 {
        handles.push(Arc::new(SqliteStore::open(&file).await.expect("opened")));
    }
    history::are_linearizable("SQLite", &handles, async || tokio::time::sleep(Duration::from_millis(1)).await).await;
    for store in handles {
        store.close().await;
    }
}
