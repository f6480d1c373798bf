//! `MariadbStore` on servers of our own: the contract, and what that does not say.

mod calls;
mod conformance;
mod failures;
mod galera;
mod schema;
mod tls;
mod urls;

use tower_user_metadata::store::{MariadbStore, MetadataStore};
use tower_user_metadata::{MetadataUpdate, Precondition, Record, StoreError, UserId};

fn user(id: &str) -> UserId {
    UserId::new(id).expect("a user id")
}

fn update(json: &str) -> MetadataUpdate {
    MetadataUpdate::from_json(json.as_bytes()).expect("an update")
}

/// Sets `n` and `twin` to one number: a document in which they differ was written in part.
fn twins(number: u64) -> MetadataUpdate {
    MetadataUpdate::new().set("n", &number).set("twin", &number)
}

async fn put(store: &MariadbStore, id: &str, json: &str) -> Result<Record, StoreError> {
    store.update(&user(id), &update(json), &Precondition::None).await
}

async fn json(store: &MariadbStore, id: &str) -> Option<String> {
    store.get(&user(id)).await.expect("a read").map(|record| record.metadata.to_json())
}

/// The number that both twins have.
async fn twin_number(store: &MariadbStore, user: &UserId) -> Option<u64> {
    let metadata = store.get(user).await.expect("a read")?.metadata;
    let number = metadata.get::<u64>("n").expect("a number");
    assert_eq!(number, metadata.get::<u64>("twin").expect("a number"), "a document was written in part");
    number
}

/// What the operator is told beside the kind.
fn cause(error: &StoreError) -> String {
    std::error::Error::source(error).map(ToString::to_string).unwrap_or_default()
}
