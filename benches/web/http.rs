//! The contestants as axum applications, in a process each, behind wrk.

use std::io::{BufRead, BufReader};
use std::net::Ipv4Addr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::routing::get;
use tower::util::MapRequestLayer;

use super::contestants::{self, Claims};
use super::issuer::Issuer;
use super::median;

const NAMES: [&str; 12] = [
    "axum alone",
    "a layer that does nothing",
    "a from_fn that does nothing",
    "a layer that is busy for 1 µs",
    "tower-user-metadata, known session",
    "tower-user-metadata, new session",
    "tower-http + jsonwebtoken",
    "jwt-authorizer",
    "tower-oauth2-resource-server",
    "clerk-rs",
    "axum-jwt-auth",
    "axum-keycloak-auth",
];

const ROUNDS: usize = 5;

/// Serves one of the contestants until it is killed; prints its port and the token.
pub(crate) async fn serve(name: &str) {
    let issuer = Issuer::start();
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
    let token = if name == "clerk-rs" { &issuer.token_without_audience } else { &issuer.token };
    println!("{} {token}", listener.local_addr().expect("it is bound").port());
    if name == "jwt-authorizer" {
        let app = axum07::Router::new().route("/", axum07::routing::get(hello));
        let app = app.layer(contestants::jwt_authorizer(&issuer).await);
        return axum07::serve(listener, app).await.expect("it serves");
    }
    let app = Router::new().route("/", get(hello));
    let app = match name {
        "axum alone" => app,
        "a layer that does nothing" => app.layer(MapRequestLayer::new(std::convert::identity::<Request>)),
        "a from_fn that does nothing" => app.layer(from_fn(async |request, next: Next| next.run(request).await)),
        "a layer that is busy for 1 µs" => app.layer(MapRequestLayer::new(busy)),
        "tower-user-metadata, known session" => app.layer(contestants::ours(&issuer, true)),
        "tower-user-metadata, new session" => app.layer(contestants::ours(&issuer, false)),
        "tower-http + jsonwebtoken" => app.layer(contestants::tower_http(&issuer)),
        "tower-oauth2-resource-server" => app.layer(contestants::oauth2_resource_server(&issuer).await),
        "clerk-rs" => app.layer(contestants::clerk(&issuer)),
        "axum-keycloak-auth" => app.layer(contestants::axum_keycloak_auth(&issuer).await),
        "axum-jwt-auth" => Router::new().route("/", get(hello_claims)).with_state(contestants::axum_jwt_auth(&issuer)),
        other => panic!("no contestant {other}"),
    };
    axum::serve(listener, app).await.expect("it serves");
}

async fn hello() -> &'static str {
    "Hello, World!"
}

/// So that the table shows what a known cost looks like in it.
fn busy(request: Request) -> Request {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_micros(1) {}
    request
}

async fn hello_claims(claims: axum_jwt_auth::Claims<Claims>) -> &'static str {
    std::hint::black_box(claims.claims.sub);
    "Hello, World!"
}

/// The applications in turns, each on one thread; wrk has the other.
pub(crate) fn contest() {
    let mut results = vec![(Vec::new(), Vec::new()); NAMES.len()];
    for _ in 0..ROUNDS {
        for (name, (rates, costs)) in NAMES.iter().zip(&mut results) {
            let (rate, cost) = round(name);
            rates.push(rate);
            costs.push(cost);
        }
    }
    let medians: Vec<_> = results.into_iter().map(|(rates, costs)| (median(rates), median(costs))).collect();
    let (alone_rate, alone_cost) = medians[0];
    println!("{HEAD}");
    for (name, (rate, cost)) in NAMES.iter().zip(&medians) {
        let (rates, costs) = (rate / alone_rate, alone_cost / cost);
        let more = cost - alone_cost;
        println!("| {name} | {rate:.0} | {rates:.3} × | {cost:.2} µs | {more:+.2} µs | {costs:.3} × |");
    }
}

const HEAD: &str = "\
## Beside other layers, over HTTP

An axum application, and wrk with 32 connections that stay open. Requests a second: the application on one core and wrk on
the other. CPU time of the application: both on the same core. On two cores wrk sleeps the more often the slower the
application is, and waking it up is charged to the application, so that all costs look larger than they are: the row of a
layer that is busy for 1 µs shows by how much. That of one that does nothing shows what axum itself does for any layer.

<!-- plot: CPU time a request | CPU a request -->
| axum over HTTP behind | requests/s | of axum alone | CPU a request | over axum alone | of axum alone, by CPU |
|---|---:|---:|---:|---:|---:|";

/// Requests a second, and microseconds of the server's CPU time a request.
fn round(name: &str) -> (f64, f64) {
    let program = std::env::current_exe().expect("this program has a file");
    let mut server = Command::new(program).args(["serve", name]).stdout(Stdio::piped()).spawn().expect("it was built");
    let mut line = String::new();
    BufReader::new(server.stdout.take().expect("piped")).read_line(&mut line).expect("it prints");
    let (port, token) = line.trim().split_once(' ').expect("a port and a token");
    let (url, header) = (format!("http://127.0.0.1:{port}/"), format!("Authorization: Bearer {token}"));
    let wrk = |prefix: &[&str], time: &str| {
        let wrk = ["wrk", "-t1", "-c32", "-d", time, "-H", &header, &url];
        run(&[prefix, &wrk].concat())
    };
    let requests = |prefix: &[&str]| {
        let output = wrk(prefix, "3s");
        assert!(!output.contains("Non-2xx"), "{name}: {output}");
        let numbers = (number_before(&output, " requests in "), number_after(&output, "Requests/sec:"));
        let (Some(requests), Some(rate)) = numbers else { panic!("{name}: {output}") };
        (requests, rate)
    };
    // Not looked at: some fetch their keys meanwhile, and refuse what comes before they have them.
    wrk(&[], "1s");
    let (_, rate) = requests(&[]);

    // In batches, so that a response that is sent does not put wrk in the server's place at once.
    let id = server.id().to_string();
    run(&["taskset", "--all-tasks", "--cpu-list", "--pid", "0", &id]);
    run(&["chrt", "--all-tasks", "--batch", "--pid", "0", &id]);
    let beside = ["taskset", "--cpu-list", "0", "chrt", "--batch", "0"];
    let before = cpu_micros(&server);
    let (requests, _) = requests(&beside);
    let spent = cpu_micros(&server) - before;
    server.kill().expect("it runs");
    server.wait().expect("it is ours");
    (rate, spent / requests)
}

fn run(command: &[&str]) -> String {
    let output = Command::new(command[0]).args(&command[1..]).output();
    let output = output.expect("wrk and util-linux are installed (Debian packages of these names)");
    assert!(output.status.success(), "{command:?}: {output:?}");
    String::from_utf8(output.stdout).expect("text")
}

fn number_before(text: &str, after: &str) -> Option<f64> {
    text.split_once(after)?.0.split_whitespace().last()?.parse().ok()
}

fn number_after(text: &str, before: &str) -> Option<f64> {
    text.split_once(before)?.1.split_whitespace().next()?.parse().ok()
}

/// The CPU time of all threads of a process.
fn cpu_micros(process: &Child) -> f64 {
    let threads = std::fs::read_dir(format!("/proc/{}/task", process.id())).expect("it runs");
    let nanos = threads.map(|thread| {
        let times = std::fs::read_to_string(thread.expect("it is listed").path().join("schedstat")).expect("it runs");
        times.split(' ').next().and_then(|nanos| nanos.parse::<f64>().ok()).expect("a number")
    });
    nanos.sum::<f64>() / 1_000.0
}
