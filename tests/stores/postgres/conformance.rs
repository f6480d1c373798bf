use std::time::Duration;

use tower_user_metadata::store::{Namespace, PostgresStore};

use crate::servers::postgres::Postgres;
use crate::suite;

#[tokio::test(flavor = "multi_thread")]
async fn the_store_keeps_the_contract() {
    let Some(server) = Postgres::start(&[]).await else { return };
    let open = async |namespace: Namespace| {
        PostgresStore::options().with_namespace(namespace).connect(&server.url()).await.expect("the store opens")
    };
    suite::whole("PostgresStore", &open).await;
}

/// Each call by itself, one connection a handle, and a server that would rather give up than wait: what it undoes for
/// the sake of others is tried again.
#[tokio::test(flavor = "multi_thread")]
async fn so_does_one_that_gathers_nothing_on_a_server_that_serialises_everything() {
    let Some(server) = Postgres::start(&["default_transaction_isolation=serializable"]).await else { return };
    let open = async |namespace: Namespace| {
        PostgresStore::options()
            .with_namespace(namespace)
            .with_group_size(1)
            .with_pool_size(1)
            .with_deadline(Duration::from_secs(20))
            .connect(&server.url())
            .await
            .expect("the store opens")
    };
    suite::whole("PostgresStore, one call at a time, serializable", &open).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn long_ids_are_kept_apart() {
    let Some(server) = Postgres::start(&[]).await else { return };
    let store = PostgresStore::connect(&server.url()).await.expect("the store opens");
    crate::ids::are_kept_apart(&store).await;
}
