//! A process that is killed while it writes.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tower_user_metadata::Precondition;
use tower_user_metadata::store::{MetadataStore, SqliteStore};

use super::{Place, child, twin_number, twins, user};

const TASKS: usize = 8;

/// What a child does until it is killed: each task writes ever larger numbers and prints those that were acknowledged.
pub(super) async fn acknowledge(file: &Path, from: u64) {
    let store = SqliteStore::open(file).await.expect("opened");
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let store = store.clone();
            tokio::spawn(async move {
                let id = user(&format!("user{task}"));
                for number in from.. {
                    store.update(&id, &twins(number), &Precondition::None).await.expect("written");
                    let line = format!("ack {task} {number}\n");
                    std::io::stdout().lock().write_all(line.as_bytes()).expect("somebody listens");
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("no panic");
    }
}

#[tokio::test]
async fn what_was_acknowledged_before_a_kill_is_there_after_it() {
    let place = Place::new();
    let mut acknowledged = [0_u64; TASKS];
    for round in 0..6_u64 {
        let from = acknowledged.iter().max().map_or(1, |number| number + 1);
        let mut writer =
            child(&format!("acknowledge {from}"), &place.file()).stdout(Stdio::piped()).spawn().expect("a child");
        let mut lines = BufReader::new(writer.stdout.take().expect("piped")).lines();
        let mut seen = 0;
        let killer = std::thread::spawn(move || {
            // Not before it writes, and each time at another moment.
            std::thread::sleep(Duration::from_millis(150 + round * 37));
            writer.kill().expect("killed");
            writer.wait().expect("gone")
        });
        while let Some(Ok(line)) = lines.next() {
            // The last line may be cut.
            let Some((task, number)) = line.strip_prefix("ack ").and_then(|rest| rest.split_once(' ')) else {
                continue;
            };
            let (Ok(task), Ok(number)) = (task.parse::<usize>(), number.parse::<u64>()) else { continue };
            acknowledged[task] = acknowledged[task].max(number);
            seen += 1;
        }
        assert!(!killer.join().expect("no panic").success(), "it was killed, it did not end");
        println!("round {round}: {seen} acknowledged");

        let store = place.open().await;
        for (task, number) in acknowledged.iter_mut().enumerate() {
            let stored = twin_number(&store, &user(&format!("user{task}"))).await.unwrap_or(0);
            assert!(stored >= *number, "user{task} has {stored}, and {number} was acknowledged");
            *number = stored;
        }
        store.close().await;
    }
    assert!(acknowledged.iter().all(|number| *number > 0), "{acknowledged:?}");
}
