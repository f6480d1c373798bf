//! Behind PgBouncer as it is installed, in each of its modes.

use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use tower_user_metadata::store::{MetadataStore, MetadataStoreExt, Namespace, PostgresStore, StoreErrorKind};
use tower_user_metadata::{ConfigError, MetadataUpdate, Precondition};

use super::{code, json, put, update, user};
use crate::errors::{Expected, logged};
use crate::servers::postgres::{NAME, Postgres, as_owner, give_away};
use crate::servers::process::free_port;
use crate::suite;
use crate::support::vectors::not_run;

/// A pooler of our own, with the configuration of the package but for the mode; it is killed when it goes out of scope.
struct Pooler {
    process: Child,
    settings: String,
    port: u16,
}

impl Pooler {
    /// Starts one, with more settings, each a line; `None`, and a line that says so, when PgBouncer is not installed.
    async fn before(server: &Postgres, mode: &str, settings: &str) -> Option<Self> {
        let program = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer"].iter().find(|path| Path::new(path).exists());
        let Some(program) = program else {
            not_run("tests behind PgBouncer: `pgbouncer` is not installed");
            return None;
        };
        let port = free_port();
        let path = |name: &str| server.directory.path().join(format!("{name}-{port}"));
        std::fs::write(path("users"), format!("\"{NAME}\" \"{}\"\n", server.password)).expect("written");
        let content = format!(
            "[databases]\npostgres = host=127.0.0.1 port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
            unix_socket_dir =\nauth_type = md5\nauth_file = {}\npool_mode = {mode}\n{settings}\n",
            server.port,
            path("users").display(),
        );
        std::fs::write(path("ini"), content).expect("written");
        give_away(&path("users"));
        give_away(&path("ini"));
        let settings = path("ini").display().to_string();
        let mut pooler = Self { process: Self::start(program, &settings), settings, port };
        pooler.is_up().await;
        Some(pooler)
    }

    fn start(program: &str, settings: &str) -> Child {
        as_owner(Path::new(program)).arg(settings).stderr(Stdio::null()).spawn().expect("pgbouncer runs")
    }

