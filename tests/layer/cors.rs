//! A page of another origin, over a socket: with the CORS layer of `tower-http` outside, and what goes wrong without.

use std::net::{Ipv4Addr, SocketAddr};

use axum::Router;
use http::{HeaderName, HeaderValue, Method, header};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tower_http::cors::CorsLayer;
use tower_user_metadata::endpoints::UserMetadataEndpoints;

use crate::verifier::{Scripted, layer};

const APP: &str = "https://app.example.com";

fn cors() -> CorsLayer {
    let own = ["rid", "anti-csrf", "st-auth-mode", "fdi-version"].map(HeaderName::from_static);
    let sent = [header::AUTHORIZATION, header::CONTENT_TYPE, header::IF_MATCH, header::IF_NONE_MATCH];
    CorsLayer::new()
        .allow_origin([HeaderValue::from_static(APP)])
        .allow_credentials(true)
        .allow_methods([Method::GET, Method::PATCH, Method::DELETE])
        .allow_headers(sent.into_iter().chain(own).collect::<Vec<_>>())
        .expose_headers([header::ETAG, header::RETRY_AFTER, header::WWW_AUTHENTICATE])
}

/// The endpoints behind sessions, without CORS.
fn metadata() -> Router {
    Router::new().route_service("/metadata", UserMetadataEndpoints::new()).route_layer(layer(&Scripted::at_once()))
}

async fn serve(app: Router) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    tokio::spawn(async { axum::serve(listener, app).await });
    address
}

/// The answer to one request of the page, in lower case.
async fn send(address: SocketAddr, method: &str, headers: &[(&str, &str)], body: &str) -> String {
    let mut request = format!("{method} /metadata HTTP/1.1\r\nHost: api.example.com\r\nConnection: close\r\n");
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
    let mut stream = TcpStream::connect(address).await.expect("it listens");
    stream.write_all(request.as_bytes()).await.expect("it is connected");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer, and then the end");
    answer.to_ascii_lowercase()
}

fn status(answer: &str) -> &str {
    answer.get(9..12).unwrap_or_default()
}

fn values<'a>(answer: &'a str, name: &str) -> Vec<&'a str> {
    let head = answer.split("\r\n\r\n").next().unwrap_or_default();
    let values = head.lines().filter_map(|line| line.split_once(": ").filter(|(given, _)| *given == name));
    values.flat_map(|(_, value)| value.split(',').map(str::trim)).collect()
}

const ASKED: (&str, &str) = ("Access-Control-Request-Method", "PATCH");
const ORIGIN: (&str, &str) = ("Origin", APP);
const BEARER: (&str, &str) = ("Authorization", "Bearer good");
const JSON: (&str, &str) = ("Content-Type", "application/json");

#[tokio::test]
async fn a_page_of_an_origin_that_is_listed_reads_and_writes() {
    let address = serve(metadata().layer(cors())).await;
    let wanted = ("Access-Control-Request-Headers", "authorization,content-type,if-match,rid,st-auth-mode");
    let preflight = send(address, "OPTIONS", &[ORIGIN, ASKED, wanted], "").await;
    assert_eq!((status(&preflight), values(&preflight, "access-control-allow-origin")), ("200", vec![APP]));
    assert_eq!(values(&preflight, "access-control-allow-credentials"), ["true"]);
    assert!(values(&preflight, "access-control-allow-methods").contains(&"patch"));
    let allowed = values(&preflight, "access-control-allow-headers");
    for name in wanted.1.split(',') {
        assert!(allowed.contains(&name), "{name}: {preflight}");
    }

    let written = send(address, "PATCH", &[ORIGIN, BEARER, JSON], r#"{"a":1}"#).await;
    assert_eq!((status(&written), values(&written, "access-control-allow-origin")), ("200", vec![APP]));
    assert!(values(&written, "access-control-expose-headers").contains(&"etag"), "{written}");
    // Caches between need to know what an answer depends on: the origin as well as the credentials.
    let vary = values(&written, "vary");
    assert!(["origin", "authorization", "cookie"].iter().all(|name| vary.contains(name)), "{written}");
    let etag = values(&written, "etag")[0].to_owned();
    let stale = ("If-Match", "\"0000000000000000\"");
    let refused = send(address, "PATCH", &[ORIGIN, BEARER, JSON, stale], r#"{"a":2}"#).await;
    assert_eq!((status(&refused), values(&refused, "access-control-allow-origin")), ("412", vec![APP]));
    let fresh = ("If-Match", etag.as_str());
    let written = send(address, "PATCH", &[ORIGIN, BEARER, JSON, fresh], r#"{"a":3}"#).await;
    assert!(written.ends_with(r#"{"a":3}"#), "{written}");
}

#[tokio::test]
async fn a_refusal_can_be_read_where_the_cors_layer_stands_outside() {
    let outside = serve(metadata().layer(cors())).await;
    for headers in [&[ORIGIN][..], &[ORIGIN, ("Authorization", "Bearer bad")]] {
        let refused = send(outside, "GET", headers, "").await;
        assert_eq!((status(&refused), values(&refused, "access-control-allow-origin")), ("401", vec![APP]));
        assert!(values(&refused, "access-control-expose-headers").contains(&"www-authenticate"), "{refused}");
    }
    // Inside it sees no refusal, and so the page sees none; the preflight comes through to it.
    let endpoints = Router::new().route_service("/metadata", UserMetadataEndpoints::new()).layer(cors());
    let inside = serve(endpoints.layer(layer(&Scripted::at_once()))).await;
    let preflight = send(inside, "OPTIONS", &[ORIGIN, ASKED], "").await;
    assert_eq!((status(&preflight), values(&preflight, "access-control-allow-origin")), ("200", vec![APP]));
    let refused = send(inside, "GET", &[ORIGIN], "").await;
    assert_eq!((status(&refused), values(&refused, "access-control-allow-origin")), ("401", vec![]));
}

#[tokio::test]
async fn a_page_of_another_origin_is_refused_by_its_browser() {
    let foreign = ("Origin", "https://evil.example.com");
    let with_cors = serve(metadata().layer(cors())).await;
    let without = serve(metadata()).await;
    for (address, origin, expected) in
        [(with_cors, foreign, "200"), (without, foreign, "204"), (without, ORIGIN, "204")]
    {
        let preflight = send(address, "OPTIONS", &[origin, ASKED], "").await;
        // No header names the origin, and that is what a browser goes by.
        assert_eq!((status(&preflight), values(&preflight, "access-control-allow-origin")), (expected, vec![]));
    }
    // Any other `OPTIONS` is a request like any other.
    for headers in [&[ORIGIN][..], &[ASKED], &[]] {
        assert_eq!(status(&send(without, "OPTIONS", headers, "").await), "401", "{headers:?}");
    }
}
