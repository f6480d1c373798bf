use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use axum::routing::{get, post};
use axum::{Router, response};
use tower::ServiceExt;
use tower_user_metadata::endpoints::UserMetadataEndpoints;
use tower_user_metadata::session::{AuthError, AuthErrorKind, Verdict, VerifyInput};
use tower_user_metadata::store::MemoryStore;
use tower_user_metadata::{
    InvalidMetadata, Limits, Metadata, MetadataUpdate, Session, SessionVerifier, StoreError, StoreErrorKind, UserId,
    UserMetadataHandle, UserMetadataLayer,
};

const MISSING_LAYER: &str = r#"{"message":"no session was verified for this route: add `UserMetadataLayer::new(verifier, store)` around it, or let your own middleware insert `UserMetadataHandle::for_user(user, store)`"}"#;

#[tokio::test]
async fn a_missing_layer_is_named_in_every_form() {
    let router = Router::new()
        .route("/handle", get(async |_: UserMetadataHandle| {}))
        .route("/session", get(async |_: Session| {}))
        .route("/optional-handle", get(async |_: Option<UserMetadataHandle>| {}))
        .route("/optional-session", get(async |_: Option<Session>| {}))
        .route("/update", get(async |_: MetadataUpdate| {}));
    for path in ["/handle", "/session", "/optional-handle", "/optional-session", "/update"] {
        let (status, body) = answer(&router, Request::get(path)).await;
        assert_eq!((status, body.as_str()), (StatusCode::INTERNAL_SERVER_ERROR, MISSING_LAYER), "{path}");
    }
}

#[tokio::test]
async fn optional_forms_are_none_only_without_credentials() {
    let describe = async |session: Option<Session>, handle: Option<UserMetadataHandle>| {
        let user = |id: &UserId| id.as_str().to_owned();
        format!("{:?} {:?}", session.map(|it| user(it.user_id())), handle.map(|it| user(it.user_id())))
    };
    let layer = UserMetadataLayer::new(TokenIsUser, MemoryStore::new()).with_optional_sessions();
    let router = Router::new().route("/", get(describe)).route_layer(layer);
    let cases = [
        (Request::get("/"), StatusCode::OK, "None None"),
        (Request::get("/").header("authorization", "Bearer alice"), StatusCode::OK, r#"Some("alice") Some("alice")"#),
        (
            Request::get("/").header("authorization", "Bearer two words"),
            StatusCode::UNAUTHORIZED,
            r#"{"message":"unauthorised"}"#,
        ),
    ];
    for (request, status, body) in cases {
        assert_eq!(answer(&router, request).await, (status, body.to_owned()));
    }
}

#[tokio::test]
async fn what_needs_a_session_behind_an_optional_layer_refuses_strangers() {
    let layer = UserMetadataLayer::new(TokenIsUser, MemoryStore::new()).with_optional_sessions();
    let router = Router::new()
        .route("/handle", get(async |_: UserMetadataHandle| {}))
        .route("/session", get(async |_: Session| {}))
        .route("/update", get(async |_: MetadataUpdate| {}))
        .route_service("/endpoints", UserMetadataEndpoints::new())
        .route_layer(layer);
    for path in ["/handle", "/session", "/update", "/endpoints"] {
        let response = router.clone().oneshot(Request::get(path).body(Body::empty()).expect("valid")).await;
        let response = response.expect("infallible");
        let kind = response.extensions().get::<AuthError>().map(AuthError::kind);
        assert_eq!(kind, Some(AuthErrorKind::MissingCredentials), "{path}");
        assert_eq!(response.headers()["www-authenticate"], "Bearer", "{path}");
        assert_eq!(response.headers()["cache-control"], "no-store", "{path}");
        assert_eq!(response.headers()["vary"], "Authorization, Cookie", "{path}");
        let unauthorised = (StatusCode::UNAUTHORIZED, r#"{"message":"unauthorised"}"#.to_owned());
        assert_eq!(text(response).await, unauthorised, "{path}");
    }
}

#[tokio::test]
async fn the_limit_of_the_store_holds_and_not_that_of_axum() {
    let store = MemoryStore::new().with_limits(Limits::default().with_document_bytes(4_000_000));
    let update = async |handle: UserMetadataHandle, update: MetadataUpdate| {
        handle.update(update).await.map(|record| record.metadata.json_bytes().to_string())
    };
    let router = Router::new().route("/", post(update)).route_layer(UserMetadataLayer::new(TokenIsUser, store));
    let send = |bytes: usize| {
        let body = format!(r#"{{"a":"{}"}}"#, "x".repeat(bytes));
        Request::post("/").header("authorization", "Bearer alice").header("content-type", "application/json").body(body)
    };
    let response = router.clone().oneshot(send(3_000_000).expect("valid")).await.expect("infallible");
    assert_eq!(text(response).await, (StatusCode::OK, "3000008".to_owned()));
    let response = router.oneshot(send(4_000_000).expect("valid")).await.expect("infallible");
    let body = r#"{"message":"metadata is larger than 4000000 bytes","limit":4000000}"#;
    assert_eq!(text(response).await, (StatusCode::PAYLOAD_TOO_LARGE, body.to_owned()));
}

#[tokio::test]
async fn errors_are_responses() {
    let invalid = || Metadata::from_json(b"[]").expect_err("not an object");
    let unavailable = || StoreError::new(StoreErrorKind::Unavailable);
    let expired = || AuthError::new(AuthErrorKind::Expired);
    let router = Router::new()
        .route("/invalid", get(async move || -> Result<(), InvalidMetadata> { Err(invalid()) }))
        .route("/store", get(async move || -> Result<(), StoreError> { Err(unavailable()) }))
        .route("/auth", get(async move || -> Result<(), AuthError> { Err(expired()) }));
    let invalid = (StatusCode::BAD_REQUEST, r#"{"message":"metadata must be a JSON object"}"#.to_owned());
    assert_eq!(answer(&router, Request::get("/invalid")).await, invalid);
    let unavailable = (StatusCode::SERVICE_UNAVAILABLE, r#"{"message":"metadata unavailable"}"#.to_owned());
    assert_eq!(answer(&router, Request::get("/store")).await, unavailable);
    let expired = (StatusCode::UNAUTHORIZED, r#"{"message":"try refresh token"}"#.to_owned());
    assert_eq!(answer(&router, Request::get("/auth")).await, expired);
}

/// Takes any token as the id of its user.
#[derive(Debug)]
struct TokenIsUser;

impl SessionVerifier for TokenIsUser {
    fn verify(&self, input: VerifyInput<'_>) -> Verdict {
        let user = UserId::new(input.token).map_err(|_| AuthError::new(AuthErrorKind::MalformedClaims));
        let expires = input.now + Duration::from_secs(60);
        Verdict::Ready(user.map(|user| Some(Session::assertion(user, expires).build())))
    }
}

async fn answer(router: &Router, request: axum::http::request::Builder) -> (StatusCode, String) {
    let request = request.body(Body::empty()).expect("a valid request");
    text(router.clone().oneshot(request).await.expect("infallible")).await
}

async fn text(response: response::Response) -> (StatusCode, String) {
    let status = response.status();
    let body = to_bytes(response.into_body(), usize::MAX).await.expect("a whole body");
    (status, String::from_utf8(body.to_vec()).expect("UTF-8"))
}
