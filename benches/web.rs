//! What does a request with a session cost, in this crate and in the other layers and extractors that there are for axum
//! and Tower? In process, over a handler that does nothing; and with `http`, as an axum application behind wrk.
//!
//! `scripts/bench web` runs both. All contestants take turns in one run, so only the ratios of a run mean something.

#[path = "web/contestants.rs"]
mod contestants;
#[path = "web/http.rs"]
mod http;
#[path = "web/issuer.rs"]
mod issuer;

use std::convert::Infallible;
use std::fmt::Display;
use std::future::{Ready, ready};
use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use axum::extract::FromRequestParts;
use axum::http::{Request, Response};
use tower::{Layer, Service};

use contestants::JwtAuth;
use issuer::Issuer;

const ROUNDS: usize = 15;
const ROUND: Duration = Duration::from_millis(60);

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.expect("a runtime");
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["serve", name] => runtime.block_on(http::serve(name)),
        ["http"] => http::contest(),
        _ => {
            let _context = runtime.enter();
            in_process(runtime.block_on(contestants()));
        }
    }
}

/// A name, and one request through it.
struct Contestant {
    name: &'static str,
    call: Box<dyn FnMut()>,
}

impl<In, Out: Default> Service<Request<In>> for HandlerOf<Out> {
    type Response = Response<Out>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Out>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<In>) -> Self::Future {
        black_box(request.extensions().len());
        ready(Ok(Response::new(Out::default())))
    }
}

/// A handler whose answer has this body.
struct HandlerOf<Out>(std::marker::PhantomData<fn() -> Out>);

impl<Out> Clone for HandlerOf<Out> {
    fn clone(&self) -> Self {
        handler()
    }
}

fn handler<Out>() -> HandlerOf<Out> {
    HandlerOf(std::marker::PhantomData)
}

/// The extractor of axum-jwt-auth as a service.
#[derive(Clone)]
struct Extracting(JwtAuth);

impl Service<Request<axum::body::Body>> for Extracting {
    type Response = Response<axum::body::Body>;
    type Error = Infallible;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<axum::body::Body>) -> Self::Future {
        let state = self.0.clone();
        Box::pin(async move {
            let (mut parts, _) = request.into_parts();
            let claims = axum_jwt_auth::Claims::<contestants::Claims>::from_request_parts(&mut parts, &state).await;
            let status = if claims.is_ok() { 200 } else { 401 };
            Ok(Response::builder().status(status).body(axum::body::Body::empty()).expect("a response"))
        })
    }
}

async fn contestants() -> Vec<Contestant> {
    let issuer = Issuer::start();
    let bearer = |name, token: &str| ("authorization", format!("Bearer {token}"), name);
    let cookie = |name, token: &str| ("cookie", format!("theme=dark; sAccessToken={token}; lang=en"), name);
    let known = bearer("tower-user-metadata, known session, bearer", &issuer.token);
    let known_cookie = cookie("tower-user-metadata, known session, cookie", &issuer.token);
    let new = bearer("tower-user-metadata, new session", &issuer.token);
    let (cached, uncached) = (contestants::ours(&issuer, true), contestants::ours(&issuer, false));
    let of = |name| bearer(name, &issuer.token);
    let oauth2 = contestants::oauth2_resource_server(&issuer).await;
    let keycloak = contestants::axum_keycloak_auth(&issuer).await;
    let authorizer = contestants::jwt_authorizer(&issuer).await;
    let jwt_auth = Extracting(contestants::axum_jwt_auth(&issuer));
    vec![
        contestant::<_, axum::body::Body, axum::body::Body>(of("no layer"), handler()),
        contestant::<_, axum::body::Body, axum::body::Body>(known, cached.layer(handler())),
        contestant::<_, axum::body::Body, axum::body::Body>(known_cookie, cached.layer(handler())),
        contestant::<_, axum::body::Body, axum::body::Body>(new, uncached.layer(handler())),
        contestant::<_, axum::body::Body, _>(
            of("tower-http + jsonwebtoken"),
            contestants::tower_http(&issuer).layer(handler()),
        ),
        contestant::<_, axum07::body::Body, axum07::body::Body>(of("jwt-authorizer"), authorizer.layer(handler())),
        contestant::<_, axum::body::Body, _>(of("tower-oauth2-resource-server"), oauth2.layer(handler())),
        contestant(bearer("clerk-rs", &issuer.token_without_audience), contestants::clerk(&issuer).layer(handler())),
        contestant(of("axum-jwt-auth"), jwt_auth),
        contestant(of("axum-keycloak-auth"), keycloak.layer(handler())),
    ]
}

fn contestant<S, In, Out>((header, value, name): (&'static str, String, &'static str), mut service: S) -> Contestant
where
    S: Service<Request<In>, Response = Response<Out>, Error: Display> + 'static,
    In: Default + 'static,
{
    let mut call = move || {
        let request = Request::get("/").header(header, &value).body(In::default()).expect("a request");
        let future = pin!(service.call(request));
        match future.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(response)) => response.status(),
            Poll::Ready(Err(error)) => panic!("{name}: {error}"),
            Poll::Pending => panic!("{name} waits"),
        }
    };
    assert_eq!(call(), 200, "{name}");
    Contestant { name, call: Box::new(move || _ = black_box(call())) }
}

/// The median time of one call of each contestant, in nanoseconds, measured in turns so that the machine's moods hit
/// all of them alike.
fn in_process(mut contestants: Vec<Contestant>) {
    let mut times = vec![Vec::new(); contestants.len()];
    for _ in 0..ROUNDS {
        for (contestant, times) in contestants.iter_mut().zip(&mut times) {
            let begun = Instant::now();
            let mut calls = 0_u32;
            while begun.elapsed() < ROUND {
                for _ in 0..16 {
                    (contestant.call)();
                }
                calls += 16;
            }
            times.push(begun.elapsed().as_nanos() as f64 / f64::from(calls));
        }
    }
    let medians: Vec<_> = times.into_iter().map(median).collect();
    let (no_op, ours) = (medians[0], medians[1] - medians[0]);
    println!("## Beside other layers, in process\n");
    println!("A request with a session in RS256, over a handler that does nothing.\n");
    println!("<!-- plot: Cost of a request, of a known session here | of a known session here -->");
    println!("| Layer | over no layer | of a known session here |");
    println!("|---|---:|---:|");
    for (contestant, median) in contestants.iter().zip(&medians).skip(1) {
        let cost = median - no_op;
        println!("| {} | {} | {:.1} × |", contestant.name, time(cost), cost / ours);
    }
}

/// With the digits that mean something.
fn time(nanos: f64) -> String {
    if nanos < 1_000.0 { format!("{nanos:.0} ns") } else { format!("{:.1} µs", nanos / 1_000.0) }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
