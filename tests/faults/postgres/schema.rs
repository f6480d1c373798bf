//! A schema whose making is cut.

use tower_user_metadata::store::PostgresStore;

use crate::backend::put;
use crate::proxy::{Fault, Proxy, Way};
use crate::servers::postgres::Postgres;

/// A start that is cut anywhere leaves no schema or a whole one, and the next start works.
#[tokio::test(flavor = "multi_thread")]
async fn a_schema_whose_making_is_cut_is_made_by_the_next() {
    let Some(server) = Postgres::start(&["synchronous_commit=off"]).await else { return };
    let proxy = Proxy::to(server.port).await;
    let stranger = server.stranger().await;
    let start = async || PostgresStore::options().with_pool_size(1).connect(&server.url_at(proxy.port)).await;
    start().await.expect("the store opens");
    let bytes = proxy.passed(Way::ToServer);
    let mut made = [0, 0];
    for n in (0..=bytes).step_by(29) {
        stranger
            .batch_execute("DROP TABLE IF EXISTS tower_user_metadata, tower_user_metadata_schema")
            .await
            .expect("dropped");
        proxy.plan(Way::ToServer, n, Fault::Cut);
        let first = start().await;
        proxy.pass();
        made[usize::from(first.is_ok())] += 1;
        let store = start().await.unwrap_or_else(|error| panic!("after byte {n}: {error:?}"));
        put(&store, "alice", r#"{"a":1}"#).await.expect("written");
    }
    assert!(made[0] > 20, "{made:?}");
}
