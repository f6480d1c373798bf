//! What an operator learns of each failure: from the error, and from the log.

use mysql_async::prelude::Queryable;
use tower_user_metadata::store::{MariadbOptions, MariadbStore, MetadataStore, StoreError, StoreErrorKind};
use tower_user_metadata::{ConfigError, Precondition};

use super::{tls, update, user};
use crate::errors::{Expected, chain, failures, logged};
use crate::servers::mariadb::Mariadb;
use crate::servers::process::free_port;

const USER: &str = "alice-of-the-tests";
const VALUE: &str = "value-of-the-tests";
const PASSWORD: &str = "password-of-the-tests";
const WRONG: &str = "wrong-one-of-the-tests";
const SECRETS: &[&str] = &[USER, VALUE, PASSWORD, WRONG, "tester"];

/// A server with a user who has no rights but those that tests give.
async fn server() -> Option<(Mariadb, mysql_async::Conn, String)> {
    let server = Mariadb::start(&[]).await?;
    let mut stranger = server.stranger().await;
    stranger.query_drop(format!("CREATE USER app@'%' IDENTIFIED BY '{PASSWORD}'")).await.expect("a user");
    let url = format!("mariadb://app:{PASSWORD}@127.0.0.1:{}/app", server.port);
    Some((server, stranger, url))
}

