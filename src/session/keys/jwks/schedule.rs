//! When the next fetch begins without being asked for.

use std::time::Duration;

use super::times::Times;

/// The shortest time between two fetches that a key server's `Cache-Control` can ask for.
const MIN_REFRESH: Duration = Duration::from_secs(60);

/// The longest pause after failures.
const MAX_BACK_OFF: Duration = Duration::from_secs(60);

/// After a fetch that brought keys, counted from its beginning: three quarters to nine tenths of the interval, the rest
/// being there for the fetch itself, so that a key that was removed is gone within the interval.
pub(super) fn after_success(times: &Times, max_age: Option<Duration>) -> Duration {
    let interval = times.refresh_interval;
    let interval = max_age.map_or(interval, |max_age| max_age.clamp(MIN_REFRESH.min(interval), interval));
    between(interval, 750, 900)
}

/// After so many fetches in a row that failed: one cool-down, then twice as long each time, up to a minute; and up to
/// half of it on top.
pub(super) fn after_failure(times: &Times, failures: u32) -> Duration {
    let doubled = times.cool_down.saturating_mul(1 << failures.saturating_sub(1).min(16));
    between(doubled.min(MAX_BACK_OFF.max(times.cool_down)), 1000, 1500)
}

/// By chance between so many thousandths of a time, so that many instances do not fetch at the same moment.
fn between(time: Duration, low: u32, high: u32) -> Duration {
    // Without randomness the times are still right, only alike.
    let chance = getrandom::u32().unwrap_or_default() % (high - low);
    time / 1000 * (low + chance)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMES: Times = Times {
        refresh_interval: Duration::from_secs(4 * 3600),
        cool_down: Duration::from_secs(10),
        fetch_deadline: Duration::from_secs(5),
        max_stale: Duration::from_secs(24 * 3600),
    };

    #[track_caller]
    fn lies_between(seconds: impl Fn() -> Duration, low: f64, high: f64) {
        for _ in 0..100 {
            let seconds = seconds().as_secs_f64();
            assert!((low..=high).contains(&seconds), "{seconds}");
        }
    }

    #[test]
    fn the_key_server_may_shorten_the_interval_within_bounds() {
        let after = |seconds: Option<u64>| move || after_success(&TIMES, seconds.map(Duration::from_secs));
        lies_between(after(None), 10_800.0, 12_960.0);
        lies_between(after(Some(u64::from(u32::MAX))), 10_800.0, 12_960.0);
        lies_between(after(Some(600)), 450.0, 540.0);
        lies_between(after(Some(0)), 45.0, 54.0);
        let short = Times { refresh_interval: Duration::from_secs(20), ..TIMES };
        lies_between(|| after_success(&short, Some(Duration::ZERO)), 15.0, 18.0);
    }

    #[test]
    fn failures_back_off_to_a_minute() {
        for (failures, seconds) in [(1, 10.0), (2, 20.0), (3, 40.0), (4, 60.0), (5, 60.0), (u32::MAX, 60.0)] {
            lies_between(|| after_failure(&TIMES, failures), seconds, seconds * 1.5);
        }
        let slow = Times { cool_down: Duration::from_secs(120), ..TIMES };
        lies_between(|| after_failure(&slow, 3), 120.0, 180.0);
    }
}
