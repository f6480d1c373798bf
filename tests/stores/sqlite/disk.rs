//! A disk that is full or cannot be written. These need a file system of their own, which only root may mount.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use tower_user_metadata::store::{MetadataStore, SqliteStore};
use tower_user_metadata::{ConfigError, MetadataUpdate, Precondition, StoreErrorKind};

use super::{twin_number, twins, user};
use crate::disk::SmallDisk;

fn file(disk: &SmallDisk) -> PathBuf {
    disk.path().join("metadata.db")
}

/// Mounts it anew. A process that another test starts holds all files for a moment, so it may need some patience.
fn remount(disk: &SmallDisk, option: &str) {
    let option = format!("remount,{option}");
    let mounted = (0..100).any(|_| {
        let mounted = disk.mount(&["-o", &option]);
        if !mounted {
            std::thread::sleep(Duration::from_millis(10));
        }
        mounted
    });
    assert!(mounted, "{option}");
}

/// Fills the disk up to some free bytes.
fn fill(disk: &SmallDisk, left: usize) -> PathBuf {
    let filler = disk.path().join("filler");
    let mut file = fs::File::create(&filler).expect("created");
    let mut size = 0;
    for chunk in [64 << 10, 4 << 10] {
        while file.write_all(&vec![0; chunk]).is_ok() {
            size += chunk;
        }
    }
    file.set_len((size - left) as u64).expect("cut");
    filler
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_an_error_and_passes() {
    let Some(disk) = SmallDisk::new(8, "a_full_disk_is_an_error_and_passes") else { return };
    let store = SqliteStore::open(file(&disk)).await.expect("opened");
    let filler = "x".repeat(4_000);
    let write = |number: u64| twins(number).set("filler", &filler);
    let users: Vec<_> = (0..16).map(|task| user(&format!("user{task}"))).collect();
    for id in &users {
        store.update(id, &write(0), &Precondition::None).await.expect("there is space");
    }
    let fill = fill(&disk, 300 << 10);

    let tasks: Vec<_> = users
        .iter()
        .cloned()
        .map(|id| {
            let (store, write) = (store.clone(), (0..1_000).map(write).collect::<Vec<MetadataUpdate>>());
            tokio::spawn(async move {
                let mut acknowledged = 0;
                for (number, update) in (0..).zip(write) {
                    match store.update(&id, &update, &Precondition::None).await {
                        Ok(_) => acknowledged = number,
                        Err(error) => return (id, acknowledged, error),
                    }
                }
                panic!("16,000 writes of 4 kB fitted into 300 kB");
            })
        })
        .collect();
    for task in tasks {
        let (id, acknowledged, error) = task.await.expect("no panic");
        assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error:?}");
        let stored = twin_number(&store, &id).await.expect("a document");
        let may_be_next = error.may_have_happened() && stored == acknowledged + 1;
        assert!(stored == acknowledged || may_be_next, "{stored} is stored, {acknowledged} was acknowledged");
    }

    fs::remove_file(fill).expect("removed");
    for id in &users {
        store.update(id, &write(5_000), &Precondition::None).await.expect("there is space again");
        assert_eq!(twin_number(&store, id).await, Some(5_000));
    }
    store.close().await;
    let store = SqliteStore::open(file(&disk)).await.expect("opened");
    for id in &users {
        assert_eq!(twin_number(&store, id).await, Some(5_000));
    }
    store.close().await;
}

#[tokio::test]
async fn a_full_disk_at_the_start_is_an_error() {
    let Some(disk) = SmallDisk::new(8, "a_full_disk_at_the_start_is_an_error") else { return };
    let filler = fill(&disk, 0);
    match SqliteStore::open(file(&disk)).await.expect_err("no space") {
        ConfigError::Store(error) => assert_eq!(error.kind(), StoreErrorKind::Unavailable),
        error => panic!("{error:?}"),
    }
    fs::remove_file(filler).expect("removed");
    SqliteStore::open(file(&disk)).await.expect("what is left of the first attempt is no obstacle").close().await;
}

#[tokio::test]
async fn a_disk_that_cannot_be_written_is_refused() {
    let Some(disk) = SmallDisk::new(8, "a_disk_that_cannot_be_written_is_refused") else { return };
    let store = SqliteStore::open(file(&disk)).await.expect("opened");
    store.update(&user("alice"), &twins(1), &Precondition::None).await.expect("written");
    store.close().await;
    remount(&disk, "ro");
    let error = SqliteStore::open(file(&disk)).await.expect_err("read-only");
    assert!(matches!(error, ConfigError::StoreFile { .. }), "{error:?}");

    remount(&disk, "rw");
    let store = SqliteStore::open(file(&disk)).await.expect("opened");
    assert_eq!(twin_number(&store, &user("alice")).await, Some(1));
    store.close().await;
}
