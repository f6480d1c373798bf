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
use http::Method;
use tower_user_metadata::adapter::actix::{Optional, endpoints, user_metadata};
use tower_user_metadata::endpoints::{Problem, UserMetadataEndpoints};
use tower_user_metadata::{
    AuthError, AuthErrorKind, Authenticator, MetadataUpdate, Session, StoreError, UserMetadataHandle,
};

use crate::cases;
use crate::shared::{
    Answer, Headers, admins, authenticator_on, bearer, json, layer_answer, small_store, store_errors, with_reason,
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

struct Application(Authenticator);

impl cases::Application for Application {
    async fn new(sessions: &Authenticator) -> Self {
        Self(sessions.clone())
    }

    async fn send(&self, method: Method, path: &str, headers: Headers, body: &[u8]) -> Answer {
        let (required, optional) = (&self.0, &self.0.clone().with_optional_sessions());
        let ready_made = || web::resource("/endpoints").route(endpoints(UserMetadataEndpoints::new()));
        let loose = web::scope("/optional")
            .wrap(user_metadata(optional))
            .service(web::resource("/user").to(user_id))
            .service(web::resource("/update").to(update));
        let nested = web::resource("/greet").wrap(user_metadata(optional)).to(greet);
        let bare = web::scope("/bare")
            .service(web::resource("/user").to(user_id))
            .service(web::resource("/greet").to(greet))
            .service(web::resource("/update").to(update))
            .service(ready_made());
        let app = App::new()
            .service(web::resource("/user").wrap(user_metadata(required)).to(user_id))
            .service(web::resource("/admin").wrap(user_metadata(&admins(required))).to(user_id))
            .service(web::resource("/greet").wrap(user_metadata(optional)).to(greet))
            .service(web::resource("/update").wrap(user_metadata(required)).to(update))
            .service(ready_made().wrap(user_metadata(required)))
            .service(loose)
            .service(web::scope("/nested").wrap(user_metadata(required)).service(nested))
            .service(bare);
        let method = method.as_str().parse().expect("a method");
        let request = request(headers).method(method).uri(path).set_payload(body.to_vec());
        let response = call_service(&init_service(app).await, request.to_request()).await;
        let told = response.response().extensions().contains::<AuthError>();
        with_reason(answer(response).await, told)
    }
}

cases::middleware!(
    Application,
    "wrap it in `user_metadata(&authenticator)`, or let your own middleware insert `UserMetadataHandle::for_user(user, store)`"
);

/// In actix-web the last `wrap` is outside, and so sees preflights first and refusals last.
pub(crate) async fn answer<B: MessageBody>(response: ServiceResponse<B>) -> Answer {
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
