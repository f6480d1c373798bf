//! Connections that nobody uses any more.

use std::time::{Duration, Instant};

use tower_user_metadata::store::{MetadataStore, PostgresStore};

use super::through;
use crate::backend::{put, recovered};
use crate::proxy::Proxy;
use crate::servers::postgres::Postgres;
use crate::user;

#[tokio::test(flavor = "multi_thread")]
async fn idle_connections_that_died_unnoticed_cost_a_read_nothing() {
    let Some(server) = Postgres::start(&[]).await else { return };
    let proxy = Proxy::to(server.port).await;
    let store = through(&proxy, &server, PostgresStore::options().with_pool_size(1)).await;
    put(&store, "alice", r#"{"a":1}"#).await.expect("written");
    let stranger = server.stranger().await;
    for _ in 0..20 {
        stranger
            .execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()", &[])
            .await
            .expect("terminated");
        let record = store.get(&user("alice")).await.expect("read, if need be on a new connection");
        assert!(record.is_some());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_connection_that_was_given_up_is_left_at_the_server() {
    let Some(server) = Postgres::start(&[]).await else { return };
    let proxy = Proxy::to(server.port).await;
    let options = PostgresStore::options().with_pool_size(2).with_deadline(Duration::from_millis(300));
    let store = through(&proxy, &server, options).await;
    for _ in 0..3 {
        proxy.swallow();
        let (alice, bob) = (user("alice"), user("bob"));
        let outcomes = tokio::join!(store.get(&alice), store.get(&bob), put(&store, "alice", "{}"));
        assert!(outcomes.0.is_err() && outcomes.1.is_err() && outcomes.2.is_err());
        proxy.pass();
        recovered(&store).await;
    }
    let stranger = server.stranger().await;
    let connected = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'tower-user-metadata'";
    let begin = Instant::now();
    while stranger.query_one(connected, &[]).await.expect("a count").get::<_, i64>(0) > 2 {
        assert!(begin.elapsed() < Duration::from_secs(20), "connections stay open");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
