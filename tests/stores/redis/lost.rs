//! Connections that break in the middle of a call, at each byte.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tower_user_metadata::store::{MetadataStore, RedisStore};
use tower_user_metadata::{Precondition, StoreErrorKind};

use super::{update, user};
use crate::servers::redis::Redis;
use crate::support::vectors::say;

/// Passes bytes to a server and back, until it has passed as many as it may.
#[derive(Clone)]
struct Proxy {
    port: u16,
    /// Bytes left on the way there and on the way back.
    left: Arc<[AtomicI64; 2]>,
    /// Swallows what is too much instead of closing the connection.
    silent: bool,
    connections: Arc<AtomicUsize>,
}

impl Proxy {
    async fn start(server: u16, silent: bool) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let proxy = Self { port, left: Arc::default(), silent, connections: Arc::default() };
        proxy.allow([i64::MAX; 2]);
        let own = proxy.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                own.connections.fetch_add(1, Ordering::SeqCst);
                let own = own.clone();
                tokio::spawn(async move {
                    let server = TcpStream::connect(("127.0.0.1", server)).await.expect("the server");
                    let (from_client, to_client) = client.into_split();
                    let (from_server, to_server) = server.into_split();
                    tokio::select! {
                        () = own.pass(0, from_client, to_server) => {}
                        () = own.pass(1, from_server, to_client) => {}
                    }
                });
            }
        });
        proxy
    }

    fn allow(&self, bytes: [i64; 2]) {
        for (left, bytes) in self.left.iter().zip(bytes) {
            left.store(bytes, Ordering::SeqCst);
        }
    }

    async fn pass(&self, way: usize, mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin) {
        let mut buffer = vec![0; 4_096];
        while let Ok(length @ 1..) = from.read(&mut buffer).await {
            let length = i64::try_from(length).expect("a small number");
            let left = self.left[way].fetch_sub(length, Ordering::SeqCst);
            let passed = usize::try_from(length.min(left.max(0))).expect("a small number");
            if to.write_all(&buffer[..passed]).await.is_err() {
                return;
            }
            if left <= length {
                if self.silent {
                    std::future::pending::<()>().await;
                }
                return;
            }
        }
    }
}

fn runs(redis: &Redis) -> usize {
    let stats: String = redis::from_redis_value(redis.command(&["INFO", "commandstats"])).expect("a text");
    let line = stats.lines().find_map(|line| line.strip_prefix("cmdstat_hset:calls="));
    line.and_then(|line| line.split(',').next()).map_or(0, |calls| calls.parse().expect("a number"))
}

/// Cuts the exchange of one update after each number of bytes, there and back.
async fn sweep(silent: bool, step: usize) {
    let Some(redis) = Redis::start(&[]).await else { return };
    let proxy = Proxy::start(redis.port(), silent).await;
    let direct = RedisStore::open(redis.url()).await.expect("opened");
    let alice = user("alice");
    // Only silence takes as long as this.
    let deadline = Duration::from_millis(if silent { 700 } else { 10_000 });
    // The server knows the script, and an update is one command there and one answer back.
    let clean = || async {
        direct.clear(&alice, &Precondition::None).await.expect("cleared");
        direct.update(&alice, &update(r#"{"a":1,"b":1}"#), &Precondition::None).await.expect("written")
    };
    clean().await;
    let (change, old, new) = (update(r#"{"a":2,"c":2}"#), r#"{"a":1,"b":1}"#, r#"{"a":2,"b":1,"c":2}"#);
    let sorted = |json: String| serde_json::from_str::<serde_json::Value>(&json).expect("JSON").to_string();
    let (mut done, mut undone, mut unknown_done, mut unknown_undone) = (0, 0, 0, 0);
    for way in [0, 1] {
        for bytes in (0..400).step_by(step) {
            let before = clean().await;
            let url = format!("redis://127.0.0.1:{}", proxy.port);
            let store = RedisStore::options(url).with_deadline(deadline).open().await.expect("opened");
            let sets = runs(&redis);
            let mut allowed = [i64::MAX; 2];
            allowed[way] = bytes;
            proxy.allow(allowed);
            let outcome = store.update(&alice, &change, &Precondition::None).await;
            // What the server got, it does, also when nobody waits for it.
            tokio::time::sleep(Duration::from_millis(2)).await;
            let sets = runs(&redis) - sets;
            let stored = direct.get(&alice).await.expect("read").expect("a document");
            let applied = sorted(stored.metadata.to_json()) == sorted(new.to_owned());
            assert!(applied || (stored == before && sorted(stored.metadata.to_json()) == sorted(old.to_owned())));
            assert_eq!(sets, 2 * usize::from(applied), "the update ran once or never, after {bytes} bytes");
            match outcome {
                Ok(record) => {
                    assert_eq!(record, stored);
                    done += 1;
                }
                Err(error) => {
                    let kinds = [StoreErrorKind::Timeout, StoreErrorKind::Unavailable];
                    assert!(kinds.contains(&error.kind()), "{error:?}");
                    assert!(error.may_have_happened() || !applied, "after {bytes} bytes: {error:?}");
                    match (error.may_have_happened(), applied) {
                        (true, true) => unknown_done += 1,
                        (true, false) => unknown_undone += 1,
                        (false, _) => undone += 1,
                    }
                }
            }
            // The same store works again, and reading does by itself.
            proxy.allow([i64::MAX; 2]);
            let read = store.get(&alice).await.expect("a read").expect("a document");
            assert_eq!(read, stored);
        }
    }
    say(&format!(
        "Redis, {}: {done} updates acknowledged, {undone} known not to have happened, unknown: {unknown_done} happened, \
         {unknown_undone} did not; none ran twice",
        if silent { "black hole after N bytes" } else { "connection cut after N bytes" }
    ));
    assert!(done > 0 && unknown_done > 0 && unknown_undone > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_cut_after_any_byte() {
    sweep(false, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_goes_silent_after_any_byte() {
    sweep(true, 23).await;
}
