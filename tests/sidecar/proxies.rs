//! Real proxies that ask the sidecar before they let a request through to a service in Python.

use std::thread::sleep;
use std::time::{Duration, Instant};

use http::StatusCode;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use tower_user_metadata::conformance::adapter::{Answer, TokenKind, USER};

use crate::issuer::{Issuer, now};
use crate::processes::{LONGEST, Process};
use crate::{FORGED, bearer, body, cookie, header};

const NGINX: &str = include_str!("nginx.conf");
const CADDY: &str = include_str!("Caddyfile");
const TRAEFIK: &str = include_str!("traefik.yaml");
const ENVOY: &str = include_str!("envoy.yaml");

const NGINX_ARGUMENTS: &[&str] = &["-c"];
const CADDY_ARGUMENTS: &[&str] = &["run", "--adapter", "caddyfile", "--config"];
const ENVOY_ARGUMENTS: &[&str] = &["--disable-hot-restart", "--concurrency", "1", "--config-path"];

const TRAEFIK_ARGUMENTS: &[&str] = &[
    "--entryPoints.web.address=127.0.0.1:{PORT}",
    "--entryPoints.web.http.aliasHeadersStrategy=delete",
    "--entryPoints.web.http.encodedCharacters.allowEncodedSlash=false",
    "--providers.file.filename",
];

const IDENTITY: [&str; 3] = ["X-User-Id", "X-Session-Handle", "X-Tenant-Id"];

/// A proxy with the sidecar that it asks and the service behind it; `/app/` and `/admin/` demand a session and a role,
/// `/welcome/` takes strangers, and `/public/` is not checked at all.
struct Behind {
    issuer: Issuer,
    sidecar: Process,
    _service: Process,
    proxy: Process,
}

impl Behind {
    fn start(program: &str, arguments: &[&str], configuration: &str) -> Option<Self> {
        Self::start_with(program, arguments, configuration, &[("DATABASE_URL", "memory:"), ("LOG", "error")])
    }

    fn start_with(program: &str, arguments: &[&str], configuration: &str, settings: &[(&str, &str)]) -> Option<Self> {
        let issuer = Issuer::start();
        let sidecar = Process::sidecar(&issuer, settings);
        let service = Process::service(&sidecar)?;
        let mut configuration = configuration.to_owned();
        for (name, address) in [("SIDECAR", sidecar.address), ("SERVICE", service.address)] {
            configuration = configuration.replace(&format!("{{{name}}}"), &address.to_string());
            configuration = configuration.replace(&format!("{{{name}_PORT}}"), &address.port().to_string());
        }
        let proxy = Process::proxy(program, arguments, &configuration)?;
        // Traefik listens before it knows its routes.
        let begun = Instant::now();
        while proxy.send("GET", "/public/", &[], "").status() != 200 {
            assert!(begun.elapsed() < LONGEST, "{program} does not find the service");
            sleep(Duration::from_millis(20));
        }
        Some(Self { issuer, sidecar, _service: service, proxy })
    }

    /// Sends a request that claims to be somebody else's.
    fn send(&self, method: &str, path: &str, headers: &[&str], body: &str) -> Answer {
        let headers: Vec<_> = FORGED.iter().chain(headers).copied().collect();
        self.proxy.send(method, path, &headers, body)
    }

    /// An administrator and a user who is none.
    fn two_users(&self) -> [String; 2] {
        let admin = json!({ "sub": USER, "exp": now() + 600, "st-role": { "v": ["admin"], "t": 1 } });
        [bearer(&self.issuer.token_with(admin)), bearer(&self.issuer.token(USER))]
    }

