//! A disk that is full.

use std::path::PathBuf;

use mysql_async::prelude::Queryable;
use tower_user_metadata::Precondition;
use tower_user_metadata::store::{MariadbStore, MetadataStore, StoreErrorKind};

use crate::backend::{put, recovered, update};
use crate::disk::SmallDisk;
use crate::servers::mariadb::{Mariadb, give_away};
use crate::user;

/// Makes the table on the disk, and takes some of its room.
async fn with_table_on(disk: &SmallDisk, server: &Mariadb, filled: usize) -> PathBuf {
    let filler = disk.path().join("filler");
    std::fs::write(&filler, vec![0; filled]).expect("written");
    give_away(disk.path());
    let schema = MariadbStore::schema_sql();
    let place = format!("ENGINE=InnoDB DATA DIRECTORY='{}'", disk.path().display());
    let mut stranger = server.stranger().await;
    stranger.query_drop(schema.trim_end().trim_end_matches(';').replace("ENGINE=InnoDB", &place)).await.expect("made");
    filler
}

fn document(n: usize, bytes: usize) -> String {
    let n = n.to_string();
    format!(r#"{{"a":"{}"}}"#, n.repeat(bytes / n.len()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_changes_nothing_and_writes_go_on_when_there_is_room() {
    let Some(disk) = SmallDisk::new(10, "MariaDB on a full disk") else { return };
    let Some(server) = Mariadb::start(&[]).await else { return };
    let filler = with_table_on(&disk, &server, 5 << 20).await;
    let store = MariadbStore::connect(&server.url()).await.expect("opened");

    // What fits into a page; for more, see below.
    let large = |n: usize| document(n, 3_600);
    let mut full = None;
    for n in 0..5_000 {
        if let Err(error) = put(&store, &format!("user{n}"), &large(n)).await {
            full = Some((n, error));
            break;
        }
    }
    let (n, error) = full.expect("a full disk");
    assert_eq!((error.kind(), error.may_have_happened()), (StoreErrorKind::Unavailable, false), "{error:?}");
    let reason = std::error::Error::source(&error).expect("a reason").to_string();
    assert!(error.is_retryable() && reason == "error 1114, the disk or the table space is full", "{error:?}");
    let place = format!("(update, MariaDB at 127.0.0.1:{})", server.port);
    assert!(error.to_string().ends_with(&place), "{error}");
    // Old documents that shall grow past their page.
    let mut refused = 0;
    for old in 0..n {
        let (id, grown) = (user(&format!("user{old}")), document(old, 7_000));
        let when = if old % 2 == 0 { Precondition::None } else { Precondition::Exists };
        let outcome = store.update(&id, &update(&grown), &when).await;
        let stored = store.get(&id).await.expect("read").expect("a document").metadata.to_json();
        match outcome {
            Ok(_) => assert_eq!(stored, grown),
            Err(error) => {
                assert_eq!(
                    (error.kind(), error.may_have_happened()),
                    (StoreErrorKind::Unavailable, false),
                    "{error:?}"
                );
                assert_eq!(stored, large(old));
                refused += 1;
            }
        }
    }
    assert!(refused > 0, "the disk was not full");
    assert_eq!(store.get(&user(&format!("user{n}"))).await.expect("read"), None);

    std::fs::remove_file(filler).expect("room again");
    put(&store, &format!("user{n}"), &large(n)).await.expect("written");
}

/// MariaDB 10.11 ends itself when the disk is full in the middle of a document of several pages.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_the_full_disk_ends_loses_nothing() {
    let Some(disk) = SmallDisk::new(6, "MariaDB on a disk that ends it") else { return };
    let Some(mut server) = Mariadb::start(&[]).await else { return };
    let filler = with_table_on(&disk, &server, 2 << 20).await;
    let store = MariadbStore::connect(&server.url()).await.expect("opened");
    put(&store, "kept", r#"{"a":"old"}"#).await.expect("written");
    let mut failed = None;
    for n in 0..1_000 {
        if let Err(error) = put(&store, &format!("user{n}"), &document(n, 60_000)).await {
            failed = Some((n, error));
            break;
        }
    }
    let (n, error) = failed.expect("a full disk");
    assert!(matches!(error.kind(), StoreErrorKind::Unavailable | StoreErrorKind::Timeout), "{error:?}");

    server.kill();
    std::fs::remove_file(filler).expect("room again");
    assert!(server.run().await, "the server recovers");
    recovered(&store).await;
    assert_eq!(store.get(&user("kept")).await.expect("read").expect("kept").metadata.to_json(), r#"{"a":"old"}"#);
    for acknowledged in 0..n {
        let record = store.get(&user(&format!("user{acknowledged}"))).await.expect("read").expect("a document");
        assert_eq!(record.metadata.to_json(), document(acknowledged, 60_000));
    }
    let undone = store.get(&user(&format!("user{n}"))).await.expect("read");
    assert!(undone.is_none() || error.may_have_happened(), "{error:?}");
    put(&store, &format!("user{n}"), &document(n, 60_000)).await.expect("written");
}
