//! What operators are told of refusals.

use std::cell::RefCell;
use std::convert::Infallible;
use std::sync::Once;
use std::time::{SystemTime, UNIX_EPOCH};

use http::Request;
use http::header::{AUTHORIZATION, COOKIE, HeaderName};
use jsonwebtoken::{EncodingKey, Header};
use serde_json::json;
use tower::{Layer, Service, service_fn};
use tower_user_metadata::session::JwtVerifier;
use tower_user_metadata::session::claims::PrimitiveArrayClaim;
use tower_user_metadata::session::keys::{Algorithm, VerificationKey};
use tower_user_metadata::store::MemoryStore;
use tower_user_metadata::{Authenticator, Session, UserMetadataLayer};

use crate::log::Lines;
use crate::verifier::{answer, both_ways, layer, run, with_token};

thread_local! {
    /// The events of this thread, and so of one test.
    static LINES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

fn keep(line: String) {
    LINES.with_borrow_mut(|lines| lines.push(line));
}

/// The subscriber of this process; each test has the lines of its own thread.
fn listen() {
    static LISTENING: Once = Once::new();
    LISTENING.call_once(|| tracing::subscriber::set_global_default(Lines(keep)).expect("the only one"));
}

/// Somebody has to do something about keys that are out of reach, and nothing about a bad token, of which anybody can
/// send as many as they like.
#[test]
fn an_outage_is_a_warning_and_a_refusal_is_none() {
    listen();
    for verifier in both_ways() {
        let handler = service_fn(|_: Request<()>| async { Ok::<_, Infallible>(answer("inner")) });
        let mut service = layer(&verifier).layer(handler);
        for (request, expected) in [
            (with_token("down"), Some("WARN message=session not verified kind=KeysUnavailable")),
            (
                with_token("out-of-reach"),
                Some(
                    r#"WARN message=session not verified kind=SessionsUnavailable reason="" error="the sessions cannot be read: the connection was refused""#,
                ),
            ),
            (with_token("ended"), Some("DEBUG message=session refused kind=UnknownSession")),
            (
                with_token("nobody"),
                Some(r#"DEBUG message=session refused kind=MissingCredentials reason="nobody is signed in""#),
            ),
            (with_token("bad"), Some("DEBUG message=session refused kind=BadSignature")),
            (Request::new(()), Some("DEBUG message=session refused kind=MissingCredentials")),
            (with_token("good"), None),
        ] {
            run(service.call(request)).expect("infallible");
            let lines = LINES.take();
            assert_eq!(lines.len(), usize::from(expected.is_some()), "{lines:?}");
            assert!(lines.iter().all(|line| line.starts_with(expected.unwrap_or_default())), "{lines:?}");
        }
    }
}

/// Whoever is woken by a flood of 401s finds out from the log alone what is wrong, and finds no secret there.
#[test]
fn each_refusal_tells_its_reason_and_nothing_of_the_token() {
    listen();
    let secret = b"nT7#kq2!vX9@mZ4$wR8%yB6^cD3&fG5*";
    let key = VerificationKey::from_secret(Algorithm::HS256, secret).expect("a strong secret");
    let verifier = JwtVerifier::builder(key).with_audience("metadata").build().expect("a verifier");
    let layer = UserMetadataLayer::new(verifier, MemoryStore::new())
        .with_claim_validator(PrimitiveArrayClaim::USER_ROLE.includes("admin"));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let signed = |claims: serde_json::Value, secret: &[u8]| {
        let key = EncodingKey::from_secret(secret).expect("not empty");
        jsonwebtoken::encode(&Header::default(), &claims, &key).expect("claims serialise")
    };
    let token = |aud: &str, exp: u64| signed(json!({ "sub": "secret-user", "aud": aud, "exp": exp }), secret);
    let (good, expired) = (token("metadata", now + 600), token("metadata", now - 1));
    let foreign = token("secret-audience", now + 600);
    let forged = signed(json!({ "sub": "secret-user", "exp": now + 600 }), b"7dP%uJ3*hS8&eK5#zN2!xV9@qL6^tM4$");
    let bearer = |token: &str| format!("Bearer {token}");
    let refused = |kind: &str, rest: &str| format!("DEBUG message=session refused kind={kind} reason=\"{rest}\"");
    for (header, value, line) in [
        (
            HeaderName::from_static("accept"),
            "*/*".to_owned(),
            refused("MissingCredentials", "no token where one is looked for"),
        ),
        (
            AUTHORIZATION,
            good.clone(),
            refused("MissingCredentials", "Authorization has another scheme than the one that is looked for"),
        ),
        (
            AUTHORIZATION,
            "Bearer".to_owned(),
            refused("MalformedCredentials", "Authorization is not a scheme, spaces and a token"),
        ),
        (
            COOKIE,
            format!("session={good}"),
            refused("MissingCredentials", "none of the cookies is that of the session"),
        ),
        (COOKIE, format!("sAccessToken={good}"), refused("AntiCsrf", "the header rid is missing")),
        (AUTHORIZATION, bearer("secret-token"), refused("MalformedToken", "the token has not three parts")),
        (AUTHORIZATION, bearer(&expired), refused("Expired", "exp has passed")),
        (AUTHORIZATION, bearer(&foreign), refused("WrongAudience", "another string")),
        (
            AUTHORIZATION,
            bearer(&forged),
            refused("BadSignature", "the signature is wrong under the only key that fits"),
        ),
        (
            AUTHORIZATION,
            bearer(&good),
            refused("InvalidClaims", "a claim validator refused the session\" claims=\"st-role"),
        ),
    ] {
        let request = Request::post("/").header(header, value).body(()).expect("a request");
        let handler = service_fn(|_: Request<()>| async { Ok::<_, Infallible>(answer("inner")) });
        let response = run(layer.layer(handler).call(request)).expect("infallible");
        let lines = LINES.take();
        assert_eq!(lines.last(), Some(&line));
        // The first refusal for an audience is a warning, too.
        assert_eq!(lines.len(), if line.contains("WrongAudience") { 2 } else { 1 }, "{lines:?}");
        let secrets = ["secret", &*good, &*expired, &*foreign, &*forged];
        assert!(!secrets.iter().any(|secret| lines.concat().contains(secret)), "{lines:?}");
        // The client is told none of it.
        let reason = line.split('"').nth(1).expect("a reason");
        assert!(!format!("{response:?}").contains(reason), "{response:?}");
    }
}

/// Where sessions are optional, what needs one refuses, and says so as well.
#[test]
fn a_handler_that_needs_a_session_tells_of_its_refusal() {
    use tower_user_metadata::adapter::RequestExt;
    listen();
    let key = VerificationKey::from_secret(Algorithm::HS256, b"nT7#kq2!vX9@mZ4$wR8%yB6^cD3&fG5*").expect("a secret");
    let verifier = JwtVerifier::builder(key).with_audience("api").build().expect("a verifier");
    let sessions = Authenticator::new(verifier, MemoryStore::new()).with_optional_sessions();
    let handler = service_fn(|request: Request<()>| async move {
        let session: Result<Session, _> = request.session();
        Ok::<_, Infallible>(session.map_or_else(|_| answer("refused"), |_| answer("a session")))
    });
    let mut service = UserMetadataLayer::from_authenticator(sessions).layer(handler);
    run(service.call(Request::new(()))).expect("infallible");
    let line = "DEBUG message=session refused kind=MissingCredentials \
        reason=\"the request was let through without a session, and this needs one\"";
    assert_eq!(LINES.take(), [line]);
}
