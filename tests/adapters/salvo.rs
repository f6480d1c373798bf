use http::Method;
use http::uri::Scheme;
use salvo_core::conn::{ConnCtrl, SocketAddr};
use salvo_core::http::ReqBody;
use salvo_core::writing::{Scribe, Writer};
use salvo_core::{Request, Response, Router, Service, handler};
use tower_user_metadata::adapter::salvo::{Optional, UserMetadata, user_metadata};
use tower_user_metadata::endpoints::{Problem, UserMetadataEndpoints};
use tower_user_metadata::{
    AuthError, AuthErrorKind, Authenticator, MetadataUpdate, Session, StoreError, UserMetadataHandle,
};

use crate::cases::{self, Application};
use crate::shared::{Answer, Headers, admins, layer_answer, store_errors, with_reason};

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

struct App(Service);

impl Application for App {
    async fn new(sessions: &Authenticator) -> Self {
        let (required, optional) = (user_metadata(sessions), user_metadata(&sessions.clone().with_optional_sessions()));
        let hooped = |hoop: &UserMetadata, path: &str| Router::with_path(path).hoop(hoop.clone());
        let bare = Router::with_path("bare")
            .push(Router::with_path("user").goal(user_id))
            .push(Router::with_path("greet").goal(greet))
            .push(Router::with_path("update").goal(update))
            .push(Router::with_path("endpoints").goal(UserMetadataEndpoints::new()));
        let router = Router::new()
            .push(hooped(&required, "user").goal(user_id))
            .push(hooped(&user_metadata(&admins(sessions)), "admin").goal(user_id))
            .push(hooped(&optional, "greet").goal(greet))
            .push(hooped(&required, "update").goal(update))
            .push(hooped(&required, "endpoints").goal(UserMetadataEndpoints::new()))
            .push(hooped(&optional, "optional/user").goal(user_id))
            .push(hooped(&optional, "optional/update").goal(update))
            .push(hooped(&required, "nested/greet").hoop(optional).goal(greet))
            .push(bare);
        Self(Service::new(router))
    }

    async fn send(&self, method: Method, path: &str, headers: Headers, body: &[u8]) -> Answer {
        send(&self.0, method, path, headers, body).await
    }
}

pub(crate) async fn send(service: &Service, method: Method, path: &str, headers: Headers, body: &[u8]) -> Answer {
    let mut request = http::Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let request = request.body(ReqBody::from(body.to_vec())).expect("a request");
    let nowhere = SocketAddr::Unknown;
    let handler = service.hyper_handler(nowhere.clone(), nowhere, Scheme::HTTP, None, ConnCtrl::new(), None);
    answer(handler.handle(Request::from_hyper(request, Scheme::HTTP)).await).await
}

async fn answer(mut response: Response) -> Answer {
    let told = response.extensions.get::<AuthError>().is_some();
    with_reason(Answer::collect(response.strip_to_hyper()).await, told)
}

fn rendered(error: impl Scribe) -> Response {
    let mut response = Response::new();
    response.render(error);
    response
}

cases::middleware!(
    App,
    "hoop it with `user_metadata(&authenticator)`, or let your own hoop inject `UserMetadataHandle::for_user(user, store)` into the depot"
);

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
