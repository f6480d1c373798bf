//! A Cluster that changes while it is used.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;
use tower_user_metadata::store::{MetadataStore, RedisStore};
use tower_user_metadata::{MetadataUpdate, Precondition, Record, StoreErrorKind, UserId};

use super::{twin_number, twins, user};
use crate::cluster::{Cluster, eventually};
use crate::support::vectors::say;

const WRITERS: usize = 8;

fn key(user: &UserId) -> String {
    format!("user_metadata:{{6:public:{}}}", user.as_str())
}

/// What one writer did.
#[derive(Debug, Default)]
struct Written {
    acknowledged: u64,
    attempted: u64,
    lost: usize,
    unknown: usize,
    refused: usize,
    longest: Duration,
}

/// An update keeps its number for as many later ones, so that those show whether it was lost.
const KEPT: u64 = 64;

fn numbered(number: u64) -> MetadataUpdate {
    twins(number).set(&format!("kept{}", number % KEPT), &number)
}

/// Writes ever higher numbers for a user until told to stop.
fn write(store: &RedisStore, user: UserId, stop: &Arc<AtomicBool>) -> JoinHandle<Written> {
    let (store, stop) = (store.clone(), stop.clone());
    tokio::spawn(async move {
        let mut written = Written::default();
        let mut acknowledged = Vec::new();
        while !stop.load(Ordering::SeqCst) {
            written.attempted += 1;
            let number = written.attempted;
            acknowledged.retain(|earlier| earlier + KEPT > number);
            let begin = Instant::now();
            match store.update(&user, &numbered(number), &Precondition::None).await {
                Ok(Record { metadata, .. }) => {
                    assert_eq!(metadata.get("n").expect("a number"), Some(number));
                    let before = acknowledged.len();
                    acknowledged.retain(|number| {
                        metadata.get(&format!("kept{}", number % KEPT)).expect("a number") == Some(*number)
                    });
                    written.lost += before - acknowledged.len();
                    written.acknowledged = number;
                    acknowledged.push(number);
                }
                Err(error) => {
                    let kinds = [StoreErrorKind::Unavailable, StoreErrorKind::Timeout];
                    assert!(kinds.contains(&error.kind()), "{error:?}");
                    written.unknown += usize::from(error.may_have_happened());
                    written.refused += usize::from(!error.may_have_happened());
                }
            }
            written.longest = written.longest.max(begin.elapsed());
        }
        written
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn slots_move_while_updates_run() {
    let Some(cluster) = Cluster::start(Duration::from_secs(15)).await else { return };
    let store = RedisStore::connect(&cluster.url()).await.expect("opened");
    let stop = Arc::new(AtomicBool::new(false));
    let users: Vec<_> = (0..WRITERS).map(|at| user(&format!("user{at}"))).collect();
    let writers: Vec<_> = users.iter().map(|user| write(&store, user.clone(), &stop)).collect();
    let begin = Instant::now();
    let mut moves = 0;
    while begin.elapsed() < Duration::from_secs(5) {
        let user = &users[moves % WRITERS];
        let (slot, from) = cluster.home(&key(user));
        let to = (from + 1) % 3;
        cluster.begin_move(slot, from, to);
        // While it moves, a new document in the slot is made at the other server.
        let other = super::user(&format!("}}{}", user.as_str()));
        store.update(&other, &twins(7), &Precondition::None).await.expect("written");
        assert_eq!(store.get_many(&users).await.expect("read").len(), WRITERS);
        tokio::time::sleep(Duration::from_millis(20)).await;
        cluster.end_move(slot, from, to);
        moves += 1;
    }
    stop.store(true, Ordering::SeqCst);
    let mut total = 0;
    for (user, writer) in users.iter().zip(writers) {
        let written = writer.await.expect("no panic");
        assert_eq!((written.lost, written.unknown, written.refused), (0, 0, 0), "{written:?}");
        assert_eq!(twin_number(&store, user).await, Some(written.acknowledged));
        total += written.acknowledged;
    }
    say(&format!("Redis Cluster: {moves} slots moved under {total} updates; all acknowledged, none failed or lost"));
    assert!(moves > 5 && total > 500, "{moves} {total}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_document_in_a_slot_that_moves() {
    let Some(cluster) = Cluster::start(Duration::from_secs(15)).await else { return };
    let store = RedisStore::connect(&cluster.url()).await.expect("opened");
    let (old, unknown) = (user("alice"), user("bob"));
    let (slot, from) = cluster.home(&key(&unknown));
    let to = (from + 1) % 3;
    store.update(&old, &twins(1), &Precondition::None).await.expect("written");
    cluster.begin_move(slot, from, to);
    assert_eq!(store.get(&unknown).await.expect("read"), None);
    let wait = RedisStore::options().with_wait_replicas(1, Duration::from_secs(1)).connect(&cluster.url()).await;
    let created = store.update(&unknown, &twins(2), &Precondition::Absent).await.expect("written");
    let waited = wait.expect("opened").update(&unknown, &twins(3), &Precondition::Version(created.version)).await;
    let waited = waited.expect("written and replicated");
    let many = store.get_many(&[unknown.clone(), old.clone(), unknown.clone()]).await.expect("read");
    assert!(many[0] == Some(waited.clone()) && many[1].is_some() && many[2] == many[0]);
    cluster.end_move(slot, from, to);
    assert_eq!(store.get(&unknown).await.expect("read"), Some(waited));
    store.clear(&unknown, &Precondition::Exists).await.expect("cleared");
}

/// Kills the primary of some users while they are written.
async fn kill_a_primary(wait: Option<Duration>) -> Option<()> {
    let mut cluster = Cluster::start(Duration::from_secs(2)).await?;
    let mut options = RedisStore::options();
    if let Some(at_most) = wait {
        options = options.with_wait_replicas(1, at_most);
    }
    let store = options.connect(&cluster.url()).await.expect("opened");
    let stop = Arc::new(AtomicBool::new(false));
    let users: Vec<_> = (0..2 * WRITERS).map(|at| user(&format!("user{at}"))).collect();
    let of_victim: Vec<_> = users.iter().map(|user| cluster.home(&key(user)).1 == 0).collect();
    let writers: Vec<_> = users.iter().map(|user| write(&store, user.clone(), &stop)).collect();
    tokio::time::sleep(Duration::from_secs(2)).await;
    cluster.servers[0].kill();
    let killed = Instant::now();
    eventually("a replica is promoted", || cluster.servers[3].info("replication", "role") == "master").await;
    cluster.all_say("cluster_state", "ok").await;
    let promoted = killed.elapsed();
    tokio::time::sleep(Duration::from_secs(2)).await;
    stop.store(true, Ordering::SeqCst);

    let (mut total, mut lost, mut unknown, mut refused) = (0, 0_usize, 0, 0);
    let mut longest = Duration::ZERO;
    for ((user, writer), of_victim) in users.iter().zip(writers).zip(&of_victim) {
        let written = writer.await.expect("no panic");
        let found = twin_number(&store, user).await.unwrap_or(0);
        assert!((written.acknowledged..=written.attempted).contains(&found), "{written:?}, found {found}");
        if !of_victim {
            let troubles = (written.lost, written.unknown, written.refused);
            assert_eq!(troubles, (0, 0, 0), "users of other primaries notice nothing");
        }
        lost += written.lost;
        total += written.acknowledged;
        unknown += written.unknown;
        refused += written.refused;
        longest = longest.max(written.longest);
    }
    say(&format!(
        "Redis Cluster, primary killed, {}: promoted after {promoted:?}, {total} updates acknowledged, {lost} of them \
         lost, {unknown} unknown outcomes, {refused} known not to have happened, longest call {longest:?}",
        if wait.is_some() { "WAIT 1" } else { "no WAIT" }
    ));
    assert!(of_victim.contains(&true) && of_victim.contains(&false));
    if wait.is_some() {
        // The new primary has no replica, so its writes are told to be unsafe, long before the deadline.
        assert!(longest < Duration::from_secs(4), "{longest:?}");
        assert_eq!(lost, 0, "the replica that acknowledged is the only one, so it is the one that was promoted");
    }
    Some(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_primary_is_killed() {
    kill_a_primary(None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_primary_is_killed_and_a_replica_had_acknowledged() {
    kill_a_primary(Some(Duration::from_millis(500))).await;
}
