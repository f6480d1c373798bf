//! What goes over the wire, and what is taken from it.

use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tower_user_metadata::ConfigError;
use tower_user_metadata::session::AuthErrorKind as Kind;
use tower_user_metadata::session::keys::{Algorithm, Jwks, JwksBuilder, JwksErrorKind};

use crate::keys::{Key, judge, set, verifier, verify, verify_at_once};
use crate::run_alone;
use crate::server::{Reply, Server};

const COOL_DOWN: Duration = Duration::from_millis(500);
const DEADLINE: Duration = Duration::from_secs(2);

fn builder(server: &Server) -> JwksBuilder {
    let builder = Jwks::builder([Algorithm::EdDSA]).with_url(server.url());
    builder.with_cool_down(COOL_DOWN).with_fetch_deadline(DEADLINE)
}

/// Waits for what another task does soon.
async fn soon(what: &str, done: impl Fn() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < Duration::from_secs(5), "{what} did not come");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_request_is_a_plain_get_on_a_connection_of_its_own() {
    let key = Key::new("a");
    let server = Server::start(Reply::keys(set([&key]))).await;
    let core = format!("http://{}/appid-x/", server.address);
    let jwks = Jwks::builder([Algorithm::EdDSA]).with_supertokens_core(core).build().await.expect("keys");
    // Nothing that a firewall misses, and nothing to which an API server of Kubernetes answers 406.
    let expected = format!(
        "GET /appid-x/.well-known/jwks.json HTTP/1.1\r\nuser-agent: tower-user-metadata/{}\r\naccept: */*\r\nhost: {}\r\n\r\n",
        env!("CARGO_PKG_VERSION"),
        server.address
    );
    assert_eq!(server.requests(), [expected]);
    soon("the end of the connection", || server.open() == 0).await;
    assert_eq!(verify_at_once(&verifier(&jwks), &key.token()), Ok(()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_unknown_keys_make_one_connection() {
    let key = Key::new("a");
    let server = Server::start(Reply::keys(set([&key]))).await;
    let jwks = builder(&server).build().await.expect("keys");
    tokio::time::sleep(COOL_DOWN).await;
    server.answer(Reply::Delay(Duration::from_millis(300), set([&key])));
    let verifier = verifier(&jwks);
    let tokens: Vec<_> = (0..1000).map(|n| key.token_as(&format!("made-up-{n}"))).collect();
    let began = Instant::now();
    let mut requests = JoinSet::new();
    for token in tokens {
        let verifier = verifier.clone();
        requests.spawn(async move { verify(&verifier, &token).await });
    }
    assert!(requests.join_all().await.into_iter().all(|result| result == Err(Kind::UnknownKey)));
    // On a busy machine the requests may come over several cool-downs.
    let cool_downs = usize::try_from(began.elapsed().as_millis() / COOL_DOWN.as_millis()).expect("few");
    assert!((2..=2 + cool_downs).contains(&server.connections()), "{} in {cool_downs}", server.connections());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_answers_leave_the_old_keys() {
    let key = Key::new("a");
    let mut plays = JoinSet::new();
    for (name, reply, kind) in [
        ("a large body", Reply::Huge(50_000_000), JwksErrorKind::TooLarge),
        ("a large body, announced", Reply::HugeAnnounced(50_000_000), JwksErrorKind::TooLarge),
        ("a body that is cut", Reply::Cut(set([&key])), JwksErrorKind::Unreachable),
        ("headers without an end", Reply::EndlessHeaders, JwksErrorKind::Unreachable),
        ("another protocol", Reply::Garbage, JwksErrorKind::Unreachable),
        ("a body without an end", Reply::NoEnd(set([&key])), JwksErrorKind::DeadlineExceeded),
        ("a slow body", Reply::Drip(set([&key]), DEADLINE / 20), JwksErrorKind::DeadlineExceeded),
        ("silence", Reply::Delay(DEADLINE * 20, String::new()), JwksErrorKind::DeadlineExceeded),
        ("nothing", Reply::Whole(204, String::new(), String::new()), status(204)),
        ("a part", Reply::Whole(206, String::new(), set([&key])), status(206)),
        ("an early status", Reply::Whole(301, "Location: /\r\n".into(), set([&key])), status(301)),
    ] {
        let server = Server::start(Reply::keys(set([&key]))).await;
        let jwks = builder(&server).build().await.expect("keys");
        let (good, unknown) = (key.token(), key.token_as("b"));
        plays.spawn(async move {
            tokio::time::sleep(COOL_DOWN).await;
            server.answer(reply);
            let began = Instant::now();
            assert_eq!(verify(&verifier(&jwks), &unknown).await, Err(Kind::UnknownKey), "{name}");
            let took = began.elapsed();
            assert!(took < DEADLINE + Duration::from_secs(2), "{name}: {took:?}");
            assert_eq!(jwks.status().last_error, Some(kind), "{name}");
            assert_eq!(verify_at_once(&verifier(&jwks), &good), Ok(()), "{name}");
            assert!(server.written() < 8 << 20, "{name}: {} bytes were taken", server.written());
            soon("the end of the connection", || server.open() == 0).await;
        });
    }
    plays.join_all().await;
}

fn status(status: u16) -> JwksErrorKind {
    JwksErrorKind::Status(http::StatusCode::from_u16(status).expect("a status"))
}

#[tokio::test]
async fn the_largest_document() {
    let key = Key::new("a");
    let padded = |bytes: usize| {
        let document = set([&key]);
        format!("{document}{}", " ".repeat(bytes - document.len()))
    };
    let server = Server::start(Reply::keys(padded(256 * 1024))).await;
    assert!(builder(&server).build().await.is_ok());
    server.answer(Reply::keys(padded(256 * 1024 + 1)));
    assert!(matches!(builder(&server).build().await, Err(ConfigError::JwksUnavailable(_))));
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let key = Key::new("a");
    let elsewhere = Server::start(Reply::keys(set([&key]))).await;
    for code in [301, 302, 303, 307, 308] {
        let location = format!("Location: {}\r\n", elsewhere.url());
        let server = Server::start(Reply::Whole(code, location, set([&key]))).await;
        let error = builder(&server).build().await.expect_err("no keys");
        let cause = std::error::Error::source(&error).expect("a cause").to_string();
        assert!(cause.contains(&code.to_string()), "{cause}");
        assert_eq!(server.connections(), 1);
    }
    assert_eq!(elsewhere.connections(), 0);
}

/// Runs one of these tests in a process whose environment names a proxy for everything.
#[tokio::test]
async fn proxies_of_the_environment_are_not_used() {
    let proxy = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", proxy.local_addr().expect("an address"));
    let names = ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
    let test = "wire::a_request_is_a_plain_get_on_a_connection_of_its_own";
    run_alone(test, &names.map(|name| (name, url.as_str()))).await;
    assert!(tokio::time::timeout(Duration::ZERO, proxy.accept()).await.is_err(), "the proxy was asked");
}

#[tokio::test]
async fn a_closed_port_is_told_at_start_up_with_its_cause() {
    let mut server = Server::start(Reply::keys("")).await;
    server.stop().await;
    let error = builder(&server).build().await.expect_err("no keys");
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    assert!(text.contains("refused"), "{text}");
    // It comes up later.
    let jwks = builder(&server).with_offline_start().build().await.expect("told to");
    assert_eq!(judge(&verifier(&jwks), &Key::new("a").token()).await.result, Err(Kind::KeysUnavailable));
}

#[tokio::test]
async fn what_a_builder_refuses() {
    let refused = async |builder: JwksBuilder| builder.build().await.expect_err("refused").to_string();
    let url = "https://keys.example.com/jwks";
    assert!(refused(Jwks::builder([]).with_url(url)).await.contains("algorithm"));
    assert!(refused(Jwks::builder([Algorithm::RS256])).await.contains("there is none"));
    assert!(refused(Jwks::builder([Algorithm::RS256, Algorithm::HS256]).with_url(url)).await.contains("HS256"));
    for url in
        ["http://keys.example.com/jwks", "https://ali:topsecret@keys.example.com/", "keys.example.com", "/jwks", ""]
    {
        // Also when another one is good.
        let builder = Jwks::builder([Algorithm::RS256]).with_url("https://keys.example.com").with_url(url);
        assert!(!format!("{builder:?}").contains("topsecret"));
        let error = refused(builder).await;
        assert!(error.contains("URL") && !error.contains("topsecret"), "{error}");
    }
    for pem in ["", "no PEM", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        let error = refused(Jwks::builder([Algorithm::RS256]).with_url(url).with_root_certificate(pem)).await;
        assert!(error.contains("root certificate"), "{error}");
    }
}

#[tokio::test]
async fn plain_http_from_elsewhere_only_by_a_name_that_confesses() {
    // Nothing answers at this name (RFC 6761 section 6.4), so the URL being taken shows in the error.
    let builder = || Jwks::builder([Algorithm::RS256]).with_url("http://keys.invalid/").with_fetch_deadline(DEADLINE);
    assert!(matches!(builder().build().await, Err(ConfigError::JwksUrl { .. })));
    assert!(matches!(builder().with_dangerous_plain_http().build().await, Err(ConfigError::JwksUnavailable(_))));
}

/// Firewalls refuse requests without `User-Agent` (AWS's managed rules) or without `Accept` (the OWASP rules), and the API
/// server of Kubernetes serves its keys as one media type only.
#[tokio::test]
async fn key_servers_that_are_particular_about_headers() {
    type Rule = fn(&str) -> u16;
    let firewall: Rule = |head| {
        let has =
            |name: &str| head.lines().any(|line| line.split(':').next().is_some_and(|n| n.eq_ignore_ascii_case(name)));
        if has("user-agent") && has("accept") && has("host") { 200 } else { 403 }
    };
    // As go-restful matches: any of the listed types, without its parameters, or `*/*`.
    let kubernetes: Rule = |head| {
        let accept =
            head.lines().filter_map(|line| line.split_once(": ")).find(|(name, _)| name.eq_ignore_ascii_case("accept"));
        let mut types = accept
            .map_or("*/*", |(_, value)| value)
            .split(',')
            .map(|one| one.split(';').next().unwrap_or_default().trim());
        if types.any(|one| ["*/*", "application/jwk-set+json"].contains(&one)) { 200 } else { 406 }
    };
    let key = Key::new("a");
    for rule in [firewall, kubernetes] {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/openid/v1/jwks", listener.local_addr().expect("an address"));
        let body = set([&key]);
        let server = tokio::spawn(async move {
            use tokio::io::{AsyncReadExt, AsyncWriteExt};
            let (mut stream, _) = listener.accept().await.expect("a client");
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.expect("a request"));
            }
            let status = rule(&String::from_utf8_lossy(&head));
            let answer = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            stream.write_all(answer.as_bytes()).await.expect("a client that reads");
            status
        });
        let jwks = Jwks::builder([Algorithm::EdDSA]).with_url(url).build().await;
        assert_eq!(server.await.expect("no panic"), 200);
        assert_eq!(verify_at_once(&verifier(&jwks.expect("keys")), &key.token()), Ok(()));
    }
}
