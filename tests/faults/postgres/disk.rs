//! A disk that is full.

use std::process::Command;

use tower_user_metadata::Precondition;
use tower_user_metadata::store::{MetadataStore, PostgresStore, StoreErrorKind};

use crate::backend::{put, recovered, twin_number, twins, update};
use crate::disk::SmallDisk;
use crate::servers::postgres::{Postgres, give_away};
use crate::user;

/// So many words that cannot be compressed, so that they take their room.
fn text(n: u32, words: u32) -> String {
    (0..words).map(|i| format!("{:08x}", (n * words + i).wrapping_mul(2_654_435_761))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_changes_nothing_and_writes_go_on_when_there_is_room() {
    let Some(disk) = SmallDisk::new(4, "PostgreSQL on a full disk") else { return };
    let Some(server) = Postgres::start(&["autovacuum=off"]).await else { return };
    let filler = disk.path().join("filler");
    std::fs::write(&filler, vec![0; 1024 * 1024]).expect("written");
    std::fs::create_dir(disk.path().join("space")).expect("a directory");
    give_away(disk.path());
    give_away(&disk.path().join("space"));
    let stranger = server.stranger().await;
    let space = format!("CREATE TABLESPACE small LOCATION '{}'", disk.path().join("space").display());
    stranger.batch_execute(&space).await.expect("a tablespace");
    let store = PostgresStore::connect(&server.url()).await.expect("opened");
    stranger.batch_execute("ALTER TABLE tower_user_metadata SET TABLESPACE small").await.expect("moved");

    let large = |n: u32| format!(r#"{{"a":"{}"}}"#, text(n, 2_000));
    put(&store, "kept", r#"{"a":"old"}"#).await.expect("written");
    let mut full = None;
    for n in 0..1_000 {
        if let Err(error) = put(&store, &format!("user{n}"), &large(n)).await {
            full = Some((n, error));
            break;
        }
    }
    let (n, error) = full.expect("a full disk");
    assert_eq!((error.kind(), error.may_have_happened()), (StoreErrorKind::Unavailable, false), "{error:?}");
    let reason = std::error::Error::source(&error).expect("a reason").to_string();
    assert_eq!(reason, "SQLSTATE 53100, the disk is full");
    let place = format!("(update, PostgreSQL at 127.0.0.1:{})", server.port);
    assert!(error.to_string().ends_with(&place), "{error}");
    for other in ["kept", &format!("user{n}")] {
        let refused = put(&store, other, &large(n)).await;
        let conditional = store.update(&user(other), &update(&large(n)), &Precondition::Exists).await;
        for error in [refused, conditional].into_iter().filter_map(Result::err) {
            assert!(!error.may_have_happened(), "{error:?}");
        }
    }
    assert_eq!(store.get(&user("kept")).await.expect("read").expect("kept").metadata.to_json(), r#"{"a":"old"}"#);
    assert_eq!(store.get(&user(&format!("user{n}"))).await.expect("read"), None);

    std::fs::remove_file(filler).expect("room again");
    put(&store, &format!("user{n}"), &large(n)).await.expect("written");
    drop(server);
}

/// A server that cannot write its log ends itself: nobody can know what of a transaction is in it.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_under_the_log_ends_the_server_and_what_it_acknowledged_is_there_after_it() {
    let Some(disk) = SmallDisk::new(96, "PostgreSQL on a full disk under its log") else { return };
    let settings = ["max_wal_size=2GB", "wal_recycle=off", "wal_compression=off", "checkpoint_timeout=1h"];
    let Some(mut server) = Postgres::start(&settings).await else { return };
    server.stop();
    let (log, moved) = (server.directory.path().join("data/pg_wal"), disk.path().join("pg_wal"));
    let copied = Command::new("cp").arg("-a").args([&log, &moved]).status();
    assert!(copied.expect("cp runs").success());
    std::fs::remove_dir_all(&log).expect("removed");
    std::os::unix::fs::symlink(&moved, &log).expect("linked");
    let filler = disk.path().join("filler");
    std::fs::write(&filler, vec![0; 50 << 20]).expect("written");
    assert!(server.run().await, "the server starts");

    let store = PostgresStore::options().with_pool_size(1).connect(&server.url()).await.expect("opened");
    let mut failed = None;
    for number in 1..5_000 {
        let change = twins(number.into()).set("text", &text(number, 7_000));
        if let Err(error) = store.update(&user("alice"), &change, &Precondition::None).await {
            failed = Some((u64::from(number), error));
            break;
        }
    }
    let (number, error) = failed.expect("a full disk");
    assert_eq!((error.kind(), error.may_have_happened()), (StoreErrorKind::Unavailable, true), "{error:?}");

    server.stop();
    std::fs::remove_file(filler).expect("room again");
    assert!(server.run().await, "the server recovers");
    recovered(&store).await;
    let stored = twin_number(&store, &user("alice")).await.expect("a document");
    assert!(stored == number - 1 || stored == number, "{stored}, and {} was acknowledged", number - 1);
    store.update(&user("alice"), &twins(5_000), &Precondition::None).await.expect("written");
}
