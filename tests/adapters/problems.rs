//! One function renders all that goes wrong, in every framework alike: refusals, updates that cannot be kept, errors of
//! stores that handlers return, and what the ready-made endpoints answer.

use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::sync::mpsc;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue, SET_COOKIE};
use http::{HeaderName, Response};
use serde_json::json;
use tower_user_metadata::conformance::adapter::exchange;
use tower_user_metadata::endpoints::{Problem, UserMetadataEndpoints};
use tower_user_metadata::{
    Authenticator, MetadataUpdate, StoreError, StoreErrorKind, UserMetadataHandle, UserMetadataLayer,
};

use crate::example::function_environment;
use crate::panics::{run, serve, tokio_listener};
use crate::shared::{authenticator_on, bearer, small_store};

const COOKIE: &str = "seen=1";

/// That of the handler, and that of the function that renders.
const BOTH: Option<&[&str]> = Some(&[COOKIE, "rendered=1"]);

/// Problem details (RFC 9457), with what a client may act upon.
fn problem_details(problem: &Problem, mut answer: Response<Bytes>) -> Response<Bytes> {
    let kind = match (problem.auth_error(), problem.store_error()) {
        (Some(refused), _) => format!("{:?}", refused.kind()),
        (_, Some(failed)) => format!("{:?}", failed.kind()),
        _ => problem.invalid_metadata().map(|invalid| format!("{:?}", invalid.kind())).unwrap_or_default(),
    };
    let details = json!({ "title": problem.to_string(), "status": problem.status().as_u16(), "kind": kind });
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    answer.headers_mut().insert(HeaderName::from_static("x-rendered"), HeaderValue::from_static("once"));
    answer.headers_mut().append(SET_COOKIE, HeaderValue::from_static("rendered=1"));
    answer.map(|_| details.to_string().into())
}

fn sessions() -> Authenticator {
    authenticator_on(small_store()).with_problem_response(problem_details)
}

fn optional(sessions: &Authenticator) -> Authenticator {
    sessions.clone().with_optional_sessions()
}

fn failure() -> StoreError {
    StoreError::new(StoreErrorKind::Unavailable).with_server("db.internal:5432")
}

async fn read(metadata: UserMetadataHandle) -> String {
    metadata.get().await.expect("memory does not fail").to_json()
}

async fn update(metadata: UserMetadataHandle, update: MetadataUpdate) -> Result<String, StoreError> {
    Ok(metadata.update(update).await?.metadata.to_json())
}

async fn fails(_: UserMetadataHandle) -> Result<String, StoreError> {
    Err(failure())
}

