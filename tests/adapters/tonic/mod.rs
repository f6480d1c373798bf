//! gRPC: the rows of the contract that can be said in it, over HTTP/2; and, as for the other examples, the faults.

pub(crate) mod faults;
mod panics;

use std::net::SocketAddr;
use std::time::Duration;

use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue};
use prost::Message;
use tonic::body::Body;
use tonic::client::Grpc;
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Extensions, Request, Status};
use tonic_prost::ProstCodec;
use tower_user_metadata::adapter::tonic::GrpcRejection;
use tower_user_metadata::conformance::adapter::{Checked, Report, TokenKind};
use tower_user_metadata::endpoints::Problem;
use tower_user_metadata::layer::RejectionResponse;
use tower_user_metadata::{AuthError, AuthErrorKind};

use crate::example::Example;
use crate::issuer::Issuer;
use crate::shared::{admins, authenticator, bearer, store_errors};

#[derive(Clone, PartialEq, Message)]
struct Json {
    #[prost(string, tag = "1")]
    json: String,
}

/// The statuses for the rows of the report; `None` where there is no such request in gRPC.
pub(crate) fn replay(issuer: &Issuer, report: &Report) -> Vec<Option<Code>> {
    let directory = tempfile::tempdir().expect("a directory");
    let example = Example::trusting("tonic", directory.path(), issuer);
    let good = bearer_of(&issuer.mint(TokenKind::Good));
    let seed = report.checked().first().expect("rows").answer.body_text();
    run(async {
        let channel = connect(&example).await;
        let mut codes = Vec::new();
        for row in report.checked() {
            let Some((method, headers, json)) = translate(row) else {
                codes.push(None);
                continue;
            };
            call(&channel, "ClearInfo", good.clone(), "").await.expect("it clears");
            call(&channel, "UpdateInfo", good.clone(), &seed).await.expect("it fills");
            let answer = call(&channel, method, headers, &json).await;
            codes.push(Some(answer.as_ref().map_or_else(Status::code, |_| Code::Ok)));
            compare(row, answer);
            if row.answer.status() != 200 {
                assert_eq!(call(&channel, "UserInfo", good.clone(), "").await.expect("it reads"), seed, "{}", row.name);
            }
        }
        codes
    })
}

/// The row as a call.
fn translate(row: &Checked) -> Option<(&'static str, HeaderMap, String)> {
    let request = &row.request;
    let method = match (request.method(), request.target(), row.answer.status()) {
        // Methods, paths and content types are always those of gRPC.
        (_, _, 404 | 405 | 415) => return None,
        ("GET", "/userinfo", _) => "UserInfo",
        ("POST", "/updateinfo", _) => "UpdateInfo",
        ("POST", "/clearinfo", _) => "ClearInfo",
        _ => return None,
    };
    let mut headers = HeaderMap::new();
    for (name, value) in request.headers().filter(|(name, _)| !["Content-Type", "Expect"].contains(name)) {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
        headers.append(name, HeaderValue::from_bytes(value).expect("a value"));
    }
    // Every call is a POST, so a cookie needs the proof that a GET does not.
    if request.method() == "GET" {
        headers.insert("rid", HeaderValue::from_static("anti-csrf"));
    }
    // A string of a message is UTF-8.
    Some((method, headers, String::from_utf8(request.body().to_vec()).ok()?))
}

