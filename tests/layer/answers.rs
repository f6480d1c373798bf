use std::convert::Infallible;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::BodyExt;
use serde_json::json;
use tower::{Layer, Service, service_fn};
use tower_user_metadata::session::Clock;
use tower_user_metadata::session::claims::{ClaimInput, ClaimRejection, ClaimValidator, Expiry};
use tower_user_metadata::{AuthError, AuthErrorKind};

use crate::verifier::{Body, Scripted, answer, both_ways, layer, run, with_token};

/// Refuses everybody.
#[derive(Debug)]
struct Closed;

impl ClaimValidator for Closed {
    fn id(&self) -> &str {
        "closed"
    }

    fn validate(&self, _: &ClaimInput<'_>) -> Result<(), ClaimRejection> {
        Err(ClaimRejection::with_reason(json!({ "message": "wrong value" })))
    }
}

/// Lets everybody in, and tells no reason when it does not.
#[derive(Debug)]
struct Silent(bool);

impl ClaimValidator for Silent {
    fn id(&self) -> &str {
        "silent"
    }

    fn validate(&self, _: &ClaimInput<'_>) -> Result<(), ClaimRejection> {
        if self.0 { Ok(()) } else { Err(ClaimRejection::without_reason()) }
    }
}

fn text(response: Response<Body>) -> String {
    let body = run(response.into_body().collect()).expect("infallible");
    String::from_utf8(body.to_bytes().to_vec()).expect("text")
}

fn header<'a>(response: &'a Response<Body>, name: &str) -> Option<&'a str> {
    response.headers().get(name).map(|value| value.to_str().expect("text"))
}

