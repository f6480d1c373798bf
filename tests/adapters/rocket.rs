use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::{HeaderValue, Method};
use rocket::error::ErrorKind;
use rocket::fairing::AdHoc;
use rocket::local::asynchronous::{Client, LocalResponse};
use rocket::response::Responder;
use rocket::{Build, Rocket, get, options, post, routes};
use tower_user_metadata::adapter::rocket::{Claims, Demand, Optional, UserMetadata, refusal};
use tower_user_metadata::endpoints::{Problem, UserMetadataEndpoints};
use tower_user_metadata::session::claims::{ClaimValidator, PrimitiveArrayClaim};
use tower_user_metadata::session::{Verdict, VerifyInput};
use tower_user_metadata::store::MemoryStore;
use tower_user_metadata::{
    AuthError, AuthErrorKind, Authenticator, MetadataUpdate, Session, SessionVerifier, StoreError, UserId,
    UserMetadataHandle,
};

use crate::cases::{self, Application};
use crate::shared::{Answer, Headers, authenticator, bearer, json, layer_answer, signed_in, store_errors};

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

#[options("/user")]
fn preflighted_user(session: Session) -> String {
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

#[options("/greet")]
fn preflighted_greet(session: Optional<Session>, metadata: Optional<UserMetadataHandle>) -> String {
    greet(session, metadata)
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
        .mount("/", routes![user_id, preflighted_user, admins, greet, preflighted_greet, update, blind, error])
        .mount("/endpoints", UserMetadataEndpoints::new())
}

struct App(Client);

impl Application for App {
    async fn new(sessions: &Authenticator) -> Self {
        Self(Client::untracked(application(sessions.clone())).await.expect("it starts"))
    }

    async fn send(&self, method: Method, path: &str, headers: Headers, body: &[u8]) -> Answer {
        let headers = headers.into_iter().filter(|(_, value)| Self::shows(value)).collect();
        send(&self.0, method, path, headers, body).await
    }

    /// What is not UTF-8 Rocket drops when it comes over a socket.
    fn shows(value: &HeaderValue) -> bool {
        std::str::from_utf8(value.as_bytes()).is_ok()
    }
}

cases::guards!(App);

pub(crate) async fn send(client: &Client, method: Method, path: &str, headers: Headers, body: &[u8]) -> Answer {
    let mut request = client.req(method.as_str().parse::<rocket::http::Method>().expect("a method"), path);
    for (name, value) in headers {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        request.add_header(rocket::http::Header::new(name.as_str().to_owned(), value));
    }
    answer(request.body(body).dispatch().await).await
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
async fn a_data_guard_alone_asks_for_a_session() {
    let app = App::new(&authenticator()).await;
    assert_eq!(app.post("/blind", vec![]).await, layer_answer(vec![]).await);
    let update = app.send(Method::POST, "/blind", [json(), signed_in(&bearer())].concat(), br#"{"k":1}"#);
    assert_eq!(update.await.body, "1");
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

/// Takes any token as the id of its user, and counts them.
#[derive(Debug)]
struct Counting(Arc<AtomicUsize>);

impl SessionVerifier for Counting {
    fn verify(&self, input: VerifyInput<'_>) -> Verdict {
        self.0.fetch_add(1, Ordering::Relaxed);
        let user = UserId::new(input.token).expect("a user id");
        Verdict::Ready(Ok(Some(Session::assertion(user, input.now + Duration::from_secs(60)).build())))
    }
}

#[tokio::test]
async fn a_request_with_many_guards_is_verified_once() {
    let verified = Arc::new(AtomicUsize::new(0));
    let app = App::new(&Authenticator::new(Counting(Arc::clone(&verified)), MemoryStore::new())).await;
    for requests in 1..=3 {
        assert_eq!(app.post("/greet", signed_in("Bearer alice")).await.body, "alice");
        assert_eq!(verified.load(Ordering::Relaxed), requests);
    }
}

/// The guard says which is meant.
#[tokio::test]
async fn whether_the_authenticator_is_optional_does_not_matter() {
    let app = App::new(&authenticator().with_optional_sessions()).await;
    assert_eq!(app.post("/greet", vec![]).await.body, "stranger");
    assert_eq!(app.post("/user", vec![]).await, layer_answer(vec![]).await);
}

#[tokio::test]
async fn errors_are_rendered_as_everywhere() {
    let app = App::new(&authenticator()).await;
    for (index, error) in store_errors().enumerate() {
        let rendered = app.send(Method::GET, &format!("/error/{index}"), vec![], b"").await;
        assert_eq!(rendered, Answer::new(Problem::from(&error).into_response()));
    }
    let request = app.0.get("/");
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
    let app = App(Client::untracked(application(authenticator()).attach(own)).await.expect("it starts"));
    let stranger = app.post("/user", vec![]).await;
    assert_eq!((stranger.status, &*stranger.body), (401, "MissingCredentials"));
}
