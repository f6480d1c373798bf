//! CORS preflights: browsers send them without credentials, before a request of another origin.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use http::{Extensions, Request, StatusCode};
use tower::{Layer, Service, service_fn};
use tower_user_metadata::layer::NoSession;
use tower_user_metadata::store::MemoryStore;
use tower_user_metadata::{Authenticator, Session, UserId, UserMetadataHandle, UserMetadataLayer};

use crate::verifier::{Scripted, answer, both_ways, layer, run, session};

const ORIGIN: (&str, &str) = ("origin", "https://app.example.com");
const METHOD: (&str, &str) = ("access-control-request-method", "PATCH");
const HEADERS: (&str, &str) = ("access-control-request-headers", "authorization,content-type");

fn request(method: &str, headers: &[(&str, &str)]) -> Request<()> {
    let request = Request::builder().method(method);
    headers.iter().fold(request, |request, (name, value)| request.header(*name, *value)).body(()).expect("a request")
}

/// The status of the answer, and what the service inside found, if it was called.
fn send(layer: &UserMetadataLayer, request: Request<()>) -> (StatusCode, Option<Extensions>) {
    let found = Arc::new(Mutex::new(None));
    let handler = service_fn(|request: Request<()>| {
        *found.lock().expect("not poisoned") = Some(request.extensions().clone());
        async { Ok::<_, Infallible>(answer("inner")) }
    });
    let response = run(layer.layer(handler).call(request)).expect("infallible");
    (response.status(), found.lock().expect("not poisoned").take())
}

fn preflights() -> Vec<Request<()>> {
    [
        &[ORIGIN, METHOD][..],
        &[ORIGIN, METHOD, HEADERS],
        // Sandboxed frames and files have the origin `null`.
        &[("origin", "null"), METHOD],
        &[ORIGIN, ("access-control-request-method", "X-OWN")],
        &[ORIGIN, METHOD, ("access-control-request-private-network", "true")],
        // Credentials do not belong there; some clients send them all the same.
        &[ORIGIN, METHOD, ("authorization", "Bearer good")],
        &[ORIGIN, METHOD, ("authorization", "Bearer bad")],
        &[ORIGIN, METHOD, ("authorization", "Bearer down")],
        &[ORIGIN, METHOD, ("authorization", "Bearer"), ("authorization", "Bearer")],
        &[ORIGIN, METHOD, ("cookie", "sAccessToken=good")],
        &[ORIGIN, METHOD, ("cookie", "sAccessToken=a; sAccessToken=b")],
    ]
    .into_iter()
    .map(|headers| request("OPTIONS", headers))
    .collect()
}

#[test]
fn a_preflight_passes_without_a_session_and_its_credentials_are_not_looked_at() {
    for verifier in both_ways() {
        for layer in [layer(&verifier), layer(&verifier).with_optional_sessions()] {
            for mut preflight in preflights() {
                let headers = preflight.headers().clone();
                // As an outer layer may have left them.
                preflight.extensions_mut().insert(session("mallory"));
                let mallory = UserId::new("mallory").expect("an id");
                preflight.extensions_mut().insert(UserMetadataHandle::admin(mallory, MemoryStore::new()));
                let (status, found) = send(&layer, preflight);
                assert_eq!(status, StatusCode::OK, "{headers:?}");
                let found = found.expect("the service inside is called");
                assert!(found.get::<Session>().is_none(), "{headers:?}");
                assert!(found.get::<UserMetadataHandle>().is_none(), "{headers:?}");
                assert!(found.get::<NoSession>().is_some(), "{headers:?}");
            }
        }
        assert_eq!(verifier.asked(), 0);
    }
}

#[test]
fn what_is_no_preflight_is_refused_as_ever() {
    let both = [ORIGIN, METHOD];
    for (method, headers) in [
        ("OPTIONS", &[][..]),
        ("OPTIONS", &[ORIGIN]),
        ("OPTIONS", &[METHOD]),
        ("OPTIONS", &[ORIGIN, HEADERS]),
        // Names of methods are case-sensitive (RFC 9110 section 9.1).
        ("options", &both),
        ("TRACE", &both),
        ("GET", &both),
        ("HEAD", &both),
        ("POST", &both),
        ("PATCH", &both),
        ("CONNECT", &both),
        ("POST", &[ORIGIN, METHOD, ("x-http-method-override", "OPTIONS")]),
    ] {
        let (status, found) = send(&layer(&Scripted::at_once()), request(method, headers));
        assert_eq!((status, found.is_some()), (StatusCode::UNAUTHORIZED, false), "{method} {headers:?}");
    }
}

#[test]
fn preflights_can_be_refused_again() {
    for verifier in both_ways() {
        let layer = layer(&verifier).with_preflights_refused();
        let (status, found) = send(&layer, request("OPTIONS", &[ORIGIN, METHOD]));
        assert_eq!((status, found.is_some()), (StatusCode::UNAUTHORIZED, false));
        // Then one is a request like any other, also where sessions are optional.
        let signed_in = [ORIGIN, METHOD, ("authorization", "Bearer good")];
        let (_, found) = send(&layer, request("OPTIONS", &signed_in));
        assert!(found.expect("called").get::<Session>().is_some());
        let layer = layer.with_optional_sessions();
        let (_, found) = send(&layer, request("OPTIONS", &[ORIGIN, METHOD]));
        assert!(found.expect("called").get::<NoSession>().is_some());
        assert!(send(&layer, request("OPTIONS", &[ORIGIN, METHOD, ("authorization", "Bearer bad")])).1.is_none());
    }
}

#[test]
fn the_authenticator_tells_what_passes() {
    let sessions = Authenticator::new(Scripted::at_once(), MemoryStore::new());
    for preflight in preflights() {
        assert!(sessions.passes_preflight("OPTIONS", preflight.headers()), "{preflight:?}");
        assert!(!sessions.passes_preflight("TRACE", preflight.headers()), "{preflight:?}");
        assert!(!sessions.clone().with_preflights_refused().passes_preflight("OPTIONS", preflight.headers()));
    }
}