    async fn is_up(&mut self) {
        let begin = Instant::now();
        while tokio::net::TcpStream::connect(("127.0.0.1", self.port)).await.is_err() {
            assert!(begin.elapsed() < Duration::from_secs(30), "pgbouncer does not start");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    fn stop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    async fn restart(&mut self) {
        self.stop();
        self.process = Self::start("/usr/sbin/pgbouncer", &self.settings);
        self.is_up().await;
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Each transaction has whichever of two connections is free.
const FEW: &str = "default_pool_size = 2\nmax_client_conn = 500";
/// All clients share one connection, and what somebody leaves on it.
const ONE: &str = "default_pool_size = 1";

#[tokio::test(flavor = "multi_thread")]
async fn the_store_keeps_the_contract_behind_a_pooler_by_its_url_alone() {
    let Some(server) = Postgres::start(&[]).await else { return };
    let Some(pooler) = Pooler::before(&server, "transaction", FEW).await else { return };
    let url = format!("{}?pooler=transaction", server.url_at(pooler.port));
    let open = async |namespace: Namespace| {
        let options = PostgresStore::options().with_namespace(namespace);
        options.connect(&url).await.expect("the store opens")
    };
    suite::whole("PostgresStore behind PgBouncer", &open).await;

    // A pool of the application that does not say so is told by an error, sooner or later, and nothing is done wrong.
    let unaware = PostgresStore::options().with_offline_start();
    let unaware = unaware.open(pool(&server.url_at(pooler.port))).await.expect("not looked at");
    let outcomes = (0..200).map(|n| {
        let unaware = unaware.clone();
        tokio::spawn(async move { put(&unaware, &format!("unaware{}", n % 20), r#"{"a":1}"#).await })
    });
    for outcome in outcomes.collect::<Vec<_>>() {
        if let Err(error) = outcome.await.expect("no panic") {
            assert_eq!((error.kind(), error.may_have_happened()), (StoreErrorKind::Internal, false), "{error:?}");
            assert!(code(&error).contains("prepared statements do not last"), "{error:?}");
            assert!(code(&error).contains("pooler=transaction"), "{error:?}");
        }
    }
}

fn pool(url: &str) -> deadpool_postgres::Pool {
    let manager = deadpool_postgres::Manager::new(url.parse().expect("a URL"), tokio_postgres::NoTls);
    deadpool_postgres::Pool::builder(manager).max_size(8).build().expect("a pool")
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_say_that_there_is_a_pooler_is_told_what_to_say() {
    let Some(server) = Postgres::start(&[]).await else { return };
    let Some(pooler) = Pooler::before(&server, "transaction", FEW).await else { return };
    let url = server.url_at(pooler.port);
    let place = format!("127.0.0.1:{}", pooler.port);
    for query in ["", "?options=-c%20search_path%3Dapp", "?pooler=none", "?pooler=transaction&options=-c%20a.b%3Dc"] {
        let (lines, _guard) = logged();
        let refused = PostgresStore::connect(&format!("{url}{query}")).await;
        let Err(ConfigError::Store(error)) = refused else { panic!("{query}: {refused:?}") };
        let words = &["`options`", "`pooler=transaction`", "leave out `options`"];
        let (kind, secrets) = (StoreErrorKind::Internal, &[&*server.password]);
        Expected { operation: "open", engine: "PostgreSQL", server: &place, kind, words, secrets }
            .check(&error, &lines);
    }
    // As it is without a pooler.
    PostgresStore::connect(&server.url()).await.expect("directly");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_schema_is_made_before_or_behind_the_pooler_in_every_mode() {
    let Some(server) = Postgres::start(&[]).await else { return };
    let stranger = server.stranger().await;
    let works = async |url: &str, name: &str| {
        let store = PostgresStore::connect(url).await.unwrap_or_else(|error| panic!("{name}: {error:?}"));
        put(&store, name, r#"{"a":1}"#).await.expect("written");
        store.update(&user(name), &update(r#"{"b":2}"#), &Precondition::Exists).await.expect("written");
        assert_eq!(json(&store, name).await.as_deref(), Some(r#"{"a":1,"b":2}"#), "{name}");
        store.clear(&user(name), &Precondition::Exists).await.expect("cleared");
        store.close().await;
    };
    for (mode, query, settings) in [
        ("transaction", "pooler=transaction", ""),
        ("transaction", "pgbouncer=true", ""),
        ("transaction", "pooler=transaction&sslmode=prefer&application_name=mine", ""),
        ("transaction", "pooler=transaction", "server_reset_query_always = 1"),
        ("session", "pooler=session", ""),
        ("session", "pooler=transaction", ""),
    ] {
        let Some(pooler) = Pooler::before(&server, mode, settings).await else { return };
        let url = format!("{}?{query}", server.url_at(pooler.port));
        works(&url, format!("{mode} {query} {settings}").trim_end()).await;
        let elsewhere = PostgresStore::options().with_schema_made_elsewhere();
        elsewhere.connect(&url).await.expect("the schema is there").close().await;
        stranger.batch_execute("DROP TABLE tower_user_metadata, tower_user_metadata_schema").await.expect("dropped");
    }
    // There are no transactions in this mode, so it is not made through the pooler.
    let Some(pooler) = Pooler::before(&server, "statement", FEW).await else { return };
    let url = format!("{}?pooler=statement", server.url_at(pooler.port));
    let refused = PostgresStore::connect(&url).await;
    let Err(ConfigError::Store(error)) = refused else { panic!("{refused:?}") };
    assert!(code(&error).contains("statement mode takes no transactions"), "{error:?}");
    works(&server.url(), "directly").await;
    works(&url, "statement").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_on_the_connection_of_others() {
    let Some(server) = Postgres::start(&[]).await else { return };
    let Some(pooler) = Pooler::before(&server, "transaction", ONE).await else { return };
    let url = server.url_at(pooler.port);
    let other = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.expect("a connection");
    let (other, _running) = (other.0, tokio::spawn(other.1));
    let left = async || {
        let sql = "SELECT concat_ws(' ', pg_backend_pid(), current_setting('lock_timeout'),
                current_setting('statement_timeout'), current_setting('search_path'),
                (SELECT count(*) FROM pg_prepared_statements), (SELECT count(*) FROM pg_listening_channels()),
                (SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'advisory'))";
        let rows = other.simple_query(sql).await.expect("an answer");
        let row = rows.iter().find_map(|row| match row {
            tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            _ => None,
        });
        row.expect("a row")
    };
    let before = left().await;
    assert!(before.ends_with(" 0 0 \"$user\", public 0 0 0"), "{before}");
    let options = PostgresStore::options().with_change_notices();
    let store = options.connect(&format!("{url}?pooler=transaction")).await.expect("opened");
    let alice = user("alice");
    for when in [Precondition::None, Precondition::Exists, Precondition::None] {
        store.update(&alice, &update(r#"{"a":1}"#), &when).await.expect("written");
        assert_eq!(left().await, before, "{when:?}");
    }
    store.get_many(&[alice.clone(), user("bob")]).await.expect("read");
    let many = (0..50).map(|n| {
        let store = store.clone();
        tokio::spawn(async move { put(&store, &format!("user{n}"), r#"{"a":1}"#).await })
    });
    for put in many.collect::<Vec<_>>() {
        put.await.expect("no panic").expect("written");
    }
    store.clear(&alice, &Precondition::Exists).await.expect("cleared");
    store.clear(&alice, &Precondition::None).await.expect("cleared");
    assert_eq!(left().await, before);
}

/// What a caller gave up ends with its deadline, though no setting of the connection says so.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_over_waits_for_no_lock() {
    let Some(server) = Postgres::start(&[]).await else { return };
    let Some(pooler) = Pooler::before(&server, "transaction", FEW).await else { return };
    let url = format!("{}?pooler=transaction", server.url_at(pooler.port));
    let options = PostgresStore::options().with_deadline(Duration::from_millis(500));
    let store = options.connect(&url).await.expect("opened");
    let alice = user("alice");
    let stored = put(&store, "alice", r#"{"a":1}"#).await.expect("written");
    let (holder, looker) = (server.stranger().await, server.stranger().await);
    holder.batch_execute("BEGIN; SELECT FROM tower_user_metadata FOR UPDATE").await.expect("held");
    let waiting = async || {
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
        looker.query_one(sql, &[]).await.expect("a count").get::<_, i64>(0)
    };
    let over = async |name: &str, outcome: Result<(), tower_user_metadata::StoreError>| {
        let error = outcome.expect_err("the row is held");
        assert!(matches!(error.kind(), StoreErrorKind::Timeout | StoreErrorKind::Unavailable), "{name}: {error:?}");
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(waiting().await, 0, "{name} waits on");
    };
    let change = update(r#"{"a":2}"#);
    over("an update", store.update(&alice, &change, &Precondition::None).await.map(drop)).await;
    over("a guarded update", store.update(&alice, &change, &Precondition::Exists).await.map(drop)).await;
    over("a clear", store.clear(&alice, &Precondition::None).await).await;
    let version = Precondition::Version(stored.version);
    over("a guarded clear", store.clear(&alice, &version).await).await;
    holder.batch_execute("ROLLBACK").await.expect("let go");
    assert_eq!(json(&store, "alice").await.as_deref(), Some(r#"{"a":1}"#));
}

/// What the pooler itself refuses is told from what the server refuses.
#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_by_the_pooler_says_so() {
    let Some(mut server) = Postgres::start(&[]).await else { return };
    let Some(pooler) = Pooler::before(&server, "transaction", "max_client_conn = 2\nquery_wait_timeout = 1").await
    else {
        return;
    };
    let (url, place) = (server.url_at(pooler.port), format!("127.0.0.1:{}", pooler.port));
    let password = server.password.clone();
    let refused = async |url: &str, kind: StoreErrorKind, words: &[&str]| {
        let (lines, _guard) = logged();
        let refused = PostgresStore::connect(&format!("{url}?pooler=transaction")).await;
        let Err(ConfigError::Store(error)) = refused else { panic!("{refused:?}") };
        let secrets = &[&*password, NAME, "nobody", "nothing"];
        Expected { operation: "open", engine: "PostgreSQL", server: &place, kind, words, secrets }
            .check(&error, &lines);
    };
    let wrong = url.replace(&password, "wrong");
    refused(&wrong, StoreErrorKind::Internal, &["the user or the password is wrong", "pooler"]).await;
    refused(&url.replace(NAME, "nobody"), StoreErrorKind::Internal, &["user"]).await;
    let nothing = format!("{}/nothing", url.strip_suffix("/postgres").expect("a database"));
    refused(&nothing, StoreErrorKind::Internal, &["the pooler knows no such database"]).await;
    let crowd = [Postgres::stranger_by(&url).await.expect("room"), Postgres::stranger_by(&url).await.expect("room")];
    refused(&url, StoreErrorKind::Unavailable, &["the pooler has too many connections"]).await;
    drop(crowd);
    tokio::time::sleep(Duration::from_millis(200)).await;
    let url = format!("{url}?pooler=transaction");
    let store = PostgresStore::options().with_pool_size(1).connect(&url).await.expect("room again");
    server.stop();
    for _ in 0..2 {
        let (lines, _guard) = logged();
        let error = put(&store, "alice", "{}").await.expect_err("no server behind the pooler");
        assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error:?}");
        assert_eq!(crate::errors::failures(&lines).len(), 1, "{error:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_stores_share_a_pooler_that_restarts() {
    const EACH: usize = 40;
    let Some(server) = Postgres::start(&[]).await else { return };
    let Some(mut pooler) = Pooler::before(&server, "transaction", FEW).await else { return };
    let url = format!("{}?pgbouncer=true", server.url_at(pooler.port));
    let one = PostgresStore::connect(&url).await.expect("opened");
    let other = PostgresStore::connect(&url).await.expect("opened");
    let count = |store: &PostgresStore| {
        let store = store.clone();
        tokio::spawn(async move {
            let (alice, mut done) = (user("alice"), 0);
            while done < EACH {
                let next = |metadata: &tower_user_metadata::Metadata| {
                    let n: u64 = metadata.get("n").ok().flatten().unwrap_or(0);
                    MetadataUpdate::new().set("n", &(n + 1))
                };
                match store.modify(&alice, next).await {
                    Ok(_) => done += 1,
                    Err(error) => assert_eq!(error.kind(), StoreErrorKind::PreconditionFailed, "{error:?}"),
                }
            }
        })
    };
    let (first, second) = (count(&one), count(&other));
    first.await.expect("no panic");
    second.await.expect("no panic");
    let sum = format!(r#"{{"n":{}}}"#, 2 * EACH);
    assert_eq!(json(&one, "alice").await, Some(sum.clone()));

    pooler.stop();
    let error = one.get(&user("alice")).await.expect_err("no pooler");
    assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error:?}");
    pooler.restart().await;
    assert_eq!(json(&one, "alice").await, Some(sum));
    // A write over a connection that was lost is not repeated, so the first may fail.
    let begin = Instant::now();
    while let Err(error) = put(&other, "bob", r#"{"a":1}"#).await {
        assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error:?}");
        assert!(begin.elapsed() < Duration::from_secs(20), "{error:?}");
    }
    assert_eq!(json(&other, "bob").await.as_deref(), Some(r#"{"a":1}"#));
}
