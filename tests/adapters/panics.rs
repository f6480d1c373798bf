//! Handlers that write and then panic: the client gets no answer, save where the framework has one for that; what was
//! written is kept, and the next requests are served.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Command, Stdio};
use std::thread;

use tower_user_metadata::conformance::adapter::exchange;
use tower_user_metadata::store::MemoryStore;
use tower_user_metadata::{Authenticator, UserMetadataHandle, UserMetadataLayer, metadata_update};

use crate::example::function_environment;
use crate::shared::{authenticator_on, bearer};

pub(crate) async fn write_and_panic(metadata: UserMetadataHandle) -> String {
    let written = metadata.update(metadata_update! { "written": true }).await.expect("memory does not fail");
    panic!("after the document became {}", written.metadata.to_json());
}

pub(crate) async fn read(metadata: UserMetadataHandle) -> String {
    metadata.get().await.expect("memory does not fail").to_json()
}

/// Serves `GET /read` and `GET /panic` until the tests end.
pub(crate) fn serve(server: impl FnOnce(TcpListener, Authenticator) + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.set_nonblocking(true).expect("it can be");
    let address = listener.local_addr().expect("it is bound");
    thread::spawn(move || server(listener, authenticator_on(MemoryStore::new())));
    address
}

/// `status`: the answer to a request whose handler panics, where there is one.
#[track_caller]
fn check(address: SocketAddr, status: Option<u16>) {
    let get = |path: &str| {
        let head =
            format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: {}\r\n\r\n", bearer());
        exchange(address, head.as_bytes())
    };
    for _ in 0..20 {
        assert_eq!(get("/panic").ok().map(|answer| answer.status()), status);
        let read = get("/read").expect("it still serves");
        assert_eq!((read.status(), &*read.body_text()), (200, r#"{"written":true}"#));
    }
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
pub(crate) async fn run(server: impl Future) {
    server.await;
}

pub(crate) fn tokio_listener(listener: TcpListener) -> tokio::net::TcpListener {
    tokio::net::TcpListener::from_std(listener).expect("it does not block")
}

#[test]
fn actix() {
    use actix_web::{App, HttpServer, web};
    use tower_user_metadata::adapter::actix::user_metadata;
    let address = serve(|listener, sessions| {
        let app = move || {
            App::new()
                .service(web::resource("/panic").wrap(user_metadata(&sessions)).to(write_and_panic))
                .service(web::resource("/read").wrap(user_metadata(&sessions)).to(read))
        };
        let server = HttpServer::new(app).workers(1).listen(listener).expect("it listens");
        actix_web::rt::System::new().block_on(server.run()).expect("it serves");
    });
    check(address, None);
}

#[test]
fn axum() {
    use axum::{Router, routing::get};
    let address = serve(|listener, sessions| {
        run(async {
            let router = Router::new().route("/panic", get(write_and_panic)).route("/read", get(read));
            let router = router.route_layer(UserMetadataLayer::from_authenticator(sessions));
            axum::serve(tokio_listener(listener), router).await
        });
    });
    check(address, None);
}

/// The gateway has no answer of the function, and says so.
#[test]
fn lambda() {
    use crate::lambda::{Gateway, Trigger};
    let gateway = Gateway::start(Trigger::RestApi);
    let mut function = Command::new(std::env::current_exe().expect("this test has a file"));
    function.args(["--exact", "panics::a_function_on_lambda", "--nocapture"]).envs(function_environment(&gateway));
    let mut function = function.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
    check(gateway.address, Some(502));
    assert!(function.try_wait().expect("it is ours").is_none(), "it still runs");
    function.kill().expect("it runs");
    function.wait().expect("it is ours");
    // Nobody answers its clients any more.
    drop(gateway);
}

/// The process of the test above: where AWS Lambda is, a function reads from its environment.
#[test]
fn a_function_on_lambda() {
    use axum::{Router, routing::get};
    if std::env::var_os("AWS_LAMBDA_RUNTIME_API").is_some() {
        run(async {
            let router = Router::new().route("/panic", get(write_and_panic)).route("/read", get(read));
            let layer = UserMetadataLayer::from_authenticator(authenticator_on(MemoryStore::new()));
            tower_user_metadata::adapter::lambda::run(router.route_layer(layer)).await
        });
    }
}

#[test]
fn poem() {
    use poem::listener::TcpAcceptor;
    use poem::{EndpointExt, Route, Server};
    use tower_user_metadata::adapter::poem::user_metadata;

    #[poem::handler]
    async fn panics(metadata: UserMetadataHandle) -> String {
        write_and_panic(metadata).await
    }

    #[poem::handler]
    async fn reads(metadata: UserMetadataHandle) -> String {
        read(metadata).await
    }

    let address = serve(|listener, sessions| {
        run(async {
            let routes = Route::new().at("/panic", panics).at("/read", reads).with(user_metadata(&sessions));
            Server::new_with_acceptor(TcpAcceptor::from_std(listener).expect("it listens")).run(routes).await
        });
    });
    check(address, None);
}

#[test]
fn rocket() {
    use rocket::config::{Config, LogLevel};
    use rocket::{get, routes};
    use tower_user_metadata::adapter::rocket::UserMetadata;

    #[get("/panic")]
    async fn panics(metadata: UserMetadataHandle) -> String {
        write_and_panic(metadata).await
    }

    #[get("/read")]
    async fn reads(metadata: UserMetadataHandle) -> String {
        read(metadata).await
    }

    let (listens, listening) = std::sync::mpsc::channel();
    serve(move |_, sessions| {
        run(async move {
            let config = Config { port: 0, log_level: LogLevel::Off, ..Config::default() };
            let announce = rocket::fairing::AdHoc::on_liftoff("address", move |rocket| {
                listens.send(SocketAddr::from((Ipv4Addr::LOCALHOST, rocket.config().port))).expect("it is waited for");
                Box::pin(std::future::ready(()))
            });
            let rocket = rocket::custom(config).attach(UserMetadata::fairing(sessions)).attach(announce);
            rocket.mount("/", routes![panics, reads]).launch().await
        });
    });
    check(listening.recv().expect("it starts"), Some(500));
}

#[test]
fn salvo() {
    use salvo_core::conn::tcp::TcpAcceptor;
    use salvo_core::{Router, Server, Writer, handler};
    use tower_user_metadata::adapter::salvo::user_metadata;

    #[handler]
    async fn panics(metadata: UserMetadataHandle) -> String {
        write_and_panic(metadata).await
    }

    #[handler]
    async fn reads(metadata: UserMetadataHandle) -> String {
        read(metadata).await
    }

    let address = serve(|listener, sessions| {
        run(async {
            let router = Router::new().hoop(user_metadata(&sessions));
            let router = router.push(Router::with_path("panic").get(panics)).push(Router::with_path("read").get(reads));
            let acceptor = TcpAcceptor::try_from(tokio_listener(listener)).expect("it listens");
            Server::new(acceptor).try_serve(router).await
        });
    });
    check(address, None);
}

#[test]
fn warp() {
    use tower_user_metadata::adapter::warp::user_metadata;
    use warp::Filter;
    let address = serve(|listener, sessions| {
        run(async move {
            let panics = warp::path!("panic").and(user_metadata(&sessions)).then(write_and_panic);
            let reads = warp::path!("read").and(user_metadata(&sessions)).then(read);
            warp::serve(panics.or(reads)).incoming(tokio_listener(listener)).run().await;
        });
    });
    check(address, None);
}

/// Bare hyper, over HTTP/1; tonic has tests of its own, since all calls of a client share a connection.
#[test]
fn hyper() {
    use bytes::Bytes;
    use http_body_util::Full;
    use hyper_util::rt::TokioIo;
    use hyper_util::service::TowerToHyperService;
    use tower::{Layer, service_fn};
    use tower_user_metadata::adapter::RequestExt;

    let address = serve(|listener, sessions| {
        run(async move {
            let handler = service_fn(async |request: http::Request<hyper::body::Incoming>| {
                let metadata = request.user_metadata().expect("the layer puts it there");
                let body = match request.uri().path() {
                    "/panic" => write_and_panic(metadata).await,
                    _ => read(metadata).await,
                };
                Ok::<_, std::convert::Infallible>(http::Response::new(Full::<Bytes>::from(body)))
            });
            let service = TowerToHyperService::new(UserMetadataLayer::from_authenticator(sessions).layer(handler));
            let listener = tokio_listener(listener);
            while let Ok((stream, _)) = listener.accept().await {
                let connection = hyper::server::conn::http1::Builder::new();
                tokio::spawn(connection.serve_connection(TokioIo::new(stream), service.clone()));
            }
        });
    });
    check(address, None);
}
