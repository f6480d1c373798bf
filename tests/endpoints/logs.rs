//! What operators are told of failures of a store.

use std::cell::RefCell;

use tower_user_metadata::endpoints::Problem;
use tower_user_metadata::store::{StoreError, StoreErrorKind};

use crate::log::Lines;

thread_local! {
    /// The events of this thread, and so of one test.
    static LINES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

fn keep(line: String) {
    LINES.with_borrow_mut(|lines| lines.push(line));
}

/// Frameworks turn an error into an answer more than once: one for its status, one for its body.
#[test]
fn a_failure_is_logged_once_however_often_it_becomes_an_answer() {
    tracing::subscriber::set_global_default(Lines(keep)).expect("the only subscriber of this process");
    for (kind, level) in [(StoreErrorKind::Unavailable, "WARN"), (StoreErrorKind::Internal, "ERROR")] {
        let error = StoreError::new(kind).with_source("the disk is full");
        let problems =
            [Problem::from(&error), Problem::from(&error), Problem::from(error.clone()), Problem::from(error)];
        let lines = LINES.take();
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].starts_with(level) && lines[0].contains("the disk is full"), "{lines:?}");
        assert!(problems.iter().all(|problem| !problem.to_string().contains("disk")));
    }
    for clients in [StoreError::precondition_failed(None), StoreError::new(StoreErrorKind::InvalidMetadata)] {
        assert!(Problem::from(&clients).status().is_client_error());
        assert_eq!(LINES.take(), Vec::<String>::new());
    }
}
