//! Two processes with four tasks each update one user, each task a field of its own.

use std::process::{Command, Stdio};

use tower_user_metadata::store::{MetadataStore, connect};
use tower_user_metadata::{MetadataUpdate, Precondition};

use crate::support::vectors::say;
use crate::user;

const TASKS: usize = 4;
const FIRST: &str = "FAULTS_FIRST_TASK";
const URL: &str = "FAULTS_URL";

/// `FAULTS_ROUNDS` sets it: 5000 take some minutes.
fn rounds() -> usize {
    std::env::var("FAULTS_ROUNDS").map_or(200, |rounds| rounds.parse().expect("a number"))
}

pub(crate) async fn two_processes_lose_nothing(name: &str, url: &str) {
    let begin = std::time::Instant::now();
    let child = |first: usize| {
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        command.args(["--exact", "fields::child"]).env(FIRST, first.to_string()).env(URL, url);
        command.stdout(Stdio::null()).spawn().expect("a child")
    };
    // They also race for the schema.
    for mut child in [child(0), child(TASKS)] {
        let status = tokio::task::spawn_blocking(move || child.wait().expect("a child")).await.expect("no panic");
        assert!(status.success());
    }
    let store = connect(url).await.expect("opened");
    let metadata = store.get(&user("alice")).await.expect("read").expect("a document").metadata;
    assert_eq!(metadata.len(), 2 * TASKS);
    for task in 0..2 * TASKS {
        assert_eq!(metadata.get(&format!("field{task}")).expect("a number"), Some(rounds()));
    }
    store.close().await;
    say(&format!("{name}: 8 tasks in 2 processes, {} rounds each, nothing lost, {:?}", rounds(), begin.elapsed()));
}

/// What the processes run: this test program again, told by environment variables what to do.
#[tokio::test(flavor = "multi_thread")]
async fn child() {
    let (Ok(first), Ok(url)) = (std::env::var(FIRST), std::env::var(URL)) else { return };
    let first: usize = first.parse().expect("a number");
    let store = connect(&url).await.expect("opened");
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
