use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::mpsc;
use std::thread;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::ConfigError;
use crate::store::{StoreError, StoreErrorKind};

type Job = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A thread with a runtime. It ends when the last of these is gone and its jobs are done.
#[derive(Clone)]
pub(super) struct Worker(UnboundedSender<Job>);

impl Worker {
    /// Starts one, and opens something in it.
    pub(super) fn start<S, F>(open: impl FnOnce() -> F + Send + 'static) -> Result<(Self, S), ConfigError>
    where
        S: Send + 'static,
        F: Future<Output = Result<S, ConfigError>>,
    {
        let (jobs, queue) = unbounded_channel();
        let (opened, outcome) = mpsc::sync_channel(1);
        let work = move || {
            let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime,
                Err(error) => return drop(opened.send(Err(failed(error)))),
            };
            // Who started the thread waits for this.
            let _ = opened.send(runtime.block_on(open()));
            drop(opened);
            runtime.block_on(serve(queue));
        };
        thread::Builder::new().name("user-metadata".to_owned()).spawn(work).map_err(failed)?;
        match outcome.recv() {
            Ok(opened) => Ok((Self(jobs), opened?)),
            Err(_) => Err(failed("the store panicked when it was opened")),
        }
    }

    /// Waits for a job; `None`: it panicked.
    pub(super) fn run<T: Send + 'static>(&self, job: impl Future<Output = T> + Send + 'static) -> Option<T> {
        let (answer, outcome) = mpsc::sync_channel(1);
        let job = Box::pin(async move {
            // Its caller waits for it.
            let _ = answer.send(job.await);
        });
        self.0.send(job).ok()?;
        outcome.recv().ok()
    }
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker").finish_non_exhaustive()
    }
}

/// Each job is a task, so that they go on beside one another and one that panics ends alone.
async fn serve(mut queue: UnboundedReceiver<Job>) {
    while let Some(job) = queue.recv().await {
        tokio::spawn(job);
    }
}

fn failed(why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> ConfigError {
    ConfigError::Store(StoreError::new(StoreErrorKind::Internal).with_source(why))
}
