//! A store of your own: one JSON file a user, in a directory. Run it with
//!
//! ```sh
//! cargo run --example custom_store
//! ```
//!
//! and check that it keeps the contract of `MetadataStore` with
//!
//! ```sh
//! cargo test --example custom_store --features conformance
//! ```
//!
//! What it is good for: a service on one machine with a local disk, whose documents somebody wants to read with `cat`.
//! Several processes may share the directory. What it promises and what not:
//!
//! * An acknowledged write survives a power cut, on Unix and where the disk keeps what it said it wrote. On other
//!   systems a directory cannot be flushed, so there it survives a crash of the process only.
//! * Writes of one user, and of the few who share a lock file with them, take turns. Each waits for the disk twice.
//! * Not for network file systems: locks and renames mean less there.
//! * Documents are not encrypted. Give the directory to the user that the service runs as, and to nobody else.

use std::error::Error;
use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tower_user_metadata::store::{
    Capabilities, Durability, MetadataStore, MetadataStoreExt, Namespace, StoreError, StoreErrorKind,
};
use tower_user_metadata::{
    Limits, Metadata, MetadataUpdate, Precondition, Record, UserId, UserMetadataHandle, Version, metadata_update,
};

/// How long a writer waits for others, and how long any call for the disk, before it fails as
/// [`StoreErrorKind::Timeout`].
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// Keeps the documents of one namespace in a directory; clones, and stores opened for the same directory, share them.
#[derive(Clone, Debug)]
struct FileStore {
    directory: Arc<Path>,
    limits: Limits,
}

impl FileStore {
    /// Opens the store of a namespace below `root`, which must exist.
    fn open(root: &Path, namespace: &Namespace) -> io::Result<Self> {
        // Namespaces may hold `/`, be `..`, or differ in case only where the file system does not tell them apart.
        let directory = root.join(file_name(namespace.as_str()));
        fs::create_dir_all(&directory)?;
        sync_directory(root)?;
        Ok(Self { directory: directory.into(), limits: Limits::default() })
    }

    #[must_use]
    fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    fn slot(&self, user: &UserId) -> Slot {
        Slot { directory: Arc::clone(&self.directory), name: file_name(user.as_str()), user: user.clone() }
    }
}

#[async_trait]
impl MetadataStore for FileStore {
    async fn get(&self, user: &UserId) -> Result<Option<Record>, StoreError> {
        let slot = self.slot(user);
        read(move || slot.read()).await
    }

    async fn get_many(&self, users: &[UserId]) -> Result<Vec<Option<Record>>, StoreError> {
        let slots: Vec<Slot> = users.iter().map(|user| self.slot(user)).collect();
        read(move || slots.iter().map(Slot::read).collect()).await
    }

    async fn update(&self, user: &UserId, update: &MetadataUpdate, when: &Precondition) -> Result<Record, StoreError> {
        let (slot, update, when, limits) = (self.slot(user), update.clone(), *when, self.limits);
        let turn = slot.turn().await?;
        write(turn, move || {
            let current = slot.read()?;
            check(&when, current.as_ref())?;
            let stored = current.as_ref().map_or_else(Metadata::new, |record| record.metadata.clone());
            let metadata = update.apply(&stored, &limits)?;
            match current {
                // Nothing changes, so the version must not either.
                Some(current) if update.is_empty() => Ok(current),
                _ => {
                    let version = Version::random().map_err(internal)?;
                    let record = Record { metadata, version };
                    slot.replace(&record)?;
                    Ok(record)
                }
            }
        })
        .await
    }

    async fn clear(&self, user: &UserId, when: &Precondition) -> Result<(), StoreError> {
        let (slot, when) = (self.slot(user), *when);
        let turn = slot.turn().await?;
        write(turn, move || {
            // Without a precondition the document is not read, so one that is damaged can be cleared.
            if when != Precondition::None {
                check(&when, slot.read()?.as_ref())?;
            }
            slot.remove()
        })
        .await
    }

    async fn close(&self) {}

    fn capabilities(&self) -> Capabilities {
        let durability = if cfg!(unix) { Durability::PowerCut } else { Durability::Crash };
        Capabilities::new(durability).with_conditional_writes().with_limits(self.limits)
    }
}

fn check(when: &Precondition, current: Option<&Record>) -> Result<(), StoreError> {
    let current = current.map(|record| record.version);
    if when.holds(current) { Ok(()) } else { Err(StoreError::precondition_failed(current)) }
}

/// Runs a job on a thread that may block.
async fn read<T: Send + 'static>(
    job: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    match tokio::time::timeout(LONGEST_WAIT, tokio::task::spawn_blocking(job)).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(died)) => Err(internal(died)),
        Err(_) => Err(StoreError::new(StoreErrorKind::Timeout)),
    }
}

