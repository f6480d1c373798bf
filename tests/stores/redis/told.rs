//! What an operator is told of a failure: by the error and its causes, and once in the log. Never a secret.

use std::error::Error;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tower_user_metadata::store::{MetadataStore, RedisStore};
use tower_user_metadata::{ConfigError, Precondition, StoreError, StoreErrorKind};

use super::{json, open, printed, put, user};
use crate::cluster::{Cluster, eventually};
use crate::errors::{failures, logged};
use crate::servers::process::{Running, free_port};
use crate::servers::redis::{Redis, program};
use crate::support::vectors::not_run;

type Log = Arc<Mutex<Vec<String>>>;

/// What an error is to say.
struct Told<'a> {
    kind: StoreErrorKind,
    operation: &'a str,
    server: &'a str,
    reason: &'a str,
}

impl Told<'_> {
    fn by(&self, error: &StoreError, log: &Log) {
        let all = format!("{} {:?}", printed(error), log.lock().expect("not poisoned"));
        assert!(!all.contains("secret") && !all.contains("alice"), "{all}");
        assert_eq!((error.kind(), error.operation()), (self.kind, Some(self.operation)), "{all}");
        assert_eq!((error.engine(), error.server()), (Some("Redis"), Some(self.server)), "{all}");
        let (shown, source) = (error.to_string(), error.source().expect("a reason").to_string());
        assert!(shown.contains(&format!("({}, Redis at {})", self.operation, self.server)), "{shown}");
        assert!(source.contains(self.reason) && !shown.contains(&source), "{}: {all}", self.reason);
        let lines = failures(log);
        let [line] = &lines[..] else { panic!("{lines:?}") };
        assert!(line.contains(&format!("{shown}: {source}")), "{line}");
    }

    async fn at_start(&self, url: &str) {
        let (log, _guard) = logged();
        let error =
            RedisStore::options().with_deadline(Duration::from_secs(3)).connect(url).await.expect_err(self.reason);
        assert_eq!(error.to_string(), "the store cannot be opened");
        let ConfigError::Store(error) = error else { panic!("{error}") };
        self.by(&error, &log);
    }
}

fn address(redis: &Redis) -> String {
    format!("127.0.0.1:{}", redis.port())
}

#[tokio::test]
async fn a_login_that_is_refused() {
    let Some(redis) = Redis::start(&[]).await else { return };
    let server = address(&redis);
    let refused = async |login: &str, database: &str, reason: &str| {
        let told = Told { kind: StoreErrorKind::Internal, operation: "open", server: &server, reason };
        told.at_start(&format!("redis://{login}{server}{database}")).await;
    };
    refused("", "/99", "no database of the number").await;
    refused(":secret@", "", "the server has none").await;
    redis.command(&["ACL", "SETUSER", "app-secret", "on", ">secret", "~*", "+@all", "-select"]);
    refused("app-secret:secret@", "/1", "no right to the command `select`").await;
    redis.command(&["ACL", "SETUSER", "default", "off"]);
    refused("", "", "demands a password").await;
    refused("", "/1", "demands a password").await;
    refused("app-secret:wrong-secret@", "", "the user name or the password").await;
    refused("nobody-secret:secret@", "/1", "the user name or the password").await;
}

