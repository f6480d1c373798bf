//! An adapter as somebody else would write it, for a framework that this crate does not know: it keeps the contract.

mod adapter;
mod framework;

use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use futures_core::Stream;
use jsonwebtoken::{EncodingKey, Header};
use serde_json::json;
use tower_user_metadata::conformance::adapter::{TokenKind, USER, check};
use tower_user_metadata::endpoints::{Problem, UserMetadataEndpoints};
use tower_user_metadata::session::JwtVerifier;
use tower_user_metadata::session::keys::{Algorithm, VerificationKey};
use tower_user_metadata::store::MemoryStore;
use tower_user_metadata::{Authenticator, MetadataUpdate, Session, StoreErrorKind, UserMetadataHandle};

use adapter::{REMEDY, endpoints, optional, required, sessions, update};
use framework::{Handler, HeaderList, Request, Response, handler, serve};

const SECRET: &[u8] = b"nT7#kq2!vX9@mZ4$wR8%yB6^cD3&fG5*";

fn authenticator() -> Authenticator {
    let key = VerificationKey::from_secret(Algorithm::HS256, SECRET).expect("a strong secret");
    let verifier = JwtVerifier::builder(key).without_audience().build().expect("it is told whose tokens it takes");
    Authenticator::new(verifier, MemoryStore::new())
}

fn mint(kind: TokenKind) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let (user, expires, secret) = match kind {
        TokenKind::Good => (USER, now + 600, SECRET),
        TokenKind::OtherUser => ("somebody-else", now + 600, SECRET),
        TokenKind::Expired => (USER, now - 600, SECRET),
        TokenKind::WrongKey => (USER, now + 600, &b"7dP%uJ3*hS8&eK5#zN2!xV9@qL6^tM4$"[..]),
    };
    let claims = json!({ "sub": user, "exp": expires });
    jsonwebtoken::encode(&Header::default(), &claims, &EncodingKey::from_secret(secret).expect("not empty"))
        .expect("claims serialise")
}

/// The application that the contract wants.
fn application(authenticator: &Authenticator) -> Handler {
    let user_info = sessions(authenticator, handler(|request| async move { or_problem(user_info(request).await) }));
    let update_info = sessions(authenticator, handler(|request| async move { or_problem(update_info(request).await) }));
    let clear_info = sessions(authenticator, handler(|request| async move { or_problem(clear_info(request).await) }));
    handler(move |request| {
        let route = match (request.method.as_str(), request.path.as_str()) {
            ("GET" | "HEAD", "/userinfo") => Ok(user_info.clone()),
            ("POST", "/updateinfo") => Ok(update_info.clone()),
            ("POST", "/clearinfo") => Ok(clear_info.clone()),
            (_, "/userinfo") => Err((405, "method not allowed", Some("GET, HEAD"))),
            (_, "/updateinfo" | "/clearinfo") => Err((405, "method not allowed", Some("POST"))),
            _ => Err((404, "not found", None)),
        };
        async move {
            match route {
                Ok(route) => route(request).await,
                Err((status, message, allow)) => {
                    let mut response = Response { status, ..json(&json!({ "message": message }).to_string()) };
                    response.headers.extend(allow.map(|allow| ("allow".to_owned(), allow.into())));
                    response
                }
            }
        }
    })
}

async fn user_info(request: Request) -> Result<Response, Problem> {
    let metadata: UserMetadataHandle = required(&request)?;
    let head = request.method == "HEAD";
    let mut response = json(&metadata.get().await?.to_json());
    if head {
        response.headers.push(("content-length".to_owned(), response.body.len().to_string().into()));
        response.body = Bytes::new();
    }
    Ok(response)
}

