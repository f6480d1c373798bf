use std::convert::Infallible;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tower::{Layer, Service, service_fn};
use tower_user_metadata::endpoints::UserMetadataEndpoints;
use tower_user_metadata::forward_auth::ForwardAuth;
use tower_user_metadata::session::JwtVerifier;
use tower_user_metadata::store::{MemoryStore, MetadataStore};
use tower_user_metadata::{Authenticator, UserMetadataLayer};

use crate::failure::Failure;
use crate::settings::Settings;

/// How long requests in flight may take once the program was told to stop.
const GRACE: Duration = Duration::from_secs(10);

/// How long a client may take for the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// How many headers a request may have: more than proxies let through by default, since nginx makes 500 of a refusal.
const MAX_HEADERS: usize = 512;

type Answer = Response<Full<Bytes>>;

/// Serves until the program is told to stop, by SIGTERM or Ctrl-C.
pub(crate) async fn run(
    settings: &Settings,
    verifier: JwtVerifier,
    store: Option<Arc<dyn MetadataStore>>,
) -> Result<(), Failure> {
    let sources = settings.token_sources()?;
    let with_settings = |authenticator: Authenticator| {
        let authenticator = authenticator.with_token_sources(sources.clone());
        if settings.refuse_preflights { authenticator.with_preflights_refused() } else { authenticator }
    };
    // A check never asks the store, so without one any will do.
    let checks = ForwardAuth::new(with_settings(Authenticator::new(verifier.clone(), MemoryStore::new())));
    let metadata = store.clone().map(|store| {
        let authenticator = with_settings(Authenticator::new(verifier, store));
        UserMetadataLayer::from_authenticator(authenticator).layer(UserMetadataEndpoints::new())
    });
    let has_metadata = metadata.is_some();
    let service = service_fn(move |request: Request<Incoming>| {
        let (mut checks, metadata) = (checks.clone(), metadata.clone());
        async move {
            match (request.uri().path(), metadata) {
                ("/metadata", Some(mut metadata)) => metadata.call(request).await,
                ("/health", _) => Ok(Answer::new(Full::from("ok\n"))),
                (path, _) if path.starts_with("/auth") => checks.call(request).await,
                _ => Ok(not_found()),
            }
        }
    });

    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let listen = settings.listen;
    let listener =
        TcpListener::bind(listen).await.map_err(|error| Failure::new(format!("cannot listen on {listen}: {error}")))?;
    let address = listener.local_addr()?;
    if !address.ip().is_loopback() {
        tracing::warn!(%address, "not a loopback address: only the proxy should reach this");
    }
    tracing::info!(%address, metadata = has_metadata, "listening");
    println!("listening on http://{address}");
    let told_to_stop = async {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    let connections = serve(listener, service, told_to_stop).await;
    let finished = tokio::time::timeout(GRACE, connections.shutdown()).await;
    if let Some(store) = store {
        store.close().await;
    }
    finished.map_err(|_| Failure::new(format!("requests were still in flight after {} seconds", GRACE.as_secs())))
}

/// Takes connections until `stop` ends; gives back those that are open then.
async fn serve<S>(listener: TcpListener, service: S, stop: impl Future<Output = ()>) -> GracefulShutdown
where
    S: Service<Request<Incoming>, Response = Answer, Error = Infallible, Future: Send> + Clone + Send + 'static,
{
    let connections = GracefulShutdown::new();
    let mut stop = pin!(stop);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => return connections,
        };
        let Ok((stream, _)) = accepted else {
            // For example too many open files, which passes.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let service = TowerToHyperService::new(service.clone());
        let mut server = http1::Builder::new();
        server.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).max_headers(MAX_HEADERS);
        let connection = connections.watch(server.serve_connection(TokioIo::new(stream), service));
        // An error is one of the client's, who is gone.
        tokio::spawn(async { drop(connection.await) });
    }
}

fn not_found() -> Answer {
    let mut answer = Answer::new(Full::from(r#"{"message":"not found"}"#));
    *answer.status_mut() = StatusCode::NOT_FOUND;
    answer.headers_mut().insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    answer
}
