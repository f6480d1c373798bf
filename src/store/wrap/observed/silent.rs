//! What stands for the numbers where nobody wants them.

use std::sync::Arc;

use super::operation::Operation;
use crate::metadata::Record;

#[derive(Debug)]
pub(super) struct Numbers;

impl Numbers {
    pub(super) fn new(_: &'static str) -> Self {
        Self
    }
}

pub(super) struct Running;

impl Running {
    pub(super) fn begin(_: &Arc<Numbers>, _: Operation) -> Self {
        Self
    }

    pub(super) async fn with_waits<T>(&self, call: impl Future<Output = T>) -> T {
        call.await
    }

    #[expect(clippy::unused_self, reason = "as with the feature `metrics`")]
    pub(super) fn ended(&self) {}

    #[expect(clippy::unused_self, reason = "as with the feature `metrics`")]
    pub(super) fn document(&self, _: &Record) {}

    #[expect(clippy::unused_self, reason = "as with the feature `metrics`")]
    pub(super) fn failed(&self, _: &'static str, _: bool) {}
}
