//! One function that renders all that goes wrong, also what comes from inside the layer.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER, SET_COOKIE,
    VARY, WWW_AUTHENTICATE,
};
use http::{Request, Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_user_metadata::endpoints::Problem;
use tower_user_metadata::layer::RejectionResponse;
use tower_user_metadata::session::claims::PrimitiveArrayClaim;
use tower_user_metadata::{
    AuthError, AuthErrorKind, InvalidMetadata, MetadataUpdate, StoreError, StoreErrorKind, UserMetadataLayer, Version,
};

use crate::verifier::{Scripted, both_ways, layer, run, with_token};

type Body = Full<Bytes>;

/// Says what it got, and leaves the rest as it is.
fn told(problem: &Problem, answer: Response<Bytes>) -> Response<Bytes> {
    answer.map(|_| format!("told: {problem}").into())
}

fn failure() -> StoreError {
    StoreError::new(StoreErrorKind::Unavailable).with_server("db.internal:5432").with_source("password rejected")
}

fn invalid() -> InvalidMetadata {
    MetadataUpdate::from_json(b"[]").expect_err("not an object")
}

/// A handler with this answer.
fn handler<B: Clone + Send + 'static>(
    answer: Response<B>,
) -> impl Service<Request<()>, Response = Response<B>, Error = Infallible, Future: Send> + Clone {
    service_fn(move |_: Request<()>| {
        let answer = answer.clone();
        async move { Ok(answer) }
    })
}

fn problem(problem: impl Into<Problem>) -> Response<Body> {
    problem.into().into_response().map(Full::new)
}

fn send<S, B>(service: S, token: &str) -> (Response<()>, String)
where
    S: Service<Request<()>, Response = Response<B>, Error = Infallible>,
    B: http_body::Body<Error: std::fmt::Debug>,
{
    run(async {
        let (head, body) = service.oneshot(with_token(token)).await.expect("infallible").into_parts();
        let body = body.collect().await.expect("it is in memory").to_bytes();
        (Response::from_parts(head, ()), String::from_utf8(body.to_vec()).expect("text"))
    })
}

/// A function may take and give a layer, whatever renders.
fn with_our_answers(layer: UserMetadataLayer) -> UserMetadataLayer {
    layer.with_problem_response(told)
}

#[test]
fn refusals_and_answers_from_inside_are_rendered_by_one_function() {
    for verifier in both_ways() {
        let layer = with_our_answers(layer(&verifier));
        for (token, answer, status, body) in [
            ("bad", problem(failure()), 401, "told: try refresh token"),
            ("good", problem(failure()), 503, "told: metadata unavailable"),
            ("good", problem(invalid()), 400, "told: metadata must be a JSON object"),
            (
                "good",
                problem(StoreError::precondition_failed(Some(Version::from_bits(1)))),
                412,
                "told: the metadata has changed",
            ),
            ("good", problem(AuthError::new(AuthErrorKind::InvalidClaims)), 403, "told: invalid claim"),
            ("good", Response::new(Full::from("fine")), 200, "fine"),
        ] {
            let (response, given) = send(layer.layer(handler(answer)), token);
            assert_eq!((response.status().as_u16(), &*given), (status, body));
            let carried = response.extensions().get::<Problem>().map(|problem| problem.status().as_u16());
            assert_eq!(carried, (status != 200).then_some(status));
            let refused = response.extensions().get::<AuthError>().is_some();
            assert_eq!(refused, [401, 403].contains(&status), "{status}");
        }
    }
}

