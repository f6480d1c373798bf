//! `RedisStore` on servers of our own: the contract, and what that does not say.

mod cancel;
mod cluster;
mod layout;
mod notices;
mod outages;
mod refusals;
mod replicas;
mod tls;
mod told;

use std::time::Duration;

use tower_user_metadata::store::{MetadataStore, Namespace, RedisStore};
use tower_user_metadata::{MetadataUpdate, Precondition, Record, StoreError, UserId};

use crate::cluster::Cluster;
use crate::servers::redis::Redis;
use crate::suite;

#[tokio::test(flavor = "multi_thread")]
async fn one_server_keeps_the_contract() {
    let Some(redis) = Redis::start(&[]).await else { return };
    let open = async |namespace: Namespace| {
        RedisStore::options().with_namespace(namespace).connect(&redis.url()).await.expect("the store opens")
    };
    suite::whole("RedisStore", &open).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_keeps_the_contract() {
    let Some(cluster) = Cluster::start(Duration::from_secs(15)).await else { return };
    let open = async |namespace: Namespace| {
        RedisStore::options().with_namespace(namespace).connect(&cluster.url()).await.expect("the store opens")
    };
    suite::whole("RedisStore in a Cluster", &open).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn so_does_one_that_waits_for_its_replica() {
    let Some(redis) = Redis::start(&[]).await else { return };
    let _replica = redis.replica().await;
    let open = async |namespace: Namespace| {
        let options = RedisStore::options().with_namespace(namespace);
        options.with_wait_replicas(1, Duration::from_secs(2)).connect(&redis.url()).await.expect("the store opens")
    };
    suite::whole("RedisStore with WAIT", &open).await;
}

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

async fn open(redis: &Redis) -> RedisStore {
    RedisStore::connect(&redis.url()).await.expect("the store opens")
}

async fn put(store: &RedisStore, id: &str, json: &str) -> Result<Record, StoreError> {
    store.update(&user(id), &update(json), &Precondition::None).await
}

async fn json(store: &RedisStore, id: &str) -> Option<String> {
    store.get(&user(id)).await.expect("a read").map(|record| record.metadata.to_json())
}

/// The number that both twins have.
async fn twin_number(store: &RedisStore, user: &UserId) -> Option<u64> {
    let metadata = store.get(user).await.expect("a read")?.metadata;
    let number = metadata.get::<u64>("n").expect("a number");
    assert_eq!(number, metadata.get::<u64>("twin").expect("a number"), "a document was written in part");
    number
}

/// The words that an error and its causes print.
fn printed(error: &dyn std::error::Error) -> String {
    let mut text = format!("{error} {error:?}");
    let mut cause = error.source();
    while let Some(error) = cause {
        text += &format!(" {error} {error:?}");
        cause = error.source();
    }
    text
}
