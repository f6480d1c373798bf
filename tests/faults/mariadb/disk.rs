//! A disk that is full.

use mysql_async::prelude::Queryable;
use tower_user_metadata::Precondition;
use tower_user_metadata::store::{MariadbStore, MetadataStore, StoreErrorKind};

use crate::disk::SmallDisk;
use crate::servers::mariadb::{Mariadb, give_away};
use crate::{put, update, user};

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_changes_nothing_and_writes_go_on_when_there_is_room() {
    let Some(disk) = SmallDisk::new(6, "MariaDB on a full disk") else { return };
    let Some(server) = Mariadb::start(&[]).await else { return };
    let filler = disk.path().join("filler");
    std::fs::write(&filler, vec![0; 2 << 20]).expect("written");
    give_away(disk.path());
    // The table made by somebody else, on the small disk.
    let schema = MariadbStore::schema_sql();
    let place = format!("ENGINE=InnoDB DATA DIRECTORY='{}'", disk.path().display());
    let mut stranger = server.stranger().await;
    stranger.query_drop(schema.trim_end().trim_end_matches(';').replace("ENGINE=InnoDB", &place)).await.expect("made");
    let store = MariadbStore::connect(&server.url()).await.expect("opened");

    let large = |n: usize| format!(r#"{{"a":"{}"}}"#, n.to_string().repeat(60_000 / n.to_string().len()));
    put(&store, "kept", r#"{"a":"old"}"#).await.expect("written");
    let mut full = None;
    for n in 0..1_000 {
        if let Err(error) = put(&store, &format!("user{n}"), &large(n)).await {
            full = Some((n, error));
            break;
        }
    }
    let (n, error) = full.expect("a full disk");
    eprintln!("{}", std::fs::read_to_string(server.directory.path().join("log")).unwrap());eprintln!("{n} {:?}", std::process::Command::new("ls").args(["-laR"]).arg(disk.path()).output());
    assert_eq!((error.kind(), error.may_have_happened()), (StoreErrorKind::Unavailable, false), "{error:?}");
    assert!(error.is_retryable() && format!("{error:?}").contains("1114"), "{error:?}");
    assert!(n > 5, "{n} documents fitted");
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
}
