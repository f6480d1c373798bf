//! What comes from outside the process: key servers, databases, and the libraries that speak to them.

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tower_user_metadata::session::keys::{Algorithm, Jwks};
use tower_user_metadata::session::{JwtVerifier, SessionVerifier, Verdict, VerifyInput};

use crate::watch::Watch;
use crate::world::{World, now};
use crate::{debug, failed};

/// A key server that answers the same to everybody; gives its address.
async fn key_server(answer: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    address
}

fn http(status: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
}

/// A URL may hold the key to a key server, and a key server may answer with anything.
pub(crate) async fn key_servers(world: &World, watch: &Watch) {
    let secret = world.secret.as_str();
    let builder = || Jwks::builder([Algorithm::RS256]);
    for url in [
        format!("https://user:{secret}@auth.example.com/jwks"),
        format!("http://auth.example.com/jwks?key={secret}"),
        format!("ftp://auth.example.com/{secret}"),
        format!("not a URL: {secret}"),
    ] {
        let builder = builder().with_url(&url);
        debug(watch, "a builder of a key server's client", &builder);
        failed(watch, "a key server's URL", builder.build().await);
    }
    let jwk = json!({ "kty": "oct", "kid": world.kid, "k": world.secret_base64() });
    let private = json!({ "kty": "RSA", "kid": world.kid, "n": "AA", "e": "AQAB", "d": world.secret_base64() });
    for answer in [
        http("200 OK", secret),
        http("200 OK", &json!({ "keys": [jwk, private, { "kty": secret }] }).to_string()),
        http("500 Internal Server Error", secret),
        http("302 Found\r\nLocation: https://127.0.0.1/", secret),
        format!("{secret}\r\n\r\n"),
        format!("HTTP/1.1 200 {secret}\r\n{secret}: {secret}\r\n{secret}"),
        String::new(),
    ] {
        let address = key_server(answer).await;
        let builder = || builder().with_url(format!("http://{address}/jwks?key={secret}"));
        failed(watch, "a key server's answer", builder().build().await);
        let keys = builder().with_offline_start().build().await.expect("a start without keys");
        debug(watch, "the keys of a key server", &keys);
        debug(watch, "how they are doing", &keys.status());
        let verifier = JwtVerifier::supertokens(keys.clone()).build().expect("a verifier");
        debug(watch, "a verifier with a key server", &verifier);
        for token in world.tokens() {
            let failure = match verifier.verify(VerifyInput::new(&token, now())) {
                Verdict::Ready(answer) => answer,
                Verdict::Pending(answer) => answer.await,
            };
            failed(watch, "an AuthError without keys", failure);
        }
        keys.close().await;
    }
    watch.log();
}

#[cfg(feature = "sqlite")]
pub(crate) async fn databases(world: &World, watch: &Watch) {
    use tower_user_metadata::store::{MetadataStore, SqliteStore, connect};
    use tower_user_metadata::{Precondition, UserId, UserMetadataHandle, metadata_update};

    let folder = tempfile::tempdir().expect("a directory");
    let path = folder.path().join("metadata.db");
    let store = SqliteStore::open(&path).await.expect("a database");
    let user = UserId::new(world.user.as_str()).expect("an id");
    let handle = UserMetadataHandle::admin(user.clone(), store.clone());
    let value = world.value.as_str();
    let record = handle.update(metadata_update! { "field": value }).await.expect("written");
    debug(watch, "a record of SQLite", &record);
    debug(watch, "SQLite", &store);
    debug(watch, "a handle on SQLite", &handle);
    failed(watch, "a document of another type", handle.get_as::<Vec<u8>>().await);
    failed(watch, "a document that is there", handle.clear_if(Precondition::Absent).await);
    failed(watch, "a large document", handle.set("a", &value.repeat(10_000)).await);
    store.close().await;
    failed(watch, "a closed database", store.get(&user).await);
    watch.log();

    // The documents are in the file, and the file is no longer one of SQLite.
    let mut bytes = std::fs::read(&path).expect("a file");
    bytes.iter_mut().take(100).for_each(|byte| *byte = b'x');
    std::fs::write(&path, bytes).expect("written");
    failed(watch, "a damaged database", connect(&format!("sqlite://{}", path.display())).await);
    failed(watch, "a directory", connect(&format!("sqlite://{}", folder.path().display())).await);
    failed(watch, "parameters", connect(&format!("sqlite://x.db?key={}", world.secret)).await);
    watch.log();
}

#[cfg(not(feature = "sqlite"))]
pub(crate) async fn databases(_: &World, _: &Watch) {}
