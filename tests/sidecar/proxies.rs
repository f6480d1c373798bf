//! Real proxies that ask the sidecar before they let a request through to a service in Python.

use serde_json::json;
use tower_user_metadata::conformance::adapter::USER;

use crate::behind::{Behind, Proxy};
use crate::issuer::Issuer;
use crate::processes::Process;
use crate::{bearer, body};

const ALL: [Proxy; 5] = [Proxy::NGINX, Proxy::INGRESS_NGINX, Proxy::CADDY, Proxy::ENVOY, Proxy::TRAEFIK];

/// The configurations of the docs are parts of those that are tested.
#[test]
fn the_documented_configurations_are_the_tested_ones() {
    let docs = include_str!("../../src/forward_auth/docs.md");
    let traefik = Proxy::TRAEFIK.arguments.join("\n").replace("127.0.0.1:{PORT}", ":80");
    for (title, blocks, tested) in [
        ("nginx", 1, Proxy::NGINX.configuration.to_owned()),
        ("Traefik", 2, format!("{traefik}\n{}", Proxy::TRAEFIK.configuration)),
        ("Caddy", 1, Proxy::CADDY.configuration.to_owned()),
        ("Envoy", 3, Proxy::ENVOY.configuration.to_owned()),
    ] {
        let tested = tested.replace("{SIDECAR}", "127.0.0.1:8787").replace("{SERVICE}", "127.0.0.1:8000");
        let tested: Vec<_> = tested.lines().map(|line| line.trim().replace("/app/* ", "")).collect();
        let (_, section) = docs.split_once(&format!("\n# {title}\n")).expect("it is documented");
        let blocks = section.split("```").skip(1).step_by(2).take(blocks).flat_map(|block| block.lines().skip(1));
        let documented = blocks.filter(|line| !line.starts_with("example.com")).map(str::trim);
        let mut lines = 0;
        for line in documented {
            assert!(tested.iter().any(|tested| tested == line), "{title}: {line}");
            lines += 1;
        }
        assert!(lines > 5, "{title} has {lines} lines");
    }
}

/// What the annotations of the docs name is what the tested configuration does.
#[test]
fn the_documented_annotations_are_the_tested_ones() {
    let docs = include_str!("../../src/forward_auth/docs.md");
    let (_, section) = docs.split_once("\n# ingress-nginx\n").expect("it is documented");
    let block = section.split("```").nth(1).expect("a block");
    let value = |name: &str| {
        let annotation = format!("nginx.ingress.kubernetes.io/{name}: ");
        block
            .lines()
            .find_map(|line| line.trim().strip_prefix(&annotation))
            .expect("it is documented")
            .trim_matches('"')
    };
    let tested = Proxy::INGRESS_NGINX.configuration;
    assert!(value("auth-url").ends_with(":8787/auth") && tested.contains("set $target http://{SIDECAR}/auth;"));
    for name in value("auth-response-headers").split(',') {
        assert!(tested.contains(&format!("proxy_set_header '{name}' $authHeader")), "{name}");
    }
}

fn roles(behind: &Behind, no_such_check: u16) {
    let [admin, user] = behind.two_users();
    behind.send("GET", "/admin/", &[&admin], "").request().is_of(USER);
    behind.send("GET", "/admin/", &[&user], "").refused(403);
    behind.send("GET", "/misconfigured/", &[&admin], "").refused(no_such_check);
}

fn claims_are_told(behind: &Behind) {
    let [_, user] = behind.two_users();
    let refused = behind.send("GET", "/admin/", &[&user], "");
    assert_eq!(body(&refused.refused(403).answer)["claimValidationErrors"][0]["id"], json!("st-role"));
}

#[test]
fn behind_nginx() {
    let Some(nginx) = Behind::start(Proxy::NGINX) else { return };
    nginx.check(Proxy::NGINX);
    nginx.check_all_routes();
    nginx.refusals_have_their_body();
    roles(&nginx, 500);
    let [_, user] = nginx.two_users();
    nginx.send("GET", "/_auth", &[&user], "").refused(404);
}

#[test]
fn behind_ingress_nginx() {
    let Some(nginx) = Behind::start(Proxy::INGRESS_NGINX) else { return };
    nginx.check(Proxy::INGRESS_NGINX);
    let [_, user] = nginx.two_users();
    nginx.send("GET", "/_external-auth-app", &[&user], "").refused(404);
}

#[test]
fn behind_caddy() {
    let Some(caddy) = Behind::start(Proxy::CADDY) else { return };
    caddy.check(Proxy::CADDY);
    caddy.check_all_routes();
    caddy.refusals_have_their_body();
    roles(&caddy, 404);
    claims_are_told(&caddy);
}

#[test]
fn behind_envoy() {
    let Some(envoy) = Behind::start(Proxy::ENVOY) else { return };
    envoy.check(Proxy::ENVOY);
    envoy.check_all_routes();
    envoy.refusals_have_their_body();
    roles(&envoy, 404);
    claims_are_told(&envoy);
}

/// No distribution has Traefik, so it is tested where the variable `TRAEFIK` names its program.
#[test]
fn behind_traefik() {
    let Some(traefik) = Behind::start(Proxy::TRAEFIK) else { return };
    traefik.check(Proxy::TRAEFIK);
    traefik.check_all_routes();
    traefik.refusals_have_their_body();
    roles(&traefik, 404);
    claims_are_told(&traefik);
}

/// A sidecar without keys, or none, is an outage: not 401, which would log out everybody. It ends with its reason, since no
/// proxy keeps the answer.
#[test]
fn behind_all_of_them_an_outage_is_one_and_ends() {
    for proxy in ALL {
        let Some(behind) = Behind::start(proxy) else { continue };
        let user = bearer(&behind.issuer.token("alice"));
        behind.send("GET", "/app/x", &[&user], "").request().is_of("alice");

        let no_keys = [("JWKS_URL", "http://127.0.0.1:1/jwks.json"), ("OFFLINE_START", "true"), ("LOG", "error")];
        let without_keys = Process::sidecar(&Issuer::start(), &no_keys);
        behind.tap.switch(without_keys.address);
        for _ in 0..2 {
            behind.send("GET", "/app/x", &[&user], "").refused(proxy.outage[0]);
        }
        assert_eq!(without_keys.stop(), Some(0));
        behind.send("GET", "/app/x", &[&user], "").refused(proxy.outage[1]);
        behind.send("GET", "/app/x", &[], "").refused(proxy.outage[1]);

        behind.tap.switch(behind.sidecar.address);
        behind.send("GET", "/app/x", &[&user], "").request().is_of("alice");
        assert_eq!(behind.sidecar.stop(), Some(0));
    }
}