/// The same for a job that changes something. Once handed over it runs to its end, also when the future that waits for
/// it is dropped: so the change happens whole or not at all. The job keeps the lock, so nobody writes in between.
async fn write<T: Send + 'static>(
    turn: File,
    job: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let job = move || {
        let _until_the_end = turn;
        job()
    };
    match tokio::time::timeout(LONGEST_WAIT, tokio::task::spawn_blocking(job)).await {
        Ok(Ok(outcome)) => outcome,
        // What the job did before it died, or does after the deadline, is not known.
        Ok(Err(died)) => Err(internal(died).with_may_have_happened()),
        Err(_) => Err(StoreError::new(StoreErrorKind::Timeout).with_may_have_happened()),
    }
}

/// The place of one user's document. The only part that touches files; its calls block.
struct Slot {
    directory: Arc<Path>,
    name: String,
    user: UserId,
}

/// What a file holds: text and document as they are written, or as they are read.
#[derive(Serialize, Deserialize)]
struct Stored<Text, Document> {
    user: Text,
    version: Text,
    metadata: Document,
}

impl Slot {
    fn document(&self) -> PathBuf {
        self.directory.join(format!("{}.json", self.name))
    }

    fn draft(&self) -> PathBuf {
        self.directory.join(format!("{}.draft", self.name))
    }

    /// Waits until nobody else writes, in this process or another. The lock ends when the file is dropped, and with
    /// the process; the file itself stays, since deleting it would let two writers lock two files of one name.
    async fn turn(&self) -> Result<File, StoreError> {
        let shard = self.name.get(..2).unwrap_or_default();
        let lock = self.directory.join(format!("{shard}.lock"));
        let wait = async {
            let mut options = tokio::fs::OpenOptions::new();
            let lock = options.create(true).truncate(false).write(true).open(lock).await.map_err(failed)?;
            let lock = lock.into_std().await;
            loop {
                match lock.try_lock() {
                    Ok(()) => return Ok(lock),
                    Err(TryLockError::Error(error)) => return Err(failed(error)),
                    Err(TryLockError::WouldBlock) => tokio::time::sleep(Duration::from_millis(1)).await,
                }
            }
        };
        let timeout = |_| StoreError::new(StoreErrorKind::Timeout);
        tokio::time::timeout(LONGEST_WAIT, wait).await.map_err(timeout)?
    }

    /// Needs no lock: a rename swaps whole files, so a reader sees the old or the new one.
    fn read(&self) -> Result<Option<Record>, StoreError> {
        let bytes = match fs::read(self.document()) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        // The texts of serde_json may quote the document, so its errors are not passed on.
        let corrupt = || StoreError::new(StoreErrorKind::Corrupt);
        let stored: Stored<String, Box<RawValue>> = serde_json::from_slice(&bytes).map_err(|_| corrupt())?;
        // A file that was copied or restored under a wrong name must not give one user the document of another.
        if stored.user != self.user.as_str() {
            return Err(corrupt());
        }
        let version = stored.version.parse().map_err(|_| corrupt())?;
        let metadata = Metadata::from_json(stored.metadata.get().as_bytes()).map_err(|_| corrupt())?;
        Ok(Some(Record { metadata, version }))
    }

    /// Writes a draft beside the document, waits until the disk has it, and only then gives it the document's name.
    fn replace(&self, record: &Record) -> Result<(), StoreError> {
        let version = record.version.to_string();
        let stored = Stored { user: self.user.as_str(), version: &version, metadata: &record.metadata };
        let bytes = serde_json::to_vec(&stored).map_err(internal)?;
        let mut draft = File::create(self.draft()).map_err(failed)?;
        draft.write_all(&bytes).map_err(failed)?;
        draft.sync_all().map_err(failed)?;
        // From here on the new document may be what others see, even if the call fails.
        let uncertain = |error| failed(error).with_may_have_happened();
        fs::rename(self.draft(), self.document()).map_err(uncertain)?;
        sync_directory(&self.directory).map_err(uncertain)
    }

    fn remove(&self) -> Result<(), StoreError> {
        let uncertain = |error| failed(error).with_may_have_happened();
        // A crash may have left a draft; what was cleared must not stay there.
        for file in [self.draft(), self.document()] {
            match fs::remove_file(file) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(uncertain(error)),
                _ => {}
            }
        }
        sync_directory(&self.directory).map_err(uncertain)
    }
}

