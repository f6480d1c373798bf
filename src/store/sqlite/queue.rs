//! The way from a task to a thread and back: a bounded queue of jobs, each of which its caller may give up on.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Semaphore, oneshot};
use tokio::time::Instant;

use super::error;
use crate::store::deadline::timeout_at;
use crate::store::{StoreError, StoreErrorKind};

/// Work for a thread, `W`, that is answered with an `A`.
pub(super) struct Job<W, A> {
    pub(super) work: W,
    ticket: Arc<Ticket>,
    answer: oneshot::Sender<Result<A, StoreError>>,
}

impl<W, A> Job<W, A> {
    /// Claims the job; `false` when its caller has given up, and then it must not be done.
    #[must_use]
    pub(super) fn claim(&self) -> bool {
        self.ticket.leave_waiting(Ticket::CLAIMED)
    }

    /// Whether somebody still waits for the answer.
    pub(super) fn is_wanted(&self) -> bool {
        !self.answer.is_closed()
    }

    pub(super) fn answer(self, answer: Result<A, StoreError>) {
        // A caller that is gone needs no answer.
        let _ = self.answer.send(answer);
    }
}

/// Decides whether a job is done: the first to change it from `WAITING`, the caller or the thread, has its way.
struct Ticket(AtomicU8);

impl Ticket {
    const WAITING: u8 = 0;
    const CLAIMED: u8 = 1;
    const GIVEN_UP: u8 = 2;

