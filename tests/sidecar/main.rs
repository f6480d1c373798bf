//! The program `user-metadata-auth`: its answers to a proxy, and real proxies that ask it before a service in Python.

mod behind;
mod checks;
mod client;
#[path = "../adapters/issuer.rs"]
mod issuer;
mod processes;
mod proxies;
#[cfg(feature = "postgres")]
#[allow(dead_code, reason = "one failure of one server is tested here")]
#[path = "../support/servers/mod.rs"]
mod servers;
mod settings;
#[path = "../support/mod.rs"]
mod support;
mod tap;

use serde_json::{Value, json};
use tower_user_metadata::conformance::adapter::{Answer, TokenKind, USER};

use issuer::{Issuer, now};
use processes::Process;

/// What a client sends who wants to be somebody else.
const FORGED: [&str; 3] = ["X-User-Id: root", "X-Session-Handle: h", "x-tenant-id: t"];

/// What the sidecar says of a session.
const IDENTITY: [&str; 3] = ["X-User-Id", "X-Session-Handle", "X-Tenant-Id"];

fn body(answer: &Answer) -> Value {
    serde_json::from_slice(answer.body()).unwrap_or_else(|error| panic!("{error}: {answer:?}"))
}

fn header<'a>(answer: &'a Answer, name: &'a str) -> Vec<&'a str> {
    answer.header(name).collect()
}

fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}")
}

fn cookie(token: &str) -> String {
    format!("Cookie: a=1; sAccessToken={token}")
}

#[test]
fn a_check_says_who_it_is() {
    let issuer = Issuer::start();
    let sidecar = Process::sidecar(&issuer, &[]);
    let token = issuer.token_with(json!({ "sub": "a\u{fc} b", "sid": "session-1", "exp": now() + 600 }));

    let answer = sidecar.send("GET", "/auth", &[&bearer(&token), FORGED[0]], "");
    assert_eq!((answer.status(), answer.body()), (200, &b""[..]));
    assert_eq!(header(&answer, "x-user-id"), ["a%C3%BC%20b"]);
    assert_eq!(header(&answer, "x-session-handle"), ["session-1"]);
    assert_eq!(header(&answer, "x-tenant-id"), [""]);
    assert_eq!(header(&answer, "cache-control"), ["no-store"]);

    let nobody = sidecar.send("GET", "/auth/optional", &FORGED, "");
    assert_eq!((nobody.status(), header(&nobody, "x-user-id")), (200, vec![""]));
    let bad = sidecar.send("GET", "/auth/optional", &[&bearer(&issuer.mint(TokenKind::Expired))], "");
    assert_eq!((bad.status(), body(&bad)), (401, json!({ "message": "try refresh token" })));
    let stranger = sidecar.send("GET", "/auth", &FORGED, "");
    assert_eq!((stranger.status(), body(&stranger)), (401, json!({ "message": "unauthorised" })));
    assert_eq!(header(&stranger, "www-authenticate"), ["Bearer"]);
    assert_eq!(header(&stranger, "x-user-id"), [""; 0]);

    assert_eq!(sidecar.send("GET", "/authx", &[&bearer(&token)], "").status(), 404);
    assert_eq!(sidecar.send("GET", "/metadata", &[&bearer(&token)], "").status(), 404, "there is no store");
    assert_eq!(sidecar.send("GET", "/health", &[], "").status(), 200);
    assert_eq!(sidecar.stop(), Some(0));
}

#[test]
fn a_check_may_have_many_headers() {
    let issuer = Issuer::start();
    let sidecar = Process::sidecar(&issuer, &[]);
    let many: Vec<_> = (0..400).map(|number| format!("X-Number-{number}: {number}")).collect();
    let token = bearer(&issuer.token(USER));
    let headers: Vec<_> = many.iter().chain([&token]).map(String::as_str).collect();
    assert_eq!(sidecar.send("GET", "/auth", &headers, "").status(), 200);
    let large = format!("Cookie: {}", "a=bc; ".repeat(10_000));
    assert_eq!(sidecar.send("GET", "/auth", &[&token, &large], "").status(), 200, "where the header decides");
}

