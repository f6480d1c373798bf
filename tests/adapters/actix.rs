use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use actix_web::body::{MessageBody, to_bytes};
use actix_web::dev::{Payload, Service, ServiceResponse};
use actix_web::error::PayloadError;
use actix_web::test::{TestRequest, call_service, init_service};
use actix_web::web::{self, Bytes};
use actix_web::{App, HttpResponse, ResponseError};
use futures_core::Stream;
use tower_user_metadata::adapter::actix::{Optional, user_metadata};
use tower_user_metadata::endpoints::Problem;
use tower_user_metadata::{AuthError, AuthErrorKind, MetadataUpdate, Session, StoreError, UserMetadataHandle};

use crate::shared::{
    Answer, Headers, authenticator, authenticator_on, bad_bodies, bearer, endpoints_answer, json, layer_answer,
    small_store, store_errors, strangers,
};

async fn user_id(session: Session, metadata: UserMetadataHandle) -> String {
    assert_eq!(session.user_id(), metadata.user_id());
    session.user_id().as_str().to_owned()
}

async fn greet(Optional(session): Optional<Session>, Optional(metadata): Optional<UserMetadataHandle>) -> String {
    assert_eq!(session.is_some(), metadata.is_some());
    session.map_or_else(|| "stranger".to_owned(), |session| session.user_id().as_str().to_owned())
}

async fn update(metadata: UserMetadataHandle, update: MetadataUpdate) -> Result<String, StoreError> {
    Ok(metadata.update(update).await?.metadata.to_json())
}

fn request(headers: Headers) -> TestRequest {
    headers
        .iter()
        .fold(TestRequest::post(), |request, (name, value)| request.append_header((name.as_str(), value.as_bytes())))
}

async fn answer<B: MessageBody>(response: ServiceResponse<B>) -> Answer {
    answer_of(response.into_parts().1).await
}

async fn answer_of<B: MessageBody>(response: HttpResponse<B>) -> Answer {
    let mut copy = http::Response::builder().status(response.status().as_u16());
    for (name, value) in response.headers() {
        copy = copy.header(name.as_str(), value.as_bytes());
    }
    let body = to_bytes(response.into_body()).await.map_err(|_| "unreadable").expect("it is in memory");
    Answer::new(copy.body(body).expect("it was a response"))
}

#[tokio::test]
async fn strangers_get_the_answers_of_the_tower_layer() {
    let sessions = authenticator();
    let app = init_service(App::new().wrap(user_metadata(&sessions)).default_service(web::to(user_id))).await;
    for (name, headers) in strangers() {
        let response = call_service(&app, request(headers.clone()).to_request()).await;
        assert!(response.response().extensions().contains::<AuthError>(), "{name}");
        assert_eq!(answer(response).await, layer_answer(headers).await, "{name}");
    }
}

#[tokio::test]
async fn a_session_reaches_the_handler() {
    let sessions = authenticator();
    let app = init_service(App::new().wrap(user_metadata(&sessions)).default_service(web::to(user_id))).await;
    let response = call_service(&app, TestRequest::get().insert_header(("authorization", bearer())).to_request()).await;
    assert_eq!((response.status().as_u16(), &*answer(response).await.body), (200, "alice"));
}

