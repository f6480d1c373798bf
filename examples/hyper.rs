//! The application on hyper and Tower, without a framework. Run it with
//!
//! ```sh
//! cargo run --example hyper --features jwks,sqlite
//! ```

mod app;

use std::convert::Infallible;
use std::pin::pin;
use std::time::Duration;

use app::{App, Cleared, Reply, Shutdown, Updated};
use bytes::Bytes;
use http_body_util::{BodyExt, Collected, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_user_metadata::UserMetadataLayer;
use tower_user_metadata::adapter::RequestExt;
use tower_user_metadata::endpoints::{Problem, read_update};

type Answer = Response<Full<Bytes>>;

#[tokio::main]
async fn main() -> Result<(), app::Error> {
    let app = App::from_env().await?;
    let sessions = UserMetadataLayer::new(app.verifier.clone(), app.store.clone());
    let signed_in = sessions.layer(service_fn(signed_in));
    let state = app.clone();
    let service = service_fn(move |request: Request<Incoming>| {
        let (app, signed_in) = (state.clone(), signed_in.clone());
        async move {
            match (request.method(), request.uri().path()) {
                (&Method::GET | &Method::HEAD, "/userinfo") | (&Method::POST, "/updateinfo" | "/clearinfo") => {
                    signed_in.oneshot(request).await
                }
                (&Method::POST, "/login") => Ok(login(&app, request).await),
                (_, path) => Ok(reply(Reply::no_route(path))),
            }
        }
    });

    let shutdown = Shutdown::on_signal()?;
    let listener = TcpListener::bind(app.address()).await?;
    app.announce(listener.local_addr()?, "http");
    let server = serve(listener, service, shutdown.begun());
    shutdown.finish(server, &*app.store).await
}

/// The routes that need a session.
async fn signed_in(request: Request<Incoming>) -> Result<Answer, Infallible> {
    let answer = match request.uri().path() {
        "/userinfo" => user_info(request).await,
        "/updateinfo" => update_info(request).await,
        _ => clear_info(request).await,
    };
    Ok(answer.unwrap_or_else(|problem| problem.into_response().map(Full::new)))
}

async fn user_info(request: Request<Incoming>) -> Result<Answer, Problem> {
    let document = request.user_metadata()?.get().await?;
    Ok(reply(Reply::json(200, &document)))
}

async fn update_info(request: Request<Incoming>) -> Result<Answer, Problem> {
    let metadata = request.user_metadata()?;
    let (head, body) = request.into_parts();
    let update = read_update(&head.headers, body, metadata.limits()).await?;
    let record = metadata.update(update).await?;
    Ok(reply(Reply::json(200, &Updated::new(record.metadata))))
}

async fn clear_info(request: Request<Incoming>) -> Result<Answer, Problem> {
    request.user_metadata()?.clear().await?;
    Ok(reply(Reply::json(200, &Cleared::new())))
}

async fn login(app: &App, request: Request<Incoming>) -> Answer {
    let body = Limited::new(request.into_body(), 64 * 1024).collect().await;
    reply(app.login(&body.map(Collected::to_bytes).unwrap_or_default()))
}

fn reply(reply: Reply) -> Answer {
    let mut answer = Answer::new(Full::from(reply.body));
    *answer.status_mut() = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(allow) = reply.allow {
        answer.headers_mut().insert(ALLOW, HeaderValue::from_static(allow));
    }
    answer
}

/// Takes connections until `stop` ends, then waits for the requests in flight.
async fn serve<S>(listener: TcpListener, service: S, stop: impl Future<Output = ()>) -> Result<(), app::Error>
where
    S: Service<Request<Incoming>, Response = Answer, Error = Infallible, Future: Send> + Clone + Send + 'static,
{
    let connections = GracefulShutdown::new();
    let mut stop = pin!(stop);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => break,
        };
        let Ok((stream, _)) = accepted else {
            // For example too many open files, which passes.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let service = TowerToHyperService::new(service.clone());
        let connection = http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service);
        let connection = connections.watch(connection);
        // An error is one of the client's, who is gone.
        tokio::spawn(async { drop(connection.await) });
    }
    drop(listener);
    connections.shutdown().await;
    Ok(())
}
