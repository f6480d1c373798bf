//! What frameworks cannot be made equal in, since the server or the router below the adapter decides it, and why.

use std::io::{Read, Write};

use crate::EXAMPLES;
use crate::example::{Example, post};
use crate::issuer::Issuer;
use crate::lambda::Trigger;

/// The rows of the contract that the framework decides before the adapter is asked.
pub(crate) fn rows_of_its_own(example: &str) -> &'static [&'static str] {
    match example {
        // Rocket drops headers that are not UTF-8, so what is malformed to others is missing to it.
        "rocket" => &[
            "read: a cookie beside one that is not UTF-8",
            "read: bytes that are not ASCII",
            "update: bytes that are not ASCII",
        ],
        _ => &[],
    }
}

/// A request, the status that most examples answer it with, and who differs.
pub(crate) struct Difference {
    pub(crate) name: &'static str,
    /// The request up to the headers that all have.
    start: String,
    body: &'static str,
    pub(crate) status: u16,
    pub(crate) except: &'static [(&'static str, u16)],
}

pub(crate) fn differences() -> Vec<Difference> {
    const HOST: &str = "Host: localhost\r\n";
    const CHUNKED: &str = "2\r\n{}\r\n0\r\n\r\n";
    let get = |target: &str, headers: &str| format!("GET {target} HTTP/1.1\r\n{headers}");
    let post =
        |headers: &str| format!("POST /updateinfo HTTP/1.1\r\n{HOST}Content-Type: application/json\r\n{headers}\r\n");
    // actix-web refuses what RFC 9112 lets a server refuse, and hyper makes sense of it: section 3.2 on `Host`, section
    // 6.1 on two kinds of framing and on codings besides `chunked`, section 6.3 on several lengths that are equal.
    let strict = |name, start, body| Difference { name, start, body, status: 200, except: &[("actix", 400)] };
    vec![
        strict("no Host", get("/userinfo", ""), ""),
        strict("two Hosts", get("/userinfo", &HOST.repeat(2)), ""),
        strict("two equal lengths", post("Content-Length: 2\r\nContent-Length: 2"), "{}"),
        strict("a length and chunks", post("Content-Length: 2\r\nTransfer-Encoding: chunked"), CHUNKED),
        strict("two codings", post("Transfer-Encoding: gzip, chunked"), CHUNKED),
        strict("a target that is not ASCII", get("/userinfo?é", HOST), ""),
        // Both refuse a target of this length; actix-web does not say that it is the length.
        Difference {
            status: 414,
            ..strict("a target of 70 kB", get(&format!("/userinfo?{}", "a".repeat(70_000)), HOST), "")
        },
        // The routers of actix-web, Rocket and salvo decode letters that need not be encoded, which are the same by RFC
        // 3986 section 6.2.2.2.
        Difference {
            status: 404,
            except: &[("actix", 200), ("rocket", 200), ("salvo", 200)],
            ..strict("an encoded letter in the path", get("/%75serinfo", HOST), "")
        },
        // To Rocket, salvo and warp a path ends also at the slash after its last segment.
        Difference {
            status: 404,
            except: &[("rocket", 200), ("salvo", 200), ("warp", 200)],
            ..strict("a slash after the path", get("/userinfo/", HOST), "")
        },
    ]
}

