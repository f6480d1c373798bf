//! What the examples are told by their environment: with the white space that a secret mounted from a file has around it.

use std::fs;

use serde_json::json;

use crate::EXAMPLES;
use crate::example::{Example, refused};
use crate::issuer::{Issuer, now};

/// Those with sockets of their own.
fn all() -> impl Iterator<Item = &'static str> {
    EXAMPLES.into_iter().chain(["tonic"])
}

#[test]
fn white_space_around_a_setting_is_taken_off() {
    let issuer = Issuer::start();
    let token = |audience: &str| {
        issuer.token_with(json!({ "sub": "alice", "iss": "https://id.example", "aud": audience, "exp": now() + 600 }))
    };
    for name in EXAMPLES {
        let directory = tempfile::tempdir().expect("a directory");
        let url = format!(" sqlite://{}\r\n", directory.path().join("x.db").display());
        let keys = format!("\t{}\n", issuer.jwks_url());
        let settings = [
            ("PORT", " 0\n"),
            ("DATABASE_URL", url.as_str()),
            ("JWKS_URL", &keys),
            ("ISSUER", "https://id.example\n"),
            ("AUDIENCE", " web , api,\n"),
            ("ANY_AUDIENCE", " false\n"),
        ];
        let example = Example::start(name, directory.path(), &settings);
        for (audience, status) in [("web", 200), ("api", 200), ("api\n", 401), ("web,api", 401), ("", 401)] {
            assert_eq!(example.get("/userinfo", &token(audience)).status(), status, "{name}: {audience:?}");
        }
        assert_eq!(example.post("/updateinfo", &token("web"), r#"{"x":1}"#).status(), 200, "{name}");
        let files = fs::read_dir(directory.path()).expect("it is there").map(|file| file.expect("a file").file_name());
        let others = files.filter(|file| !["x.db", "x.db-wal", "x.db-shm"].iter().any(|ours| file == ours));
        assert_eq!(others.collect::<Vec<_>>(), [""; 0], "{name}");
        assert!(directory.path().join("x.db").is_file(), "{name}");
    }
}

#[test]
fn an_empty_setting_is_not_set() {
    for name in EXAMPLES {
        let directory = tempfile::tempdir().expect("a directory");
        let empty = [("JWKS_URL", " \n"), ("ISSUER", ""), ("AUDIENCE", " , "), ("ANY_AUDIENCE", "\n")];
        let example = Example::start(name, directory.path(), &empty);
        let login = example.send("POST /login HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 18\r\n\r\n{\"userId\":\"alice\"}");
        assert_eq!(login.status(), 200, "{name}: {}", login.body_text());
    }
}

#[test]
fn a_wrong_setting_is_told_at_the_start() {
    let issuer = Issuer::start();
    let keys = ("JWKS_URL", issuer.jwks_url());
    for name in all() {
        let directory = tempfile::tempdir().expect("a directory");
        for (settings, words) in [
            (&[keys][..], "neither ISSUER nor AUDIENCE"),
            (&[keys, ("ISSUER", "\n"), ("AUDIENCE", ",")], "ANY_AUDIENCE=true"),
            (&[keys, ("ANY_AUDIENCE", "yes")], r#"is "yes""#),
            (&[keys, ("AUDIENCE", "a"), ("ANY_AUDIENCE", "true")], "contradict"),
            (&[("AUDIENCE", "a")], "need JWKS_URL"),
            (&[("ANY_AUDIENCE", "true")], "need JWKS_URL"),
            (&[("PORT", "80 80\n")], r#"is "80 80""#),
            (&[("DATABASE_URL", "sqlite:///nowhere/at/all/x.db\n")], "No such file or directory"),
            (&[("DATABASE_URL", "mongodb://app:sesame@localhost/x")], "mongodb"),
            (&[("DATABASE_URL", "postgres://app:sesame@127.0.0.1:1/x")], "refused"),
            (&[("JWKS_URL", "http://127.0.0.1:1/jwks.json"), ("ISSUER", "i")], "Connection refused"),
        ] {
            let (code, error) = refused(name, directory.path(), settings);
            assert_eq!(code, Some(1), "{name}: {settings:?}: {error}");
            assert!(error.contains(words), "{name}: {settings:?}: {error}");
            assert!(!error.contains("sesame"), "{name}: {error}");
        }
    }
}
