//! Callers that go away, and whoever has their connection next.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use tower_user_metadata::store::MetadataStore;
use tower_user_metadata::{Precondition, Record, UserId};

use crate::backend::{Backend, How, put, update};
use crate::support::vectors::say;
use crate::user;

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

/// One connection: whatever the call before left behind, the next one has to live with.
pub(crate) async fn at_every_poll<B: Backend>() {
    let Some(server) = B::start(true).await else { return };
    let store = B::open(&server.url(), How { one: true, ..How::default() }).await.expect("opened");
    let (alice, bob) = (user("alice"), user("bob"));
    put(&store, "alice", &canary("alice")).await.expect("written");
    let mine = put(&store, "bob", &canary("bob")).await.expect("written");
    let change = update(r#"{"a":1,"b":1}"#);
    let users = [alice.clone()];
    let (mut dropped, mut finished) = (0, 0);
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
                dropped += usize::from(!ended);
                finished += usize::from(ended);
                if ended {
                    break;
                }
            }
        }
    }
    say(&format!("{}: {dropped} calls dropped after a number of polls, {finished} ended before", B::NAME));
    assert!(dropped > 30 && finished > 0, "{dropped} dropped, {finished} ended");
}

/// Hundreds of callers of which most go away, on few connections: nobody is ever given what belongs to another.
pub(crate) async fn storm<B: Backend>(store: Arc<dyn MetadataStore>) {
    let tasks: Vec<_> = (0..200_u64)
        .map(|task| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                let (id, mut ended) = (user(&format!("user{task}")), 0);
                let own = update(&canary(id.as_str()));
                for round in 0..20 {
                    let patience = Duration::from_micros((task * 131 + round * 977) % 80_000);
                    let call = async {
                        let record = match (task + round) % 4 {
                            0 => store.get(&id).await.expect("read"),
                            1 => store.get_many(std::slice::from_ref(&id)).await.expect("read").remove(0),
                            2 => Some(store.update(&id, &own, &Precondition::None).await.expect("written")),
                            _ => {
                                store.clear(&id, &Precondition::None).await.expect("cleared");
                                None
                            }
                        };
                        is_own(record.as_ref(), &id);
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
    say(&format!("{}: a storm in which {ended} of 4000 calls ended and the others were dropped", B::NAME));
    assert!((1..4_000).contains(&ended), "they did not both end and go away");
}
