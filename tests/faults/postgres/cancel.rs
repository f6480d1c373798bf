//! Callers that go away, and whoever has their connection next.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Waker};
use std::time::Duration;

use tower_user_metadata::store::{MetadataStore, PostgresStore};
use tower_user_metadata::{Precondition, Record, UserId};

use super::{put, update, user};
use crate::servers::postgres::Postgres;

/// The mark that only documents of this user have.
fn canary(id: &str) -> String {
    format!(r#"{{"owner":"{id}"}}"#)
}

fn is_own(record: Option<&Record>, id: &UserId) {
    if let Some(record) = record {
        let owner = record.metadata.get::<String>("owner").expect("a text");
        assert!(owner.is_none_or(|owner| owner == id.as_str()), "{} was given the document of another", id.as_str());
    }
}

/// Polls a call so many times, a while apart, and drops it; whether it ended.
async fn polled<T>(mut call: Pin<Box<dyn Future<Output = T> + Send + '_>>, polls: usize, apart: Duration) -> bool {
    for _ in 0..polls {
        // On the runtime, but never woken: what happens between two polls is up to the pause.
        if call.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready() {
            return true;
        }
        tokio::time::sleep(apart).await;
    }
    false
}

/// A pool of one: whatever the call before left behind, the next one has to live with.
#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_call_leaves_its_connection_to_the_next_as_if_it_had_never_been() {
    let Some(server) = Postgres::start(&[]).await else { return };
    let store = PostgresStore::options().with_pool_size(1).connect(&server.url()).await.expect("opened");
    let (alice, bob) = (user("alice"), user("bob"));
    put(&store, "alice", &canary("alice")).await.expect("written");
    let mine = put(&store, "bob", &canary("bob")).await.expect("written");
    let change = update(r#"{"a":1,"b":1}"#);
    let users = [alice.clone()];
    for apart in [Duration::ZERO, Duration::from_micros(300), Duration::from_millis(3)] {
        for call in 0..6 {
            for polls in 0..8 {
                let ended = match call {
                    0 => polled(store.update(&alice, &change, &Precondition::None), polls, apart).await,
                    1 => polled(store.update(&alice, &change, &Precondition::Exists), polls, apart).await,
                    2 => polled(store.clear(&alice, &Precondition::None), polls, apart).await,
                    3 => polled(store.clear(&alice, &Precondition::Exists), polls, apart).await,
                    4 => polled(store.get(&alice), polls, apart).await,
                    _ => polled(store.get_many(&users), polls, apart).await,
                };
                assert_eq!(store.get(&bob).await.expect("read"), Some(mine.clone()), "call {call}, {polls} polls");
                let now = put(&store, "alice", &canary("alice")).await.expect("written").metadata;
                assert_eq!(now.get_raw("a"), now.get_raw("b"), "a document was written in part");
                if ended {
                    break;
                }
            }
        }
    }
    let stranger = server.stranger().await;
    let open = "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'";
    assert_eq!(stranger.query_one(open, &[]).await.expect("a count").get::<_, i64>(0), 0, "a transaction is open");
}

/// Hundreds of callers of which most go away, on few connections: nobody is ever given what belongs to another.
#[tokio::test(flavor = "multi_thread")]
async fn a_storm_of_dropped_calls_mixes_nobody_up() {
    let Some(server) = Postgres::start(&["synchronous_commit=off"]).await else { return };
    for (connections, group) in [(1, 64), (2, 4), (4, 1)] {
        let options = PostgresStore::options().with_pool_size(connections).with_group_size(group);
        let store = options.connect(&server.url()).await.expect("opened");
        let tasks: Vec<_> = (0..200_u64)
            .map(|task| {
                let store = store.clone();
                tokio::spawn(async move {
                    let (id, mut ended) = (user(&format!("user{task}")), 0);
                    let own = update(&canary(id.as_str()));
                    for round in 0..20 {
                        let patience = Duration::from_micros((task * 131 + round * 977) % 80_000);
                        let call = async {
                            match (task + round) % 4 {
                                0 => is_own(store.get(&id).await.expect("read").as_ref(), &id),
                                1 => is_own(
                                    store.get_many(std::slice::from_ref(&id)).await.expect("read")[0].as_ref(),
                                    &id,
                                ),
                                2 => is_own(
                                    Some(&store.update(&id, &own, &Precondition::None).await.expect("written")),
                                    &id,
                                ),
                                _ => store.clear(&id, &Precondition::None).await.expect("cleared"),
                            }
                        };
                        ended += usize::from(tokio::time::timeout(patience, call).await.is_ok());
                    }
                    let last = store.update(&id, &own, &Precondition::None).await.expect("written");
                    is_own(Some(&last), &id);
                    ended
                })
            })
            .collect();
        let mut ended = 0;
        for task in tasks {
            ended += task.await.expect("nobody was mixed up");
        }
        println!("{connections} connections, groups of {group}: {ended} of 4000 calls ended");
        assert!((100..3_900).contains(&ended), "they did not both end and go away");
    }
}
