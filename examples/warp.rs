//! The application on warp. Run it with
//!
//! ```sh
//! cargo run --example warp --features jwks,sqlite,warp
//! ```

mod app;

use app::{App, Cleared, Reply, Shutdown, Updated};
use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};
use tower_user_metadata::adapter::warp::{metadata_update, recover, user_metadata};
use tower_user_metadata::{Authenticator, MetadataUpdate, UserMetadataHandle};
use warp::reply::Json;
use warp::{Filter, Rejection, path, reply};

/// Far more than a login needs.
const LOGIN_BYTES: u64 = 64 * 1024;

#[tokio::main]
async fn main() -> Result<(), app::Error> {
    let app = App::from_env().await?;
    let sessions = Authenticator::new(app.verifier.clone(), app.store.clone());

    let user_info =
        path!("userinfo").and(warp::get().or(warp::head()).unify()).and(user_metadata(&sessions)).and_then(user_info);
    let update_info = path!("updateinfo")
        .and(warp::post())
        .and(user_metadata(&sessions))
        .and(metadata_update(&sessions))
        .and_then(update_info);
    let clear_info = path!("clearinfo").and(warp::post()).and(user_metadata(&sessions)).and_then(clear_info);
    let signed_in = user_info.or(update_info).or(clear_info).recover(recover(&sessions));

    let state = app.clone();
    let body = warp::body::content_length_limit(LOGIN_BYTES).and(warp::body::bytes());
    let login = path!("login")
        .and(warp::post())
        .and(body.or(warp::any().map(Bytes::new)).unify())
        .map(move |body: Bytes| answer(state.login(&body)));
    // With the paths spelled out: `path::full` panics on a request target without a path, as CONNECT has it.
    let no_route = path!("userinfo")
        .map(no_route("/userinfo"))
        .or(path!("updateinfo").map(no_route("/updateinfo")))
        .or(path!("clearinfo").map(no_route("/clearinfo")))
        .or(path!("login").map(no_route("/login")))
        .or(warp::any().map(no_route("")));

    let shutdown = Shutdown::on_signal()?;
    let listener = tokio::net::TcpListener::bind(app.address()).await?;
    app.announce(listener.local_addr()?, "http");
    let server = warp::serve(signed_in.or(login).or(no_route)).incoming(listener).graceful(shutdown.begun());
    let server = async {
        server.run().await;
        Ok::<(), app::Error>(())
    };
    shutdown.finish(server, &*app.store).await
}

async fn user_info(metadata: UserMetadataHandle) -> Result<Json, Rejection> {
    Ok(reply::json(&metadata.get().await?))
}

async fn update_info(metadata: UserMetadataHandle, update: MetadataUpdate) -> Result<Json, Rejection> {
    let record = metadata.update(update).await?;
    Ok(reply::json(&Updated::new(record.metadata)))
}

async fn clear_info(metadata: UserMetadataHandle) -> Result<Json, Rejection> {
    metadata.clear().await?;
    Ok(reply::json(&Cleared::new()))
}

fn no_route(path: &'static str) -> impl Fn() -> Response<String> + Clone {
    move || answer(Reply::no_route(path))
}

fn answer(reply: Reply) -> Response<String> {
    let mut response = Response::new(reply.body);
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(allow) = reply.allow {
        response.headers_mut().insert(ALLOW, HeaderValue::from_static(allow));
    }
    response
}
