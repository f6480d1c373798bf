//! The numbers of the `metrics` facade; [`ObservedStore`](super::ObservedStore) has the table.

use std::sync::Arc;
use std::time::Duration;

use metrics::{Gauge, Key, Label, Level, Metadata, with_recorder};
use tokio::time::Instant;

use super::operation::Operation;
use crate::metadata::Record;
use crate::store::waits::{Observer, observed};

/// Where the numbers say that they come from.
static HERE: Metadata<'static> = Metadata::new(module_path!(), Level::INFO, Some(module_path!()));

/// The keys of a store's numbers. Not the numbers themselves: their recorder may be installed later than the store.
#[derive(Debug)]
pub(super) struct Numbers {
    store: &'static str,
    get: Arc<Keys>,
    get_many: Arc<Keys>,
    update: Arc<Keys>,
    clear: Arc<Keys>,
}

#[derive(Debug)]
struct Keys {
    duration: Key,
    in_flight: Key,
    document_bytes: Key,
    unknown_outcomes: Key,
    pool_wait: Key,
}

impl Numbers {
    pub(super) fn new(store: &'static str) -> Self {
        let keys = |operation: Operation| {
            let labels = || labels([("store", store), ("operation", operation.name())]);
            Arc::new(Keys {
                duration: Key::from_parts("user_metadata_store_call_duration_seconds", labels()),
                in_flight: Key::from_parts("user_metadata_store_calls_in_flight", labels()),
                document_bytes: Key::from_parts("user_metadata_store_document_bytes", labels()),
                unknown_outcomes: Key::from_parts("user_metadata_store_unknown_outcomes_total", labels()),
                pool_wait: Key::from_parts("user_metadata_store_pool_wait_seconds", labels()),
            })
        };
        Self {
            store,
            get: keys(Operation::Get),
            get_many: keys(Operation::GetMany),
            update: keys(Operation::Update),
            clear: keys(Operation::Clear),
        }
    }

    fn keys(&self, operation: Operation) -> &Arc<Keys> {
        match operation {
            Operation::Get => &self.get,
            Operation::GetMany => &self.get_many,
            Operation::Update => &self.update,
            Operation::Clear => &self.clear,
        }
    }
}

impl Observer for Keys {
    fn waited(&self, time: Duration) {
        with_recorder(|to| to.register_histogram(&self.pool_wait, &HERE)).record(time);
    }
}

/// A call that is counted as under way until it is dropped.
pub(super) struct Running {
    numbers: Arc<Numbers>,
    operation: Operation,
    began: Instant,
    in_flight: Gauge,
}

impl Running {
    pub(super) fn begin(numbers: &Arc<Numbers>, operation: Operation) -> Self {
        let numbers = Arc::clone(numbers);
        let in_flight = with_recorder(|to| to.register_gauge(&numbers.keys(operation).in_flight, &HERE));
        in_flight.increment(1.0);
        Self { numbers, operation, began: Instant::now(), in_flight }
    }

    /// Makes the call, and counts how long it waits for a connection.
    pub(super) async fn with_waits<T>(&self, call: impl Future<Output = T>) -> T {
        observed(Arc::clone(self.numbers.keys(self.operation)) as _, call).await
    }

    pub(super) fn ended(&self) {
        let key = &self.numbers.keys(self.operation).duration;
        with_recorder(|to| to.register_histogram(key, &HERE)).record(self.began.elapsed());
    }

    #[expect(clippy::cast_precision_loss, reason = "a document is far below 2^53 bytes")]
    pub(super) fn document(&self, record: &Record) {
        let key = &self.numbers.keys(self.operation).document_bytes;
        with_recorder(|to| to.register_histogram(key, &HERE)).record(record.metadata.json_bytes() as f64);
    }

    pub(super) fn failed(&self, kind: &'static str, may_have_happened: bool) {
        let labels = labels([("store", self.numbers.store), ("operation", self.operation.name()), ("kind", kind)]);
        let key = Key::from_parts("user_metadata_store_errors_total", labels);
        with_recorder(|to| to.register_counter(&key, &HERE)).increment(1);
        if may_have_happened {
            let key = &self.numbers.keys(self.operation).unknown_outcomes;
            with_recorder(|to| to.register_counter(key, &HERE)).increment(1);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.in_flight.decrement(1.0);
    }
}

fn labels<const N: usize>(labels: [(&'static str, &'static str); N]) -> Vec<Label> {
    labels.into_iter().map(|(name, value)| Label::from_static_parts(name, value)).collect()
}