/// `cookies`: those of the answer to a handler that adds one to an error, where handlers can do that.
fn check(address: SocketAddr, cookies: Option<&[&str]>) {
    let answer = |method: &str, path: &str, signed_in: bool, headers: &str, body: &str| {
        let session = if signed_in { format!("Authorization: {}\r\n", bearer()) } else { String::new() };
        let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
        let head = format!("{method} {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{session}{headers}{length}");
        exchange(address, format!("{head}\r\n{body}").as_bytes())
            .unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    };
    let large = format!(r#"{{"a":"{}"}}"#, "x".repeat(2_000));
    let json = "Content-Type: application/json\r\n";
    let unauthorised = r#"{"kind":"MissingCredentials","status":401,"title":"unauthorised"}"#;
    let malformed = r#"{"kind":"MalformedToken","status":401,"title":"unauthorised"}"#;
    let not_an_object = r#"{"kind":"NotAnObject","status":400,"title":"metadata must be a JSON object"}"#;
    let too_large = r#"{"kind":"DocumentTooLarge","status":413,"title":"metadata is larger than 1000 bytes"}"#;
    let unavailable = r#"{"kind":"Unavailable","status":503,"title":"metadata unavailable"}"#;
    let changed = r#"{"kind":"PreconditionFailed","status":412,"title":"the metadata has changed"}"#;
    let wrong_type = r#"{"kind":"","status":415,"title":"the content type must be application/json"}"#;
    let bad = "Authorization: Bearer x\r\n";
    for (method, path, signed_in, headers, body, expected) in [
        ("GET", "/read", false, "", "", unauthorised),
        ("GET", "/read", false, bad, "", malformed),
        ("POST", "/update", false, json, "{}", unauthorised),
        ("POST", "/update", true, json, "[]", not_an_object),
        ("POST", "/update", true, json, &large, too_large),
        ("POST", "/update", true, "", "{}", wrong_type),
        ("GET", "/fails", true, "", "", unavailable),
        ("GET", "/optional", false, "", "", unauthorised),
        ("GET", "/metadata", false, "", "", unauthorised),
        ("PATCH", "/metadata", true, json, "[]", not_an_object),
        ("PATCH", "/metadata", true, json, &large, too_large),
        ("DELETE", "/metadata", true, "If-Match: \"00000000000000ff\"\r\n", "", changed),
    ] {
        let given = answer(method, path, signed_in, headers, body);
        let name = format!("{method} {path} {headers:?} {body:.10}");
        let status = given.status();
        assert_eq!(given.body_text(), expected, "{name}");
        assert!(expected.contains(&format!(r#""status":{status},"#)), "{name}: {status}");
        let values = |name: &str| given.header(name).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(values("content-type"), ["application/problem+json"], "{name}");
        assert_eq!(values("x-rendered"), ["once"], "{name}");
        assert_eq!(values("set-cookie"), ["rendered=1"], "{name}");
        assert_eq!(values("www-authenticate").len(), usize::from(status == 401), "{name}");
        assert_eq!(values("retry-after").len(), usize::from(status == 503), "{name}");
        assert_eq!(values("content-length"), [expected.len().to_string()], "{name}");
        if status == 401 {
            assert_eq!(values("vary"), ["Authorization, Cookie"], "{name}");
            assert_eq!(values("cache-control"), ["no-store"], "{name}");
        }
    }
    // To HEAD the answer is the same without its body.
    for path in ["/read", "/optional"] {
        let head = answer("HEAD", path, false, "", "");
        assert_eq!((head.status(), head.body()), (401, &b""[..]), "{path}");
        assert_eq!(head.header("content-type").collect::<Vec<_>>(), ["application/problem+json"], "{path}");
        let length = unauthorised.len().to_string();
        assert!(head.header("content-length").all(|told| told == length), "{path}: {:?}", head.headers());
    }
    // What is no problem is not rendered.
    let good = answer("GET", "/read", true, "", "");
    assert_eq!((good.status(), &*good.body_text(), good.header("x-rendered").count()), (200, "{}", 0));
    if let Some(cookies) = cookies {
        let given = answer("GET", "/cookie", true, "", "");
        assert_eq!((given.status(), &*given.body_text()), (503, unavailable));
        assert_eq!(given.header("set-cookie").collect::<Vec<_>>(), cookies);
        assert_eq!(given.header("retry-after").collect::<Vec<_>>(), ["1"]);
    }
}

fn axum_router() -> axum::Router {
    use axum::Router;
    use axum::routing::get;
    let cookie = async || Err::<(), _>(([(SET_COOKIE, COOKIE)], failure()));
    let layer = UserMetadataLayer::from_authenticator(sessions());
    let optional = Router::new().route("/optional", get(read)).route_layer(layer.clone().with_optional_sessions());
    Router::new()
        .route("/read", get(read))
        .route("/update", axum::routing::post(update))
        .route("/fails", get(fails))
        .route("/cookie", get(cookie))
        .route_service("/metadata", UserMetadataEndpoints::new())
        .route_layer(layer)
        .merge(optional)
}

#[test]
fn axum() {
    let address = serve(|listener, _| run(async { axum::serve(tokio_listener(listener), axum_router()).await }));
    check(address, BOTH);
}

#[test]
fn lambda() {
    use crate::lambda::{Gateway, Trigger};
    let gateway = Gateway::start(Trigger::HttpApi);
    let mut function = Command::new(std::env::current_exe().expect("this test has a file"));
    function.args(["--exact", "problems::a_function_on_lambda", "--nocapture"]).envs(function_environment(&gateway));
    let mut function = function.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
    check(gateway.address, BOTH);
    function.kill().expect("it runs");
    function.wait().expect("it is ours");
    // Nobody answers its clients any more.
    drop(gateway);
}

/// The process of the test above: where AWS Lambda is, a function reads from its environment.
#[test]
fn a_function_on_lambda() {
    if std::env::var_os("AWS_LAMBDA_RUNTIME_API").is_some() {
        run(tower_user_metadata::adapter::lambda::run(axum_router()));
    }
}

#[test]
fn actix() {
    use actix_web::{App, HttpResponse, HttpServer, ResponseError, web};
    use tower_user_metadata::adapter::actix::{endpoints, user_metadata};

    async fn cookie() -> HttpResponse {
        let mut response = failure().error_response();
        let cookie = actix_web::http::header::HeaderValue::from_static(COOKIE);
        response.headers_mut().insert(actix_web::http::header::SET_COOKIE, cookie);
        response
    }

    let address = serve(|listener, _| {
        let sessions = sessions();
        let app = move || {
            let resource = |path: &str| web::resource(path.to_owned()).wrap(user_metadata(&sessions));
            App::new()
                .service(resource("/read").to(read))
                .service(resource("/update").to(update))
                .service(resource("/fails").to(fails))
                .service(resource("/cookie").to(cookie))
                .service(resource("/metadata").route(endpoints(UserMetadataEndpoints::new())))
                .service(web::resource("/optional").wrap(user_metadata(&optional(&sessions))).to(read))
        };
        let server = HttpServer::new(app).workers(1).listen(listener).expect("it listens");
        actix_web::rt::System::new().block_on(server.run()).expect("it serves");
    });
    check(address, BOTH);
}

/// A middleware inside, which ends a request with an error in place of an answer.
#[actix_web::test]
async fn actix_middlewares_inside_may_return_errors() {
    use actix_web::body::MessageBody;
    use actix_web::dev::{ServiceRequest, ServiceResponse};
    use actix_web::middleware::{Next, from_fn};
    use actix_web::test::{TestRequest, init_service, try_call_service};
    use actix_web::{App, Error, web};
    use tower_user_metadata::adapter::actix::user_metadata;

    async fn ours(_: ServiceRequest, _: Next<impl MessageBody>) -> Result<ServiceResponse, Error> {
        Err(failure().into())
    }
    async fn other(_: ServiceRequest, _: Next<impl MessageBody>) -> Result<ServiceResponse, Error> {
        Err(actix_web::error::ErrorImATeapot("mine"))
    }

    let sessions = optional(&sessions());
    let app = App::new()
        .service(web::resource("/ours").wrap(from_fn(ours)).wrap(user_metadata(&sessions)))
        .service(web::resource("/other").wrap(from_fn(other)).wrap(user_metadata(&sessions)));
    let app = init_service(app).await;
    let answer = async |path: &str| {
        let error = try_call_service(&app, TestRequest::get().uri(path).to_request()).await.expect_err("an error");
        let response = error.error_response();
        let status = response.status().as_u16();
        let body = actix_web::body::to_bytes(response.into_body()).await.expect("a whole body");
        (status, String::from_utf8(body.to_vec()).expect("text"))
    };
    let unavailable = r#"{"kind":"Unavailable","status":503,"title":"metadata unavailable"}"#;
    assert_eq!(answer("/ours").await, (503, unavailable.to_owned()));
    assert_eq!(answer("/other").await, (418, "mine".to_owned()));
}

#[test]
fn hyper() {
    use http_body_util::Full;
    use hyper_util::rt::TokioIo;
    use hyper_util::service::TowerToHyperService;
    use tower::{Layer, ServiceExt, service_fn};
    use tower_user_metadata::adapter::RequestExt;
    use tower_user_metadata::endpoints::read_update;

    type Request = http::Request<hyper::body::Incoming>;

    async fn answer(request: Request) -> Result<Response<Bytes>, Problem> {
        let path = request.uri().path().to_owned();
        let metadata = request.user_metadata()?;
        match path.as_str() {
            "/update" => {
                let (head, body) = request.into_parts();
                let changes = read_update(&head.headers, body, metadata.limits()).await?;
                Ok(Response::new(update(metadata, changes).await?.into()))
            }
            "/fails" => Ok(Response::new(fails(metadata).await?.into())),
            "/cookie" => {
                let mut response = Problem::from(failure()).into_response();
                response.headers_mut().insert(SET_COOKIE, HeaderValue::from_static(COOKIE));
                Ok(response)
            }
            _ => Ok(Response::new(read(metadata).await.into())),
        }
    }

    let address = serve(|listener, _| {
        run(async move {
            let layer = UserMetadataLayer::from_authenticator(sessions());
            let handler = service_fn(async |request: Request| {
                let answer = answer(request).await.unwrap_or_else(Problem::into_response);
                Ok::<_, std::convert::Infallible>(answer.map(Full::new))
            });
            let optional = layer.clone().with_optional_sessions().layer(handler);
            let (handler, endpoints) = (layer.layer(handler), layer.layer(UserMetadataEndpoints::new()));
            let routes = service_fn(move |request: Request| {
                let (handler, optional, endpoints) = (handler.clone(), optional.clone(), endpoints.clone());
                async move {
                    match request.uri().path() {
                        "/optional" => optional.oneshot(request).await,
                        "/metadata" => endpoints.oneshot(request).await,
                        _ => handler.oneshot(request).await,
                    }
                }
            });
            let service = TowerToHyperService::new(routes);
            let listener = tokio_listener(listener);
            while let Ok((stream, _)) = listener.accept().await {
                let connection = hyper::server::conn::http1::Builder::new();
                tokio::spawn(connection.serve_connection(TokioIo::new(stream), service.clone()));
            }
        });
    });
    check(address, BOTH);
}

#[test]
fn poem() {
    use poem::listener::TcpAcceptor;
    use poem::{EndpointExt, IntoResponse, Route, Server, handler};
    use tower_user_metadata::adapter::poem::user_metadata;

    #[handler]
    async fn reads(metadata: UserMetadataHandle) -> String {
        read(metadata).await
    }

    #[handler]
    async fn updates(metadata: UserMetadataHandle, changes: MetadataUpdate) -> Result<String, StoreError> {
        update(metadata, changes).await
    }

    #[handler]
    async fn failing(metadata: UserMetadataHandle) -> Result<String, StoreError> {
        fails(metadata).await
    }

    let address = serve(|listener, _| {
        run(async {
            let sessions = sessions();
            let cookie = failing.after(async |answer| match answer {
                Err(error) => Ok(error.into_response().with_header("set-cookie", COOKIE).into_response()),
                Ok(answer) => Ok::<_, poem::Error>(IntoResponse::into_response(answer)),
            });
            let routes = Route::new()
                .at("/read", reads)
                .at("/update", updates)
                .at("/fails", failing)
                .at("/cookie", cookie)
                .at("/metadata", UserMetadataEndpoints::new())
                .with(user_metadata(&sessions));
            let optional = reads.with(user_metadata(&optional(&sessions)));
            let routes = Route::new().at("/optional", optional).nest("/", routes);
            Server::new_with_acceptor(TcpAcceptor::from_std(listener).expect("it listens")).run(routes).await
        });
    });
    // An error of poem that became an answer has lost what was in its extensions, and with it what it was.
    check(address, None);
}

#[test]
fn rocket() {
    use rocket::config::{Config, LogLevel};
    use rocket::http::Header;
    use rocket::{Responder, get, post, routes};
    use tower_user_metadata::adapter::rocket::UserMetadata;

    #[derive(Responder)]
    struct WithCookie(StoreError, Header<'static>);

    #[get("/read")]
    async fn reads(metadata: UserMetadataHandle) -> String {
        read(metadata).await
    }

    #[get("/optional")]
    async fn requires(metadata: UserMetadataHandle) -> String {
        read(metadata).await
    }

    #[post("/update", data = "<changes>")]
    async fn updates(metadata: UserMetadataHandle, changes: MetadataUpdate) -> Result<String, StoreError> {
        update(metadata, changes).await
    }

    #[get("/fails")]
    async fn failing(metadata: UserMetadataHandle) -> Result<String, StoreError> {
        fails(metadata).await
    }

    #[get("/cookie")]
    fn cookie() -> WithCookie {
        WithCookie(failure(), Header::new("Set-Cookie", COOKIE))
    }

    let (listens, listening) = mpsc::channel();
    serve(move |_, _| {
        run(async move {
            let config = Config { port: 0, log_level: LogLevel::Off, ..Config::default() };
            let announce = rocket::fairing::AdHoc::on_liftoff("address", move |rocket| {
                listens.send(SocketAddr::from(([127, 0, 0, 1], rocket.config().port))).expect("it is waited for");
                Box::pin(std::future::ready(()))
            });
            let rocket = rocket::custom(config).attach(UserMetadata::fairing(sessions())).attach(announce);
            let rocket = rocket.mount("/", routes![reads, requires, updates, failing, cookie]);
            rocket.mount("/metadata", UserMetadataEndpoints::new()).launch().await
        });
    });
    // A responder around an error puts its header in the place of all of that name.
    check(listening.recv().expect("it starts"), Some(&[COOKIE]));
}

#[test]
fn salvo() {
    use salvo_core::conn::tcp::TcpAcceptor;
    use salvo_core::{Response, Router, Server, Writer, handler};
    use tower_user_metadata::adapter::salvo::user_metadata;

    #[handler]
    async fn reads(metadata: UserMetadataHandle) -> String {
        read(metadata).await
    }

    #[handler]
    async fn updates(metadata: UserMetadataHandle, changes: MetadataUpdate) -> Result<String, StoreError> {
        update(metadata, changes).await
    }

    #[handler]
    async fn failing(metadata: UserMetadataHandle) -> Result<String, StoreError> {
        fails(metadata).await
    }

    #[handler]
    async fn cookie(response: &mut Response) -> Result<String, StoreError> {
        response.headers_mut().insert(SET_COOKIE, HeaderValue::from_static(COOKIE));
        Err(failure())
    }

    let address = serve(|listener, _| {
        run(async {
            let sessions = sessions();
            let signed_in = |path: &str| Router::with_path(path).hoop(user_metadata(&sessions));
            let router = Router::new()
                .push(signed_in("read").get(reads).head(reads))
                .push(signed_in("update").post(updates))
                .push(signed_in("fails").get(failing))
                .push(signed_in("cookie").get(cookie))
                .push(signed_in("metadata").goal(UserMetadataEndpoints::new()))
                .push(Router::with_path("optional").hoop(user_metadata(&optional(&sessions))).get(reads).head(reads));
            let acceptor = TcpAcceptor::try_from(tokio_listener(listener)).expect("it listens");
            Server::new(acceptor).try_serve(router).await
        });
    });
    check(address, BOTH);
}

#[test]
fn warp() {
    use tower_user_metadata::adapter::warp::{endpoints, metadata_update, recover, user_metadata};
    use warp::{Filter, Rejection};

    let address = serve(|listener, _| {
        run(async move {
            let sessions = sessions();
            let reads = warp::path!("read").and(user_metadata(&sessions)).then(read);
            let requires = warp::path!("optional").and(user_metadata(&optional(&sessions))).then(read);
            let updates = warp::path!("update").and(user_metadata(&sessions)).and(metadata_update(&sessions));
            let updates =
                updates.and_then(async |metadata, changes| Ok::<_, Rejection>(update(metadata, changes).await?));
            let failing = warp::path!("fails").and(user_metadata(&sessions));
            let failing = failing.and_then(async |metadata| Ok::<_, Rejection>(fails(metadata).await?));
            let ready_made = warp::path!("metadata").and(endpoints(&sessions, UserMetadataEndpoints::new()));
            let routes = reads.or(requires).or(updates).or(failing).or(ready_made).recover(recover(&sessions));
            warp::serve(routes).incoming(tokio_listener(listener)).run().await;
        });
    });
    // A rejection has no headers that a handler could add to.
    check(address, None);
}
