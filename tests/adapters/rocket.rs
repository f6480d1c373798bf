use http::header::AUTHORIZATION;
use http::{HeaderValue, Method};
use rocket::error::ErrorKind;
use rocket::fairing::AdHoc;
use rocket::local::asynchronous::{Client, LocalResponse};
use rocket::response::Responder;
use rocket::{Build, Rocket, get, post, routes};
use tower_user_metadata::adapter::rocket::{Claims, Demand, Optional, UserMetadata, refusal};
use tower_user_metadata::endpoints::{Problem, UserMetadataEndpoints};
use tower_user_metadata::session::claims::{ClaimValidator, PrimitiveArrayClaim};
use tower_user_metadata::{
    AuthError, AuthErrorKind, Authenticator, MetadataUpdate, Session, StoreError, UserMetadataHandle,
};

use crate::shared::{
    Answer, Headers, admin, authenticator, authenticator_on, bad_bodies, bearer, endpoints_answer, forbidden_answer,
    json, layer_answer, small_store, store_errors, strangers,
};

struct Admin;

impl Demand for Admin {
    fn validator() -> impl ClaimValidator {
        PrimitiveArrayClaim::USER_ROLE.includes("admin")
    }
}

#[post("/user")]
fn user_id(session: Session, metadata: UserMetadataHandle) -> String {
    assert_eq!(session.user_id(), metadata.user_id());
    session.user_id().as_str().to_owned()
}

#[post("/admin")]
fn admins(_admin: Claims<Admin>, session: Session) -> String {
    session.user_id().as_str().to_owned()
}

#[post("/greet")]
fn greet(session: Optional<Session>, metadata: Optional<UserMetadataHandle>) -> String {
    assert_eq!(session.0.is_some(), metadata.0.is_some());
    session.0.map_or_else(|| "stranger".to_owned(), |session| session.user_id().as_str().to_owned())
}

#[post("/update", data = "<update>")]
async fn update(metadata: UserMetadataHandle, update: MetadataUpdate) -> Result<String, StoreError> {
    Ok(metadata.update(update).await?.metadata.to_json())
}

/// Its data guard alone asks for the session.
#[post("/blind", data = "<update>")]
fn blind(update: MetadataUpdate) -> String {
    update.fields().count().to_string()
}

#[get("/error/<index>")]
fn error(index: usize) -> Option<StoreError> {
    store_errors().nth(index)
}

fn application(sessions: Authenticator) -> Rocket<Build> {
    let config = rocket::Config { log_level: rocket::config::LogLevel::Off, ..rocket::Config::default() };
    rocket::custom(config)
        .attach(UserMetadata::fairing(sessions))
        .mount("/", routes![user_id, admins, greet, update, blind, error])
        .mount("/endpoints", UserMetadataEndpoints::new())
}

async fn client(sessions: Authenticator) -> Client {
    Client::untracked(application(sessions)).await.expect("it starts")
}

async fn send<'c>(
    client: &'c Client,
    method: Method,
    path: &'c str,
    headers: Headers,
    body: &[u8],
) -> LocalResponse<'c> {
    let method = method.as_str().parse().expect("a method");
    let mut request = client.req(method, path);
    for (name, value) in headers {
        // What is not UTF-8 Rocket drops when it comes over a socket.
        let Ok(value) = std::str::from_utf8(value.as_bytes()).map(str::to_owned) else { continue };
        request.add_header(rocket::http::Header::new(name.as_str().to_owned(), value));
    }
    request.body(body).dispatch().await
}

async fn post<'c>(client: &'c Client, path: &'c str, headers: Headers) -> Answer {
    answer(send(client, Method::POST, path, headers, b"").await).await
}

fn signed_in(bearer: &str) -> Headers {
    vec![(AUTHORIZATION, HeaderValue::from_str(bearer).expect("a value"))]
}

/// Without the headers that Rocket gives every answer.
async fn answer(response: LocalResponse<'_>) -> Answer {
    const ROCKETS: [&str; 5] =
        ["server", "permissions-policy", "x-content-type-options", "x-frame-options", "content-length"];
    let mut copy = http::Response::builder().status(response.status().code);
    for header in response.headers().iter().filter(|header| !ROCKETS.contains(&&*header.name.as_str().to_lowercase())) {
        copy = copy.header(header.name.as_str(), &*header.value);
    }
    let body = response.into_bytes().await.unwrap_or_default();
    Answer::new(copy.body(body.into()).expect("it was a response"))
}

