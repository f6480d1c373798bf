//! Writes that wait for replicas: those that come while the server waits are sent together next, with one wait for all.
//!
//! Redis does nothing else for a connection that waits. One by one, writes would take the longest wait each as soon as a
//! replica is missing.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redis::{Cmd, Pipeline, Value};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::{Instant, timeout_at};

use super::error::{Cause, Failure};
use super::link::Link;
use crate::store::StoreErrorKind;

/// The most writes that are sent together.
const MOST: usize = 256;

/// A connection for writes that wait.
pub(super) struct Gather {
    link: Arc<Link>,
    queue: Mutex<Vec<Entry>>,
    /// Held while a group is with the server.
    turn: Arc<Semaphore>,
}

/// A write that is in no group yet.
struct Entry {
    commands: Pipeline,
    deadline: Instant,
    answer: oneshot::Sender<Outcome>,
    token: Arc<()>,
}

type Outcome = Result<Vec<Value>, Failure>;

/// Takes a write out of the queue when the call is dropped.
struct Waiting<'a> {
    gather: &'a Gather,
    token: Arc<()>,
}

impl Gather {
    pub(super) fn new(link: Arc<Link>) -> Self {
        Self { link, queue: Mutex::default(), turn: Arc::new(Semaphore::new(1)) }
    }

    /// The answers to the commands, and behind them the one to `wait`.
    pub(super) async fn call(&self, commands: Pipeline, wait: &Cmd, deadline: Instant) -> Outcome {
        let (answer, mut receiver) = oneshot::channel();
        let place = Waiting { gather: self, token: Arc::default() };
        self.queue().push(Entry { commands, deadline, answer, token: place.token.clone() });
        let answered = timeout_at(deadline, async {
            loop {
                tokio::select! {
                    biased;
                    outcome = &mut receiver => return outcome,
                    Ok(turn) = self.turn.clone().acquire_owned() => self.send_group(turn, wait),
                }
            }
        });
        match answered.await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => {
                let cause = Cause::new(StoreErrorKind::Unavailable, "the runtime that sent the write was shut down");
                Err(Failure::NoAnswer(cause))
            }
            Err(_) if place.leave() => Err(Failure::NotSent(Cause::late())),
            Err(_) => Err(Failure::NoAnswer(Cause::late())),
        }
    }

    pub(super) fn close(&self) {
        self.link.close();
    }

    /// Sends what is in the queue, in a task of its own, since the call that has the turn may be dropped.
    fn send_group(&self, turn: OwnedSemaphorePermit, wait: &Cmd) {
        let group: Vec<_> = {
            let mut queue = self.queue();
            let most = queue.len().min(MOST);
            queue.drain(..most).collect()
        };
        let mut commands = Pipeline::new();
        for command in group.iter().flat_map(|entry| entry.commands.cmd_iter()) {
            commands.add_command(command.clone());
        }
        commands.add_command(wait.clone());
        let Some(deadline) = group.iter().map(|entry| entry.deadline).max() else { return };
        let link = self.link.clone();
        tokio::spawn(async move {
            match link.call(&commands, deadline).await {
                Ok(answers) => {
                    let mut answers = answers.into_iter();
                    let waited = answers.next_back();
                    for entry in group {
                        let own = answers.by_ref().take(entry.commands.len());
                        // Who does not listen any more was dropped.
                        let _ = entry.answer.send(Ok(own.chain(waited.clone()).collect()));
                    }
                }
                Err(failure) => {
                    group.into_iter().for_each(|entry| drop(entry.answer.send(Err(failure.clone()))));
                }
            }
            drop(turn);
        });
    }

    fn queue(&self) -> MutexGuard<'_, Vec<Entry>> {
        // Entries come and go whole.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting<'_> {
    /// Whether the write was still in the queue, so that it is never sent.
    fn leave(&self) -> bool {
        let mut queue = self.gather.queue();
        let place = queue.iter().position(|entry| Arc::ptr_eq(&entry.token, &self.token));
        place.map(|place| queue.remove(place)).is_some()
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.leave();
    }
}
