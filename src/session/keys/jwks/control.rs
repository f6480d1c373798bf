//! The state of the fetches: the one under way, when the next may begin and when it should, and the outcome of the last.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::error::JwksError;
use super::fetch::Fetched;
use super::schedule;
use super::times::Times;
use super::unknown::{MAX_KIDS, UnknownKids};

/// A wait for the end of a fetch.
pub(super) type Fetching = Pin<Box<dyn Future<Output = ()> + Send>>;

/// How long after its deadline a fetch is given up.
const GRACE: Duration = Duration::from_millis(100);

pub(super) struct Control {
    flight: Option<Flight>,
    /// Before this no fetch begins.
    pub(super) not_before: Instant,
    /// When the next fetch begins without being asked for.
    pub(super) scheduled: Instant,
    pub(super) unknown: UnknownKids,
    pub(super) fetches: u64,
    pub(super) failures: u32,
    pub(super) last_error: Option<JwksError>,
    pub(super) closed: bool,
}

/// The fetch that is under way.
pub(super) struct Flight {
    started: Instant,
    /// Its sender is dropped when the fetch has ended in whatever way.
    landed: watch::Receiver<()>,
    /// When nobody waits for it any more.
    given_up: Instant,
    /// The names that were asked for, the first [`MAX_KIDS`] of them.
    asked: Vec<Box<str>>,
}

impl Control {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            flight: None,
            not_before: now,
            scheduled: now,
            unknown: UnknownKids::default(),
            fetches: 0,
            failures: 0,
            last_error: None,
            closed: false,
        }
    }

    /// The fetch that is under way. It keeps its deadline itself; one that does not is on a runtime that does not run,
    /// and is given up.
    pub(super) fn flight(&mut self, now: Instant) -> Option<&mut Flight> {
        self.flight.as_mut().filter(|flight| now < flight.given_up)
    }

    /// Whether a fetch may begin.
    pub(super) fn may_fetch(&mut self, now: Instant) -> bool {
        !self.closed && now >= self.not_before && self.flight(now).is_none()
    }

    /// Claims the slot: whatever comes of this fetch, the next begins a cool-down later, and not before it is over.
    pub(super) fn claim(&mut self, times: &Times, now: Instant, landed: watch::Receiver<()>) -> &mut Flight {
        self.not_before = now + times.cool_down;
        self.fetches += 1;
        let given_up = now + times.fetch_deadline + GRACE;
        self.flight.insert(Flight { started: now, landed, given_up, asked: Vec::new() })
    }

    /// Whether the fetch that began at this time is the one that is under way: another may have taken the place of one
    /// that was given up.
    pub(super) fn is_under_way(&self, started: Instant) -> bool {
        self.flight.as_ref().is_some_and(|flight| flight.started == started)
    }

    /// Ends the flight, which began at this time.
    pub(super) fn land(&mut self, times: &Times, started: Instant, result: Result<&Fetched, JwksError>) {
        let asked = self.flight.take().map(|flight| flight.asked).unwrap_or_default();
        match result {
            Ok(fetched) => {
                let found = |kid: &str| !kid.is_empty() && fetched.keys.has_kid(kid);
                self.unknown.forget(found);
                for kid in asked.into_iter().filter(|kid| !found(kid)) {
                    self.unknown.miss(kid, started, times.cool_down);
                }
                self.scheduled = started + schedule::after_success(times, fetched.max_age);
                self.failures = 0;
                self.last_error = None;
            }
            Err(error) => {
                let now = Instant::now();
                self.failures = self.failures.saturating_add(1);
                if let Some(pause) = error.retry_after {
                    self.not_before = self.not_before.max(now + pause);
                }
                // One that was asked for while the keys were fresh leaves the schedule as it is.
                if self.scheduled <= now {
                    self.scheduled = now + schedule::after_failure(times, self.failures);
                }
                self.scheduled = self.scheduled.max(self.not_before);
                self.last_error = Some(error);
            }
        }
    }
}

impl Flight {
    /// A wait for the end of the fetch, on behalf of a token under this key.
    pub(super) fn ask(&mut self, kid: &str) -> Wait {
        if self.asked.len() < MAX_KIDS && !self.asked.iter().any(|asked| **asked == *kid) {
            self.asked.push(kid.into());
        }
        self.wait()
    }

    pub(super) fn wait(&self) -> Wait {
        Wait { landed: self.landed.clone(), until: self.given_up }
    }
}

/// A wait that has to be begun outside of the lock: the timer in it panics on a runtime without time.
pub(super) struct Wait {
    landed: watch::Receiver<()>,
    until: Instant,
}

impl Wait {
    pub(super) fn begin(mut self) -> Fetching {
        let waiting = timeout_at(self.until, async move { while self.landed.changed().await.is_ok() {} });
        Box::pin(async move {
            // At its end the keys are looked at again, be they new or not.
            let _ = waiting.await;
        })
    }
}
