//! The ready-made endpoints: statuses, conditional requests, and that an error changes nothing.

#[path = "../support/log.rs"]
mod log;
mod logs;

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full, StreamBody};
use tower::Service;
use tower_user_metadata::endpoints::UserMetadataEndpoints;
use tower_user_metadata::store::{Capabilities, Durability, MemoryStore, MetadataStore, StoreError, StoreErrorKind};
use tower_user_metadata::{
    Limits, MetadataUpdate, Precondition, Record, UserId, UserMetadataHandle, Version, metadata_update,
};

/// An answer, read to its end.
struct Answer {
    status: u16,
    headers: http::HeaderMap,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("text"))
    }

    fn etag(&self) -> &str {
        self.header("etag").expect("an ETag")
    }
}

fn alice(store: impl MetadataStore) -> UserMetadataHandle {
    UserMetadataHandle::admin(UserId::new("alice").expect("an id"), store)
}

async fn answer<B>(endpoints: UserMetadataEndpoints, request: Request<B>) -> Answer
where
    B: Body<Data: Send, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
{
    let mut endpoints = endpoints;
    let response: Result<Response<Full<Bytes>>, Infallible> = endpoints.call(request).await;
    let (parts, body) = response.expect("infallible").into_parts();
    let body = body.collect().await.expect("infallible").to_bytes();
    let body = String::from_utf8(body.to_vec()).expect("text");
    Answer { status: parts.status.as_u16(), headers: parts.headers, body }
}

async fn send(metadata: &UserMetadataHandle, method: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let mut request = Request::builder().method(method).uri("/").extension(metadata.clone());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let body = Full::<Bytes>::from(body.to_owned());
    answer(UserMetadataEndpoints::new(), request.body(body).expect("a request")).await
}

const JSON: (&str, &str) = ("content-type", "application/json");

