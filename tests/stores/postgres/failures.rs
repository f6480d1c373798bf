//! What an operator learns of each failure: from the error, and from the log.

use tower_user_metadata::store::{MetadataStore, PostgresOptions, PostgresStore, StoreError, StoreErrorKind};
use tower_user_metadata::{ConfigError, Precondition};

use super::{put, tls, update, user};
use crate::errors::{Expected, chain, logged};
use crate::servers::postgres::Postgres;
use crate::servers::process::free_port;

const USER: &str = "alice-of-the-tests";
const VALUE: &str = "value-of-the-tests";
const PASSWORD: &str = "password-of-the-tests";
const WRONG: &str = "wrong-one-of-the-tests";
const SECRETS: &[&str] = &[USER, VALUE, PASSWORD, WRONG, "tester"];

/// A server with a role that has no rights but those that tests give it.
async fn server(settings: &[&str]) -> Option<(Postgres, tokio_postgres::Client, String)> {
    let server = Postgres::start(settings).await?;
    let stranger = server.stranger().await;
    stranger.batch_execute(&format!("CREATE ROLE app LOGIN PASSWORD '{PASSWORD}'")).await.expect("a role");
    let url = format!("postgres://app:{PASSWORD}@127.0.0.1:{}/postgres", server.port);
    Some((server, stranger, url))
}

async fn rights(stranger: &tokio_postgres::Client) {
    let schema = PostgresStore::schema_sql();
    let grants = "GRANT SELECT, INSERT, UPDATE, DELETE ON tower_user_metadata TO app;
        GRANT SELECT ON tower_user_metadata_schema TO app;";
    stranger.batch_execute(&format!("BEGIN; {schema} {grants} COMMIT")).await.expect("made");
}

