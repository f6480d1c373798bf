//! The settings of the program: each with the white space that a secret mounted from a file has around it.

use std::fs;

use serde_json::{Value, json};
use tower_user_metadata::conformance::adapter::USER;

use crate::issuer::{Issuer, now};
use crate::processes::{Process, SETTINGS, sidecar};
use crate::{bearer, cookie, header};

/// What the program says when it does not start, and how it ends.
fn refused(settings: &[(&str, &str)], arguments: &[&str]) -> (Option<i32>, String) {
    let output = sidecar().envs(settings.iter().copied()).args(arguments).output().expect("it was built");
    (output.status.code(), String::from_utf8(output.stderr).expect("text"))
}

/// A sidecar with these settings and `ISSUER`, each with white space around it.
fn spaced(issuer: &Issuer, settings: &[(&str, &str)]) -> Process {
    let settings: Vec<_> = settings.iter().map(|(name, value)| (*name, format!(" \t{value}\r\n"))).collect();
    let settings: Vec<_> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    Process::sidecar(issuer, &[&[("ISSUER", "\nhttps://id.example\n")], settings.as_slice()].concat())
}

/// A token of the issuer whose name is set, with more claims.
fn token(issuer: &Issuer, claims: &Value) -> String {
    let mut all = json!({ "sub": USER, "iss": "https://id.example", "exp": now() + 600 });
    for (name, value) in claims.as_object().expect("an object") {
        all[name] = value.clone();
    }
    issuer.token_with(all)
}

fn statuses<const N: usize>(sidecar: &Process, requests: [&[&str]; N]) -> [u16; N] {
    requests.map(|headers| sidecar.send("GET", "/auth", headers, "").status())
}

#[test]
fn issuer_and_audiences() {
    let issuer = Issuer::start();
    let sidecar = spaced(&issuer, &[("AUDIENCE", "web , api,,"), ("LISTEN", "127.0.0.1:0")]);
    let with = |claims: Value| bearer(&token(&issuer, &claims));
    let of = |audience: Value| with(json!({ "aud": audience }));
    let good = [of(json!("web")), of(json!("api")), of(json!(["other", "api"]))];
    let bad = [
        with(json!({})),
        of(json!("web,api")),
        of(json!("")),
        with(json!({ "aud": "web", "iss": "https://other.example" })),
    ];
    for token in &good {
        assert_eq!(statuses(&sidecar, [&[token]]), [200]);
    }
    for token in &bad {
        assert_eq!(statuses(&sidecar, [&[token]]), [401]);
    }
}

#[test]
fn claims_of_another_name() {
    let issuer = Issuer::start();
    let names = [("USER_CLAIM", "email"), ("TENANT_CLAIM", "org_id"), ("SESSION_CLAIM", "session_state")];
    let sidecar = spaced(&issuer, &names);
    let claims = json!({ "email": "a@b.example", "org_id": "acme", "session_state": "s-1", "sid": "s-2" });
    let answer = sidecar.send("GET", "/auth", &[&bearer(&token(&issuer, &claims))], "");
    let said = ["x-user-id", "x-tenant-id", "x-session-handle"].map(|name| header(&answer, name).join(" "));
    assert_eq!((answer.status(), said.each_ref().map(String::as_str)), (200, ["a@b.example", "acme", "s-1"]));
    assert_eq!(statuses(&sidecar, [&[&bearer(&token(&issuer, &json!({})))]]), [401], "there is no email");
}

#[test]
fn token_types_and_leeway() {
    let issuer = Issuer::start();
    let jwt = bearer(&token(&issuer, &json!({})));
    assert_eq!(statuses(&spaced(&issuer, &[("TOKEN_TYPES", "at+jwt , JWT")]), [&[&jwt]]), [200]);
    assert_eq!(statuses(&spaced(&issuer, &[("TOKEN_TYPES", "at+jwt")]), [&[&jwt]]), [401]);
    let early = bearer(&token(&issuer, &json!({ "nbf": now() + 100 })));
    assert_eq!(statuses(&spaced(&issuer, &[("LEEWAY", "200")]), [&[&early]]), [200]);
    assert_eq!(statuses(&spaced(&issuer, &[("LEEWAY", "5")]), [&[&early]]), [401]);
}