    /// What holds behind every proxy.
    fn check(&self) {
        let token = self.issuer.token_with(json!({ "sub": USER, "sid": "session-1", "exp": now() + 600 }));
        self.the_service_hears_who_it_is(&bearer(&token));
        self.refusals_come_through();
        self.a_cookie_needs_its_proof(&cookie(&token));
        self.strangers_are_nobody();
        self.names_that_look_alike_are_no_way_in(&bearer(&token));
        self.no_path_goes_around_the_check();

        let updated = self.send("POST", "/app/updateinfo", &[&bearer(&token)], r#"{"theme":"dark","todos":null}"#);
        assert_eq!((updated.status(), body(&updated)), (200, json!({ "theme": "dark" })));
        let kept = self.sidecar.send("GET", "/metadata", &[&bearer(&token)], "");
        assert_eq!(body(&kept), json!({ "theme": "dark" }));
    }

    fn the_service_hears_who_it_is(&self, alice: &str) {
        for (method, sent) in
            [("GET", ""), ("POST", "{}"), ("PUT", "{}"), ("PATCH", "{}"), ("DELETE", ""), ("OPTIONS", "")]
        {
            let seen = self.send(method, "/app/x", &[alice], sent);
            assert_eq!(seen.status(), 200, "{method}: {seen:?}");
            assert_eq!(header(&seen, "x-user-id"), [""; 0], "clients are not told: {seen:?}");
            let seen = body(&seen);
            assert_eq!(seen["X-User-Id"], json!([USER]), "{method}: {seen}");
            assert_eq!(seen["X-Session-Handle"], json!(["session-1"]), "{method}: {seen}");
            // Nobody's tenant: the forged one is gone, whether a proxy sends an empty header or none.
            assert!(is_nobody(&seen["X-Tenant-Id"]), "{method}: {seen}");
            assert_eq!((&seen["method"], &seen["path"]), (&json!(method), &json!("/app/x")));
        }
        assert_eq!(self.send("HEAD", "/app/x", &[alice], "").status(), 200);
        assert_eq!(self.send("POST", "/app/x", &[alice], &"x".repeat(300_000)).status(), 200);
        let socket = ["Connection: Upgrade", "Upgrade: websocket", alice];
        assert_eq!(self.send("GET", "/app/x", &socket, "").status(), 200);
        assert_eq!(self.send("GET", "/app/x", &socket[..2], "").status(), 401);
        let path = "/app/a%20b/%C3%BC?x=%2F..&role=admin";
        assert_eq!(body(&self.send("GET", path, &[alice], ""))["path"], json!(path));

        let odd = self.issuer.token_with(json!({ "sub": "a\u{fc} b,%", "exp": now() + 600 }));
        assert_eq!(body(&self.send("GET", "/app/x", &[&bearer(&odd)], ""))["X-User-Id"], json!(["a%C3%BC%20b,%25"]));
    }

    fn refusals_come_through(&self) {
        let stranger = self.send("GET", "/app/x", &[], "");
        assert_eq!((stranger.status(), body(&stranger)), (401, json!({ "message": "unauthorised" })));
        assert_eq!(header(&stranger, "www-authenticate"), ["Bearer"]);
        assert_eq!(header(&stranger, "content-type"), ["application/json; charset=utf-8"]);
        assert_eq!(header(&stranger, "cache-control"), ["no-store"], "{stranger:?}");
        assert_eq!(self.send("HEAD", "/app/x", &[], "").status(), 401);
        let expired = bearer(&self.issuer.mint(TokenKind::Expired));
        let expired = self.send("POST", "/app/x", &[&expired], "{}");
        assert_eq!((expired.status(), body(&expired)), (401, json!({ "message": "try refresh token" })));
        assert_eq!(self.send("GET", "/app/x", &["Authorization: Basic YTpi"], "").status(), 401);
    }

    fn a_cookie_needs_its_proof(&self, alice: &str) {
        for method in ["GET", "HEAD", "OPTIONS"] {
            assert_eq!(self.send(method, "/app/x", &[alice], "").status(), 200, "{method}");
        }
        for method in ["POST", "PUT", "PATCH", "DELETE"] {
            for told in [&[][..], &["X-Forwarded-Method: GET"], &["X-HTTP-Method-Override: GET"]] {
                let unproven = self.send(method, "/app/x", &[&[alice], told].concat(), "");
                assert_eq!(
                    (unproven.status(), body(&unproven)),
                    (401, json!({ "message": "try refresh token" })),
                    "{method}"
                );
            }
            assert_eq!(self.send(method, "/app/x", &[alice, "rid: anti-csrf"], "").status(), 200, "{method}");
        }
    }

    fn strangers_are_nobody(&self) {
        for path in ["/welcome/", "/public/"] {
            let welcome = self.send("GET", path, &[], "");
            assert_eq!(welcome.status(), 200, "{path}");
            assert!(IDENTITY.iter().all(|name| is_nobody(&body(&welcome)[name])), "{path}: {welcome:?}");
        }
        let forged = bearer(&self.issuer.mint(TokenKind::WrongKey));
        assert_eq!(self.send("GET", "/welcome/", &[&forged], "").status(), 401);
    }

    fn names_that_look_alike_are_no_way_in(&self, alice: &str) {
        for forged in ["X_User_Id: root", "x-user_id: root", "X.User.Id: root", "X-User-ID: root"] {
            for path in ["/app/x", "/welcome/", "/public/"] {
                let seen = self.send("GET", path, &[alice, forged], "");
                assert!(
                    seen.status() == 400 || body(&seen)["others"] == json!([]),
                    "{forged}: {path}: {}",
                    seen.body_text()
                );
            }
        }
        // What `Connection` names ends at the proxy (RFC 9110 section 7.6.1), but only what came with it.
        let named = "Connection: X-User-Id, X-Session-Handle, X-Tenant-Id";
        let seen = body(&self.send("GET", "/app/x", &[alice, named], ""));
        assert_eq!(seen["X-User-Id"], json!([USER]), "{seen}");
        assert_eq!(seen["X-Session-Handle"], json!(["session-1"]), "{seen}");
    }

    fn no_path_goes_around_the_check(&self) {
        for path in [
            "//app/x",
            "/./app/x",
            "/%61pp/x",
            "/app%2Fx",
            "/welcome/../app/x",
            "/welcome/%2e%2e/app/x",
            "/welcome/.%2E/app/x",
            "/welcome/..%2fapp/x",
            "/welcome%2F../app/x",
            "/welcome//../app/x",
            "/welcome/..//app/x",
            "/welcome/x/../../app/x",
            "/public/../app/x",
            "/public/%2e%2e%2fapp/x",
            "/app/../../app/x",
            "/app/x/-/optional",
            "/app/x?/auth/optional",
            "/app/x%3f/../../welcome/",
            "/app/..",
            "/app/x#/welcome/",
            "http://localhost/app/x",
            "/nowhere/../app/x",
        ] {
            let Ok(answer) = self.proxy.try_send("GET", path, &FORGED, "") else { continue };
            if answer.status() == StatusCode::OK {
                let seen = body(&answer);
                let taken_for = lenient(seen["path"].as_str().expect("a path"));
                assert!(!taken_for.starts_with("/app/"), "{path}: {seen}");
                assert!(IDENTITY.iter().all(|name| is_nobody(&seen[name])), "{path}: {seen}");
            }
        }
    }
}

fn is_nobody(seen: &Value) -> bool {
    [json!([""]), Value::Null].contains(seen)
}

/// What a service makes of a path that decodes it, resolves its dots and takes several slashes for one.
fn lenient(path: &str) -> String {
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let path = percent_decode_str(path).decode_utf8_lossy();
    let mut segments = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(segments.pop()),
            _ => segments.push(segment),
        }
    }
    format!("/{}/", segments.join("/"))
}

