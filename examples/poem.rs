//! The application on poem. Run it with
//!
//! ```sh
//! cargo run --example poem --features jwks,poem,sqlite
//! ```

mod app;

use app::{App, Cleared, Reply, Shutdown, Updated};
use poem::error::{MethodNotAllowedError, NotFoundError};
use poem::http::{StatusCode, header};
use poem::listener::TcpAcceptor;
use poem::web::Data;
use poem::{Body, EndpointExt, IntoEndpoint, Response, Route, Server, get, handler, post};
use tower_user_metadata::adapter::poem::user_metadata;
use tower_user_metadata::{Authenticator, MetadataUpdate, StoreError, UserMetadataHandle};

/// Far more than a login needs.
const LOGIN_BYTES: usize = 64 * 1024;

#[tokio::main]
async fn main() -> Result<(), app::Error> {
    let app = App::from_env().await?;
    let sessions = Authenticator::new(app.verifier.clone(), app.store.clone());
    let routes = Route::new()
        .at("/userinfo", route("/userinfo", get(user_info.with(user_metadata(&sessions)))))
        .at("/updateinfo", route("/updateinfo", post(update_info.with(user_metadata(&sessions)))))
        .at("/clearinfo", route("/clearinfo", post(clear_info.with(user_metadata(&sessions)))))
        .at("/login", route("/login", post(login)))
        .catch_error(|_: NotFoundError| async { reply(Reply::no_route("")) })
        .data(app.clone());

    let shutdown = Shutdown::on_signal()?;
    let listener = tokio::net::TcpListener::bind(app.address()).await?;
    app.announce(listener.local_addr()?, "http");
    let server = Server::new_with_acceptor(TcpAcceptor::from_tokio(listener)?);
    let server = server.run_with_graceful_shutdown(routes, shutdown.begun(), None);
    shutdown.finish(server, &*app.store).await
}

/// A path with the answer to methods that it does not have.
fn route(path: &'static str, methods: impl IntoEndpoint) -> impl IntoEndpoint {
    methods.into_endpoint().catch_error(move |_: MethodNotAllowedError| async { reply(Reply::no_route(path)) })
}

#[handler]
async fn user_info(metadata: UserMetadataHandle) -> Result<Response, StoreError> {
    Ok(reply(Reply::json(200, &metadata.get().await?)))
}

#[handler]
async fn update_info(metadata: UserMetadataHandle, update: MetadataUpdate) -> Result<Response, StoreError> {
    let record = metadata.update(update).await?;
    Ok(reply(Reply::json(200, &Updated::new(record.metadata))))
}

#[handler]
async fn clear_info(metadata: UserMetadataHandle) -> Result<Response, StoreError> {
    metadata.clear().await?;
    Ok(reply(Reply::json(200, &Cleared::new())))
}

#[handler]
async fn login(Data(app): Data<&App>, body: Body) -> Response {
    reply(app.login(&body.into_bytes_limit(LOGIN_BYTES).await.unwrap_or_default()))
}

fn reply(reply: Reply) -> Response {
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = Response::builder().status(status).content_type("application/json");
    if let Some(allow) = reply.allow {
        response = response.header(header::ALLOW, allow);
    }
    response.body(reply.body)
}
