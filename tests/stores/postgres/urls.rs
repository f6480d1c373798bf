//! URLs that lead to a server, in all the ways in which they can be written.

use tower_user_metadata::ConfigError;
use tower_user_metadata::store::{self, MetadataStore, PostgresStore};

use super::{json, put, user};
use crate::servers::postgres::Postgres;
use crate::servers::process::free_port;

/// Each of these ends a part of a URL.
const PASSWORD: &str = "p@s/s:w#o?r d%41&=+";
const ENCODED: &str = "p%40s%2Fs%3Aw%23o%3Fr%20d%2541%26%3D%2B";

#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_found_by_every_form_of_a_url() {
    let Some(server) = Postgres::start(&["unix_socket_directories=..", "listen_addresses=localhost"]).await else {
        return;
    };
    let stranger = server.stranger().await;
    let sql = format!("CREATE ROLE \"a@b\" SUPERUSER LOGIN PASSWORD '{PASSWORD}'; CREATE DATABASE \"two words\"");
    for statement in sql.split("; ") {
        stranger.batch_execute(statement).await.expect("made");
    }
    let (port, dead) = (server.port, free_port());
    let folder = server.directory.path().display().to_string();
    let login = format!("a%40b:{ENCODED}");
    let encoded_folder = folder.replace('/', "%2F");
    let mut urls = vec![
        format!("postgres://{login}@127.0.0.1:{port}/two%20words"),
        format!("postgresql://{login}@localhost:{port}/two%20words?sslmode=disable"),
        format!("postgres://{login}@127.0.0.1:{dead},127.0.0.1:{port}/two%20words?target_session_attrs=read-write"),
        format!("postgres://{login}@{encoded_folder}:{port}/two%20words"),
        format!("postgres://{login}@/two%20words?host={encoded_folder}&port={port}"),
        format!("postgres:///two%20words?host={folder}&port={port}&user=a%40b&password={ENCODED}"),
        format!("postgres://{login}@127.0.0.1:{port}/two%20words?application_name=me@here&keepalives_count=3"),
        format!("postgres://{login}@127.0.0.1:{port}/two%20words?options=-c%20search_path%3Dpublic"),
    ];
    if tokio::net::TcpStream::connect(("::1", port)).await.is_ok() {
        urls.push(format!("postgres://{login}@[::1]:{port}/two%20words"));
    }
    for url in urls {
        let store = PostgresStore::connect(&url).await.unwrap_or_else(|error| panic!("{url}: {error:?}"));
        put(&store, "alice", r#"{"a":1}"#).await.expect("written");
        assert_eq!(json(&store, "alice").await.as_deref(), Some(r#"{"a":1}"#), "{url}");
        store.close().await;
        for around in [format!("{url}\n"), format!(" {url}"), format!("{url}\r\n"), format!("\t{url} ")] {
            for refused in [PostgresStore::connect(&around).await.err(), store::connect(&around).await.err()] {
                assert!(matches!(refused, Some(ConfigError::StoreUrl { .. })), "{around:?}: {refused:?}");
            }
        }
    }
    let store = store::connect(&format!("postgres://{login}@127.0.0.1:{port}/two%20words")).await.expect("opened");
    assert!(store.get(&user("alice")).await.expect("read").is_some());
}
