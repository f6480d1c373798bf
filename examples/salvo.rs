//! The application on salvo. Run it with
//!
//! ```sh
//! cargo run --example salvo --features jwks,salvo,sqlite
//! ```

mod app;

use app::{App, Cleared, Reply, Shutdown, Updated};
use http_body_util::{BodyExt, Collected, Limited};
use salvo_core::conn::tcp::TcpAcceptor;
use salvo_core::http::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use salvo_core::http::{Request, Response, StatusCode};
use salvo_core::writing::{Scribe, Writer};
use salvo_core::{Router, Server, handler};
use tokio::net::TcpListener;
use tower_user_metadata::adapter::salvo::user_metadata;
use tower_user_metadata::{Authenticator, MetadataUpdate, StoreError, UserMetadataHandle};

/// Far more than a login needs.
const LOGIN_BYTES: usize = 64 * 1024;

#[tokio::main]
async fn main() -> Result<(), app::Error> {
    let app = App::from_env().await?;
    let sessions = Authenticator::new(app.verifier.clone(), app.store.clone());
    let signed_in = |path: &str| Router::with_path(path).hoop(user_metadata(&sessions));
    let router = Router::new()
        .push(signed_in("userinfo").get(user_info).head(user_info))
        .push(signed_in("updateinfo").post(update_info))
        .push(signed_in("clearinfo").post(clear_info))
        .push(Router::with_path("login").post(Login(app.clone())))
        .push(Router::with_path("{**path}").goal(no_route));

    let shutdown = Shutdown::on_signal()?;
    let listener = TcpListener::bind(app.address()).await?;
    app.announce(listener.local_addr()?, "http");
    let server = Server::new(TcpAcceptor::try_from(listener)?);
    let (begun, handle) = (shutdown.begun(), server.handle());
    tokio::spawn(async move {
        begun.await;
        handle.stop_graceful(None);
    });
    shutdown.finish(server.try_serve(router), &*app.store).await
}

#[handler]
async fn user_info(metadata: UserMetadataHandle) -> Result<Reply, StoreError> {
    Ok(Reply::json(200, &metadata.get().await?))
}

#[handler]
async fn update_info(metadata: UserMetadataHandle, update: MetadataUpdate) -> Result<Reply, StoreError> {
    let record = metadata.update(update).await?;
    Ok(Reply::json(200, &Updated::new(record.metadata)))
}

#[handler]
async fn clear_info(metadata: UserMetadataHandle) -> Result<Reply, StoreError> {
    metadata.clear().await?;
    Ok(Reply::json(200, &Cleared::new()))
}

struct Login(App);

#[handler]
impl Login {
    async fn handle(&self, request: &mut Request) -> Reply {
        let body = Limited::new(request.take_body(), LOGIN_BYTES).collect().await;
        self.0.login(&body.map(Collected::to_bytes).unwrap_or_default())
    }
}

#[handler]
fn no_route(request: &Request) -> Reply {
    Reply::no_route(request.uri().path())
}

impl Scribe for Reply {
    fn render(self, response: &mut Response) {
        response.status_code(StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(allow) = self.allow {
            response.headers_mut().insert(ALLOW, HeaderValue::from_static(allow));
        }
        response.replace_body(self.body.into());
    }
}
