//! When fetches begin, and the task that begins them by the schedule.
//!
//! One fetch is in flight at most, it is a task of its own so that no request can cancel it for the others, and its slot
//! is claimed, by time only, before it begins.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use tokio::runtime::Handle;
use tokio::time::{Instant, timeout_at};

use super::control::Fetching;
use super::flight::Landing;
use super::source::{Source, Tasks};
use super::unknown::MAX_KID_BYTES;
use crate::session::keys::set::KeySet;

impl Source {
    /// What a request takes of the keys, if they are not too old: it makes sure that somebody looks after the schedule.
    pub(super) fn for_request<T>(self: &Arc<Self>, take: impl FnOnce(&Arc<KeySet>) -> T) -> Option<T> {
        self.keep_up();
        let loaded = self.loaded.load();
        let loaded = loaded.as_ref()?;
        let age = loaded.as_of.elapsed();
        if age > self.times.refresh_interval {
            self.mend_schedule();
        }
        (age < self.times.max_stale).then(|| take(&loaded.fetched.keys))
    }

    /// A wait for keys that may include this one, if there is hope.
    pub(super) fn refresh(self: &Arc<Self>, kid: Option<&str>) -> Option<Fetching> {
        // A token without a name counts as one with an empty name.
        let kid = kid.unwrap_or_default();
        if kid.len() > MAX_KID_BYTES {
            return None;
        }
        let runtime = Handle::try_current().ok()?;
        let now = Instant::now();
        let mut control = self.control();
        if let Some(flight) = control.flight(now) {
            let wait = flight.ask(kid);
            drop(control);
            return Some(wait.begin());
        }
        // A fetch that ended since the snapshot was looked at may have brought it.
        if !kid.is_empty() && self.usable().is_some_and(|keys| keys.has_kid(kid)) {
            return Some(Box::pin(std::future::ready(())));
        }
        if !control.may_fetch(now) || control.unknown.is_waiting(kid, now) {
            return None;
        }
        let (landing, landed) = Landing::new(self, now);
        let wait = control.claim(&self.times, now, landed).ask(kid);
        drop(control);
        self.take_off(&runtime, landing);
        Some(wait.begin())
    }

    /// A fetch because it is time, or the one that is under way; `None` when it is not time yet, or never again.
    pub(super) fn fetch(self: &Arc<Self>, runtime: &Handle) -> Option<Fetching> {
        let now = Instant::now();
        let mut control = self.control();
        if let Some(flight) = control.flight(now) {
            let wait = flight.wait();
            drop(control);
            return Some(wait.begin());
        }
        if !control.may_fetch(now) {
            control.scheduled = control.not_before;
            return None;
        }
        let (landing, landed) = Landing::new(self, now);
        let wait = control.claim(&self.times, now, landed).wait();
        drop(control);
        self.take_off(runtime, landing);
        Some(wait.begin())
    }

    /// Fetches what is long overdue: the task for that may be on a runtime that is there but does not run.
    fn mend_schedule(self: &Arc<Self>) {
        // Never waits: this is on the way of every request, and one of them will do.
        let Ok(mut control) = self.control.try_lock() else { return };
        let now = Instant::now();
        if now < control.scheduled + self.times.fetch_deadline || !control.may_fetch(now) {
            return;
        }
        let Ok(runtime) = Handle::try_current() else { return };
        let (landing, landed) = Landing::new(self, now);
        control.claim(&self.times, now, landed);
        drop(control);
        self.take_off(&runtime, landing);
    }

    /// Begins the fetch. Not under the lock, which the landing takes: a runtime that shuts down drops the task here.
    fn take_off(&self, runtime: &Handle, landing: Landing) {
        let until = landing.started + self.times.fetch_deadline;
        let task = runtime.spawn(landing.fetch(Arc::clone(&self.fetcher), until, self.loaded.load_full()));
        self.tasks().fetch = Some(task);
        self.end_if_closed();
    }

    /// Makes sure that the task lives that fetches by the schedule: the runtime that it was on may be gone.
    pub(super) fn keep_up(self: &Arc<Self>) {
        if self.kept_up.load(Ordering::Relaxed) {
            return;
        }
        let Ok(runtime) = Handle::try_current() else { return };
        if self.kept_up.swap(true, Ordering::Relaxed) || self.control().closed {
            return;
        }
        let task = runtime.spawn(Upkeep::new(self).run());
        self.tasks().upkeep = Some(task);
        self.end_if_closed();
    }

    /// Ends the tasks and lets none begin.
    pub(super) async fn close(&self) {
        self.control().closed = true;
        let tasks = self.end_if_closed();
        let until = Instant::now() + self.times.fetch_deadline;
        for task in [tasks.fetch, tasks.upkeep].into_iter().flatten() {
            // Not for ever: its runtime may be one that no longer runs.
            let _ = timeout_at(until, task).await;
        }
    }

    /// A task is kept first and looked at after that, so that it is seen here or by [`close`](Self::close).
    fn end_if_closed(&self) -> Tasks {
        if !self.control().closed {
            return Tasks::default();
        }
        let tasks = std::mem::take(&mut *self.tasks());
        tasks.abort();
        tasks
    }
}

/// The task that fetches by the schedule, for as long as the source lives.
struct Upkeep(Weak<Source>);

impl Upkeep {
    fn new(source: &Arc<Source>) -> Self {
        Self(Arc::downgrade(source))
    }

    async fn run(self) {
        loop {
            let Some(source) = self.0.upgrade() else { return };
            let Some(scheduled) = source.scheduled() else { return };
            let rescheduled = Arc::clone(&source.rescheduled);
            drop(source);
            if timeout_at(scheduled, rescheduled.notified()).await.is_ok() {
                continue;
            }
            let fetching = self.0.upgrade().and_then(|source| source.fetch(&Handle::current()));
            if let Some(fetching) = fetching {
                fetching.await;
            }
        }
    }
}

impl Drop for Upkeep {
    fn drop(&mut self) {
        if let Some(source) = self.0.upgrade() {
            source.no_longer_kept_up();
        }
    }
}
