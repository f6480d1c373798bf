//! Errors of stores: where they say that they happened, and what of them is in the log.

use std::error::Error;
use std::sync::{Arc, Mutex};

use tower_user_metadata::store::{ErrorContext, StoreError, StoreErrorKind};
use tower_user_metadata::{Limits, Metadata, MetadataUpdate};

use crate::log::Lines;

/// The lines that are logged on this thread until the guard is dropped.
pub(crate) fn logged() -> (Arc<Mutex<Vec<String>>>, tracing::subscriber::DefaultGuard) {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&lines);
    let keep = move |line| kept.lock().expect("not poisoned").push(line);
    (lines, tracing::subscriber::set_default(Lines(keep)))
}

/// Those of them about the failed calls of a store.
pub(crate) fn failures(lines: &Mutex<Vec<String>>) -> Vec<String> {
    let lines = std::mem::take(&mut *lines.lock().expect("not poisoned"));
    lines.into_iter().filter(|line| line.contains("a call of the store failed")).collect()
}

fn context() -> ErrorContext {
    ErrorContext::new("OurDB").with_server("host:1")
}

#[test]
fn an_error_is_logged_once_with_its_chain() {
    let (lines, _guard) = logged();
    let reason = StoreError::new(StoreErrorKind::Closed).with_source("the reason");
    let error = context().failed("get", StoreError::new(StoreErrorKind::Internal).with_source(reason));
    error.log();
    error.clone().with_may_have_happened().log();
    StoreError::new(StoreErrorKind::Internal).with_source(Arc::new(error.clone())).log();
    StoreError::new(StoreErrorKind::Internal).with_source(error.clone()).log();
    let other = ErrorContext::new("wrapper").failed("update", error);
    assert_eq!((other.operation(), other.engine(), other.server()), (Some("get"), Some("OurDB"), Some("host:1")));
    let lines = failures(&lines);
    let [line] = &lines[..] else { panic!("{lines:?}") };
    assert!(line.starts_with("ERROR"), "{line}");
    let chain = "the metadata store failed (get, OurDB at host:1): the metadata store is closed: the reason";
    assert!(line.contains(chain), "{line}");
}

#[test]
fn what_passes_is_a_warning_and_what_is_the_callers_own_is_not_logged() {
    let (lines, _guard) = logged();
    let update = MetadataUpdate::from_json(br#"{"a":"0123456789"}"#).expect("an update");
    let too_large = update.apply(&Metadata::new(), &Limits::default().with_document_bytes(5)).expect_err("too large");
    context().failed("update", StoreError::precondition_failed(None));
    context().failed("update", too_large);
    context().describe("follow", StoreError::new(StoreErrorKind::Unavailable));
    context().failed("update", StoreError::new(StoreErrorKind::Unavailable).with_may_have_happened());
    let lines = failures(&lines);
    let [line] = &lines[..] else { panic!("{lines:?}") };
    assert!(line.starts_with("WARN") && line.contains("host:1); the write may have happened"), "{line}");
}

#[test]
fn display_repeats_no_source() {
    let error = StoreError::new(StoreErrorKind::Internal).with_source("the reason");
    assert_eq!(context().describe("get", error.clone()).source().map(ToString::to_string), Some("the reason".into()));
    assert_eq!(error.to_string(), "the metadata store failed");
    assert_eq!(ErrorContext::new("OurDB").describe("get", error).to_string(), "the metadata store failed (get, OurDB)");
}

/// The text of an error and of all its sources, as a program prints it.
pub(crate) fn chain(error: &dyn Error) -> String {
    error.source().map_or_else(|| error.to_string(), |source| format!("{error}: {}", chain(source)))
}

/// What an operator shall learn of a call that failed.
pub(crate) struct Expected<'a> {
    pub(crate) operation: &'a str,
    pub(crate) engine: &'a str,
    pub(crate) server: &'a str,
    pub(crate) kind: StoreErrorKind,
    /// What the reason says.
    pub(crate) words: &'a [&'a str],
    /// What is told to nobody.
    pub(crate) secrets: &'a [&'a str],
}

impl Expected<'_> {
    /// The error says it, and so does the log, once; nothing secret is in either.
    pub(crate) fn check(&self, error: &StoreError, lines: &Mutex<Vec<String>>) {
        let told = chain(error);
        assert_eq!(error.kind(), self.kind, "{told}");
        assert_eq!(error.operation(), Some(self.operation), "{told}");
        assert_eq!((error.engine(), error.server()), (Some(self.engine), Some(self.server)), "{told}");
        let place = format!("({}, {} at {})", self.operation, self.engine, self.server);
        assert!(error.to_string().contains(&place), "{told}");
        let reason = error.source().map(chain).expect("a reason");
        assert!(!error.to_string().contains(&reason), "`Display` repeats the source: {told}");
        for word in self.words {
            assert!(reason.contains(word), "{word}: {told}");
        }
        let lines = failures(lines);
        let [line] = &lines[..] else { panic!("not logged once: {lines:#?}") };
        let passing =
            matches!(self.kind, StoreErrorKind::Unavailable | StoreErrorKind::Timeout | StoreErrorKind::Closed);
        assert!(line.starts_with(if passing { "WARN" } else { "ERROR" }), "{line}");
        for part in [self.operation, self.engine, self.server, &told] {
            assert!(line.contains(&format!("{part:?}")), "{part} is not in the log: {line}");
        }
        for secret in self.secrets {
            for text in [line, &told, &format!("{error:?}")] {
                assert!(!text.contains(secret), "{secret} is told: {text}");
            }
        }
    }
}
