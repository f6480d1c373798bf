//! `PostgresStore` on servers of our own that fail.

mod cancel;
mod crash;
mod cut;
mod disk;
mod outages;
mod pool;
mod processes;
mod standby;

use std::process::Command;
use std::time::Duration;

use tower_user_metadata::store::postgres::PostgresOptions;
use tower_user_metadata::store::{MetadataStore, PostgresStore};
use tower_user_metadata::{MetadataUpdate, Precondition, Record, StoreError, UserId};

use crate::proxy::Proxy;
use crate::servers::postgres::Postgres;

fn user(id: &str) -> UserId {
    UserId::new(id).expect("a user id")
}

fn update(json: &str) -> MetadataUpdate {
    MetadataUpdate::from_json(json.as_bytes()).expect("an update")
}

async fn put(store: &PostgresStore, id: &str, json: &str) -> Result<Record, StoreError> {
    store.update(&user(id), &update(json), &Precondition::None).await
}

/// Sets `n` and `twin` to one number: a document in which they differ was written in part.
fn twins(number: u64) -> MetadataUpdate {
    MetadataUpdate::new().set("n", &number).set("twin", &number)
}

/// The number that both twins have.
async fn twin_number(store: &PostgresStore, user: &UserId) -> Option<u64> {
    let metadata = store.get(user).await.expect("a read")?.metadata;
    let number = metadata.get::<u64>("n").expect("a number");
    assert_eq!(number, metadata.get::<u64>("twin").expect("a number"), "a document was written in part");
    number
}

/// A store that reaches its server through a proxy.
async fn through(proxy: &Proxy, server: &Postgres, options: PostgresOptions) -> PostgresStore {
    options.connect(&server.url_at(proxy.port)).await.expect("the store opens")
}

/// Waits until a read works again.
async fn recovered(store: &PostgresStore) {
    let begin = std::time::Instant::now();
    while let Err(error) = store.get(&user("anybody")).await {
        assert!(begin.elapsed() < Duration::from_secs(30), "no recovery: {error:?}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Runs `role` in a process of its own: this test program again, told by an environment variable what to be.
fn child(role: &str, url: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.args(["--exact", "--nocapture", "postgres::child_process"]).env(CHILD_ROLE, role).env(CHILD_URL, url);
    command
}

const CHILD_ROLE: &str = "FAULTS_CHILD_ROLE";
const CHILD_URL: &str = "FAULTS_CHILD_URL";

/// What [`child`] runs; without a role it is nobody's child and only shows that a child of no known role fails.
#[test]
fn child_process() {
    let Ok(role) = std::env::var(CHILD_ROLE) else {
        let failed = child("nothing", "").output().expect("a child");
        assert!(!failed.status.success());
        return;
    };
    let url = std::env::var(CHILD_URL).expect("a URL");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    match role.split_once(' ') {
        Some(("fields", first)) => {
            runtime.block_on(processes::write_own_fields(&url, first.parse().expect("a number")));
        }
        _ => panic!("no such role"),
    }
}
