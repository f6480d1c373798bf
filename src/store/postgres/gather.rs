//! Gathers calls into groups: each group is one statement on one connection.
//!
//! The queue decides what a group is, never a timer: a lane that has a connection takes everything that waits. So a
//! lone call is sent at once, and while all lanes are busy the next group grows.

use std::collections::{BTreeMap, HashSet};
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::database::{Database, Working};
use super::error::Failure;
use super::session::Session;
use crate::store::PoolWait;
use crate::store::deadline::timeout_at;
use crate::user_id::UserId;

/// What calls want done: several of them by one statement.
pub(super) trait Work: Send + Sized + 'static {
    type Answer: Send + 'static;

    /// Whether a call that is lost may have changed something.
    const WRITES: bool;

    /// The user of whom only one work may be under way; the next one would only wait for it in the database, and a
    /// whole group with it.
    fn alone_with(&self) -> Option<&UserId>;

    /// What it adds to the size of its group.
    fn bytes(&self) -> usize;

    /// Does all of them; one answer each, in their order. They are sorted by the users that they are alone with.
    fn run(
        database: &Database,
        session: Session,
        works: Vec<Self>,
    ) -> impl Future<Output = Vec<Result<Self::Answer, Failure>>> + Send;
}

/// The most bytes in one group, a single larger work aside: bounds the memory, and how long the first waits for the
/// last.
const GROUP_BYTES: usize = 1024 * 1024;

pub(super) struct Gather<W: Work> {
    database: Arc<Database>,
    /// The most groups under way at once.
    lanes: usize,
    /// The most works in one group.
    most: usize,
    state: Mutex<State<W>>,
}

struct State<W: Work> {
    /// In the order of their arrival.
    waiting: BTreeMap<u64, Call<W>>,
    arrived: u64,
    /// The users of whom a work is under way.
    users: HashSet<UserId>,
    lanes: usize,
    /// A caller serves itself.
    lone: bool,
}

struct Call<W: Work> {
    work: W,
    deadline: Instant,
    answer: oneshot::Sender<Result<W::Answer, Failure>>,
    working: Working,
    /// Dropped when its group has a connection.
    _wait: PoolWait,
}

impl<W: Work> Gather<W> {
    pub(super) fn new(database: Arc<Database>, lanes: usize, most: usize) -> Arc<Self> {
        let state = State { waiting: BTreeMap::new(), arrived: 0, users: HashSet::new(), lanes: 0, lone: false };
        Arc::new(Self { database, lanes, most, state: Mutex::new(state) })
    }

    /// Has the work done, within the deadline.
    pub(super) async fn call(self: &Arc<Self>, work: W, deadline: Instant) -> Result<W::Answer, Failure> {
        let working = self.database.begin()?;
        if let Some(_lone) = self.alone() {
            let session = self.database.session(deadline).await?;
            let answer = W::run(&self.database, session, vec![work]).await.pop();
            // One answer each.
            return answer.unwrap_or_else(|| Err(Failure::ended()));
        }
        let (answer, outcome) = oneshot::channel();
        let place = self.wait_in_line(Call { work, deadline, answer, working, _wait: PoolWait::begin() });
        let lost = match timeout_at(deadline, outcome).await {
            Ok(Ok(outcome)) => return outcome,
            Ok(Err(_)) => Failure::ended(),
            Err(_) if place.leave() => return Err(Failure::no_connection()),
            Err(_) => Failure::deadline(),
        };
        Err(if W::WRITES { lost.with_may_have_happened() } else { lost })
    }