/// A name for any text: of one length, for every file system, and different for different texts, since nobody finds two
/// with one SHA-256. Ids up to 512 bytes would not fit into a name as they are, and `../alice` must not be a path.
fn file_name(text: &str) -> String {
    digest(&SHA256, text.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Makes renames and removals in a directory last.
fn sync_directory(directory: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(directory)?.sync_all() } else { Ok(()) }
}

/// The one place where errors of the file system become errors of the store: a full disk and missing rights may pass.
fn failed(error: io::Error) -> StoreError {
    StoreError::new(StoreErrorKind::Unavailable).with_source(error)
}

/// For what does not fail on a healthy machine.
fn internal(error: impl Error + Send + Sync + 'static) -> StoreError {
    StoreError::new(StoreErrorKind::Internal).with_source(error)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let root = std::env::temp_dir().join(format!("custom_store-{}", Version::random()?));
    fs::create_dir(&root)?;
    let store = FileStore::open(&root, &Namespace::default())?.with_limits(Limits::default().with_root_fields(3));
    let alice = UserId::new("alice")?;

    // In a service the layer makes the handle: `UserMetadataLayer::new(verifier, store)`.
    let metadata = UserMetadataHandle::admin(alice.clone(), store.clone());
    let first = metadata.update(metadata_update! { "theme": "dark", "todos": ["write a store"] }).await?;
    let second = metadata.update(metadata_update! { "todos": null, "visits": 1 }).await?;
    println!("{}", fs::read_to_string(store.slot(&alice).document())?);
    assert_eq!(second.metadata.to_json(), r#"{"theme":"dark","visits":1}"#);

    let stale = metadata.update_if(metadata_update! { "theme": "light" }, Precondition::Version(first.version)).await;
    assert_eq!(stale.map_err(|error| error.kind()), Err(StoreErrorKind::PreconditionFailed));
    let too_many = metadata.update(metadata_update! { "a": 1, "b": 2 }).await;
    assert_eq!(too_many.map_err(|error| error.kind()), Err(StoreErrorKind::InvalidMetadata));

    let reopened = FileStore::open(&root, &Namespace::default())?;
    assert_eq!(reopened.get(&alice).await?, Some(second));
    assert!(reopened.get_or_empty(&UserId::new("Alice")?).await?.is_empty());
    metadata.clear().await?;
    assert_eq!(reopened.get(&alice).await?, None);
    println!("written, reopened, cleared");
    Ok(fs::remove_dir_all(root)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root() -> PathBuf {
        let root = std::env::temp_dir().join(format!("custom_store-{}", Version::random().expect("randomness")));
        fs::create_dir(&root).expect("a directory");
        root
    }

    #[test]
    fn the_example_runs() -> Result<(), Box<dyn Error>> {
        main()
    }

    #[cfg(feature = "conformance")]
    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn it_keeps_the_contract() {
        let root = root();
        let open = async |namespace| FileStore::open(&root, &namespace).expect("a store");
        let report = tower_user_metadata::conformance::store::check(&open).await;
        println!("{report}");
        fs::remove_dir_all(root).expect("removed");
    }

    #[tokio::test]
    async fn a_file_that_is_damaged_or_another_users_is_an_error() {
        let root = root();
        let store = FileStore::open(&root, &Namespace::default()).expect("a store");
        let [alice, bob] = ["alice", "bob"].map(|id| UserId::new(id).expect("an id"));
        let update = metadata_update! { "secret": "of alice" };
        store.update(&alice, &update, &Precondition::None).await.expect("written");

        fs::copy(store.slot(&alice).document(), store.slot(&bob).document()).expect("copied");
        assert_eq!(store.get(&bob).await.map_err(|error| error.kind()), Err(StoreErrorKind::Corrupt));

        let whole = fs::read(store.slot(&alice).document()).expect("a file");
        for length in 0..whole.len() {
            fs::write(store.slot(&alice).document(), &whole[..length]).expect("cut");
            let error = store.update(&alice, &update, &Precondition::None).await.expect_err("damaged");
            assert_eq!((error.kind(), error.may_have_happened()), (StoreErrorKind::Corrupt, false));
            assert!(!format!("{error:?} {error}").contains("alice"));
        }
        store.clear(&alice, &Precondition::None).await.expect("cleared");
        assert_eq!(store.get(&alice).await.expect("read"), None);
        fs::remove_dir_all(root).expect("removed");
    }

    #[tokio::test]
    async fn a_draft_of_a_crashed_writer_is_never_read_and_is_cleared() {
        let root = root();
        let store = FileStore::open(&root, &Namespace::default()).expect("a store");
        let alice = UserId::new("alice").expect("an id");
        fs::write(store.slot(&alice).draft(), b"{\"user\":\"ali").expect("a draft");
        assert_eq!(store.get(&alice).await.expect("read"), None);
        let record = store.update(&alice, &metadata_update! { "a": 1 }, &Precondition::Absent).await.expect("written");
        assert_eq!(store.get(&alice).await.expect("read"), Some(record));
        fs::write(store.slot(&alice).draft(), b"{\"user\":\"ali").expect("a draft");
        store.clear(&alice, &Precondition::Exists).await.expect("cleared");
        assert!(!store.slot(&alice).draft().exists() && !store.slot(&alice).document().exists());
        fs::remove_dir_all(root).expect("removed");
    }

    #[tokio::test]
    async fn a_writer_that_waits_too_long_has_changed_nothing() {
        let root = root();
        let store = FileStore::open(&root, &Namespace::default()).expect("a store");
        let alice = UserId::new("alice").expect("an id");
        // As another process would hold it.
        let turn = store.slot(&alice).turn().await.expect("a turn");
        let error = store.clear(&alice, &Precondition::None).await.expect_err("nobody gives way");
        assert_eq!((error.kind(), error.is_retryable()), (StoreErrorKind::Timeout, true));
        drop(turn);
        store.clear(&alice, &Precondition::None).await.expect("cleared");
        fs::remove_dir_all(root).expect("removed");
    }
}