#[test]
fn what_a_handler_added_to_its_answer_stays_and_what_was_said_of_the_old_body_goes() {
    let mut answer = problem(failure());
    let headers = answer.headers_mut();
    headers.append(SET_COOKIE, HeaderValue::from_static("a=1"));
    headers.append(SET_COOKIE, HeaderValue::from_static("b=2"));
    headers.append(VARY, HeaderValue::from_static("Origin"));
    headers.insert("x-request-id", HeaderValue::from_static("7"));
    headers.insert("x-both", HeaderValue::from_static("handler"));
    headers.insert(CONTENT_LENGTH, HeaderValue::from_static("33"));
    headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    let verifier = Scripted::at_once();
    let layer = layer(&verifier).with_problem_response(|_, mut answer| {
        answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        answer.headers_mut().append(SET_COOKIE, HeaderValue::from_static("c=3"));
        answer.headers_mut().insert("x-both", HeaderValue::from_static("rendered"));
        answer.map(|_| "sorry".into())
    });
    let (response, body) = send(layer.layer(handler(answer)), "good");
    assert_eq!(body, "sorry");
    let values = |name: &str| {
        let values = response.headers().get_all(name).iter();
        values.map(|value| value.to_str().expect("text").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(values("set-cookie"), ["a=1", "b=2", "c=3"]);
    assert_eq!(values("vary"), ["Origin"]);
    assert_eq!(values("x-request-id"), ["7"]);
    assert_eq!(values("x-both"), ["rendered"]);
    assert_eq!(values("content-type"), ["text/plain"]);
    assert_eq!(values("retry-after"), ["1"]);
    assert_eq!((values("content-length"), values("content-encoding")), (vec![], vec![]));
}

/// What the function takes away is gone in every place alike.
#[test]
fn the_function_may_remove_a_header_and_change_the_status() {
    let verifier = Scripted::at_once();
    let layer = layer(&verifier).with_problem_response(|_, mut answer| {
        answer.headers_mut().remove(RETRY_AFTER);
        answer.headers_mut().remove(WWW_AUTHENTICATE);
        *answer.status_mut() = StatusCode::IM_A_TEAPOT;
        answer
    });
    for token in ["bad", "good"] {
        let (response, _) = send(layer.layer(handler(problem(failure()))), token);
        assert_eq!(response.status(), StatusCode::IM_A_TEAPOT);
        assert!(!response.headers().contains_key(RETRY_AFTER) && !response.headers().contains_key(WWW_AUTHENTICATE));
    }
}

/// A layer inside that made another answer of a problem has had its say.
#[test]
fn another_status_than_that_of_the_problem_is_left_alone() {
    let mut answer = problem(failure());
    *answer.status_mut() = StatusCode::OK;
    *answer.body_mut() = Full::from("from an older copy");
    let verifier = Scripted::at_once();
    let (response, body) = send(with_our_answers(layer(&verifier)).layer(handler(answer)), "good");
    assert_eq!((response.status().as_u16(), &*body), (200, "from an older copy"));
}

#[test]
fn the_innermost_of_several_functions_renders_and_once() {
    let verifier = Scripted::at_once();
    let times = Arc::new(AtomicUsize::new(0));
    let count = |name: &'static str| {
        let times = Arc::clone(&times);
        layer(&verifier).with_problem_response(move |_, answer| {
            times.fetch_add(1, Ordering::Relaxed);
            answer.map(|_| name.into())
        })
    };
    for answer in [problem(failure()), problem(invalid())] {
        let service = count("outer").layer(count("inner").layer(handler(answer)));
        assert_eq!(send(service, "good").1, "inner");
    }
    assert_eq!(times.load(Ordering::Relaxed), 2);
    // A layer without a function leaves its refusals to that of one outside, also when it had them in JSON already.
    let refusing = Scripted::at_once();
    let inner = layer(&refusing).with_claim_validator(PrimitiveArrayClaim::USER_ROLE.includes("admin"));
    let service = count("outer").layer(inner.layer(handler(problem(failure()))));
    let (response, body) = send(service, "good");
    assert_eq!((response.status().as_u16(), &*body), (403, "outer"));
}

/// For bodies that are not made from bytes the application says how, or the function is not asked.
#[test]
fn bodies_of_another_type_are_made_by_the_application() {
    type Boxed = BoxBody<Bytes, Infallible>;

    #[derive(Clone)]
    struct Boxes;

    impl RejectionResponse<Boxed> for Boxes {
        fn response(&self, error: &AuthError) -> Response<Boxed> {
            Problem::from(error).into_response().map(|body| Full::new(body).boxed())
        }

        fn body(&self, rendered: Bytes) -> Option<Boxed> {
            Some(Full::new(rendered).boxed())
        }
    }

    let inside = service_fn(async |_: Request<()>| Ok::<_, Infallible>(problem(failure()).map(Full::boxed)));
    for verifier in both_ways() {
        let boxes = layer(&verifier).with_rejection_response(Boxes);
        let json = r#"{"message":"try refresh token"}"#;
        assert_eq!(send(boxes.layer(inside), "bad").1, json);
        let boxes = boxes.with_problem_response(told);
        assert_eq!(send(boxes.layer(inside), "bad").1, "told: try refresh token");
        assert_eq!(send(boxes.layer(inside), "good").1, "told: metadata unavailable");

        let rejection = |error: &AuthError| {
            let mut response = Response::new(Full::new(Bytes::from_static(b"mine")));
            *response.status_mut() = error.kind().status();
            response
        };
        let own = layer(&verifier).with_rejection_response(rejection).with_problem_response(told);
        assert_eq!(send(own.layer(handler(problem(failure()))), "bad").1, "mine");
        assert_eq!(send(own.layer(handler(problem(failure()))), "good").1, r#"{"message":"metadata unavailable"}"#);
    }
}

/// The text of a store is for the operator: an application that prints what it has at hand tells nobody else.
#[test]
fn a_problem_prints_nothing_of_a_store() {
    let problem = Problem::from(failure());
    assert_eq!(problem.store_error().map(StoreError::kind), Some(StoreErrorKind::Unavailable));
    for text in [problem.to_string(), format!("{problem:?}"), format!("{:?}", problem.clone().into_response())] {
        assert!(!text.contains("db.internal") && !text.contains("password"), "{text}");
    }
}

/// Each kind of refusal has the headers that a client and a cache need, whoever renders the body.
#[test]
fn each_kind_has_its_headers() {
    use AuthErrorKind as Kind;
    let (token, request) = (r#"Bearer error="invalid_token""#, r#"Bearer error="invalid_request""#);
    for (kind, challenge) in [
        (Kind::MissingCredentials, Some("Bearer")),
        (Kind::MalformedCredentials, Some(request)),
        (Kind::AmbiguousCredentials, Some(request)),
        (Kind::MalformedToken, Some(token)),
        (Kind::MalformedClaims, Some(token)),
        (Kind::UnknownKey, Some(token)),
        (Kind::BadSignature, Some(token)),
        (Kind::Expired, Some(token)),
        (Kind::NotYetValid, Some(token)),
        (Kind::WrongIssuer, Some(token)),
        (Kind::WrongAudience, Some(token)),
        (Kind::WrongPurpose, Some(token)),
        (Kind::AntiCsrf, Some(request)),
        (Kind::InvalidClaims, Some(r#"Bearer error="insufficient_scope""#)),
        (Kind::UnknownSession, Some(token)),
        (Kind::KeysUnavailable, None),
        (Kind::SessionsUnavailable, None),
    ] {
        let mut expected = HeaderMap::new();
        expected.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        expected.insert(VARY, HeaderValue::from_static("Authorization, Cookie"));
        expected.extend(challenge.map(|challenge| (WWW_AUTHENTICATE, HeaderValue::from_static(challenge))));
        let error = AuthError::new(kind);
        assert_eq!(error.headers(), expected, "{kind:?}");
        for (delay, seconds) in [(Duration::from_millis(1), "1"), (Duration::from_secs(30), "30")] {
            expected.insert(RETRY_AFTER, HeaderValue::from_static(seconds));
            assert_eq!(error.clone().with_retry_after(delay).headers(), expected, "{kind:?}");
        }
        expected.remove(RETRY_AFTER);
        // Those are what the default answer has, and besides only what its body is.
        let problem = Problem::from(&error);
        assert_eq!(problem.headers(), expected, "{kind:?}");
        let mut sent = problem.into_response().headers().clone();
        assert!(sent.remove(CONTENT_TYPE).is_some_and(|value| value == "application/json; charset=utf-8"));
        assert_eq!(sent, expected, "{kind:?}");
    }
}
