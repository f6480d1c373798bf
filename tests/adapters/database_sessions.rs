//! The example of an application that has sessions already, as a process: what its users see of sessions that begin,
//! end, expire or cannot be looked up.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use rusqlite::Connection;
use tower_user_metadata::conformance::adapter::{Answer, exchange};

use crate::example::Example;

struct App {
    example: Example,
    directory: tempfile::TempDir,
}

/// What a browser keeps of the cookie.
type Cookie = Option<String>;

impl App {
    fn start() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        Self { example: start(directory.path()), directory }
    }

    fn killed_and_started_again(self) -> Self {
        let Self { example, directory } = self;
        example.kill();
        Self { example: start(directory.path()), directory }
    }

    fn send(&self, line: &str, cookie: &Cookie, body: &str) -> Answer {
        self.example.send(&request(line, cookie.as_deref(), body))
    }

    fn get(&self, path: &str, cookie: &Cookie) -> (u16, String) {
        let answer = self.send(&format!("GET {path}"), cookie, "");
        (answer.status(), answer.body_text())
    }

    fn post(&self, path: &str, cookie: &Cookie, body: &str) -> (u16, String) {
        let answer = self.send(&format!("POST {path}"), cookie, body);
        (answer.status(), answer.body_text())
    }

    /// The cookie after this request.
    fn cookie_of(&self, path: &str, cookie: &Cookie, body: &str) -> Cookie {
        let answer = self.send(&format!("POST {path}"), cookie, body);
        assert!(answer.status() < 300, "{path}: {}", answer.status());
        let set = answer.header("set-cookie").next().expect("a cookie").to_owned();
        assert!(set.contains("; HttpOnly; SameSite=Strict; Path=/") || set.contains("Max-Age=0"), "{set}");
        let pair = set.split(';').next().expect("it is not empty");
        Some(pair.to_owned()).filter(|pair| pair != "session=")
    }

    fn log_in(&self, user: &str, cookie: &Cookie) -> Cookie {
        self.cookie_of("/login", cookie, &format!(r#"{{"userId":"{user}"}}"#))
    }

    fn database(&self) -> Connection {
        Connection::open(self.directory.path().join("sessions.db")).expect("the example made it")
    }
}

fn start(directory: &Path) -> Example {
    let sessions = directory.join("sessions.db");
    Example::start("database_sessions", directory, &[("SESSIONS", sessions.to_str().expect("UTF-8"))])
}

fn request(line: &str, cookie: Option<&str>, body: &str) -> String {
    let cookie = cookie.map(|cookie| format!("Cookie: {cookie}\r\n")).unwrap_or_default();
    let length = body.len();
    format!(
        "{line} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{cookie}Content-Type: application/json\r\nContent-Length: \
         {length}\r\n\r\n{body}"
    )
}

const UNAUTHORISED: &str = r#"{"message":"unauthorised"}"#;

fn refused() -> (u16, String) {
    (401, UNAUTHORISED.to_owned())
}

fn ok(body: &str) -> (u16, String) {
    (200, body.to_owned())
}

#[test]
fn a_user_logs_in_keeps_metadata_and_logs_out() {
    let app = App::start();
    assert_eq!(app.get("/userinfo", &None), refused());
    let alice = app.log_in("alice", &None);
    let updated = app.post("/updateinfo", &alice, r#"{"preferences":{"theme":"dark"},"todos":["one"]}"#);
    let metadata = r#"{"preferences":{"theme":"dark"},"todos":["one"]}"#;
    let message =
        |metadata: &str| format!(r#"{{"message":"successfully updated user metadata","metadata":{metadata}}}"#);
    assert_eq!(updated, (200, message(metadata)));
    let updated = app.post("/updateinfo", &alice, r#"{"preferences":{"theme":null},"todos":null}"#);
    assert_eq!(updated, (200, message(r#"{"preferences":{"theme":null}}"#)));
    assert_eq!(app.get("/userinfo", &alice), ok(r#"{"preferences":{"theme":null}}"#));
    assert_eq!(app.get("/", &alice), ok(r#"{"hello":"alice"}"#));
    // Another user has another document, and another session of the same user has the same.
    assert_eq!(app.get("/userinfo", &app.log_in("bob", &None)), ok("{}"));
    let elsewhere = app.log_in("alice", &None);
    assert_eq!(app.post("/clearinfo", &elsewhere, ""), ok(r#"{"success":true}"#));
    assert_eq!(app.get("/userinfo", &alice), ok("{}"));

    assert_eq!(app.cookie_of("/logout", &alice, ""), None);
    // Whoever kept the cookie has nothing of it, and the other session goes on.
    assert_eq!(app.get("/userinfo", &alice), refused());
    assert_eq!(app.get("/userinfo", &elsewhere), ok("{}"));
}

#[test]
fn a_visitor_has_a_session_and_no_user() {
    let app = App::start();
    assert_eq!(app.get("/", &None), ok(r#"{"hello":"stranger"}"#));
    let visitor = app.cookie_of("/visit", &None, "");
    assert!(visitor.is_some());
    assert_eq!(app.get("/", &visitor), ok(r#"{"hello":"stranger"}"#));
    for path in ["/userinfo", "/logout-everywhere"] {
        let method = if path == "/userinfo" { "GET" } else { "POST" };
        let answer = app.send(&format!("{method} {path}"), &visitor, "");
        assert_eq!((answer.status(), answer.body_text()), refused(), "{path}");
        // As one without a cookie: nothing is wrong with this one.
        assert_eq!(answer.header("www-authenticate").collect::<Vec<_>>(), ["Bearer"], "{path}");
    }
    // Signing in gives the session another id, so that whoever knew the old one is not signed in with it.
    let alice = app.log_in("alice", &visitor);
    assert_ne!(alice, visitor);
    assert_eq!(app.get("/", &alice), ok(r#"{"hello":"alice"}"#));
    assert_eq!(app.get("/userinfo", &visitor), refused());
    assert_eq!(app.post("/visit", &alice, ""), ok(r#"{"visits":2}"#));
}

#[test]
fn an_id_of_no_session_is_refused_also_where_sessions_are_optional() {
    let app = App::start();
    let alice = app.log_in("alice", &None).expect("a cookie");
    for (cookie, challenge) in [
        // Of the right form, and never given out.
        ("session=AAAAAAAAAAAAAAAAAAAAAA", r#"Bearer error="invalid_token""#),
        ("session=x", r#"Bearer error="invalid_token""#),
        ("session=%27%3B", r#"Bearer error="invalid_token""#),
        (&format!("{alice}A"), r#"Bearer error="invalid_token""#),
        (&format!("session={}", "A".repeat(10_000)), r#"Bearer error="invalid_token""#),
        (&format!("session=x; {alice}"), r#"Bearer error="invalid_request""#),
    ] {
        for path in ["/userinfo", "/"] {
            let answer = app.send(&format!("GET {path}"), &Some(cookie.to_owned()), "");
            assert_eq!(answer.status(), 401, "{path} {cookie}");
            assert_eq!(answer.header("www-authenticate").collect::<Vec<_>>(), [challenge], "{path} {cookie}");
        }
    }
    // A cookie that was emptied is none.
    assert_eq!(app.get("/", &Some("session=".to_owned())), ok(r#"{"hello":"stranger"}"#));
    // Nor is the id a token in another place.
    let id = alice.strip_prefix("session=").expect("the name");
    let bearer = app.example.get("/userinfo", id);
    assert_eq!((bearer.status(), bearer.body_text()), refused());
}

#[test]
fn a_session_ends_when_it_expires_and_with_the_password() {
    let app = App::start();
    let (alice, elsewhere, bob) = (app.log_in("alice", &None), app.log_in("alice", &None), app.log_in("bob", &None));
    let id = |cookie: &Cookie| cookie.as_deref().and_then(|pair| pair.strip_prefix("session=")).map(str::to_owned);
    let expired = app.database().execute("UPDATE sessions SET expires = unixepoch() WHERE id = ?", [id(&alice)]);
    assert_eq!(expired.expect("the database is there"), 1);
    assert_eq!(app.get("/userinfo", &alice), refused());
    assert_eq!(app.get("/userinfo", &elsewhere), ok("{}"));
    assert_eq!(app.post("/logout-everywhere", &elsewhere, ""), (204, String::new()));
    assert_eq!(app.get("/userinfo", &elsewhere), refused());
    assert_eq!(app.get("/userinfo", &bob), ok("{}"));
    assert_eq!(app.get("/userinfo", &app.log_in("alice", &elsewhere)), ok("{}"));
    // A user who is no longer there has no sessions either.
    app.database().execute("DELETE FROM users WHERE id = 'bob'", []).expect("the database is there");
    assert_eq!(app.get("/userinfo", &bob), refused());
}

/// A session whose data are not what `axum-login` writes signs nobody in.
#[test]
fn a_record_of_another_form_is_refused() {
    let app = App::start();
    for (data, status) in [
        (r#"{"axum-login.data":{"user_id":null,"auth_hash":null}}"#, 200),
        (r#"{"axum-login.data":{"user_id":"alice","auth_hash":null}}"#, 401),
        (r#"{"axum-login.data":{"user_id":"alice","auth_hash":[1,2]}}"#, 401),
        (r#"{"axum-login.data":{"user_id":7,"auth_hash":[]}}"#, 401),
        (r#"{"axum-login.data":"alice"}"#, 401),
        (r#"{"axum-login.data":null}"#, 401),
        ("[]", 503),
    ] {
        let alice = app.log_in("alice", &None);
        app.database().execute("UPDATE sessions SET data = ?", [data]).expect("the database is there");
        assert_eq!(app.get("/", &alice).0, status, "{data}");
        assert_eq!(app.get("/userinfo", &alice).0, if status == 200 { 401 } else { status }, "{data}");
    }
}

/// A client that took an outage for a logout would throw its session away.
#[test]
fn an_outage_of_the_sessions_is_no_logout() {
    let app = App::start();
    let (alice, visitor) = (app.log_in("alice", &None), app.cookie_of("/visit", &None, ""));
    assert_eq!(app.post("/updateinfo", &alice, r#"{"theme":"dark"}"#).0, 200);
    let elsewhere = app.database();
    elsewhere.execute_batch("BEGIN EXCLUSIVE").expect("nobody writes");
    for (path, cookie) in [("/userinfo", &alice), ("/", &alice), ("/", &visitor)] {
        let answer = app.send(&format!("GET {path}"), cookie, "");
        assert_eq!(answer.status(), 503, "{path}");
        assert_eq!(answer.body_text(), r#"{"message":"session verification unavailable"}"#, "{path}");
        assert_eq!(answer.header("retry-after").collect::<Vec<_>>(), ["1"], "{path}");
        assert_eq!(answer.header("www-authenticate").count() + answer.header("set-cookie").count(), 0, "{path}");
    }
    // Who shows no session needs none, and a bad form needs no look.
    assert_eq!(app.get("/", &None), ok(r#"{"hello":"stranger"}"#));
    assert_eq!(app.get("/userinfo", &Some("session=x".to_owned())), refused());
    elsewhere.execute_batch("ROLLBACK").expect("it was begun");
    assert_eq!(app.get("/userinfo", &alice), ok(r#"{"theme":"dark"}"#));
    assert_eq!(app.get("/", &visitor), ok(r#"{"hello":"stranger"}"#));
}

#[test]
fn sessions_and_metadata_survive_a_crash() {
    let app = App::start();
    let (alice, visitor) = (app.log_in("alice", &None), app.cookie_of("/visit", &None, ""));
    assert_eq!(app.post("/updateinfo", &alice, r#"{"theme":"dark","todos":["one"]}"#).0, 200);
    assert_eq!(app.post("/updateinfo", &alice, r#"{"todos":null}"#).0, 200);
    let app = app.killed_and_started_again();
    assert_eq!(app.get("/userinfo", &alice), ok(r#"{"theme":"dark"}"#));
    assert_eq!(app.post("/visit", &visitor, ""), ok(r#"{"visits":2}"#));
    assert_eq!(app.cookie_of("/logout", &alice, ""), None);
    let app = app.killed_and_started_again();
    assert_eq!(app.get("/userinfo", &alice), refused());
}

/// Requests that write something into the session, and were under way when it ended, do not bring it back.
#[test]
fn a_session_that_has_ended_stays_ended_whatever_was_under_way() {
    let app = App::start();
    for _ in 0..5 {
        let alice = app.log_in("alice", &None);
        let (ended, address) = (AtomicBool::new(false), app.example.address);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    while !ended.load(Ordering::Relaxed) {
                        let visit = request("POST /visit", alice.as_deref(), "");
                        assert_eq!(exchange(address, visit.as_bytes()).expect("an answer").status(), 200);
                    }
                });
            }
            let updated = app.post("/updateinfo", &alice, r#"{"theme":"dark"}"#).0;
            let logged_out = app.post("/logout", &alice, "").0;
            let after = app.get("/userinfo", &alice);
            // The others end in any case.
            ended.store(true, Ordering::Relaxed);
            assert_eq!((updated, logged_out, after), (200, 204, refused()));
        });
        assert_eq!(app.get("/userinfo", &alice), refused());
    }
}
