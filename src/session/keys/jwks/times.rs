use std::time::Duration;

/// How often keys are fetched, and for how long they are good.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    pub(super) refresh_interval: Duration,
    pub(super) cool_down: Duration,
    pub(super) fetch_deadline: Duration,
    pub(super) max_stale: Duration,
}
