//! A recorder of the `metrics` facade whose numbers can be read. The one of `metrics-util` brings fifteen crates, which
//! everybody would compile who tries an example.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit,
};

/// What each name with its labels was told: `calls_total store=users` and its number.
#[derive(Clone, Debug, Default)]
pub(crate) struct Numbers(Arc<Mutex<BTreeMap<String, Number>>>);

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Number {
    Counter(u64),
    Gauge(f64),
    Histogram(Vec<f64>),
}

impl Numbers {
    pub(crate) fn all(&self) -> BTreeMap<String, Number> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn instrument(&self, key: &Key, start: Number) -> Arc<Instrument> {
        let labels = key.labels().map(|label| format!(" {}={}", label.key(), label.value()));
        let name = format!("{}{}", key.name(), labels.collect::<String>());
        Arc::new(Instrument { name, start, numbers: self.clone() })
    }
}

impl Recorder for Numbers {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.instrument(key, Number::Counter(0)))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.instrument(key, Number::Gauge(0.0)))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.instrument(key, Number::Histogram(Vec::new())))
    }
}

struct Instrument {
    name: String,
    start: Number,
    numbers: Numbers,
}

impl Instrument {
    /// Changes the number, which has the kind that the name had at first.
    fn change(&self, change: impl FnOnce(&mut Number)) {
        let mut numbers = self.numbers.0.lock().unwrap_or_else(PoisonError::into_inner);
        change(numbers.entry(self.name.clone()).or_insert_with(|| self.start.clone()));
    }

    fn gauge(&self, change: impl FnOnce(f64) -> f64) {
        self.change(|number| match number {
            Number::Gauge(value) => *value = change(*value),
            other => panic!("{} is {other:?}", self.name),
        });
    }

    fn counter(&self, change: impl FnOnce(u64) -> u64) {
        self.change(|number| match number {
            Number::Counter(value) => *value = change(*value),
            other => panic!("{} is {other:?}", self.name),
        });
    }
}

impl CounterFn for Instrument {
    fn increment(&self, by: u64) {
        self.counter(|value| value + by);
    }

    fn absolute(&self, value: u64) {
        self.counter(|before| before.max(value));
    }
}

impl GaugeFn for Instrument {
    fn increment(&self, by: f64) {
        self.gauge(|value| value + by);
    }

    fn decrement(&self, by: f64) {
        self.gauge(|value| value - by);
    }

    fn set(&self, value: f64) {
        self.gauge(|_| value);
    }
}

impl HistogramFn for Instrument {
    fn record(&self, sample: f64) {
        self.change(|number| match number {
            Number::Histogram(samples) => samples.push(sample),
            other => panic!("{} is {other:?}", self.name),
        });
    }
}
