//! Sessions that were verified already, so that the next request of each costs no cryptography.
//!
//! Only tokens that verified enter, so nobody can fill the cache, or choose its keys, without good tokens. An entry
//! ends at the token's expiry (by the clock and by the time that has really passed, whichever comes first), with the
//! set of keys that it was verified under, and when [`forget`](SessionCache::forget) drops it.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::PoisonError;
use std::time::Duration;

use quick_cache::sync::Cache;
use quick_cache::{DefaultHashBuilder, Equivalent, Weighter};
use tokio::time::Instant;

use super::keys::KeySetVersion;
use super::sync::RwLock;

/// How many bytes of the signature's end pick the bucket: 12 characters are 72 bits that no client chooses.
const TAIL_BYTES: usize = 12;

/// What an entry costs beside its token and its session, in bytes: its places in the tables, and what the allocator adds.
const ENTRY_BYTES: usize = 256;

/// What a session and its token take by a guess, in bytes: the tables grow where it is wrong.
const TYPICAL_BYTES: usize = 2048;

/// The verified sessions, bounded in bytes and so in number.
pub(crate) struct SessionCache<S: Kept> {
    sessions: Cache<Token, Entry<S>, Bytes>,
    /// How often sessions were told to be forgotten.
    forgotten: RwLock<u64>,
}

/// A session, as far as the cache needs to know it.
pub(crate) trait Kept: Clone {
    /// What it takes in memory, in bytes.
    fn bytes(&self) -> usize;
}

/// The time by both clocks: the one that people set, and the one that only goes on.
#[derive(Clone, Copy)]
pub(crate) struct Now {
    /// In milliseconds since 1970.
    pub(crate) wall: i64,
    pub(crate) steady: Instant,
}

/// A session that was just verified.
pub(crate) struct Fresh<S> {
    pub(crate) session: S,
    /// Until when it is good by the clock, with the verifier's leeway, in milliseconds since 1970.
    pub(crate) good_until: i64,
    /// Of the keys under which it was verified.
    pub(crate) version: KeySetVersion,
}

#[derive(Clone)]
struct Entry<S> {
    session: S,
    version: KeySetVersion,
    good_until: i64,
    dies_at: Instant,
}

impl<S: Kept> SessionCache<S> {
    pub(crate) fn new(max_bytes: usize) -> Self {
        let capacity = u64::try_from(max_bytes).unwrap_or(u64::MAX);
        let items = max_bytes / TYPICAL_BYTES;
        let sessions = Cache::with(items, capacity, Bytes, DefaultHashBuilder::default(), Default::default());
        Self { sessions, forgotten: RwLock::new(0) }
    }

    /// The session of a token: known from before, if it is still good and was verified under the keys of this
    /// version; else what `verify` says, which is kept if it is a session.
    pub(crate) fn known_or_verified<M, E>(
        &self,
        token: &[u8],
        now: Now,
        version: Option<KeySetVersion>,
        verify: impl FnOnce() -> Result<Result<Fresh<S>, M>, E>,
    ) -> Result<Result<S, M>, E> {
        // Without usable keys nothing that was verified under older ones counts either.
        if let Some(session) = version.and_then(|version| self.known(token, now, version)) {
            return Ok(Ok(session));
        }
        let forgotten = *self.forgotten.read().unwrap_or_else(PoisonError::into_inner);
        verify().map(|found| {
            found.map(|fresh| {
                self.keep(token, &fresh, now, forgotten);
                fresh.session
            })
        })
    }

    /// Drops the sessions for which `ended` says yes; what is being verified meanwhile is not kept.
    pub(crate) fn forget(&self, ended: impl Fn(&S) -> bool) {
        *self.forgotten.write().unwrap_or_else(PoisonError::into_inner) += 1;
        self.sessions.retain(|_, entry| !ended(&entry.session));
    }

    /// The session of a token, if it is known, still good, and was verified under the keys of this version.
    pub(crate) fn known(&self, token: &[u8], now: Now, version: KeySetVersion) -> Option<S> {
        let entry = self.sessions.get(&Sought(token))?;
        if entry.is_good(now, version) {
            return Some(entry.session);
        }
        // Another request may have put a better one in its place.
        self.sessions.remove_if(&Sought(token), |entry| !entry.is_good(now, version));
        None
    }

