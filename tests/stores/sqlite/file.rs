//! The file: what is opened, what is refused, what is found in it.

use std::fs;
use std::path::Path;

use tower_user_metadata::store::{Durability, MetadataStore, Namespace, SqliteStore, connect};
use tower_user_metadata::{ConfigError, Precondition, StoreErrorKind};

use super::{Place, json, put, update, user};

#[tokio::test]
async fn documents_outlive_the_store_with_literals_order_and_version() {
    let place = Place::new();
    let text = r#"{"b":1e2,"a":-0,"":0.10,"big":123456789012345678901234567890.5,"é\u0001":[null,{"x":[]}]}"#;
    let store = place.open().await;
    let written = put(&store, "alice", text).await.expect("written");
    assert_eq!(store.capabilities().durability(), Durability::PowerCut);
    store.close().await;
    assert_eq!(super::log_bytes(&place.file()), 0, "the log is in the database");

    let store = place.open().await;
    assert_eq!(json(&store, "alice").await.as_deref(), Some(text));
    assert_eq!(store.get(&user("alice")).await.expect("read"), Some(written));
}

#[tokio::test]
async fn without_syncs_the_durability_says_so() {
    let place = Place::new();
    let store = SqliteStore::options().with_synchronous_normal().open(place.file()).await.expect("opened");
    assert_eq!(store.capabilities().durability(), Durability::Crash);
    put(&store, "alice", r#"{"a":1}"#).await.expect("written");
    store.close().await;
    assert_eq!(json(&place.open().await, "alice").await.as_deref(), Some(r#"{"a":1}"#));
}

#[tokio::test]
async fn many_documents_come_in_the_order_asked() {
    let place = Place::new();
    let store = place.open().await;
    for id in ["a", "A", "a b", "é", "e\u{301}"] {
        put(&store, id, &format!("{{\"id\":\"{id}\"}}")).await.expect("written");
    }
    let asked = ["e\u{301}", "nobody", "a", "A", "a", "é"];
    let users: Vec<_> = asked.into_iter().map(user).collect();
    let found = store.get_many(&users).await.expect("read");
    let ids: Vec<Option<String>> = found
        .into_iter()
        .map(|record| record.and_then(|record| record.metadata.get("id").expect("a string")))
        .collect();
    assert_eq!(ids, asked.map(|id| (id != "nobody").then(|| id.to_owned())));
    assert_eq!(store.get_many(&[]).await.expect("read"), []);
}

#[tokio::test]
async fn namespaces_share_a_file_and_no_user() {
    let place = Place::new();
    let open = |name| SqliteStore::options().with_namespace(Namespace::new(name).expect("a name")).open(place.file());
    let (shop, forum) = (open("shop").await.expect("opened"), open("forum").await.expect("opened"));
    put(&shop, "alice", r#"{"in":"shop"}"#).await.expect("written");
    assert_eq!(json(&forum, "alice").await, None);
    put(&forum, "alice", r#"{"in":"forum"}"#).await.expect("written");
    forum.clear(&user("alice"), &Precondition::Exists).await.expect("cleared");
    assert_eq!(json(&shop, "alice").await.as_deref(), Some(r#"{"in":"shop"}"#));
}

#[tokio::test]
async fn a_url_opens_a_file() {
    let place = Place::new();
    let store = connect(&format!("sqlite://{}", place.file().display())).await.expect("opened");
    store.update(&user("alice"), &update(r#"{"a":1}"#), &Precondition::Absent).await.expect("written");
    assert!(place.file().exists());
    assert!(matches!(connect("sqlite://:memory:").await, Err(ConfigError::StoreUrl { .. })));
    assert!(matches!(connect("sqlite://").await, Err(ConfigError::StoreUrl { .. })));
}

#[tokio::test]
async fn a_path_that_cannot_be_meant_creates_nothing() {
    let place = Place::new();
    let inside = place.directory.path().display().to_string();
    for name in ["x.db\n", "x.db\r\n", "x.db ", "x.db\t", "x\u{1b}.db", "x.db\0"] {
        let path = format!("{inside}/{name}");
        for error in [
            connect(&format!("sqlite://{path}")).await.expect_err("refused"),
            SqliteStore::open(&path).await.expect_err("refused"),
            SqliteStore::options().connect(&format!("sqlite://{path}?mode=rwc")).await.expect_err("refused"),
        ] {
            assert!(matches!(error, ConfigError::StoreUrl { .. }), "{name:?}: {error}");
        }
    }
    for parameter in ["mode=ro", "mode=rwc\n", "cache=shared", "_journal_mode=WAL", "mode=rwc&busy_timeout=5000"] {
        let error = connect(&format!("sqlite://{inside}/x.db?{parameter}")).await.expect_err("refused");
        assert!(
            matches!(error, ConfigError::StoreUrl { .. } | ConfigError::UnknownStoreParameter { .. }),
            "{parameter}: {error}"
        );
    }
    assert_eq!(fs::read_dir(place.directory.path()).expect("a folder").count(), 0);
}

#[tokio::test]
async fn a_missing_file_is_created_unless_it_must_exist() {
    let place = Place::new();
    let url = |mode: &str| format!("sqlite://{}?mode={mode}", place.file().display());
    let options = SqliteStore::options().with_existing_file();
    for error in [
        SqliteStore::connect(&url("rw")).await.expect_err("missing"),
        options.clone().open(place.file()).await.expect_err("missing"),
        options.connect(&url("rw")).await.expect_err("missing"),
    ] {
        let ConfigError::StoreFile { source, .. } = error else { panic!("{error:?}") };
        assert_eq!(source.kind(), std::io::ErrorKind::NotFound);
    }
    assert!(!place.file().exists());
    put(&SqliteStore::connect(&url("rwc")).await.expect("created"), "alice", r#"{"a":1}"#).await.expect("written");
    let store = SqliteStore::connect(&url("rw")).await.expect("it is there");
    assert_eq!(json(&store, "alice").await.as_deref(), Some(r#"{"a":1}"#));
}

#[tokio::test]
async fn one_file_is_opened_by_many_at_once() {
    let place = Place::new();
    let opening: Vec<_> = (0..8).map(|_| tokio::spawn(SqliteStore::open(place.file()))).collect();
    for (number, store) in opening.into_iter().enumerate() {
        let store = store.await.expect("no panic").expect("opened");
        put(&store, "alice", &format!("{{\"f{number}\":{number}}}")).await.expect("written");
    }
    let store = place.open().await;
    let all = store.get(&user("alice")).await.expect("read").expect("a document").metadata;
    assert_eq!(all.len(), 8);
}

#[cfg(unix)]
#[tokio::test]
async fn a_new_file_is_private_and_an_old_one_keeps_its_mode() {
    use std::os::unix::fs::PermissionsExt;
    let mode = |path: &Path| fs::metadata(path).expect("a file").permissions().mode() & 0o777;
    let place = Place::new();
    let store = place.open().await;
    put(&store, "alice", r#"{"a":1}"#).await.expect("written");
    assert_eq!((mode(&place.file()), mode(&super::log_of(&place.file()))), (0o600, 0o600));
    store.close().await;
    fs::set_permissions(place.file(), fs::Permissions::from_mode(0o640)).expect("changed");
    let store = place.open().await;
    put(&store, "alice", r#"{"a":2}"#).await.expect("written");
    assert_eq!((mode(&place.file()), mode(&super::log_of(&place.file()))), (0o640, 0o640));
}

async fn refusal(place: &Place) -> ConfigError {
    let before = fs::read(place.file()).ok();
    let error = SqliteStore::open(place.file()).await.expect_err("refused");
    assert_eq!(fs::read(place.file()).ok(), before, "a file that is refused is left as it is");
    error
}

#[tokio::test]
async fn a_newer_schema_is_refused() {
    let place = Place::new();
    place.open().await.close().await;
    place.stranger().pragma_update(None, "user_version", 99).expect("changed");
    place.stranger().query_row("PRAGMA wal_checkpoint(TRUNCATE)", (), |_| Ok(())).expect("moved");
    let error = refusal(&place).await;
    assert!(matches!(error, ConfigError::NewerSchema { found: 99, known: 1 }), "{error:?}");
}

#[tokio::test]
async fn a_file_of_something_else_is_refused() {
    let place = Place::new();
    place.stranger().execute_batch("CREATE TABLE notes (text)").expect("made");
    let error = refusal(&place).await;
    assert!(matches!(error, ConfigError::ForeignDatabase { .. }), "{error:?}");

    let place = Place::new();
    place.stranger().pragma_update(None, "application_id", 7).expect("made");
    assert!(matches!(refusal(&place).await, ConfigError::ForeignDatabase { .. }));

    let place = Place::new();
    fs::write(place.file(), "Dear diary, ".repeat(1_000)).expect("written");
    match refusal(&place).await {
        ConfigError::Store(error) => assert_eq!(error.kind(), StoreErrorKind::Corrupt),
        error => panic!("{error:?}"),
    }
}

#[tokio::test]
async fn a_missing_directory_and_a_directory_are_refused() {
    let place = Place::new();
    let path = place.file().join("deeper.db");
    let error = SqliteStore::open(&path).await.expect_err("no such directory");
    assert!(error.to_string().contains("deeper.db"), "{error}");
    match error {
        ConfigError::StoreFile { source, .. } => assert_eq!(source.kind(), std::io::ErrorKind::NotFound),
        error => panic!("{error:?}"),
    }
    assert!(SqliteStore::open(place.directory.path()).await.is_err());
}

#[tokio::test]
async fn a_damaged_row_is_an_error_for_its_user_only() {
    let place = Place::new();
    let store = place.open().await;
    for document in ["'{\"a\":'", "'[]'", "''", "CAST(x'7b2261223a22ff227d' AS TEXT)", "'{\"a\":1,\"a\":2}'"] {
        put(&store, "alice", r#"{"a":1}"#).await.expect("written");
        put(&store, "bob", r#"{"b":1}"#).await.expect("written");
        let damage = format!("UPDATE user_metadata SET document = {document} WHERE user_id = 'alice'");
        assert_eq!(place.stranger().execute(&damage, ()), Ok(1));

        let alice = user("alice");
        let kind = |error: tower_user_metadata::StoreError| (error.kind(), error.may_have_happened());
        let corrupt = (StoreErrorKind::Corrupt, false);
        assert_eq!(store.get(&alice).await.map_err(kind), Err(corrupt), "{document}");
        assert_eq!(store.get_many(&[user("bob"), alice.clone()]).await.map_err(kind), Err(corrupt));
        let (hers, his) = tokio::join!(put(&store, "alice", r#"{"c":1}"#), put(&store, "bob", r#"{"c":1}"#));
        assert_eq!(hers.map_err(kind), Err(corrupt));
        his.expect("bob's row is whole");
        store.clear(&alice, &Precondition::None).await.expect("clearing mends it");
        put(&store, "alice", r#"{"d":1}"#).await.expect("written");
        assert_eq!(json(&store, "alice").await.as_deref(), Some(r#"{"d":1}"#));
    }
}

#[tokio::test]
async fn nothing_of_a_user_is_printed() {
    let place = Place::new();
    let store = place.open().await;
    put(&store, "alice-secret", r#"{"name-secret":"value-secret"}"#).await.expect("written");
    let damage = "UPDATE user_metadata SET document = '{\"name-secret\":\"value-secret'";
    place.stranger().execute(damage, ()).expect("damaged");
    let mut printed = format!("{store:?}");
    let error = store.get(&user("alice-secret")).await.expect_err("damaged");
    let mut error: Option<&dyn std::error::Error> = Some(&error);
    while let Some(cause) = error {
        printed += &format!("{cause} {cause:?}");
        error = cause.source();
    }
    assert!(!printed.contains("secret"), "{printed}");
}