#[test]
fn places_of_tokens() {
    let issuer = Issuer::start();
    let token = token(&issuer, &json!({}));
    let (header, cookie_only) = (format!("X-Forwarded-Access-Token: {token}"), cookie(&token));
    let sidecar = spaced(&issuer, &[("TOKEN_HEADER", "X-Forwarded-Access-Token")]);
    let scheme = format!("x-forwarded-access-token: Bearer {token}");
    assert_eq!(
        statuses(&sidecar, [&[&header], &[&scheme], &[&bearer(&token)], &[&cookie_only, "rid: anti-csrf"]]),
        [200, 200, 401, 200]
    );
    let twice =
        statuses(&sidecar, [&[&header, &header], &["X-Forwarded-Access-Token: x", &cookie_only, "rid: anti-csrf"]]);
    assert_eq!(twice, [401, 401], "a later place is no fallback for a bad token");

    let sidecar = spaced(&issuer, &[("SESSION_COOKIE", "__Host-session"), ("ANTI_CSRF", "NONE")]);
    let renamed = format!("Cookie: __Host-session={token}");
    assert_eq!(statuses(&sidecar, [&[&renamed], &[&cookie_only]]), [200, 401]);
    let sidecar = spaced(&issuer, &[("ANTI_CSRF", "VIA_CUSTOM_HEADER")]);
    assert_eq!(statuses(&sidecar, [&[&cookie_only], &[&cookie_only, "rid: anti-csrf"]]), [401, 200]);
}

