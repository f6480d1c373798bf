//! `PostgresStore` on servers of our own: the contract, and what that does not say.

mod conformance;
mod failures;
mod groups;
mod notices;
mod pooler;
mod rows;
mod schema;
mod tls;
mod urls;
#[cfg(feature = "metrics")]
mod waits;
mod weight;

use tower_user_metadata::store::{MetadataStore, PostgresStore};
use tower_user_metadata::{MetadataUpdate, Precondition, Record, StoreError, UserId};

fn user(id: &str) -> UserId {
    UserId::new(id).expect("a user id")
}

fn update(json: &str) -> MetadataUpdate {
    MetadataUpdate::from_json(json.as_bytes()).expect("an update")
}

async fn put(store: &PostgresStore, id: &str, json: &str) -> Result<Record, StoreError> {
    store.update(&user(id), &update(json), &Precondition::None).await
}

async fn json(store: &PostgresStore, id: &str) -> Option<String> {
    store.get(&user(id)).await.expect("a read").map(|record| record.metadata.to_json())
}

fn code(error: &StoreError) -> String {
    std::error::Error::source(error).expect("a cause").to_string()
}
