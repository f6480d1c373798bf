//! The application on AWS Lambda; here with a router of axum, which is a service as any other. Without Lambda around it,
//! it listens by itself. Run it with
//!
//! ```sh
//! cargo run --example lambda --features axum,jwks,lambda,sqlite
//! ```

mod app;

use std::env;

use app::{App, Cleared, Reply, Shutdown, Updated};
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use tower_user_metadata::adapter::lambda;
use tower_user_metadata::{Metadata, MetadataUpdate, StoreError, UserMetadataHandle, UserMetadataLayer};

#[tokio::main]
async fn main() -> Result<(), app::Error> {
    let app = App::from_env().await?;
    let router = Router::new()
        .route("/userinfo", get(user_info))
        .route("/updateinfo", post(update_info))
        .route("/clearinfo", post(clear_info))
        .route_layer(UserMetadataLayer::new(app.verifier.clone(), app.store.clone()))
        .route("/login", post(login))
        .method_not_allowed_fallback(no_route)
        .fallback(no_route)
        .with_state(app.clone());

    if env::var_os("AWS_LAMBDA_RUNTIME_API").is_some() {
        return lambda::run(router).await.map_err(|error| app::Error::new(error.to_string()));
    }
    let shutdown = Shutdown::on_signal()?;
    let listener = tokio::net::TcpListener::bind(app.address()).await?;
    app.announce(listener.local_addr()?, "http");
    let server = axum::serve(listener, router).with_graceful_shutdown(shutdown.begun());
    shutdown.finish(server, &*app.store).await
}

async fn user_info(metadata: UserMetadataHandle) -> Result<Json<Metadata>, StoreError> {
    Ok(Json(metadata.get().await?))
}

async fn update_info(metadata: UserMetadataHandle, update: MetadataUpdate) -> Result<Json<Updated>, StoreError> {
    let record = metadata.update(update).await?;
    Ok(Json(Updated::new(record.metadata)))
}

async fn clear_info(metadata: UserMetadataHandle) -> Result<Json<Cleared>, StoreError> {
    metadata.clear().await?;
    Ok(Json(Cleared::new()))
}

async fn login(State(app): State<App>, body: Result<Bytes, BytesRejection>) -> Response {
    reply(app.login(&body.unwrap_or_default()))
}

async fn no_route(uri: Uri) -> Response {
    reply(Reply::no_route(uri.path()))
}

fn reply(reply: Reply) -> Response {
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let json = [(header::CONTENT_TYPE, "application/json")];
    match reply.allow {
        Some(allow) => (status, json, [(header::ALLOW, allow)], reply.body).into_response(),
        None => (status, json, reply.body).into_response(),
    }
}
