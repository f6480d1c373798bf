//! Group commit: what is written together, and that it is.

use std::time::Duration;

use tower_user_metadata::store::{MetadataStore, SqliteStore};
use tower_user_metadata::{InvalidMetadata, InvalidMetadataKind, Limits, Precondition, StoreErrorKind, Version};

use super::{Place, commits_in_log, json, put, update, user};

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_is_committed_once() {
    let place = Place::new();
    let store = place.open().await;
    for number in 0..3 {
        put(&store, "alone", &format!("{{\"n\":{number}}}")).await.expect("written");
    }
    let before = commits_in_log(&place.file());
    assert!(before >= 3, "a lone write is committed at once");

    let stranger = place.stranger();
    stranger.execute_batch("BEGIN IMMEDIATE").expect("locked");
    let waiting: Vec<_> = (0..64)
        .map(|number| {
            let store = store.clone();
            tokio::spawn(async move { put(&store, &format!("user{number}"), r#"{"a":1}"#).await })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(300)).await;
    stranger.execute_batch("COMMIT").expect("unlocked");
    for write in waiting {
        write.await.expect("no panic").expect("written");
    }
    assert_eq!(commits_in_log(&place.file()) - before, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn writers_that_never_pause_share_commits() {
    let place = Place::new();
    let store = place.open().await;
    let before = commits_in_log(&place.file());
    let writers: Vec<_> = (0..64)
        .map(|writer| {
            let store = store.clone();
            tokio::spawn(async move {
                for number in 0..20 {
                    put(&store, &format!("user{writer}"), &format!("{{\"n\":{number}}}")).await.expect("written");
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.expect("no panic");
    }
    let commits = commits_in_log(&place.file()) - before;
    assert!(commits <= 64 * 20 / 4, "{commits} commits for 1,280 writes");
}

#[tokio::test]
async fn the_writes_of_a_group_see_each_other_and_fail_alone() {
    let place = Place::new();
    let limits = Limits::default().with_document_bytes(100);
    let store = SqliteStore::options().with_limits(limits).open(place.file()).await.expect("opened");
    let first = put(&store, "alice", r#"{"a":1}"#).await.expect("written");
    let before = commits_in_log(&place.file());

    let stranger = place.stranger();
    stranger.execute_batch("BEGIN IMMEDIATE").expect("locked");
    let (alice, bob) = (user("alice"), user("bob"));
    let (e, seen, large) =
        (update(r#"{"e":5}"#), Precondition::Version(first.version), format!("{{\"x\":\"{}\"}}", "x".repeat(100)));
    let (b, c, never, d, again, stale, gone, anew, ()) = tokio::join!(
        put(&store, "alice", r#"{"b":2}"#),
        put(&store, "alice", r#"{"a":null,"c":3}"#),
        put(&store, "alice", &large),
        put(&store, "bob", r#"{"d":4}"#),
        put(&store, "bob", "{}"),
        store.clear(&alice, &seen),
        store.clear(&alice, &Precondition::Exists),
        store.update(&alice, &e, &Precondition::Absent),
        async { stranger.execute_batch("COMMIT").expect("unlocked") },
    );
    assert_eq!(b.expect("written").metadata.to_json(), r#"{"a":1,"b":2}"#);
    let c = c.expect("written");
    assert_eq!(c.metadata.to_json(), r#"{"b":2,"c":3}"#);
    let never = never.expect_err("too large");
    assert_eq!(never.invalid_metadata().map(InvalidMetadata::kind), Some(InvalidMetadataKind::DocumentTooLarge));
    let d = d.expect("written");
    assert_eq!(again.expect("nothing to do"), d);
    let stale = stale.expect_err("another version");
    assert_eq!((stale.kind(), stale.current_version()), (StoreErrorKind::PreconditionFailed, Some(c.version)));
    gone.expect("cleared");
    let anew = anew.expect("absent");

    assert_eq!(store.get_many(&[alice, bob]).await.expect("read"), [Some(anew), Some(d)]);
    assert_eq!(commits_in_log(&place.file()) - before, 1);
}

#[tokio::test]
async fn a_statement_that_the_database_refuses_fails_alone() {
    let place = Place::new();
    let store = place.open().await;
    for id in ["alice", "mallory", "bob"] {
        put(&store, id, r#"{"a":1}"#).await.expect("written");
    }
    for undo in ["ABORT", "ROLLBACK", "FAIL"] {
        let stranger = place.stranger();
        let refuse = format!(
            "BEGIN IMMEDIATE; DROP TRIGGER IF EXISTS refuse;
            CREATE TRIGGER refuse BEFORE UPDATE ON user_metadata WHEN NEW.user_id = 'mallory'
            BEGIN SELECT RAISE({undo}, 'refused'); END"
        );
        stranger.execute_batch(&refuse).expect("locked");
        let change = format!("{{\"{undo}\":true}}");
        let (alice, mallory, bob, ()) = tokio::join!(
            put(&store, "alice", &change),
            put(&store, "mallory", &change),
            put(&store, "bob", &change),
            async { stranger.execute_batch("COMMIT").expect("unlocked") },
        );
        let refused = mallory.expect_err("refused");
        assert_eq!((refused.kind(), refused.may_have_happened()), (StoreErrorKind::Internal, false));
        for record in [alice, bob] {
            assert_eq!(record.expect("written").metadata.get(undo).expect("a flag"), Some(true));
        }
    }
    assert_eq!(json(&store, "mallory").await.as_deref(), Some(r#"{"a":1}"#));
    let kept = Some(r#"{"a":1,"ABORT":true,"ROLLBACK":true,"FAIL":true}"#);
    assert_eq!(json(&store, "alice").await.as_deref(), kept);
    assert_eq!(json(&store, "bob").await.as_deref(), kept);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_stays_short_under_writers_and_readers_that_never_pause() {
    const WRITES: usize = 20_000;
    let place = Place::new();
    let store = place.open().await;
    let filler = "x".repeat(1_000);
    let writers: Vec<_> = (0..64)
        .map(|writer| {
            let (store, filler) = (store.clone(), filler.clone());
            tokio::spawn(async move {
                for number in 0..WRITES / 64 {
                    // Spread over many pages, so that each write adds one to the log.
                    let id = format!("user{}", (writer * 311 + number * 97) % 4_000);
                    put(&store, &id, &format!("{{\"n\":{number},\"filler\":\"{filler}\"}}")).await.expect("written");
                    if number % 8 == 0 {
                        assert!(json(&store, &id).await.is_some());
                    }
                }
            })
        })
        .collect();
    let mut longest = 0;
    while !writers.iter().all(tokio::task::JoinHandle::is_finished) {
        longest = longest.max(super::log_bytes(&place.file()));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    for writer in writers {
        writer.await.expect("no panic");
    }
    println!("the log reached {} kB in {WRITES} writes", longest / 1_000);
    assert!(longest <= 96 << 20, "{longest} bytes");
    store.close().await;
    assert_eq!(super::log_bytes(&place.file()), 0);
}

#[tokio::test]
async fn versions_are_random_bits_of_any_sign() {
    let place = Place::new();
    let store = place.open().await;
    let mut seen = std::collections::HashSet::new();
    for _ in 0..64 {
        let record = put(&store, "alice", r#"{"a":1}"#).await.expect("written");
        assert_eq!(store.get(&user("alice")).await.expect("read").map(|read| read.version), Some(record.version));
        assert!(seen.insert(record.version.to_bits()));
        store.clear(&user("alice"), &Precondition::Version(record.version)).await.expect("cleared");
    }
    assert!(seen.iter().any(|bits| bits >> 63 == 1) && seen.iter().any(|bits| bits >> 63 == 0));
    let clear = store.clear(&user("alice"), &Precondition::Version(Version::from_bits(1))).await;
    assert_eq!(clear.expect_err("absent").current_version(), None);
}
