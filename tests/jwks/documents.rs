//! Documents and servers of all kinds: `jwks/jwks_docs.jsonl` of the test vectors.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use tokio::task::JoinSet;
use tower_user_metadata::session::AuthErrorKind as Kind;
use tower_user_metadata::session::keys::{Algorithm, Jwks};

use crate::keys::{M, N, judge, verifier, verify};
use crate::server::{Reply, Server};
use crate::support::vectors::{Row, Tally, family, say};

const COOL_DOWN: Duration = Duration::from_millis(500);
const DEADLINE: Duration = Duration::from_secs(2);
const MEGABYTE: usize = 1024 * 1024;

/// What the key server does in a row; `None`: it is down.
fn reply(row: &Value) -> Option<Reply> {
    let good = format!(r#"{{"keys":[{}]}}"#, N.jwk("k-rsa-1"));
    if let Some(body) = row["body"].as_str() {
        let mut exponent = [0xff; 256];
        exponent[0] = 0x7f;
        let body = body.replace("{N}", &N.modulus()).replace("{M}", &M.modulus());
        return Some(Reply::keys(body.replace("{E 2048 bit}", &URL_SAFE_NO_PAD.encode(exponent))));
    }
    let server = &row["server"];
    let lines = |headers: &[(&str, &str)]| headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    if server["refuse"] == true {
        return None;
    }
    Some(if let Some(status) = server["status"].as_u64() {
        let status = u16::try_from(status).expect("a status");
        let headers = server["headers"].as_object().into_iter().flatten();
        let mut headers: Vec<_> = headers.map(|(name, value)| (&**name, value.as_str().expect("text"))).collect();
        headers.extend(server["location"].as_str().map(|location| ("Location", location)));
        Reply::Whole(status, lines(&headers), if status == 304 { String::new() } else { good })
    } else if let Some(bytes) = server["body_bytes"].as_u64() {
        Reply::Huge(usize::try_from(bytes).expect("a size"))
    } else if let Some(value) = server["cache_control"].as_str() {
        Reply::Whole(200, lines(&[("Cache-Control", value)]), good)
    } else if server["no_end"] == true {
        Reply::NoEnd(good)
    } else if server["drip"] == "1 byte per second" {
        Reply::Drip(good, Duration::from_secs(1))
    } else if let Some(delay) = server["delay_ms"].as_u64() {
        Reply::Delay(Duration::from_millis(delay), good)
    } else {
        panic!("a server of a new kind: {row}")
    })
}

/// Plays a row against a verifier that has other keys already, and tells what became of a token under the key of the
/// row.
async fn play(row: Row) -> (Row, &'static str) {
    let (id, expect) = (&row.id, row.text_of("expect"));
    let mut server = Server::start(Reply::keys(format!(r#"{{"keys":[{}]}}"#, M.jwk("k-old")))).await;
    let jwks = Jwks::builder([Algorithm::RS256])
        .with_url(server.url())
        .with_cool_down(COOL_DOWN)
        .with_fetch_deadline(DEADLINE)
        .build()
        .await
        .expect("the old keys");
    let verifier = verifier(&jwks);
    let (old, new) = (M.token("k-old"), N.token("k-rsa-1"));
    assert_eq!(verify(&verifier, &old).await, Ok(()));
    match reply(&row.value()) {
        Some(reply) => server.answer(reply),
        None => server.stop().await,
    }
    tokio::time::sleep(COOL_DOWN).await;

    let began = Instant::now();
    let request = tokio::spawn({
        let (verifier, new) = (verifier.clone(), new.clone());
        async move { judge(&verifier, &new).await }
    });
    // A known key has no part in it.
    let meanwhile = judge(&verifier, &old).await;
    assert!(meanwhile.at_once, "{id}");
    let judged = request.await.expect("no panic");
    assert!(!judged.at_once, "{id}");
    assert!(began.elapsed() < DEADLINE + Duration::from_secs(2), "{id}: {:?}", began.elapsed());
    assert!(server.requests().iter().all(|head| head.starts_with("GET /jwks.json HTTP/1.1\r\n")), "{id}");
    assert!(server.written() < 8 * MEGABYTE, "{id}: {} bytes were taken", server.written());

    let old_is_kept = judge(&verifier, &old).await.result.is_ok();
    let failed = jwks.status().last_error.is_some();
    assert_eq!(old_is_kept, failed, "{id}: old keys stay exactly when the fetch fails: {:?}", jwks.status());
    let answer = match (judged.result, old_is_kept) {
        (Ok(()), false) => "use",
        (Err(Kind::UnknownKey), false) => "no-key",
        (Err(Kind::UnknownKey), true) => "keep-old",
        other => panic!("{id}: {other:?}"),
    };
    if !expect.starts_with("policy:") {
        assert_eq!(answer, expect, "{id}: {:?}", jwks.status());
    }
    (row, answer)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn documents_and_servers() {
    // Made before the clocks run, because it takes a while.
    LazyLock::force(&N);
    LazyLock::force(&M);
    let rows = family("jwks/jwks_docs");
    assert!(rows.len() >= 32, "only {} rows", rows.len());
    let mut plays = JoinSet::new();
    for row in rows {
        plays.spawn(play(row));
    }
    let mut tally = Tally::of("jwks/jwks_docs");
    for (row, answer) in plays.join_all().await {
        match answer {
            _ if row.text_of("expect").starts_with("policy:") => tally.policy(&row, answer),
            "use" => tally.accepted(),
            _ => tally.refused(),
        }
    }
    say(&tally.to_string());
}
