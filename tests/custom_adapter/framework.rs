//! A web framework as small as one can be, which knows nothing of sessions: it has its own requests, responses and handlers.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::convert::Infallible;
use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use futures_core::Stream;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;

/// The body of a request, as it comes.
pub(crate) type Chunks = Pin<Box<dyn Stream<Item = Result<Bytes, Box<dyn Error + Send + Sync>>> + Send>>;

pub(crate) type HeaderList = Vec<(String, Vec<u8>)>;

pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: HeaderList,
    pub(crate) body: Chunks,
    locals: HashMap<TypeId, Box<dyn Any + Send + Sync>>,
}

impl Request {
    pub(crate) fn new(method: &str, path: &str, headers: HeaderList, body: Chunks) -> Self {
        Self { method: method.to_owned(), path: path.to_owned(), headers, body, locals: HashMap::new() }
    }

    /// What a middleware left for the handlers inside.
    pub(crate) fn local<T: Any>(&self) -> Option<&T> {
        self.locals.get(&TypeId::of::<T>())?.downcast_ref()
    }

    pub(crate) fn set_local<T: Any + Send + Sync>(&mut self, value: T) {
        self.locals.insert(TypeId::of::<T>(), Box::new(value));
    }
}

#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: HeaderList,
    pub(crate) body: Bytes,
    /// What middlewares want to know of an answer.
    pub(crate) extensions: http::Extensions,
}

/// What answers requests; a middleware makes one of another.
pub(crate) type Handler = Arc<dyn Fn(Request) -> Pin<Box<dyn Future<Output = Response> + Send>> + Send + Sync>;

pub(crate) fn handler<F: Future<Output = Response> + Send + 'static>(
    answer: impl Fn(Request) -> F + Send + Sync + 'static,
) -> Handler {
    Arc::new(move |request| Box::pin(answer(request)))
}

/// Serves on a free port for as long as the runtime lives.
pub(crate) async fn serve(handler: Handler) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let handler = Arc::clone(&handler);
            let service = service_fn(move |request| answer(Arc::clone(&handler), request));
            let connection =
                http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service);
            tokio::spawn(async { drop(connection.await) });
        }
    });
    address
}

async fn answer(
    handler: Handler,
    request: hyper::Request<Incoming>,
) -> Result<hyper::Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let headers = head.headers.iter().map(|(name, value)| (name.to_string(), value.as_bytes().to_owned())).collect();
    let body = Box::pin(body.map_err(Into::into).into_data_stream());
    let response = handler(Request::new(head.method.as_str(), head.uri.path(), headers, body)).await;
    let mut answer = hyper::Response::builder().status(response.status);
    for (name, value) in response.headers {
        answer = answer.header(name, value);
    }
    Ok(answer.body(Full::new(response.body)).expect("it was a response"))
}
