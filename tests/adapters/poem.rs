use bytes::Bytes;
use http::Method;
use http_body_util::combinators::BoxBody;
use poem::error::ResponseError;
use poem::{Endpoint, EndpointExt, Request, Response, Route, handler};
use tower_user_metadata::adapter::poem::{Optional, user_metadata};
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
fn greet(Optional(session): Optional<Session>, Optional(metadata): Optional<UserMetadataHandle>) -> String {
    assert_eq!(session.is_some(), metadata.is_some());
    session.map_or_else(|| "stranger".to_owned(), |session| session.user_id().as_str().to_owned())
}

#[handler]
async fn update(metadata: UserMetadataHandle, update: MetadataUpdate) -> Result<String, StoreError> {
    Ok(metadata.update(update).await?.metadata.to_json())
}

struct App(Route);

impl Application for App {
    async fn new(sessions: &Authenticator) -> Self {
        let (required, optional) = (user_metadata(sessions), user_metadata(&sessions.clone().with_optional_sessions()));
        let endpoints = UserMetadataEndpoints::new();
        Self(
            Route::new()
                .at("/user", user_id.with(required.clone()))
                .at("/admin", user_id.with(user_metadata(&admins(sessions))))
                .at("/greet", greet.with(optional.clone()))
                .at("/update", update.with(required.clone()))
                .at("/endpoints", endpoints.with(required.clone()))
                .at("/optional/user", user_id.with(optional.clone()))
                .at("/optional/update", update.with(optional.clone()))
                .at("/nested/greet", greet.with(optional).with(required))
                .at("/bare/user", user_id)
                .at("/bare/greet", greet)
                .at("/bare/update", update)
                .at("/bare/endpoints", endpoints),
        )
    }

    async fn send(&self, method: Method, path: &str, headers: Headers, body: &[u8]) -> Answer {
        let mut request = Request::builder().method(method).uri_str(path);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        answer(self.0.get_response(request.body(body.to_vec())).await).await
    }
}

pub(crate) async fn answer(response: Response) -> Answer {
    let told = response.extensions().get::<AuthError>().is_some();
    let response: http::Response<BoxBody<Bytes, std::io::Error>> = response.into();
    with_reason(Answer::collect(response).await, told)
}

cases::middleware!(
    App,
    "wrap it with `user_metadata(&authenticator)`, or let your own middleware insert `UserMetadataHandle::for_user(user, store)`"
);

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
