//! What do updates and reads cost? Each store against the straightforward way to do the same on the same server, in
//! turns in one run; and how its cost grows with the documents, the users and the fields.
//!
//! `scripts/bench stores` runs it. Ratios can be compared between runs, the rest cannot. `BENCH_ROUNDS` (7) and
//! `BENCH_MILLISECONDS` (400) set how often and how long each is measured, `BENCH_USERS` (100000) the most users.
//! Arguments: which stores, and `table` or `growth`.

use std::sync::Arc;
use std::time::Duration;

use contest::{Contestant, Elsewhere, Pace, contest, heading};
use measure::Kind;
use ours::ours;
use place::{NAMES, Place};
use servers::mariadb::Mariadb;
use servers::postgres::Postgres;
use servers::redis::Redis;
use tempfile::TempDir;
use tower_user_metadata::store::{MariadbStore, MetadataStore, PostgresStore, RedisStore, SqliteStore};
use workload::Workload;

#[path = "stores/contest.rs"]
mod contest;
#[path = "stores/floor.rs"]
mod floor;
#[path = "stores/growth.rs"]
mod growth;
#[path = "stores/mariadb.rs"]
mod mariadb;
#[path = "stores/measure.rs"]
mod measure;
#[path = "stores/ours.rs"]
mod ours;
#[path = "stores/place.rs"]
mod place;
#[path = "stores/postgres.rs"]
mod postgres;
#[path = "stores/redis.rs"]
mod redis;
#[path = "../tests/support/servers/mod.rs"]
mod servers;
#[path = "stores/sqlite.rs"]
mod sqlite;
#[path = "../tests/support/mod.rs"]
mod support;
#[path = "stores/workload.rs"]
mod workload;

const IN_FLIGHT: [usize; 3] = [1, 16, 64];

/// What the tables are about: one kilobyte in ten fields.
fn usual() -> Workload {
    Workload::new(10_000, 1_024, 10)
}

fn number(variable: &str, default: usize) -> usize {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[tokio::main]
async fn main() {
    let pace = Pace {
        rounds: number("BENCH_ROUNDS", 7),
        time: Duration::from_millis(number("BENCH_MILLISECONDS", 400) as u64),
    };
    let arguments: Vec<_> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let (stores, rest): (Vec<_>, Vec<_>) = arguments.into_iter().partition(|name| NAMES.contains(&name.as_str()));
    let asked = |part: &str| rest.is_empty() || rest.iter().any(|asked| asked == part);
    for name in NAMES.iter().filter(|name| stores.is_empty() || stores.iter().any(|store| store == *name)) {
        let Some(place) = Place::of(name).await else { continue };
        if asked("table") {
            match &place {
                Place::Sqlite(directory) => sqlite_table(directory, pace).await,
                Place::Postgres(server) => postgres_table(server, pace).await,
                Place::Mariadb(server) => mariadb_table(server, pace).await,
                Place::Redis(server) => redis_table(server, pace).await,
            }
        }
        if asked("growth") {
            growth::growth(name, &place, pace, number("BENCH_USERS", 100_000)).await;
        }
    }
}

async fn table(contestants: &[Contestant], kind: Kind, pace: Pace) {
    for in_flight in IN_FLIGHT {
        contest(contestants, kind, in_flight, pace).await.print(in_flight);
    }
}

async fn sqlite_table(directory: &TempDir, pace: Pace) {
    let path = |name: &str| directory.path().join(name);
    let workload = usual();
    let store = SqliteStore::open(path("ours.db")).await.expect("opened");
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/sqlx-sqlite/Cargo.toml");
    let sqlx = |file: &str, connections: &str| {
        let arguments = [path(file).display().to_string(), workload.users.to_string(), connections.to_owned()];
        let name = format!("one upsert at a time, sqlx with {connections} connections");
        Elsewhere::start(manifest, &arguments.each_ref().map(String::as_str)).named(name)
    };
    let contestants = [
        sqlx("sqlx-1.db", "1"),
        sqlx("sqlx-10.db", "10"),
        Contestant::filled("one upsert at a time, rusqlite", sqlite::plain(&path("plain.db")), &workload).await,
        Contestant::filled("SqliteStore", ours(Arc::new(store.clone())), &workload).await,
        Contestant::filled("map and log", floor::floor(directory.path()), &workload).await,
    ];
    heading("SQLite", "Updates, synced before they are acknowledged (`synchronous = FULL`).");
    table(&contestants, Kind::Update, pace).await;
    store.close().await;
}

async fn postgres_table(server: &Postgres, pace: Pace) {
    let workload = usual();
    let (url, single) = (server.url(), PostgresStore::options().with_group_size(1));
    let gathered: Arc<dyn MetadataStore> = Arc::new(PostgresStore::connect(&url).await.expect("connected"));
    let single: Arc<dyn MetadataStore> = Arc::new(single.connect(&url).await.expect("connected"));
    let by_hand = postgres::lock_merge_write(&url).await;
    let by_hand = Contestant::filled("lock, merge, write, sqlx", by_hand, &workload).await;
    let plain = Contestant::filled("one statement, tokio-postgres", postgres::plain(&url).await, &workload).await;
    let gathered = Contestant::filled("PostgresStore", ours(gathered), &workload).await;
    let single = gathered.same("PostgresStore, group size 1", ours(single));
    heading("PostgreSQL, updates", "With the server's defaults: synced before they are acknowledged.");
    let contestants = [by_hand, plain, single, gathered];
    table(&contestants, Kind::Update, pace).await;
    heading(
        "PostgreSQL, reads",
        "Of the same documents. By hand, the pool hands out its ten connections in turn, as it does by default; the store takes the\nlast one used.",
    );
    table(&contestants[1..], Kind::Get, pace).await;
}

async fn mariadb_table(server: &Mariadb, pace: Pace) {
    let workload = usual();
    let store = MariadbStore::connect(&server.url()).await.expect("connected");
    let by_hand = mariadb::lock_merge_write(&server.url()).await;
    let contestants = [
        Contestant::filled("lock, merge, write, sqlx", by_hand, &workload).await,
        Contestant::filled("MariadbStore", ours(Arc::new(store)), &workload).await,
    ];
    heading("MariaDB", "Updates, synced before they are acknowledged (`innodb_flush_log_at_trx_commit = 1`).");
    table(&contestants, Kind::Update, pace).await;
}

async fn redis_table(server: &Redis, pace: Pace) {
    let workload = usual();
    let store = RedisStore::connect(&server.url()).await.expect("opened");
    let contestants = [
        Contestant::filled(
            "WATCH, GET, merge, MULTI, SET, EXEC",
            redis::watch_merge_set(&server.url()).await,
            &workload,
        )
        .await,
        Contestant::filled("RedisStore", ours(Arc::new(store)), &workload).await,
    ];
    heading("Redis", "Updates, synced before they are acknowledged (`appendfsync always`); the log is not rewritten meanwhile.");
    table(&contestants, Kind::Update, pace).await;
}
