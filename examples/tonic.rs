//! The application on tonic, as gRPC services. Run it with
//!
//! ```sh
//! cargo run --example tonic --features jwks,sqlite,tonic
//! ```
//!
//! The services of `examples/app/user_metadata.proto` are written by hand, so that no compiler of such files is needed.

mod app;

use std::convert::Infallible;
use std::future::{Future, ready};
use std::pin::Pin;
use std::task::{Context, Poll};

use app::{App, Cleared, Reply, Shutdown, Updated};
use prost::Message;
use tonic::body::Body;
use tonic::server::{Grpc, NamedService};
use tonic::transport::server::{Server, TcpIncoming};
use tonic::{Code, Request, Response, Status};
use tonic_prost::ProstCodec;
use tower::{Layer, Service, service_fn};
use tower_user_metadata::UserMetadataLayer;
use tower_user_metadata::adapter::RequestExt;
use tower_user_metadata::adapter::tonic::{GrpcRejection, read_update};

const HEADER_BYTES: u32 = 64 * 1024;

#[derive(Clone, PartialEq, Message)]
struct Json {
    #[prost(string, tag = "1")]
    json: String,
}

#[tokio::main]
async fn main() -> Result<(), app::Error> {
    let app = App::from_env().await?;
    let sessions = UserMetadataLayer::new(app.verifier.clone(), app.store.clone());
    let sessions = sessions.with_rejection_response(GrpcRejection);
    // As much as over HTTP/1.
    let mut server = Server::builder().http2_max_header_list_size(HEADER_BYTES);
    let services = server.add_service(sessions.layer(UserMetadata)).add_service(Login(app.clone()));

    let shutdown = Shutdown::on_signal()?;
    let listener = tokio::net::TcpListener::bind(app.address()).await?;
    app.announce(listener.local_addr()?, "grpc");
    let server = services.serve_with_incoming_shutdown(TcpIncoming::from(listener), shutdown.begun());
    shutdown.finish(Box::pin(server), &*app.store).await
}

#[derive(Clone)]
struct UserMetadata;

async fn user_info(request: Request<Json>) -> Result<Response<Json>, Status> {
    let document = request.user_metadata()?.get().await?;
    answer(Reply::json(200, &document))
}

async fn update_info(request: Request<Json>) -> Result<Response<Json>, Status> {
    let metadata = request.user_metadata()?;
    let update = read_update(&request.get_ref().json, metadata.limits())?;
    let record = metadata.update(update).await?;
    answer(Reply::json(200, &Updated::new(record.metadata)))
}

async fn clear_info(request: Request<Json>) -> Result<Response<Json>, Status> {
    request.user_metadata()?.clear().await?;
    answer(Reply::json(200, &Cleared::new()))
}

#[derive(Clone)]
struct Login(App);

fn answer(reply: Reply) -> Result<Response<Json>, Status> {
    let code = match (reply.status, reply.allow) {
        (200, _) => return Ok(Response::new(Json { json: reply.body })),
        (404, _) | (_, Some(_)) => Code::Unimplemented,
        _ => Code::InvalidArgument,
    };
    Err(Status::new(code, reply.body))
}

impl NamedService for UserMetadata {
    const NAME: &'static str = "user_metadata.v1.UserMetadata";
}

impl NamedService for Login {
    const NAME: &'static str = "user_metadata.v1.Login";
}

impl Service<http::Request<Body>> for UserMetadata {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Answer;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Answer {
        Box::pin(async move {
            Ok(match request.uri().path() {
                "/user_metadata.v1.UserMetadata/UserInfo" => unary(user_info, request).await,
                "/user_metadata.v1.UserMetadata/UpdateInfo" => unary(update_info, request).await,
                "/user_metadata.v1.UserMetadata/ClearInfo" => unary(clear_info, request).await,
                _ => Status::unimplemented("no such method").into_http(),
            })
        })
    }
}

impl Service<http::Request<Body>> for Login {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Answer;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Answer {
        let app = self.0.clone();
        let login = move |request: Request<Json>| ready(answer(app.login(request.get_ref().json.as_bytes())));
        Box::pin(async move { Ok(unary(login, request).await) })
    }
}

type Answer = Pin<Box<dyn Future<Output = Result<http::Response<Body>, Infallible>> + Send>>;

/// What generated code does for a method with one message in and one out.
async fn unary<F>(method: impl FnMut(Request<Json>) -> F, request: http::Request<Body>) -> http::Response<Body>
where
    F: Future<Output = Result<Response<Json>, Status>>,
{
    Grpc::new(ProstCodec::<Json, Json>::default()).unary(service_fn(method), request).await
}
