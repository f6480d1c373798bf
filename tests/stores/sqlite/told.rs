//! What an operator is told of a file that cannot be used: by the error and its causes, and once in the log.

use std::error::Error;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use tower_user_metadata::store::{MetadataStore, SqliteStore};
use tower_user_metadata::{ConfigError, Precondition, StoreError, StoreErrorKind};

use super::{Place, child, json, put, update, user};
use crate::disk::SmallDisk;
use crate::errors::{failures, logged};
use crate::support::vectors::not_run;

const NOBODY: u32 = 65_534;

fn chain(error: &dyn Error) -> String {
    let causes = std::iter::successors(error.source(), |&error| error.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// What the log has of a failure that says all this.
fn logged_once(log: &Mutex<Vec<String>>, words: &[&str]) {
    let lines = failures(log);
    let [line] = &lines[..] else { panic!("{lines:?}") };
    assert!(words.iter().all(|word| line.contains(word)), "{words:?}: {line}");
    assert!(line.contains("SQLite") && !line.contains("secret"), "{line}");
}

/// The operating system refuses the file.
async fn no_file(path: &Path, kind: ErrorKind, reason: &str) {
    let (log, _guard) = logged();
    let error = SqliteStore::open(path).await.expect_err(reason);
    let ConfigError::StoreFile { path: named, source } = &error else { panic!("{error:?}") };
    assert_eq!((named.as_path(), source.kind()), (path, kind));
    let (shown, name) = (error.to_string(), path.display().to_string());
    assert!(shown.contains(&name) && source.to_string().contains(reason), "{}", chain(&error));
    assert!(!shown.contains(&source.to_string()), "{shown}");
    logged_once(&log, &["open", &name, reason]);
}

fn tells(error: &StoreError, kind: StoreErrorKind, operation: &str, file: &Path, reason: &str) {
    let text = chain(error);
    assert_eq!((error.kind(), error.operation(), error.engine()), (kind, Some(operation), Some("SQLite")), "{text}");
    assert_eq!(error.server(), Some(&*file.to_string_lossy()));
    let source = error.source().expect("a reason").to_string();
    assert!(source.contains(reason) && !error.to_string().contains(&source), "{reason}: {text}");
    assert!(!text.contains("secret") && !text.contains("alice"), "{text}");
}

#[tokio::test]
async fn a_file_that_cannot_be_there() {
    let place = Place::new();
    no_file(&place.directory.path().join("missing/metadata.db"), ErrorKind::NotFound, "No such file").await;
    no_file(place.directory.path(), ErrorKind::IsADirectory, "it is a directory").await;
    fs::write(place.file(), "").expect("written");
    no_file(&place.file().join("metadata.db"), ErrorKind::NotADirectory, "Not a directory").await;
    let dangling = place.directory.path().join("dangling");
    symlink("nowhere/metadata.db", &dangling).expect("a link");
    no_file(&dangling, ErrorKind::NotFound, "No such file").await;
    let socket = place.directory.path().join("socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).expect("a socket");
    no_file(&socket, ErrorKind::InvalidInput, "no regular file").await;
    no_file(&place.directory.path().join("x".repeat(300)), ErrorKind::InvalidFilename, "too long").await;
}

#[tokio::test]
async fn a_file_system_that_is_read_only() {
    let Some(disk) = SmallDisk::new(8, "a_file_system_that_is_read_only") else { return };
    let old = disk.path().join("old.db");
    SqliteStore::open(&old).await.expect("opened").close().await;
    let read_only = (0..100).any(|_| {
        disk.mount(&["-o", "remount,ro"]) || {
            std::thread::sleep(Duration::from_millis(10));
            false
        }
    });
    assert!(read_only);
    no_file(&disk.path().join("new.db"), ErrorKind::ReadOnlyFilesystem, "Read-only file system").await;
    no_file(&fs::canonicalize(&old).expect("a file"), ErrorKind::PermissionDenied, "read-only").await;
}

#[tokio::test]
async fn a_file_of_something_else_or_a_damaged_one() {
    let place = Place::new();
    fs::write(place.file(), "Dear secret diary, ".repeat(1_000)).expect("written");
    let (log, _guard) = logged();
    let error = SqliteStore::open(place.file()).await.expect_err("no database");
    let ConfigError::Store(inner) = &error else { panic!("{error:?}") };
    tells(inner, StoreErrorKind::Corrupt, "open", &place.file(), "no SQLite database");
    logged_once(&log, &["no SQLite database", "code 26"]);

    let place = Place::new();
    let store = place.open().await;
    for at in 0..200 {
        put(&store, &format!("user{at}"), &format!(r#"{{"secret":"{}"}}"#, "x".repeat(500))).await.expect("written");
    }
    store.close().await;
    let mut bytes = fs::read(place.file()).expect("read");
    bytes[4_096..].fill(0x5a);
    fs::write(place.file(), bytes).expect("written");
    let error = match SqliteStore::open(place.file()).await {
        Ok(store) => {
            let error = store.get(&user("user7")).await.expect_err("damaged");
            tells(&error, StoreErrorKind::Corrupt, "get", &place.file(), "damaged");
            logged_once(&log, &["damaged", "get"]);
            put(&store, "alice", r#"{"secret":1}"#).await.expect_err("damaged")
        }
        Err(ConfigError::Store(error)) => error,
        Err(error) => panic!("{error:?}"),
    };
    tells(&error, StoreErrorKind::Corrupt, error.operation().expect("one"), &place.file(), "damaged");
    logged_once(&log, &["damaged"]);
}

#[tokio::test]
async fn a_lock_of_another_process() {
    let place = Place::new();
    let options = SqliteStore::options().with_deadline(Duration::from_millis(200));
    let store = options.clone().open(place.file()).await.expect("opened");
    let stranger = place.stranger();
    stranger.execute_batch("BEGIN IMMEDIATE").expect("locked");
    let (log, _guard) = logged();
    let error = put(&store, "alice", r#"{"secret":1}"#).await.expect_err("locked");
    tells(&error, StoreErrorKind::Timeout, "update", &place.file(), "holds a lock on the file");
    logged_once(&log, &["holds a lock on the file", "may_have_happened=false"]);
    stranger.execute_batch("COMMIT").expect("unlocked");
    put(&store, "alice", r#"{"a":1}"#).await.expect("written");
    store.close().await;

    stranger.execute_batch("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE").expect("locked");
    let error = options.open(place.file()).await.expect_err("locked");
    let ConfigError::Store(inner) = &error else { panic!("{error:?}") };
    tells(inner, StoreErrorKind::Unavailable, "open", &place.file(), "holds a lock on the file");
    logged_once(&log, &["holds a lock on the file", "open"]);
}

#[tokio::test]
async fn a_full_disk() {
    let Some(disk) = SmallDisk::new(4, "a_full_disk") else { return };
    let file = disk.path().join("metadata.db");
    let store = SqliteStore::open(&file).await.expect("opened");
    let filler = "x".repeat(60_000);
    let (log, _guard) = logged();
    let mut at = 0;
    let error = loop {
        let change = update(&format!(r#"{{"secret":"{filler}"}}"#));
        match store.update(&user(&format!("alice{at}")), &change, &Precondition::None).await {
            Ok(_) => at += 1,
            Err(error) => break error,
        }
    };
    tells(&error, StoreErrorKind::Unavailable, "update", &file, "the disk is full");
    logged_once(&log, &["the disk is full", "update"]);
}

#[tokio::test]
async fn names_that_are_odd_are_names() {
    let place = Place::new();
    let inside = |name: Vec<u8>| place.directory.path().join(std::ffi::OsString::from_vec(name));
    for name in
        [&b"my metadata.db"[..], b"caf\xe9.db", b"file:x.db", b"100%25?mode=ro#.db", "\u{1f600}.db".as_bytes(), b"-wal"]
    {
        let path = inside(name.to_vec());
        let store =
            SqliteStore::open(&path).await.unwrap_or_else(|error| panic!("{}: {}", path.display(), chain(&error)));
        put(&store, "alice", r#"{"a":1}"#).await.expect("written");
        store.close().await;
        assert!(path.exists(), "{}", path.display());
    }
    let link = inside(b"link.db".to_vec());
    symlink("my metadata.db", &link).expect("a link");
    let (through, direct) =
        (SqliteStore::open(&link).await, SqliteStore::open(inside(b"my metadata.db".to_vec())).await);
    let (through, direct) = (through.expect("opened"), direct.expect("opened"));
    put(&through, "alice", r#"{"b":2}"#).await.expect("written");
    assert_eq!(json(&direct, "alice").await.as_deref(), Some(r#"{"a":1,"b":2}"#));
}

#[tokio::test]
async fn a_file_that_is_removed_or_replaced_takes_no_writes_that_would_be_lost() {
    let place = Place::new();
    let store = place.open().await;
    put(&store, "alice", r#"{"a":1}"#).await.expect("written");
    let aside = place.directory.path().join("aside.db");
    for replaced in [false, true] {
        fs::rename(place.file(), &aside).expect("moved");
        if replaced {
            fs::copy(&aside, place.file()).expect("copied");
        }
        let (log, _guard) = logged();
        let (one, other) = tokio::join!(put(&store, "alice", r#"{"secret":2}"#), put(&store, "bob", "{}"));
        let error = one.expect_err("nobody would find it");
        tells(&error, StoreErrorKind::Unavailable, "update", &place.file(), "removed or replaced");
        assert!(other.is_err() && !error.may_have_happened());
        assert_eq!(failures(&log).len(), 2);
        fs::rename(&aside, place.file()).expect("moved back");
    }
    put(&store, "alice", r#"{"b":2}"#).await.expect("it is there again");
    store.close().await;
    assert_eq!(json(&place.open().await, "alice").await.as_deref(), Some(r#"{"a":1,"b":2}"#));
}

/// What a process of somebody without rights does, and what it is told.
pub(super) async fn tell(file: &Path) {
    let (log, _guard) = logged();
    match SqliteStore::open(file).await {
        Ok(store) => {
            let written = put(&store, "alice-secret", r#"{"secret":1}"#).await;
            let outcome = written.map(drop).map_err(|error| chain(&error));
            println!("TOLD opened {outcome:?}");
            store.close().await;
        }
        Err(error) => println!("TOLD {}", chain(&error)),
    }
    for line in failures(&log) {
        println!("LOG {line}");
    }
}

#[test]
fn rights_that_are_missing() {
    // Root may do anything, so somebody else has to try.
    if fs::metadata("/proc/self").map(|file| std::os::unix::fs::MetadataExt::uid(&file)).ok() != Some(0) {
        return not_run("rights_that_are_missing: only root can be somebody else");
    }
    let mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("changed");
    let own = |path: &Path| chown(path, Some(NOBODY), Some(NOBODY)).expect("given");
    let made = |place: &Place| -> PathBuf {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        runtime.block_on(async { place.open().await.close().await });
        place.file()
    };
    let told = |place: &Place| {
        let output = child("tell", &place.file()).uid(NOBODY).gid(NOBODY).output().expect("a child");
        let text = String::from_utf8(output.stdout).expect("a text");
        assert!(output.status.success() && !text.contains("secret"), "{text}");
        let lines =
            |word| text.lines().filter_map(|line| line.strip_prefix(word)).map(str::to_owned).collect::<Vec<_>>();
        let ([told], log) = (&lines("TOLD ")[..], lines("LOG ")) else { panic!("{text}") };
        (told.clone(), log)
    };
    let fails = |what: &str, place: &Place, reason: &str| {
        let (told, log) = told(place);
        let name = place.file().display().to_string();
        assert!(told.contains(reason) && told.contains(&name), "{what}: {told}");
        let [line] = &log[..] else { panic!("{what}: {log:?}") };
        assert!(line.contains(reason) && line.contains(&name) && line.contains("SQLite"), "{what}: {line}");
    };

    let place = Place::new();
    mode(place.directory.path(), 0o755);
    fails("a directory that cannot be written, without the file", &place, "Permission denied");

    made(&place);
    fails("a file that cannot be read", &place, "the process needs the right to write");
    mode(&place.file(), 0o644);
    fails("a file that can only be read", &place, "no right to write to it");
    own(&place.file());
    fails("a file of ours in a directory that cannot be written", &place, "to write to the directory of the file");

    mode(place.directory.path(), 0o777);
    let (outcome, log) = told(&place);
    assert_eq!((outcome.as_str(), log.len()), ("opened Ok(())", 0));

    // What a process of root left behind when it was killed.
    for leftover in ["-wal", "-shm"] {
        let mut name = place.file().into_os_string();
        name.push(leftover);
        fs::write(&name, "").expect("written");
        mode(Path::new(&name), 0o600);
        fails(leftover, &place, "`-wal`, `-shm`");
        fs::remove_file(&name).expect("removed");
    }
    mode(place.directory.path(), 0o700);
    fails("a directory that cannot be entered", &place, "Permission denied");
}