#[test]
fn tokens_as_services_have_them() {
    let issuer = Issuer::start();
    let with = |claims: Value| bearer(&token(&issuer, &claims));
    let (integer, string) = (with(json!({ "sub": 1 })), with(json!({ "sub": "1" })));
    assert_eq!(statuses(&spaced(&issuer, &[]), [&[&integer], &[&string]]), [401, 200]);
    let sidecar = spaced(&issuer, &[("INTEGER_IDS", "true")]);
    let answer = sidecar.send("GET", "/auth", &[&integer], "");
    assert_eq!((answer.status(), header(&answer, "x-user-id").join(" ")), (200, "1".to_owned()));

    let claims = [("REQUIRED_CLAIMS", r#"use = access , v=2, v="3""#), ("FORBIDDEN_CLAIMS", "invite,reset")];
    let sidecar = spaced(&issuer, &claims);
    for good in [json!({ "use": "access", "v": 2 }), json!({ "use": "access", "v": "3", "reset": null })] {
        assert_eq!(statuses(&sidecar, [&[&with(good)]]), [200]);
    }
    for bad in [
        json!({ "use": "access" }),
        json!({ "use": "invite", "v": 2 }),
        json!({ "use": "access", "v": "2" }),
        json!({ "use": "access", "v": 2, "invite": 1 }),
    ] {
        assert_eq!(statuses(&sidecar, [&[&with(bad)]]), [401]);
    }

    let jwt = token(&issuer, &json!({}));
    assert_eq!(statuses(&spaced(&issuer, &[("REQUIRED_TOKEN_TYPES", "at+jwt,jwt")]), [&[&bearer(&jwt)]]), [200]);
    assert_eq!(statuses(&spaced(&issuer, &[("REQUIRED_TOKEN_TYPES", "at+jwt")]), [&[&bearer(&jwt)]]), [401]);

    let scheme = format!("Authorization: token {jwt}");
    assert_eq!(statuses(&spaced(&issuer, &[("TOKEN_SCHEME", "Token")]), [&[&scheme], &[&bearer(&jwt)]]), [200, 401]);
}

#[test]
fn key_servers() {
    let issuer = Issuer::start();
    let token = bearer(&token(&issuer, &json!({})));
    // Every address of this machine is none of the loopback addresses.
    let anywhere = issuer.jwks_url().replace("127.0.0.1", "0.0.0.0");
    let (code, error) = refused(&[("JWKS_URL", &anywhere), ("ANY_AUDIENCE", "true")], &[]);
    assert_eq!(code, Some(2), "{error}");
    let sidecar = spaced(&issuer, &[("JWKS_URL", &anywhere), ("ALLOW_PLAIN_HTTP", "true"), ("OFFLINE_START", "true")]);
    assert_eq!(statuses(&sidecar, [&[&token]]), [200]);
    let core = issuer.jwks_url().replace("/jwks.json", "/");
    let of_core = [("JWKS_URL", ""), ("SUPERTOKENS_CONNECTION_URI", core.as_str()), ("TOKENS", "jwt")];
    assert_eq!(statuses(&spaced(&issuer, &of_core), [&[&token]]), [200]);
    let sidecar = spaced(&issuer, &[("TOKENS", "supertokens-static")]);
    assert_eq!(statuses(&sidecar, [&[&token]]), [401], "it has another form");
}

#[test]
fn metadata_and_the_log() {
    let (issuer, directory) = (Issuer::start(), tempfile::tempdir().expect("a directory"));
    let url = format!("sqlite://{}", directory.path().join("x.db").display());
    let sidecar = spaced(&issuer, &[("DATABASE_URL", &url), ("LOG", "error")]);
    let alice = bearer(&token(&issuer, &json!({})));
    let updated = sidecar.send("PATCH", "/metadata", &[&alice, "Content-Type: application/json"], r#"{"x":1}"#);
    assert_eq!((updated.status(), updated.body()), (200, br#"{"x":1}"#.as_slice()));
    let files = fs::read_dir(directory.path()).expect("it is there").map(|file| file.expect("a file").file_name());
    let others: Vec<_> =
        files.filter(|name| !["x.db", "x.db-wal", "x.db-shm"].iter().any(|ours| name == ours)).collect();
    assert!(directory.path().join("x.db").is_file() && others.is_empty(), "{others:?}");
    assert_eq!(sidecar.stop(), Some(0));
}

#[test]
fn preflights() {
    let issuer = Issuer::start();
    let preflight = ["X-Forwarded-Method: OPTIONS", "Origin: https://a.example", "Access-Control-Request-Method: PUT"];
    let original = ["X-Original-Method: OPTIONS", preflight[1], preflight[2]];
    let sidecar = spaced(&issuer, &[]);
    let answer = sidecar.send("GET", "/auth/role/admin", &preflight, "");
    assert_eq!((answer.status(), header(&answer, "x-user-id")), (200, vec![""]));
    assert_eq!(statuses(&sidecar, [&preflight, &original, &preflight[1..], &preflight[..2]]), [200, 200, 401, 401]);
    let [mixed, twice] =
        [["X-Original-Method: POST"], ["X-Forwarded-Method: OPTIONS"]].map(|more| [&preflight[..], &more].concat());
    assert_eq!(statuses(&sidecar, [&mixed, &twice]), [401, 401], "a client must not choose");
    assert_eq!(
        sidecar.send("OPTIONS", "/auth", &preflight[1..], "").status(),
        401,
        "the check's own method is the proxy's"
    );
    assert_eq!(sidecar.send("OPTIONS", "/auth/-/x", &preflight[1..], "").status(), 200);
    assert_eq!(sidecar.send("POST", "/auth/-/x", &preflight, "").status(), 401);
    let sidecar = spaced(&issuer, &[("REFUSE_PREFLIGHTS", "true"), ("DATABASE_URL", "memory:")]);
    assert_eq!(statuses(&sidecar, [&preflight, &original]), [401, 401]);
    assert_eq!(sidecar.send("OPTIONS", "/metadata", &preflight[1..], "").status(), 401);

    let sidecar = spaced(&issuer, &[("DATABASE_URL", "memory:")]);
    let answer = sidecar.send("OPTIONS", "/metadata", &preflight[1..], "");
    assert_eq!((answer.status(), header(&answer, "allow").join("")), (204, "GET, HEAD, PATCH, DELETE".to_owned()));
    for method in ["GET", "PATCH", "DELETE"] {
        assert_eq!(sidecar.send(method, "/metadata", &preflight, "{}").status(), 401, "{method}");
    }
}

/// The flag does the same, and wins.
#[test]
fn flags_win_over_the_environment() {
    let listens = |settings: &[(&str, &str)], arguments: &[&str]| refused(settings, arguments).1;
    let url = ("JWKS_URL", "http://127.0.0.1:1/jwks.json");
    let error = listens(&[url, ("ISSUER", "i"), ("LISTEN", "nowhere")], &["--listen", " 127.0.0.1:0\n"]);
    assert!(error.contains("key server") && !error.contains("LISTEN"), "{error}");
    let error = listens(&[url, ("ISSUER", "i"), ("LISTEN", "127.0.0.1:0")], &["--listen=\u{fe0f}x"]);
    assert!(error.contains(r#"LISTEN cannot be "\u{fe0f}x""#), "{error}");
}

#[test]
fn id_tokens_are_taken_where_they_are_the_sessions() {
    let issuer = Issuer::start();
    let id_token = |audience: &str| bearer(&token(&issuer, &json!({ "aud": audience, "at_hash": "x" })));
    assert_eq!(statuses(&spaced(&issuer, &[("AUDIENCE", "web")]), [&[&id_token("web")]]), [401]);
    let sidecar = spaced(&issuer, &[("AUDIENCE", "web"), ("ID_TOKENS", "true")]);
    assert_eq!(statuses(&sidecar, [&[&id_token("web")], &[&id_token("other")]]), [200, 401]);
}

#[test]
fn a_wrong_setting_is_told_at_the_start() {
    let url = ("JWKS_URL", "http://127.0.0.1:1/jwks.json");
    let (any, offline) = (("ANY_AUDIENCE", "true"), ("OFFLINE_START", "true"));
    for (settings, code, words) in [
        (&[][..], 2, "JWKS_URL or SUPERTOKENS_CONNECTION_URI must be set"),
        (&[("JWKS_URL", "\n"), ("ISSUER", "i")], 2, "must be set"),
        (&[url, ("SUPERTOKENS_CONNECTION_URI", "http://localhost:1")], 2, "not both"),
        (&[url], 2, "neither ISSUER nor AUDIENCE is set"),
        (&[url, ("ISSUER", " \n"), ("AUDIENCE", ", ,")], 2, "ANY_AUDIENCE=true"),
        (&[url, any, ("AUDIENCE", "web")], 2, "contradict"),
        (&[url, ("ISSUER", "i"), ("ID_TOKENS", "true")], 2, "ID_TOKENS=true needs AUDIENCE"),
        (&[url, ("ANY_AUDIENCE", "yes")], 2, r#"ANY_AUDIENCE cannot be "yes""#),
        (&[url, ("TOKENS", "jwtt")], 2, r#"TOKENS cannot be "jwtt""#),
        (&[url, any, ("LISTEN", "8787")], 2, r#"LISTEN cannot be "8787""#),
        (&[url, any, ("LISTEN", "127.0.0.1 :80")], 2, r#"LISTEN cannot be "127.0.0.1 :80""#),
        (&[url, any, ("LOG", "loud")], 2, r#"LOG cannot be "loud""#),
        (&[url, any, ("LEEWAY", "-1")], 2, r#"LEEWAY cannot be "-1""#),
        (&[url, any, ("LEEWAY", "60s")], 2, "LEEWAY"),
        (&[url, ("OFFLINE_START", "yes")], 2, "OFFLINE_START"),
        (&[url, any, offline, ("ANTI_CSRF", "off")], 2, "ANTI_CSRF"),
        (&[url, any, offline, ("SESSION_COOKIE", "a b")], 2, "cookie"),
        (&[url, any, offline, ("TOKEN_HEADER", "X Token")], 2, "header"),
        (&[url, any, offline, ("TOKEN_SCHEME", "Token:")], 2, "scheme"),
        (&[url, any, offline, ("TOKEN_SCHEME", "Token"), ("TOKEN_HEADER", "x")], 2, "contradict"),
        (&[url, any, offline, ("REQUIRED_CLAIMS", "use")], 2, r#"REQUIRED_CLAIMS cannot be "use""#),
        (&[url, any, offline, ("REQUIRED_CLAIMS", "v=1.5")], 2, "with_required_claim"),
        (&[url, any, offline, ("DATABASE_URL", "mongodb:x")], 2, "mongodb"),
        (&[url, ("TOKENS", "supertokens"), ("TENANT_CLAIM", "t")], 2, "TENANT_CLAIM"),
        (&[("JWKS_URL", "http://keys.example/jwks.json"), any], 2, "http"),
        (&[url, any], 1, "Connection refused"),
        (&[url, ("TOKENS", "supertokens")], 1, "Connection refused"),
    ] {
        let (ended, error) = refused(settings, &[]);
        assert_eq!(ended, Some(code), "{settings:?}: {error}");
        assert!(error.contains(words), "{settings:?}: {error}");
    }
    let (code, error) = refused(&[], &["--port", "1"]);
    assert!(code == Some(2) && error.contains("--port"), "{error}");
}

#[test]
fn help_names_each_setting_and_no_value() {
    let mut command = sidecar();
    command.envs(SETTINGS.map(|name| (name, "sesame\n"))).arg("--help");
    let help = command.output().expect("it was built");
    let text = String::from_utf8(help.stdout).expect("text");
    assert!(help.status.success() && !text.contains("sesame"), "{text}");
    for name in SETTINGS {
        assert!(text.contains(&format!("[env: {name}]")), "{name}");
    }
    assert_eq!(text.matches("[env: ").count(), SETTINGS.len());
}

/// A failure is told to its first cause, and no password with it.
#[test]
fn a_failure_is_told_with_its_causes() {
    let issuer = Issuer::start();
    let fails = |url: &str| {
        let keys =
            [("JWKS_URL", issuer.jwks_url()), ("ANY_AUDIENCE", "true"), ("LISTEN", "127.0.0.1:0"), ("LOG", "error")];
        let (code, error) = refused(&[&keys[..], &[("DATABASE_URL", url)]].concat(), &[]);
        let told: Vec<_> = error.lines().filter(|line| line.starts_with("user-metadata-auth: ")).collect();
        assert_eq!((code, told.len()), (Some(1), 1), "{error}");
        assert!(!error.contains("sesame"), "{error}");
        told[0].to_owned()
    };
    let error = fails("sqlite:///nowhere/at/all/x.db");
    assert!(error.contains("/nowhere/at/all/x.db") && error.contains("No such file or directory"), "{error}");
    #[cfg(feature = "redis")]
    {
        let error = fails("redis://:sesame@127.0.0.1:1");
        assert!(error.to_lowercase().contains("connection refused"), "{error}");
    }
    #[cfg(feature = "postgres")]
    {
        let error = fails("postgres://app:sesame@127.0.0.1:1/app");
        assert!(error.to_lowercase().contains("connection refused"), "{error}");
        let runtime = tokio::runtime::Runtime::new().expect("threads");
        let Some(server) = runtime.block_on(crate::servers::postgres::Postgres::start(&[])) else { return };
        let error = fails(&server.url().replace(&server.password, "sesame"));
        assert!(error.contains("SQLSTATE 28P01, the user or the password is wrong"), "{error}");
        let error = fails(&server.url().replace("/postgres", "/no_such_database"));
        assert!(error.contains("SQLSTATE 3D000") && !error.contains(&server.password), "{error}");
    }
    #[cfg(feature = "mariadb")]
    {
        let error = fails("mariadb://app:sesame@127.0.0.1:1/app");
        assert!(error.to_lowercase().contains("connection refused"), "{error}");
    }
}

/// However wrong a URL is, nothing of it is told that may be a password, at no level of the log.
#[test]
fn no_password_is_told() {
    let keys = ("JWKS_URL", "http://127.0.0.1:1/jwks.json");
    let databases = [
        "postgres://app:sesame@",
        "postgres://app:sesame@127.0.0.1:x/app",
        "postgres://app:sesame@127.0.0.1:1/app?schema=public",
        "postgres://app:open sesame@127.0.0.1:1/app",
        "postgress://app:sesame@127.0.0.1:1/app",
        "mariadb://app:sesame@127.0.0.1:x/app",
        "mariadb://app:sesame@127.0.0.1:1/app?x=1",
        "redis://:sesame@:x",
        "redis+cluster://app:sesame@127.0.0.1:1",
        "app:sesame@127.0.0.1",
    ];
    let offline = [("ISSUER", "i"), ("OFFLINE_START", "true"), ("LISTEN", "127.0.0.1:0"), ("LOG", "trace")];
    for url in databases {
        let (code, error) = refused(&[&offline[..], &[keys, ("DATABASE_URL", url)]].concat(), &[]);
        assert!(code != Some(0) && !error.contains("sesame"), "{url}: {error}");
    }
    for url in
        ["https://app:sesame@127.0.0.1:1/x", "http://app:sesame@127.0.0.1:1/x", "http://127.0.0.1:1/x?key=sesame"]
    {
        let (code, error) = refused(&[("JWKS_URL", url), ("ISSUER", "i"), ("LOG", "trace")], &[]);
        assert!(code != Some(0) && !error.contains("sesame"), "{url}: {error}");
    }
}

#[test]
fn a_port_that_is_taken_is_told() {
    let (issuer, taken) = (Issuer::start(), std::net::TcpListener::bind("127.0.0.1:0").expect("a port"));
    let address = taken.local_addr().expect("it is bound").to_string();
    let (code, error) =
        refused(&[("JWKS_URL", issuer.jwks_url()), ("ANY_AUDIENCE", "true"), ("LISTEN", &address)], &[]);
    assert!(
        code == Some(1) && error.contains(&format!("cannot listen on {address}: Address already in use")),
        "{error}"
    );
}
