//! A disk that is full.

use std::time::Duration;

use tower_user_metadata::Precondition;
use tower_user_metadata::store::{MetadataStore, RedisStore, StoreError, StoreErrorKind};

use crate::backend::{Backend, recovered, twin_number, twins};
use crate::disk::SmallDisk;
use crate::servers::redis::Redis;
use crate::user;

/// Writes ever larger numbers beside text that takes its room, until that fails.
async fn write_until_full(store: &RedisStore, from: u64) -> (u64, StoreError) {
    let text = "x".repeat(30_000);
    for number in from..from + 10_000 {
        let change = twins(number).set("text", &text);
        if let Err(error) = store.update(&user("alice"), &change, &Precondition::None).await {
            return (number - 1, error);
        }
    }
    panic!("the disk is never full");
}

/// A server that syncs before each answer ends itself when it cannot: nobody can know what is in its log.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_ends_a_server_that_syncs_and_what_it_acknowledged_is_there_after_it() {
    let Some(disk) = SmallDisk::new(4, "Redis on a full disk") else { return };
    let place = disk.path().display().to_string();
    let Some(mut server) = Redis::start(&["--dir", &place]).await else { return };
    let filler = disk.path().join("filler");
    std::fs::write(&filler, vec![0; 2 << 20]).expect("written");
    let store = RedisStore::connect(&server.url()).await.expect("opened");
    let (acknowledged, error) = write_until_full(&store, 1).await;
    assert_eq!((error.kind(), error.may_have_happened()), (StoreErrorKind::Unavailable, true), "{error:?}");
    assert!(acknowledged > 10, "{acknowledged}");
    assert!(store.get(&user("alice")).await.expect_err("it is down").is_retryable());

    std::fs::remove_file(filler).expect("room again");
    server.kill();
    server.restart().await;
    recovered(&store).await;
    let stored = twin_number(&store, &user("alice")).await.expect("a document");
    assert!(stored == acknowledged || stored == acknowledged + 1, "{stored}, and {acknowledged} was acknowledged");
    store.update(&user("alice"), &twins(5_000), &Precondition::None).await.expect("written");
}

/// One that syncs now and then goes on and refuses writes.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_a_refusal_of_a_server_that_syncs_now_and_then() {
    let Some(disk) = SmallDisk::new(4, "Redis on a full disk") else { return };
    let place = disk.path().display().to_string();
    let Some(server) = Redis::start(&["--dir", &place, "--appendfsync", "everysec"]).await else { return };
    let filler = disk.path().join("filler");
    std::fs::write(&filler, vec![0; 2 << 20]).expect("written");
    let store = RedisStore::connect(&server.url()).await.expect("opened");
    let (acknowledged, error) = write_until_full(&store, 1).await;
    assert_eq!((error.kind(), error.may_have_happened()), (StoreErrorKind::Unavailable, false), "{error:?}");
    assert!(error.is_retryable() && format!("{error:?}").contains("MISCONF"), "{error:?}");
    assert_eq!(twin_number(&store, &user("alice")).await, Some(acknowledged), "reads go on");

    std::fs::remove_file(filler).expect("room again");
    for attempt in 0.. {
        // It tries the disk again each second.
        match store.update(&user("alice"), &twins(5_000), &Precondition::None).await {
            Ok(_) => break,
            Err(error) => assert!(error.is_retryable() && attempt < 100, "{error:?}"),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(twin_number(&store, &user("alice")).await, Some(5_000));
}
