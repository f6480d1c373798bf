use tower_user_metadata::store::{MariadbStore, Namespace};

use crate::servers::mariadb::Mariadb;
use crate::suite;

#[tokio::test(flavor = "multi_thread")]
async fn the_store_keeps_the_contract() {
    let Some(server) = Mariadb::start(&[]).await else { return };
    let open = async |namespace: Namespace| {
        MariadbStore::options().with_namespace(namespace).connect(&server.url()).await.expect("the store opens")
    };
    suite::whole("MariadbStore", &open).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn long_ids_are_kept_apart() {
    let Some(server) = Mariadb::start(&[]).await else { return };
    let store = MariadbStore::connect(&server.url()).await.expect("the store opens");
    crate::ids::are_kept_apart(&store).await;
}
