use serde_json::Value;
use tower_user_metadata::conformance::adapter::Answer;

use crate::everywhere;
use crate::example::Example;
use crate::issuer::Issuer;

#[test]
fn the_development_login_issues_sessions() {
    for name in everywhere() {
        let directory = tempfile::tempdir().expect("a directory");
        let example = Example::start(name, directory.path(), &[]);
        let (alice, bob) =
            (token(&login(&example, r#"{"userId":"alice"}"#)), token(&login(&example, r#"{"userId":"bob"}"#)));
        let updated = example.post("/updateinfo", &alice, r#"{"theme":"dark","todos":["one"]}"#);
        let body = r#"{"message":"successfully updated user metadata","metadata":{"theme":"dark","todos":["one"]}}"#;
        assert_eq!((updated.status(), updated.body()), (200, body.as_bytes()), "{name}");
        assert_eq!(example.get("/userinfo", &alice).body(), br#"{"theme":"dark","todos":["one"]}"#, "{name}");
        assert_eq!(example.get("/userinfo", &bob).body(), b"{}", "{name}");
        assert_eq!(example.post("/clearinfo", &alice, "").body(), br#"{"success":true}"#, "{name}");
        assert_eq!(example.get("/userinfo", &alice).body(), b"{}", "{name}");

        // The secret is another one in every process.
        let elsewhere = tempfile::tempdir().expect("a directory");
        let other = Example::start(name, elsewhere.path(), &[]);
        assert_eq!(other.get("/userinfo", &alice).status(), 401, "{name}");
    }
}

#[test]
fn a_login_that_is_not_one_is_refused() {
    let form = r#"{"message":"the body must be {\"userId\":\"…\"}"}"#;
    let long = format!(r#"{{"userId":"{}"}}"#, "x".repeat(256));
    for name in everywhere() {
        let directory = tempfile::tempdir().expect("a directory");
        let example = Example::start(name, directory.path(), &[]);
        for (body, message) in [
            ("", form),
            ("alice", form),
            ("[]", form),
            (r#""alice""#, form),
            ("{}", form),
            (r#"{"userId":null}"#, form),
            (r#"{"userId":["alice"]}"#, form),
            (r#"{"userid":"alice"}"#, form),
            (r#"{"userId":"alice","admin":true}"#, form),
            (r#"{"userId":"alice","userId":"bob"}"#, form),
            (r#"{"userId":"alice"}{}"#, form),
            (r#"{"userId":""}"#, r#"{"message":"a user id must not be empty"}"#),
            (r#"{"userId":"a\u0000"}"#, r#"{"message":"a user id must not hold control characters"}"#),
            (&long, r#"{"message":"a user id has at most 255 characters"}"#),
        ] {
            let answer = login(&example, body);
            assert_eq!((answer.status(), answer.body_text().as_str()), (400, message), "{name}: {body}");
        }
        for bytes in [100_000, 3_000_000] {
            let large = login(&example, &format!("{}{}", r#"{"userId":"alice"}"#, " ".repeat(bytes)));
            assert_eq!((large.status(), large.body_text().as_str()), (400, form), "{name}: {bytes} bytes");
        }
        let get = example.get("/login", "");
        assert_eq!((get.status(), get.header("allow").collect::<Vec<_>>()), (405, vec!["POST"]), "{name}");
    }
}

#[test]
fn there_is_no_development_login_where_somebody_else_issues_the_sessions() {
    let issuer = Issuer::start();
    for name in everywhere() {
        let directory = tempfile::tempdir().expect("a directory");
        let example = Example::trusting(name, directory.path(), &issuer);
        let answer = login(&example, r#"{"userId":"alice"}"#);
        assert_eq!((answer.status(), answer.body()), (404, br#"{"message":"not found"}"#.as_slice()), "{name}");
    }
}

fn login(example: &Example, body: &str) -> Answer {
    let length = body.len();
    example.send(&format!(
        "POST /login HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    ))
}

fn token(answer: &Answer) -> String {
    assert_eq!(answer.status(), 200);
    let body: Value = serde_json::from_slice(answer.body()).expect("JSON");
    body["accessToken"].as_str().expect("a token").to_owned()
}

/// Newcomers meet a 401 first, and a debug build tells them on the standard error what it is for. Nobody else is told.
#[cfg(debug_assertions)]
#[test]
fn the_reason_of_a_401_is_in_the_log_and_not_in_the_answer() {
    use std::io::Read;
    for name in crate::EXAMPLES {
        let directory = tempfile::tempdir().expect("a directory");
        let (example, mut stderr) = Example::logging(name, directory.path());
        let (bad, secret) = ("c2VjcmV0.c2VjcmV0.c2VjcmV0", "c2VjcmV0");
        let refused = example.get("/userinfo", bad);
        assert_eq!((refused.status(), &*refused.body_text()), (401, r#"{"message":"unauthorised"}"#), "{name}");
        let reason = "the header is not a strict JSON object";
        assert!(refused.headers().iter().all(|(_, value)| !value.contains(reason)), "{name}");
        example.kill();
        let mut log = String::new();
        stderr.read_to_string(&mut log).expect("text");
        assert!(log.contains("DEBUG") && log.contains("session refused kind=MalformedToken"), "{name}: {log}");
        assert!(log.contains(reason) && !log.contains(secret), "{name}: {log}");
    }
}
