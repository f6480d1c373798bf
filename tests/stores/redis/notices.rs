//! Changes that others make, told by the server to the caches of its clients.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use tower_user_metadata::store::{MetadataStore, RedisStore};

use super::{open, put, user};
use crate::cluster::Cluster;
use crate::heard::{self, cached};
use crate::servers::redis::Redis;

const CHILD: &str = "REDIS_TELLING_CHILD";

/// Cuts the connections on which a server tells, and counts them.
fn cut(redis: &Redis) -> usize {
    let list: String = ::redis::from_redis_value(redis.command(&["CLIENT", "LIST"])).expect("a text");
    // `t`: the client is told what changes.
    let told = list.lines().filter(|line| line.contains(" flags=t") || line.contains(" flags=tB"));
    let ids: Vec<_> = told.filter_map(|line| line.strip_prefix("id=")?.split(' ').next()).collect();
    ids.iter().filter(|id| redis.try_command(&["CLIENT", "KILL", "ID", id]).is_ok()).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_write_is_heard() {
    let Some(redis) = Redis::start(&[]).await else { return };
    let (reader, writer) = (open(&redis).await, Arc::new(open(&redis).await));
    heard::every_write_is_heard(cached(reader.clone()), writer.clone()).await;
    heard::own_writes_are_read(cached(reader), writer).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_outlives_its_bound_while_listeners_are_killed() {
    let Some(redis) = Redis::start(&[]).await else { return };
    let mut ended = 0;
    heard::nothing_outlives_its_bound(open(&redis).await, Arc::new(open(&redis).await), async || ended += cut(&redis))
        .await;
    assert!(ended >= 4, "only {ended} connections were there to be cut");
}

#[tokio::test(flavor = "multi_thread")]
async fn all_primaries_of_a_cluster_are_heard() {
    let Some(cluster) = Cluster::start(Duration::from_secs(15)).await else { return };
    let open = async || RedisStore::connect(&cluster.url()).await.expect("the store opens");
    heard::every_write_is_heard(cached(open().await), Arc::new(open().await)).await;
    let (mut ended, mut turn) = (0, 0);
    heard::nothing_outlives_its_bound(open().await, Arc::new(open().await), async || {
        ended += cut(&cluster.servers[turn % 3]);
        turn += 1;
    })
    .await;
    assert!(ended >= 4, "only {ended} connections were there to be cut");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slot_that_moves_and_a_replica_that_takes_over_are_followed() {
    let Some(mut cluster) = Cluster::start(Duration::from_millis(1_500)).await else { return };
    let open = async || RedisStore::connect(&cluster.url()).await.expect("the store opens");
    let (cache, writer) = (cached(open().await), open().await);
    heard::listens(&cache, &writer).await;
    put(&writer, "alice", r#"{"n":1}"#).await.expect("written");
    let (slot, from) = cluster.home("user_metadata:{6:public:alice}");
    let n = async || {
        let record = cache.get(&user("alice")).await.ok().flatten();
        record.and_then(|record| record.metadata.get::<u64>("n").expect("a number"))
    };
    heard::until("it is seen", async || n().await == Some(1)).await;
    let to = (from + 1) % 3;
    cluster.begin_move(slot, from, to);
    cluster.end_move(slot, from, to);
    put(&writer, "alice", r#"{"n":2}"#).await.expect("written");
    heard::until("it is seen at its new home", async || n().await == Some(2)).await;
    put(&writer, "alice", r#"{"n":3}"#).await.expect("written");
    heard::until("it is seen again", async || n().await == Some(3)).await;

    cluster.servers[to].kill();
    cluster.all_say("cluster_state", "ok").await;
    let begin = std::time::Instant::now();
    while put(&writer, "alice", r#"{"n":4}"#).await.is_err() {
        assert!(begin.elapsed() < Duration::from_secs(30), "no replica takes over");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    heard::until("the replica is heard", async || n().await == Some(4)).await;
    heard::listens(&cache, &writer).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_expires_or_is_removed_by_hand_is_heard() {
    let Some(redis) = Redis::start(&[]).await else { return };
    let writer =
        RedisStore::options().with_ttl(Duration::from_millis(400)).connect(&redis.url()).await.expect("opened");
    let cache = cached(open(&redis).await);
    heard::listens(&cache, &writer).await;
    let there = async || cache.get(&user("alice")).await.expect("read").is_some();
    put(&writer, "alice", r#"{"n":1}"#).await.expect("written");
    heard::until("it is there", there).await;
    heard::until("it expires", async || !there().await).await;
    for words in [&["DEL", "user_metadata:{6:public:alice}"][..], &["FLUSHALL"]] {
        put(&open(&redis).await, "alice", r#"{"n":2}"#).await.expect("written");
        heard::until("it is there", there).await;
        redis.command(words);
        heard::until("it is gone", async || !there().await).await;
    }
}

/// What the process of the next test does: this test program again, told by an environment variable.
#[tokio::test(flavor = "multi_thread")]
async fn child() {
    let Ok(url) = std::env::var(CHILD) else { return };
    let store = RedisStore::connect(&url).await.expect("the store opens");
    put(&store, "alice", r#"{"by":"the child"}"#).await.expect("written");
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_process_is_heard() {
    let Some(redis) = Redis::start(&[]).await else { return };
    let store = open(&redis).await;
    let cache = cached(store.clone());
    heard::listens(&cache, &store).await;
    assert_eq!(cache.get(&user("alice")).await.expect("read"), None);
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.args(["--exact", "redis::notices::child"]).env(CHILD, redis.url()).stdout(Stdio::null());
    assert!(command.status().expect("a child").success());
    heard::until("the child is heard", async || cache.get(&user("alice")).await.expect("read").is_some()).await;
}
