//! The program `user-metadata-auth`: its answers to a proxy, and real proxies that ask it before a service in Python.

#[path = "../adapters/issuer.rs"]
mod issuer;
mod processes;
#[path = "../support/mod.rs"]
mod support;

use serde_json::{Value, json};
use tower_user_metadata::conformance::adapter::{Answer, TokenKind, USER};

use issuer::{Issuer, now};
use processes::{Process, sidecar};

const NGINX: &str = include_str!("nginx.conf");
const CADDY: &str = include_str!("Caddyfile");

/// What a client sends who wants to be somebody else.
const FORGED: [&str; 3] = ["X-User-Id: root", "X-Session-Handle: h", "x-tenant-id: t"];

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
fn a_wrong_setting_is_told_at_the_start() {
    let start = |settings: &[(&str, &str)]| {
        let output = sidecar().envs(settings.iter().copied()).output().expect("it was built");
        (output.status.code(), String::from_utf8(output.stderr).expect("text"))
    };
    let url = ("JWKS_URL", "http://127.0.0.1:1/jwks.json");
    for (settings, words) in [
        (&[][..], "JWKS_URL"),
        (&[url, ("SUPERTOKENS_CONNECTION_URI", "http://localhost:1")], "not both"),
        (&[url, ("TOKENS", "jwtt")], "TOKENS"),
        (&[url, ("LISTEN", "8787")], "LISTEN"),
        (&[url, ("LOG", "loud")], "LOG"),
        (&[url, ("OFFLINE_START", "yes")], "OFFLINE_START"),
        (&[url, ("OFFLINE_START", "true"), ("ANTI_CSRF", "off")], "ANTI_CSRF"),
        (&[url, ("OFFLINE_START", "true"), ("SESSION_COOKIE", "a b")], "cookie"),
        (&[url, ("OFFLINE_START", "true"), ("DATABASE_URL", "mongodb:x")], "mongodb"),
        (&[("JWKS_URL", "http://keys.example/jwks.json")], "http"),
        (&[url], "key"),
    ] {
        let (code, error) = start(settings);
        assert_eq!(code, Some(1), "{settings:?}");
        assert!(error.contains(words), "{settings:?}: {error}");
    }
    let help = sidecar().arg("--help").output().expect("it was built");
    assert!(help.status.success() && String::from_utf8(help.stdout).expect("text").contains("JWKS_URL"));
    assert_eq!(sidecar().arg("--port").output().expect("it was built").status.code(), Some(2));
}

#[test]
fn without_keys_nobody_comes_in_and_nobody_is_logged_out() {
    let issuer = Issuer::start();
    let no_keys = [("JWKS_URL", "http://127.0.0.1:1/jwks.json"), ("OFFLINE_START", "true"), ("LOG", "error")];
    let sidecar = Process::sidecar(&issuer, &no_keys);
    let answer = sidecar.send("GET", "/auth", &[&bearer(&issuer.token(USER))], "");
    assert_eq!((answer.status(), header(&answer, "x-user-id")), (503, vec![]));
}

