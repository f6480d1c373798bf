use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tower_user_metadata::conformance::adapter::exchange;

use crate::example::{Example, on_open_connection, post};
use crate::issuer::Issuer;
use crate::{EXAMPLES, everywhere, tonic};

#[test]
fn every_acknowledged_update_survives_a_crash() {
    const WRITERS: usize = 8;
    let issuer = Issuer::start();
    let token = issuer.token("alice");
    for name in everywhere() {
        let directory = tempfile::tempdir().expect("a directory");
        let example = Example::trusting(name, directory.path(), &issuer);
        let acknowledged: [AtomicUsize; WRITERS] = Default::default();
        thread::scope(|scope| {
            let mut writers = Vec::new();
            for (writer, acknowledged) in acknowledged.iter().enumerate() {
                let (address, token) = (example.address, &token);
                writers.push(scope.spawn(move || {
                    for round in 1.. {
                        let update = post("/updateinfo", token, &format!(r#"{{"writer-{writer}":{round}}}"#));
                        match exchange(address, update.as_bytes()) {
                            Ok(answer) => assert_eq!(answer.status(), 200),
                            Err(_) => return,
                        }
                        acknowledged.store(round, Ordering::Release);
                    }
                }));
            }
            // In the midst of the work, and not at a moment of ours.
            while acknowledged.iter().any(|rounds| rounds.load(Ordering::Acquire) < 20) {
                assert!(
                    !writers.iter().any(std::thread::ScopedJoinHandle::is_finished),
                    "{name}: an update had no answer"
                );
                thread::yield_now();
            }
            example.kill();
        });
        let example = Example::trusting(name, directory.path(), &issuer);
        let document: Value = serde_json::from_slice(example.get("/userinfo", &token).body()).expect("JSON");
        for (writer, acknowledged) in acknowledged.iter().enumerate() {
            let stored = document[format!("writer-{writer}")].as_u64().expect("a number");
            let acknowledged = acknowledged.load(Ordering::Acquire) as u64;
            // The update that was under way may have been stored, and its acknowledgement lost.
            assert!(
                (acknowledged..=acknowledged + 1).contains(&stored),
                "{name}: {stored}, but acknowledged {acknowledged}"
            );
        }
    }
}

#[test]
fn a_request_in_flight_is_finished_before_the_application_stops() {
    let issuer = Issuer::start();
    let token = issuer.token("alice");
    for name in EXAMPLES {
        let directory = tempfile::tempdir().expect("a directory");
        let mut example = Example::trusting(name, directory.path(), &issuer);
        let idle = example.connect();
        let mut stream = example.connect();
        let update = post("/updateinfo", &token, r#"{"finished":true}"#);
        begin(&mut stream, &update);
        thread::scope(|scope| {
            // Others come at the very moment, so that the server is awake and in the midst of its work.
            scope.spawn(|| wait_until_it_refuses(&example));
            example.terminate();
        });
        stream.write_all(br#"{"finished":true}"#).expect("the connection is still served");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer, and then the end");
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{name}: {answer}");
        assert!(example.wait(Duration::from_secs(9)).success(), "{name}");
        drop(idle);
        let log = directory.path().join("metadata.db-wal");
        assert!(!log.exists(), "{name}: a store that was closed has everything in its one file");

        let again = Example::trusting(name, directory.path(), &issuer);
        assert_eq!(again.get("/userinfo", &token).body(), br#"{"finished":true}"#, "{name}");
    }
}

/// Browsers and proxies keep connections open for minutes; that is no request in flight.
#[test]
fn idle_connections_do_not_keep_the_application_from_stopping() {
    let issuer = Issuer::start();
    let token = issuer.token("alice");
    for name in EXAMPLES {
        let directory = tempfile::tempdir().expect("a directory");
        let mut example = Example::trusting(name, directory.path(), &issuer);
        let fresh: Vec<_> = (0..3).map(|_| example.connect()).collect();
        let mut used: Vec<_> = (0..3).map(|_| example.connect()).collect();
        for stream in &mut used {
            on_open_connection(stream, &post("/updateinfo", &token, r#"{"kept":true}"#));
            on_open_connection(stream, &post("/updateinfo", "not a token", "{}"));
        }
        let told = Instant::now();
        example.terminate();
        let status = example.wait(Duration::from_secs(4));
        println!("{name} stopped after {:?}", told.elapsed());
        assert!(status.success(), "{name}");
        drop((fresh, used));
        assert!(!directory.path().join("metadata.db-wal").exists(), "{name}: the store was closed");
        let again = Example::trusting(name, directory.path(), &issuer);
        assert_eq!(again.get("/userinfo", &token).body(), br#"{"kept":true}"#, "{name}");
    }
}

#[test]
fn a_client_that_never_finishes_does_not_keep_the_application_from_stopping() {
    let issuer = Issuer::start();
    let token = issuer.token("alice");
    thread::scope(|scope| {
        scope
            .spawn(|| tonic::faults::a_client_that_never_finishes_does_not_keep_the_application_from_stopping(&issuer));
        for name in EXAMPLES {
            let (issuer, token) = (&issuer, &token);
            scope.spawn(move || {
                let directory = tempfile::tempdir().expect("a directory");
                let mut example = Example::trusting(name, directory.path(), issuer);
                let mut stream = example.connect();
                begin(&mut stream, &post("/updateinfo", token, r#"{"finished":true}"#));
                example.terminate();
                assert!(!example.wait(Duration::from_secs(20)).success(), "{name}");
                let again = Example::trusting(name, directory.path(), issuer);
                assert_eq!(again.get("/userinfo", token).body(), b"{}", "{name}");
            });
        }
    });
}

#[test]
fn a_client_that_hangs_up_in_the_middle_changes_nothing() {
    let issuer = Issuer::start();
    let token = issuer.token("alice");
    for name in EXAMPLES {
        let directory = tempfile::tempdir().expect("a directory");
        let example = Example::trusting(name, directory.path(), &issuer);
        example.post("/updateinfo", &token, r#"{"a":1}"#);
        let update = post("/updateinfo", &token, r#"{"a":2}"#);
        for end in 0..update.len() {
            let mut stream = example.connect();
            stream.write_all(&update.as_bytes()[..end]).expect("it is connected");
            drop(stream);
        }
        let chunked = update
            .replace("Content-Length: 7", "Transfer-Encoding: chunked")
            .replace(r#"{"a":2}"#, "7\r\n{\"a\":2}\r\n");
        example.connect().write_all(chunked.as_bytes()).expect("it is connected");
        assert_eq!(example.get("/userinfo", &token).body(), br#"{"a":1}"#, "{name}");
    }
}

/// A framework drops the handler of a client who has gone, or runs it to its end: either way an update is whole.
#[test]
fn a_client_that_does_not_wait_for_its_answer_gets_all_or_nothing() {
    const ROUNDS: u64 = 100;
    let issuer = Issuer::start();
    let token = issuer.token("alice");
    for name in EXAMPLES {
        let directory = tempfile::tempdir().expect("a directory");
        let example = Example::trusting(name, directory.path(), &issuer);
        for round in 1..=ROUNDS {
            let update = post("/updateinfo", &token, &format!(r#"{{"a":{round},"b":{round}}}"#));
            example.connect().write_all(update.as_bytes()).expect("it is connected");
        }
        let answer = example.post("/updateinfo", &token, r#"{"c":1}"#);
        assert_eq!(answer.status(), 200, "{name}");
        let document: Value = serde_json::from_slice(example.get("/userinfo", &token).body()).expect("JSON");
        assert_eq!(document["a"], document["b"], "{name}");
        assert!(document["a"].as_u64().unwrap_or_default() <= ROUNDS, "{name}: {document}");
        assert_eq!(document["c"], 1, "{name}");
    }
}

#[test]
fn a_hundred_updates_at_once_are_all_kept() {
    let issuer = Issuer::start();
    let token = issuer.token("alice");
    for name in everywhere() {
        let directory = tempfile::tempdir().expect("a directory");
        let example = Example::trusting(name, directory.path(), &issuer);
        thread::scope(|scope| {
            for field in 0..100 {
                let (example, token) = (&example, &token);
                scope.spawn(move || {
                    let answer = example.post("/updateinfo", token, &format!(r#"{{"field-{field}":{field}}}"#));
                    assert_eq!(answer.status(), 200, "{name}");
                });
            }
        });
        let document: Value = serde_json::from_slice(example.get("/userinfo", &token).body()).expect("JSON");
        for field in 0..100 {
            assert_eq!(document[format!("field-{field}")], field, "{name}");
        }
    }
}

/// Sends all but the body, and waits until the application asks for that.
fn begin(stream: &mut TcpStream, request: &str) {
    let (head, _) = request.split_once("\r\n\r\n").expect("a head");
    stream.write_all(format!("{head}\r\nExpect: 100-continue\r\n\r\n").as_bytes()).expect("it is connected");
    let mut interim = [0; 25];
    stream.read_exact(&mut interim).expect("an answer");
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
}

/// Until no more connections are taken; a framework may also leave them waiting.
pub(crate) fn wait_until_it_refuses(example: &Example) {
    let started = Instant::now();
    // A queue that is full makes clients wait for minutes.
    while TcpStream::connect_timeout(&example.address, Duration::from_millis(200)).is_ok()
        && started.elapsed() < Duration::from_secs(2)
    {
        thread::yield_now();
    }
}
