//! What is in Redis, and how many commands it takes.

use std::time::Duration;

use redis::Value;
use tower_user_metadata::store::{MetadataStore, Namespace, RedisStore};
use tower_user_metadata::{Limits, Metadata, MetadataUpdate, Precondition, StoreErrorKind, UserId};

use super::{json, open, printed, put, update, user};
use crate::servers::redis::Redis;

fn text(value: Value) -> String {
    redis::from_redis_value(value).expect("a text")
}

fn number(value: Value) -> i64 {
    redis::from_redis_value(value).expect("a number")
}

/// How often a command ran, also within scripts.
fn runs(redis: &Redis, command: &str) -> usize {
    let stats = text(redis.command(&["INFO", "commandstats"]));
    let line = stats.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:calls=")));
    line.and_then(|line| line.split(',').next()).map_or(0, |calls| calls.parse().expect("a number"))
}

#[tokio::test]
async fn a_user_is_a_hash_with_a_field_for_each_root_field() {
    let Some(redis) = Redis::start(&[]).await else { return };
    let store = open(&redis).await;
    let record = put(&store, "alice", r#"{"v":1e2,"n":[1,  2],"":"x"}"#).await.expect("written");
    let key = "user_metadata:{6:public:alice}";
    let hash: Vec<(String, String)> = redis::from_redis_value(redis.command(&["HGETALL", key])).expect("a hash");
    let mut hash: Vec<_> = hash.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    hash.sort_unstable();
    let version = record.version.to_string();
    assert_eq!(hash, [("f", "\"x\""), ("fn", "[1,2]"), ("fv", "1e2"), ("v", &version)]);
    assert_eq!(text(redis.command(&["HGET", key, "fv"])), "1e2");

    let namespace = Namespace::new("a{b").expect("a namespace");
    let store = RedisStore::options().with_namespace(namespace).with_key_prefix("p").connect(&redis.url()).await;
    put(&store.expect("opened"), "}{%:", "{}").await.expect("written");
    assert_eq!(number(redis.command(&["EXISTS", "p:{5:a%7Bb:%7D%7B%25:}"])), 1);
}

#[tokio::test]
async fn each_call_is_one_command() {
    let Some(redis) = Redis::start(&[]).await else { return };
    let store = open(&redis).await;
    let alice = user("alice");
    let count = || ["eval", "evalsha", "hgetall"].map(|command| runs(&redis, command));
    put(&store, "alice", r#"{"a":1}"#).await.expect("written");
    // The scripts were made known with the connection, and this one reads the hash at its end.
    let [eval, evalsha, hgetall] = count();
    assert_eq!((eval, evalsha, hgetall), (0, 1, 1));
    put(&store, "alice", r#"{"a":null,"b":2}"#).await.expect("written");
    store.get(&alice).await.expect("read");
    store.get_many(&[alice.clone(), user("bob"), alice.clone()]).await.expect("read");
    assert_eq!(count(), [eval, evalsha + 1, hgetall + 1 + 1 + 3]);

    redis.command(&["SCRIPT", "FLUSH"]);
    put(&store, "alice", r#"{"c":3}"#).await.expect("written");
    store.clear(&alice, &Precondition::Exists).await.expect("cleared");
    store.clear(&alice, &Precondition::Absent).await.expect("nothing to do");
    assert_eq!(count()[..2], [eval + 2, evalsha + 1 + 3]);
    assert_eq!(json(&store, "alice").await, None);
}

/// The script counts without reading JSON; it must come to the same as the documents themselves.
#[tokio::test]
async fn the_size_is_kept_to_the_byte() {
    let Some(redis) = Redis::start(&[]).await else { return };
    let store = open(&redis).await;
    let alice = user("alice");
    let names: Vec<_> = (1..0x80_u8).map(|byte| format!("a{}", char::from(byte))).collect();
    let names: Vec<_> = names.iter().map(String::as_str).chain(["", "é", "\u{2028}", "\\\"", "🦀", "f", "v"]).collect();
    let mut model = Metadata::new();
    for round in 0..200_usize {
        let mut change = MetadataUpdate::new();
        for at in 0..round % 5 + 1 {
            let name = names[(round * 7 + at * 31) % names.len()];
            change =
                if (round + at) % 3 == 0 { change.remove(name) } else { change.set(name, &"x".repeat(round % 60)) };
        }
        model = change.apply(&model, &Limits::default()).expect("within limits");
        let record = store.update(&alice, &change, &Precondition::None).await.expect("written");
        assert_eq!(record.metadata, model);
        if round % 8 == 0 {
            assert_eq!(
                least_limit_that_fits(&redis, &alice, model.json_bytes()).await,
                model.json_bytes(),
                "round {round}"
            );
        }
    }
}

/// Of a number of bytes and the one below it, the smallest limit within which the document of a user may be written.
async fn least_limit_that_fits(redis: &Redis, user: &UserId, bytes: usize) -> usize {
    let same = MetadataUpdate::new().remove("never there");
    let mut least = bytes + 1;
    for bytes in [bytes, bytes - 1] {
        let limits = Limits::default().with_document_bytes(bytes);
        let store = RedisStore::options().with_limits(limits).connect(&redis.url()).await.expect("opened");
        match store.update(user, &same, &Precondition::None).await {
            Ok(_) => least = bytes,
            Err(error) => assert_eq!(error.kind(), StoreErrorKind::InvalidMetadata),
        }
    }
    least
}

#[tokio::test]
async fn updates_of_very_many_fields_are_written() {
    let Some(redis) = Redis::start(&[]).await else { return };
    let limits = Limits::default().with_root_fields(30_000).with_document_bytes(1 << 20);
    let store = RedisStore::options().with_limits(limits).connect(&redis.url()).await.expect("opened");
    let alice = user("alice");
    let all = |value: &str| {
        let members: Vec<_> = (0..20_001).map(|at| format!("\"{at}\":{value}")).collect();
        update(&format!("{{{}}}", members.join(",")))
    };
    let record = store.update(&alice, &all("1"), &Precondition::None).await.expect("written");
    assert_eq!(record.metadata.len(), 20_001);
    assert_eq!(store.get(&alice).await.expect("read"), Some(record));
    let record = store.update(&alice, &all("null"), &Precondition::None).await.expect("written");
    assert_eq!(record.metadata.to_json(), "{}");
}

#[tokio::test]
async fn a_document_expires_when_it_was_not_written_for_long() {
    let Some(redis) = Redis::start(&[]).await else { return };
    let url = redis.url();
    let expiring = |time| RedisStore::options().with_ttl(time).connect(&url);
    let (hour, short) = (Duration::from_secs(3600), Duration::from_millis(150));
    let store = expiring(hour).await.expect("opened");
    let left = || number(redis.command(&["PTTL", "user_metadata:{6:public:alice}"]));
    put(&store, "alice", r#"{"a":1}"#).await.expect("written");
    assert!((3_590_000..=3_600_000).contains(&left()), "{}", left());
    let stays = open(&redis).await;
    put(&stays, "alice", "{}").await.expect("nothing to do");
    assert!(left() > 0, "an update that changes nothing leaves the time alone");
    put(&stays, "alice", r#"{"b":2}"#).await.expect("written");
    assert_eq!(left(), -1);

    let store = expiring(short).await.expect("opened");
    let before = put(&store, "alice", r#"{"c":3}"#).await.expect("written");
    tokio::time::sleep(2 * short).await;
    assert_eq!(json(&store, "alice").await, None);
    let after = store.update(&user("alice"), &update("{}"), &Precondition::Absent).await.expect("written");
    assert_ne!(before.version, after.version);

    for time in [Duration::ZERO, Duration::from_micros(999), Duration::MAX] {
        let error = expiring(time).await.expect_err("no time to live");
        assert!(error.to_string().contains("with_ttl"), "{error}");
    }
}

#[tokio::test]
async fn what_is_no_document_is_reported_and_not_touched() {
    let Some(redis) = Redis::start(&[]).await else { return };
    let store = open(&redis).await;
    let key = "user_metadata:{6:public:alice-secret}";
    let alice = user("alice-secret");
    for damage in [
        &["SET", key, "value-secret"][..],
        &["RPUSH", key, "value-secret"],
        &["HSET", key, "other-secret", "value-secret"],
        &["HSET", key, "fa", "1"],
        &["HSET", key, "v", "value-secret", "fa", "1"],
    ] {
        redis.command(&["DEL", key]);
        redis.command(damage);
        let before = redis.command(&["DUMP", key]);
        let update = update(r#"{"b":2}"#);
        let got = store.get(&alice).await.map(drop);
        let wrote = store.update(&alice, &update, &Precondition::None).await.map(drop);
        let cleared = store.clear(&alice, &Precondition::Absent).await;
        let outcomes = [got, wrote, cleared];
        for error in outcomes.iter().filter_map(|outcome| outcome.as_ref().err()) {
            let kinds = [StoreErrorKind::Corrupt, StoreErrorKind::PreconditionFailed];
            assert!(kinds.contains(&error.kind()), "{damage:?}: {error:?}");
            assert!(!printed(error).contains("secret"), "{}", printed(error));
        }
        assert!(outcomes[0].is_err() || outcomes[1].is_err(), "{damage:?}");
        if outcomes[1].is_err() {
            assert_eq!(redis.command(&["DUMP", key]), before, "{damage:?}");
        }
    }
    // Two fields that were one value, a value that is no JSON, a value and names that are no text, and a name that is no
    // field's.
    for (name, value) in [
        (&b"fa"[..], &b"1,\"b\":2"[..]),
        (b"fa", b"value-secret"),
        (b"fa", b"1\0fb\x002"),
        (b"f\xff", b"1"),
        (b"fa", b"\"\xff\""),
        (b"other-secret", b"1"),
    ] {
        redis.command(&["DEL", key]);
        put(&store, "alice-secret", "{}").await.expect("written");
        let client = redis::Client::open(redis.url()).expect("a client");
        let mut connection = client.get_connection().expect("a connection");
        redis::cmd("HSET").arg(key).arg(name).arg(value).exec(&mut connection).expect("damaged");
        let error = store.get(&alice).await.expect_err("damaged");
        assert_eq!(error.kind(), StoreErrorKind::Corrupt);
        assert!(!printed(&error).contains("secret"), "{}", printed(&error));
        let many = store.get_many(&[user("bob"), alice.clone()]).await.expect_err("damaged");
        assert_eq!(many.kind(), StoreErrorKind::Corrupt);
        // The script does not look at the others, so this is written.
        let written = put(&store, "alice-secret", r#"{"c":3}"#).await.expect_err("damaged");
        assert_eq!((written.kind(), written.may_have_happened()), (StoreErrorKind::Corrupt, true));
        assert_eq!(text(redis.command(&["HGET", key, "fc"])), "3");
    }
    store.clear(&alice, &Precondition::None).await.expect("a clear without a condition removes anything");
    assert_eq!(json(&store, "alice-secret").await, None);
}