#[test]
fn differences_are_known_and_let_no_stranger_in() {
    let issuer = Issuer::start();
    let token = issuer.token("alice");
    for name in EXAMPLES {
        let directory = tempfile::tempdir().expect("a directory");
        let example = Example::trusting(name, directory.path(), &issuer);
        example.post("/updateinfo", &token, r#"{"a":1}"#);
        for Difference { name: request, start, body, status, except } in differences() {
            let status = except.iter().find(|(other, _)| *other == name).map_or(status, |(_, different)| *different);
            let send = |header: &str| example.send(&format!("{start}Connection: close\r\n{header}\r\n{body}")).status();
            assert_eq!(send(&format!("Authorization: Bearer {token}\r\n")), status, "{name}: {request}");
            let signed_out = if status == 200 { 401 } else { status };
            assert_eq!(send(""), signed_out, "{name}: {request}, signed out");
        }
        assert_eq!(example.get("/userinfo", &token).body(), br#"{"a":1}"#, "{name}");
    }
}

/// actix-web and Rocket ask every client that wants to know for its body, before anything looks at the request, and Rocket
/// waits for the first of it; the others ask only when the body is read, so that a refused client keeps it.
#[test]
fn only_actix_web_and_rocket_ask_for_the_body_of_a_request_that_is_refused() {
    let issuer = Issuer::start();
    for name in EXAMPLES {
        let directory = tempfile::tempdir().expect("a directory");
        let example = Example::trusting(name, directory.path(), &issuer);
        let request =
            post("/updateinfo", "not a token", "{}").replace("\r\n\r\n{}", "\r\nExpect: 100-continue\r\n\r\n");
        let mut stream = example.connect();
        stream.write_all(request.as_bytes()).expect("it is connected");
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).expect("an answer");
        let asked = answer == *b"HTTP/1.1 100";
        assert_eq!(asked, ["actix", "rocket"].contains(&name), "{name}");
        if asked {
            stream.write_all(b"{}").expect("it wants the body");
        }
        let mut rest = String::new();
        stream.read_to_string(&mut rest).expect("an answer, and then the end");
        assert!(rest.contains(" Unauthorized\r\n"), "{name}: {rest}");
    }
}

/// No framework has a time limit for bodies: what a client that goes silent gets, and when.
#[test]
fn a_client_that_goes_silent_is_refused_at_once_or_waited_for() {
    const JSON: &str = "Host: localhost\r\nContent-Type: application/json\r\n";
    let issuer = Issuer::start();
    let token = issuer.token("alice");
    let signed_in = format!("{JSON}Authorization: Bearer {token}\r\n");
    let both = "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n";
    for name in EXAMPLES {
        let directory = tempfile::tempdir().expect("a directory");
        let example = Example::trusting(name, directory.path(), &issuer);
        example.post("/updateinfo", &token, r#"{"a":1}"#);
        let silent = |request: String| {
            let mut stream = example.connect();
            stream.write_all(request.as_bytes()).expect("it is connected");
            stream
        };
        let update = |headers: &str, rest: &str| silent(format!("POST /updateinfo HTTP/1.1\r\n{headers}{rest}"));
        let waits_for_all = name == "rocket";
        let streams = [
            ("a stranger with a body", update(JSON, "Content-Length: 30\r\n\r\n"), waits_for_all),
            ("a stranger with two framings", update(JSON, both), waits_for_all),
            ("two framings", update(&signed_in, both), name != "actix"),
            ("a body", update(&signed_in, "Content-Length: 30\r\n\r\n"), true),
            ("half a body", update(&signed_in, "Content-Length: 30\r\n\r\n{\"a\":\"0123456789"), true),
            (
                "a read with a body",
                silent(format!("GET /userinfo HTTP/1.1\r\n{signed_in}Content-Length: 3\r\n\r\n")),
                waits_for_all,
            ),
        ];
        for (what, mut stream, waits) in streams {
            stream.set_read_timeout(Some(std::time::Duration::from_millis(500))).expect("a valid timeout");
            assert_eq!(stream.read(&mut [0; 1]).is_err(), waits, "{name}: {what}");
        }
        assert_eq!(example.get("/userinfo", &token).body(), br#"{"a":1}"#, "{name}");
    }
}

/// An application load balancer hands a function only the last header of each name, unless it is told to hand it all; so
/// nothing in the function can see that there were two.
#[test]
fn a_load_balancer_with_its_defaults_hides_all_but_the_last_token() {
    let issuer = Issuer::start();
    let [alice, bob] = ["alice", "bob"].map(|user| issuer.token(user));
    let two = |[first, last]: [&str; 2]| {
        let tokens = format!("Authorization: Bearer {first}\r\nAuthorization: Bearer {last}\r\n");
        format!("GET /userinfo HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{tokens}\r\n")
    };
    for (trigger, status) in Trigger::ALL.map(|it| (it, if matches!(it, Trigger::LoadBalancer) { 200 } else { 401 })) {
        let directory = tempfile::tempdir().expect("a directory");
        let example = Example::trusting(trigger.name(), directory.path(), &issuer);
        example.post("/updateinfo", &bob, r#"{"user":"bob"}"#);
        let answer = example.send(&two([&alice, &bob]));
        assert_eq!(answer.status(), status, "{trigger:?}");
        if status == 200 {
            assert_eq!(answer.body(), br#"{"user":"bob"}"#, "{trigger:?}");
        }
        assert_eq!(example.send(&two([&bob, "forged"])).status(), 401, "{trigger:?}");
    }
}
