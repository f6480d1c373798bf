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