/// The configurations of the docs are parts of those that are tested.
#[test]
fn the_documented_configurations_are_the_tested_ones() {
    let docs = include_str!("../../src/forward_auth/docs.md");
    let traefik = format!("{}\n{TRAEFIK}", TRAEFIK_ARGUMENTS.join("\n").replace("127.0.0.1:{PORT}", ":80"));
    for (title, blocks, tested) in
        [("nginx", 1, NGINX), ("Traefik", 2, &*traefik), ("Caddy", 1, CADDY), ("Envoy", 3, ENVOY)]
    {
        let tested = tested.replace("{SIDECAR}", "127.0.0.1:8787").replace("{SERVICE}", "127.0.0.1:8000");
        let tested: Vec<_> = tested.lines().map(|line| line.trim().replace("/app/* ", "")).collect();
        let (_, section) = docs.split_once(&format!("\n# {title}\n")).expect("it is documented");
        let blocks = section.split("```").skip(1).step_by(2).take(blocks).flat_map(|block| block.lines().skip(1));
        let documented = blocks.filter(|line| !line.starts_with("example.com")).map(str::trim);
        for line in documented.filter(|line| !line.starts_with('#')) {
            assert!(tested.iter().any(|tested| tested == line), "{title}: {line}");
        }
    }
}

