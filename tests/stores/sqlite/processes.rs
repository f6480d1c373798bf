//! Several processes on one file.

use std::path::Path;
use std::process::Stdio;

use tower_user_metadata::store::{MetadataStore, SqliteStore};
use tower_user_metadata::{MetadataUpdate, Precondition};

use super::{Place, child, user};

const TASKS: usize = 4;
const ROUNDS: usize = 150;

/// What a child does: several tasks update one user, each a field of its own.
pub(super) async fn write_own_fields(file: &Path, first: usize) {
    let store = SqliteStore::open(file).await.expect("opened");
    let tasks: Vec<_> = (first..first + TASKS)
        .map(|task| {
            let store = store.clone();
            tokio::spawn(async move {
                let (alice, field) = (user("alice"), format!("field{task}"));
                for round in 1..=ROUNDS {
                    let update = MetadataUpdate::new().set(&field, &round);
                    let merged = store.update(&alice, &update, &Precondition::None).await.expect("written").metadata;
                    assert_eq!(merged.get(&field).expect("a number"), Some(round));
                    let read = store.get(&alice).await.expect("read").expect("a document").metadata;
                    assert_eq!(read.get(&field).expect("a number"), Some(round), "own writes are read");
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("no panic");
    }
    store.close().await;
}

#[tokio::test]
async fn two_processes_lose_nothing() {
    let place = Place::new();
    let children: Vec<_> = [0, TASKS]
        .map(|first| child(&format!("fields {first}"), &place.file()).stdout(Stdio::null()).spawn().expect("a child"))
        .into_iter()
        .collect();
    for mut child in children {
        assert!(child.wait().expect("a child").success());
    }
    let store = place.open().await;
    let metadata = store.get(&user("alice")).await.expect("read").expect("a document").metadata;
    assert_eq!(metadata.len(), 2 * TASKS);
    for task in 0..2 * TASKS {
        assert_eq!(metadata.get(&format!("field{task}")).expect("a number"), Some(ROUNDS));
    }
}

#[tokio::test]
async fn what_one_writes_the_other_reads() {
    let place = Place::new();
    let (here, there) = (place.open().await, place.open().await);
    let alice = user("alice");
    for number in 0..100 {
        let (writer, reader) = if number % 2 == 0 { (&here, &there) } else { (&there, &here) };
        let update = MetadataUpdate::new().set("n", &number);
        let written = writer.update(&alice, &update, &Precondition::None).await.expect("written");
        assert_eq!(reader.get(&alice).await.expect("read"), Some(written));
    }
}