fn compare(row: &Checked, answer: Result<String, Status>) {
    let name = &row.name;
    match answer {
        Ok(json) => assert_eq!((200, json.as_bytes()), (row.answer.status(), row.answer.body()), "{name}"),
        Err(status) => {
            let code = match row.answer.status() {
                401 => Code::Unauthenticated,
                400 | 413 => Code::InvalidArgument,
                other => panic!("{name}: {other} is {status:?}"),
            };
            let body: serde_json::Value = serde_json::from_slice(row.answer.body()).expect("JSON");
            assert_eq!((status.code(), Some(status.message())), (code, body["message"].as_str()), "{name}");
            let challenge = status.metadata().get("www-authenticate").map(|value| value.to_str().expect("ASCII"));
            assert_eq!(challenge, row.answer.header("www-authenticate").next(), "{name}");
        }
    }
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn run<T>(calls: impl Future<Output = T>) -> T {
    calls.await
}

async fn connect(example: &Example) -> Channel {
    connect_to(example.address).await
}

async fn connect_to(address: SocketAddr) -> Channel {
    let endpoint = Endpoint::from_shared(format!("http://{address}")).expect("a URL");
    endpoint.connect().await.expect("it listens")
}

fn bearer_of(token: &str) -> HeaderMap {
    let value = HeaderValue::try_from(format!("Bearer {token}")).expect("a value");
    HeaderMap::from_iter([(http::header::AUTHORIZATION, value)])
}

async fn call(channel: &Channel, method: &str, headers: HeaderMap, json: &str) -> Result<String, Status> {
    let mut client = Grpc::new(channel.clone());
    client.ready().await.expect("the connection is open");
    let request =
        Request::from_parts(MetadataMap::from_headers(headers), Extensions::new(), Json { json: json.to_owned() });
    let answer = client.unary(request, path(method), ProstCodec::<Json, Json>::default()).await?;
    Ok(answer.into_inner().json)
}

fn path(method: &str) -> PathAndQuery {
    let service = if method == "Login" { "Login" } else { "UserMetadata" };
    format!("/user_metadata.v1.{service}/{method}").parse().expect("a path")
}

#[test]
fn the_development_login_issues_sessions_and_a_cookie_needs_its_proof() {
    let directory = tempfile::tempdir().expect("a directory");
    let example = Example::start("tonic", directory.path(), &[]);
    run(async {
        let channel = connect(&example).await;
        let login = call(&channel, "Login", HeaderMap::new(), r#"{"userId":"alice"}"#).await.expect("a session");
        let login: serde_json::Value = serde_json::from_str(&login).expect("JSON");
        let token = login["accessToken"].as_str().expect("a token");
        let updated = call(&channel, "UpdateInfo", bearer_of(token), r#"{"a":1}"#).await.expect("an update");
        assert_eq!(updated, r#"{"message":"successfully updated user metadata","metadata":{"a":1}}"#);
        let cookie = HeaderValue::try_from(format!("sAccessToken={token}")).expect("a value");
        let mut cookie = HeaderMap::from_iter([(http::header::COOKIE, cookie)]);
        let refused = call(&channel, "UserInfo", cookie.clone(), "").await.expect_err("no proof");
        assert_eq!((refused.code(), refused.message()), (Code::Unauthenticated, "try refresh token"));
        cookie.insert("rid", HeaderValue::from_static("anti-csrf"));
        assert_eq!(call(&channel, "UserInfo", cookie, "").await.expect("a proof"), r#"{"a":1}"#);
        let refused = call(&channel, "Login", HeaderMap::new(), "[]").await.expect_err("no login");
        assert_eq!(refused.code(), Code::InvalidArgument);
        let unknown = call(&channel, "DropTables", bearer_of(token), "").await.expect_err("no method");
        assert_eq!(unknown.code(), Code::Unimplemented);
    });
}

#[test]
fn errors_become_statuses() {
    for error in store_errors() {
        let problem = Problem::from(&error);
        let status = Status::from(error);
        let code = match problem.status().as_u16() {
            412 => Code::Aborted,
            501 => Code::Unimplemented,
            503 => Code::Unavailable,
            _ => Code::Internal,
        };
        assert_eq!((status.code(), status.message()), (code, &*problem.to_string()));
        assert_eq!(status.metadata().get("etag").is_some(), code == Code::Aborted);
        let pushback = status.metadata().get("grpc-retry-pushback-ms").map(|delay| delay.to_str().expect("ASCII"));
        assert_eq!(pushback, (code == Code::Unavailable).then_some("1000"));
    }
    for kind in [AuthErrorKind::KeysUnavailable, AuthErrorKind::SessionsUnavailable] {
        let later = AuthError::new(kind).with_source("no route to sessions.example.com");
        let response: http::Response<Body> = GrpcRejection.response(&later.with_retry_after(Duration::from_secs(7)));
        let status = Status::from_header_map(response.headers()).expect("a status");
        assert_eq!((response.status().as_u16(), status.code()), (200, Code::Unavailable));
        assert_eq!(status.message(), "session verification unavailable");
        assert_eq!(status.metadata().get("grpc-retry-pushback-ms").map(MetadataValue::as_bytes), Some(&b"7000"[..]));
    }
    let ended = Status::from(AuthError::new(AuthErrorKind::UnknownSession));
    assert_eq!((ended.code(), ended.message()), (Code::Unauthenticated, "unauthorised"));
}

#[tokio::test]
async fn a_role_is_demanded_where_it_is_and_the_client_told() {
    let headers =
        HeaderMap::from_iter([(http::header::AUTHORIZATION, HeaderValue::try_from(bearer()).expect("a value"))]);
    let refused = admins(&authenticator()).authenticate("POST", &headers).await.expect_err("no administrator");
    let status = Status::from(refused);
    assert_eq!((status.code(), status.message()), (Code::PermissionDenied, "invalid claim"));
    let claims =
        status.metadata().get_bin("claim-validation-errors-bin").expect("the claims").to_bytes().expect("base64");
    let claims: serde_json::Value = serde_json::from_slice(&claims).expect("JSON");
    assert_eq!(claims[0]["id"], "st-role");

    let sessions = authenticator();
    let session = sessions.authenticate("POST", &headers).await.expect("a session").expect("a session").session;
    let admin = tower_user_metadata::session::claims::PrimitiveArrayClaim::USER_ROLE.includes("admin");
    assert_eq!(
        sessions.check(&session, &admin).map_err(|error| Status::from(error).code()),
        Err(Code::PermissionDenied)
    );
}
