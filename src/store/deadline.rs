//! Deadlines of calls, without a new timer for each.
//!
//! Almost no call reaches its deadline. Yet a new timer wakes a sleeping thread of the runtime, which costs a lone call a
//! tenth of its time. So a thread keeps the timers of its finished calls, and the next call moves one of them to a later
//! time, which wakes no thread.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;
#[cfg(any(test, feature = "mariadb-no-provider", feature = "postgres-no-provider"))]
use std::time::Duration;

use tokio::runtime::{Handle, Id};
use tokio::time::{Instant, Sleep, sleep_until};

/// The most timers that one thread keeps.
const RESTING: usize = 32;

thread_local! {
    static TIMERS: RefCell<Vec<Timer>> = const { RefCell::new(Vec::new()) };
}

/// The deadline came first.
#[derive(Debug)]
pub(super) struct Late;

/// When a call that begins now must be over.
#[cfg(any(feature = "mariadb-no-provider", feature = "postgres-no-provider"))]
pub(super) fn ends(deadline: Duration) -> Instant {
    let now = Instant::now();
    // A deadline past what the clock can count is none: a year is as good.
    now.checked_add(deadline).unwrap_or(now + Duration::from_secs(365 * 24 * 60 * 60))
}

/// As `tokio::time::timeout_at`.
pub(super) async fn timeout_at<F: Future>(deadline: Instant, future: F) -> Result<F::Output, Late> {
    let mut future = pin!(future);
    let mut lent: Option<Lent> = None;
    poll_fn(|context| {
        if let Poll::Ready(output) = future.as_mut().poll(context) {
            return Poll::Ready(Ok(output));
        }
        match &mut lent.get_or_insert_with(|| Lent::until(deadline)).0 {
            Some(timer) => timer.sleep.as_mut().poll(context).map(|()| Err(Late)),
            // Only the drop of `lent` takes it out.
            None => Poll::Ready(Err(Late)),
        }
    })
    .await
}

struct Timer {
    /// A timer works in the runtime that it was made in.
    runtime: Id,
    sleep: Pin<Box<Sleep>>,
}

/// A timer until its call is over.
struct Lent(Option<Timer>);

impl Lent {
    fn until(deadline: Instant) -> Self {
        let runtime = Handle::current().id();
        let rested = TIMERS.with(|timers| {
            let mut timers = timers.try_borrow_mut().ok()?;
            let place = timers.iter().rposition(|timer| timer.runtime == runtime)?;
            Some(timers.swap_remove(place))
        });
        let timer = match rested {
            Some(mut timer) => {
                timer.sleep.as_mut().reset(deadline);
                timer
            }
            None => Timer { runtime, sleep: Box::pin(sleep_until(deadline)) },
        };
        Self(Some(timer))
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let Some(timer) = self.0.take() else { return };
        // A timer that goes may take the last hold on a task with it, and so run anything, this included: then it finds
        // them borrowed and goes, too.
        let _ = TIMERS.try_with(|timers| {
            let mut timers = timers.try_borrow_mut().ok()?;
            // Those of a runtime that has ended would never be used again.
            timers.retain(|other| other.runtime == timer.runtime);
            (timers.len() < RESTING).then(|| timers.push(timer))
        });
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use tokio::runtime::Builder;
    use tokio::time::sleep;

    use super::*;

    fn resting() -> usize {
        TIMERS.with(|timers| timers.borrow().len())
    }

    #[tokio::test(start_paused = true)]
    async fn a_deadline_holds_with_a_timer_that_was_told_others_before() {
        for (deadline, work, in_time) in [(5000, 10, true), (20, 10, true), (10, 5000, false), (7000, 6999, true)] {
            let begin = Instant::now();
            let deadline = Duration::from_millis(deadline);
            let outcome = timeout_at(begin + deadline, sleep(Duration::from_millis(work))).await;
            assert_eq!(outcome.is_ok(), in_time);
            assert_eq!(begin.elapsed(), deadline.min(Duration::from_millis(work)));
            assert_eq!(resting(), 1);
        }
    }

    #[tokio::test]
    async fn what_is_ready_needs_no_timer() {
        let past = Instant::now() - Duration::from_secs(1);
        assert!(timeout_at(past, async {}).await.is_ok());
        assert_eq!(resting(), 0);
        assert!(timeout_at(past, pending::<()>()).await.is_err());
    }

    #[test]
    fn a_timer_is_not_taken_from_another_runtime() {
        for _ in 0..3 {
            let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
            let soon = || Instant::now() + Duration::from_millis(1);
            runtime.block_on(async {
                assert!(timeout_at(soon(), pending::<()>()).await.is_err());
                assert!(timeout_at(soon(), pending::<()>()).await.is_err());
            });
            assert_eq!(resting(), 1);
        }
    }

    #[tokio::test]
    async fn no_more_rest_than_allowed() {
        let soon = Instant::now() + Duration::from_millis(5);
        let mut calls: Vec<_> = (0..RESTING + 3).map(|_| Box::pin(timeout_at(soon, pending::<()>()))).collect();
        for call in &mut calls {
            assert!(poll_fn(|context| Poll::Ready(call.as_mut().poll(context).is_pending())).await);
        }
        drop(calls);
        assert_eq!(resting(), RESTING);
    }
}