    fn leave_waiting(&self, to: u8) -> bool {
        // Nothing else is published through the ticket, so no ordering with other memory is needed.
        self.0.compare_exchange(Self::WAITING, to, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

/// Gives the job up when the caller goes away, by its deadline or because its future is dropped.
struct Caller(Arc<Ticket>);

impl Caller {
    /// `false`: a thread has the job already, so it may be done.
    fn give_up(&self) -> bool {
        self.0.leave_waiting(Ticket::GIVEN_UP)
    }
}

impl Drop for Caller {
    fn drop(&mut self) {
        self.give_up();
    }
}

/// Why no more jobs are taken.
#[derive(Clone, Copy, Debug)]
pub(super) enum End {
    /// The store was closed.
    Closed,
    /// A thread of the store is gone.
    Failed,
}

impl From<End> for StoreError {
    fn from(end: End) -> Self {
        match end {
            End::Closed => Self::new(StoreErrorKind::Closed),
            End::Failed => {
                Self::new(StoreErrorKind::Internal).with_source("a thread of the store has ended by a panic")
            }
        }
    }
}

/// Jobs in the order of their arrival, at most as many as there is room for.
pub(super) struct Queue<W, A> {
    state: Mutex<State<W, A>>,
    filled: Condvar,
    room: Semaphore,
    /// Whether a job that is lost on the way may have changed something.
    writes: bool,
    /// Whether a lock of somebody else is in the way, for callers whose deadline passes.
    locked: AtomicBool,
}

struct State<W, A> {
    jobs: VecDeque<Job<W, A>>,
    sleepers: usize,
    end: Option<End>,
}

impl<W, A> Queue<W, A> {
    pub(super) fn new(room: usize, writes: bool) -> Self {
        let state = State { jobs: VecDeque::new(), sleepers: 0, end: None };
        let room = Semaphore::new(room.clamp(1, Semaphore::MAX_PERMITS));
        Self { state: Mutex::new(state), filled: Condvar::new(), room, writes, locked: AtomicBool::new(false) }
    }

    /// Has the work done, all within the deadline: waits for room, for a thread, and for the answer.
    pub(super) async fn call(&self, work: W, deadline: Instant) -> Result<A, StoreError> {
        let (sender, answer) = oneshot::channel();
        let ticket = Arc::new(Ticket(AtomicU8::new(Ticket::WAITING)));
        let caller = Caller(ticket.clone());
        match timeout_at(deadline, self.push(Job { work, ticket, answer: sender })).await {
            Ok(pushed) => pushed?,
            Err(_) => {
                return Err(StoreError::new(StoreErrorKind::Unavailable)
                    .with_source("more calls wait than `with_queue` allows"));
            }
        }
        let answered = timeout_at(deadline, answer).await;
        let unclaimed = caller.give_up();
        let lost = match answered {
            Ok(Ok(answer)) => return answer,
            Ok(Err(_)) => End::Failed.into(),
            Err(_) => StoreError::new(StoreErrorKind::Timeout).with_source(self.delay(unclaimed)),
        };
        Err(if unclaimed || !self.writes { lost } else { lost.with_may_have_happened() })
    }

    fn delay(&self, unclaimed: bool) -> &'static str {
        match (self.locked.load(Ordering::Relaxed), unclaimed) {
            (true, _) => error::LOCKED,
            (false, true) => error::WAITED,
            (false, false) => error::IN_HAND,
        }
    }

    /// Says whether a lock of somebody else is in the way.
    pub(super) fn set_locked(&self, locked: bool) {
        self.locked.store(locked, Ordering::Relaxed);
    }

    async fn push(&self, job: Job<W, A>) -> Result<(), End> {
        let permit = self.room.acquire().await;
        let mut state = self.lock();
        match (state.end, permit) {
            (None, Ok(permit)) => {
                // Given back when the job is taken out.
                permit.forget();
                state.jobs.push_back(job);
                let wake = state.sleepers > 0;
                drop(state);
                if wake {
                    self.filled.notify_one();
                }
                Ok(())
            }
            (end, _) => Err(end.unwrap_or(End::Closed)),
        }
    }

    /// Sleeps until there is a job; `false` when there will be none any more.
    #[must_use]
    pub(super) fn wait(&self) -> bool {
        self.wait_locked().is_some()
    }

    /// The next job, after sleeping until there is one; `None` when there will be none any more.
    pub(super) fn take(&self) -> Option<Job<W, A>> {
        let job = self.wait_locked()?.jobs.pop_front();
        self.room.add_permits(1);
        job
    }

    /// The next job, if there is one.
    pub(super) fn try_take(&self) -> Option<Job<W, A>> {
        let job = self.lock().jobs.pop_front()?;
        self.room.add_permits(1);
        Some(job)
    }

    /// Takes out the jobs whose callers are gone.
    pub(super) fn forget_unwanted(&self) {
        let mut state = self.lock();
        let before = state.jobs.len();
        state.jobs.retain(Job::is_wanted);
        let gone = before - state.jobs.len();
        drop(state);
        self.room.add_permits(gone);
    }

    /// Takes no more jobs; those that are in the queue are still handed out. The first reason stays.
    pub(super) fn end(&self, why: End) {
        self.lock().end.get_or_insert(why);
        self.room.close();
        self.filled.notify_all();
    }

    fn wait_locked(&self) -> Option<MutexGuard<'_, State<W, A>>> {
        let mut state = self.lock();
        while state.jobs.is_empty() {
            if state.end.is_some() {
                return None;
            }
            state.sleepers += 1;
            state = self.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.sleepers -= 1;
        }
        Some(state)
    }

    fn lock(&self) -> MutexGuard<'_, State<W, A>> {
        // Nothing between lock and unlock panics with the state half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Held by a thread that serves a queue: when the thread ends before the queue does, by a panic too, nobody is left
/// waiting.
pub(super) struct Server<W, A>(pub(super) Arc<Queue<W, A>>);

impl<W, A> Drop for Server<W, A> {
    fn drop(&mut self) {
        self.0.end(End::Failed);
        // The callers see that their jobs are gone.
        let left = std::mem::take(&mut self.0.lock().jobs);
        drop(left);
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::task::{Context, Waker};
    use std::time::Duration;

    use super::*;

    type Numbers = Queue<u32, u32>;

    /// The clock of these tests stands still until nothing else is left to do.
    fn soon() -> Instant {
        Instant::now() + Duration::from_millis(20)
    }

    async fn failure(queue: &Numbers) -> (StoreErrorKind, bool) {
        let error = queue.call(1, soon()).await.expect_err("nobody serves the queue");
        (error.kind(), error.may_have_happened())
    }

    #[tokio::test(start_paused = true)]
    async fn a_job_that_nobody_takes_times_out_and_is_not_done_later() {
        let queue = Numbers::new(2, true);
        assert_eq!(failure(&queue).await, (StoreErrorKind::Timeout, false));
        let job = queue.try_take().expect("queued");
        assert!(!job.claim());
    }

    #[tokio::test(start_paused = true)]
    async fn a_job_in_hand_may_have_happened_unless_it_only_reads() {
        for writes in [true, false] {
            let queue = Numbers::new(2, writes);
            let (call, ()) = tokio::join!(queue.call(1, soon()), async {
                let job = queue.try_take().expect("queued by the call");
                assert!(job.claim());
                tokio::time::sleep(Duration::from_millis(50)).await;
                job.answer(Ok(2));
            });
            let error = call.expect_err("too late");
            assert_eq!((error.kind(), error.may_have_happened()), (StoreErrorKind::Timeout, writes));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_queue_is_unavailable_and_room_comes_back() {
        let queue = Numbers::new(1, true);
        assert_eq!(failure(&queue).await, (StoreErrorKind::Timeout, false));
        assert_eq!(failure(&queue).await, (StoreErrorKind::Unavailable, false));
        queue.forget_unwanted();
        let (answer, ()) = tokio::join!(queue.call(1, soon()), async {
            let job = queue.try_take().expect("queued by the call");
            assert!(job.claim());
            job.answer(Ok(2));
        });
        assert_eq!(answer.ok(), Some(2));
    }

    #[tokio::test(start_paused = true)]
    async fn a_dropped_call_gives_its_job_up() {
        let queue = Numbers::new(1, true);
        let mut call = Box::pin(queue.call(1, soon()));
        assert!(call.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        drop(call);
        assert!(!queue.take().expect("queued").claim());
    }

    #[tokio::test(start_paused = true)]
    async fn what_waits_at_the_end_is_handed_out_and_nothing_comes_after() {
        let queue = Numbers::new(2, true);
        let mut call = Box::pin(queue.call(1, soon()));
        assert!(call.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        queue.end(End::Closed);
        assert_eq!(failure(&queue).await, (StoreErrorKind::Closed, false));
        assert!(queue.wait());
        queue.take().expect("queued before the end").answer(Ok(3));
        assert_eq!(call.await.ok(), Some(3));
        assert!(!queue.wait());
        assert!(queue.take().is_none());
    }

    #[tokio::test]
    async fn a_thread_that_panics_leaves_nobody_waiting() {
        let queue = Arc::new(Numbers::new(4, true));
        let far = Instant::now() + Duration::from_secs(60);
        let served = queue.clone();
        let thread = std::thread::spawn(move || {
            let server = Server(served);
            let job = server.0.take().expect("queued");
            assert!(job.claim());
            while server.0.lock().jobs.is_empty() {
                std::thread::yield_now();
            }
            panic!("on purpose");
        });
        let (in_hand, waiting) = tokio::join!(queue.call(1, far), queue.call(2, far));
        assert!(thread.join().is_err());
        let (in_hand, waiting) = (in_hand.expect_err("lost"), waiting.expect_err("lost"));
        assert_eq!((in_hand.kind(), in_hand.may_have_happened()), (StoreErrorKind::Internal, true));
        assert_eq!((waiting.kind(), waiting.may_have_happened()), (StoreErrorKind::Internal, false));
        assert_eq!(failure(&queue).await, (StoreErrorKind::Internal, false));
    }
}
