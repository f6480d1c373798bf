//! The state behind a [`Jwks`](super::Jwks): the keys, what is known about fetches, and the tasks that make them.
//!
//! Requests read the keys without a lock. A request that needs newer ones takes the lock for a moment, never over an await.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwapOption;
use http::Uri;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::control::Control;
use super::error::JwksError;
use super::fetch::{Fetched, Fetcher};
use super::status::JwksStatus;
use super::times::Times;
use crate::session::keys::set::KeySet;

pub(super) struct Source {
    pub(super) fetcher: Arc<Fetcher>,
    pub(super) times: Times,
    pub(super) loaded: ArcSwapOption<Loaded>,
    pub(super) control: Mutex<Control>,
    pub(super) tasks: Mutex<Tasks>,
    /// Whether the task lives that fetches by the schedule.
    pub(super) kept_up: AtomicBool,
    pub(super) rescheduled: Arc<Notify>,
}

/// The keys of the last fetch that brought any.
pub(super) struct Loaded {
    pub(super) fetched: Fetched,
    /// When the fetch began: the keys are at least as old.
    pub(super) as_of: Instant,
}

#[derive(Default)]
pub(super) struct Tasks {
    pub(super) fetch: Option<JoinHandle<()>>,
    pub(super) upkeep: Option<JoinHandle<()>>,
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

    /// The keys, if they are not too old.
    pub(super) fn usable(&self) -> Option<Arc<KeySet>> {
        let loaded = self.loaded.load();
        let loaded = loaded.as_ref()?;
        (loaded.as_of.elapsed() < self.times.max_stale).then(|| Arc::clone(&loaded.fetched.keys))
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

    pub(super) fn no_longer_kept_up(&self) {
        self.kept_up.store(false, Ordering::Relaxed);
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
    pub(super) fn control(&self) -> MutexGuard<'_, Control> {
        self.control.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn tasks(&self) -> MutexGuard<'_, Tasks> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tasks {
    pub(super) fn abort(&self) {
        [&self.fetch, &self.upkeep].into_iter().flatten().for_each(JoinHandle::abort);
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        self.tasks.get_mut().unwrap_or_else(PoisonError::into_inner).abort();
    }
}
