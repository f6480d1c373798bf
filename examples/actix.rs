//! The application on actix-web. Run it with
//!
//! ```sh
//! cargo run --example actix --features actix,jwks,sqlite
//! ```

mod app;

use actix_web::http::{StatusCode, Uri, header};
use actix_web::web::{self, Bytes, Data};
use actix_web::{App, HttpResponse, HttpServer, Resource};
use app::{Cleared, Reply, Shutdown, Updated};
use tower_user_metadata::adapter::actix::user_metadata;
use tower_user_metadata::{Authenticator, MetadataUpdate, StoreError, UserMetadataHandle};

#[tokio::main]
async fn main() -> Result<(), app::Error> {
    let app = app::App::from_env().await?;
    // Made once, and shared by the workers.
    let sessions = Authenticator::new(app.verifier.clone(), app.store.clone());
    let data = Data::new(app.clone());
    let application = move || {
        App::new()
            .app_data(data.clone())
            .service(
                resource("/userinfo")
                    .route(web::get().to(user_info).wrap(user_metadata(&sessions)))
                    .route(web::head().to(user_info).wrap(user_metadata(&sessions))),
            )
            .service(resource("/updateinfo").route(web::post().to(update_info).wrap(user_metadata(&sessions))))
            .service(resource("/clearinfo").route(web::post().to(clear_info).wrap(user_metadata(&sessions))))
            .service(resource("/login").route(web::post().to(login)))
            .default_service(web::to(no_route))
    };

    let shutdown = Shutdown::on_signal()?;
    let server = HttpServer::new(application).shutdown_signal(shutdown.begun()).bind(app.address())?;
    server.addrs().into_iter().for_each(|address| app.announce(address, "http"));
    shutdown.finish(server.run(), &*app.store).await
}

/// A path that answers methods it does not have as every other path that is not there.
fn resource(path: &str) -> Resource {
    web::resource(path).default_service(web::to(no_route))
}

async fn user_info(metadata: UserMetadataHandle) -> Result<HttpResponse, StoreError> {
    Ok(HttpResponse::Ok().json(metadata.get().await?))
}

async fn update_info(metadata: UserMetadataHandle, update: MetadataUpdate) -> Result<HttpResponse, StoreError> {
    let record = metadata.update(update).await?;
    Ok(HttpResponse::Ok().json(Updated::new(record.metadata)))
}

async fn clear_info(metadata: UserMetadataHandle) -> Result<HttpResponse, StoreError> {
    metadata.clear().await?;
    Ok(HttpResponse::Ok().json(Cleared::new()))
}

async fn login(app: Data<app::App>, body: Result<Bytes, actix_web::Error>) -> HttpResponse {
    reply(app.login(&body.unwrap_or_default()))
}

async fn no_route(uri: Uri) -> HttpResponse {
    reply(Reply::no_route(uri.path()))
}

fn reply(reply: Reply) -> HttpResponse {
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponse::build(status);
    if let Some(allow) = reply.allow {
        response.insert_header((header::ALLOW, allow));
    }
    response.content_type("application/json").body(reply.body)
}
