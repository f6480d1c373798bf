use tower_user_metadata::store::SqliteStore;

use crate::suite;

#[tokio::test(flavor = "multi_thread")]
async fn it_keeps_the_contract() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("contract.db");
    let open = async |namespace| SqliteStore::options().with_namespace(namespace).open(&file).await.expect("a store");
    suite::whole("SqliteStore", &open).await;
}
