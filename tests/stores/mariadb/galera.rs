//! A cluster of three nodes that all take writes.

use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable;
use tower_user_metadata::store::{MariadbStore, MetadataStore};
use tower_user_metadata::{MetadataUpdate, Precondition, StoreErrorKind};

use super::{cause, twin_number, twins, user};
use crate::servers::mariadb::Mariadb;

const TASKS: u64 = 6;

#[tokio::test(flavor = "multi_thread")]
async fn writes_to_all_nodes_lose_nothing() {
    let Some(first) = Mariadb::start_cluster().await else { return };
    let second = first.join_cluster().await;
    let mut third = first.join_cluster().await;
    let mut stores = Vec::new();
    for node in [&first, &second, &third] {
        stores.push(MariadbStore::connect(&node.url()).await.expect("opened"));
    }

    writers_of_one_user_meet(&stores).await;
    let mut conflicts = 0;
    for node in [&first, &second, &third] {
        conflicts += status(node, "wsrep_local_cert_failures").await + status(node, "wsrep_local_bf_aborts").await;
    }
    assert!(conflicts > 0, "no two nodes ever met");

    a_node_that_dies_takes_nothing_along(&stores, &mut third).await;
}

/// Each task has a field of its own, and a node to write to; half of them read first.
async fn writers_of_one_user_meet(stores: &[MariadbStore]) {
    const ROUNDS: u64 = 60;
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let store = node_of(stores, task).clone();
            tokio::spawn(async move {
                let (id, field) = (user("many"), format!("field{task}"));
                for round in 1..=ROUNDS {
                    let update = MetadataUpdate::new().set(&field, &round);
                    if task < TASKS / 2 {
                        store.update(&id, &update, &Precondition::None).await.expect("written");
                        continue;
                    }
                    loop {
                        let seen = store.get(&id).await.expect("read").map(|record| record.version);
                        let when = seen.map_or(Precondition::Absent, Precondition::Version);
                        match store.update(&id, &update, &when).await {
                            Ok(_) => break,
                            Err(error) => {
                                assert_eq!(error.kind(), StoreErrorKind::PreconditionFailed, "{}", cause(&error));
                            }
                        }
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("no panic");
    }
    for store in stores {
        // What one node has acknowledged comes to the others a moment later.
        let begin = Instant::now();
        loop {
            let metadata = store.get(&user("many")).await.expect("read").expect("a document").metadata;
            let field = |task| metadata.get::<u64>(&format!("field{task}")).expect("a number");
            if (0..TASKS).all(|task| field(task) == Some(ROUNDS)) {
                break;
            }
            assert!(begin.elapsed() < Duration::from_secs(10), "lost: {}", metadata.to_json());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

async fn a_node_that_dies_takes_nothing_along(stores: &[MariadbStore], dying: &mut Mariadb) {
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let store = node_of(stores, task).clone();
            tokio::spawn(async move {
                let id = user(&format!("user{task}"));
                let end = Instant::now() + Duration::from_secs(15);
                let (mut acknowledged, mut tried) = (0, 0);
                while Instant::now() < end {
                    tried += 1;
                    match store.update(&id, &twins(tried), &Precondition::None).await {
                        Ok(_) => acknowledged = tried,
                        // The dead node for good, the others until they agree that it is dead.
                        Err(error) => {
                            let known = [StoreErrorKind::Unavailable, StoreErrorKind::Timeout].contains(&error.kind());
                            assert!(known, "{}", cause(&error));
                            tokio::time::sleep(Duration::from_millis(100)).await;
                        }
                    }
                }
                (acknowledged, tried)
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_secs(1)).await;
    dying.kill();
    let mut outcomes = Vec::new();
    for task in tasks {
        outcomes.push(task.await.expect("no panic"));
    }
    // What was the last thing on its way when the node died is applied by now.
    for (task, (acknowledged, tried)) in (0..TASKS).zip(outcomes) {
        assert!(acknowledged > 0, "nothing was written");
        for store in &stores[..2] {
            let begin = Instant::now();
            loop {
                let stored = twin_number(store, &user(&format!("user{task}"))).await.unwrap_or(0);
                if (acknowledged..=tried).contains(&stored) {
                    break;
                }
                assert!(begin.elapsed() < Duration::from_secs(10), "{acknowledged} <= {stored} <= {tried}");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
    let update = MetadataUpdate::new().set("after", &true);
    stores[0].update(&user("many"), &update, &Precondition::Exists).await.expect("two nodes are enough");
}

fn node_of(stores: &[MariadbStore], task: u64) -> &MariadbStore {
    &stores[usize::try_from(task).expect("small") % stores.len()]
}

async fn status(node: &Mariadb, name: &str) -> u64 {
    let row: Option<(String, u64)> =
        node.stranger().await.query_first(format!("SHOW STATUS LIKE '{name}'")).await.expect("a row");
    row.expect("a node of a cluster").1
}
