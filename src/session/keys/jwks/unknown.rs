//! The names of keys that fresh key sets did not have.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

/// The longest `kid` that a key server is asked for, in bytes; those in use are hashes, UUIDs and dates.
pub(super) const MAX_KID_BYTES: usize = 256;

/// The most names that are remembered: 64 KiB of them at most.
pub(super) const MAX_KIDS: usize = 256;

/// The longest time for which a name is not looked for again.
const MAX_WAIT: Duration = Duration::from_secs(60);

/// Remembers names so that a client that keeps sending a token under a key that is gone does not cause a fetch in each
/// cool-down.
///
/// A name waits for one cool-down after its first miss, twice as long after each further one, and never longer than a
/// minute: so a key that tokens use before the key server shows it is found at most as long after that as it was
/// missing. A fetch for whatever reason finds it too.
#[derive(Debug, Default)]
pub(super) struct UnknownKids {
    missed: HashMap<Box<str>, Miss>,
}

#[derive(Debug)]
struct Miss {
    wait: Duration,
    until: Instant,
}

impl UnknownKids {
    pub(super) fn is_waiting(&self, kid: &str, now: Instant) -> bool {
        self.missed.get(kid).is_some_and(|miss| now < miss.until)
    }

    /// Notes that a key set fetched at this time has no such key.
    pub(super) fn miss(&mut self, kid: Box<str>, as_of: Instant, cool_down: Duration) {
        if let Some(miss) = self.missed.get_mut(&kid) {
            miss.wait = (miss.wait * 2).min(MAX_WAIT.max(cool_down));
            miss.until = as_of + miss.wait;
            return;
        }
        if self.missed.len() >= MAX_KIDS {
            // Names that nobody asked for again. Without any, the new name is not remembered: the cool-down still
            // bounds what it costs.
            self.missed.retain(|_, miss| as_of < miss.until + miss.wait);
        }
        if self.missed.len() < MAX_KIDS {
            self.missed.insert(kid, Miss { wait: cool_down, until: as_of + cool_down });
        }
    }

    pub(super) fn forget(&mut self, found: impl Fn(&str) -> bool) {
        self.missed.retain(|kid, _| !found(kid));
    }

    pub(super) fn len(&self) -> usize {
        self.missed.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COOL_DOWN: Duration = Duration::from_secs(10);

    #[test]
    fn waits_double_up_to_a_minute_and_end_when_found() {
        let mut kids = UnknownKids::default();
        let mut now = Instant::now();
        for seconds in [10, 20, 40, 60, 60] {
            kids.miss("k".into(), now, COOL_DOWN);
            let wait = Duration::from_secs(seconds);
            assert!(kids.is_waiting("k", now + wait - Duration::from_millis(1)), "{seconds}");
            assert!(!kids.is_waiting("k", now + wait), "{seconds}");
            now += wait;
        }
        kids.miss("k".into(), now, COOL_DOWN);
        kids.forget(|kid| kid == "k");
        assert!(!kids.is_waiting("k", now));
        assert_eq!(kids.len(), 0);
    }

    #[test]
    fn is_bounded_and_makes_room_for_new_names() {
        let mut kids = UnknownKids::default();
        let now = Instant::now();
        for n in 0..10 * MAX_KIDS {
            kids.miss(format!("{n}").into(), now, COOL_DOWN);
        }
        assert_eq!(kids.len(), MAX_KIDS);
        assert!(!kids.is_waiting("2559", now));
        let later = now + 2 * COOL_DOWN;
        kids.miss("later".into(), later, COOL_DOWN);
        assert!(kids.is_waiting("later", later));
        assert_eq!(kids.len(), 1);
    }
}