    fn keep(&self, token: &[u8], fresh: &Fresh<S>, now: Now, forgotten: u64) {
        let lifetime = u64::try_from(fresh.good_until.saturating_sub(now.wall)).unwrap_or(0);
        // A lifetime that the steady clock cannot count to is no lifetime of a session.
        let Some(dies_at) = now.steady.checked_add(Duration::from_millis(lifetime)) else { return };
        let (session, version) = (fresh.session.clone(), fresh.version);
        let entry = Entry { session, version, good_until: fresh.good_until, dies_at };
        // Under the lock, so that it is either in its place before `forget` looks at it or not kept.
        let unchanged = self.forgotten.read().unwrap_or_else(PoisonError::into_inner);
        if *unchanged == forgotten {
            self.sessions.insert(Token(token.into()), entry);
        }
    }
}

impl<S> Entry<S> {
    fn is_good(&self, now: Now, version: KeySetVersion) -> bool {
        self.version == version && now.wall < self.good_until && now.steady < self.dies_at
    }
}

/// The key: hashed by its end, compared whole.
struct Token(Box<[u8]>);

/// A token to look for.
struct Sought<'a>(&'a [u8]);

impl Hash for Token {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Sought(&self.0).hash(state);
    }
}

impl PartialEq for Token {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for Token {}

impl Hash for Sought<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(self.0.get(self.0.len().saturating_sub(TAIL_BYTES)..).unwrap_or_default());
    }
}

impl Equivalent<Token> for Sought<'_> {
    fn equivalent(&self, key: &Token) -> bool {
        *self.0 == *key.0
    }
}

/// Weighs an entry: its token, which is kept whole, its session, and the tables.
#[derive(Clone)]
struct Bytes;

impl<S: Kept> Weighter<Token, Entry<S>> for Bytes {
    fn weight(&self, token: &Token, entry: &Entry<S>) -> u64 {
        u64::try_from(token.0.len() + entry.session.bytes() + ENTRY_BYTES).unwrap_or(u64::MAX)
    }
}