#[test]
fn behind_nginx() {
    let Some(nginx) = Behind::start("nginx", NGINX_ARGUMENTS, NGINX) else { return };
    nginx.check();
    let [admin, user] = nginx.two_users();
    assert_eq!(nginx.send("GET", "/admin/", &[&admin], "").status(), 200);
    assert_eq!(nginx.send("GET", "/admin/", &[&user], "").status(), 403);
    assert_eq!(nginx.send("GET", "/_auth", &[&user], "").status(), 404, "a client cannot ask itself");
    assert_eq!(nginx.send("GET", "/misconfigured/", &[&admin], "").status(), 500);
    assert_eq!(nginx.sidecar.stop(), Some(0));
    assert_eq!(nginx.proxy.send("GET", "/app/x", &[&user], "").status(), 500, "no sidecar, no way in");
}

#[test]
fn behind_caddy() {
    let Some(caddy) = Behind::start("caddy", CADDY_ARGUMENTS, CADDY) else { return };
    caddy.check();
    let [admin, user] = caddy.two_users();
    assert_eq!(caddy.send("GET", "/admin/", &[&admin], "").status(), 200);
    let refused = caddy.send("GET", "/admin/", &[&user], "");
    assert_eq!((refused.status(), &body(&refused)["claimValidationErrors"][0]["id"]), (403, &json!("st-role")));
    assert_eq!(caddy.send("GET", "/misconfigured/", &[&admin], "").status(), 404);
    assert_eq!(caddy.sidecar.stop(), Some(0));
    assert_eq!(caddy.proxy.send("GET", "/app/x", &[&user], "").status(), 502);
}

#[test]
fn behind_envoy() {
    let Some(envoy) = Behind::start("envoy", ENVOY_ARGUMENTS, ENVOY) else { return };
    envoy.check();
    let [admin, user] = envoy.two_users();
    assert_eq!(envoy.send("GET", "/admin/", &[&admin], "").status(), 200);
    let refused = envoy.send("GET", "/admin/", &[&user], "");
    assert_eq!((refused.status(), &body(&refused)["claimValidationErrors"][0]["id"]), (403, &json!("st-role")));
    assert_eq!(envoy.send("GET", "/misconfigured/", &[&admin], "").status(), 404);
    assert_eq!(envoy.sidecar.stop(), Some(0));
    assert_eq!(envoy.proxy.send("GET", "/app/x", &[&user], "").status(), 503);
    assert_eq!(envoy.proxy.send("GET", "/welcome/", &[], "").status(), 503);
}

/// Not 401, which would log out everybody.
#[test]
fn behind_all_of_them_a_sidecar_without_keys_is_an_outage() {
    let settings = [("JWKS_URL", "http://127.0.0.1:1/jwks.json"), ("OFFLINE_START", "true"), ("LOG", "error")];
    let mut proxies = vec![
        ("nginx".to_owned(), NGINX_ARGUMENTS, NGINX, 500),
        ("caddy".to_owned(), CADDY_ARGUMENTS, CADDY, 503),
        ("envoy".to_owned(), ENVOY_ARGUMENTS, ENVOY, 503),
    ];
    proxies.extend(std::env::var("TRAEFIK").map(|program| (program, TRAEFIK_ARGUMENTS, TRAEFIK, 503)));
    for (program, arguments, configuration, status) in proxies {
        let Some(proxy) = Behind::start_with(&program, arguments, configuration, &settings) else { continue };
        let [_, user] = proxy.two_users();
        assert_eq!(proxy.send("GET", "/app/x", &[&user], "").status(), status, "{program}");
    }
}

/// No distribution has Traefik, so it is tested where the variable `TRAEFIK` names its program.
#[test]
fn behind_traefik() {
    let Ok(program) = std::env::var("TRAEFIK") else { return };
    let Some(traefik) = Behind::start(&program, TRAEFIK_ARGUMENTS, TRAEFIK) else { return };
    traefik.check();
    let [admin, user] = traefik.two_users();
    assert_eq!(traefik.send("GET", "/admin/", &[&admin], "").status(), 200);
    let refused = traefik.send("GET", "/admin/", &[&user], "");
    assert_eq!((refused.status(), &body(&refused)["claimValidationErrors"][0]["id"]), (403, &json!("st-role")));
    assert_eq!(traefik.send("GET", "/misconfigured/", &[&admin], "").status(), 404);
    assert_eq!(traefik.sidecar.stop(), Some(0));
    assert_eq!(traefik.proxy.send("GET", "/app/x", &[&user], "").status(), 500);
}
