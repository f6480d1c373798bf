//! What operators are told of refusals.

use std::cell::RefCell;
use std::convert::Infallible;
use std::fmt::{Debug, Write};

use http::Request;
use tower::{Layer, Service, service_fn};
use tracing::field::{Field, Visit};
use tracing::span;

use crate::verifier::{answer, both_ways, layer, run, with_token};

thread_local! {
    /// The events of this thread, and so of one test.
    static LINES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Keeps each event as a line.
struct Lines;

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _ = write!(self.0, " {}={value:?}", field.name());
    }
}

impl tracing::Subscriber for Lines {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        let mut line = Line(event.metadata().level().to_string());
        event.record(&mut line);
        LINES.with_borrow_mut(|lines| lines.push(line.0));
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

/// Somebody has to do something about keys that are out of reach, and nothing about a bad token, of which anybody can
/// send as many as they like.
#[test]
fn an_outage_is_a_warning_and_a_refusal_is_none() {
    tracing::subscriber::set_global_default(Lines).expect("the only subscriber of this process");
    for verifier in both_ways() {
        let handler = service_fn(|_: Request<()>| async { Ok::<_, Infallible>(answer("inner")) });
        let mut service = layer(&verifier).layer(handler);
        for (request, expected) in [
            (with_token("down"), Some("WARN message=session not verified kind=KeysUnavailable")),
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
