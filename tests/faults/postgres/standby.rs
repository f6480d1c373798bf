//! Servers that are read-only, and a standby that is promoted.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use tower_user_metadata::Precondition;
use tower_user_metadata::store::{MetadataStore, PostgresStore, StoreErrorKind};

use super::through;
use crate::backend::{put, recovered, twin_number, twins, update};
use crate::proxy::Proxy;
use crate::servers::postgres::{NAME, Postgres, as_owner, give_away, programs};
use crate::user;

/// A standby of a server, which waits for it before it acknowledges a write from now on.
async fn standby(primary: &Postgres) -> Postgres {
    let directory = tempfile::tempdir().expect("a directory");
    give_away(directory.path());
    let from = format!("host=127.0.0.1 port={} user={NAME} password={}", primary.port, primary.password);
    let copied = as_owner(&programs().expect("installed").join("pg_basebackup"))
        .args(["--dbname", &from, "--pgdata", "data", "--write-recovery-conf", "--checkpoint=fast", "--no-sync"])
        .current_dir(directory.path())
        .output()
        .expect("pg_basebackup runs");
    assert!(copied.status.success(), "pg_basebackup: {}", String::from_utf8_lossy(&copied.stderr));
    std::fs::set_permissions(directory.path().join("data"), Permissions::from_mode(0o700)).expect("private");
    let (password, arguments) = (primary.password.clone(), primary.arguments.clone());
    let standby = Postgres { directory, port: 0, password, arguments, running: None }.somewhere().await;
    let stranger = primary.stranger().await;
    stranger.batch_execute("ALTER SYSTEM SET synchronous_standby_names = '*'").await.expect("set");
    stranger.batch_execute("SELECT pg_reload_conf()").await.expect("reloaded");
    let begin = Instant::now();
    let synchronous = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'";
    while stranger.query_one(synchronous, &[]).await.expect("a count").get::<_, i64>(0) == 0 {
        assert!(begin.elapsed() < Duration::from_secs(30), "the standby does not follow");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    standby
}

async fn promote(standby: &Postgres) {
    let stranger = standby.stranger().await;
    stranger.batch_execute("ALTER SYSTEM RESET synchronous_standby_names").await.expect("waits for nobody");
    stranger.batch_execute("SELECT pg_promote(true, 30)").await.expect("promoted");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_read_only_refuses_writes_and_answers_reads() {
    let Some(server) = Postgres::start(&[]).await else { return };
    let store = PostgresStore::connect(&server.url()).await.expect("opened");
    let record = put(&store, "alice", r#"{"a":1}"#).await.expect("written");
    let stranger = server.stranger().await;
    let set = async |value: &str| {
        stranger
            .batch_execute(&format!("ALTER SYSTEM SET default_transaction_read_only = {value}"))
            .await
            .expect("set");
        stranger.batch_execute("SELECT pg_reload_conf(), pg_sleep(0.3)").await.expect("reloaded");
    };
    set("on").await;
    let alice = user("alice");
    let (change, none) = (update(r#"{"a":2}"#), Precondition::None);
    let outcomes = [
        store.update(&alice, &change, &none).await.map(drop),
        store.update(&alice, &change, &Precondition::Exists).await.map(drop),
        store.update(&user("bob"), &change, &Precondition::Absent).await.map(drop),
        store.clear(&alice, &none).await,
        store.clear(&alice, &Precondition::Version(record.version)).await,
    ];
    for outcome in outcomes {
        let error = outcome.expect_err("read-only");
        assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error:?}");
        assert!(error.is_retryable() && format!("{error:?}").contains("25006"), "{error:?}");
    }
    assert_eq!(store.get(&alice).await.expect("read"), Some(record));
    set("off").await;
    put(&store, "alice", r#"{"a":3}"#).await.expect("written");
}

/// What the primary acknowledged, the standby has: nothing is lost when it takes over while updates run.
#[tokio::test(flavor = "multi_thread")]
async fn a_standby_that_is_promoted_has_all_that_was_acknowledged() {
    let Some(mut primary) = Postgres::start(&[]).await else { return };
    let proxy = Proxy::to(primary.port).await;
    let options = PostgresStore::options().with_deadline(Duration::from_secs(2));
    let store = through(&proxy, &primary, options).await;
    let standby = standby(&primary).await;
    let (told, _) = tokio::sync::watch::channel(false);
    let tasks: Vec<_> = (0..8)
        .map(|task| {
            let (store, over) = (store.clone(), told.subscribe());
            tokio::spawn(async move {
                let (id, mut before, mut after) = (user(&format!("user{task}")), 0, 0);
                for number in 1.. {
                    let outcome = store.update(&id, &twins(number), &Precondition::None).await;
                    let promoted = *over.borrow();
                    match (outcome, promoted) {
                        (Ok(_), false) => before = number,
                        (Ok(_), true) => after = number,
                        // Nobody answers, or a standby that is not promoted yet.
                        (Err(_), _) => tokio::time::sleep(Duration::from_millis(5)).await,
                    }
                    if after > 20 {
                        return (id, before, after);
                    }
                }
                unreachable!("numbers do not end")
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(700)).await;
    primary.stop();
    proxy.swap(standby.port);
    tokio::time::sleep(Duration::from_millis(100)).await;
    proxy.pass();
    let error = put(&store, "alice", r#"{"a":1}"#).await.expect_err("nobody takes writes");
    assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error:?}");
    recovered(&store).await;
    promote(&standby).await;
    told.send(true).expect("tasks");
    let direct = PostgresStore::connect(&standby.url()).await.expect("opened");
    for task in tasks {
        let (id, before, after) = task.await.expect("no panic");
        assert!(before > 0, "the primary took no write");
        let stored = twin_number(&direct, &id).await.expect("a number");
        assert!(stored >= after.max(before), "{stored} is stored, and {before} and {after} were acknowledged");
    }
}

/// Of several hosts the one that takes writes is found, in whatever order they are named.
#[tokio::test(flavor = "multi_thread")]
async fn of_several_hosts_the_one_that_takes_writes_is_found() {
    let Some(mut primary) = Postgres::start(&[]).await else { return };
    PostgresStore::connect(&primary.url()).await.expect("the schema");
    let standby = standby(&primary).await;
    let hosts = |first: &Postgres, second: &Postgres| {
        let two = format!("127.0.0.1:{},127.0.0.1:{}/", first.port, second.port);
        let url = first.url().replace(&format!("127.0.0.1:{}/", first.port), &two);
        format!("{url}?target_session_attrs=read-write")
    };
    let one = PostgresStore::connect(&hosts(&standby, &primary)).await.expect("opened");
    let other = PostgresStore::connect(&hosts(&primary, &standby)).await.expect("opened");
    put(&one, "alice", r#"{"a":1}"#).await.expect("written");
    put(&other, "alice", r#"{"b":2}"#).await.expect("written");
    primary.stop();
    promote(&standby).await;
    for store in [one, other] {
        recovered(&store).await;
        let record = put(&store, "alice", r#"{"c":3}"#).await.expect("written");
        assert_eq!(record.metadata.len(), 3);
    }
}
