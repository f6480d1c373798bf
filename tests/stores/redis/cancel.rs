//! Calls that are dropped while others use the same connection: an answer goes to who asked, or to nobody.

use std::time::Duration;

use tower_user_metadata::store::{MetadataStore, RedisStore};
use tower_user_metadata::{Metadata, Precondition, UserId};

use super::{update, user};
use crate::cluster::Cluster;
use crate::support::vectors::say;

const CANARIES: usize = 20;

fn canary(at: usize) -> UserId {
    user(&format!("canary{at}"))
}

fn check(metadata: &Metadata, at: usize) {
    assert_eq!(metadata.get::<usize>("owner").expect("a number"), Some(at), "the document of another user");
}

async fn storm(store: RedisStore) -> (usize, usize) {
    for at in 0..CANARIES {
        let filler = "x".repeat(at * 400);
        let own = update(&format!("{{\"owner\":{at},\"filler\":\"{filler}\"}}"));
        store.update(&canary(at), &own, &Precondition::None).await.expect("written");
    }
    let dropping: Vec<_> = (0..CANARIES)
        .map(|at| {
            let store = store.clone();
            tokio::spawn(async move {
                let (mut dropped, none) = (0, Precondition::None);
                for round in 0..400_u64 {
                    let (user, own) = (canary(at), update(&format!("{{\"round\":{round}}}")));
                    let both = [user.clone(), canary((at + 1) % CANARIES)];
                    let call = async {
                        match round % 3 {
                            0 => store.get(&user).await.map(|record| vec![record]),
                            1 => store.get_many(&both).await,
                            _ => store.update(&user, &own, &none).await.map(|record| vec![Some(record)]),
                        }
                    };
                    let patience = Duration::from_micros((round * 7919 + at as u64 * 104_729) % 1_500);
                    match tokio::time::timeout(patience, call).await {
                        Err(_) => dropped += 1,
                        Ok(outcome) => {
                            for (place, record) in outcome.expect("a call").into_iter().enumerate() {
                                check(&record.expect("a document").metadata, (at + place) % CANARIES);
                            }
                        }
                    }
                }
                dropped
            })
        })
        .collect();
    let mut checked = 0;
    while !dropping.iter().all(tokio::task::JoinHandle::is_finished) {
        let all: Vec<_> = (0..CANARIES).map(canary).collect();
        for (at, record) in store.get_many(&all).await.expect("read").into_iter().enumerate() {
            check(&record.expect("a document").metadata, at);
            check(&store.get(&canary(at)).await.expect("read").expect("a document").metadata, at);
            checked += 2;
        }
    }
    let mut dropped = 0;
    for task in dropping {
        dropped += task.await.expect("no panic");
    }
    (dropped, checked)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_of_dropped_calls_in_a_cluster_mixes_nobody_up() {
    let Some(cluster) = Cluster::start(Duration::from_secs(15)).await else { return };
    let (dropped, checked) = storm(RedisStore::connect(&cluster.url()).await.expect("opened")).await;
    say(&format!("Redis Cluster: {dropped} calls were dropped, {checked} documents beside them were the right ones"));
    assert!(dropped > 1_000, "{dropped}");
}
