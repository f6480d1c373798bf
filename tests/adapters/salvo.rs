use http::uri::Scheme;
use http::{HeaderValue, Method};
use salvo_core::conn::{ConnCtrl, SocketAddr};
use salvo_core::http::ReqBody;
use salvo_core::writing::{Scribe, Writer};
use salvo_core::{Request, Response, Router, Service, handler};
use tower_user_metadata::adapter::salvo::{Optional, user_metadata};
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
fn greet(session: Optional<Session>, metadata: Optional<UserMetadataHandle>) -> String {
    assert_eq!(session.0.is_some(), metadata.0.is_some());
    session.0.map_or_else(|| "stranger".to_owned(), |session| session.user_id().as_str().to_owned())
}

#[handler]
async fn update(metadata: UserMetadataHandle, changes: MetadataUpdate) -> Result<String, StoreError> {
    Ok(metadata.update(changes).await?.metadata.to_json())
}

async fn send(app: &Service, method: Method, path: &str, headers: Headers, body: &[u8]) -> Response {
    let mut request = http::Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let request = request.body(ReqBody::from(body.to_vec())).expect("a request");
    let handler =
        app.hyper_handler(SocketAddr::Unknown, SocketAddr::Unknown, Scheme::HTTP, None, ConnCtrl::new(), None);
    handler.handle(Request::from_hyper(request, Scheme::HTTP)).await
}

async fn post(app: &Service, path: &str, headers: Headers) -> Response {
    send(app, Method::POST, path, headers, b"").await
}

fn signed_in(bearer: &str) -> Headers {
    vec![(http::header::AUTHORIZATION, HeaderValue::from_str(bearer).expect("a value"))]
}

async fn answer(mut response: Response) -> Answer {
    let mut answer = Answer::collect(response.strip_to_hyper()).await;
    if answer.status == 200 {
        answer.headers.clear();
    }
    answer
}

fn rendered(error: impl Scribe) -> Response {
    let mut response = Response::new();
    response.render(error);
    response
}

#[tokio::test]
async fn strangers_get_the_answers_of_the_tower_layer() {
    let app = Service::new(Router::new().hoop(user_metadata(&authenticator())).goal(user_id));
    for (name, headers) in strangers() {
        let response = post(&app, "/", headers.clone()).await;
        assert!(response.extensions.get::<AuthError>().is_some(), "{name}");
        assert_eq!(answer(response).await, layer_answer(headers).await, "{name}");
    }
}

#[tokio::test]
async fn a_session_reaches_the_handler_and_a_role_is_demanded_where_it_is() {
    let sessions = authenticator();
    let router = Router::new()
        .push(Router::with_path("all").hoop(user_metadata(&sessions)).goal(user_id))
        .push(Router::with_path("admins").hoop(user_metadata(&admins(&sessions))).goal(user_id));
    let app = Service::new(router);
    for (path, bearer) in [("/all", bearer()), ("/all", admin()), ("/admins", admin())] {
        assert_eq!(answer(post(&app, path, signed_in(&bearer)).await).await.body, "alice", "{path}");
    }
    assert_eq!(answer(post(&app, "/admins", signed_in(&bearer())).await).await, forbidden_answer().await);
}

#[tokio::test]
async fn a_forgotten_hoop_is_not_a_stranger() {
    let router = Router::new()
        .push(Router::with_path("required").goal(user_id))
        .push(Router::with_path("optional").goal(greet))
        .push(Router::with_path("update").goal(update))
        .push(Router::with_path("endpoints").goal(UserMetadataEndpoints::new()));
    let app = Service::new(router);
    for path in ["/required", "/optional", "/update", "/endpoints"] {
        let answer = answer(post(&app, path, signed_in(&bearer())).await).await;
        assert_eq!(answer.status, 500, "{path}");
        let message = "no session was verified for this route: hoop it with `user_metadata(&authenticator)`";
        assert_eq!(answer.body, format!(r#"{{"message":"{message}"}}"#), "{path}");
    }
}

#[tokio::test]
async fn an_optional_session_is_none_only_without_credentials() {
    let (required, optional) = (authenticator(), authenticator().optional());
    let router = Router::new()
        .push(Router::with_path("").hoop(user_metadata(&optional)).goal(greet))
        .push(Router::with_path("nested").hoop(user_metadata(&required)).hoop(user_metadata(&optional)).goal(greet))
        .push(Router::with_path("required").hoop(user_metadata(&optional)).goal(user_id))
        .push(Router::with_path("update").hoop(user_metadata(&optional)).goal(update));
    let app = Service::new(router);
    assert_eq!(answer(post(&app, "/", vec![]).await).await.body, "stranger");
    assert_eq!(post(&app, "/", signed_in("Bearer x")).await.status_code, Some(http::StatusCode::UNAUTHORIZED));
    for path in ["/", "/nested"] {
        assert_eq!(answer(post(&app, path, signed_in(&bearer())).await).await.body, "alice", "{path}");
    }
    for path in ["/required", "/update"] {
        let response = post(&app, path, vec![]).await;
        assert!(response.extensions.get::<AuthError>().is_some(), "{path}");
        assert_eq!(answer(response).await, layer_answer(vec![]).await, "{path}");
    }
}

#[tokio::test]
async fn bad_bodies_get_the_answers_of_the_endpoints_and_change_nothing() {
    let store = small_store();
    let sessions = authenticator_on(store.clone());
    let router = Router::new()
        .push(Router::with_path("update").hoop(user_metadata(&sessions)).goal(update))
        .push(Router::with_path("endpoints").hoop(user_metadata(&sessions)).goal(UserMetadataEndpoints::new()));
    let app = Service::new(router);
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
        assert_eq!(answer(rendered(error)).await, expected);
    }
    let invalid = MetadataUpdate::from_json(b"[]").expect_err("not an object");
    assert_eq!(answer(rendered(invalid.clone())).await, Answer::new(Problem::from(invalid).into_response()));
    let refused = AuthError::new(AuthErrorKind::MissingCredentials);
    assert_eq!(answer(rendered(refused)).await, layer_answer(vec![]).await);
}