    /// A call with nobody beside it is served by its caller, which spares a task. Never two at once: a caller that
    /// rests, neither polled nor dropped, holds no more than this and a connection, and nobody else waits for it.
    fn alone(&self) -> Option<Lone<'_, W>> {
        let mut state = self.lock();
        let alone = !state.lone && state.lanes == 0 && state.waiting.is_empty();
        state.lone |= alone;
        alone.then(|| Lone(self))
    }

    fn wait_in_line(self: &Arc<Self>, call: Call<W>) -> Place<'_, W> {
        let mut state = self.lock();
        let number = state.arrived;
        state.arrived += 1;
        let begins = state.lanes < self.lanes && state.may_begin(&call.work);
        state.waiting.insert(number, call);
        if begins {
            state.lanes += 1;
            tokio::spawn(Lane { gather: Arc::clone(self), counted: true }.serve());
        }
        Place { gather: self, number }
    }

    fn lock(&self) -> MutexGuard<'_, State<W>> {
        // Nothing between lock and unlock panics with the state half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<W: Work> State<W> {
    fn may_begin(&self, work: &W) -> bool {
        work.alone_with().is_none_or(|user| !self.users.contains(user))
    }

    /// The latest deadline of those that may begin; `None` when there are none. It is that of the last to arrive, since
    /// all calls of a store have the same time.
    fn wanted_until(&self) -> Option<Instant> {
        self.waiting.values().rev().find(|call| self.may_begin(&call.work)).map(|call| call.deadline)
    }

    /// The next group; its users are busy from now on.
    fn take(&mut self, most: usize) -> Vec<Call<W>> {
        let (mut numbers, mut bytes) = (Vec::new(), 0);
        for (number, call) in &self.waiting {
            if numbers.len() == most || bytes >= GROUP_BYTES {
                break;
            }
            let user = call.work.alone_with();
            if user.is_none_or(|user| self.users.insert(user.clone())) {
                bytes += call.work.bytes();
                numbers.push(*number);
            }
        }
        let mut calls: Vec<_> = numbers.iter().filter_map(|number| self.waiting.remove(number)).collect();
        calls.sort_by(|one, other| one.work.alone_with().cmp(&other.work.alone_with()));
        calls
    }
}

/// A caller that serves itself.
struct Lone<'a, W: Work>(&'a Gather<W>);

impl<W: Work> Drop for Lone<'_, W> {
    fn drop(&mut self) {
        self.0.lock().lone = false;
    }
}

/// A caller's place in the line; the work is forgotten with it, unless a lane has taken it.
struct Place<'a, W: Work> {
    gather: &'a Gather<W>,
    number: u64,
}

impl<W: Work> Place<'_, W> {
    /// Whether the work was still waiting, so that nothing came of it.
    fn leave(&self) -> bool {
        let left = self.gather.lock().waiting.remove(&self.number);
        left.is_some()
    }
}

impl<W: Work> Drop for Place<'_, W> {
    fn drop(&mut self) {
        self.leave();
    }
}

/// Serves one group after the other, each on a connection of its own, so that others get their turn at a small pool.
struct Lane<W: Work> {
    gather: Arc<Gather<W>>,
    /// It is counted, and must be given back.
    counted: bool,
}

impl<W: Work> Lane<W> {
    async fn serve(mut self) {
        while let Some(until) = self.wanted_until() {
            match self.gather.database.session(until).await {
                Ok(session) => self.group(session).await,
                Err(failure) => self.fail(&failure),
            }
        }
    }

    /// Until when a connection is wanted; else the lane is given back, in one step with looking: whoever comes later
    /// opens a new one.
    fn wanted_until(&mut self) -> Option<Instant> {
        let mut state = self.gather.lock();
        let until = if self.counted { state.wanted_until() } else { None };
        if until.is_none() {
            state.lanes -= usize::from(std::mem::take(&mut self.counted));
        }
        until
    }

    async fn group(&self, mut session: Session) {
        let calls = self.gather.lock().take(self.gather.most);
        let Some(deadline) = calls.iter().map(|call| call.deadline).max() else { return };
        session.set_deadline(deadline);
        let busy =
            Busy { gather: &self.gather, users: calls.iter().filter_map(|c| c.work.alone_with().cloned()).collect() };
        let (mut works, mut callers) = (Vec::with_capacity(calls.len()), Vec::with_capacity(calls.len()));
        for Call { work, answer, working, .. } in calls {
            works.push(work);
            callers.push((answer, working));
        }
        let answers = W::run(&self.gather.database, session, works).await;
        drop(busy);
        for ((caller, _working), answer) in callers.into_iter().zip(answers) {
            // A caller that is gone needs no answer.
            let _ = caller.send(answer);
        }
    }

    /// There was no connection to be had. Where other lanes are open, those have one or will be told the same, so what
    /// waits is left to them.
    fn fail(&mut self, failure: &Failure) {
        let mut state = self.gather.lock();
        if state.lanes > 1 {
            state.lanes -= 1;
            self.counted = false;
            return;
        }
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        for call in waiting.into_values() {
            let _ = call.answer.send(Err(failure.clone()));
        }
    }
}

impl<W: Work> Drop for Lane<W> {
    fn drop(&mut self) {
        if self.counted {
            self.gather.lock().lanes -= 1;
        }
    }
}

/// The users of a group while it is under way.
struct Busy<'a, W: Work> {
    gather: &'a Gather<W>,
    users: Vec<UserId>,
}

impl<W: Work> Drop for Busy<'_, W> {
    fn drop(&mut self) {
        let mut state = self.gather.lock();
        for user in &self.users {
            state.users.remove(user);
        }
    }
}