fn expected<'a>(operation: &'a str, server: &'a str, kind: StoreErrorKind, words: &'a [&'a str]) -> Expected<'a> {
    Expected { operation, engine: "PostgreSQL", server, kind, words, secrets: SECRETS }
}

/// The error of a store that does not open, which is told at once and not later.
async fn refused(options: PostgresOptions, url: &str, server: &str, kind: StoreErrorKind, words: &[&str]) {
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
) -> StoreError {
    let (lines, _guard) = logged();
    let Err(error) = call.await else { panic!("{operation} did not fail") };
    expected(operation, server, kind, words).check(&error, &lines);
    error
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_fails_says_where_and_why() {
    let Some((server, stranger, url)) = server(&[]).await else { return };
    let place = format!("127.0.0.1:{}", server.port);
    let open = async |url: &str, kind, words: &[&str]| {
        refused(PostgresStore::options(), url, &place, kind, words).await;
    };
    let replaced = |from: &str, to: &str| url.replace(from, to);
    open(&replaced(PASSWORD, WRONG), StoreErrorKind::Internal, &["28P01", "the user or the password is wrong"]).await;
    open(&replaced("app:", "nobody:"), StoreErrorKind::Internal, &["28P01", "the user or the password is wrong"]).await;
    open(
        &replaced("/postgres", "/nothing").replacen("nothing:", "postgres:", 1),
        StoreErrorKind::Internal,
        &["3D000", "there is no such database"],
    )
    .await;
    open(&url, StoreErrorKind::Internal, &["42501", "permission denied", "GRANT"]).await;
    for mode in ["require", "verify-ca", "verify-full"] {
        let words = ["the server offers no TLS", "`sslmode`"];
        open(&format!("{url}?sslmode={mode}"), StoreErrorKind::Internal, &words).await;
    }
    let nobody = free_port();
    let gone = url.replace(&server.port.to_string(), &nobody.to_string());
    let refusal = ["no connection could be made", "Connection refused"];
    refused(PostgresStore::options(), &gone, &format!("127.0.0.1:{nobody}"), StoreErrorKind::Unavailable, &refusal)
        .await;
    let two = gone.replace("@", "@localhost:1,");
    let both = format!("localhost:1,127.0.0.1:{nobody}");
    refused(PostgresStore::options(), &two, &both, StoreErrorKind::Unavailable, &refusal).await;
    let unknown = format!("postgres://app:{PASSWORD}@no-such-host.invalid/postgres");
    let words = ["no connection could be made"];
    refused(PostgresStore::options(), &unknown, "no-such-host.invalid:5432", StoreErrorKind::Unavailable, &words).await;
    let socket = format!("postgres://app:{PASSWORD}@%2Fnowhere/postgres");
    refused(PostgresStore::options(), &socket, "/nowhere/.s.PGSQL.5432", StoreErrorKind::Unavailable, &words).await;
    let elsewhere = PostgresStore::options().with_schema_made_elsewhere();
    refused(elsewhere, &url, &place, StoreErrorKind::Unsupported, &["the schema is missing or old"]).await;

    stranger.batch_execute("ALTER ROLE app CONNECTION LIMIT 0").await.expect("set");
    open(&url, StoreErrorKind::Unavailable, &["53300", "too many connections"]).await;
    stranger.batch_execute("ALTER ROLE app CONNECTION LIMIT -1 NOLOGIN").await.expect("set");
    open(&url, StoreErrorKind::Internal, &["28000", "the right to log in"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_is_not_trusted_is_named_as_the_reason() {
    let Some((server, ours, others)) = tls::server().await else { return };
    let by_name = server.url().replace("127.0.0.1", "localhost");
    for (url, trusted, host, words) in [
        (&by_name, &others, "localhost", "invalid peer certificate"),
        (&server.url(), &ours, "127.0.0.1", "not valid for name"),
    ] {
        let url = format!("{url}?sslmode=verify-full&sslrootcert={}", trusted.display());
        let place = format!("{host}:{}", server.port);
        let words = ["no connection could be made", "invalid peer certificate", words];
        refused(PostgresStore::options(), &url, &place, StoreErrorKind::Unavailable, &words).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_fails_says_where_and_why() {
    let Some((mut server, stranger, url)) = server(&[]).await else { return };
    rights(&stranger).await;
    let place = format!("127.0.0.1:{}", server.port);
    let update = || update(&format!(r#"{{"a":"{VALUE}"}}"#));
    let open = async |options: PostgresOptions, query: &str| {
        options.connect(&format!("{url}{query}")).await.expect("the store opens")
    };
    let store = open(PostgresStore::options(), "").await;
    let write = |store: &PostgresStore| {
        let store = store.clone();
        async move { store.update(&user(USER), &update(), &Precondition::None).await }
    };
    write(&store).await.expect("written");

    let set = async |sql: &str| stranger.batch_execute(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    set("REVOKE ALL ON tower_user_metadata FROM app").await;
    let denied = ["42501", "permission denied", "GRANT"];
    let alice = user(USER);
    failed(store.get(&alice), "get", &place, StoreErrorKind::Internal, &denied).await;
    failed(store.get_many(&[user("bob"), alice.clone()]), "get_many", &place, StoreErrorKind::Internal, &denied).await;
    failed(write(&store), "update", &place, StoreErrorKind::Internal, &denied).await;
    failed(store.clear(&alice, &Precondition::Exists), "clear", &place, StoreErrorKind::Internal, &denied).await;
    set("GRANT SELECT, INSERT, UPDATE, DELETE ON tower_user_metadata TO app").await;

    // What a database says of a row is for nobody else.
    set("CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            RAISE EXCEPTION 'no % with %', NEW.user_id, NEW.document USING DETAIL = NEW.user_id, HINT = NEW.document;
        END $$;
        CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON tower_user_metadata FOR EACH ROW EXECUTE FUNCTION refuse()")
    .await;
    failed(write(&store), "update", &place, StoreErrorKind::Internal, &["P0001"]).await;
    set("DROP TRIGGER refuse ON tower_user_metadata").await;

    set("ALTER ROLE app SET default_transaction_read_only = on").await;
    let reading = open(PostgresStore::options(), "").await;
    let words = ["25006", "the server is read-only"];
    failed(write(&reading), "update", &place, StoreErrorKind::Unavailable, &words).await;
    set("ALTER ROLE app RESET default_transaction_read_only").await;

    let impatient = open(PostgresStore::options(), "?options=-c%20statement_timeout%3D100").await;
    set("BEGIN; LOCK TABLE tower_user_metadata").await;
    let words = ["57014", "statement_timeout"];
    failed(impatient.get(&alice), "get", &place, StoreErrorKind::Timeout, &words).await;
    set("ROLLBACK").await;

    set(&format!("UPDATE tower_user_metadata SET document = '[\"{VALUE}\"]'")).await;
    failed(store.get(&alice), "get", &place, StoreErrorKind::Corrupt, &["damaged"]).await;

    let late = PostgresStore::options().with_offline_start();
    set("UPDATE tower_user_metadata_schema SET version = 9").await;
    let words = ["schema version 9 is newer than 1"];
    failed(write(&open(late.clone(), "").await), "update", &place, StoreErrorKind::Unsupported, &words).await;
    set("UPDATE tower_user_metadata_schema SET version = 1").await;

    set("ALTER TABLE tower_user_metadata RENAME TO away").await;
    failed(store.get(&alice), "get", &place, StoreErrorKind::Internal, &["42P01", "a table is missing"]).await;
    set("ALTER TABLE away RENAME TO tower_user_metadata").await;

    set(&format!("ALTER ROLE app PASSWORD '{WRONG}'")).await;
    let words = ["28P01", "the user or the password is wrong"];
    failed(write(&open(late, "").await), "update", &place, StoreErrorKind::Internal, &words).await;

    impatient.close().await;
    failed(impatient.get(&alice), "get", &place, StoreErrorKind::Closed, &["closed"]).await;
    server.stop();
    let gone = failed(store.get(&alice), "get", &place, StoreErrorKind::Unavailable, &["Connection refused"]).await;
    assert!(gone.is_retryable());
    // What is the caller's own is no failure of the store.
    let (lines, _guard) = logged();
    let too_large = super::update(&format!(r#"{{"a":"{}"}}"#, "x".repeat(1024 * 1024)));
    store.update(&alice, &too_large, &Precondition::None).await.expect_err("too large");
    assert!(crate::errors::failures(&lines).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_of_the_application_has_no_place_and_its_errors_do_not_invent_one() {
    let Some((server, _stranger, url)) = server(&[]).await else { return };
    let manager = deadpool_postgres::Manager::new(url.parse().expect("a URL"), tokio_postgres::NoTls);
    let pool = deadpool_postgres::Pool::builder(manager).build().expect("a pool");
    drop(server);
    let store = PostgresStore::new(pool);
    let (lines, _guard) = logged();
    let error = put(&store, USER, "{}").await.expect_err("no server");
    assert!(error.to_string().ends_with("(update, PostgreSQL)"), "{error}");
    assert_eq!((error.engine(), error.server()), (Some("PostgreSQL"), None));
    assert_eq!(crate::errors::failures(&lines).len(), 1);
}
