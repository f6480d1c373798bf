//! URLs that lead to a server, in all the ways in which they can be written.

use mysql_async::prelude::Queryable;
use tower_user_metadata::ConfigError;
use tower_user_metadata::store::{self, MariadbStore, MetadataStore};

use super::{json, put, user};
use crate::servers::mariadb::Mariadb;

/// Each of these ends a part of a URL.
const PASSWORD: &str = "p@s/s:w#o?r d%41&=+";
const ENCODED: &str = "p%40s%2Fs%3Aw%23o%3Fr%20d%2541%26%3D%2B";

#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_found_by_every_form_of_a_url() {
    let Some(server) = Mariadb::start(&["--bind-address=*"]).await else { return };
    let mut stranger = server.stranger().await;
    for statement in [
        &format!("CREATE USER 'a@b'@'%' IDENTIFIED BY '{PASSWORD}'"),
        "CREATE USER 'open'@'%'",
        "CREATE DATABASE `two words`",
        "GRANT ALL ON *.* TO 'a@b'@'%'",
        "GRANT ALL ON *.* TO 'open'@'%'",
    ] {
        stranger.query_drop(statement).await.expect("made");
    }
    let port = server.port;
    let socket = server.directory.path().join("socket").display().to_string();
    let encoded_socket = socket.replace('/', "%2F");
    let mut urls = vec![
        format!("mariadb://a%40b:{ENCODED}@127.0.0.1:{port}/two%20words"),
        format!("mysql://a%40b:{ENCODED}@127.0.0.1:{port}/two%20words?ssl-mode=disabled"),
        format!("mysql://open@127.0.0.1:{port}/two%20words"),
        format!("mysql://open:@127.0.0.1:{port}/two%20words"),
        format!("mysql://a%40b:{ENCODED}@localhost/two%20words?socket={encoded_socket}"),
        format!("mysql://open@localhost/two%20words?socket={socket}"),
    ];
    if tokio::net::TcpStream::connect(("::1", port)).await.is_ok() {
        urls.push(format!("mysql://a%40b:{ENCODED}@[::1]:{port}/two%20words"));
    }
    for url in urls {
        let store = MariadbStore::connect(&url).await.unwrap_or_else(|error| panic!("{url}: {error:?}"));
        put(&store, "alice", r#"{"a":1}"#).await.expect("written");
        assert_eq!(json(&store, "alice").await.as_deref(), Some(r#"{"a":1}"#), "{url}");
        store.close().await;
        for around in [format!("{url}\n"), format!(" {url}"), format!("{url}\r\n"), format!("\t{url} ")] {
            for refused in [MariadbStore::connect(&around).await.err(), store::connect(&around).await.err()] {
                assert!(matches!(refused, Some(ConfigError::StoreUrl { .. })), "{around:?}: {refused:?}");
            }
        }
    }
    let store = store::connect(&format!("mysql://open@127.0.0.1:{port}/two%20words")).await.expect("opened");
    assert!(store.get(&user("alice")).await.expect("read").is_some());
}