#[tokio::test]
async fn strangers_get_the_answers_of_the_tower_layer() {
    let client = client(authenticator()).await;
    for (name, headers) in strangers() {
        let expected = match name {
            "bytes beyond ASCII" => layer_answer(vec![]).await,
            _ => layer_answer(headers.clone()).await,
        };
        assert_eq!(post(&client, "/user", headers.clone()).await, expected, "{name}");
        assert_eq!(post(&client, "/blind", headers).await, expected, "{name}");
    }
}

#[tokio::test]
async fn a_session_reaches_the_handler_and_a_role_is_demanded_where_it_is() {
    let client = client(authenticator()).await;
    for (path, bearer) in [("/user", bearer()), ("/user", admin()), ("/admin", admin())] {
        assert_eq!(post(&client, path, signed_in(&bearer)).await.body, "alice", "{path}");
    }
    assert_eq!(post(&client, "/admin", signed_in(&bearer())).await, forbidden_answer().await);
    assert_eq!(post(&client, "/admin", vec![]).await, layer_answer(vec![]).await);
}

#[tokio::test]
async fn an_application_without_the_fairing_does_not_start() {
    for (name, routes) in [
        ("user", routes![user_id]),
        ("admin", routes![admins]),
        ("greet", routes![greet]),
        ("update", routes![update]),
        ("blind", routes![blind]),
    ] {
        let config = rocket::Config { log_level: rocket::config::LogLevel::Off, ..rocket::Config::default() };
        let error = rocket::custom(config).mount("/", routes).ignite().await.expect_err(name);
        assert!(matches!(error.kind(), ErrorKind::SentinelAborts(_)), "{name}");
    }
}

#[tokio::test]
async fn an_optional_session_is_none_only_without_credentials() {
    // Whether the authenticator itself is optional must not matter: the guard says which is meant.
    for sessions in [authenticator(), authenticator().optional()] {
        let client = client(sessions).await;
        assert_eq!(post(&client, "/greet", vec![]).await.body, "stranger");
        assert_eq!(post(&client, "/greet", signed_in("Bearer x")).await.status, 401);
        assert_eq!(post(&client, "/greet", signed_in(&bearer())).await.body, "alice");
        assert_eq!(post(&client, "/user", vec![]).await, layer_answer(vec![]).await);
    }
}

#[tokio::test]
async fn bad_bodies_get_the_answers_of_the_endpoints_and_change_nothing() {
    let store = small_store();
    let client = client(authenticator_on(store.clone())).await;
    let put = async |path, method, headers: Headers, body: &[u8]| {
        answer(send(&client, method, path, [headers, signed_in(&bearer())].concat(), body).await).await
    };
    assert_eq!(put("/update", Method::POST, json(), br#"{"k":1}"#).await.body, r#"{"k":1}"#);
    for (name, headers, body) in bad_bodies() {
        let expected = endpoints_answer(store.clone(), headers.clone(), body.clone()).await;
        assert!(expected.status >= 400, "{name}");
        assert_eq!(put("/update", Method::POST, headers.clone(), &body).await, expected, "{name}");
        assert_eq!(put("/endpoints", Method::PATCH, headers, &body).await.uncached(), expected, "{name}");
    }
    assert_eq!(put("/endpoints", Method::GET, vec![], b"").await.body, r#"{"k":1}"#);
    assert_eq!(put("/endpoints", Method::POST, vec![], b"").await.status, 405);
}

#[tokio::test]
async fn errors_are_rendered_as_everywhere() {
    let client = client(authenticator()).await;
    for (index, error) in store_errors().enumerate() {
        let path = format!("/error/{index}");
        let rendered = answer(send(&client, Method::GET, &path, vec![], b"").await).await;
        assert_eq!(rendered, Answer::new(Problem::from(&error).into_response()));
    }
    let request = client.get("/");
    let invalid = MetadataUpdate::from_json(b"[]").expect_err("not an object");
    assert_eq!(invalid.respond_to(&request).map(|response| response.status().code), Ok(400));
    let refused = AuthError::new(AuthErrorKind::MissingCredentials);
    assert_eq!(refused.respond_to(&request).map(|response| response.status().code), Ok(401));
}

#[tokio::test]
async fn a_later_fairing_has_the_last_word_and_knows_the_reason() {
    let own = AdHoc::on_response("own answers", |request, response| {
        Box::pin(async move {
            if let Some(kind) = refusal(request).and_then(|problem| problem.auth_error().map(AuthError::kind)) {
                let body = format!("{kind:?}");
                response.set_sized_body(body.len(), std::io::Cursor::new(body));
            }
        })
    });
    let client = Client::untracked(application(authenticator()).attach(own)).await.expect("it starts");
    let stranger = post(&client, "/user", vec![]).await;
    assert_eq!((stranger.status, &*stranger.body), (401, "MissingCredentials"));
}