#[test]
fn a_cookie_needs_its_proof_by_the_method_of_the_client() {
    let issuer = Issuer::start();
    let sidecar = Process::sidecar(&issuer, &[]);
    let cookie = cookie(&issuer.token(USER));
    let status = |method: &str, path: &str, headers: &[&str]| {
        let headers: Vec<_> = headers.iter().copied().chain([cookie.as_str()]).collect();
        sidecar.send(method, path, &headers, "").status()
    };
    // Traefik and Caddy, and nginx that was told to.
    assert_eq!(status("GET", "/auth", &["X-Forwarded-Method: GET"]), 200);
    assert_eq!(status("GET", "/auth", &["X-Forwarded-Method: POST"]), 401);
    assert_eq!(status("GET", "/auth", &["X-Forwarded-Method: POST", "rid: anti-csrf"]), 200);
    // nginx that was not: all but requests with a proof are refused.
    assert_eq!(status("GET", "/auth", &[]), 401);
    assert_eq!(status("GET", "/auth", &["rid: anti-csrf"]), 200);
    assert_eq!(status("GET", "/auth", &["X-Forwarded-Method: POST", "X-Forwarded-Method: GET"]), 401);
    // Envoy, which puts its prefix before the path of the client.
    assert_eq!(status("GET", "/auth/-/profile?optional", &[]), 200);
    assert_eq!(status("POST", "/auth/-/profile", &["X-Forwarded-Method: GET"]), 401);
    assert_eq!(status("POST", "/auth/-/profile", &["rid: anti-csrf"]), 200);
}

#[test]
fn roles_are_demanded_by_the_path() {
    let issuer = Issuer::start();
    let sidecar = Process::sidecar(&issuer, &[]);
    let claims = json!({
        "sub": USER, "exp": now() + 600,
        "st-role": { "v": ["editor"], "t": 1 }, "st-perm": { "v": ["read/all"], "t": 1 },
    });
    let token = bearer(&issuer.token_with(claims));
    let status = |path: &str| sidecar.send("GET", path, &[&token], "").status();
    assert_eq!(status("/auth/role/editor/permission/read%2Fall"), 200);
    assert_eq!(status("/auth/role/admin"), 403);
    assert_eq!(status("/auth/role/editor/role/admin"), 403);
    assert_eq!(status("/auth/role/editor/-/role/admin"), 200, "what stands behind is the client's path");
    let refused = sidecar.send("GET", "/auth/role/admin", &[&token], "");
    assert_eq!(body(&refused)["claimValidationErrors"][0]["id"], "st-role");
}

#[test]
fn metadata_is_there_for_any_language() {
    let issuer = Issuer::start();
    let sidecar = Process::sidecar(&issuer, &[("DATABASE_URL", "memory:")]);
    let (alice, bob) = (bearer(&issuer.token("alice")), bearer(&issuer.token("bob")));
    let json = "Content-Type: application/json";
    let updated = sidecar.send("PATCH", "/metadata", &[&alice, json], r#"{"theme":"dark","x":1}"#);
    assert_eq!((updated.status(), body(&updated)), (200, json!({ "theme": "dark", "x": 1 })));
    let merged = sidecar.send("PATCH", "/metadata", &[&alice, json], r#"{"x":null}"#);
    assert_eq!(body(&merged), json!({ "theme": "dark" }));
    assert_eq!(body(&sidecar.send("GET", "/metadata", &[&bob], "")), json!({}));
    assert_eq!(sidecar.send("GET", "/metadata", &[], "").status(), 401);
    assert_eq!(sidecar.send("DELETE", "/metadata", &[&alice], "").status(), 204);
    assert_eq!(body(&sidecar.send("GET", "/metadata", &[&alice], "")), json!({}));
}

#[test]
fn without_keys_nobody_comes_in_and_nobody_is_logged_out() {
    let issuer = Issuer::start();
    let no_keys = [("JWKS_URL", "http://127.0.0.1:1/jwks.json"), ("OFFLINE_START", "true"), ("LOG", "error")];
    let sidecar = Process::sidecar(&issuer, &no_keys);
    let answer = sidecar.send("GET", "/auth", &[&bearer(&issuer.token(USER))], "");
    assert_eq!((answer.status(), header(&answer, "x-user-id")), (503, vec![]));
}
