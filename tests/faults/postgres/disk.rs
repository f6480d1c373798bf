//! A disk that is full.

use tower_user_metadata::Precondition;
use tower_user_metadata::store::{MetadataStore, PostgresStore, StoreErrorKind};

use crate::backend::{put, update};
use crate::disk::SmallDisk;
use crate::servers::postgres::{Postgres, give_away};
use crate::user;

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

    // What cannot be compressed, so that it takes its room.
    let large = |n: u32| {
        let text: String =
            (0..2_000_u32).map(|i| format!("{:08x}", (n * 2_000 + i).wrapping_mul(2_654_435_761))).collect();
        format!(r#"{{"a":"{text}"}}"#)
    };
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
    assert!(format!("{error:?}").contains("53100"), "{error:?}");
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