impl<S: Kept> fmt::Debug for SessionCache<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionCache")
            .field("sessions", &self.sessions.len())
            .field("bytes", &self.sessions.weight())
            .field("max_bytes", &self.sessions.capacity())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    /// A session that is a number.
    impl Kept for u32 {
        fn bytes(&self) -> usize {
            700
        }
    }

    /// Some moment, so that others can be told by their distance.
    fn at(wall: i64, steady_start: Instant, steady_millis: u64) -> Now {
        Now { wall, steady: steady_start + Duration::from_millis(steady_millis) }
    }

    struct World {
        cache: SessionCache<u32>,
        start: Instant,
    }

    impl World {
        fn new(max_bytes: usize) -> Self {
            Self { cache: SessionCache::new(max_bytes), start: Instant::now() }
        }

        /// Asks for a token that is good from 0 until 1,000 ms; tells whether it was known.
        fn ask(&self, token: &str, wall: i64, steady: u64, version: Option<u64>) -> bool {
            let mut known = true;
            let version = version.map(KeySetVersion);
            let found = self.cache.known_or_verified(token.as_bytes(), at(wall, self.start, steady), version, || {
                known = false;
                let version = version.unwrap_or(KeySetVersion(0));
                Ok::<_, Infallible>(Ok::<_, Infallible>(Fresh { session: 7, good_until: 1_000, version }))
            });
            assert_eq!(found, Ok(Ok(7)));
            known
        }
    }

    #[test]
    fn only_the_very_same_token_is_found() {
        let world = World::new(1 << 20);
        let token = "aaa.bbb.0123456789abcdef";
        assert!(!world.ask(token, 0, 0, Some(1)));
        assert!(world.ask(token, 0, 0, Some(1)));
        for other in ["aaa.bbc.0123456789abcdef", "aaa.bbb.0123456789abcdee", "", "f", "\u{e9}0123456789\u{e9}"] {
            assert!(!world.ask(other, 0, 0, Some(1)), "{other}");
        }
        assert!(world.ask(token, 0, 0, Some(1)), "tokens with the same end do not push each other out");
    }

    #[test]
    fn a_token_that_is_verified_twice_at_once_is_kept_once() {
        let world = World::new(1 << 20);
        let version = KeySetVersion(1);
        let found = world.cache.known_or_verified(b"token", at(0, world.start, 0), Some(version), || {
            assert!(!world.ask("token", 0, 0, Some(1)));
            Ok::<_, Infallible>(Ok::<_, Infallible>(Fresh { session: 7, good_until: 1_000, version }))
        });
        assert_eq!(found, Ok(Ok(7)));
        assert_eq!(world.cache.sessions.len(), 1);
    }

    #[test]
    fn an_entry_ends_by_each_of_the_clocks_and_with_its_keys() {
        let fresh = || {
            let world = World::new(1 << 20);
            assert!(!world.ask("token", 0, 0, Some(1)));
            world
        };
        assert!(fresh().ask("token", 999, 999, Some(1)));
        assert!(!fresh().ask("token", 1_000, 0, Some(1)));
        assert!(!fresh().ask("token", 0, 1_000, Some(1)), "a clock that stands still keeps nothing alive");
        assert!(!fresh().ask("token", 0, 0, Some(2)));
        assert!(!fresh().ask("token", 0, 0, None), "without keys nothing is known");
    }

    #[test]
    fn what_ended_stays_ended_when_the_clock_steps_back() {
        let world = World::new(1 << 20);
        let refused = |wall| {
            let now = at(wall, world.start, 0);
            world.cache.known_or_verified(b"token", now, Some(KeySetVersion(1)), || Err::<Result<_, ()>, _>("refused"))
        };
        assert!(!world.ask("token", 0, 0, Some(1)));
        assert_eq!(refused(999), Ok(Ok(7)));
        assert_eq!(refused(1_000), Err("refused"));
        assert_eq!(refused(999), Err("refused"));
    }

    #[test]
    fn what_is_forgotten_is_gone_and_what_was_being_verified_is_not_kept() {
        let world = World::new(1 << 20);
        world.ask("token", 0, 0, Some(1));
        world.cache.forget(|session| *session == 8);
        assert!(world.ask("token", 0, 0, Some(1)));
        world.cache.forget(|session| *session == 7);
        assert!(!world.ask("token", 0, 0, Some(1)));

        let version = KeySetVersion(1);
        let found = world.cache.known_or_verified(b"other", at(0, world.start, 0), Some(version), || {
            world.cache.forget(|session| *session == 7);
            Ok::<_, Infallible>(Ok::<_, Infallible>(Fresh { session: 7, good_until: 1_000, version }))
        });
        assert_eq!(found, Ok(Ok(7)));
        assert!(!world.ask("other", 0, 0, Some(1)));
    }

    #[test]
    fn nothing_but_a_session_enters() {
        let world = World::new(1 << 20);
        let (now, version) = (at(0, world.start, 0), Some(KeySetVersion(1)));
        let refused = world.cache.known_or_verified(b"token", now, version, || Err::<Result<_, ()>, _>(1));
        assert_eq!(refused, Err(1));
        let missing = world.cache.known_or_verified(b"token", now, version, || Ok::<_, ()>(Err(2)));
        assert_eq!(missing, Ok(Err(2)));
        assert_eq!(world.cache.sessions.len(), 0);
    }

    #[test]
    fn it_is_bounded_in_bytes() {
        let world = World::new(64 * 1024);
        for n in 0..10_000 {
            world.ask(&format!("{n:0800}"), 0, 0, Some(1));
        }
        assert!(world.cache.sessions.weight() <= 64 * 1024);
        assert!(world.cache.sessions.len() > 10);
        assert!(world.cache.sessions.len() <= 64 * 1024 / (800 + 700), "each takes its token and its session at least");
    }

    /// Sessions that come once only do not push out those that come again and again.
    #[test]
    fn it_resists_a_scan() {
        let world = World::new(1 << 20);
        let regulars: Vec<_> = (0..100).map(|n| format!("regular {n:0800}")).collect();
        for _ in 0..3 {
            regulars.iter().for_each(|token| _ = world.ask(token, 0, 0, Some(1)));
        }
        for n in 0..50_000 {
            world.ask(&format!("once {n:0800}"), 0, 0, Some(1));
        }
        let still_known = regulars.iter().filter(|token| world.ask(token, 0, 0, Some(1))).count();
        assert!(still_known > 90, "{still_known} of 100");
    }
}
