use std::sync::Arc;

use tracing::{Instrument, Span, debug_span, field};

use super::documents::Documents;
use super::numbers::{Numbers, Running};
use super::operation::Operation;
use crate::store::{StoreError, StoreErrorKind};

/// A call under way; dropping it before its end reports it as dropped.
pub(super) struct Call {
    operation: Operation,
    span: Span,
    ended: bool,
    numbers: Running,
}

impl Call {
    pub(super) fn begin(store: &'static str, numbers: &Arc<Numbers>, operation: Operation, users: usize) -> Self {
        let span = debug_span!(
            "metadata_store",
            store,
            operation = operation.name(),
            users,
            outcome = field::Empty,
            may_have_happened = field::Empty,
        );
        Self { operation, span, ended: false, numbers: Running::begin(numbers, operation) }
    }

    pub(super) async fn run<T: Documents>(
        mut self,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let outcome = self.numbers.with_waits(call.instrument(self.span.clone())).await;
        self.ended = true;
        self.numbers.ended();
        match &outcome {
            Ok(answer) => self.succeeded(answer),
            Err(error) => self.failed(kind(error.kind()), error.may_have_happened()),
        }
        outcome
    }

    fn succeeded(&self, answer: &impl Documents) {
        self.span.record("outcome", "ok");
        answer.each(|record| self.numbers.document(record));
    }

    fn failed(&self, kind: &'static str, may_have_happened: bool) {
        self.span.record("outcome", kind);
        if may_have_happened {
            self.span.record("may_have_happened", true);
        }
        self.numbers.failed(kind, may_have_happened);
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if !self.ended {
            self.failed("dropped", self.operation.writes());
        }
    }
}

fn kind(kind: StoreErrorKind) -> &'static str {
    match kind {
        StoreErrorKind::InvalidMetadata => "invalid_metadata",
        StoreErrorKind::PreconditionFailed => "precondition_failed",
        StoreErrorKind::Unsupported => "unsupported",
        StoreErrorKind::Unavailable => "unavailable",
        StoreErrorKind::Timeout => "timeout",
        StoreErrorKind::Closed => "closed",
        StoreErrorKind::Corrupt => "corrupt",
        StoreErrorKind::Internal => "internal",
    }
}