#[tokio::test]
async fn a_forgotten_middleware_is_not_a_stranger() {
    let app = App::new()
        .service(web::resource("/required").to(user_id))
        .service(web::resource("/optional").to(greet))
        .service(web::resource("/update").to(update));
    let app = init_service(app).await;
    for path in ["/required", "/optional", "/update"] {
        let answer = answer(call_service(&app, TestRequest::get().uri(path).to_request()).await).await;
        assert_eq!(answer.status, 500, "{path}");
        let message = "no session was verified for this route: wrap it in `user_metadata(&authenticator)`";
        assert_eq!(answer.body, format!(r#"{{"message":"{message}"}}"#), "{path}");
    }
}

#[tokio::test]
async fn an_optional_session_is_none_only_without_credentials() {
    let (required, optional) = (authenticator(), authenticator().optional());
    let nested = web::resource("/nested").wrap(user_metadata(&optional)).to(greet);
    let app = App::new()
        .service(web::resource("/").wrap(user_metadata(&optional)).to(greet))
        .service(web::scope("/in").wrap(user_metadata(&required)).service(nested));
    let app = init_service(app).await;
    let get = |path: &str| TestRequest::get().uri(path);

    let stranger = call_service(&app, get("/").to_request()).await;
    assert_eq!(answer(stranger).await.body, "stranger");
    let bad = get("/").insert_header(("authorization", "Bearer x"));
    assert_eq!(call_service(&app, bad.to_request()).await.status(), 401);
    for path in ["/", "/in/nested"] {
        let alice = get(path).insert_header(("authorization", bearer()));
        assert_eq!(answer(call_service(&app, alice.to_request()).await).await.body, "alice", "{path}");
    }
}

#[tokio::test]
async fn what_needs_a_session_where_it_is_optional_refuses_strangers() {
    let sessions = authenticator().optional();
    let app = App::new()
        .wrap(user_metadata(&sessions))
        .service(web::resource("/session").to(user_id))
        .service(web::resource("/update").to(update));
    let app = init_service(app).await;
    for path in ["/session", "/update"] {
        let response = call_service(&app, TestRequest::get().uri(path).to_request()).await;
        assert!(response.response().extensions().contains::<AuthError>(), "{path}");
        assert_eq!(answer(response).await, layer_answer(vec![]).await, "{path}");
    }
}

#[tokio::test]
async fn bad_bodies_get_the_answers_of_the_endpoints_and_change_nothing() {
    let store = small_store();
    let sessions = authenticator_on(store.clone());
    let app = init_service(App::new().wrap(user_metadata(&sessions)).default_service(web::to(update))).await;
    let put = |headers, body: &[u8]| {
        request(headers).insert_header(("authorization", bearer())).set_payload(body.to_vec()).to_request()
    };
    let kept = answer(call_service(&app, put(json(), br#"{"k":1}"#)).await).await;
    assert_eq!((kept.status, &*kept.body), (200, r#"{"k":1}"#));
    for (name, headers, body) in bad_bodies() {
        let expected = endpoints_answer(store.clone(), headers.clone(), body.clone()).await;
        assert!(expected.status >= 400, "{name}");
        assert_eq!(answer(call_service(&app, put(headers, &body)).await).await, expected, "{name}");
    }
    assert_eq!(answer(call_service(&app, put(json(), b"{}")).await).await.body, r#"{"k":1}"#);
}

/// A body without end, that counts what is read of it.
struct Endless(Arc<AtomicUsize>);

impl Stream for Endless {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.fetch_add(100, Ordering::Relaxed);
        Poll::Ready(Some(Ok(Bytes::from_static(&[b' '; 100]))))
    }
}

#[tokio::test]
async fn no_more_of_a_body_is_read_than_may_be_kept() {
    let read = Arc::new(AtomicUsize::new(0));
    let (sessions, counter) = (authenticator_on(small_store()), Arc::clone(&read));
    let app = App::new().wrap(user_metadata(&sessions)).default_service(web::to(update));
    let app = app.wrap_fn(move |mut request, service| {
        let body: Pin<Box<dyn Stream<Item = _>>> = Box::pin(Endless(Arc::clone(&counter)));
        request.set_payload(Payload::from(body));
        service.call(request)
    });
    let app = init_service(app).await;
    let status = async |headers: Headers, announced: &str| {
        let request = request(headers).insert_header(("content-length", announced));
        call_service(&app, request.insert_header(("authorization", bearer())).to_request()).await.status().as_u16()
    };
    assert_eq!(status(json(), "1001").await, 413);
    assert_eq!(status(vec![], "10").await, 415);
    assert_eq!(read.load(Ordering::Relaxed), 0);
    assert_eq!(status(json(), "").await, 413);
    assert_eq!(read.load(Ordering::Relaxed), 1_100);
}

#[tokio::test]
async fn errors_are_rendered_as_everywhere() {
    for error in store_errors() {
        let rendered = answer_of(error.error_response()).await;
        assert_eq!(rendered.status, error.status_code().as_u16());
        assert_eq!(rendered, Answer::new(Problem::from(&error).into_response()));
    }
    let invalid = MetadataUpdate::from_json(b"[]").expect_err("not an object");
    assert_eq!(invalid.status_code(), 400);
    assert_eq!(answer_of(invalid.error_response()).await, Answer::new(Problem::from(invalid).into_response()));
    let refused = AuthError::new(AuthErrorKind::MissingCredentials);
    assert_eq!(refused.status_code(), 401);
    assert_eq!(answer_of(refused.error_response()).await, layer_answer(vec![]).await);
}
