//! Several processes on one server.

use std::process::Stdio;

use tower_user_metadata::store::{MetadataStore, PostgresStore};
use tower_user_metadata::{MetadataUpdate, Precondition};

use super::{child, user};
use crate::servers::postgres::Postgres;

const TASKS: usize = 4;

/// `FAULTS_ROUNDS` makes it longer: 5000 take some minutes.
fn rounds() -> usize {
    std::env::var("FAULTS_ROUNDS").map_or(300, |rounds| rounds.parse().expect("a number"))
}

/// What a child does: several tasks update one user, each a field of its own.
pub(super) async fn write_own_fields(url: &str, first: usize) {
    let store = PostgresStore::connect(url).await.expect("opened");
    let tasks: Vec<_> = (first..first + TASKS)
        .map(|task| {
            let store = store.clone();
            tokio::spawn(async move {
                let (alice, field) = (user("alice"), format!("field{task}"));
                for round in 1..=rounds() {
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
    let Some(server) = Postgres::start(&[]).await else { return };
    // They also race for the schema.
    let children = [0, TASKS]
        .map(|first| child(&format!("fields {first}"), &server.url()).stdout(Stdio::null()).spawn().expect("a child"));
    for mut child in children {
        assert!(child.wait().expect("a child").success());
    }
    let store = PostgresStore::connect(&server.url()).await.expect("opened");
    let metadata = store.get(&user("alice")).await.expect("read").expect("a document").metadata;
    assert_eq!(metadata.len(), 2 * TASKS);
    for task in 0..2 * TASKS {
        assert_eq!(metadata.get(&format!("field{task}")).expect("a number"), Some(rounds()));
    }
}