#[tokio::test]
async fn a_document_is_read_merged_and_removed() {
    let metadata = alice(MemoryStore::new());
    let absent = send(&metadata, "GET", &[], "").await;
    assert_eq!((absent.status, absent.body.as_str(), absent.header("etag")), (200, "{}", None));

    let patched = send(&metadata, "PATCH", &[JSON], r#"{"a":1.50,"b":{"c":null},"d":null}"#).await;
    assert_eq!((patched.status, patched.body.as_str()), (200, r#"{"a":1.50,"b":{"c":null}}"#));
    let read = send(&metadata, "GET", &[], "").await;
    assert_eq!((read.status, &read.body, read.etag()), (200, &patched.body, patched.etag()));
    assert_eq!(read.header("cache-control"), Some("private, no-cache"));
    assert_eq!(read.header("vary"), Some("Authorization, Cookie"));

    let head = send(&metadata, "HEAD", &[], "").await;
    assert_eq!((head.status, head.body.as_str(), head.etag()), (200, "", read.etag()));
    assert_eq!(head.header("content-length"), Some("25"));

    let removed = send(&metadata, "DELETE", &[], "").await;
    assert_eq!((removed.status, removed.body.as_str()), (204, ""));
    assert_eq!(send(&metadata, "GET", &[], "").await.body, "{}");
}

#[tokio::test]
async fn a_read_is_revalidated_by_its_etag() {
    let metadata = alice(MemoryStore::new());
    let etag = send(&metadata, "PATCH", &[JSON], r#"{"a":1}"#).await.etag().to_owned();
    let several = format!("\"x\", {etag}");
    for fresh in changed_by_proxies(&etag).iter().map(String::as_str).chain([etag.as_str(), &several, "*"]) {
        let read = send(&metadata, "GET", &[("if-none-match", fresh)], "").await;
        assert_eq!((read.status, read.body.as_str(), read.etag()), (304, "", etag.as_str()), "{fresh}");
        assert_eq!(read.header("content-type"), None);
    }
    assert_eq!(send(&metadata, "GET", &[("if-none-match", "\"0000000000000000\"")], "").await.status, 200);
    for same in changed_by_proxies(&etag) {
        assert_eq!(send(&metadata, "GET", &[("if-match", &same)], "").await.status, 200, "{same}");
    }
    send(&metadata, "DELETE", &[], "").await;
    assert_eq!(send(&metadata, "GET", &[("if-none-match", "*")], "").await.status, 200);
}

#[tokio::test]
async fn a_write_demands_what_it_says() {
    let metadata = alice(MemoryStore::new());
    let absent = ("if-none-match", "*");
    assert_eq!(send(&metadata, "PATCH", &[JSON, ("if-match", "*")], r#"{"a":0}"#).await.status, 412);
    let first = send(&metadata, "PATCH", &[JSON, absent], r#"{"a":1}"#).await;
    assert_eq!(first.status, 200);
    let again = send(&metadata, "PATCH", &[JSON, absent], r#"{"a":2}"#).await;
    assert_eq!((again.status, again.etag()), (412, first.etag()));
    assert_eq!(again.body, r#"{"message":"the metadata has changed"}"#);

    let second = send(&metadata, "PATCH", &[JSON, ("if-match", first.etag())], r#"{"a":3}"#).await;
    assert_eq!(second.status, 200);
    let several = format!("{}, {}", first.etag(), second.etag());
    let (stale, weak) = (format!("W/{}", first.etag()), format!("W/{}", second.etag()));
    for (condition, status) in [
        (("if-match", first.etag()), 412),
        (("if-match", stale.as_str()), 412),
        (("if-match", "\"not ours\""), 412),
        (("if-match", "no quotes"), 412),
        (("if-match", ""), 400),
        (("if-match", "*, \"x\""), 400),
        (("if-none-match", second.etag()), 412),
        (("if-none-match", weak.as_str()), 412),
    ] {
        for method in ["PATCH", "DELETE"] {
            let refused = send(&metadata, method, &[JSON, condition], r#"{"a":4}"#).await;
            assert_eq!(refused.status, status, "{method} {condition:?}");
            assert_eq!(send(&metadata, "GET", &[], "").await.etag(), second.etag(), "{method} {condition:?}");
        }
    }
    let third = send(&metadata, "PATCH", &[JSON, ("if-match", &several)], r#"{"a":5}"#).await;
    assert_eq!(third.status, 200);
    let both = [JSON, ("if-match", third.etag()), ("if-none-match", first.etag())];
    let fourth = send(&metadata, "PATCH", &both, r#"{"a":6}"#).await;
    assert_eq!((fourth.status, fourth.body.as_str()), (200, r#"{"a":6}"#));
    assert_eq!(send(&metadata, "DELETE", &[("if-match", fourth.etag())], "").await.status, 204);
}

/// The tags that proxies which compress answers make of one: weak ones nginx, Cloudflare and Varnish; with a suffix Apache,
/// Caddy and Jetty.
fn changed_by_proxies(etag: &str) -> Vec<String> {
    let opaque = etag.trim_matches('"');
    let suffixes = ["-gzip", "--gzip", ";gzip", "-br", "-zstd", "-deflate", "-gzip-gzip"];
    let changed = suffixes.iter().flat_map(|suffix| ["", "W/"].map(|weak| format!("{weak}\"{opaque}{suffix}\"")));
    changed.chain([format!("W/{etag}")]).collect()
}

/// Else a client behind such a proxy could never write: it knows no other tag.
#[tokio::test]
async fn a_tag_that_a_proxy_changed_names_the_same_version() {
    // Nothing is read for it: the store decides.
    let metadata = alice(Unreadable(MemoryStore::new()));
    for change in 0..changed_by_proxies("").len() {
        let first = send(&metadata, "PATCH", &[JSON], r#"{"a":1}"#).await;
        let tag = &changed_by_proxies(first.etag())[change];
        let second = send(&metadata, "PATCH", &[JSON, ("if-match", tag)], r#"{"a":2}"#).await;
        assert_eq!((second.status, second.body.as_str()), (200, r#"{"a":2}"#), "{tag}");
        for method in ["PATCH", "DELETE"] {
            let overtaken = send(&metadata, method, &[JSON, ("if-match", tag)], r#"{"a":3}"#).await;
            assert_eq!((overtaken.status, overtaken.etag()), (412, second.etag()), "{method} {tag}");
        }
        let tag = &changed_by_proxies(second.etag())[change];
        assert_eq!(send(&metadata, "DELETE", &[("if-match", tag)], "").await.status, 204, "{tag}");
    }
}

/// Keeps the documents in memory, and cannot be read.
#[derive(Debug)]
struct Unreadable(MemoryStore);

#[async_trait]
impl MetadataStore for Unreadable {
    async fn get(&self, _: &UserId) -> Result<Option<Record>, StoreError> {
        Err(StoreError::new(StoreErrorKind::Unsupported))
    }

    async fn get_many(&self, _: &[UserId]) -> Result<Vec<Option<Record>>, StoreError> {
        Err(StoreError::new(StoreErrorKind::Unsupported))
    }

    async fn update(&self, user: &UserId, update: &MetadataUpdate, when: &Precondition) -> Result<Record, StoreError> {
        self.0.update(user, update, when).await
    }

    async fn clear(&self, user: &UserId, when: &Precondition) -> Result<(), StoreError> {
        self.0.clear(user, when).await
    }

    async fn close(&self) {}

    fn capabilities(&self) -> Capabilities {
        self.0.capabilities()
    }
}

/// What the store can decide it is asked once, and nothing is read for it.
#[tokio::test]
async fn a_condition_that_the_store_knows_is_decided_by_the_store() {
    let metadata = alice(Unreadable(MemoryStore::new()));
    let first = send(&metadata, "PATCH", &[JSON, ("if-none-match", "*")], r#"{"a":1}"#).await;
    assert_eq!(first.status, 200);
    let second = send(&metadata, "PATCH", &[JSON, ("if-match", first.etag())], r#"{"a":2}"#).await;
    assert_eq!(second.status, 200);
    let third = send(&metadata, "PATCH", &[JSON, ("if-match", "*")], r#"{"a":3}"#).await;
    for method in ["PATCH", "DELETE"] {
        let refused = send(&metadata, method, &[JSON, ("if-match", second.etag())], r#"{"a":4}"#).await;
        assert_eq!((refused.status, refused.etag()), (412, third.etag()), "{method}");
    }
    assert_eq!(send(&metadata, "DELETE", &[("if-match", third.etag())], "").await.status, 204);
}

/// Keeps the documents in memory; between a read and the write behind it somebody else writes.
#[derive(Debug)]
struct Busy(MemoryStore);

#[async_trait]
impl MetadataStore for Busy {
    async fn get(&self, user: &UserId) -> Result<Option<Record>, StoreError> {
        let found = self.0.get(user).await?;
        self.0.update(user, &metadata_update! { "theirs": true }, &Precondition::None).await?;
        Ok(found)
    }

    async fn get_many(&self, users: &[UserId]) -> Result<Vec<Option<Record>>, StoreError> {
        self.0.get_many(users).await
    }

    async fn update(&self, user: &UserId, update: &MetadataUpdate, when: &Precondition) -> Result<Record, StoreError> {
        self.0.update(user, update, when).await
    }

    async fn clear(&self, user: &UserId, when: &Precondition) -> Result<(), StoreError> {
        self.0.clear(user, when).await
    }

    async fn close(&self) {}

    fn capabilities(&self) -> Capabilities {
        self.0.capabilities()
    }
}

/// Conditions that need a read hold for the document that is written, not for the one that was read.
#[tokio::test]
async fn a_condition_is_not_met_by_what_was_overtaken() {
    for method in ["PATCH", "DELETE"] {
        let store = MemoryStore::new();
        let (metadata, busy) = (alice(store.clone()), alice(Busy(store)));
        let absent = send(&busy, method, &[JSON, ("if-none-match", "\"x\"")], r#"{"a":1}"#).await;
        assert_eq!(absent.status, 412, "{method}");
        let seen = send(&metadata, "GET", &[], "").await;
        assert_eq!(seen.body, r#"{"theirs":true}"#, "{method}");
        let several = format!("\"x\", {}", seen.etag());
        let overtaken = send(&busy, method, &[JSON, ("if-match", &several)], r#"{"a":1}"#).await;
        assert_eq!(overtaken.status, 412, "{method}");
        assert_eq!(send(&metadata, "GET", &[], "").await.body, seen.body, "{method}");
    }
}

#[tokio::test]
async fn preconditions_can_be_required() {
    let metadata = alice(MemoryStore::new());
    for (method, condition, status) in [
        ("PATCH", None, 428),
        ("DELETE", None, 428),
        ("GET", None, 200),
        ("PATCH", Some(("if-none-match", "*")), 200),
        ("DELETE", Some(("if-match", "*")), 204),
    ] {
        let mut request = Request::builder().method(method).header(JSON.0, JSON.1).extension(metadata.clone());
        if let Some((name, value)) = condition {
            request = request.header(name, value);
        }
        let request = request.body(Full::<Bytes>::from("{\"a\":1}")).expect("a request");
        let answer = answer(UserMetadataEndpoints::new().with_required_preconditions(), request).await;
        assert_eq!(answer.status, status, "{method} {condition:?}");
    }
}

#[tokio::test]
async fn a_bad_request_is_told_apart_and_changes_nothing() {
    let metadata = alice(MemoryStore::new().with_limits(Limits::default().with_document_bytes(64)));
    let before = send(&metadata, "PATCH", &[JSON], r#"{"kept":true}"#).await;
    let long = format!("{{\"a\":\"{}\"}}", "x".repeat(100));
    // Small by itself, too large once it is merged.
    let merged = format!("{{\"a\":\"{}\"}}", "x".repeat(45));
    let deep = format!("{{\"a\":{}1{}}}", "[".repeat(20), "]".repeat(20));
    for (headers, body, status) in [
        (&[JSON][..], "[]", 400),
        (&[JSON], "null", 400),
        (&[JSON], "", 400),
        (&[JSON], r#"{"a":1,"a":2}"#, 400),
        (&[JSON], "{\"a\":\"\\u0000\"}", 400),
        (&[JSON], &long, 413),
        (&[JSON], &merged, 413),
        (&[], "{}", 415),
        (&[("content-type", "text/plain")], "{}", 415),
        (&[("content-type", "application/merge-patch+json")], "{}", 415),
        (&[JSON, JSON], "{}", 415),
    ] {
        let refused = send(&metadata, "PATCH", headers, body).await;
        assert_eq!(refused.status, status, "{headers:?} {body}");
        assert!(refused.body.starts_with("{\"message\":\""), "{}", refused.body);
        match status {
            413 => assert!(refused.body.ends_with("\"limit\":64}"), "{}", refused.body),
            415 => assert_eq!(refused.header("accept-patch"), Some("application/json")),
            _ => {}
        }
    }
    assert_eq!(send(&metadata, "PATCH", &[JSON], &deep).await.status, 200, "within the limits of this store");
    send(&metadata, "PATCH", &[JSON], r#"{"a":null}"#).await;
    assert_eq!(send(&metadata, "GET", &[], "").await.body, before.body);
    for coding in
        ["gzip", "br", "deflate", "zstd", "x-gzip", "GZIP", "gzip, br", "identity, gzip", "gzip, identity", "*", "a b"]
    {
        // As a client that codes the body sends it, and one that only says so.
        for body in ["{}", "\u{1f}\u{8b}"] {
            let coded = send(&metadata, "PATCH", &[JSON, ("content-encoding", coding)], body).await;
            assert_eq!((coded.status, coded.header("accept-encoding")), (415, Some("identity")), "{coding}");
            assert_eq!(coded.body, r#"{"message":"the body must not have a content coding"}"#, "{coding}");
        }
    }
    let twice = [JSON, ("content-encoding", "identity"), ("content-encoding", "gzip")];
    assert_eq!(send(&metadata, "PATCH", &twice, "{}").await.status, 415);
    assert_eq!(send(&metadata, "GET", &[], "").await.body, before.body);
    for coding in ["identity", "Identity", "identity, identity", ""] {
        let taken = send(&metadata, "PATCH", &[JSON, ("content-encoding", coding)], "{}").await;
        assert_eq!((taken.status, &taken.body), (200, &before.body), "{coding}");
    }
    let method = send(&metadata, "PUT", &[JSON], "{}").await;
    assert_eq!((method.status, method.header("allow")), (405, Some("GET, HEAD, PATCH, DELETE")));
}

/// A body that never announces its length and never ends; counts the bytes that are read of it.
struct Endless(Arc<AtomicUsize>);

impl Body for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.fetch_add(1024, Ordering::SeqCst);
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[b' '; 1024])))))
    }
}

#[tokio::test]
async fn a_body_is_read_to_the_limit_and_not_further() {
    let metadata = alice(MemoryStore::new());
    let request = Request::patch("/").header(JSON.0, JSON.1).extension(metadata.clone());
    let read = Arc::new(AtomicUsize::new(0));
    let body = Endless(Arc::clone(&read));
    let endless = answer(UserMetadataEndpoints::new(), request.body(body).expect("a request")).await;
    assert_eq!((endless.status, endless.body.contains("65536")), (413, true));
    assert_eq!(read.load(Ordering::SeqCst), 65_536 + 1_024);

    let broken = futures_chunks([Ok("{\"a\":"), Err("the client hung up")]);
    let request = Request::patch("/").header(JSON.0, JSON.1).extension(metadata.clone());
    let broken = answer(UserMetadataEndpoints::new(), request.body(broken).expect("a request")).await;
    assert_eq!((broken.status, broken.body.as_str()), (400, r#"{"message":"the body could not be read"}"#));
    assert_eq!(metadata.record().await.expect("memory"), None);
}

/// A framework may take a connection that broke off for the end of the body.
#[tokio::test]
async fn a_body_that_is_shorter_than_announced_changes_nothing() {
    let metadata = alice(MemoryStore::new());
    let patch = async |headers: &[(&str, &str)]| {
        let body = futures_chunks([Ok(r#"{"cut":1"#), Ok("}")]);
        let request = Request::patch("/").header(JSON.0, JSON.1).extension(metadata.clone());
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        answer(UserMetadataEndpoints::new(), request.body(body).expect("a request")).await.status
    };
    for length in ["10", "60", "65536"] {
        assert_eq!(patch(&[("content-length", length)]).await, 400, "{length}");
    }
    assert_eq!(patch(&[("content-length", "65537")]).await, 413);
    assert_eq!(metadata.record().await.expect("memory"), None);
    // RFC 9112 section 6.3: where both are there, the chunks say how long it is.
    assert_eq!(patch(&[("content-length", "60"), ("transfer-encoding", "chunked")]).await, 200);
    assert_eq!(patch(&[("content-length", "9")]).await, 200);
}

/// A browser that asks whether a request of another origin would be welcome.
#[tokio::test]
async fn a_preflight_is_no_stranger() {
    use tower_user_metadata::layer::NoSession;

    let send = async |method: &str, headers: &[(&str, &str)], passed: bool| {
        let mut request = Request::builder().method(method);
        if passed {
            request = request.extension(NoSession);
        }
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        answer(UserMetadataEndpoints::new(), request.body(Full::<Bytes>::default()).expect("a request")).await
    };
    let origin = ("origin", "https://app.example.com");
    let asked = ("access-control-request-method", "PATCH");
    let preflight = send("OPTIONS", &[origin, asked], true).await;
    assert_eq!((preflight.status, preflight.body.as_str()), (204, ""));
    assert_eq!(preflight.header("allow"), Some("GET, HEAD, PATCH, DELETE"));
    // Nothing here says that a page of another origin may: that is for a CORS layer to say.
    assert!(preflight.headers.keys().all(|name| !name.as_str().starts_with("access-control-")));
    for (method, headers) in
        [("OPTIONS", &[origin][..]), ("OPTIONS", &[asked]), ("GET", &[origin, asked]), ("TRACE", &[origin, asked])]
    {
        assert_eq!(send(method, headers, true).await.status, 401, "{method} {headers:?}");
    }
    assert_eq!(send("OPTIONS", &[origin, asked], false).await.status, 500, "the layer was forgotten");
}

type Chunks<const N: usize> = StreamBody<Iter<std::array::IntoIter<Result<Frame<Bytes>, &'static str>, N>>>;

fn futures_chunks<const N: usize>(chunks: [Result<&'static str, &'static str>; N]) -> Chunks<N> {
    StreamBody::new(Iter(
        chunks.map(|chunk| chunk.map(|text| Frame::data(Bytes::from_static(text.as_bytes())))).into_iter(),
    ))
}

struct Iter<I>(I);

impl<I: Iterator + Unpin> futures_core::Stream for Iter<I> {
    type Item = I::Item;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<I::Item>> {
        Poll::Ready(self.0.next())
    }
}

/// A store that fails in one way.
#[derive(Debug)]
struct Failing(StoreErrorKind);

#[async_trait]
impl MetadataStore for Failing {
    async fn get(&self, _: &UserId) -> Result<Option<Record>, StoreError> {
        Err(StoreError::new(self.0).with_source("postgres://admin:hunter2@db"))
    }

    async fn get_many(&self, _: &[UserId]) -> Result<Vec<Option<Record>>, StoreError> {
        Err(StoreError::new(self.0))
    }

    async fn update(&self, _: &UserId, _: &MetadataUpdate, _: &Precondition) -> Result<Record, StoreError> {
        Err(StoreError::new(self.0).with_may_have_happened())
    }

    async fn clear(&self, _: &UserId, _: &Precondition) -> Result<(), StoreError> {
        Err(StoreError::precondition_failed(Some(Version::from_bits(255))))
    }

    async fn close(&self) {}

    fn capabilities(&self) -> Capabilities {
        Capabilities::new(Durability::Server)
    }
}

#[tokio::test]
async fn a_store_that_fails_is_an_outage_and_tells_nothing() {
    for (kind, status) in [
        (StoreErrorKind::Unavailable, 503),
        (StoreErrorKind::Timeout, 503),
        (StoreErrorKind::Closed, 503),
        (StoreErrorKind::Unsupported, 501),
        (StoreErrorKind::Corrupt, 500),
        (StoreErrorKind::Internal, 500),
    ] {
        let metadata = alice(Arc::new(Failing(kind)));
        for (method, headers) in [("GET", &[][..]), ("PATCH", &[JSON])] {
            let failed = send(&metadata, method, headers, "{}").await;
            assert_eq!(failed.status, status, "{method} {kind:?}");
            assert!(!failed.body.contains("hunter2"), "{}", failed.body);
            assert_eq!(failed.header("retry-after").is_some(), status == 503);
        }
        let changed = send(&metadata, "DELETE", &[], "").await;
        assert_eq!((changed.status, changed.etag()), (412, "\"00000000000000ff\""));
    }
}

#[tokio::test]
async fn without_the_layer_it_says_what_to_add() {
    let request = Request::get("/").body(Full::<Bytes>::default()).expect("a request");
    let answer = answer(UserMetadataEndpoints::new(), request).await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR.as_u16());
    assert!(answer.body.contains("UserMetadataLayer::new(verifier, store)"), "{}", answer.body);
}