/// What holds behind every proxy; gives back the proxy.
fn behind(program: &str, arguments: &[&str], configuration: &str) -> Option<(Issuer, Process, [Process; 2])> {
    let issuer = Issuer::start();
    let sidecar = Process::sidecar(&issuer, &[("DATABASE_URL", "memory:")]);
    let service = Process::service(&sidecar)?;
    let configuration = configuration
        .replace("{SIDECAR}", &sidecar.address.to_string())
        .replace("{SERVICE}", &service.address.to_string());
    let proxy = Process::proxy(program, arguments, &configuration)?;
    let token = issuer.token_with(json!({ "sub": USER, "sid": "session-1", "exp": now() + 600 }));
    let (alice, alices_cookie) = (bearer(&token), cookie(&token));
    let forged = |mine: &[&str]| -> Vec<String> { FORGED.iter().chain(mine).map(|line| (*line).to_owned()).collect() };
    let send = |method: &str, path: &str, headers: &[&str], body: &str| {
        let headers = forged(headers);
        let headers: Vec<_> = headers.iter().map(String::as_str).collect();
        proxy.send(method, path, &headers, body)
    };

    let seen = send("GET", "/app/x", &[&alice], "");
    assert_eq!(seen.status(), 200, "{seen:?}");
    assert_eq!(body(&seen)["X-User-Id"], json!([USER]), "{seen:?}");
    assert_eq!(body(&seen)["X-Session-Handle"], json!(["session-1"]));
    // Nobody's tenant: the forged one is gone, whether a proxy sends an empty header or none.
    assert!([json!([""]), Value::Null].contains(&body(&seen)["X-Tenant-Id"]), "{seen:?}");

    let stranger = send("GET", "/app/x", &[], "");
    assert_eq!((stranger.status(), body(&stranger)), (401, json!({ "message": "unauthorised" })));
    assert_eq!(header(&stranger, "www-authenticate"), ["Bearer"]);
    let expired = send("POST", "/app/x", &[&bearer(&issuer.mint(TokenKind::Expired))], "{}");
    assert_eq!((expired.status(), body(&expired)), (401, json!({ "message": "try refresh token" })));

    assert_eq!(send("GET", "/app/x", &[&alices_cookie], "").status(), 200);
    let unproven = send("POST", "/app/x", &[&alices_cookie], "{}");
    assert_eq!((unproven.status(), body(&unproven)), (401, json!({ "message": "try refresh token" })));
    assert_eq!(send("POST", "/app/x", &[&alices_cookie, "rid: anti-csrf"], "{}").status(), 200);

    let welcome = send("GET", "/welcome/", &[], "");
    assert_eq!(welcome.status(), 200);
    for name in ["X-User-Id", "X-Session-Handle", "X-Tenant-Id"] {
        assert!([json!([""]), Value::Null].contains(&body(&welcome)[name]), "{welcome:?}");
    }
    assert_eq!(send("GET", "/welcome/", &[&bearer(&issuer.mint(TokenKind::WrongKey))], "").status(), 401);

    let updated = send("POST", "/app/updateinfo", &[&alice], r#"{"theme":"dark","todos":null}"#);
    assert_eq!((updated.status(), body(&updated)), (200, json!({ "theme": "dark" })));
    let kept = sidecar.send("GET", "/metadata", &[&alice], "");
    assert_eq!(body(&kept), json!({ "theme": "dark" }));
    Some((issuer, proxy, [sidecar, service]))
}

/// The configuration of the docs is a part of the one that is tested.
#[test]
fn the_documented_configurations_are_the_tested_ones() {
    let docs = include_str!("../../src/forward_auth/docs.md");
    let sections = [("# nginx", NGINX), ("# Caddy", CADDY)];
    for (title, tested) in sections {
        let tested = tested.replace("{SIDECAR}", "127.0.0.1:8787").replace("{SERVICE}", "127.0.0.1:8000");
        let tested: Vec<_> = tested.lines().map(|line| line.trim().replace("/app/* ", "")).collect();
        let (_, section) = docs.split_once(title).expect("it is documented");
        let section = section.split("```").nth(1).expect("a configuration");
        let documented = section.lines().skip(1).filter(|line| !line.starts_with("example.com"));
        for line in documented.map(str::trim).filter(|line| !line.starts_with('#')) {
            assert!(tested.iter().any(|tested| tested == line), "{title}: {line}");
        }
    }
}

#[test]
fn behind_nginx() {
    let Some((issuer, nginx, [sidecar, _service])) = behind("nginx", &["-c"], NGINX) else { return };
    let admin = json!({ "sub": USER, "exp": now() + 600, "st-role": { "v": ["admin"], "t": 1 } });
    let admin = bearer(&issuer.token_with(admin));
    let user = bearer(&issuer.token(USER));
    assert_eq!(nginx.send("GET", "/admin/", &[&admin], "").status(), 200);
    assert_eq!(nginx.send("GET", "/admin/", &[&user], "").status(), 403);
    assert_eq!(nginx.send("GET", "/_auth", &[&user], "").status(), 404, "a client cannot ask itself");
    assert_eq!(nginx.send("GET", "/misconfigured/", &[&admin], "").status(), 500);
    assert_eq!(sidecar.stop(), Some(0));
    assert_eq!(nginx.send("GET", "/app/x", &[&user], "").status(), 500, "no sidecar, no way in");
}

#[test]
fn behind_caddy() {
    let Some((issuer, caddy, [sidecar, _service])) =
        behind("caddy", &["run", "--adapter", "caddyfile", "--config"], CADDY)
    else {
        return;
    };
    assert_eq!(sidecar.stop(), Some(0));
    assert_eq!(caddy.send("GET", "/app/x", &[&bearer(&issuer.token(USER))], "").status(), 502);
}
