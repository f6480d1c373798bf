//! Methods that write and then panic, beside others on the same connection.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use tokio::sync::Notify;
use tonic::body::Body;
use tonic::server::{Grpc, NamedService};
use tonic::transport::server::{Server, TcpIncoming};
use tonic::{Code, Request, Response, Status};
use tonic_prost::ProstCodec;
use tower::{Layer, Service, service_fn};
use tower_user_metadata::UserMetadataLayer;
use tower_user_metadata::adapter::RequestExt;
use tower_user_metadata::adapter::tonic::GrpcRejection;

use super::{Json, call, connect_to, run};
use crate::panics::{read, serve, tokio_listener, write_and_panic};
use crate::shared::bearer;

#[derive(Clone)]
struct Methods {
    begun: Arc<Notify>,
    go_on: Arc<Notify>,
}

impl NamedService for Methods {
    const NAME: &'static str = "user_metadata.v1.UserMetadata";
}

impl Service<http::Request<Body>> for Methods {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<http::Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let method = request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
        assert_ne!(method, "PanicAtOnce");
        let Self { begun, go_on } = self.clone();
        let answer = move |request: Request<Json>| {
            let (method, begun, go_on) = (method.clone(), begun.clone(), go_on.clone());
            async move {
                let metadata = request.user_metadata()?;
                if method == "Wait" {
                    begun.notify_one();
                    go_on.notified().await;
                }
                let json = if method == "Panic" { write_and_panic(metadata).await } else { read(metadata).await };
                Ok::<_, Status>(Response::new(Json { json }))
            }
        };
        let codec = ProstCodec::<Json, Json>::default();
        Box::pin(async move { Ok(Grpc::new(codec).unary(service_fn(answer), request).await) })
    }
}

#[test]
fn a_method_that_panics_takes_no_other_call_with_it() {
    let (begun, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let methods = Methods { begun: begun.clone(), go_on: go_on.clone() };
    let address = serve(move |listener, sessions| {
        let layer = UserMetadataLayer::from_authenticator(sessions).with_rejection_response(GrpcRejection);
        run(async move {
            let incoming = TcpIncoming::from(tokio_listener(listener));
            Server::builder().add_service(layer.layer(methods)).serve_with_incoming(incoming).await
        })
        .expect("it serves");
    });
    run(async {
        let channel = connect_to(address).await;
        let alice = HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::try_from(bearer()).expect("a value"))]);
        let other = {
            let (channel, alice) = (channel.clone(), alice.clone());
            tokio::spawn(async move { call(&channel, "Wait", alice, "").await })
        };
        begun.notified().await;
        for _ in 0..20 {
            for method in ["Panic", "PanicAtOnce"] {
                let ended = call(&channel, method, alice.clone(), "").await.expect_err("no answer");
                // The server resets the stream, and gRPC has a status for that.
                assert_eq!(ended.code(), Code::Cancelled, "{method}: {ended:?}");
            }
            let read = call(&channel, "Read", alice.clone(), "").await;
            assert_eq!(read.expect("it still serves"), r#"{"written":true}"#);
        }
        go_on.notify_one();
        assert_eq!(other.await.expect("no panic").expect("the same connection"), r#"{"written":true}"#);
    });
}
