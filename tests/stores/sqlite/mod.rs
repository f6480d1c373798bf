//! `SqliteStore` from outside: what the contract of all stores does not say.

mod calls;
mod conformance;
mod crash;
mod disk;
mod file;
mod groups;
mod handles;
#[cfg(unix)]
mod told;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;
use tower_user_metadata::store::{MetadataStore, SqliteStore};
use tower_user_metadata::{MetadataUpdate, Precondition, Record, StoreError, UserId};

fn user(id: &str) -> UserId {
    UserId::new(id).expect("a user id")
}

fn update(json: &str) -> MetadataUpdate {
    MetadataUpdate::from_json(json.as_bytes()).expect("an update")
}

/// Sets `n` and `twin` to one number: a document in which they differ was written in part.
fn twins(number: u64) -> MetadataUpdate {
    MetadataUpdate::new().set("n", &number).set("twin", &number)
}

async fn put(store: &SqliteStore, id: &str, json: &str) -> Result<Record, StoreError> {
    store.update(&user(id), &update(json), &Precondition::None).await
}

async fn json(store: &SqliteStore, id: &str) -> Option<String> {
    store.get(&user(id)).await.expect("a read").map(|record| record.metadata.to_json())
}

/// The number that both twins have.
async fn twin_number(store: &SqliteStore, user: &UserId) -> Option<u64> {
    let metadata = store.get(user).await.expect("a read")?.metadata;
    let number = metadata.get::<u64>("n").expect("a number");
    assert_eq!(number, metadata.get::<u64>("twin").expect("a number"), "a document was written in part");
    number
}

struct Place {
    directory: Arc<TempDir>,
}

impl Place {
    fn new() -> Self {
        Self { directory: Arc::new(tempfile::tempdir().expect("a directory")) }
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("metadata.db")
    }

    async fn open(&self) -> SqliteStore {
        SqliteStore::open(self.file()).await.expect("the store opens")
    }

    /// A connection of somebody else.
    fn stranger(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.file()).expect("a connection")
    }
}

fn log_of(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push("-wal");
    name.into()
}

fn log_bytes(file: &Path) -> u64 {
    std::fs::metadata(log_of(file)).map_or(0, |metadata| metadata.len())
}

/// The commits in the write-ahead log since it began: frames that say how many pages the database has
/// (<https://www.sqlite.org/fileformat2.html#the_write_ahead_log>).
fn commits_in_log(file: &Path) -> usize {
    const HEADER: usize = 32;
    const FRAME_HEADER: usize = 24;
    let log = std::fs::read(log_of(file)).unwrap_or_default();
    let word = |bytes: &[u8]| u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    if log.len() < HEADER {
        return 0;
    }
    let page = word(&log[8..]) as usize;
    let salt = &log[16..24];
    log[HEADER..]
        .chunks_exact(FRAME_HEADER + page)
        .take_while(|frame| &frame[8..16] == salt)
        .filter(|frame| word(&frame[4..]) != 0)
        .count()
}

/// Runs `role` in a process of its own: this test program again, told by an environment variable what to be.
fn child(role: &str, file: &Path) -> std::process::Command {
    let mut command = std::process::Command::new(std::env::current_exe().expect("this program"));
    command.args(["--exact", "--nocapture", "sqlite::child_process"]).env(CHILD_ROLE, role).env(CHILD_FILE, file);
    command
}

const CHILD_ROLE: &str = "STORES_CHILD_ROLE";
const CHILD_FILE: &str = "STORES_CHILD_FILE";

/// What [`child`] runs; without a role it is nobody's child and only shows that a child of no known role fails.
#[test]
fn child_process() {
    let Ok(role) = std::env::var(CHILD_ROLE) else {
        let place = Place::new();
        let failed = child("nothing", &place.file()).output().expect("a child");
        assert!(!failed.status.success());
        return;
    };
    let file = PathBuf::from(std::env::var_os(CHILD_FILE).expect("a file"));
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    match role.split_once(' ') {
        Some(("acknowledge", from)) => {
            runtime.block_on(crash::acknowledge(&file, from.parse().expect("a number")));
        }
        #[cfg(unix)]
        None if role == "tell" => runtime.block_on(told::tell(&file)),
        _ => panic!("no such role"),
    }
}
