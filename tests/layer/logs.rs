//! What operators are told of refusals.

use std::cell::RefCell;
use std::convert::Infallible;

use http::Request;
use tower::{Layer, Service, service_fn};

use crate::log::Lines;
use crate::verifier::{answer, both_ways, layer, run, with_token};

thread_local! {
    /// The events of this thread, and so of one test.
    static LINES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

fn keep(line: String) {
    LINES.with_borrow_mut(|lines| lines.push(line));
}

/// Somebody has to do something about keys that are out of reach, and nothing about a bad token, of which anybody can
/// send as many as they like.
#[test]
fn an_outage_is_a_warning_and_a_refusal_is_none() {
    tracing::subscriber::set_global_default(Lines(keep)).expect("the only subscriber of this process");
    for verifier in both_ways() {
        let handler = service_fn(|_: Request<()>| async { Ok::<_, Infallible>(answer("inner")) });
        let mut service = layer(&verifier).layer(handler);
        for (request, expected) in [
            (with_token("down"), Some("WARN message=session not verified kind=KeysUnavailable")),
            (
                with_token("out-of-reach"),
                Some(
                    r#"WARN message=session not verified kind=SessionsUnavailable reason="" error="the sessions cannot be read: the connection was refused""#,
                ),
            ),
            (with_token("ended"), Some("DEBUG message=session refused kind=UnknownSession")),
            (
                with_token("nobody"),
                Some(r#"DEBUG message=session refused kind=MissingCredentials reason="nobody is signed in""#),
            ),
            (with_token("bad"), Some("DEBUG message=session refused kind=BadSignature")),
            (Request::new(()), Some("DEBUG message=session refused kind=MissingCredentials")),
            (with_token("good"), None),
        ] {
            run(service.call(request)).expect("infallible");
            let lines = LINES.take();
            assert_eq!(lines.len(), usize::from(expected.is_some()), "{lines:?}");
            assert!(lines.iter().all(|line| line.starts_with(expected.unwrap_or_default())), "{lines:?}");
        }
    }
}