#[test]
fn each_kind_has_its_answer() {
    for verifier in both_ways() {
        let handler = service_fn(|_: Request<()>| async { Ok::<_, Infallible>(answer("inner")) });
        let mut open = layer(&verifier).layer(handler);
        let claims = layer(&verifier)
            .with_claim_validator(Closed)
            .with_claim_validator(Silent(true))
            .with_claim_validator(Silent(false));
        let mut closed = claims.layer(handler);
        let mut send = |service: &str, request| {
            let response = if service == "open" { open.call(request) } else { closed.call(request) };
            run(response).expect("infallible")
        };
        for (service, request, kind, status, body, challenge, retry) in [
            (
                "open",
                Request::new(()),
                AuthErrorKind::MissingCredentials,
                401,
                r#"{"message":"unauthorised"}"#,
                Some("Bearer"),
                None,
            ),
            (
                "open",
                with_token("bad"),
                AuthErrorKind::BadSignature,
                401,
                r#"{"message":"try refresh token"}"#,
                Some(r#"Bearer error="invalid_token""#),
                None,
            ),
            (
                "open",
                with_token("down"),
                AuthErrorKind::KeysUnavailable,
                503,
                r#"{"message":"session verification unavailable"}"#,
                None,
                Some("7"),
            ),
            (
                "open",
                with_token("nobody"),
                AuthErrorKind::MissingCredentials,
                401,
                r#"{"message":"unauthorised"}"#,
                Some("Bearer"),
                None,
            ),
            (
                "open",
                with_token("ended"),
                AuthErrorKind::UnknownSession,
                401,
                r#"{"message":"unauthorised"}"#,
                Some(r#"Bearer error="invalid_token""#),
                None,
            ),
            (
                "open",
                with_token("out-of-reach"),
                AuthErrorKind::SessionsUnavailable,
                503,
                r#"{"message":"session verification unavailable"}"#,
                None,
                None,
            ),
            (
                "closed",
                with_token("good"),
                AuthErrorKind::InvalidClaims,
                403,
                r#"{"message":"invalid claim","claimValidationErrors":[{"id":"closed","reason":{"message":"wrong value"}},{"id":"silent"}]}"#,
                Some(r#"Bearer error="insufficient_scope""#),
                None,
            ),
        ] {
            let response = send(service, request);
            assert_eq!(response.status().as_u16(), status);
            assert_eq!(header(&response, "www-authenticate"), challenge);
            assert_eq!(header(&response, "retry-after"), retry);
            assert_eq!(header(&response, "cache-control"), Some("no-store"));
            assert_eq!(header(&response, "vary"), Some("Authorization, Cookie"));
            assert_eq!(header(&response, "content-type"), Some("application/json; charset=utf-8"));
            assert_eq!(response.extensions().get::<AuthError>().expect("an error").kind(), kind);
            assert_eq!(text(response), body);
        }
        // What is let through is the handler's alone.
        let response = send("open", with_token("good"));
        assert!(response.headers().is_empty() && response.extensions().get::<AuthError>().is_none());
    }
}

/// What a request must prove, and what its session must claim, does not depend on how long its verification took.
#[test]
fn a_wait_takes_nothing_off_the_demands() {
    for verifier in both_ways() {
        let handler = service_fn(|_: Request<()>| async { Ok::<_, Infallible>(answer("inner")) });
        let mut open = layer(&verifier).layer(handler);
        let post = |proof: Option<&str>| {
            let request = Request::post("/").header("cookie", "sAccessToken=good");
            proof.into_iter().fold(request, |request, proof| request.header("rid", proof)).body(()).expect("a request")
        };
        let refused = run(open.call(post(None))).expect("infallible");
        assert_eq!(refused.extensions().get::<AuthError>().expect("an error").kind(), AuthErrorKind::AntiCsrf);
        assert_eq!(run(open.call(post(Some("session")))).expect("infallible").status(), StatusCode::OK);
        let mut closed = layer(&verifier).with_claim_validator(Closed).layer(handler);
        let refused = run(closed.call(with_token("good"))).expect("infallible");
        assert_eq!(refused.extensions().get::<AuthError>().expect("an error").kind(), AuthErrorKind::InvalidClaims);
    }
}

/// Each time it is looked at, a minute has passed; the session of these tests ends three minutes after the first.
#[derive(Debug, Default)]
struct Hasty(AtomicU64);

impl Clock for Hasty {
    fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(4_000_000_000 - 180 + 60 * self.0.fetch_add(1, Ordering::SeqCst))
    }
}

/// Claims are judged at the time when the wait is over.
#[test]
fn a_session_that_ran_short_during_a_wait_is_refused() {
    for (verifier, status) in [(Scripted::at_once(), StatusCode::OK), (Scripted::after(2), StatusCode::FORBIDDEN)] {
        let handler = service_fn(|_: Request<()>| async { Ok::<_, Infallible>(answer("inner")) });
        let lasting = Expiry::at_least(Duration::from_secs(150));
        let layer = layer(&verifier).with_clock(Hasty::default()).with_claim_validator(lasting);
        assert_eq!(run(layer.layer(handler).call(with_token("good"))).expect("infallible").status(), status);
    }
}

#[test]
fn an_application_may_answer_in_its_own_way() {
    for verifier in both_ways() {
        // Not even the body need be one that `JsonRejection` could make.
        let rejection = |error: &AuthError| {
            let mut response = Response::new(format!("no: {}", error.kind().message()));
            *response.status_mut() = StatusCode::IM_A_TEAPOT;
            response
        };
        let handler = service_fn(|_: Request<()>| async { Ok::<_, Infallible>(Response::new("inner".to_owned())) });
        let mut service = layer(&verifier).with_rejection_response(rejection).layer(handler);
        let response = run(service.call(with_token("bad"))).expect("infallible");
        assert_eq!(response.status(), StatusCode::IM_A_TEAPOT);
        assert_eq!(response.extensions().get::<AuthError>().expect("an error").kind(), AuthErrorKind::BadSignature);
        assert_eq!(response.into_body(), "no: try refresh token");
        let response = run(service.call(with_token("good"))).expect("infallible");
        assert_eq!(response.into_body(), "inner");
    }
}

/// A body that nobody may read.
struct Unread;

impl http_body::Body for Unread {
    type Data = bytes::Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Self::Data>, Infallible>>> {
        panic!("the layer read the body")
    }
}

/// Authentication looks at headers: the body of a stranger is never read, and that of a user by the handler alone.
#[test]
fn bodies_pass_unread() {
    for verifier in both_ways() {
        let handler = service_fn(|_: Request<Unread>| async { Ok::<_, Infallible>(answer("inner")) });
        let mut service = layer(&verifier).layer(handler);
        for (token, status) in [("good", 200), ("bad", 401)] {
            let request = with_token(token).map(|()| Unread);
            assert_eq!(run(service.call(request)).expect("infallible").status().as_u16(), status);
        }
    }
}

/// What is longer than a verifier takes never comes to it, wherever it stands.
#[test]
fn a_token_that_is_too_long_is_refused_unread() {
    use tower_user_metadata::session::{AntiCsrf, TokenSource, TokenSources};

    let none = AntiCsrf::NoneBecauseCookiesAreSameSite;
    let sources = TokenSources::new([
        TokenSource::header("x-token").expect("a name"),
        TokenSource::cookie("token", none).expect("a name"),
        TokenSource::bearer(),
    ]);
    for verifier in both_ways() {
        let layer = layer(&verifier).with_token_sources(sources.clone());
        let mut asked = 0;
        for (length, kind) in [(100, AuthErrorKind::BadSignature), (101, AuthErrorKind::MalformedToken)] {
            let token = "x".repeat(length);
            // A token of 100 bytes may take more as it is escaped.
            let escaped = format!("%2B{}", &token[1..]);
            for (name, value) in [
                ("x-token", token.clone()),
                ("authorization", format!("Bearer {token}")),
                ("cookie", format!("token={token}")),
                ("cookie", format!("a=b; token={escaped}")),
            ] {
                let request = Request::builder().header(name, &value).body(()).expect("a request");
                let inner = service_fn(|_: Request<()>| async { Ok::<_, Infallible>(answer("inner")) });
                let response = run(layer.layer(inner).call(request)).expect("an answer");
                let error = response.extensions().get::<AuthError>().expect("refused");
                assert_eq!(error.kind(), kind, "{name}: {value}");
                asked += usize::from(length == 100);
                assert_eq!(verifier.asked(), asked, "{name}: {value}");
            }
        }
    }
}
