//! The faults of `crate::faults`, over HTTP/2.

use std::io::{Read, Write};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use http_body::Frame;
use prost::Message;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tonic::Status;
use tonic::body::Body;
use tonic::transport::Channel;
use tower::Service;

use super::{Json, bearer_of, call, connect, path, run};
use crate::example::Example;
use crate::faults::wait_until_it_refuses;
use crate::issuer::Issuer;

#[test]
fn a_hundred_updates_at_once_are_all_kept() {
    let issuer = Issuer::start();
    let directory = tempfile::tempdir().expect("a directory");
    let example = Example::trusting("tonic", directory.path(), &issuer);
    let alice = bearer_of(&issuer.token("alice"));
    run(async {
        let channel = connect(&example).await;
        let mut calls = JoinSet::new();
        for field in 0..100 {
            let (channel, alice) = (channel.clone(), alice.clone());
            calls.spawn(async move {
                call(&channel, "UpdateInfo", alice, &format!(r#"{{"field-{field}":{field}}}"#)).await.map(drop)
            });
        }
        while let Some(updated) = calls.join_next().await {
            updated.expect("no panic").expect("it is updated");
        }
        let document = call(&channel, "UserInfo", alice, "").await.expect("a document");
        let document: Value = serde_json::from_str(&document).expect("JSON");
        for field in 0..100 {
            assert_eq!(document[format!("field-{field}")], field);
        }
    });
}

/// The body of a call whose parts are sent one by one.
struct Parts(mpsc::UnboundedReceiver<Bytes>);

impl http_body::Body for Parts {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        self.0.poll_recv(context).map(|part| part.map(|part| Ok(Frame::data(part))))
    }
}

/// Sends the first half of a call and gives the sender for the second.
async fn begin(
    channel: &Channel,
    headers: &HeaderMap,
    json: &str,
) -> (mpsc::UnboundedSender<Bytes>, Bytes, impl Future<Output = http::Response<Body>> + use<>) {
    let message = Json { json: json.to_owned() }.encode_to_vec();
    let length = u32::try_from(message.len()).expect("a short message").to_be_bytes();
    let mut first = Bytes::from([&[0][..], &length, &message].concat());
    let second = first.split_off(first.len() / 2);
    let (parts, received) = mpsc::unbounded_channel();
    parts.send(first).expect("it is received");
    let mut request = http::Request::post(path("UpdateInfo").as_str()).body(Body::new(Parts(received))).expect("valid");
    *request.headers_mut() = headers.clone();
    request.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
    let mut connection = channel.clone();
    std::future::poll_fn(|context| connection.poll_ready(context)).await.expect("the connection is open");
    let answer = tokio::spawn(connection.call(request));
    // On the same connection and after the first half, so when this is answered that has arrived.
    call(channel, "UserInfo", headers.clone(), "").await.expect("it reads");
    (parts, second, async { answer.await.expect("no panic").expect("an answer") })
}

#[test]
fn a_call_in_flight_is_finished_before_the_application_stops() {
    let issuer = Issuer::start();
    let alice = bearer_of(&issuer.token("alice"));
    let directory = tempfile::tempdir().expect("a directory");
    let mut example = Example::trusting("tonic", directory.path(), &issuer);
    run(async {
        let channel = connect(&example).await;
        let (parts, rest, answer) = begin(&channel, &alice, r#"{"finished":true}"#).await;
        example.terminate();
        wait_until_it_refuses(&example);
        parts.send(rest).expect("it is still served");
        drop(parts);
        assert_eq!(Status::from_header_map(answer.await.headers()).map(|status| status.code()), None);
    });
    assert!(example.wait(Duration::from_secs(9)).success());
    let again = Example::trusting("tonic", directory.path(), &issuer);
    let document = run(async { call(&connect(&again).await, "UserInfo", alice, "").await });
    assert_eq!(document.expect("a document"), r#"{"finished":true}"#);
}

/// A part of the test of this name for all examples, which waits for them all at once.
pub(crate) fn a_client_that_never_finishes_does_not_keep_the_application_from_stopping(issuer: &Issuer) {
    let alice = bearer_of(&issuer.token("alice"));
    let directory = tempfile::tempdir().expect("a directory");
    let mut example = Example::trusting("tonic", directory.path(), issuer);
    run(async {
        let channel = connect(&example).await;
        let _unfinished = begin(&channel, &alice, r#"{"finished":true}"#).await;
        example.terminate();
        assert!(!example.wait(Duration::from_secs(20)).success());
    });
    let again = Example::trusting("tonic", directory.path(), issuer);
    let document = run(async { call(&connect(&again).await, "UserInfo", alice, "").await });
    assert_eq!(document.expect("a document"), "{}");
}

#[test]
fn a_client_that_hangs_up_in_the_middle_changes_nothing() {
    let issuer = Issuer::start();
    let token = issuer.token("alice");
    let directory = tempfile::tempdir().expect("a directory");
    let example = Example::trusting("tonic", directory.path(), &issuer);
    let document = || run(async { call(&connect(&example).await, "UserInfo", bearer_of(&token), "").await });
    let update = connection_with_an_update(&token, r#"{"a":2}"#);
    for end in 0..update.len() {
        let mut stream = example.connect();
        stream.write_all(&update[..end]).expect("it is connected");
        drop(stream);
    }
    assert_eq!(document().expect("a document"), "{}");
    let mut stream = example.connect();
    stream.write_all(&update).expect("it is connected");
    // The last frame of an answer has its trailers.
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).expect("an answer");
        let [a, b, c, kind, flags, ..] = head;
        let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
        stream.read_exact(&mut payload).expect("a whole frame");
        if kind == HEADERS && flags & END_STREAM != 0 {
            break;
        }
    }
    assert_eq!(document().expect("a document"), r#"{"a":2}"#);
}

/// A cancelled call ends alone: what it wrote is there or not, whole, and the others of its connection go on.
#[test]
fn a_call_that_is_cancelled_takes_no_other_with_it() {
    let issuer = Issuer::start();
    let alice = bearer_of(&issuer.token("alice"));
    let directory = tempfile::tempdir().expect("a directory");
    let example = Example::trusting("tonic", directory.path(), &issuer);
    run(async {
        let channel = connect(&example).await;
        let (parts, rest, answer) = begin(&channel, &alice, r#"{"finished":true}"#).await;
        for round in 0..200 {
            let update = format!(r#"{{"a":{round},"b":{round}}}"#);
            let cancelled = call(&channel, "UpdateInfo", alice.clone(), &update);
            let _ = tokio::time::timeout(Duration::from_micros(20 * round), cancelled).await;
            let document = call(&channel, "UserInfo", alice.clone(), "").await.expect("it reads");
            let document: Value = serde_json::from_str(&document).expect("JSON");
            assert_eq!(document["a"], document["b"]);
        }
        parts.send(rest).expect("it is still served");
        drop(parts);
        assert_eq!(Status::from_header_map(answer.await.headers()).map(|status| status.code()), None);
        let document = call(&channel, "UserInfo", alice, "").await.expect("a document");
        assert!(document.contains(r#""finished":true"#), "{document}");
    });
}

#[test]
fn every_acknowledged_update_survives_a_crash() {
    const WRITERS: usize = 8;
    let issuer = Issuer::start();
    let alice = bearer_of(&issuer.token("alice"));
    let directory = tempfile::tempdir().expect("a directory");
    let example = Example::trusting("tonic", directory.path(), &issuer);
    let acknowledged: [AtomicU64; WRITERS] = Default::default();
    run(async {
        let channel = connect(&example).await;
        let writer = async |writer: usize| {
            for round in 1.. {
                let update = format!(r#"{{"writer-{writer}":{round}}}"#);
                if call(&channel, "UpdateInfo", alice.clone(), &update).await.is_err() {
                    return;
                }
                acknowledged[writer].store(round, Ordering::Release);
            }
        };
        let crash = async {
            while acknowledged.iter().any(|rounds| rounds.load(Ordering::Acquire) < 20) {
                tokio::task::yield_now().await;
            }
            example.kill();
        };
        tokio::join!(crash, writer(0), writer(1), writer(2), writer(3), writer(4), writer(5), writer(6), writer(7),);
    });
    let example = Example::trusting("tonic", directory.path(), &issuer);
    let document = run(async { call(&connect(&example).await, "UserInfo", alice, "").await }).expect("a document");
    let document: Value = serde_json::from_str(&document).expect("JSON");
    for (writer, acknowledged) in acknowledged.iter().enumerate() {
        let stored = document[format!("writer-{writer}")].as_u64().expect("a number");
        let acknowledged = acknowledged.load(Ordering::Acquire);
        // The update that was under way may have been stored, and its acknowledgement lost.
        assert!((acknowledged..=acknowledged + 1).contains(&stored), "{stored}, but acknowledged {acknowledged}");
    }
}

const HEADERS: u8 = 1;
const END_STREAM: u8 = 1;

/// All that a client sends on a connection for one update, byte by byte (RFC 9113).
fn connection_with_an_update(token: &str, json: &str) -> Vec<u8> {
    const SETTINGS: u8 = 4;
    const DATA: u8 = 0;
    const END_HEADERS: u8 = 4;
    let frame = |kind: u8, flags: u8, stream: u8, payload: &[u8]| {
        let length = u32::try_from(payload.len()).expect("a short frame").to_be_bytes();
        [&length[1..], &[kind, flags, 0, 0, 0, stream], payload].concat()
    };
    // Without indexing, by a new name (RFC 7541 section 6.2.2); lengths from 127 on have a second byte (section 5.1).
    let literal = |text: &str| match text.len().checked_sub(127) {
        None => [&[u8::try_from(text.len()).expect("short")], text.as_bytes()].concat(),
        Some(more) => {
            let [low, high] = [more % 128 + 128, more / 128].map(|byte| u8::try_from(byte).expect("short"));
            [&[127, low, high], text.as_bytes()].concat()
        }
    };
    let headers = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", path("UpdateInfo").as_str()),
        (":authority", "localhost"),
        ("te", "trailers"),
        ("content-type", "application/grpc"),
        ("authorization", &format!("Bearer {token}")),
    ]
    .map(|(name, value)| [vec![0], literal(name), literal(value)].concat());
    let message = Json { json: json.to_owned() }.encode_to_vec();
    let length = u32::try_from(message.len()).expect("a short message").to_be_bytes();
    [
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
        frame(SETTINGS, 0, 0, &[]),
        frame(HEADERS, END_HEADERS, 1, &headers.concat()),
        frame(DATA, END_STREAM, 1, &[&[0][..], &length, &message].concat()),
    ]
    .concat()
}
