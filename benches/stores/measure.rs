//! Calls in parallel for a while, and what they took.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::workload::{Random, Workload};

/// One call; users are numbers.
#[derive(Clone)]
pub(crate) enum Op {
    /// Puts a whole document.
    Fill(String, String),
    Update(String, String),
    Get(String),
}

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    Update,
    Get,
}

pub(crate) type Call = Arc<dyn Fn(Op) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// Makes a [`Call`] of an async function over something that is shared.
pub(crate) fn call<T, F>(shared: T, function: impl Fn(T, Op) -> F + Send + Sync + 'static) -> Call
where
    T: Clone + Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    Arc::new(move |op| Box::pin(function(shared.clone(), op)))
}

/// What became of one round.
#[derive(Clone, Debug, Default)]
pub(crate) struct Round {
    pub(crate) seconds: f64,
    /// Microseconds, one a call.
    pub(crate) latencies: Vec<u32>,
}

impl Round {
    pub(crate) fn rate(&self) -> f64 {
        self.latencies.len() as f64 / self.seconds
    }
}

/// Gives each user a document.
pub(crate) async fn fill(call: &Call, workload: &Workload) {
    let tasks: Vec<_> = (0..64)
        .map(|first| {
            let (call, workload) = (call.clone(), workload.clone());
            tokio::spawn(async move {
                for user in (first..workload.users).step_by(64) {
                    call(Op::Fill(workload.user(user), workload.document(user))).await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("filled");
    }
}

/// Keeps so many calls in flight for a while, each for a user at random.
pub(crate) async fn round(call: &Call, workload: &Workload, kind: Kind, in_flight: usize, time: Duration) -> Round {
    let start = Instant::now();
    let tasks: Vec<_> = (0..in_flight)
        .map(|task| {
            let (call, workload) = (call.clone(), workload.clone());
            tokio::spawn(async move {
                let mut random = Random(start.elapsed().as_nanos() as u64 | (task as u64 + 1) << 40);
                let mut latencies = Vec::with_capacity(4_096);
                while start.elapsed() < time {
                    let user = random.below(workload.users);
                    let op = match kind {
                        Kind::Update => Op::Update(workload.user(user), workload.update(user)),
                        Kind::Get => Op::Get(workload.user(user)),
                    };
                    let begin = Instant::now();
                    call(op).await;
                    latencies.push(u32::try_from(begin.elapsed().as_micros()).unwrap_or(u32::MAX));
                }
                latencies
            })
        })
        .collect();
    let mut latencies = Vec::new();
    for task in tasks {
        latencies.extend(task.await.expect("calls"));
    }
    Round { seconds: start.elapsed().as_secs_f64(), latencies }
}
