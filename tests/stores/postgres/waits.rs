//! How long calls wait for a connection, as `ObservedStore` tells it.

use std::time::Duration;

use tower_user_metadata::Precondition;
use tower_user_metadata::store::{MetadataStore, ObservedStore, PostgresStore};

use super::{put, update, user};
use crate::recorder::{Number, Numbers};
use crate::servers::postgres::Postgres;

const HELD: Duration = Duration::from_millis(300);

/// A write that is held up on the only connection, and a read that waits for it meanwhile.
async fn one_after_the_other() -> Option<()> {
    let server = Postgres::start(&[]).await?;
    let store = PostgresStore::options().with_pool_size(1).connect(&server.url()).await.expect("opened");
    put(&store, "alice", "{}").await.expect("written");
    let mut stranger = server.stranger().await;
    let lock = stranger.transaction().await.expect("a transaction");
    lock.execute("SELECT FROM tower_user_metadata FOR UPDATE", &[]).await.expect("locked");
    let store = ObservedStore::new(store, "users");
    let (alice, bob, change) = (user("alice"), user("bob"), update(r#"{"n":1}"#));
    let (write, read, ()) = tokio::join!(store.update(&alice, &change, &Precondition::None), store.get(&bob), async {
        tokio::time::sleep(HELD).await;
        lock.rollback().await.expect("unlocked");
    });
    write.expect("written");
    read.expect("read");
    Some(())
}

#[test]
fn waits_are_numbers() {
    let numbers = Numbers::default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    if metrics::with_local_recorder(&numbers, || runtime.block_on(one_after_the_other())).is_none() {
        return;
    }
    let numbers = numbers.all();
    let waits = |operation| {
        let name = format!("user_metadata_store_pool_wait_seconds store=users operation={operation}");
        match numbers.get(&name) {
            Some(Number::Histogram(samples)) => samples.iter().sum::<f64>(),
            _ => panic!("no waits of {operation} in {numbers:?}"),
        }
    };
    let (slow, quick) = (waits("get"), waits("update"));
    assert!(slow >= HELD.as_secs_f64() * 0.8, "{slow:?}");
    assert!(quick < HELD.as_secs_f64(), "{quick:?}");
}