#[tokio::test]
async fn a_right_that_is_missing() {
    let Some(redis) = Redis::start(&[]).await else { return };
    let server = address(&redis);
    let whole = "+hgetall +eval +evalsha +hget +hset +hdel +exists +unlink +persist +pexpire";
    let connect = async |name: &str, rules: &str| {
        let words = format!("ACL SETUSER {name} on >secret {rules}");
        redis.command(&words.split(' ').collect::<Vec<_>>());
        RedisStore::connect(&format!("redis://{name}:secret@{server}")).await.expect("opened")
    };
    let told = |operation, reason| Told { kind: StoreErrorKind::Internal, operation, server: &server, reason };
    let (update, none) = (super::update(r#"{"secret-name":"secret-value"}"#), Precondition::None);
    let alice = user("alice-secret");

    let store = connect("app-secret", &format!("~user_metadata:* {whole} -hgetall")).await;
    let (log, _guard) = logged();
    told("get", "no right to the command `hgetall`").by(&store.get(&alice).await.expect_err("no right"), &log);
    let many = store.get_many(&[alice.clone(), user("bob-secret")]).await.expect_err("no right");
    told("get_many", "no right to the command `hgetall`").by(&many, &log);
    let within = store.update(&alice, &update, &none).await.expect_err("no right inside the script");
    assert!(!within.may_have_happened());
    told("update", "no right to").by(&within, &log);

    let store = connect("stranger-secret", &format!("~other:* {whole}")).await;
    told("get", "no right to the keys of the store").by(&store.get(&alice).await.expect_err("no right"), &log);
    let outcome = store.update(&alice, &update, &none).await;
    told("update", "no right to the keys of the store").by(&outcome.expect_err("no right"), &log);
    told("clear", "no right to the keys").by(&store.clear(&alice, &none).await.expect_err("no right"), &log);

    let store = connect("reader-secret", "~user_metadata:* +hgetall").await;
    let outcome = store.update(&alice, &update, &none).await;
    told("update", "no right to the command `eval`").by(&outcome.expect_err("no right"), &log);
    assert_eq!(store.get(&alice).await.expect("read"), None);
    assert_eq!(failures(&log), [""; 0]);
}

/// Rights that a careful administrator leaves out, and commands that managed servers and proxies do not have.
#[tokio::test]
async fn what_the_store_can_do_without() {
    let Some(redis) = Redis::start(&["--rename-command", "SCRIPT", "", "--rename-command", "EVALSHA", ""]).await else {
        return;
    };
    let (log, _guard) = logged();
    let store = open(&redis).await;
    put(&store, "alice", r#"{"a":1}"#).await.expect("written");
    assert_eq!(json(&store, "alice").await.as_deref(), Some(r#"{"a":1}"#));
    assert_eq!(failures(&log), [""; 0]);
    drop(redis);

    let Some(redis) = Redis::start(&[]).await else { return };
    let server = address(&redis);
    let whole = "+hgetall +eval +evalsha +hget +hset +hdel +exists +unlink +persist +pexpire";
    for (name, rules) in
        [("plain", ""), ("digestless", "-evalsha"), ("scripts", "-script +script|exists"), ("info", "-info")]
    {
        let words = format!("ACL SETUSER {name} on >secret ~user_metadata:* {whole} {rules}");
        redis.command(&words.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>());
        let (log, _guard) = logged();
        let store = RedisStore::connect(&format!("redis://{name}:secret@{server}")).await.expect(name);
        for value in 0..3 {
            let written = put(&store, name, &format!("{{\"n\":{value}}}")).await.expect(name);
            assert_eq!(store.get(&user(name)).await.expect(name), Some(written));
        }
        store.clear(&user(name), &Precondition::Exists).await.expect(name);
        assert_eq!(json(&store, name).await, None);
        assert_eq!(failures(&log), [""; 0]);
    }
}

#[tokio::test]
async fn a_server_that_takes_no_writes() {
    let Some(redis) = Redis::start(&["--maxmemory-policy", "noeviction"]).await else { return };
    let store = open(&redis).await;
    let server = address(&redis);
    let told = |reason| Told { kind: StoreErrorKind::Unavailable, operation: "update", server: &server, reason };
    let (log, _guard) = logged();
    let fails = async || put(&store, "alice", r#"{"secret":"value"}"#).await.expect_err("no writes");

    redis.command(&["CONFIG", "SET", "maxmemory", "1"]);
    told("maxmemory").by(&fails().await, &log);
    redis.command(&["CONFIG", "SET", "maxmemory", "0"]);

    let primary = Redis::start(&[]).await.expect("another server");
    redis.command(&["REPLICAOF", "127.0.0.1", &primary.port().to_string()]);
    told("is a replica").by(&fails().await, &log);
    redis.command(&["REPLICAOF", "NO", "ONE"]);

    redis.command(&["CONFIG", "SET", "min-replicas-to-write", "3"]);
    told("min-replicas-to-write").by(&fails().await, &log);
    redis.command(&["CONFIG", "SET", "min-replicas-to-write", "0"]);

    // A snapshot that cannot be written, since a folder has its name.
    redis.command(&["CONFIG", "SET", "save", "3600 1"]);
    let (_, folder): (String, String) =
        redis::from_redis_value(redis.command(&["CONFIG", "GET", "dir"])).expect("a folder");
    std::fs::create_dir_all(format!("{folder}/dump.rdb/full")).expect("a folder");
    redis.command(&["BGSAVE"]);
    eventually("the snapshot has failed", || redis.info("persistence", "rdb_last_bgsave_status") == "err").await;
    told("cannot save them to its disk").by(&fails().await, &log);
    redis.command(&["CONFIG", "SET", "save", ""]);
    put(&store, "alice", r#"{"a":1}"#).await.expect("all is well again");
}

#[tokio::test]
async fn a_server_that_cannot_be_reached() {
    let port = free_port();
    let nobody = format!("127.0.0.1:{port}");
    let told = |server, reason| Told { kind: StoreErrorKind::Unavailable, operation: "open", server, reason };
    told(&nobody, "refused").at_start(&format!("redis://u:secret@{nobody}")).await;
    told("no-such-host.invalid:6379", "lookup").at_start("rediss://:secret@no-such-host.invalid").await;
    told("/run/no-such-socket", "No such file").at_start("redis+unix:///run/no-such-socket?pass=secret").await;
    told(&nobody, "refused").at_start(&format!("redis+cluster://:secret@{nobody}")).await;

    let Some(mut redis) = Redis::start(&[]).await else { return };
    let server = address(&redis);
    let silent = Told { kind: StoreErrorKind::Timeout, operation: "open", server: &server, reason: "speaks no TLS" };
    silent.at_start(&format!("rediss://:secret@{server}")).await;
    let store = open(&redis).await;
    redis.kill();
    let (log, _guard) = logged();
    let told = |reason| Told { kind: StoreErrorKind::Unavailable, operation: "get", server: &server, reason };
    told("refused").by(&store.get(&user("alice")).await.expect_err("killed"), &log);
    // The pause after a failure has the same reason.
    told("refused").by(&store.get(&user("alice")).await.expect_err("killed"), &log);
}

#[tokio::test]
async fn a_server_that_does_not_answer_or_has_no_room() {
    let Some(redis) = Redis::start(&[]).await else { return };
    let server = address(&redis);
    let options = RedisStore::options().with_deadline(Duration::from_millis(300));
    let store = options.connect(&redis.url()).await.expect("opened");
    let client = redis::Client::open(redis.url()).expect("a client");
    let mut connection = client.get_connection().expect("a connection");
    redis::cmd("CONFIG").arg(&["SET", "maxclients", "1"]).exec(&mut connection).expect("set");
    let full = Told { kind: StoreErrorKind::Unavailable, operation: "open", server: &server, reason: "maxclients" };
    full.at_start(&redis.url()).await;
    redis::cmd("CONFIG").arg(&["SET", "maxclients", "100"]).exec(&mut connection).expect("set");

    let (log, _guard) = logged();
    redis.freeze(true);
    let error = put(&store, "alice", r#"{"secret":1}"#).await.expect_err("frozen");
    assert!(error.to_string().contains("may have happened"), "{error}");
    assert_eq!((error.kind(), error.server()), (StoreErrorKind::Timeout, Some(&server[..])));
    assert!(printed(&error).contains("before the server answered"), "{}", printed(&error));
    assert_eq!(failures(&log).len(), 1);
    redis.freeze(false);
}

#[tokio::test]
async fn a_server_that_loads_its_data() {
    let Some(redis) = Redis::start(&["--enable-debug-command", "yes"]).await else { return };
    let store = open(&redis).await;
    for at in 0..8_u64 {
        // Values that cannot be compressed: between so many bytes the server looks who else is there.
        let value: String =
            (0..400_u64).map(|n| format!("{:016x}", (n + 400 * at + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15))).collect();
        redis.command(&["SET", &format!("key{at}"), &value]);
    }
    redis.command(&["CONFIG", "SET", "loading-process-events-interval-bytes", "1024"]);
    redis.command(&["CONFIG", "SET", "key-load-delay", "300000"]);
    let url = redis.url();
    let reload = std::thread::spawn(move || {
        let client = redis::Client::open(url).expect("a client");
        let mut connection = client.get_connection().expect("a connection");
        redis::cmd("DEBUG").arg("RELOAD").exec(&mut connection)
    });
    let (log, _guard) = logged();
    let mut loading = None;
    while loading.is_none() && !reload.is_finished() {
        loading = store.get(&user("alice")).await.err().filter(|error| printed(error).contains("LOADING"));
        if loading.is_none() {
            log.lock().expect("not poisoned").clear();
        }
    }
    let error = loading.expect("the server was seen loading");
    let server = address(&redis);
    Told { kind: StoreErrorKind::Unavailable, operation: "get", server: &server, reason: "is loading" }
        .by(&error, &log);
    redis.command(&["CONFIG", "SET", "key-load-delay", "0"]);
    let _ = reload.join().expect("no panic");
}

#[tokio::test]
async fn a_cluster_without_slots_or_without_a_primary() {
    let Some(redis) = Redis::start(&["--cluster-enabled", "yes"]).await else { return };
    let server = address(&redis);
    let told = Told { kind: StoreErrorKind::Unavailable, operation: "open", server: &server, reason: "no slots" };
    told.at_start(&redis.url().replace("redis:", "redis+cluster:")).await;
    drop(redis);
    let Some(cluster) = Cluster::start(Duration::from_secs(15)).await else { return };
    let store = RedisStore::connect(&cluster.url()).await.expect("opened");
    put(&store, "alice", r#"{"a":1}"#).await.expect("written");
    let (slot, home) = cluster.home("user_metadata:{6:public:alice}");
    for server in &cluster.servers {
        let _ = server.try_command(&["CLUSTER", "DELSLOTS", &slot.to_string()]);
    }
    eventually("the Cluster is down", || {
        cluster.servers[home].try_command(&["GET", "user_metadata:{6:public:alice}"]).is_err()
    })
    .await;
    let (log, _guard) = logged();
    let error = store.get(&user("alice")).await.expect_err("no primary");
    assert_eq!(
        (error.kind(), error.engine(), error.operation()),
        (StoreErrorKind::Unavailable, Some("Redis"), Some("get"))
    );
    assert!(
        printed(&error).contains("no primary") || printed(&error).contains("without a primary"),
        "{}",
        printed(&error)
    );
    assert_eq!(failures(&log).len(), 1);
    assert!(error.server().is_some_and(|server| server.starts_with("127.0.0.1:")), "{error}");
}

/// Something else that listens: it says this as soon as somebody comes, or when it is spoken to, and closes.
async fn stranger(at_once: &'static [u8], when_spoken_to: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.write_all(at_once).await;
            if !when_spoken_to.is_empty() {
                let _ = stream.read(&mut [0; 4_096]).await;
                let _ = stream.write_all(when_spoken_to).await;
            }
        }
    });
    address
}

#[tokio::test]
async fn something_else_than_redis() {
    const DENIED: &[u8] =
        b"-DENIED Redis is running in protected mode because protected mode is enabled and no password is set \
                            for the default user.\r\n";
    const PAGE: &[u8] = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n<html>secret</html>";
    for (at_once, when_spoken_to, kind, reason) in [
        (&b""[..], PAGE, StoreErrorKind::Internal, "does not speak the protocol of Redis"),
        (b"SSH-2.0-OpenSSH_9.2 secret\r\n", b"\0", StoreErrorKind::Internal, "does not speak the protocol of Redis"),
        (b"", b"", StoreErrorKind::Unavailable, "wants TLS"),
        (b"", b"\x15\x03\x01\x00\x02\x02\x0a", StoreErrorKind::Internal, "does not speak the protocol of Redis"),
        (DENIED, b"", StoreErrorKind::Internal, "protected mode"),
    ] {
        let server = stranger(at_once, when_spoken_to).await;
        for login in ["", "app:secret@"] {
            Told { kind, operation: "open", server: &server, reason }
                .at_start(&format!("redis://{login}{server}"))
                .await;
        }
    }
    let server = stranger(b"", PAGE).await;
    let told =
        Told { kind: StoreErrorKind::Unavailable, operation: "open", server: &server, reason: "does not speak TLS" };
    told.at_start(&format!("rediss://:secret@{server}")).await;
}

#[tokio::test]
async fn a_sentinel_is_no_server_of_documents() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("sentinel.conf");
    std::fs::write(&file, "").expect("written");
    let port = free_port().to_string();
    let mut command = std::process::Command::new(program());
    command.arg(file).args(["--sentinel", "--bind", "127.0.0.1", "--port", &port, "--logfile", "log"]);
    let Ok(running) = Running::start(command.current_dir(directory.path()), "KILL") else {
        return not_run(&format!("a_sentinel_is_no_server_of_documents: `{}` is not installed", program()));
    };
    let client = redis::Client::open(format!("redis://127.0.0.1:{port}")).expect("a client");
    eventually("the Sentinel answers", || client.get_connection().is_ok()).await;
    for options in [RedisStore::options(), RedisStore::options().with_offline_start()] {
        let error = options.connect(&format!("redis://127.0.0.1:{port}")).await.expect_err("a Sentinel");
        assert!(matches!(error, ConfigError::StoreUrl { .. }) && error.to_string().contains("Sentinel"), "{error}");
    }
    running.kill();
}

/// The timers of the connections to a port, as the system tells them: 2 is the one that keeps a connection alive.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn idle_connections_are_kept_alive() {
    let Some(redis) = Redis::start(&[]).await else { return };
    let store = open(&redis).await;
    put(&store, "alice", "{}").await.expect("written");
    let port = format!("0100007F:{:04X}", redis.port());
    eventually("the connection has its timer", || {
        let connections = std::fs::read_to_string("/proc/net/tcp").expect("the connections of this machine");
        let ours = connections.lines().filter_map(|line| {
            let fields: Vec<_> = line.split_whitespace().collect();
            // Established, and to that port.
            (fields.get(2) == Some(&&*port) && fields.get(3) == Some(&"01")).then(|| fields[5].to_owned())
        });
        let timers: Vec<_> = ours.collect();
        !timers.is_empty() && timers.iter().all(|timer| timer.starts_with("02:"))
    })
    .await;
}
