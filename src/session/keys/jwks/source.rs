//! The state behind a [`Jwks`](super::Jwks): the keys, and the tasks that fetch them.
//!
//! Requests read the keys without a lock. Whoever wants newer ones takes the lock for a moment, never over an await:
//! one fetch is in flight at most, it is a task of its own so that no request can cancel it for the others, and its slot
//! is claimed, by time only, before it begins.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwapOption;
use http::Uri;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use super::control::{Control, Times};
use super::fetch::{Fetched, Fetcher};
use super::flight::{Landing, Upkeep};
use super::unknown::MAX_KID_BYTES;
use super::{Fetching, JwksError, JwksStatus};
use crate::session::keys::KeySet;

pub(super) struct Source {
    fetcher: Arc<Fetcher>,
    times: Times,
    loaded: ArcSwapOption<Loaded>,
    control: Mutex<Control>,
    tasks: Mutex<Tasks>,
    /// Whether the task lives that fetches by the schedule.
    kept_up: AtomicBool,
    pub(super) rescheduled: Arc<Notify>,
}

/// The keys of the last fetch that brought any.
pub(super) struct Loaded {
    pub(super) fetched: Fetched,
    /// When the fetch began: the keys are at least as old.
    as_of: Instant,
}

#[derive(Default)]
struct Tasks {
    fetch: Option<JoinHandle<()>>,
    upkeep: Option<JoinHandle<()>>,
}

impl Source {
    pub(super) fn new(fetcher: Fetcher, times: Times) -> Arc<Self> {
        Arc::new(Self {
            fetcher: Arc::new(fetcher),
            times,
            loaded: ArcSwapOption::empty(),
            control: Mutex::new(Control::new(Instant::now())),
            tasks: Mutex::default(),
            kept_up: AtomicBool::new(false),
            rescheduled: Arc::new(Notify::new()),
        })
    }

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

    /// The keys, if they are not too old.
    pub(super) fn usable(&self) -> Option<Arc<KeySet>> {
        let loaded = self.loaded.load();
        let loaded = loaded.as_ref()?;
        (loaded.as_of.elapsed() < self.times.max_stale).then(|| Arc::clone(&loaded.fetched.keys))
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
        if !kid.is_empty() && self.usable().is_some_and(|keys| keys.find(Some(kid)).is_some()) {
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

    /// Takes what a fetch brought. The keys are in place before the flight is gone, so that who sees no flight sees
    /// its keys.
    pub(super) fn land(&self, started: Instant, result: Result<Fetched, JwksError>) {
        let mut control = self.control();
        if control.is_under_way(started) {
            match result {
                Ok(fetched) => {
                    let loaded = Arc::new(Loaded { fetched, as_of: started });
                    self.loaded.store(Some(Arc::clone(&loaded)));
                    control.land(&self.times, started, Ok(&loaded.fetched));
                }
                Err(error) => control.land(&self.times, started, Err(error)),
            }
        }
        drop(control);
        self.rescheduled.notify_one();
    }

    /// When the next fetch begins by itself; `None` when closed.
    pub(super) fn scheduled(&self) -> Option<Instant> {
        let control = self.control();
        (!control.closed).then_some(control.scheduled)
    }

    pub(super) fn urls(&self) -> &[Uri] {
        &self.fetcher.urls
    }

    pub(super) fn last_error(&self) -> Option<JwksError> {
        self.control().last_error.clone()
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

    pub(super) fn no_longer_kept_up(&self) {
        self.kept_up.store(false, Ordering::Relaxed);
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

    pub(super) fn status(&self) -> JwksStatus {
        let mut control = self.control();
        let loaded = self.loaded.load();
        JwksStatus {
            keys: self.usable().map(|keys| keys.len()),
            age: loaded.as_ref().map(|loaded| loaded.as_of.elapsed()),
            skipped: loaded.as_ref().map(|loaded| loaded.fetched.keys.skipped().to_vec()).unwrap_or_default(),
            fetches: control.fetches,
            failures: control.failures,
            last_error: control.last_error.as_ref().map(JwksError::kind),
            fetching: control.flight(Instant::now()).is_some(),
            unknown_kids: control.unknown.len(),
        }
    }

    // Nothing between lock and unlock panics half-way through a change that belongs together, so a poisoned lock guards
    // a whole state.
    fn control(&self) -> MutexGuard<'_, Control> {
        self.control.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tasks(&self) -> MutexGuard<'_, Tasks> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tasks {
    fn abort(&self) {
        [&self.fetch, &self.upkeep].into_iter().flatten().for_each(JoinHandle::abort);
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        self.tasks.get_mut().unwrap_or_else(PoisonError::into_inner).abort();
    }
}