async fn update_info(request: Request) -> Result<Response, Problem> {
    let metadata: UserMetadataHandle = required(&request)?;
    let document = metadata.update(update(request).await?).await?.metadata.to_json();
    Ok(json(&format!(r#"{{"message":"successfully updated user metadata","metadata":{document}}}"#)))
}

async fn clear_info(request: Request) -> Result<Response, Problem> {
    let metadata: UserMetadataHandle = required(&request)?;
    metadata.clear().await?;
    Ok(json(r#"{"success":true}"#))
}

async fn greet(request: Request) -> Result<Response, Problem> {
    let session: Option<Session> = optional(&request)?;
    Ok(json(session.as_ref().map_or("stranger", |session| session.user_id().as_str())))
}

fn or_problem(answer: Result<Response, Problem>) -> Response {
    answer.unwrap_or_else(Response::from)
}

fn json(body: &str) -> Response {
    let headers = vec![("content-type".to_owned(), b"application/json".to_vec())];
    Response {
        status: 200,
        headers,
        body: Bytes::copy_from_slice(body.as_bytes()),
        extensions: http::Extensions::new(),
    }
}

#[test]
fn it_keeps_the_contract() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let address = runtime.block_on(serve(application(&authenticator())));
    let report = check(address, mint);
    assert!(report.checked().len() > 150);
}

/// A body that is there.
struct Whole(Option<Bytes>);

impl Stream for Whole {
    type Item = Result<Bytes, Box<dyn Error + Send + Sync>>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(self.0.take().map(Ok))
    }
}

async fn send(
    handler: &Handler,
    method: &str,
    headers: &[(&str, &str)],
    body: &'static str,
) -> (u16, HeaderList, String) {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect();
    let body = Box::pin(Whole(Some(Bytes::from_static(body.as_bytes()))));
    let response = handler(Request::new(method, "/", headers, body)).await;
    (response.status, response.headers, String::from_utf8(response.body.to_vec()).expect("text"))
}

const ORIGIN: (&str, &str) = ("Origin", "https://app.example.com");
const ASKED: (&str, &str) = ("Access-Control-Request-Method", "PATCH");
const JSON: (&str, &str) = ("Content-Type", "application/json");

#[tokio::test]
async fn the_endpoints_are_a_handler() {
    let bearer = format!("Bearer {}", mint(TokenKind::Good));
    let signed_in = ("Authorization", bearer.as_str());
    let ready_made = sessions(&authenticator(), endpoints(UserMetadataEndpoints::new()));
    let (status, headers, body) = send(&ready_made, "PATCH", &[signed_in, JSON], r#"{"a":1}"#).await;
    assert_eq!((status, body.as_str()), (200, r#"{"a":1}"#));
    let etag = headers.iter().find(|(name, _)| name == "etag").map(|(_, value)| value.as_slice());
    let weak = format!("W/{}", std::str::from_utf8(etag.expect("an ETag")).expect("text"));
    let (status, _, body) = send(&ready_made, "PATCH", &[signed_in, JSON, ("If-Match", &weak)], r#"{"b":2}"#).await;
    assert_eq!((status, body.as_str()), (200, r#"{"a":1,"b":2}"#));
    assert_eq!(send(&ready_made, "PATCH", &[signed_in, JSON, ("If-Match", &weak)], "{}").await.0, 412);
    assert_eq!(send(&ready_made, "GET", &[signed_in], "").await.2, r#"{"a":1,"b":2}"#);
    assert_eq!(send(&ready_made, "GET", &[], "").await.0, 401);
}

#[tokio::test]
async fn sessions_can_be_optional() {
    let bearer = format!("Bearer {}", mint(TokenKind::Good));
    let greeting = handler(|request| async move { or_problem(greet(request).await) });
    let optional = sessions(&authenticator().with_optional_sessions(), greeting);
    assert_eq!(send(&optional, "GET", &[], "").await.2, "stranger");
    assert_eq!(send(&optional, "GET", &[("Authorization", &bearer)], "").await.2, USER);
    assert_eq!(send(&optional, "GET", &[("Authorization", "Bearer x")], "").await.0, 401);
    let needs_one = handler(|request| async move { or_problem(user_info(request).await) });
    assert_eq!(send(&sessions(&authenticator().with_optional_sessions(), needs_one), "GET", &[], "").await.0, 401);
}

/// What the application wants to answer holds here too, for a refusal, an extractor, a handler and the endpoints.
#[tokio::test]
async fn problems_are_rendered_by_the_function_of_the_application() {
    let bearer = format!("Bearer {}", mint(TokenKind::Good));
    let signed_in = ("Authorization", bearer.as_str());
    let authenticator = authenticator().with_problem_response(|problem, mut answer| {
        answer.headers_mut().insert("x-rendered", http::HeaderValue::from_static("once"));
        answer.map(|_| format!("told: {problem}").into())
    });
    let optional = authenticator.clone().with_optional_sessions();
    let user_info = handler(|request| async move { or_problem(user_info(request).await) });
    let update_info = handler(|request| async move { or_problem(update_info(request).await) });
    let failing = handler(|_| async { tower_user_metadata::StoreError::new(StoreErrorKind::Unavailable).into() });
    let ready_made = endpoints(UserMetadataEndpoints::new());
    let (unauthorised, invalid) = ((401, "told: unauthorised"), (400, "told: metadata must be a JSON object"));
    for (handler, method, headers, expected) in [
        (sessions(&authenticator, user_info.clone()), "GET", vec![], unauthorised),
        (sessions(&optional, user_info.clone()), "GET", vec![], unauthorised),
        (sessions(&authenticator, update_info), "POST", vec![signed_in, JSON], invalid),
        (sessions(&authenticator, failing), "GET", vec![signed_in], (503, "told: metadata unavailable")),
        (sessions(&authenticator, ready_made), "PATCH", vec![signed_in, JSON], invalid),
    ] {
        let (status, headers, body) = send(&handler, method, &headers, "[]").await;
        assert_eq!((status, &*body), expected);
        assert_eq!(headers.iter().filter(|(name, _)| name == "x-rendered").count(), 1);
    }
    let fine = send(&sessions(&authenticator, user_info), "GET", &[signed_in], "").await;
    assert_eq!((fine.0, &*fine.2), (200, "{}"));
}

#[tokio::test]
async fn a_preflight_passes_without_a_session() {
    let bearer = format!("Bearer {}", mint(TokenKind::Good));
    let ready_made = sessions(&authenticator(), endpoints(UserMetadataEndpoints::new()));
    let greeting = handler(|request| async move { or_problem(greet(request).await) });
    let greeting = sessions(&authenticator(), greeting);
    for credentials in [bearer.as_str(), "Bearer x"] {
        let headers = [ORIGIN, ASKED, ("Authorization", credentials)];
        assert_eq!(send(&ready_made, "OPTIONS", &headers, "").await.0, 204);
        assert_eq!(send(&greeting, "OPTIONS", &headers, "").await.2, "stranger");
    }
    assert_eq!(send(&ready_made, "OPTIONS", &[ORIGIN], "").await.0, 401);
    let refusing = sessions(&authenticator().with_preflights_refused(), endpoints(UserMetadataEndpoints::new()));
    assert_eq!(send(&refusing, "OPTIONS", &[ORIGIN, ASKED], "").await.0, 401);
}

#[tokio::test]
async fn a_middleware_that_was_forgotten_is_named() {
    for bare in
        [endpoints(UserMetadataEndpoints::new()), handler(|request| async move { or_problem(greet(request).await) })]
    {
        let (status, _, body) = send(&bare, "GET", &[], "").await;
        assert_eq!((status, body), (500, json!({ "message": REMEDY }).to_string()));
    }
}

#[test]
fn errors_are_responses() {
    let unavailable = Response::from(tower_user_metadata::StoreError::new(StoreErrorKind::Unavailable));
    assert_eq!(unavailable.status, 503);
    let invalid = MetadataUpdate::from_json(b"[]").expect_err("not an object");
    assert_eq!(Response::from(invalid).status, 400);
}
