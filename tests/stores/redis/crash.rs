//! A server that is killed while it writes.

use std::time::Duration;

use tower_user_metadata::store::{MetadataStore, RedisStore};
use tower_user_metadata::{Precondition, StoreErrorKind};

use super::{twin_number, twins, user};
use crate::servers::redis::Redis;
use crate::support::vectors::say;

const USERS: usize = 16;

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_is_there_after_kill_9() {
    let Some(mut redis) = Redis::start(&[]).await else { return };
    let store = RedisStore::open(redis.url()).await.expect("opened");
    let (mut acknowledged, mut unknown) = (0, 0);
    for round in 0..8_u64 {
        let writers: Vec<_> = (0..USERS)
            .map(|at| {
                let store = store.clone();
                tokio::spawn(async move {
                    let user = user(&format!("user{at}"));
                    let first = twin_number(&store, &user).await.unwrap_or(0) + 1;
                    for number in first.. {
                        let outcome = store.update(&user, &twins(number), &Precondition::None).await;
                        match outcome {
                            Ok(record) => assert_eq!(record.metadata.get("n").expect("a number"), Some(number)),
                            Err(error) => {
                                assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error:?}");
                                return (number - first, number - 1, error.may_have_happened());
                            }
                        }
                    }
                    unreachable!("the server is killed before");
                })
            })
            .collect();
        tokio::time::sleep(Duration::from_millis(60 + 37 * round)).await;
        redis.kill();
        let mut last = Vec::new();
        for writer in writers {
            let (written, number, may_have_happened) = writer.await.expect("no panic");
            acknowledged += written;
            unknown += u64::from(may_have_happened);
            last.push((number, may_have_happened));
        }
        redis.restart().await;
        let reopened = RedisStore::open(redis.url()).await.expect("opened");
        for (at, (number, may_have_happened)) in last.into_iter().enumerate() {
            let found = twin_number(&reopened, &user(&format!("user{at}"))).await.unwrap_or(0);
            let newest = number + u64::from(may_have_happened);
            assert!((number..=newest).contains(&found), "user{at} has {found}, acknowledged was {number}");
        }
        // The store that lived through it finds the server again as well.
        tokio::time::sleep(Duration::from_millis(700)).await;
    }
    say(&format!("Redis, kill -9: {acknowledged} acknowledged updates are there, {unknown} had an unknown outcome"));
    assert!(acknowledged > 100 && unknown > 0, "{acknowledged} {unknown}");
}
