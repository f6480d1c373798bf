//! A server that is killed while it writes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tower_user_metadata::Precondition;
use tower_user_metadata::store::{MetadataStore, PostgresStore};

use super::{recovered, twin_number, twins, user};
use crate::servers::postgres::{Postgres, Running};

const TASKS: usize = 16;

/// Kills the server and all its processes as they stand, as a power switch would.
fn kill(server: &mut Postgres) {
    let Some(Running { server: mut main, mut guard }) = server.running.take() else { return };
    guard.kill().and_then(|()| guard.wait()).expect("the guard ends");
    let parent = format!("{} ", main.id());
    let children = std::fs::read_dir("/proc").expect("processes").flatten().filter_map(|process| {
        let status = std::fs::read_to_string(process.path().join("stat")).ok()?;
        // Behind the name of the program in brackets: its state, and the process that it belongs to.
        let (_, behind) = status.rsplit_once(") ")?;
        let is_child = behind.split_once(' ')?.1.starts_with(&parent);
        is_child.then(|| process.file_name().into_string().ok())?
    });
    let children: Vec<_> = children.collect();
    assert!(!children.is_empty(), "a server has more than one process");
    main.kill().and_then(|()| main.wait()).expect("the server ends");
    let _ = std::process::Command::new("kill").arg("-9").args(children).status();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_before_the_server_was_killed_is_there_after_it() {
    let Some(mut server) = Postgres::start(&[]).await else { return };
    let store = PostgresStore::connect(&server.url()).await.expect("opened");
    let mut acknowledged = [0_u64; TASKS];
    for round in 0..4_u64 {
        let going_on = Arc::new(AtomicBool::new(true));
        let tasks: Vec<_> = (0..TASKS)
            .map(|task| {
                let (store, going_on) = (store.clone(), Arc::clone(&going_on));
                let from = acknowledged[task] + 1;
                tokio::spawn(async move {
                    let (id, mut last) = (user(&format!("user{task}")), from - 1);
                    for number in from.. {
                        match store.update(&id, &twins(number), &Precondition::None).await {
                            Ok(_) => last = number,
                            Err(_) => break,
                        }
                        if !going_on.load(Ordering::Relaxed) {
                            break;
                        }
                    }
                    last
                })
            })
            .collect();
        // Not before they write, and each time at another moment.
        tokio::time::sleep(Duration::from_millis(300 + round * 37)).await;
        kill(&mut server);
        going_on.store(false, Ordering::Relaxed);
        for (task, last) in tasks.into_iter().enumerate() {
            let last = last.await.expect("no panic");
            assert!(last >= acknowledged[task]);
            acknowledged[task] = last;
        }
        assert!(server.run().await, "the server recovers");
        recovered(&store).await;
        for (task, number) in acknowledged.iter_mut().enumerate() {
            let stored = twin_number(&store, &user(&format!("user{task}"))).await.unwrap_or(0);
            assert!(stored >= *number, "user{task} has {stored}, and {number} was acknowledged");
            *number = stored;
        }
        println!("round {round}: {acknowledged:?}");
    }
    assert!(acknowledged.iter().all(|number| *number > 0), "{acknowledged:?}");
}
