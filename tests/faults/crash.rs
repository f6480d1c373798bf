//! A server that is killed while it writes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::task::JoinHandle;
use tower_user_metadata::store::MetadataStore;
use tower_user_metadata::{Precondition, StoreErrorKind};

use crate::backend::{Backend, How, recovered, twin_number, twins};
use crate::support::vectors::say;
use crate::user;

const TASKS: u64 = 16;

/// Each task writes ever larger numbers until the server is killed under it.
pub(crate) async fn kill_9<B: Backend>() {
    let Some(mut server) = B::start(true).await else { return };
    let store = B::open(&server.url(), How::default()).await.expect("opened");
    let (mut from, mut acknowledgements, mut unknown) = (1, 0, 0);
    for round in 0..4 {
        let begun = Arc::new(AtomicU64::new(0));
        let tasks: Vec<_> = (0..TASKS)
            .map(|task| {
                let (store, begun) = (Arc::clone(&store), Arc::clone(&begun));
                tokio::spawn(async move {
                    let id = user(&format!("user{task}"));
                    let mut acknowledged = None;
                    for number in from.. {
                        match store.update(&id, &twins(number), &Precondition::None).await {
                            Ok(_) => {
                                begun.fetch_add(u64::from(acknowledged.is_none()), Ordering::Relaxed);
                                acknowledged = Some(number);
                            }
                            Err(error) => return (acknowledged, number, error),
                        }
                    }
                    unreachable!("numbers do not end")
                })
            })
            .collect();
        // Not before all of them write, and each time at another moment.
        while begun.load(Ordering::Relaxed) < TASKS && !tasks.iter().any(JoinHandle::is_finished) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        tokio::time::sleep(Duration::from_millis(200 + round * 53)).await;
        server.kill();
        let mut outcomes = Vec::new();
        for task in tasks {
            outcomes.push(task.await.expect("no panic"));
        }
        server.restart().await;
        // The same store works again.
        recovered(&store).await;
        for (task, (acknowledged, tried, error)) in outcomes.into_iter().enumerate() {
            assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error:?}");
            let acknowledged = acknowledged.expect("nothing was written");
            let stored = twin_number(&store, &user(&format!("user{task}"))).await.expect("a document");
            let most = if error.may_have_happened() { tried } else { acknowledged };
            assert!((acknowledged..=most).contains(&stored), "{acknowledged} <= {stored} <= {most}");
            acknowledgements += acknowledged - from + 1;
            unknown += u64::from(error.may_have_happened());
        }
        from += 1_000_000;
    }
    say(&format!(
        "{}: killed 4 times, all of {acknowledgements} acknowledged updates are there, {unknown} were of unknown outcome",
        B::NAME
    ));
}