fn expected<'a>(operation: &'a str, server: &'a str, kind: StoreErrorKind, words: &'a [&'a str]) -> Expected<'a> {
    Expected { operation, engine: "MariaDB", server, kind, words, secrets: SECRETS }
}

/// The error of a store that does not open, which is told at once and not later.
async fn refused(options: MariadbOptions, url: &str, server: &str, kind: StoreErrorKind, words: &[&str]) {
    let (lines, _guard) = logged();
    let error = options.connect(url).await.expect_err("refused");
    assert!(!format!("{error:?} {}", chain(&error)).contains(PASSWORD), "{error:?}");
    let ConfigError::Store(error) = error else { panic!("{error:?}") };
    expected("open", server, kind, words).check(&error, &lines);
}

async fn failed<T>(
    call: impl Future<Output = Result<T, StoreError>>,
    operation: &str,
    server: &str,
    kind: StoreErrorKind,
    words: &[&str],
) {
    let (lines, _guard) = logged();
    let Err(error) = call.await else { panic!("{operation} did not fail") };
    expected(operation, server, kind, words).check(&error, &lines);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_fails_says_where_and_why() {
    let Some((server, mut stranger, url)) = server().await else { return };
    let place = format!("127.0.0.1:{}", server.port);
    let open = async |url: &str, kind, words: &[&str]| {
        refused(MariadbStore::options(), url, &place, kind, words).await;
    };
    let wrong = ["1045", "the user or the password is wrong"];
    open(&url.replace(PASSWORD, WRONG), StoreErrorKind::Internal, &wrong).await;
    open(&url.replace("app:", "nobody:"), StoreErrorKind::Internal, &wrong).await;
    open(&url, StoreErrorKind::Internal, &["1044", "no such database, or the user has no right to it"]).await;
    stranger.query_drop("GRANT SELECT ON *.* TO app@'%'").await.expect("granted");
    let nothing = url.replace("/app", "/nothing").replacen("nothing:", "app:", 1);
    open(&nothing, StoreErrorKind::Internal, &["1049", "no such database"]).await;
    open(&url, StoreErrorKind::Internal, &["1142", "permission denied", "GRANT"]).await;
    for mode in ["required", "verify-identity"] {
        let words = ["the server offers no TLS", "`ssl-mode`"];
        open(&format!("{url}?ssl-mode={mode}"), StoreErrorKind::Internal, &words).await;
    }
    let nobody = free_port();
    let gone = url.replace(&server.port.to_string(), &nobody.to_string());
    let words = ["no connection could be made", "Connection refused"];
    let options = MariadbStore::options;
    refused(options(), &gone, &format!("127.0.0.1:{nobody}"), StoreErrorKind::Unavailable, &words).await;
    let unknown = format!("mysql://app:{PASSWORD}@no-such-host.invalid/app");
    let words = ["no connection could be made"];
    refused(options(), &unknown, "no-such-host.invalid:3306", StoreErrorKind::Unavailable, &words).await;
    let socket = format!("mysql://app:{PASSWORD}@localhost/app?socket=/nowhere.sock");
    refused(options(), &socket, "/nowhere.sock", StoreErrorKind::Unavailable, &words).await;
    let elsewhere = options().with_schema_made_elsewhere();
    refused(elsewhere, &url, &place, StoreErrorKind::Unsupported, &["the schema is missing or old"]).await;

    stranger.query_drop("ALTER USER app@'%' WITH MAX_USER_CONNECTIONS 1").await.expect("set");
    let mut occupied =
        mysql_async::Conn::new(mysql_async::Opts::from_url(&url.replace("mariadb", "mysql")).expect("a URL"))
            .await
            .expect("the only connection");
    open(&url, StoreErrorKind::Unavailable, &["1226", "too many connections"]).await;
    occupied.ping().await.expect("still there");
    stranger.query_drop("ALTER USER app@'%' WITH MAX_USER_CONNECTIONS 0 ACCOUNT LOCK").await.expect("set");
    open(&url, StoreErrorKind::Internal, &["4151", "the account is locked"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_is_not_trusted_is_named_as_the_reason() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some(server) = tls::server(folder.path()).await else { return };
    for (host, trusted, words) in
        [("127.0.0.1", "stranger.pem", "invalid peer certificate"), ("localhost", "ca.pem", "not valid for name")]
    {
        let file = folder.path().join(trusted);
        let url = server.url().replace("127.0.0.1", host);
        let url = format!("{url}?ssl-mode=verify-identity&ssl-ca={}", file.display());
        let words = ["no connection could be made", "invalid peer certificate", words];
        let place = format!("{host}:{}", server.port);
        refused(MariadbStore::options(), &url, &place, StoreErrorKind::Unavailable, &words).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_fails_says_where_and_why() {
    let Some((mut server, mut stranger, url)) = server().await else { return };
    let place = format!("127.0.0.1:{}", server.port);
    stranger.query_drop(MariadbStore::schema_sql()).await.expect("made");
    let grant = "GRANT SELECT, INSERT, UPDATE, DELETE ON app.tower_user_metadata TO app@'%'";
    let mut set = async |sql: &str| stranger.query_drop(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    set(grant).await;
    let open = async |options: MariadbOptions| options.connect(&url).await.expect("the store opens");
    let store = open(MariadbStore::options()).await;
    let write = |store: &MariadbStore| {
        let (store, update) = (store.clone(), update(&format!(r#"{{"a":"{VALUE}"}}"#)));
        async move { store.update(&user(USER), &update, &Precondition::None).await }
    };
    write(&store).await.expect("written");
    let alice = user(USER);

    set("REVOKE ALL ON app.tower_user_metadata FROM app@'%'").await;
    let denied = ["1142", "permission denied", "GRANT"];
    failed(store.get(&alice), "get", &place, StoreErrorKind::Internal, &denied).await;
    failed(store.get_many(&[user("bob"), alice.clone()]), "get_many", &place, StoreErrorKind::Internal, &denied).await;
    failed(write(&store), "update", &place, StoreErrorKind::Internal, &denied).await;
    failed(store.clear(&alice, &Precondition::Exists), "clear", &place, StoreErrorKind::Internal, &denied).await;
    set(grant).await;

    // What a database says of a row is for nobody else.
    set("CREATE TRIGGER refuse BEFORE UPDATE ON tower_user_metadata FOR EACH ROW BEGIN
            DECLARE message VARCHAR(120) DEFAULT CONCAT(OLD.user_id, ' ', OLD.document);
            SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = message;
        END")
    .await;
    failed(write(&store), "update", &place, StoreErrorKind::Internal, &["1644"]).await;
    set("DROP TRIGGER refuse").await;

    set("SET GLOBAL read_only = ON").await;
    failed(write(&store), "update", &place, StoreErrorKind::Unavailable, &["1290", "the server is read-only"]).await;
    set("SET GLOBAL read_only = OFF").await;

    let hasty = open(MariadbStore::options().with_deadline(std::time::Duration::from_millis(300))).await;
    set("LOCK TABLES tower_user_metadata WRITE").await;
    failed(hasty.get(&alice), "get", &place, StoreErrorKind::Timeout, &[]).await;
    set("UNLOCK TABLES").await;

    set(&format!("UPDATE tower_user_metadata SET document = '[\"{VALUE}\"]'")).await;
    failed(store.get(&alice), "get", &place, StoreErrorKind::Corrupt, &["damaged"]).await;

    let late = MariadbStore::options().with_offline_start();
    set("ALTER TABLE tower_user_metadata COMMENT = 'tower-user-metadata schema 9'").await;
    let words = ["schema version 9 is newer than 2"];
    failed(write(&open(late.clone()).await), "update", &place, StoreErrorKind::Unsupported, &words).await;

    set("RENAME TABLE tower_user_metadata TO away").await;
    set("GRANT SELECT ON app.* TO app@'%'").await;
    failed(store.get(&alice), "get", &place, StoreErrorKind::Internal, &["1146", "the table is missing"]).await;

    set(&format!("ALTER USER app@'%' IDENTIFIED BY '{WRONG}'")).await;
    let words = ["1045", "the user or the password is wrong"];
    failed(write(&open(late).await), "update", &place, StoreErrorKind::Internal, &words).await;

    hasty.close().await;
    failed(hasty.get(&alice), "get", &place, StoreErrorKind::Closed, &["closed"]).await;
    server.kill();
    failed(store.get(&alice), "get", &place, StoreErrorKind::Unavailable, &["Connection refused"]).await;
    // What is the caller's own is no failure of the store.
    let (lines, _guard) = logged();
    let too_large = update(&format!(r#"{{"a":"{}"}}"#, "x".repeat(1024 * 1024)));
    store.update(&alice, &too_large, &Precondition::None).await.expect_err("too large");
    assert!(failures(&lines).is_empty());
}
