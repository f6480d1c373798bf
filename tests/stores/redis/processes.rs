//! Several processes on one server.

use std::process::{Command, Stdio};

use tower_user_metadata::store::{MetadataStore, RedisStore};
use tower_user_metadata::{MetadataUpdate, Precondition};

use super::user;
use crate::servers::redis::Redis;

const TASKS: usize = 4;
const ROUNDS: usize = 625;
const CHILD: &str = "REDIS_CHILD";

/// Several tasks update one user, each a field of its own.
async fn write_own_fields(url: &str, first: usize) {
    let store = RedisStore::open(url).await.expect("opened");
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
}

/// What each process of the next test runs: this test program again, told by an environment variable what to do.
#[tokio::test(flavor = "multi_thread")]
async fn child() {
    let Ok(role) = std::env::var(CHILD) else { return };
    let (first, url) = role.split_once(' ').expect("a role");
    write_own_fields(url, first.parse().expect("a number")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_lose_nothing() {
    let Some(redis) = Redis::start(&[]).await else { return };
    let children = [0, TASKS].map(|first| {
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        command.args(["--exact", "redis::processes::child"]).env(CHILD, format!("{first} {}", redis.url()));
        command.stdout(Stdio::null()).spawn().expect("a child")
    });
    for mut child in children {
        assert!(child.wait().expect("a child").success());
    }
    let store = RedisStore::open(redis.url()).await.expect("opened");
    let metadata = store.get(&user("alice")).await.expect("read").expect("a document").metadata;
    assert_eq!(metadata.len(), 2 * TASKS);
    for task in 0..2 * TASKS {
        assert_eq!(metadata.get(&format!("field{task}")).expect("a number"), Some(ROUNDS));
    }
}
