//! Changes that others make, told by `NOTIFY`.

use std::process::{Command, Stdio};
use std::sync::Arc;

use deadpool_postgres::{Manager, Pool};
use tokio_postgres::NoTls;
use tower_user_metadata::ConfigError;
use tower_user_metadata::store::{CachedStore, MetadataStore, Namespace, PostgresStore};

use super::{json, put, user};
use crate::heard::{self, cached};
use crate::servers::postgres::Postgres;

const CHILD: &str = "POSTGRES_TELLING_CHILD";

async fn telling(server: &Postgres) -> PostgresStore {
    PostgresStore::options().with_change_notices().connect(&server.url()).await.expect("the store opens")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_write_is_heard() {
    let Some(server) = Postgres::start(&[]).await else { return };
    let (reader, writer) = (telling(&server).await, Arc::new(telling(&server).await));
    heard::every_write_is_heard(cached(reader.clone()), writer.clone()).await;
    heard::own_writes_are_read(cached(reader), writer).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn so_it_is_where_the_pool_is_given() {
    let Some(server) = Postgres::start(&[]).await else { return };
    let manager = Manager::new(server.url().parse().expect("a URL"), NoTls);
    let pool = Pool::builder(manager).max_size(4).build().expect("a pool");
    let silent = PostgresStore::options().with_change_notices().open(pool.clone()).await.expect("the store opens");
    let refused = CachedStore::new(silent, 1).with_change_notices(std::time::Duration::ZERO);
    assert!(matches!(refused, Err(ConfigError::StoreOption { .. })), "nobody knows where to listen");
    let options = PostgresStore::options().with_transaction_pooler().with_change_notices_at(server.url());
    assert!(!format!("{options:?}").contains(&server.password));
    let reader = options.open(pool).await.expect("the store opens");
    heard::every_write_is_heard(cached(reader), Arc::new(telling(&server).await)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_outlives_its_bound_while_listeners_are_terminated() {
    let Some(server) = Postgres::start(&[]).await else { return };
    let (reader, writer) = (telling(&server).await, Arc::new(telling(&server).await));
    let stranger = server.stranger().await;
    let mut ended = 0;
    heard::nothing_outlives_its_bound(reader, writer, async || {
        let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE '%(listens)'";
        ended += stranger.query(sql, &[]).await.expect("ended").len();
    })
    .await;
    assert!(ended >= 4, "only {ended} connections were there to be cut");
}

/// What the process of the next test does: this test program again, told by an environment variable.
#[tokio::test(flavor = "multi_thread")]
async fn child() {
    let Ok(url) = std::env::var(CHILD) else { return };
    let store = PostgresStore::options().with_change_notices().connect(&url).await.expect("the store opens");
    put(&store, "alice", r#"{"by":"the child"}"#).await.expect("written");
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_process_is_heard_and_another_application_is_not() {
    let Some(server) = Postgres::start(&[]).await else { return };
    let reader = telling(&server).await;
    let cache = cached(reader.clone());
    heard::listens(&cache, &telling(&server).await).await;
    put(&reader, "alice", r#"{"by":"us"}"#).await.expect("written");
    let by = async || {
        let record = cache.get(&user("alice")).await.expect("read").expect("a document");
        record.metadata.get::<String>("by").expect("a text").expect("a field")
    };
    heard::until("we are heard", async || by().await == "us").await;

    let options = PostgresStore::options().with_namespace(Namespace::new("other").expect("a name"));
    let other = options.with_change_notices().connect(&server.url()).await.expect("the store opens");
    put(&other, "alice", r#"{"by":"another application"}"#).await.expect("written");
    assert_eq!(by().await, "us");

    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.args(["--exact", "postgres::notices::child"]).env(CHILD, server.url()).stdout(Stdio::null());
    assert!(command.status().expect("a child").success());
    heard::until("the child is heard", async || by().await == "the child").await;
    assert_eq!(json(&other, "alice").await.as_deref(), Some(r#"{"by":"another application"}"#));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_told_of_what_does_not_happen_nor_unless_asked_for() {
    let Some(server) = Postgres::start(&[]).await else { return };
    let (silent, telling) = (PostgresStore::connect(&server.url()).await.expect("opened"), telling(&server).await);
    assert!(silent.changes().is_none());
    let (client, mut connection) = tokio_postgres::connect(&server.url(), NoTls).await.expect("a connection");
    let (sender, mut told) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Some(Ok(message)) = std::future::poll_fn(|cx| connection.poll_message(cx)).await {
            if let tokio_postgres::AsyncMessage::Notification(notice) = message {
                let _ = sender.send(notice.payload().to_owned());
            }
        }
    });
    client.batch_execute("LISTEN tower_user_metadata").await.expect("listens");

    put(&silent, "alice", r#"{"a":1}"#).await.expect("written");
    let alice = user("alice");
    let absent = tower_user_metadata::Precondition::Absent;
    telling.update(&alice, &super::update(r#"{"a":2}"#), &absent).await.expect_err("refused");
    telling.clear(&alice, &absent).await.expect_err("refused");
    telling.clear(&user("nobody"), &tower_user_metadata::Precondition::None).await.expect("nothing to clear");
    put(&telling, "alice", "{}").await.expect("an empty update changes nothing");
    let written = put(&telling, "alice", r#"{"a":3}"#).await.expect("written").version;
    telling.clear(&alice, &tower_user_metadata::Precondition::None).await.expect("cleared");
    client.batch_execute("").await.expect("an answer");
    let version = written.to_bits().cast_signed();
    assert_eq!(told.try_recv().ok(), Some(format!("{version}\npublic\nalice")));
    assert_eq!(told.try_recv().ok().as_deref(), Some("-\npublic\nalice"));
    assert!(told.try_recv().is_err());
}
