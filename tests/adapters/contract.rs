use std::thread;

use tower_user_metadata::conformance::adapter::{self, Report};

use crate::differences::rows_of_its_own;
use crate::example::{Example, on_open_connection, post};
use crate::issuer::Issuer;
use crate::{EXAMPLES, everywhere, policy, tonic};

#[test]
fn every_example_gives_the_same_answers() {
    let issuer = Issuer::start();
    let reports: Vec<(&str, Report)> = thread::scope(|scope| {
        let run = |name| {
            let issuer = &issuer;
            scope.spawn(move || {
                let directory = tempfile::tempdir().expect("a directory");
                let example = Example::trusting(name, directory.path(), issuer);
                (name, adapter::check_except(example.address, |kind| issuer.mint(kind), rows_of_its_own(name)))
            })
        };
        let runs: Vec<_> = everywhere().map(run).collect();
        runs.into_iter().map(|run| run.join().expect("the answers are as the contract demands")).collect()
    });
    let [(first, expected), others @ ..] = reports.as_slice() else { panic!("no examples") };
    let names: Vec<_> = everywhere().collect();
    println!("{} requests, the same answers from {names:?}", expected.checked().len());
    for (other, report) in others {
        assert_eq!(report.checked().len() + rows_of_its_own(other).len(), expected.checked().len());
        let rows = expected.checked().iter().filter(|row| !rows_of_its_own(other).contains(&&*row.name));
        for (expected, given) in rows.zip(report.checked()) {
            let name = &expected.name;
            assert_eq!(given.name, *name, "{other}");
            assert_eq!(given.answer.status(), expected.answer.status(), "{name}: {other} and {first}");
            assert_eq!(given.answer.body(), expected.answer.body(), "{name}: {other} and {first}");
        }
    }
    policy::check(expected, &tonic::replay(&issuer, expected));
}

#[test]
fn no_example_stores_an_update_that_did_not_come_whole() {
    let issuer = Issuer::start();
    thread::scope(|scope| {
        for name in EXAMPLES {
            let issuer = &issuer;
            scope.spawn(move || {
                let directory = tempfile::tempdir().expect("a directory");
                let example = Example::trusting(name, directory.path(), issuer);
                println!("{name}");
                adapter::check_unfinished(example.address, |kind| issuer.mint(kind));
            });
        }
    });
}

#[test]
fn a_connection_serves_many_requests_also_after_refused_ones() {
    let issuer = Issuer::start();
    let token = issuer.token("alice");
    for name in EXAMPLES {
        let directory = tempfile::tempdir().expect("a directory");
        let example = Example::trusting(name, directory.path(), &issuer);
        let mut stream = example.connect();
        for round in 0..50 {
            let update = post("/updateinfo", &token, &format!(r#"{{"round":{round}}}"#));
            let document = format!(r#"{{"round":{round}}}"#);
            let connection = stream.local_addr().expect("it is connected");
            let answer = on_open_connection(&mut stream, &update);
            assert_eq!(answer, format!(r#"{{"message":"successfully updated user metadata","metadata":{document}}}"#));
            assert_eq!(stream.local_addr().expect("it is connected"), connection, "{name} closed it");
            let refused = on_open_connection(&mut stream, &post("/updateinfo", "not a token", r#"{"round":-1}"#));
            assert_eq!(refused, r#"{"message":"unauthorised"}"#, "{name}");
            let refused = on_open_connection(&mut stream, &post("/updateinfo", &token, "[]"));
            assert_eq!(refused, r#"{"message":"metadata must be a JSON object"}"#, "{name}");
        }
        assert_eq!(example.get("/userinfo", &token).body(), br#"{"round":49}"#, "{name}");
    }
}

#[test]
fn a_session_of_another_issuer_or_for_another_audience_is_refused() {
    use serde_json::json;
    let issuer = Issuer::start();
    let token = |claims: serde_json::Value| {
        let mut claims = claims;
        claims["sub"] = json!("alice");
        claims["exp"] = json!(crate::issuer::now() + 600);
        issuer.token_with(claims)
    };
    for name in everywhere() {
        let directory = tempfile::tempdir().expect("a directory");
        let settings =
            [("JWKS_URL", issuer.jwks_url()), ("ISSUER", "https://auth.example.com"), ("AUDIENCE", "metadata")];
        let example = Example::start(name, directory.path(), &settings);
        for (claims, status) in [
            (json!({ "iss": "https://auth.example.com", "aud": "metadata" }), 200),
            (json!({ "iss": "https://auth.example.com", "aud": ["other", "metadata"] }), 200),
            (json!({ "iss": "https://auth.example.com/", "aud": "metadata" }), 401),
            (json!({ "iss": "https://auth.example.com", "aud": "other" }), 401),
            (json!({ "aud": "metadata" }), 401),
            (json!({ "iss": "https://auth.example.com" }), 401),
        ] {
            assert_eq!(example.get("/userinfo", &token(claims.clone())).status(), status, "{name}: {claims}");
        }
    }
}
