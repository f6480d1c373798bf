//! The adapter of the framework, made of public items only.

use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame};
use tower_user_metadata::endpoints::{Problem, UserMetadataEndpoints, read_update};
use tower_user_metadata::session::Headers;
use tower_user_metadata::{Authenticated, Authenticator, InvalidMetadata, MetadataUpdate, StoreError};

use crate::framework::{Chunks, Handler, HeaderList, Request, Response, handler};

pub(crate) const REMEDY: &str =
    "no session was verified for this route: wrap it in `sessions(&authenticator, handler)`";

/// A middleware that verifies the session of each request.
pub(crate) fn sessions(authenticator: &Authenticator, inner: Handler) -> Handler {
    let authenticator = authenticator.clone();
    handler(move |mut request| {
        let (authenticator, inner) = (authenticator.clone(), inner.clone());
        let authentication = authenticator.authenticate(&request.method, &Given(&request.headers));
        async move {
            let answer = match authentication.await {
                Ok(found) => {
                    request.set_local::<Option<Authenticated>>(found);
                    inner(request).await
                }
                Err(error) => Problem::from(error).into(),
            };
            render(&authenticator, answer)
        }
    })
}

/// The session or the handle of its user; everybody else is refused.
pub(crate) fn required<T: From<Authenticated>>(request: &Request) -> Result<T, Problem> {
    Ok(Authenticated::required(found(request)?)?.into())
}

/// The session or the handle of its user, if there is a session.
pub(crate) fn optional<T: From<Authenticated>>(request: &Request) -> Result<Option<T>, Problem> {
    Ok(found(request)?.map(T::from))
}

/// An update from the body of the request.
pub(crate) async fn update(request: Request) -> Result<MetadataUpdate, Problem> {
    let limits = Authenticated::required(found(&request)?)?.metadata.limits();
    read_update(&Given(&request.headers), BodyOf(request.body), limits).await
}

/// The ready-made endpoints.
pub(crate) fn endpoints(endpoints: UserMetadataEndpoints) -> Handler {
    handler(move |request| async move {
        let metadata = match optional(&request) {
            Ok(metadata) => metadata,
            Err(problem) => return problem.into(),
        };
        let (method, headers) = (&request.method, Given(&request.headers));
        convert(endpoints.respond(method, &headers, metadata.as_ref(), BodyOf(request.body)).await)
    })
}

fn found(request: &Request) -> Result<Option<Authenticated>, Problem> {
    request.local::<Option<Authenticated>>().cloned().ok_or_else(|| Problem::missing_middleware(REMEDY))
}

struct Given<'a>(&'a HeaderList);

impl Headers for Given<'_> {
    fn visit<'a>(&'a self, name: &str, visit: &mut dyn FnMut(&'a [u8])) {
        let values = self.0.iter().filter(|(given, _)| given.eq_ignore_ascii_case(name));
        values.for_each(|(_, value)| visit(value));
    }
}

struct BodyOf(Chunks);

impl Body for BodyOf {
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.0.as_mut().poll_next(context).map_ok(Frame::data)
    }
}

impl From<Problem> for Response {
    fn from(problem: Problem) -> Self {
        convert(problem.into_response())
    }
}

impl From<StoreError> for Response {
    fn from(error: StoreError) -> Self {
        Problem::from(error).into()
    }
}

impl From<InvalidMetadata> for Response {
    fn from(invalid: InvalidMetadata) -> Self {
        Problem::from(invalid).into()
    }
}

fn convert(response: http::Response<Bytes>) -> Response {
    let (head, body) = response.into_parts();
    let headers = head.headers.iter().map(|(name, value)| (name.to_string(), value.as_bytes().to_owned())).collect();
    Response { status: head.status.as_u16(), headers, body, extensions: head.extensions }
}

/// Problems in the form that the application wants.
fn render(authenticator: &Authenticator, answer: Response) -> Response {
    let mut response = http::Response::builder().status(answer.status);
    for (name, value) in answer.headers {
        response = response.header(name, value);
    }
    let mut response = response.body(answer.body).expect("it was a response");
    *response.extensions_mut() = answer.extensions;
    convert(authenticator.render(response))
}
