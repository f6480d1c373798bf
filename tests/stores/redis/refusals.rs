//! What a server that works refuses: nothing happened, and it is said so.

use tower_user_metadata::store::{MetadataStore, RedisStore};
use tower_user_metadata::{ConfigError, Precondition, StoreErrorKind};

use super::{json, open, printed, put, user};
use crate::cluster::Cluster;
use crate::servers::redis::Redis;

#[tokio::test]
async fn without_memory_the_old_document_stays_and_can_be_made_smaller() {
    let Some(redis) = Redis::start(&["--maxmemory-policy", "noeviction"]).await else { return };
    let store = open(&redis).await;
    let old = put(&store, "alice", r#"{"a":1,"b":2}"#).await.expect("written");
    redis.command(&["CONFIG", "SET", "maxmemory", "1"]);
    for change in [r#"{"c":3}"#, r#"{"a":null,"c":3}"#] {
        let outcome = put(&store, "bob", change).await;
        let error = outcome.expect_err("no memory");
        assert_eq!((error.kind(), error.may_have_happened()), (StoreErrorKind::Unavailable, false), "{change}");
        assert!(error.is_retryable() && printed(&error).contains("OOM"), "{}", printed(&error));
    }
    let error = put(&store, "alice", r#"{"c":3}"#).await.expect_err("no memory");
    assert!(!error.may_have_happened());
    assert_eq!(store.get(&user("alice")).await.expect("read"), Some(old));
    assert_eq!(json(&store, "bob").await, None);

    put(&store, "alice", r#"{"a":null}"#).await.expect("smaller");
    put(&store, "alice", r#"{"b":null,"d":1}"#).await.expect("no larger");
    let error = put(&store, "alice", r#"{"d":null,"e":"larger"}"#).await.expect_err("no memory");
    assert!(error.is_retryable(), "{error:?}");
    assert_eq!(json(&store, "alice").await.as_deref(), Some(r#"{"d":1}"#));
    store.clear(&user("alice"), &Precondition::Exists).await.expect("cleared");
    redis.command(&["CONFIG", "SET", "maxmemory", "0"]);
    put(&store, "alice", r#"{"c":3}"#).await.expect("there is memory again");
}

#[tokio::test]
async fn who_is_not_let_in_is_told_at_the_start() {
    let Some(redis) = Redis::start(&[]).await else { return };
    // What the documentation of the store names.
    let rights = "+hgetall +eval +evalsha +hget +hset +hdel +exists +unlink +persist +pexpire";
    let words: Vec<_> = "ACL SETUSER app on >pass@word ~user_metadata:*".split(' ').chain(rights.split(' ')).collect();
    redis.command(&words);
    redis.command(&["ACL", "SETUSER", "reader", "on", ">secret", "~user_metadata:*", "+hgetall", "+info"]);
    redis.command(&["ACL", "SETUSER", "default", "off"]);
    let at = |login: &str| format!("redis://{login}127.0.0.1:{}", redis.port());
    for login in ["", "app:wrong-secret@", "nobody:secret@"] {
        for options in [RedisStore::options(), RedisStore::options().with_offline_start()] {
            let error = options.connect(&at(login)).await.expect_err("not let in");
            let ConfigError::Store(inner) = &error else { panic!("{error}") };
            assert_eq!(inner.kind(), StoreErrorKind::Internal, "{login}");
            assert!(!printed(&error).contains("secret"), "{}", printed(&error));
        }
    }
    // A right that is missing to ask what kind of server it is does no harm.
    let store = RedisStore::connect(&at("app:pass%40word@")).await.expect("opened");
    put(&store, "alice", r#"{"a":null}"#).await.expect("written");
    store.clear(&user("alice"), &Precondition::Exists).await.expect("cleared");
    let expiring =
        RedisStore::options().with_ttl(std::time::Duration::from_secs(60)).connect(&at("app:pass%40word@")).await;
    put(&expiring.expect("opened"), "alice", r#"{"a":1}"#).await.expect("written");
    let reader = RedisStore::connect(&at("reader:secret@")).await.expect("opened");
    assert_eq!(json(&reader, "alice").await.as_deref(), Some(r#"{"a":1}"#));
    let error = put(&reader, "alice", r#"{"secret-name":"secret-value"}"#).await.expect_err("no right to write");
    assert_eq!((error.kind(), error.may_have_happened()), (StoreErrorKind::Internal, false));
    assert!(!printed(&error).contains("secret"), "{}", printed(&error));
    let shown = format!("{reader:?}");
    assert!(!shown.contains("secret") && !shown.contains("127.0.0.1"), "{shown}");
}

#[tokio::test]
async fn the_url_must_fit_the_server() {
    let Some(redis) = Redis::start(&[]).await else { return };
    let error = RedisStore::connect(&redis.url().replace("redis:", "redis+cluster:")).await.expect_err("no Cluster");
    assert!(printed(&error).contains("not one of a Cluster"), "{}", printed(&error));
    let Some(cluster) = Cluster::start(std::time::Duration::from_secs(15)).await else { return };
    let error = RedisStore::connect(&cluster.servers[0].url()).await.expect_err("a Cluster");
    assert!(matches!(error, ConfigError::StoreUrl { .. }), "{error}");
    assert!(RedisStore::options().with_key_prefix("a{b}").connect(&redis.url()).await.is_err());
    assert!(RedisStore::options().with_root_certificate("").connect(&redis.url()).await.is_err());
}
