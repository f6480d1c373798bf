//! The contestants as axum applications, in a process each, behind wrk.

use std::io::{BufRead, BufReader};
use std::net::Ipv4Addr;
use std::process::{Child, Command, Stdio};

use axum::Router;
use axum::routing::get;

use super::contestants::{self, Claims};
use super::issuer::Issuer;
use super::median;

const NAMES: [&str; 9] = [
    "axum alone",
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
    println!("## Beside other layers, over HTTP\n");
    println!("wrk with 32 connections that stay open, on one core, and an axum application on the other.\n");
    println!("<!-- plot: CPU time a request | CPU a request -->");
    println!("| axum over HTTP behind | requests/s | of axum alone | CPU a request | over axum alone |");
    println!("|---|---:|---:|---:|---:|");
    for (name, (rate, cost)) in NAMES.iter().zip(&medians) {
        let ratio = rate / alone_rate;
        println!("| {name} | {rate:.0} | {ratio:.3} × | {cost:.1} µs | {:+.1} µs |", cost - alone_cost);
    }
}

/// Requests a second, and microseconds of the server's CPU time a request.
fn round(name: &str) -> (f64, f64) {
    let program = std::env::current_exe().expect("this program has a file");
    let mut server = Command::new(program).args(["serve", name]).stdout(Stdio::piped()).spawn().expect("it was built");
    let mut line = String::new();
    BufReader::new(server.stdout.take().expect("piped")).read_line(&mut line).expect("it prints");
    let (port, token) = line.trim().split_once(' ').expect("a port and a token");
    let (url, header) = (format!("http://127.0.0.1:{port}/"), format!("Authorization: Bearer {token}"));
    wrk(&url, &header, "1s");
    let before = cpu_micros(&server);
    let output = wrk(&url, &header, "3s");
    let spent = cpu_micros(&server) - before;
    server.kill().expect("it runs");
    server.wait().expect("it is ours");
    assert!(!output.contains("Non-2xx"), "{name}: {output}");
    let number = |after: &str| -> f64 {
        let (_, rest) = output.split_once(after).unwrap_or_else(|| panic!("{name}: {output}"));
        rest.trim().split_whitespace().next().and_then(|word| word.parse().ok()).expect("a number")
    };
    let requests = output.lines().find(|line| line.contains(" requests in ")).expect("a total");
    let requests: f64 = requests.trim().split(' ').next().and_then(|word| word.parse().ok()).expect("a number");
    (number("Requests/sec:"), spent / requests)
}

fn wrk(url: &str, header: &str, time: &str) -> String {
    let output = Command::new("wrk").args(["-t1", "-c32", "-d", time, "-H", header, url]).output();
    let output = output.expect("wrk is installed (Debian package `wrk`)");
    String::from_utf8(output.stdout).expect("text")
}

fn cpu_micros(process: &Child) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", process.id())).expect("it runs");
    // The name in brackets may have spaces; user and system time are the 14th and 15th field, in ticks of 10 ms.
    let (_, fields) = stat.rsplit_once(')').expect("brackets");
    let ticks = |at: usize| fields.split_whitespace().nth(at).and_then(|ticks| ticks.parse::<f64>().ok());
    (ticks(11).expect("user time") + ticks(12).expect("system time")) * 10_000.0
}
