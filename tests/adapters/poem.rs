use bytes::Bytes;
use http::{HeaderValue, Method};
use http_body_util::combinators::BoxBody;
use poem::error::ResponseError;
use poem::{Endpoint, EndpointExt, IntoResponse, Request, Response, Route, handler};
use tower_user_metadata::adapter::poem::{Optional, user_metadata};
use tower_user_metadata::endpoints::{Problem, UserMetadataEndpoints};
use tower_user_metadata::{AuthError, AuthErrorKind, MetadataUpdate, Session, StoreError, UserMetadataHandle};

use crate::shared::{
    Answer, Headers, admin, admins, authenticator, authenticator_on, bad_bodies, bearer, endpoints_answer,
    forbidden_answer, json, layer_answer, small_store, store_errors, strangers,
};

#[handler]
fn user_id(session: Session, metadata: UserMetadataHandle) -> String {
    assert_eq!(session.user_id(), metadata.user_id());
    session.user_id().as_str().to_owned()
}

#[handler]
fn greet(Optional(session): Optional<Session>, Optional(metadata): Optional<UserMetadataHandle>) -> String {
    assert_eq!(session.is_some(), metadata.is_some());
    session.map_or_else(|| "stranger".to_owned(), |session| session.user_id().as_str().to_owned())
}

#[handler]
async fn update(metadata: UserMetadataHandle, update: MetadataUpdate) -> Result<String, StoreError> {
    Ok(metadata.update(update).await?.metadata.to_json())
}

async fn send(app: &impl Endpoint, method: Method, path: &str, headers: Headers, body: &[u8]) -> Response {
    let mut request = Request::builder().method(method).uri_str(path);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    app.get_response(request.body(body.to_vec())).await
}

async fn post(app: &impl Endpoint, path: &str, headers: Headers) -> Response {
    send(app, Method::POST, path, headers, b"").await
}

fn signed_in(bearer: &str) -> Headers {
    vec![(http::header::AUTHORIZATION, HeaderValue::from_str(bearer).expect("a value"))]
}

async fn answer(response: impl IntoResponse) -> Answer {
    let response: http::Response<BoxBody<Bytes, std::io::Error>> = response.into_response().into();
    let mut answer = Answer::collect(response).await;
    if answer.status == 200 {
        answer.headers.clear();
    }
    answer
}

#[tokio::test]
async fn strangers_get_the_answers_of_the_tower_layer() {
    let app = user_id.with(user_metadata(&authenticator()));
    for (name, headers) in strangers() {
        let response = post(&app, "/", headers.clone()).await;
        assert!(response.extensions().get::<AuthError>().is_some(), "{name}");
        assert_eq!(answer(response).await, layer_answer(headers).await, "{name}");
    }
}

#[tokio::test]
async fn a_session_reaches_the_handler_and_a_role_is_demanded_where_it_is() {
    let sessions = authenticator();
    let app = Route::new()
        .at("/all", user_id.with(user_metadata(&sessions)))
        .at("/admins", user_id.with(user_metadata(&admins(&sessions))));
    for (path, bearer) in [("/all", bearer()), ("/all", admin()), ("/admins", admin())] {
        assert_eq!(answer(post(&app, path, signed_in(&bearer)).await).await.body, "alice", "{path}");
    }
    assert_eq!(answer(post(&app, "/admins", signed_in(&bearer())).await).await, forbidden_answer().await);
}

#[tokio::test]
async fn a_forgotten_middleware_is_not_a_stranger() {
    let app = Route::new()
        .at("/required", user_id)
        .at("/optional", greet)
        .at("/update", update)
        .at("/endpoints", UserMetadataEndpoints::new());
    for path in ["/required", "/optional", "/update", "/endpoints"] {
        let answer = answer(post(&app, path, signed_in(&bearer())).await).await;
        assert_eq!(answer.status, 500, "{path}");
        let message = "no session was verified for this route: wrap it with `user_metadata(&authenticator)`";
        assert_eq!(answer.body, format!(r#"{{"message":"{message}"}}"#), "{path}");
    }
}

#[tokio::test]
async fn an_optional_session_is_none_only_without_credentials() {
    let (required, optional) = (authenticator(), authenticator().optional());
    let app = Route::new()
        .at("/", greet.with(user_metadata(&optional)))
        .at("/nested", greet.with(user_metadata(&optional)).with(user_metadata(&required)))
        .at("/required", user_id.with(user_metadata(&optional)))
        .at("/update", update.with(user_metadata(&optional)));
    assert_eq!(answer(post(&app, "/", vec![]).await).await.body, "stranger");
    assert_eq!(post(&app, "/", signed_in("Bearer x")).await.status(), 401);
    for path in ["/", "/nested"] {
        assert_eq!(answer(post(&app, path, signed_in(&bearer())).await).await.body, "alice", "{path}");
    }
    for path in ["/required", "/update"] {
        let response = post(&app, path, vec![]).await;
        assert!(response.extensions().get::<AuthError>().is_some(), "{path}");
        assert_eq!(answer(response).await, layer_answer(vec![]).await, "{path}");
    }
}

#[tokio::test]
async fn bad_bodies_get_the_answers_of_the_endpoints_and_change_nothing() {
    let store = small_store();
    let sessions = authenticator_on(store.clone());
    let app = Route::new()
        .at("/update", update.with(user_metadata(&sessions)))
        .at("/endpoints", UserMetadataEndpoints::new().with(user_metadata(&sessions)));
    let put = async |path, method, headers: Headers, body: &[u8]| {
        answer(send(&app, method, path, [headers, signed_in(&bearer())].concat(), body).await).await
    };
    assert_eq!(put("/update", Method::POST, json(), br#"{"k":1}"#).await.body, r#"{"k":1}"#);
    for (name, headers, body) in bad_bodies() {
        let expected = endpoints_answer(store.clone(), headers.clone(), body.clone()).await;
        assert!(expected.status >= 400, "{name}");
        assert_eq!(put("/update", Method::POST, headers.clone(), &body).await, expected, "{name}");
        assert_eq!(put("/endpoints", Method::PATCH, headers, &body).await.uncached(), expected, "{name}");
    }
    assert_eq!(put("/endpoints", Method::GET, vec![], b"").await.body, r#"{"k":1}"#);
}

#[tokio::test]
async fn errors_are_rendered_as_everywhere() {
    for error in store_errors() {
        let expected = Answer::new(Problem::from(&error).into_response());
        assert_eq!(error.status().as_u16(), expected.status);
        assert_eq!(answer(error.as_response()).await, expected);
    }
    let invalid = MetadataUpdate::from_json(b"[]").expect_err("not an object");
    assert_eq!(answer(invalid.as_response()).await, Answer::new(Problem::from(invalid).into_response()));
    let refused = AuthError::new(AuthErrorKind::MissingCredentials);
    assert_eq!(answer(refused.as_response()).await, layer_answer(vec![]).await);
}
