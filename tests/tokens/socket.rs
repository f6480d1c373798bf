//! The layer behind a real HTTP/1 server, for requests that no `HeaderMap` and no `Uri` can hold.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tower::{Layer, Service};
use tower_user_metadata::layer::{JsonRejection, UserMetadata};
use tower_user_metadata::{AuthErrorKind, UserMetadataLayer};

use crate::harness::{Given, Outcome, Recorder};

/// The smallest router there is: `/admin` behind the layer, `/public` open, nothing else.
#[derive(Clone)]
struct Router {
    admin: UserMetadata<Recorder, JsonRejection>,
}

impl<B: 'static> Service<Request<B>> for Router
where
    UserMetadata<Recorder, JsonRejection>: Service<Request<B>, Response = Response<Full<Bytes>>, Error = Infallible>,
    <UserMetadata<Recorder, JsonRejection> as Service<Request<B>>>::Future: Send + 'static,
{
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.admin.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let status = match request.uri().path() {
            "/admin" => return Box::pin(self.admin.call(request)),
            "/public" => StatusCode::OK,
            _ => StatusCode::NOT_FOUND,
        };
        let mut response = Response::new(Full::default());
        *response.status_mut() = status;
        Box::pin(std::future::ready(Ok(response)))
    }
}

/// Sends these bytes and tells whether they came to the handler; whatever the server says instead is a refusal.
pub(crate) fn exchange(layer: &UserMetadataLayer, request: &[u8]) -> Result<Outcome, String> {
    let recorder = Recorder::default();
    let router = Router { admin: layer.layer(recorder.clone()) };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let answer = runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let server = async {
            let (stream, _) = listener.accept().await.expect("a connection");
            // The server's own complaint about a malformed request is not ours.
            let _ =
                http1::Builder::new().serve_connection(TokioIo::new(stream), TowerToHyperService::new(router)).await;
        };
        let client = async {
            let mut stream = TcpStream::connect(address).await.expect("a connection");
            stream.write_all(request).await.expect("sent");
            stream.shutdown().await.expect("closed");
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).await.expect("an answer");
            String::from_utf8_lossy(&answer).into_owned()
        };
        let both = async { tokio::join!(server, client).1 };
        tokio::time::timeout(Duration::from_secs(10), both).await.expect("an answer in time")
    });
    let status = answer.split(' ').nth(1).unwrap_or_default();
    match (status, recorder.take().as_slice()) {
        ("200", [Given { session: Some(session), .. }]) => Ok(Outcome::Accepted(session.clone())),
        ("401", []) if answer.ends_with(r#"{"message":"unauthorised"}"#) => {
            Ok(Outcome::Refused(AuthErrorKind::MissingCredentials))
        }
        ("401", []) if answer.ends_with(r#"{"message":"try refresh token"}"#) => {
            Ok(Outcome::Refused(AuthErrorKind::BadSignature))
        }
        ("400" | "404", []) => Ok(Outcome::Refused(AuthErrorKind::MalformedCredentials)),
        (_, given) => Err(format!("{given:?} and {answer:?}")),
    }
}
